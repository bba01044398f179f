"""Contrasts in notation, end to end: what they say, and the peers' mistakes they do not make."""

from __future__ import annotations

import polars as pl
import pytest

import evenhand as eh
from evenhand.audits.question import ALIASES
from evenhand.errors import NotationError


def decisions(rows, **how):
    rows = pl.DataFrame(rows, strict=False)
    roles = {"prediction": "p"} | ({"label": "y"} if "y" in rows.columns else {})
    return eh.log(rows, kind="decisions", **roles, **how)


ODDS = {  # TPR gap 1 one way, FPR gap 1 the other: the average odds difference would be 0.
    "g": ["a"] * 4 + ["b"] * 4,
    "y": [1, 1, 0, 0] * 2,
    "p": [1, 1, 0, 0, 0, 0, 1, 1],
}


def test_equalized_odds_takes_the_larger_and_does_not_let_errors_cancel():
    found = eh.estimate("equalized_odds_difference(by=g)", decisions(ODDS))
    assert found.value == 1
    assert found.key.startswith("largest(difference(true_positive_rate, by=g)")
    assert found.conventions["equalized_odds_difference"].startswith("stands for largest(")


def test_the_largest_contrast_says_which_it_is_and_in_its_own_direction():
    rows = {"g": list("aaabbb"), "y": [1, 0, 0] * 2, "p": [1, 1, 1, 1, 0, 0]}
    found = eh.estimate("equalized_odds_difference(by=g)", decisions(rows))
    assert found.measure == "false_positive_rate"
    assert found.conventions["better"] == "lower"
    assert found.conventions["largest"] == "shown is difference(false_positive_rate, by=g)"


@pytest.mark.parametrize("alias", ALIASES)
def test_every_alias_is_what_it_stands_for(alias):
    rows = {"g": list("aaaabbbb"), "y": [1, 0, 1, 0, 1, 1, 0, 0], "p": [1, 1, 0, 0, 1, 0, 0, 1]}
    log = decisions(rows)
    found = eh.estimate(f"{alias}(by=g)", log)
    assert eh.estimate(ALIASES[alias].format(by="g"), log).outcome == found.outcome
    assert alias in found.conventions


def test_nobody_selected_is_undefined_and_not_nan_or_one():
    rows = {"g": ["a", "a", "b"], "p": [0, 0, 0]}
    found = eh.estimate("disparate_impact(by=g)", decisions(rows))
    assert "0 / 0" in found.undefined
    assert found.to_dict()["value"] is None


def test_every_group_is_compared_with_every_other_and_none_is_lumped():
    # With group 0 against the rest lumped together the ratio would be a "perfect" 1.
    rows = {"g": [0] * 4 + [1] * 2 + [2] * 4, "p": [1, 1, 0, 0, 0, 0, 1, 1, 1, 0]}
    assert eh.estimate("ratio(selection_rate, by=g)", decisions(rows)).value == 0


def test_worst_needs_a_direction():
    with pytest.raises(NotationError, match="no direction"):
        eh.estimate("worst(selection_rate, by=g)", decisions(ODDS))


def test_worst_names_the_group_that_was_selected():
    rows = {"g": list("aabb"), "y": [1, 1, 1, 1], "p": [1, 1, 1, 0]}
    found = eh.estimate("worst(true_positive_rate, by=g)", decisions(rows))
    assert found.value == 0.5
    assert found.estimate.method.endswith("selected: b")


def test_worst_of_a_single_group_is_its_figure():
    found = eh.estimate("worst(accuracy, by=g)", decisions({"g": ["a"], "y": [1], "p": [1]}))
    assert found.value == 1


def test_to_overall_has_a_finding_for_every_group_and_is_exact():
    rows = {"g": list("aaabbbbbcc"), "p": [1, 1, 0, 1, 0, 0, 0, 0, 1, 0]}
    found = eh.estimates(["to_overall(selection_rate, by=g)"], decisions(rows))
    overall = 4 / 10
    assert [one.value for one in found] == pytest.approx(
        [2 / 3 - overall, 1 / 5 - overall, 1 / 2 - overall]
    )
    assert [one.pair[0]["g"] for one in found] == ["a", "b", "c"]
    assert found[0].pair[1] == {"g": "overall"}
    assert "Bonferroni over 3 groups" in found[0].estimate.method


def test_to_overall_of_what_is_no_mean_over_groups_is_against_the_figure_of_all():
    log = decisions(ODDS)
    found = eh.estimates(["to_overall(f1, by=g)"], log)
    overall = eh.estimate("f1", log).value
    groups = eh.estimate("difference(f1, by=g)", log).groups
    for one, group in zip(found, groups, strict=True):
        assert one.value == pytest.approx(group.outcome.value - overall)
        assert one.low < one.value < one.high


