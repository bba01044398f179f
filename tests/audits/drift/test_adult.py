"""Drift on the census data Adult: none between its parts, and what is planted is found."""

from __future__ import annotations

import polars as pl
import pytest

from evenhand.audits.drift import find_drift

pytest.importorskip("sklearn")
pytestmark = pytest.mark.slow

FEATURES = ["age", "education_num", "hours_per_week", "marital_status", "occupation"]


@pytest.fixture
def parts(data):
    adult = pl.read_parquet(data / "adult_1994.parquet")
    return [adult.filter(pl.col("split") == part).drop("split") for part in ("train", "test")]


def test_the_parts_of_adult_do_not_differ(parts):
    found = find_drift(*parts, features=FEATURES, group="sex")
    assert not found.alarm
    assert found.joint[0].auc.low < 0.5 < found.joint[0].auc.high


def test_two_more_hours_of_women_are_found_in_women(parts):
    train, test = parts
    more = 2 * (pl.col("sex") == "Female").cast(pl.Int32)
    found = find_drift(
        train, test.with_columns(pl.col("hours_per_week") + more), features=FEATURES, group="sex"
    )
    hits = {(one.feature, one.group) for one in found.features if found.drifted(one)}
    assert hits == {("hours_per_week", None), ("hours_per_week", "Female")}
    assert {one.group for one in found.joint if found.drifted(one)} == {None, "Female"}


def test_education_dealt_anew_is_found_jointly_alone(parts):
    train, test = parts
    dealt = test.with_columns(pl.col("education_num").shuffle(seed=1))
    found = find_drift(train, dealt, features=FEATURES)
    assert not any(found.drifted(one) for one in found.features)
    assert found.drifted(found.joint[0])
