"""The change of a gap between groups, whichever two are furthest apart in each of two audits.

`change.gap_change` follows one pair through both audits, so that a gap that nearly closed, after
which either group may be the higher one, has an interval that reaches as far up as down. Here the
pair that is widest after is held against the pair that was widest before: their difference is the
change of the gap itself, also where the sign turned.
"""

from __future__ import annotations

import numpy as np

from evenhand.stats.bucket import Dependence
from evenhand.stats.change import Change, Pairs, Version, gap_change, pair_change

_SELECTION = 0.1
"""Share of the error that is spent on which pairs may be the widest, half of it on each audit."""

_MOST = 4096
"""Pairs of pairs that are tried; beyond, the pairs are followed, whose limits are wider."""


def gap_moved(
    before: Version, after: Version, level: float, dependent: Dependence | None
) -> Change:
    """Return the change of the largest difference between two groups.

    Let p be the pair that is truly widest before, and q after: the change of the gap is
    ``D_q after - D_p before``, D the signed difference. p and q are not known; limits are those of
    all pairs that may be, by limits of groups that hold together, and no correction is due for
    their number, since only those of the true two have to hold.

    Args:
        before: The figures of at least two groups in the first audit.
        after: Those of the same groups in the second.
        level: Coverage.
        dependent: What a bucket of deviations is; None for audits of other units.

    Source: Berger and Boos 1994, for what is chosen by the data.
    """
    first, second = _widest(before, level), _widest(after, level)
    sizes = len(first[0]), len(second[0])
    if sizes[0] * sizes[1] > _MOST:
        return gap_change(before, after, level, dependent)
    was, now = (grid.ravel() for grid in np.meshgrid(*map(np.arange, sizes), indexing="ij"))
    one = before.take(np.concatenate([first[0][was], first[1][was]]))
    other = after.take(np.concatenate([second[0][now], second[1][now]]))
    count = len(was)
    pairs = np.arange(count), np.arange(count, 2 * count)
    left = 1 - (1 - level) * (1 - _SELECTION)
    low, high = pair_change(one, other, pairs, left, dependent)
    value = float(np.ptp(after.value) - np.ptp(before.value))
    return Change(value, float(low.min()), float(high.max()))


def _widest(version: Version, level: float) -> Pairs:
    """Return the ordered pairs of which each may be the one that is furthest apart."""
    error = (1 - level) * _SELECTION / 2
    low, high = version.at(1 - error / len(version.value))
    top, bottom = np.flatnonzero(high >= low.max()), np.flatnonzero(low <= high.min())
    first, second = (grid.ravel() for grid in np.meshgrid(top, bottom, indexing="ij"))
    return first[first != second], second[first != second]
