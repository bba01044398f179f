"""Many findings at once: which of them count, and how wide the intervals of the chosen ones are.

An undefined finding has no p-value: it is NaN here, is not tested, and costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.interval import Floats

Flags = NDArray[np.bool_]


def holm(p: Floats, alpha: float) -> Flags:
    """Return which hypotheses fall while any false rejection has probability ``alpha`` at most.

    Args:
        p: p-values, shape (K,); NaN is not tested.
        alpha: Familywise error rate, in (0, 1); it holds under any dependence.

    Source: Holm 1979.
    """
    return holm_adjusted(p) <= alpha


def holm_adjusted(p: Floats) -> Floats:
    """Return the smallest familywise error rate at which `holm` rejects each hypothesis.

    >>> holm_adjusted(np.array([0.03, 0.01, np.nan]))
    array([0.03, 0.02,  nan])
    """

    def step_down(ordered: Floats) -> Floats:
        left = np.arange(len(ordered), 0, -1)
        return np.minimum(np.maximum.accumulate(ordered * left), 1.0)

    return _in_order(p, step_down)


def benjamini_hochberg(p: Floats, q: float) -> Flags:
    """Return which findings are discoveries at a false discovery rate of ``q`` at most.

    Args:
        p: p-values, shape (K,), independent or positively dependent; NaN is not tested.
        q: Expected share of false ones among the discoveries, in (0, 1).

    Source: Benjamini and Hochberg 1995; Benjamini and Yekutieli 2001 on positive dependence.
    """
    return benjamini_hochberg_adjusted(p) <= q


def benjamini_hochberg_adjusted(p: Floats) -> Floats:
    """Return the smallest false discovery rate at which `benjamini_hochberg` takes each finding.

    >>> benjamini_hochberg_adjusted(np.array([0.03, 0.01, np.nan]))
    array([0.03, 0.02,  nan])
    """
    return _in_order(p, _step_up)


def benjamini_yekutieli(p: Floats, q: float) -> Flags:
    """Return which findings are discoveries at a false discovery rate of ``q`` at most.

    Args:
        p: p-values, shape (K,), under any dependence; NaN is not tested.
        q: Expected share of false ones among the discoveries, in (0, 1).

    Source: Benjamini and Yekutieli 2001.
    """
    return benjamini_yekutieli_adjusted(p) <= q


def benjamini_yekutieli_adjusted(p: Floats) -> Floats:
    """Return the smallest false discovery rate at which `benjamini_yekutieli` takes each finding.

    >>> benjamini_yekutieli_adjusted(np.array([0.03, 0.01, np.nan]))    # times 1 + 1/2
    array([0.045, 0.03 ,   nan])
    """

    def step_up(ordered: Floats) -> Floats:
        harmonic = (1 / np.arange(1, len(ordered) + 1)).sum()
        adjusted: Floats = np.minimum(_step_up(ordered) * harmonic, 1.0)
        return adjusted

    return _in_order(p, step_up)


def fcr_level(level: float, selected: int, tested: int) -> float:
    """Return the level at which to form the intervals of the selected findings.

    Then, of the intervals that are shown, at most ``1 - level`` miss their truth on average
    (false coverage rate). Nothing selected needs no correction.

    Args:
        level: Coverage wanted among the intervals shown, in (0, 1).
        selected: Number of findings selected, such as the discoveries of `benjamini_hochberg`.
        tested: Number of findings that could have been selected.

    Source: Benjamini and Yekutieli 2005, for independent or positively dependent estimates.

    >>> round(fcr_level(0.95, 2, 10), 6)
    0.99
    """
    return 1 - (1 - level) * selected / tested if selected else level


def _step_up(ordered: Floats) -> Floats:
    """Return Benjamini and Hochberg's adjusted values of ascending p-values."""
    scaled = ordered * len(ordered) / np.arange(1, len(ordered) + 1)
    adjusted: Floats = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.minimum(adjusted, 1.0)


def _in_order(p: Floats, adjust: Callable[[Floats], Floats]) -> Floats:
    """Apply ``adjust`` to the tested p-values in ascending order; put its values back in place."""
    places = np.flatnonzero(~np.isnan(p))
    places = places[np.argsort(p[places], kind="stable")]
    adjusted = np.full(len(p), np.nan)
    adjusted[places] = adjust(p[places])
    return adjusted
