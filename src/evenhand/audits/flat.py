"""A figure of all groups together: their sums side by side, as one long list of named sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from evenhand.audits.grouped import Grouped
from evenhand.measures.figure import Figure, Share, SmoothFunction
from evenhand.stats.delta import Function
from evenhand.stats.interval import Floats

Name = Callable[[str, int], str]


def side_by_side(
    grouped: Grouped,
    index: Iterable[int],
    function: Function,
    name: Name,
    *,
    within: tuple[float, float],
    otherwise: str,
) -> SmoothFunction:
    """Return a smooth function of the sums of several groups.

    Args:
        grouped: A measure in its groups, a share or a function of sums.
        index: Places of the groups.
        function: The function of sums by name.
        name: The name of a term's sum in the group at a place.
        within: The smallest and the largest value.
        otherwise: Why the figure is undefined where the function has no value.

    """
    places = list(index)
    terms, sums, products = _parts(grouped.figure)
    n, buckets, _ = sums.shape
    flat = np.concatenate([sums[:, :, place] for place in places]).reshape(-1, buckets, 1)
    blocks = np.zeros((len(flat), len(flat), 1))
    for block, place in enumerate(places):
        rows = slice(block * n, (block + 1) * n)
        blocks[rows, rows, 0] = products[:, :, place]
    names = [name(term, place) for place in places for term in terms]
    trials = grouped.figure.rows[:, places].sum(axis=1, keepdims=True)
    # One more sum for the trials, so that the figure knows its rows; the function ignores it.
    total = trials[None] if buckets == len(trials) else np.zeros((1, buckets, 1))
    padded = np.zeros((len(flat) + 1, len(flat) + 1, 1))
    padded[:-1, :-1] = blocks
    padded[-1, -1] = trials.sum()
    return SmoothFunction(
        _TRIALS,
        grouped.figure.empty,
        function,
        (*names, _TRIALS),
        np.concatenate([flat, total]),
        padded,
        trials,
        within,
        otherwise,
    )


_TRIALS = "all trials"


def _parts(figure: Figure) -> tuple[tuple[str, ...], Floats, Floats]:
    """Return the terms of a figure, their sums by bucket and group, and sums of products."""
    if isinstance(figure, SmoothFunction):
        return figure.names, figure.sums, figure.products
    if not isinstance(figure, Share):
        raise TypeError("only shares and functions of sums have terms")
    s = figure.sums
    of, among = s.square_successes.sum(axis=0), s.square_trials.sum(axis=0)
    return (
        ("of", "among"),
        np.array([s.successes, s.trials]),
        np.array([[of, of], [of, among]]),
    )
