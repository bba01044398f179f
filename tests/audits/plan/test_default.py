"""Without a plan: every measure that applies, by every group and pair."""

from __future__ import annotations

import polars as pl

import evenhand as eh
from evenhand.audits.plan.default import default_measures
from evenhand.audits.question import ask
from evenhand.measures.registry import measures

ROWS = pl.DataFrame(
    {
        "y": [0, 1, 1, 0],
        "p": [0, 1, 0, 1],
        "s": [0.1, 0.9, 0.4, 0.6],
        "points": [1, 9, 4, 6],
        "a": ["x", "y", "x", "y"],
        "b b": ["u", "u", "v", "v"],
    }
)


def of(**roles):
    groups = roles.pop("groups", ["a", "b b"])
    kind = roles.pop("kind", "decisions")
    return default_measures(eh.log(ROWS, kind=kind, groups=groups, **roles))


def test_a_prediction_alone_gives_selection_rates_of_every_group_and_pair():
    assert of(prediction="p") == [
        "selection_rate",
        "difference(selection_rate, by=a)",
        "difference(selection_rate, by='b b')",
        "difference(selection_rate, by=[a, 'b b'])",
    ]


def test_worst_is_asked_where_the_measure_has_a_direction():
    found = of(label="y", prediction="p", groups=["a"])
    for name, cls in measures().items():
        assert (f"worst({name}, by=a)" in found) == (name in found and cls.better is not None)


def test_every_measure_whose_roles_are_there_is_asked():
    found = of(label="y", prediction="p", score="s", groups=["a"])
    needed = {
        name
        for name, cls in measures().items()
        if {*cls.needs} <= {"label", "prediction", "score"} and cls.reads == "classes"
    }
    assert needed <= {*found}


def test_a_score_beyond_one_leaves_out_the_measures_of_probabilities():
    found = of(label="y", score="points", groups=["a"])
    assert "auc" in found
    assert "brier_score" not in found


def test_only_rows_in_scope_decide_whether_scores_are_probabilities():
    log = eh.log(ROWS, kind="decisions", label="y", score="points", where="points <= 1")
    assert "brier_score" in default_measures(log)


def test_numbers_give_measures_of_numbers():
    found = of(kind="regression", label="points", prediction="s", groups=["a"])
    assert "worst(mae, by=a)" in found
    assert "accuracy" not in found


def test_all_notations_are_accepted_and_none_is_there_twice():
    log = eh.log(ROWS, kind="decisions", label="y", prediction="p", score="s", groups=["a", "b b"])
    found = default_measures(log)
    assert len(ask(found, log)) == len({*found}) == len(found)


def test_without_groups_only_the_whole_log_is_measured():
    assert of(prediction="p", groups=[]) == ["selection_rate"]


def test_every_default_can_be_answered():
    rows = pl.concat([ROWS] * 30)
    log = eh.log(rows, kind="decisions", label="y", prediction="p", score="s", groups=["a"])
    assert eh.estimates(default_measures(log), log)
