"""Units, groups and categories that two files write in two ways."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from evenhand.audits.drift import find_drift
from evenhand.errors import EvenhandError

pytest.importorskip("sklearn")


def the_test(found, feature):
    (only,) = [each.test for each in found.features if each.feature == feature]
    return only


def problems(before, now, **asked):
    with pytest.raises(EvenhandError) as raised:
        find_drift(before, now, **asked)
    return raised.value.problems


def shifted(people=40):
    rng = np.random.default_rng(0)
    base = 3 * rng.normal(size=people)
    one, other = (base + by + 0.1 * rng.normal(size=people) for by in (0.0, 1.5))
    return tuple(pl.DataFrame({"person": np.arange(people), "x": x}) for x in (one, other))


@pytest.mark.parametrize(
    "written", [pl.Float64, pl.Float32, pl.Int16, pl.Decimal(10, 2)], ids=["f64", "f32", "i16", "d"]
)
def test_the_same_units_are_found_however_their_numbers_are_written(written):
    before, now = shifted()
    plain = find_drift(before, now, unit="person", features=["x"])
    found = find_drift(
        before, now.with_columns(pl.col("person").cast(written)), unit="person", features=["x"]
    )
    assert plain.alarm
    assert the_test(found, "x") == the_test(plain, "x")
    assert found.notes == plain.notes
    assert "40 units are in both files" in found.notes[-1]


def test_the_same_groups_are_found_however_their_numbers_are_written():
    before, now = shifted()
    before, now = (part.with_columns(pl.col("person") % 2) for part in (before, now))
    found = find_drift(
        before, now.with_columns(pl.col("person").cast(pl.Float64)), group="person", features=["x"]
    )
    assert {name: (size.reference, size.current) for name, size in found.sizes.items()} == {
        "0": (20, 20),
        "1": (20, 20),
    }


@pytest.mark.parametrize("role", ["unit", "group"])
@pytest.mark.parametrize(
    ("former", "latter"),
    [
        (pl.Series([2**53 + 1, 2]), pl.Series([2.0**53, 2.0])),
        (pl.Series([0.1, 0.2]), pl.Series([0.1, 0.2], dtype=pl.Float32)),
        (pl.Series([True, False]), pl.Series(["yes", "no"])),
        (pl.Series([dt.timedelta(1)] * 2), pl.Series([dt.date(2026, 1, 1)] * 2)),
    ],
    ids=["beyond 2^53", "tenths", "yes", "times"],
)
def test_names_that_do_not_fit_each_other_are_refused(role, former, latter):
    before, now = (pl.DataFrame({"who": who, "x": [1, 2]}) for who in (former, latter))
    (only,) = problems(before, now, features=["x"], **{role: "who"})
    assert only.where == f"--{role}"
    assert "which values are the same cannot be told" in only.what


def test_units_that_are_not_a_number_are_missing():
    before, now = shifted()
    now = now.with_columns(person=pl.lit(float("nan")))
    (only,) = problems(before, now, unit="person", features=["x"])
    assert "40 rows have no 'person'" in only.what


def test_days_are_the_same_as_times_and_in_other_zones():
    days = pl.Series([dt.date(2026, 1, 1), dt.date(2026, 1, 2)] * 30)
    zone = (
        days.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
    )
    before, now = (pl.DataFrame({"day": day, "x": np.arange(60)}) for day in (days, zone))
    found = find_drift(before, now, features=["x"], group="day")
    assert [size.current for size in found.sizes.values()] == [30, 30]


@pytest.mark.parametrize("written", [("True", "False"), ("true", "false"), ("TRUE", "FALSE")])
def test_truth_values_are_the_same_as_text(written):
    flags = np.random.default_rng(1).random(60) < 0.5
    before = pl.DataFrame({"flag": flags})
    now = pl.DataFrame({"flag": np.where(flags, *written)})
    for pair in ((before, now), (now, before)):
        assert the_test(find_drift(*pair), "flag").p_value == 1


def test_truth_values_beside_other_text_are_no_feature():
    before = pl.DataFrame({"flag": [True, False] * 30, "x": np.arange(60)})
    now = before.with_columns(flag=pl.lit("yes"))
    found = find_drift(before, now)
    assert {each.feature for each in found.features} == {"x"}
    assert "of other types, and left out: flag" in found.notes[0]
    (only,) = problems(before, now, features=["flag"])
    assert "which values are the same cannot be told" in only.what
