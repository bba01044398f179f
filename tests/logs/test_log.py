"""Logs: roles, groups, unit and filter are checked together, before any row is read."""

from __future__ import annotations

import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import NotationError, RoleError, SourceError

ROWS = pl.DataFrame(
    {
        "race": ["a", "b"],
        "age": [20, 50],
        "outcome": ["yes", "no"],
        "approved": [1, 0],
        "score": [0.5, 0.25],
        "person": [1.0, 2.0],
    }
)


def _problems(source=ROWS, **words):
    with pytest.raises(RoleError) as caught:
        eh.log(source, **({"kind": "decisions"} | words))
    return {problem.where: problem for problem in caught.value.problems}


def test_all_problems_come_at_once():
    found = _problems(
        label="outcome",
        prediction="aproved",
        score="race",
        lable="outcome",
        groups=["rac", "age: [45, 25]", {"band": 3}],
        unit="persn",
        where="ages > 3",
        top=0,
    )
    assert [*found] == [
        "role 'label'",
        "role 'prediction'",
        "role 'score'",
        "role 'lable'",
        "group 'rac'",
        "group 'age'",
        "group 'band'",
        "unit",
        "where",
        "top",
    ]


def test_each_misspelling_gets_its_own_suggestion():
    found = _problems(prediction="aproved", groups=["rac"], unit="persn", where="ages > 3")
    assert found["role 'prediction'"].hint == "Did you mean 'approved'?"
    assert found["group 'rac'"].hint == "Did you mean 'race'?"
    assert found["unit"].hint == "Did you mean 'person'?"
    assert found["where"].hint == "Did you mean 'age'?"


def test_an_unknown_kind_names_those_that_exist():
    (problem,) = _problems(kind="decision").values()
    assert problem.where == "kind"
    assert problem.hint == "Did you mean 'decisions'?"


def test_an_unknown_role_names_those_that_exist():
    (problem,) = _problems(predicted="approved").values()
    assert problem.what == "kind 'decisions' has no role 'predicted'."
    assert problem.hint == "Did you mean 'prediction'?"


def test_a_text_label_shows_how_to_say_which_value_counts_as_one():
    (problem,) = _problems(label="outcome").values()
    assert problem.what == "'outcome' is String, but a binary role needs true/false or 0/1."
    assert "--label \"outcome == 'yes'\"" in problem.hint


def test_a_text_score_must_be_a_number():
    (problem,) = _problems(score="race").values()
    assert problem.what == "'race' is String, but a number role needs a number."


def test_a_float_unit_is_refused_because_ids_are_not_measured():
    (problem,) = _problems(prediction="approved", unit="person").values()
    assert problem.where == "unit"
    assert problem.what == "'person' is Float64; the unit must be a whole number or text."
    assert "missing" in problem.hint


def test_a_filter_must_be_a_condition():
    (problem,) = _problems(prediction="approved", where="age + 1").values()
    assert problem.where == "where"
    assert "not a condition" in problem.what


def test_a_role_that_is_not_text_is_refused():
    (problem,) = _problems(prediction=ROWS["approved"]).values()
    assert "Series is not a column or expression" in problem.what


def test_a_group_in_a_question_may_be_a_column_that_was_not_declared():
    log = eh.log(ROWS, kind="decisions", prediction="approved")
    assert eh.estimate("difference(selection_rate, by=race)", log).value == 1.0


def test_a_group_that_does_not_exist_is_suggested_among_groups_and_columns():
    log = eh.log(ROWS, kind="decisions", prediction="approved", groups=["band: {column: age}"])
    with pytest.raises(NotationError, match=r"by=bend.*\n.*'band'"):
        eh.estimate("difference(selection_rate, by=bend)", log)


def test_groups_of_a_mapping_are_named_as_written():
    groups = {"race": "race", "band": {"column": "age", "bins": [30]}}
    log = eh.log(ROWS, kind="decisions", prediction="approved", groups=groups)
    assert [*log.groups] == ["race", "band"]


def test_one_group_needs_no_list():
    log = eh.log(ROWS, kind="decisions", prediction="approved", groups="race")
    assert [*log.groups] == ["race"]


def test_opening_a_log_of_a_lazy_table_reads_no_row():
    def read(batch):
        raise AssertionError(f"{len(batch)} rows were read")

    lazy = ROWS.lazy().map_batches(read, schema=ROWS.schema)
    log = eh.log(
        lazy,
        kind="decisions",
        label="outcome == 'yes'",
        prediction="score >= 0.5",
        groups=["race", "age: [25, 45]"],
        unit="age",
        where="age > 18",
    )
    assert [*log.schema] == ROWS.columns
    with pytest.raises((AssertionError, SourceError), match="2 rows were read"):
        eh.estimate("selection_rate", log)


def test_opening_a_log_does_not_change_the_table():
    before = ROWS.clone()
    log = eh.log(ROWS, kind="decisions", prediction="approved", where="age > 30")
    eh.estimate("selection_rate", log)
    assert ROWS.equals(before)
