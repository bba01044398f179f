"""Interventional Shapley values: of a linear score, by enumeration, by permutations.

The game of an example x: v(S) is the mean over a background of the score of the background's
example with the features of S from x. A feature's value is its mean rise of v over all orders in
which features come in; all of them add up to the score of x minus the background's mean score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evenhand.models.model import Floats

Parts = NDArray[np.float64]
"""Shapley values, shape (n, features)."""

Scored = Callable[[Floats], NDArray[np.float64]]
"""Gives the scores of examples of shape (n, columns)."""

Members = Sequence[Sequence[int]]
"""The columns of each feature."""

_NUMBERS = 2**18
"""Numbers that are put together before they are scored."""


class Sampled(NamedTuple):
    """Shapley values of sampled orders; shape (n, features) each.

    Attributes:
        parts: The values.
        error: The standard error of each, of the orders.
        shift: As of `Halved`.

    """

    parts: Parts
    error: NDArray[np.float64]
    shift: Parts


class Halved(NamedTuple):
    """Shapley values, and how far the background moves them; shape (n, features) each.

    Attributes:
        parts: The values.
        shift: Half of what they are beside one half of the background above the other half.

    """

    parts: Parts
    shift: Parts


def halves(count: int) -> NDArray[np.bool_]:
    """Return which examples of a background are of one half, drawn the same every time."""
    first: NDArray[np.bool_] = np.random.default_rng(_HALVES).permutation(count) % 2 == 0
    return first


_HALVES = 5


def _contrast(count: int) -> NDArray[np.float64]:
    """Return weights that give half the difference of the means over both halves, shape (b,)."""
    if count == 1:
        return np.zeros(1)  # One row has no halves.
    first = halves(count)
    return np.asarray(np.where(first, 0.5 / first.sum(), -0.5 / (~first).sum()), np.float64)


def linear(weights: Floats, x: Floats, background: Floats, members: Members) -> Parts:
    """Return the values of a linear score: w (x - mean), in closed form.

    Args:
        weights: By column.
        x: Examples, shape (n, columns).
        background: Shape (b, columns).
        members: The columns of each feature.

    """
    each = np.asarray(weights, np.float64) * (x - background.mean(axis=0))
    return np.stack([each[:, [*some]].sum(axis=1) for some in members], axis=1)


def enumerated(
    scored: Scored,
    x: Floats,
    background: Floats,
    members: Members,
    *,
    tell: Callable[[float], None],
) -> Parts:
    """Return the exact values, as `enumerated_by_halves`."""
    return enumerated_by_halves(scored, x, background, members, tell=tell).parts


def enumerated_by_halves(
    scored: Scored,
    x: Floats,
    background: Floats,
    members: Members,
    *,
    tell: Callable[[float], None],
) -> Halved:
    """Return the exact values, for (2^features - 2) x background queries an example, and some.

    Args:
        scored: Gives scores.
        x: Examples, shape (n, columns).
        background: Shape (b, columns).
        members: The columns of each feature.
        tell: Told which share is done.

    """
    size, count = len(members), 2 ** len(members)
    inside = (np.arange(count)[:, None] >> np.arange(size)) & 1 == 1
    weights = _weights(inside)
    contrast, empty = _contrast(len(background)), scored(background)
    # All features of an example leave nothing of the background.
    worth, moved = np.empty((len(x), count)), np.zeros((len(x), count))
    worth[:, 0], worth[:, -1], moved[:, 0] = empty.mean(), scored(x), empty @ contrast
    masks = _columns(inside[1:-1], members, x.shape[1])
    step = max(1, _NUMBERS // max(masks.size * len(background), 1))
    for start in range(0, len(x) if count > 2 else 0, step):  # noqa: PLR2004 - none and all
        some = x[start : start + step]
        mixed = np.where(masks[None, :, None], some[:, None, None], background)
        found = scored(mixed.reshape(-1, x.shape[1])).reshape(len(some), len(masks), -1)
        worth[start : start + step, 1:-1] = found.mean(axis=2)
        moved[start : start + step, 1:-1] = found @ contrast
        tell((start + len(some)) / len(x))
    return Halved(worth @ weights.T, moved @ weights.T)


def _weights(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return what each coalition counts in each feature's value, shape (features, coalitions)."""
    size = inside.shape[1]
    members = inside.sum(axis=1)
    # Of a coalition of s the others before it: (s - 1)! (size - s)! / size! where it has the
    # feature, and minus that of one that the feature joins where it has not.
    joined = np.array([factorial(max(s - 1, 0)) * factorial(size - s) for s in range(size + 1)])
    alone = np.array([factorial(s) * factorial(max(size - s - 1, 0)) for s in range(size + 1)])
    signed = np.where(inside, joined[members][:, None], -alone[members][:, None])
    return np.asarray((signed / factorial(size)).T, np.float64)


