"""The change of a gap whichever pair is widest: closed forms, and coverage of known truths."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.stats.change import Version, gap_change
from evenhand.stats.gap import gap_moved
from evenhand.stats.interval import Limits, critical


def version(value, half, moved=None):
    value, half = np.asarray(value, dtype=float), np.asarray(half, dtype=float)
    return Version(value, Limits(value - half, value + half), 0.95, deviations=moved)


def test_of_two_groups_that_stay_apart_all_four_errors_add_their_squares():
    found = gap_moved(version([0.2, 0.8], [0.02] * 2), version([0.3, 0.7], [0.02] * 2), 0.95, None)
    half = 0.04 * critical(0.955) / critical(0.95)
    assert found == pytest.approx((-0.2, -0.2 - half, -0.2 + half))


def test_a_gap_whose_sign_turned_has_the_change_of_its_size():
    before, after = version([0.2, 0.8], [0.02] * 2), version([0.8, 0.2], [0.02] * 2)
    found = gap_moved(before, after, 0.95, None)
    half = 0.04 * critical(0.955) / critical(0.95)
    assert found == pytest.approx((0.0, -half, half), abs=1e-12)


def test_a_gap_that_closed_is_smaller_though_either_group_may_be_the_higher_one_now():
    before, after = version([0.8, 0.5], [0.03] * 2), version([0.55, 0.55], [0.03] * 2)
    assert gap_moved(before, after, 0.95, None).high < -0.2


def test_what_both_audits_share_narrows_the_change():
    moved = np.random.default_rng(1).normal(size=(128, 2))
    one, other = version([0.2, 0.8], [0.03] * 2, moved), version([0.2, 0.7], [0.03] * 2, moved)
    alone = gap_moved(version([0.2, 0.8], [0.03] * 2), version([0.2, 0.7], [0.03] * 2), 0.95, None)
    paired = gap_moved(one, other, 0.95, "buckets")
    assert paired.high - paired.low < 0.2 * (alone.high - alone.low)


def test_a_pair_that_may_be_the_widest_in_both_is_followed():
    before, after = version([0.52, 0.5], [0.03] * 2), version([0.5, 0.53], [0.03] * 2)
    assert gap_moved(before, after, 0.95, None) == gap_change(before, after, 0.95, None)


def test_of_very_many_groups_that_may_be_the_widest_pairs_are_followed():
    same = version(np.full(80, 0.5), np.full(80, 0.1))
    assert gap_moved(same, same, 0.95, None) == gap_change(same, same, 0.95, None)


# A true coverage of .95 falls below .935 of 1,000 with probability .02; the seed is fixed.
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),
        ([0.8, 0.5, 0.6], [0.55, 0.5, 0.52]),
        ([0.8, 0.5], [0.5, 0.5]),
        ([0.6, 0.5], [0.5, 0.6]),
        ([0.63, 0.5], [0.55, 0.5]),
    ],
    ids=["equal", "narrower", "closed", "turned", "in doubt"],
)
def test_the_change_is_covered(before, after):
    rng = np.random.default_rng(7)
    error, truth = 0.03, np.ptp(after) - np.ptp(before)
    half, covered = critical(0.95) * error, 0
    for _ in range(1_000):
        one, other = (np.asarray(x) + error * rng.normal(size=len(x)) for x in (before, after))
        spread = np.full(len(before), half)
        found = gap_moved(version(one, spread), version(other, spread), 0.95, None)
        covered += found.low <= truth <= found.high
    assert covered >= 935
