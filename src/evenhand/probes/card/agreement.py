"""Agreement of two explanations: whether they name the same parts, in one order, of one sign.

Parts are ranked by size. Which of equal sizes comes first is nobody's choice: each map's are put in
order by chance, independently, and what is told is the mean over all such orders, in closed form.
So two maps that are equal and have ties at the border of the largest agree in less than all.

Source: Krishna et al. 2022 (TMLR 2024), section 4, which knows no ties.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.logs.kinds.attributions import OF_PAIRS
from evenhand.probes.attribute.attribution import Maps
from evenhand.probes.card.likeness import Places, correlation, places_of

COLUMNS = tuple(role.name for role in OF_PAIRS)
"""What is known of each example's two maps: numbers, NaN where a map has no order."""

_STEPS = 1e6
"""Steps from 0 to the largest size, to which sizes are rounded: what is less is noise of floats."""


_NOTHING = 1e-20
"""What no part is below: scores have sixteen digits, and least squares of nothing leave noise."""


def agreement(one: Maps, other: Maps, top: int) -> dict[str, NDArray[np.float64]]:
    """Return how far the two maps of each example agree, by column, shape (n,).

    ``feature_agreement`` is the share of the ``top`` largest parts that both maps have among
    theirs, ``sign_agreement`` that of those which have the same sign too (0 is a sign), in [0, 1];
    beside each what it is in the mean where the parts of one map are shuffled. ``rank_agreement``
    and ``signed_rank_agreement`` count those that stand at the very same place: 1 / parts by
    chance. Over all parts: ``rank_correlation`` is Spearman's of sizes, in [-1, 1], equal ones
    sharing the mean of their ranks; ``pairwise_rank_agreement`` the share of pairs of parts of
    which both maps say that the same one is larger, .5 by chance. NaN where all sizes of a map are
    equal, or below 1e-20, or a part is no number.

    Args:
        one: Signed parts, shape (n, parts).
        other: Of the same shape.
        top: How many largest parts are looked at, from 1 to all.

    """
    (sizes, signs), (others, theirs) = map(_steps, (one, other))
    first, second = places_of(-sizes), places_of(-others)
    among, beside = (_among(each.first, each.last, top) for each in (first, second))
    alike = signs == theirs
    both = among * beside
    # Places that a part can have in both orders, among the largest: each has 1 / (m n) of the mass.
    low = np.maximum(first.first, second.first)
    high = np.minimum(np.minimum(first.last, second.last), top - 1)
    chances = (first.last - first.first + 1) * (second.last - second.first + 1)
    same = np.maximum(high - low + 1, 0) / chances
    parts = one.shape[1]
    shuffled = sum(
        (among * (signs == sign)).sum(axis=1) * (beside * (theirs == sign)).sum(axis=1)
        for sign in (-1, 0, 1)
    )
    found = {
        "feature_agreement": both.sum(axis=1) / top,
        "feature_agreement_random": np.full(len(one), top / parts),
        "sign_agreement": (both * alike).sum(axis=1) / top,
        "sign_agreement_random": shuffled / (top * parts),
        "rank_agreement": same.sum(axis=1) / top,
        "signed_rank_agreement": (same * alike).sum(axis=1) / top,
        "rank_correlation": correlation(first, second),
        "pairwise_rank_agreement": _pairwise(first, second),
    }
    finite = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    ordered = finite & (np.ptp(sizes, axis=1) > 0) & (np.ptp(others, axis=1) > 0)
    return {name: np.where(ordered, found[name], np.nan) for name in COLUMNS}


def _steps(parts: Maps) -> tuple[Maps, NDArray[np.float64]]:
    """Return the sizes of parts in steps up to the largest, and the signs of what is left."""
    known = np.where(np.isfinite(parts), parts, 0.0)
    largest = np.abs(known).max(axis=1, keepdims=True)
    steps = np.rint(known / np.where(largest > _NOTHING, largest, np.inf) * _STEPS)
    return np.abs(steps), np.sign(steps)


def _among(first: NDArray[np.int64], last: NDArray[np.int64], top: int) -> NDArray[np.float64]:
    """Return the chance of each part to be among the largest, shape (n, parts)."""
    found: NDArray[np.float64] = np.clip((top - first) / (last - first + 1), 0.0, 1.0)
    return found


def _pairwise(one: Places, other: Places) -> NDArray[np.float64]:
    """Return the share of pairs that two maps put in one order; of tied ones half, shape (n,)."""
    parts = one.first.shape[1]
    pairs = max(parts * (parts - 1) / 2, 1)
    # By one map, then by the other among its ties, which are then in no wrong order.
    order = np.lexsort((other.first, one.first), axis=1)
    inverted = _inversions(np.take_along_axis(other.first, order, axis=1))
    # Two places as one number, for what is tied in both.
    both = places_of((one.first * parts + other.first).astype(np.float64))
    tied = _tied(one) + _tied(other) - _tied(both)
    found: NDArray[np.float64] = 1 - (inverted + tied / 2) / pairs
    return found


def _tied(places: Places) -> NDArray[np.float64]:
    """Return how many pairs of parts are equal, shape (n,)."""
    # Each of m equal ones tells of the m - 1 others, and so of each pair twice.
    found: NDArray[np.float64] = (places.last - places.first).sum(axis=1) / 2
    return found


def _inversions(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return in how many pairs of a row the earlier number is larger, shape (n,).

    Bit by bit from the highest: two numbers differ first in one bit, and are in the wrong order
    where the earlier one has it. So it takes a sort for each bit and no look at every pair.

    Args:
        values: From 0, below the length of a row, shape (n, parts).

    """
    found = np.zeros(len(values), np.int64)
    for bit in reversed(range(max(values.shape[1] - 1, 0).bit_length())):
        order = np.argsort(values >> (bit + 1), axis=1, kind="stable")
        ordered = np.take_along_axis(values, order, axis=1)
        above, has = ordered >> (bit + 1), (ordered >> bit) & 1
        before = np.cumsum(has, axis=1) - has
        begins = np.diff(above, axis=1, prepend=-1) != 0
        own = before - np.maximum.accumulate(np.where(begins, before, 0), axis=1)
        found += (own * (1 - has)).sum(axis=1)
    return found
