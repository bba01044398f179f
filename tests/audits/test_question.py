"""What was asked is understood, or every fault is named at once."""

from __future__ import annotations

import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import EvenhandError, NotationError, RoleError, UndefinedError

ROWS = pl.DataFrame({"g": ["a", "b"], "h": ["x", "y"], "p": [1, 0], "y": [1, None]})


@pytest.fixture
def log():
    return eh.log(ROWS, kind="decisions", prediction="p")


@pytest.mark.parametrize(
    ("notation", "said"),
    [
        ("selektion_rate", "Did you mean 'selection_rate'"),
        ("selection_rate(x=1)", "no parameter 'x'"),
        ("selection_rate@10", "no cutoff"),
        ("selection_rate(1)", "by name"),
        ("diference(selection_rate, by=g)", "Did you mean 'difference'?"),
        ("difference(selection_rate)", "by= must name"),
        ("difference(selection_rate, by=[g, g])", "several different"),
        ("difference(selection_rate, by=gg)", "there is no group or column 'gg'"),
        ("difference(selection_rate, among=g, by=h)", "no parameter 'among'"),
        ("difference(selection_rate, accuracy, by=g)", "takes one measure"),
        ("difference(selection_rate, by=g)@5", "by= must name"),
        ("accuracy", "needs role 'label'"),
        ("3 + 4", "not part of the notation"),
    ],
)
def test_fault_is_named(log, notation, said):
    with pytest.raises(NotationError, match=r".") as caught:
        eh.estimate(notation, log)
    assert said in str(caught.value)


def test_all_faults_of_all_notations_come_at_once(log):
    with pytest.raises(NotationError) as caught:
        eh.estimates(["nope", "accuracy", "difference(selection_rate, by=gg)"], log)
    assert len(caught.value.problems) == 3


def test_key_is_the_notation_as_understood(log):
    found = eh.estimate("difference( selection_rate , by = ['g','h'] )", log)
    assert found.key == "difference(selection_rate, by=[g, h])"
    assert [group.group for group in found.groups] == [{"g": "a", "h": "x"}, {"g": "b", "h": "y"}]


def test_pairs_of_several_groups_are_no_single_finding():
    rows = pl.DataFrame({"g": ["a", "b", "c"], "p": [1, 0, 1]})
    log = eh.log(rows, kind="decisions", prediction="p")
    with pytest.raises(NotationError, match="3 findings"):
        eh.estimate("pairs(selection_rate, by=g)", log)
    assert len(eh.estimates(["pairs(selection_rate, by=g)"], log)) == 3


@pytest.mark.parametrize("level", [0, 1, 95, -0.5])
def test_level_must_be_a_share(log, level):
    with pytest.raises(RoleError, match="between 0 and 1"):
        eh.estimate("selection_rate", log, level=level)


def test_wider_level_gives_wider_interval(log):
    narrow, wide = (eh.estimate("selection_rate", log, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert wide.estimate.level == 0.99


def test_value_of_an_undefined_figure_is_an_error_with_the_reason():
    log = eh.log(ROWS, kind="decisions", prediction="p", label="y")
    found = eh.estimate("true_positive_rate", log)
    assert found.undefined
    with pytest.raises(UndefinedError, match="label is missing for 1 of 2 rows"):
        _ = found.value
    assert isinstance(UndefinedError([]), EvenhandError)


def test_groups_need_no_declaration_when_they_are_columns(log):
    assert eh.estimate("difference(selection_rate, by=h)", log).value == 1


def test_one_group_has_nothing_to_compare():
    rows = pl.DataFrame({"g": ["a", None], "p": [1, 0]})
    log = eh.log(rows, kind="decisions", prediction="p")
    found = eh.estimate("difference(selection_rate, by=g)", log)
    assert "only one group" in found.undefined
    assert len(found.groups) == 2
