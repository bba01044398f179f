"""How often levelling down is said of audits whose truth is known."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

from evenhand.audits.evidence.moves import levellings
from evenhand.stats.interval import critical
from made import bundle_of, contrast, group

pytestmark = pytest.mark.slow

DRAWS = 500
ERROR = 0.05 / critical(0.95)
"""The standard error of a group whose limits are .05 away."""


@functools.cache
def said(before: tuple[float, ...], moved: tuple[float, ...]) -> dict[str, float]:
    """Return the share of draws in which each thing is said, of audits of other units.

    Each group's figure is drawn about its truth, before and after, with the error that its limits
    tell. ``bare`` is what would be said without the bound on what others may have gained.
    """
    rng, base = np.random.default_rng(11), bundle_of()
    found = dict.fromkeys(("levelled_down", "levelled_up", "shifted", "not_shown"), 0)
    found |= {"any word": 0, "bare": 0}
    for _ in range(DRAWS):
        audits = []
        for truth in (np.array(before), np.add(before, moved)):
            drawn = truth + ERROR * rng.normal(size=len(truth))
            groups = (
                group(name, value) for name, value in zip("abc", drawn.tolist(), strict=False)
            )
            one = contrast(*groups, conventions={"better": "higher"}, is_rate=False)
            audits.append(replace(base, findings=(one,)))
        (one,) = levellings(*audits)
        smaller = one.gap.high is not None and one.gap.high < 0
        found[one.state] += 1
        found["any word"] += bool(one.moved("gained", "lost"))
        found["bare"] += smaller and bool(one.moved("lost")) and not one.moved("gained")
    return {name: count / DRAWS for name, count in found.items()}


def test_where_nothing_changed_a_word_is_said_as_seldom_as_the_level_says():
    # A true rate of .05 is above .075 in 500 draws with probability .007; the seed is fixed.
    assert said((0.7, 0.5, 0.6), (0.0, 0.0, 0.0))["any word"] <= 0.075


@pytest.mark.parametrize(
    ("before", "moved"),
    [((0.7, 0.5), (-0.12, 0.06)), ((0.9, 0.4), (-0.12, 0.06)), ((0.7, 0.5), (-0.09, 0.09))],
)
def test_a_gain_that_is_too_small_to_be_seen_is_not_taken_for_none(before, moved):
    # One group gained half of what the other lost, or as much; few draws show that gain.
    rates = said(before, moved)
    assert rates["levelled_down"] <= 0.06
    assert rates["levelled_down"] < rates["bare"] / 5


def test_what_was_taken_or_given_alone_is_said_nearly_always_where_it_is_large():
    assert said((0.8, 0.5), (-0.25, 0.0))["levelled_down"] > 0.9
    assert said((0.8, 0.5), (0.0, 0.25))["levelled_up"] > 0.9
