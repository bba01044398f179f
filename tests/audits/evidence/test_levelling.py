"""Levelling down is said where intervals show it, and nowhere else."""

from __future__ import annotations

import pytest

from evenhand.audits.evidence.comparison import Difference
from evenhand.audits.evidence.levelling import ZERO_SUM, GroupMove, judged, word_of

SMALLER, WIDER, OPEN = (
    Difference(-0.10, -0.15, -0.05),
    Difference(0.10, 0.05, 0.15),
    Difference(-0.02, -0.08, 0.04),
)
"""Changes of a gap."""


def move(name: str, was: float, low: float | None, high: float | None) -> GroupMove:
    middle = None if low is None or high is None else (low + high) / 2
    change = Difference(middle, low, high, "" if low is not None else "none was kept")
    after = None if middle is None else was + middle
    return GroupMove({"g": name}, was, after, change, word_of(change, "higher"))


LOST, STILL, GAINED = (
    move("ahead", 0.6, -0.14, -0.08),
    move("behind", 0.4, -0.02, 0.03),
    move("behind", 0.4, 0.08, 0.14),
)


@pytest.mark.parametrize(
    ("low", "high", "better", "word"),
    [
        (0.01, 0.2, "higher", "gained"),
        (0.01, 0.2, "lower", "lost"),
        (-0.2, -0.01, "higher", "lost"),
        (-0.2, -0.01, "lower", "gained"),
        (0.01, 0.2, None, "rose"),
        (-0.2, -0.01, None, "fell"),
        (0.0, 0.2, "higher", "not_shown"),
        (-0.2, 0.0, "lower", "not_shown"),
        (None, None, "higher", "unknown"),
    ],
)
def test_a_group_gained_or_lost_where_its_whole_interval_says_so(low, high, better, word):
    assert word_of(Difference(0.1, low, high), better) == word


def test_a_smaller_gap_where_one_lost_and_none_gained_is_levelled_down():
    state, reason = judged(SMALLER, [LOST, STILL], "higher")
    assert state == "levelled_down"
    assert reason == ("the gap became smaller while ahead lost; no group is shown to have gained")


def test_all_may_lose_in_levelling_down():
    both = [LOST, move("behind", 0.4, -0.04, -0.01)]
    assert judged(SMALLER, both, "higher")[0] == "levelled_down"


def test_a_smaller_gap_where_the_worst_off_gained_and_none_lost_is_levelled_up():
    state, reason = judged(SMALLER, [move("ahead", 0.6, -0.03, 0.02), GAINED], "higher")
    assert state == "levelled_up"
    assert "behind gained" in reason


def test_of_errors_a_rise_is_a_loss():
    # False positives: whoever had few has more now, nobody has fewer.
    rise = [move("few", 0.4, 0.08, 0.14), move("many", 0.6, -0.03, 0.02)]
    assert judged(SMALLER, rise, "lower")[0] == "levelled_down"
    fall = [move("few", 0.4, -0.02, 0.03), move("many", 0.6, -0.14, -0.08)]
    assert judged(SMALLER, fall, "lower")[0] == "levelled_up"


@pytest.mark.parametrize("gap", [SMALLER, WIDER, OPEN])
def test_some_gain_and_some_loss_is_a_shift_whatever_the_gap(gap):
    assert judged(gap, [LOST, GAINED], "higher") == ("shifted", "behind gained, ahead lost")


@pytest.mark.parametrize("gap", [WIDER, OPEN])
def test_a_loss_without_a_gap_that_is_shown_to_be_smaller_is_not_levelling_down(gap):
    state, reason = judged(gap, [LOST, STILL], "higher")
    assert state == "not_shown"
    assert reason == "ahead lost; the gap is not shown to have become smaller"


def test_a_gap_without_an_interval_shows_nothing_and_says_why():
    gap = Difference(-0.1, reason="not the same groups are compared: c")
    state, reason = judged(gap, [LOST, STILL], "higher")
    assert (state, reason) == ("not_shown", f"ahead lost; of the gap: {gap.reason}")


def test_that_none_gained_is_not_shown_where_one_may_have_gained_what_another_lost():
    unsure = move("behind", 0.4, -0.02, 0.08)
    assert judged(SMALLER, [LOST, unsure], "higher") == (
        "not_shown",
        "ahead lost, but behind may have gained as much as was surely lost",
    )
    sure = move("behind", 0.4, -0.02, 0.079)
    assert judged(SMALLER, [LOST, sure], "higher")[0] == "levelled_down"


def test_that_none_lost_is_not_shown_where_one_may_have_lost_what_the_worst_off_gained():
    unsure = move("ahead", 0.6, -0.08, 0.01)
    state, reason = judged(SMALLER, [unsure, GAINED], "higher")
    assert (state, "ahead may have lost" in reason) == ("not_shown", True)


def test_a_gain_of_others_than_the_worst_off_is_not_levelling_up():
    three = [move("worst", 0.2, -0.02, 0.02), GAINED, move("ahead", 0.6, -0.03, 0.02)]
    state, reason = judged(SMALLER, three, "higher")
    assert (state, reason) == ("not_shown", "behind gained, but not worst, who were worst off")


def test_a_group_without_an_interval_may_have_gained():
    state, reason = judged(SMALLER, [LOST, move("behind", 0.4, None, None)], "higher")
    assert (state, reason) == ("not_shown", "the change of behind has no interval")


def test_where_no_direction_is_better_it_is_said_what_each_would_make_of_it():
    state, reason = judged(SMALLER, [LOST, STILL], None)
    assert state == "not_shown"
    assert reason == (
        "neither direction is better in itself; were more better, the groups would be levelled "
        "down; were less better, the groups would be levelled up"
    )


def test_shares_are_never_levelled_down_by_construction():
    lost = [LOST, STILL]
    assert judged(SMALLER, lost, "higher")[0] == "levelled_down"
    assert judged(SMALLER, lost, "higher", zero_sum=True) == (
        "not_shown",
        f"ahead lost; {ZERO_SUM}",
    )
    state, reason = judged(SMALLER, [LOST, GAINED], "higher", zero_sum=True)
    assert (state, reason) == ("shifted", f"behind gained, ahead lost; {ZERO_SUM}")


def test_no_group_at_all_shows_nothing():
    assert judged(SMALLER, [], "higher")[0] == "not_shown"
