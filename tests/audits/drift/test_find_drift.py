"""Drift between two tables: what is found, what is left out, and what is said of it."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import polars as pl
import pytest

from evenhand.audits.drift import find_drift
from evenhand.errors import EvenhandError
from evenhand.stats.estimate import Estimate, Undefined

pytest.importorskip("sklearn")


def people(n=300, seed=1, *, older=0.0):
    rng = np.random.default_rng(seed)
    risk = rng.beta(2, 2, n)
    return pl.DataFrame(
        {
            "person_id": [f"p{seed}_{i}" for i in range(n)],
            "sex": rng.choice(["f", "m"], n),
            "age": rng.normal(40 + older, 10, n),
            "job": rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]),
            "risk": risk,
            "repaid": (rng.random(n) < risk).astype(int),
        }
    )


def one(found, feature, *, group=None, kind=None):
    (only,) = [
        each
        for each in found.features
        if (each.feature, each.group) == (feature, group) and kind in {None, each.kind}
    ]
    return only


def test_a_shift_is_found_where_it_is_and_nowhere_else():
    found = find_drift(people(), people(seed=2, older=8), group="sex")
    hits = {(each.feature, each.group) for each in found.features if found.drifted(each)}
    assert hits == {("age", None), ("age", "f"), ("age", "m")}
    effect = one(found, "age").effects[1]
    assert effect.unit == "pooled standard deviations"
    assert effect.outcome.low < 0.8 < effect.outcome.high
    assert found.alarm


def test_a_shift_of_one_group_alone_is_found_in_that_group():
    now = people(800, seed=2).with_columns(
        age=pl.col("age") + 8 * (pl.col("sex") == "f").cast(pl.Float64)
    )
    found = find_drift(people(800), now, features=["age", "job"], group="sex")
    assert found.drifted(one(found, "age", group="f"))
    assert not found.drifted(one(found, "age", group="m"))
    joint = {each.group: found.drifted(each) for each in found.joint}
    assert joint == {None: True, "f": True, "m": False}


def test_ids_labels_groups_and_units_are_no_features():
    found = find_drift(people(), people(seed=2), group="sex", score="risk", label="repaid")
    assert {each.feature for each in found.features} == {"age", "job", "risk"}
    assert "taken for ids and left out: person_id" in found.notes[0]


def test_columns_of_one_file_alone_or_of_other_types_are_said():
    now = people(seed=2).drop("job").with_columns(risk=pl.lit("high"), new=1)
    found = find_drift(people(), now)
    assert {each.feature for each in found.features} == {"sex", "age", "repaid"}
    assert any("job, risk, new" in note for note in found.notes)


def test_adjusted_p_values_are_of_one_family():
    found = find_drift(people(), people(seed=2), group="sex")
    every = [*found.features, *found.joint]
    p = np.array([each.test.p_value for each in every])
    order = np.sort(p)[::-1]
    by_hand = np.minimum.accumulate(order * len(p) / np.arange(len(p), 0, -1))
    assert sorted(each.test.adjusted for each in every) == pytest.approx(sorted(by_hand))
    assert found.family.startswith(f"{len(p)} p-values")


def test_missing_numbers_are_a_feature_and_missing_names_a_category():
    gone = pl.int_range(pl.len()) % 4 == 0
    now = people(seed=2).with_columns(
        age=pl.when(gone).then(None).otherwise(pl.col("age")),
        job=pl.when(gone).then(None).otherwise(pl.col("job")),
    )
    found = find_drift(people(), now, features=["age", "job"])
    assert not found.drifted(one(found, "age", kind="number"))
    missing = one(found, "age", kind="missing")
    assert found.drifted(missing)
    assert missing.effects[0].outcome.value == pytest.approx(0.25)
    assert found.drifted(one(found, "job"))
    assert one(found, "age", kind="number").size.current == 225


def test_not_a_number_is_missing_too():
    now = people(seed=2).with_columns(age=pl.lit(float("nan")))
    found = find_drift(people(), now, features=["age"])
    assert one(found, "age", kind="number").test.reason == "no values in the current data"
    assert found.drifted(one(found, "age", kind="missing"))


def test_constant_and_all_missing_features_have_no_test_and_cost_nothing():
    before, now = (
        people(seed=seed).with_columns(same=pl.lit(3.0), gone=pl.lit(None)) for seed in (1, 2)
    )
    found = find_drift(before, now, features=["same", "gone", "job"])
    assert one(found, "same").test.reason == "all values are alike in both"
    assert np.isnan(one(found, "same").test.adjusted)
    assert one(found, "gone").test.reason == "all values are alike in both"
    assert found.family.startswith("2 p-values")


def test_one_row_is_compared_and_told_to_be_small():
    found = find_drift(people(), people(1, seed=2), features=["age", "job"])
    assert not found.alarm
    assert found.size.small
    assert isinstance(found.joint[0].auc, Undefined)
    assert "20 units of each sample are needed" in found.joint[0].test.reason


def test_whole_numbers_floats_booleans_and_times_are_compared():
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    before = pl.DataFrame(
        {
            "count": [1, 2, 3, 4] * 25,
            "yes": [True, False] * 50,
            "when": [start + dt.timedelta(days=i) for i in range(100)],
        }
    )
    now = before.with_columns(
        pl.col("count").cast(pl.Float64), when=pl.col("when") + dt.timedelta(days=50)
    )
    found = find_drift(before, now)
    kinds = {each.feature: each.kind for each in found.features}
    assert kinds == {"count": "number", "yes": "category", "when": "number"}
    assert [each.feature for each in found.features if found.drifted(each)] == ["when"]


def test_groups_of_one_file_alone_are_undefined_and_said_to_be_small():
    now = people(seed=2).with_columns(sex=pl.lit("f"))
    found = find_drift(people(), now, features=["age"], group="sex")
    assert one(found, "age", group="m").test.reason == "no values in the current data"
    assert found.sizes["m"].small
    assert not found.sizes["f"].small


@pytest.mark.slow
def test_rows_of_a_unit_raise_no_alarm_that_units_do_not():
    def visits(seed):
        rng = np.random.default_rng(seed)
        who = np.repeat(np.arange(60), 15)
        level, place = rng.normal(size=60), rng.choice(["x", "y"], 60)
        return pl.DataFrame(
            {
                "who": [f"{seed}:{name}" for name in who],
                "level": level[who] + 0.1 * rng.normal(size=900),
                "place": place[who],
            }
        )

    by_unit, by_row = [], []
    for seed in range(0, 12, 2):
        pair = visits(seed), visits(seed + 1)
        by_unit.append(find_drift(*pair, unit="who").alarm)
        by_row.append(find_drift(*pair, features=["level", "place"]).alarm)
    assert sum(by_unit) <= 1
    assert sum(by_row) >= 4


def test_the_same_units_in_both_files_are_said_and_their_shift_is_found():
    before = people().rename({"person_id": "who"})
    now = before.with_columns(age=pl.col("age") + 3)
    found = find_drift(before, now, features=["age", "job"], unit="who")
    assert "300 units are in both files" in found.notes[0]
    assert found.drifted(one(found, "age"))
    assert one(found, "job").test.p_value == 1.0


def test_a_stricter_level_still_finds_what_is_plain():
    found = find_drift(
        people(), people(seed=2, older=30), unit="person_id", group="sex", level=0.99
    )
    hits = {(each.feature, each.group) for each in found.features if found.drifted(each)}
    assert hits == {("age", None), ("age", "f"), ("age", "m")}
    assert found.rate == 0.01


def test_the_same_seed_gives_the_same_document():
    pair = people(), people(seed=2)
    first, second = (json.dumps(find_drift(*pair, group="sex").to_dict()) for _ in range(2))
    assert first == second


# Accuracy without labels


def test_calibrated_scores_give_the_accuracy_and_their_labels_do_not_refute_them():
    found = find_drift(
        people(2000), people(2000, seed=2), features=["age"], score="risk", label="repaid"
    )
    (told,) = found.performance
    assert told.current.low < 0.6875 < told.current.high
    assert isinstance(told.true_reference, Estimate)
    document = told.to_dict()
    assert document["refuted_by_reference"] is False
    assert "in a simulation a 20 % label flip left it at .687" in document["assumption"]


def test_labels_of_the_reference_refute_a_score_that_is_not_calibrated():
    before = people(2000).with_columns(risk=pl.col("risk") ** 3)
    found = find_drift(before, before, features=["age"], score="risk", label="repaid", group="sex")
    assert [each.group for each in found.performance] == [None, "f", "m"]
    assert all(each.refuted for each in found.performance)


def test_without_labels_calibration_is_not_told():
    now = people(seed=2).with_columns(
        risk=pl.when(pl.int_range(pl.len()) < 10).then(None).otherwise("risk")
    )
    found = find_drift(people(), now, features=["age"], score="risk")
    document = found.performance[0].to_dict()
    assert document["refuted_by_reference"] is None
    assert document["rows_without_score"] == 10


# What cannot be compared


def problems(*tables, **asked):
    with pytest.raises(EvenhandError) as raised:
        find_drift(*(tables or (people(), people(seed=2))), **asked)
    return [(problem.where, problem.what) for problem in raised.value.problems]


def test_all_problems_come_at_once():
    found = problems(features=["agee", "job"], group="sect", unit="who", score="riks", label="sex")
    assert [where for where, _ in found] == [
        *("--feature", "--feature"),
        *("--group", "--group"),
        *("--unit", "--unit"),
        *("--score", "--score"),
        "--label",
    ]


def test_a_feature_missing_in_one_file_is_said_with_the_file():
    found = problems(people(), people().drop("age"), features=["age"])
    assert found == [("--feature", "the current data has no column 'age'.")]


def test_a_feature_of_another_type_is_said():
    found = problems(people(), people().with_columns(age=pl.lit("old")), features=["age"])
    assert found == [
        ("--feature", "'age' is Float64 in the reference and String in the current data.")
    ]


@pytest.mark.parametrize("kind", [pl.List(pl.Int64), pl.Struct({"a": pl.Int64}), pl.Binary])
def test_lists_and_structs_are_no_features(kind):
    table = people().with_columns(odd=pl.lit(None, dtype=kind))
    assert problems(table, table, features=["odd"])[0][0] == "--feature"
    assert "odd" in find_drift(table, table, group="sex").notes[-1]


def test_scores_outside_zero_and_one_are_refused():
    now = people().with_columns(risk=pl.col("risk") * 3)
    assert "outside [0, 1]" in problems(people(), now, score="risk")[0][1]
    assert "a label is there to test a score" in problems(label="repaid")[0][1]


def test_rows_without_a_unit_and_tables_without_rows_are_refused():
    loose = people().with_columns(who=pl.lit(None, dtype=pl.String))
    assert "300 rows" not in problems(people(), people().head(0))[0][1]
    assert problems(people(), people().head(0)) == [
        ("current data", "the current data has no rows.")
    ]
    assert problems(loose, loose, unit="who")[0][0] == "--unit"


def test_many_groups_and_no_features_are_refused():
    assert problems(group="person_id")[0][0] == "--group"
    only = people().select("person_id")
    assert problems(only, only)[0][0] == "--feature"
    assert problems(level=1.0)[0][0] == "--level"


# Few rows


@pytest.mark.parametrize("rows", [40, 50, 64, 80])
def test_the_joint_test_tells_apart_what_is_apart_where_it_has_few_rows(rows):
    before = pl.DataFrame({"x": np.arange(rows)})
    found = find_drift(before, before + rows)
    assert found.joint[0].auc.value == 1
    assert found.drifted(found.joint[0])