def test_to_overall_says_why_a_group_has_none():
    rows = {"g": list("aabbc"), "y": [1, 1, 1, 1, 0], "p": [1, 0, 1, 1, 1]}
    found = eh.estimates(["to_overall(true_positive_rate, by=g)"], decisions(rows))
    assert [one.undefined for one in found] == [None, None, "no positive labels"]


@pytest.mark.parametrize(
    "notation",
    [
        "largest(difference(accuracy, by=g))",
        "largest(difference(accuracy, by=g), ratio(accuracy, by=g))",
        "largest(difference(accuracy, by=g), difference(accuracy, by=p))",
        "disparate_impact(selection_rate, by=g)",
        "disparate_impact()",
        "disparate_impact",
    ],
)
def test_wrong_contrast_is_refused_with_an_example(notation):
    with pytest.raises(NotationError) as caught:
        eh.estimate(notation, decisions(ODDS))
    assert caught.value.problems


def test_twenty_equal_groups_fail_four_fifths_and_still_contain_parity():
    import numpy as np

    rng = np.random.default_rng(20)
    rows = {"g": np.repeat(np.arange(20), 100), "p": (rng.random(2_000) < 0.3).astype(int)}
    gap, share = eh.estimates(
        ["difference(selection_rate, by=g)", "disparate_impact(by=g)"], decisions(rows)
    )
    assert share.value < 0.8, "a bare four-fifths check would fire"
    assert gap.low == 0
    assert share.high == 1


def test_compas_ratios(data):
    log = eh.log(
        data / "compas_two_years.parquet",
        kind="decisions",
        label="two_year_recid",
        prediction="score_text != 'Low'",
        where="race in ['African-American', 'Caucasian']",
    )
    found = eh.estimates(["disparate_impact(by=race)", "ratio(false_positive_rate, by=race)"], log)
    assert [one.value for one in found] == pytest.approx([0.59164, 0.52299], abs=1e-5)


@pytest.mark.parametrize(
    "notation",
    ["ratio(accuracy, by=g)", "worst(accuracy, by=g)", "to_overall(accuracy, by=g)"],
)
def test_contrast_is_printed(notation):
    from rich.console import Console

    from evenhand.render import text

    found = eh.estimates([notation], decisions(ODDS))
    with (console := Console(width=150)).capture() as capture:
        console.print(text.findings(found))
    assert notation in capture.get()


# Nobody disappears: a group without a figure is listed, or named, with its reason.
@pytest.mark.parametrize("notation", ["xauc(by=g)", "kitagawa(true_positive_rate, by=g, given=s)"])
def test_pairs_with_a_group_that_has_no_figure_are_listed_with_the_reason(notation):
    groups = list("aaaabbbbcc")
    rows = {"g": groups, "y": [1, 0] * 4 + [0, 0], "p": [1, 0, 0, 1, 1, 1, 0, 0, 1, 0]}
    rows |= {"r": [0.1, 0.2, 0.6, 0.4, 0.5, 0.3, 0.7, 0.8, 0.9, 0.2], "s": ["x"] * 10}
    found = eh.estimates([notation], decisions(rows, score="r"))
    named = {tuple(group["g"] for group in one.pair): one.undefined for one in found}
    assert {*named} == {("a", "b"), ("a", "c"), ("b", "c")}
    assert "c: no positive" in named["a", "c"]


def test_a_distance_names_the_groups_that_it_leaves_out():
    rows = {"g": list("aaaabbbbcc"), "y": [1, 0] * 4 + [0, 0], "p": [1] * 10}
    rows |= {"r": [0.1, 0.2, 0.6, 0.4, 0.5, 0.3, 0.7, 0.8, 0.9, 0.2]}
    found = eh.estimate("abroca(by=g)", decisions(rows, score="r"))
    assert found.conventions["not compared"] == "c: no positives"


def test_xauc_that_rests_on_a_single_positive_warns_of_nothing_and_claims_nothing():
    rows = {"g": list("aaaabbbb"), "y": [1, 0, 0, 0, 1, 1, 0, 0], "p": [1] * 8}
    rows |= {"r": [0.1, 0.2, 0.6, 0.4, 0.5, 0.3, 0.7, 0.8]}
    (found,) = eh.estimates(["xauc(by=g)"], decisions(rows, score="r"))
    assert (found.low, found.high) == (-1, 1)
