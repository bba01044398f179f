"""The scan: what it counts, what it refuses, and how it says so."""

from __future__ import annotations

import polars as pl
import pytest

import evenhand as eh
from evenhand.engine import Request, plan_scan
from evenhand.errors import EvenhandError, SourceError, StateSizeError, ValueInLogError
from evenhand.measures.registry import measure_named
from evenhand.notation import parse


def decisions(rows, engine=None, **how):
    return eh.log(rows, kind="decisions", engine=engine, **how)


def test_third_value_of_a_prediction_is_named(engine):
    rows = pl.DataFrame({"p": [0.0, 1.0, 0.37, 0.37, None]})
    with pytest.raises(ValueInLogError, match=r"role 'prediction': 2 rows hold 0\.37") as caught:
        eh.estimate("selection_rate", decisions(rows, engine, prediction="p"))
    assert "p >= 0.5" in caught.value.problems[0].hint


def test_all_bad_roles_are_reported_together(engine):
    rows = pl.DataFrame({"p": [2, 0], "y": [1, 7], "w": [-1.0, 1.0], "u": [None, 5]})
    log = decisions(rows, engine, prediction="p", label="y", weight="w", unit="u")
    with pytest.raises(ValueInLogError) as caught:
        eh.estimate("accuracy", log)
    assert {problem.where for problem in caught.value.problems} == {
        "role 'label'",
        "role 'prediction'",
        "role 'weight'",
        "unit",
    }


@pytest.mark.parametrize("unit", ["[u, i]", "pair(u, i)"])
def test_row_without_one_of_its_two_units_is_refused(engine, unit):
    rows = pl.DataFrame({"p": [1, 0, 1], "u": [1, 2, 3], "i": [None, 5, 6]})
    with pytest.raises(ValueInLogError) as caught:
        eh.estimate("selection_rate", decisions(rows, engine, prediction="p", unit=unit))
    (problem,) = caught.value.problems
    assert problem.where == "unit 'i'"
    assert "1 row holds None" in problem.what


def test_infinite_weight_is_refused(engine):
    rows = pl.DataFrame({"p": [1, 0], "w": [float("inf"), 1.0]})
    with pytest.raises(ValueInLogError, match="inf"):
        eh.estimate("selection_rate", decisions(rows, engine, prediction="p", weight="w"))


def test_missing_predictions_are_excluded_and_counted(engine):
    rows = pl.DataFrame({"p": [1, 0, None, 1, None], "y": [1, 1, 1, 0, 0]})
    log = decisions(rows, engine, prediction="p", label="y")
    selected, base = eh.estimates(["selection_rate", "base_rate"], log)
    assert selected.value == pytest.approx(2 / 3)
    assert selected.rows == 3
    assert [(part.reason, part.rows) for part in selected.excluded] == [
        ("prediction is missing", 2)
    ]
    assert base.value == pytest.approx(3 / 5), "a base rate needs no prediction"
    assert not base.excluded


def test_missing_labels_are_kept_and_make_the_figure_undefined(engine):
    rows = pl.DataFrame(
        {"g": ["a", "a", "b", "b", "c"], "p": [1, 0, 1, 1, 1], "y": [1, 1, 1, None, 1]}
    )
    log = decisions(rows, engine, prediction="p", label="y")
    rate, selected = eh.estimates(
        ["difference(true_positive_rate, by=g)", "difference(selection_rate, by=g)"], log
    )
    assert rate.groups[1].outcome.reason.startswith("label is missing for 1 of 2 rows")
    assert rate.value == pytest.approx(0.5), "groups a and c are compared, b is listed"
    assert selected.value == pytest.approx(0.5)
    assert selected.rows == 5


def test_rows_whose_filter_is_missing_are_counted(engine):
    rows = pl.DataFrame({"p": [1, 0, 1, 1], "year": [2025, 2024, None, 2026]})
    found = eh.estimate(
        "selection_rate", decisions(rows, engine, prediction="p", where="year >= 2025")
    )
    assert found.rows == 2
    assert [(part.reason, part.rows) for part in found.excluded] == [("the filter is missing", 1)]


def test_missing_groups_are_shown_apart(engine):
    rows = pl.DataFrame({"g": ["a", "b", None, "a", "b"], "p": [1, 0, 1, 1, 0]})
    found = eh.estimate("difference(selection_rate, by=g)", decisions(rows, engine, prediction="p"))
    assert [(g.group["g"], g.compared) for g in found.groups] == [
        ("a", True),
        ("b", True),
        ("unknown", False),
    ]


def test_filter_that_holds_for_no_row_says_so(engine):
    rows = pl.DataFrame({"p": [1, 0], "year": [2025, 2024]})
    with pytest.raises(SourceError, match="holds for none of 2 rows"):
        eh.estimate("selection_rate", decisions(rows, engine, prediction="p", where="year > 2030"))


def test_no_rows_at_all_say_so(engine):
    rows = pl.DataFrame({"p": [1]}).clear()
    with pytest.raises(SourceError, match="there are no rows"):
        eh.estimate("selection_rate", decisions(rows, engine, prediction="p"))


def test_group_with_very_many_values_is_refused_before_the_scan(engine):
    rows = pl.DataFrame({"id": range(5_000), "p": [0, 1] * 2_500})
    log = decisions(rows, engine, prediction="p", unit="id")
    with pytest.raises(StateSizeError, match=r"5,000 groups .* 640,000 rows of sums") as caught:
        eh.estimate("difference(selection_rate, by=id)", log)
    assert "--top" in caught.value.problems[0].hint


