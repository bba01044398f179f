"""Groups of two audits: their words hold together, and follow what was done to the rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import bundles
from evenhand.audits.evidence.comparison import diff
from evenhand.audits.evidence.moves import direction_of, levellings
from made import bundle_of, contrast, estimate, group, pair

PLAN = """
evenhand: 1
log: {source: loans.parquet}
roles: {label: label, prediction: prediction}
groups: {group: group}
unit: unit
min_units: 5
measures:
- difference(true_positive_rate, by=group)
- worst(true_positive_rate, by=group)
- difference(selection_rate, by=group)
"""


def rows_of(rates: dict[str, float], seed: int = 3) -> pl.DataFrame:
    """Return 400 people of each group, all of them positives, selected at these rates.

    Who is selected depends on a number of their own: of two rates the same people pass both.
    """
    parts = []
    for place, (name, rate) in enumerate(rates.items()):
        mark = np.random.default_rng([seed, place]).random(400)
        parts.append(
            pl.DataFrame(
                {
                    "group": name,
                    "label": 1,
                    "prediction": (mark < rate).astype(int),
                    "unit": [f"{name}{n}" for n in range(400)],
                }
            )
        )
    return pl.concat(parts)


def moved(before: dict[str, float], after: dict[str, float]):
    found = levellings(*(bundles.audited(rows_of(rates), PLAN) for rates in (before, after)))
    return {one.finding.measure: one for one in found}


def test_taking_from_those_ahead_alone_is_levelling_down():
    found = moved({"a": 0.8, "b": 0.5}, {"a": 0.55, "b": 0.5})
    one = found["true_positive_rate"]
    assert [(move.group["group"], move.word) for move in one.groups] == [
        ("a", "lost"),
        ("b", "not_shown"),
    ]
    assert one.state == "levelled_down"
    assert one.names == (
        "difference(true_positive_rate, by=group)",
        "worst(true_positive_rate, by=group)",
    )


def test_giving_to_those_behind_alone_is_levelling_up():
    found = moved({"a": 0.8, "b": 0.5}, {"a": 0.8, "b": 0.75})
    assert found["true_positive_rate"].state == "levelled_up"


def test_giving_and_taking_is_a_shift():
    found = moved({"a": 0.8, "b": 0.5}, {"a": 0.65, "b": 0.65})
    assert found["true_positive_rate"].state == "shifted"


def test_a_rate_without_a_direction_rises_and_falls():
    one = moved({"a": 0.8, "b": 0.5}, {"a": 0.55, "b": 0.5})["selection_rate"]
    assert (one.better, one.groups[0].word, one.state) == (None, "fell", "not_shown")
    assert "were more better, the groups would be levelled down" in one.reason


def test_the_same_audit_shows_nothing():
    one = bundles.bundle()
    assert {found.state for found in levellings(one, one)} == {"not_shown"}


def test_intervals_of_the_groups_hold_together_and_that_of_the_gap_by_itself():
    before, after = bundles.bundle(), bundles.audited(bundles.rows_of(2))
    (one, *_) = levellings(before, after, level=0.9)
    assert len(one.groups) == 3
    assert one.level == 0.9
    assert one.level_of_each == pytest.approx(1 - 0.1 / 3)
    alone = {
        change.group["group"]: change.difference
        for change in diff(before, after, level=1 - 0.1 / 3).changes
        if change.group is not None and change.name == one.name
    }
    assert {move.group["group"]: move.difference for move in one.groups} == alone
    (gap,) = [
        change.difference
        for change in diff(before, after, level=0.9).changes
        if change.group is None and change.name == one.name
    ]
    assert one.gap == gap


def test_one_group_has_no_gap():
    before, after = contrast(group("a", 0.9)), contrast(group("a", 0.3))
    before, after = (replace(found, contrast="ratio", key="r") for found in (before, after))
    (one,) = levellings(bundle_of(before), bundle_of(after))
    assert (one.state, one.gap.reason) == ("not_shown", "fewer than two groups are compared")
    assert one.groups[0].word == "gained"


def test_a_suppressed_group_is_none_of_those_that_hold_together():
    few = contrast(group("a", 0.3), group("b", 0.5), group("few", None))
    (one,) = levellings(bundle_of(few), bundle_of(few))
    assert one.level_of_each == pytest.approx(0.975)
    assert one.moved("unknown")[0].group == {"g": "few"}
    assert one.reason == "no group is shown to have gained or lost"


def test_a_group_shown_apart_has_a_word_and_takes_no_part():
    before = contrast(group("a", 0.3), group("b", 0.5), group("unknown", 0.9, compared=False))
    after = contrast(group("a", 0.3), group("b", 0.5), group("unknown", 0.1, compared=False))
    (one,) = levellings(bundle_of(before), bundle_of(after))
    assert [move.word for move in one.groups] == ["not_shown", "not_shown", "gained"]
    assert not one.groups[2].compared
    assert one.reason == "no group is shown to have gained or lost"


def test_shares_of_exposure_are_a_gain_for_who_has_more():
    def shares(a: float) -> dict[str, object]:
        groups = [group(n, x, target=0.5) for n, x in (("a", a), ("b", 1 - a))]
        one = contrast(
            *groups,
            key="shares(exposure@8, of=g, target=equal)",
            measure="exposure@8",
            contrast="shares",
            conventions={"better": "neither direction"},
        )
        return bundle_of(one)

    (one,) = levellings(shares(0.2), shares(0.7))
    assert (one.zero_sum, one.better, one.state) == (True, "higher", "shifted")
    assert [move.word for move in one.groups] == ["gained", "lost"]


@pytest.mark.parametrize(
    ("key", "measure", "better"),
    [
        ("ratio(exposure@8, of=g)", "exposure@8", "higher"),
        ("ratio(exposure_per_relevance, of=g)", "exposure_per_relevance", "higher"),
        ("difference(exposure_share(of=h, group=a)@8, by=g)", "exposure_share", None),
        ("difference(selection_rate, by=g)", "selection_rate", None),
    ],
)
def test_exposure_of_items_is_a_gain_and_shares_of_others_in_ones_lists_are_not(
    key, measure, better
):
    one = contrast(key=key, measure=measure, conventions={"better": "neither direction"})
    assert direction_of(one) == better


def test_pairs_and_findings_of_one_audit_alone_have_no_groups_to_follow():
    before = bundle_of(pair("a", "b"), contrast(group("a", 0.3), key="old"))
    after = bundle_of(pair("a", "b"), contrast(group("a", 0.3), key="new"))
    assert levellings(before, after) == ()


def test_a_repeated_name_is_compared_with_its_own():
    def twice(first: float, second: float):
        return [contrast(group("a", x), group("b", 0.5), slice=None) for x in (first, second)]

    other = {"measure": "accuracy", "conventions": {"better": "higher"}}
    before, after = (
        bundle_of(one, replace(two, **other)) for one, two in (twice(0.1, 0.2), twice(0.1, 0.9))
    )
    first, second = levellings(before, after)
    assert first.moved("gained", "lost") == []
    assert [move.group["g"] for move in second.moved("gained")] == ["a"]


def test_a_figure_that_is_undefined_afterwards_is_no_gain():
    before = contrast(group("a", 0.3), group("b", 0.5))
    (one,) = levellings(bundle_of(before), bundle_of(replace(before, outcome=estimate(0.2))))
    assert one.state == "not_shown"