def sampled(
    scored: Scored,
    x: Floats,
    background: Floats,
    members: Members,
    *,
    rounds: int,
    streams: Sequence[np.random.Generator],
    tell: Callable[[float], None],
) -> Sampled:
    """Return values over random orders, each with its reverse, every background example alike.

    They add up exactly. 2 x rounds x background x (features - 1) queries an example, and some. The
    standard error is between orders of one background example where there are two rounds or more;
    of one round it is between background examples, and too large.

    Args:
        scored: Gives scores.
        x: Examples, shape (n, columns).
        background: Shape (b, columns).
        members: The columns of each feature.
        rounds: Orders for each example of the background.
        streams: The generator of each example.
        tell: Told which share is done.

    """
    size, columns, base = len(members), x.shape[1], len(background)
    ends, starts = scored(x), scored(background)
    parts, error, shift = (np.empty((len(x), size)) for _ in range(3))
    contrast = _contrast(base)
    walks = 2 * rounds * base
    step = max(1, _NUMBERS // max(walks * (size - 1) * columns, 1))
    others = np.tile(background, (rounds, 1))
    for first in range(0, len(x), step):
        some = x[first : first + step]
        ranks = np.stack([_ranks(one, rounds * base, size) for one in streams[first:][: len(some)]])
        # Which features are in after 1, 2, ... steps: (examples, walks, steps, features).
        inside = ranks[:, :, None, :] < np.arange(1, size)[:, None]
        masks = _columns(inside, members, columns)
        both = np.concatenate([others, others])[None, :, None]
        mixed = np.where(masks, some[:, None, None], both)
        between = scored(mixed.reshape(-1, columns)).reshape(len(some), walks, size - 1)
        before = np.broadcast_to(np.tile(starts, 2 * rounds)[None, :, None], (len(some), walks, 1))
        after = np.broadcast_to(ends[first:][: len(some), None, None], (len(some), walks, 1))
        rises = np.diff(np.concatenate([before, between, after], axis=2), axis=2)
        by_feature = np.take_along_axis(rises, ranks, axis=2)
        pairs = by_feature.reshape(len(some), 2, rounds, base, size).mean(axis=1)
        parts[first : first + step] = pairs.mean(axis=(1, 2))
        error[first : first + step] = _error(pairs)
        shift[first : first + step] = np.einsum("nrbf,b->nf", pairs, contrast) / rounds
        tell((first + len(some)) / len(x))
    return Sampled(parts, error, shift)


def _ranks(stream: np.random.Generator, count: int, size: int) -> NDArray[np.int64]:
    """Return the place of each feature in random orders, then in their reverses."""
    orders = stream.permuted(np.tile(np.arange(size), (count, 1)), axis=1)
    return np.concatenate([orders, size - 1 - orders])


def _error(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard error of the mean over rounds and background, shape (n, features)."""
    _, rounds, base, _ = pairs.shape
    if rounds > 1:
        squares = pairs.var(axis=1, ddof=1).sum(axis=1) / (rounds * base**2)
    else:
        squares = pairs[:, 0].var(axis=1, ddof=1) / base
    return np.asarray(np.sqrt(squares), np.float64)


def _columns(inside: NDArray[np.bool_], members: Members, columns: int) -> NDArray[np.bool_]:
    """Return masks of features as masks of columns."""
    found = np.zeros((*inside.shape[:-1], columns), dtype=bool)
    for place, some in enumerate(members):
        found[..., [*some]] = inside[..., place, None]
    return found