def test_top_keeps_the_most_frequent_values_and_shows_the_rest_apart(engine):
    rows = pl.DataFrame({"g": ["a"] * 5 + ["b"] * 4 + ["c", "d", None], "p": [0, 1] * 6})
    log = decisions(rows, engine, prediction="p", top=2)
    found = eh.estimate("difference(selection_rate, by=g)", log)
    assert [(g.group["g"], g.rows, g.compared) for g in found.groups] == [
        ("a", 5, True),
        ("b", 4, True),
        ("other values", 2, False),
        ("unknown", 1, False),
    ]


def test_a_value_beyond_the_sampled_rows_is_not_lost(monkeypatch):
    import importlib

    monkeypatch.setattr(importlib.import_module("evenhand.engine.scan"), "_SAMPLE", 2)
    rows = pl.DataFrame({"g": ["a", "a", "b", "c"], "p": [1, 0, 1, 1]})
    found = eh.estimate("difference(selection_rate, by=g)", decisions(rows, prediction="p"))
    assert [group.rows for group in found.groups] == [2, 1, 1]


def test_equal_terms_are_summed_once():
    log = decisions(pl.DataFrame({"p": [1], "y": [1]}), prediction="p", label="y")
    both = [measure_named(parse(name)) for name in ("true_positive_rate", "false_negative_rate")]
    (stage,) = plan_scan([Request(measure) for measure in both], log).stages.values()
    assert sum(key.startswith("positives") for key in stage.sums) == 1


def test_sets_of_groups_inside_another_are_not_scanned_again():
    rows = pl.DataFrame({"p": [1], "g": ["a"], "h": ["b"]})
    log = decisions(rows, prediction="p")
    measure = measure_named(parse("selection_rate"))
    plan = plan_scan([Request(measure, by) for by in [(), ("g",), ("h", "g"), ("h",)]], log)
    assert [*plan.stages] == [("g", "h")]


@pytest.mark.parametrize("unit", ["row", "who"])
def test_one_unit_in_two_groups_counts_once_in_all(unit, engine):
    rows = pl.DataFrame({"who": [1, 1, 2], "g": ["a", "b", "b"], "p": [1, 0, 1]})
    log = decisions(rows, engine, prediction="p", unit=unit)
    found = eh.estimate("difference(selection_rate, by=g)", log)
    assert found.units == (3 if unit == "row" else 2)
    assert [group.units for group in found.groups] == [1, 2]
    assert found.units_exact


PAIRS = pl.DataFrame(
    {
        "u": [1, 1, 2, 3, 4, 4],
        "i": [7, 8, 8, 8, 4, 1],
        "g": ["a", "a", "a", "b", "b", "b"],
        "p": [1, 0, 1, 0, 1, 1],
    }
)


@pytest.mark.parametrize(
    ("unit", "in_all", "by_group"), [("[u, i]", 4, [2, 2]), ("pair(u, i)", 6, [4, 4])]
)
def test_units_are_those_of_the_fewer_or_those_on_either_side(engine, unit, in_all, by_group):
    # u has 4 values and i 4, {1, 2} in a and {3, 4} in b; on either side stand 1, 2, 3, 4, 7, 8.
    log = decisions(PAIRS, engine, prediction="p", unit=unit)
    found = eh.estimate("difference(selection_rate, by=g)", log)
    assert found.units == in_all
    assert [group.units for group in found.groups] == by_group
    assert found.units_exact


@pytest.mark.parametrize(("unit", "units"), [("[u, i]", 150), ("pair(u, i)", 450)])
def test_estimated_units_are_those_of_the_fewer_or_those_on_either_side(
    monkeypatch, engine, unit, units
):
    import importlib

    monkeypatch.setattr(importlib.import_module("evenhand.engine.scan"), "COUNTED_EXACTLY", 10)
    rows = pl.DataFrame(
        {"u": [i % 300 for i in range(600)], "i": [1_000 + i % 150 for i in range(600)]}
    )
    log = decisions(rows.with_columns(p=pl.lit(1)), engine, prediction="p", unit=unit)
    found = eh.estimate("selection_rate", log)
    assert not found.units_exact
    # The relative standard error is at most 4.4 %.
    assert found.units == pytest.approx(units, rel=0.15)


@pytest.mark.parametrize("unit", ["[u, i]", "pair(u, i)"])
def test_two_units_that_never_repeat_give_the_closed_form(unit):
    rows = PAIRS.with_columns(u=pl.Series(range(6)), i=pl.Series(range(10, 16)))
    by_unit, by_row = (
        eh.estimate("difference(selection_rate, by=g)", decisions(rows, prediction="p", unit=one))
        for one in (unit, "row")
    )
    assert by_unit.estimate == by_row.estimate
    assert by_unit.conventions["unit"].startswith("no value of 'u' or 'i' repeats")


def test_unit_that_never_repeats_gives_the_closed_form():
    rows = pl.DataFrame({"who": [3, 1, 2, 9], "g": ["a", "b", "b", "a"], "p": [1, 0, 1, 1]})
    by_unit, by_row = (
        eh.estimate("difference(selection_rate, by=g)", decisions(rows, prediction="p", unit=unit))
        for unit in ("who", "row")
    )
    assert by_unit.estimate == by_row.estimate
    assert "never" in by_unit.conventions["unit"] or "repeats" in by_unit.conventions["unit"]


@pytest.mark.parametrize("text", ["difference(selection_rate, by=g, x=1)", "ratio(selection_rate)"])
def test_questions_that_cannot_be_answered_name_their_fault(text):
    log = decisions(pl.DataFrame({"p": [1], "g": ["a"]}), prediction="p")
    with pytest.raises(EvenhandError):
        eh.estimate(text, log)
