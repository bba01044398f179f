"""Overlap of two policies: how far a log that one has written speaks of what another would show.

The weight of a shown item is its chance under the other policy over its propensity. Over the log
the mean weight is expected to be 1 less the other policy's mass on what the log cannot show. The
more weights differ, the fewer items carry the figure: (sum W)^2 / sum W^2 of them, in effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from evenhand.measures.figure import SmoothFunction
from evenhand.measures.lists import Flags, Floats, Lists
from evenhand.measures.measure import TermSums
from evenhand.measures.policy import Policy
from evenhand.measures.ranking import Condition
from evenhand.stats.delta import Function

EFFECTIVE, MEAN, DOMINATED = "effective sample", "mean weight", "dominated"
"""Topics of what is said of a figure under another policy."""

NOTHING = "nothing was shown"
NO_OVERLAP = (
    "no overlap: nothing that was shown has a chance under the other policy, whose unsupported "
    "mass is 1"
)
"""Why there is no figure."""

FEW = 100
"""Below so many effective items intervals are not known to cover (docs/rankings.md)."""

FAINT = 0.1
"""Where so few are also less than this share of the items, there is no figure."""

TOO_FEW = (
    f"the log tells too little of the other policy: fewer than {FEW} items in effect, and less "
    "than a tenth of those shown"
)
"""Why there is none."""

LARGE = 0.1
"""A share of all weight that one item should not have."""


def weighed_row(policy: Policy) -> Condition:
    """Return that the weight of a row is known, if it was shown."""
    return Condition(f"{_name(policy)}, rows", _lacks(policy), _known(policy), unobserved=True)


def weighed(policy: Policy, k: int | None) -> Condition:
    """Return that the weights of all items that a request shows up to slot k are known."""
    known = _known(policy)

    def holds(lists: Lists) -> Flags:
        found: Flags = lists.total(lists.within(k) & ~known(lists)) == 0
        return found

    name = _name(policy) if k is None else f"{_name(policy)} to {k}"
    return Condition(name, _lacks(policy), holds, unobserved=True)


def _name(policy: Policy) -> str:
    return f"weighed by {policy.weighing}"


def _lacks(policy: Policy) -> str:
    return f"propensity or '{policy.column}' of a shown item"


def _known(policy: Policy) -> Callable[[Lists], Flags]:
    def holds(lists: Lists) -> Flags:
        return np.isfinite(policy.weights(lists))

    return holds


def overlap_names(policy: Policy, k: int | None, whose: str = "") -> tuple[str, str, str, str]:
    """Return the names of the numbers that tell of overlap: items, W, W^2 and W^4.

    Args:
        policy: The other policy.
        k: The last slot that counts.
        whose: The items that count, such as `` of tier a``; empty for all.

    """
    cut = whose if k is None else f" to {k}{whose}"
    by = policy.weighing
    return (
        f"shown items{cut} weighed by {by}",
        f"weights by {by}{cut}",
        f"squared weights by {by}{cut}",
        f"fourth powers of weights by {by}{cut}",
    )


def overlap_of_rows(
    lists: Lists, policy: Policy, k: int | None, part: Floats | None = None, whose: str = ""
) -> Mapping[str, Floats]:
    """Return the numbers that tell of overlap, one for each row.

    Args:
        lists: The requests.
        policy: The other policy.
        k: The last slot that counts.
        part: The part of each row's item that counts, shape (rows,); all of it by default.
        whose: The items of which it is a part, as in `overlap_names`.

    """
    inside = lists.within(k).astype(float) if part is None else lists.within(k) * part
    weight = np.where(inside > 0, policy.weights(lists), 0.0) * inside
    square = np.square(weight)
    numbers = (inside, weight, square, np.square(square))
    return dict(zip(overlap_names(policy, k, whose), numbers, strict=True))


def overlap_of_requests(
    lists: Lists, policy: Policy, k: int | None, part: Floats | None = None, whose: str = ""
) -> Mapping[str, Floats]:
    """Return the numbers that tell of overlap, one for each request; as `overlap_of_rows`."""
    rows = overlap_of_rows(lists, policy, k, part, whose)
    return {name: lists.total(values) for name, values in rows.items()}


def told_by_enough(function: Function, policy: Policy, k: int | None, whose: str = "") -> Function:
    """Return a function of sums that is nan where too few items carry it."""
    items, total, square, _ = overlap_names(policy, k, whose)

    def guarded(t: Mapping[str, Floats]) -> Floats:
        effective = np.square(np.real(t[total])) / np.real(t[square])
        few = (effective < FEW) & (effective < FAINT * np.real(t[items]))
        found: Floats = np.where(few, np.nan, function(t))
        return found

    return guarded


def with_overlap(
    figure: SmoothFunction, s: TermSums, policy: Policy, k: int | None
) -> SmoothFunction:
    """Return a figure that says how far the log speaks of the policy, over all its groups.

    Groups without any overlap have no figure, with the unsupported mass as the reason.
    """
    names = overlap_names(policy, k)
    items, total, square, fourth = (float(s.amounts[name].sum()) for name in names)
    figure = replace(figure, needs={names[0]: NOTHING, names[1]: NO_OVERLAP, **figure.needs})
    if not total:
        return figure
    mean, effective = total / items, total * total / square
    about = {
        **figure.about,
        EFFECTIVE: f"{effective:,.1f} of {items:,.0f} shown items",
        MEAN: f"{mean:.4f}: 1 less it, {1 - mean:.4f}, estimates the unsupported mass",
    }
    if says := _dominated(total, square, fourth):
        about[DOMINATED] = says
    return replace(figure, about=about)


def with_own_overlap(
    figure: SmoothFunction, s: TermSums, policy: Policy, k: int | None, whose: str
) -> SmoothFunction:
    """Return a figure that also says how many items carry what is of one group."""
    names = overlap_names(policy, k, whose)
    items, total, square, fourth = (float(s.amounts[name].sum()) for name in names)
    if not total:
        return figure
    effective = f"{total * total / square:,.1f} of {items:,.0f} shown items"
    about = {**figure.about, f"{EFFECTIVE}{whose}": effective}
    if says := _dominated(total, square, fourth):
        about[DOMINATED] = f"{says},{whose}"
    return replace(figure, about=about)


def _dominated(total: float, square: float, fourth: float) -> str:
    """Return that one item, or few, have the weight; nothing where many do."""
    # The largest weight is no sum, but at least the root of that of its fourth power over squares.
    largest = (fourth / square) ** 0.5 / total
    if largest >= LARGE:
        return f"one item has at least {100 * largest:.0f}% of all weight"
    few = total * total / square < FEW
    return f"few items carry the figure, below {FEW} in effect" if few else ""
