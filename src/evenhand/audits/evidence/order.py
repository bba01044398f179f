"""Orders of features by importance: what several methods put first, from the figures of evidence.

Methods have units of their own, so that their figures cannot be compared and their orders can. An
order is known as far as intervals tell figures apart. All ranks of an order hold together at the
level of the figures, and so does what is said of two orders (`evenhand.stats.rank`); several of
either do not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evenhand.audits.evidence.strength import variant_in
from evenhand.audits.finding import Finding
from evenhand.measures.attributions.part import is_zero
from evenhand.probes.attribute.registry import attributions
from evenhand.probes.weighing import BY
from evenhand.stats.estimate import Estimate, Outcome
from evenhand.stats.interval import Limits
from evenhand.stats.rank import Concordance, concordance, ranks, widened

_OF_PARTS = "mean_absolute_attribution"
IMPORTANCES = (_OF_PARTS, "permutation_importance", "log_loss_importance")
"""Measures by which features are put in order, the largest first."""

MOST = 200
"""Features that are put in order: of more nobody reads an order, and their pairs are too many."""

_METHODS = 12
"""Methods whose orders are told; each two of them are compared."""

_ROUNDING = 1e-12
"""Beside the largest figure of an order, what is no larger is taken for sums of what cancels."""


class Known(NamedTuple):
    """What is known of a feature: its figure, and the units behind it."""

    outcome: Outcome
    units: int


class Rank(NamedTuple):
    """A feature's rank by its figure, 1 for the largest, and the best and the worst it can be."""

    value: int
    best: int
    worst: int


@dataclass(frozen=True)
class Order:
    """Features by one method, among all rows or in one group.

    Attributes:
        name: The method, such as ``occlusion`` or ``permutation_importance``.
        group: The group; empty for all together.
        figures: What is known of each feature.

    """

    name: str
    group: str
    figures: dict[str, Known]

    @property
    def placed(self) -> tuple[str, ...]:
        """The features that have a figure; what is 0 in every row has one, without limits.

        So has what differs from 0 by rounding, such as a Shapley value of what no model reads.
        """
        return tuple(
            name
            for name, one in self.figures.items()
            if is_zero(one.outcome) or _estimate(one.outcome) is not None
        )

    def ranks(self) -> dict[str, Rank]:
        """Return the rank of each feature, as far as the intervals of all of them tell it."""
        names = self.placed
        if not names:
            return {}
        best, worst = ranks(self.limits(names, len(names)))
        values = self.values(names)
        return {
            name: Rank(1 + int((values > values[at]).sum()), int(best[at]), int(worst[at]))
            for at, name in enumerate(names)
        }

    def estimates(self, names: Sequence[str]) -> list[Estimate | None]:
        """Return the figures of features that have limits, None for the others."""
        all_of = [_estimate(one.outcome) for one in self.figures.values()]
        least = _ROUNDING * max((abs(one.value) for one in all_of if one), default=0.0)
        found = [_estimate(self.figures[name].outcome) for name in names]
        return [one if one and max(abs(one.low), abs(one.high)) > least else None for one in found]

    def values(self, names: Sequence[str]) -> np.ndarray:
        """Return the figures of features, shape (K,); 0 of those without limits."""
        return np.array([0.0 if one is None else one.value for one in self.estimates(names)])

    def limits(self, names: Sequence[str], times: int) -> Limits:
        """Return limits of so many figures that hold together; none of what is 0 in every row."""
        found = self.estimates(names)
        low = np.array([-np.inf if one is None else one.low for one in found])
        high = np.array([np.inf if one is None else one.high for one in found])
        known = np.array([one is not None for one in found])
        level = max((one.level for one in found if one is not None), default=0.95)
        units = np.array([float(self.figures[name].units) for name in names])
        wide = widened(
            self.values(names)[known],
            Limits(low[known], high[known]),
            level=level,
            times=times,
            units=units[known],
        )
        low[known], high[known] = wide.low, wide.high
        return Limits(low, high)


@dataclass(frozen=True)
class Orders:
    """Orders of the same features by several methods.

    Attributes:
        where: What else holds of the rows; empty for nothing.
        whole: An order for each method.
        grouped: For each attribute the orders of its groups, method by method.

    """

    where: str
    whole: tuple[Order, ...]
    grouped: dict[str, tuple[Order, ...]]

    @property
    def features(self) -> list[str]:
        """All features, by their mean rank."""
        found: dict[str, list[int]] = {}
        for one in self.whole:
            for name, rank in one.ranks().items():
                found.setdefault(name, []).append(rank.value)
        return sorted(found, key=lambda name: sum(found[name]) / len(found[name]))

    def pairs(self) -> Iterator[tuple[Order, Order, Concordance]]:
        """Yield each two methods with how far their orders agree."""
        for one, other in itertools.combinations(self.whole, 2):
            yield from _compared(one, other)

    def between(self, by: str) -> Iterator[tuple[Order, Order, Concordance]]:
        """Yield each two groups with how far their orders by one method agree."""
        for one, other in itertools.combinations(self.grouped.get(by, ()), 2):
            if one.name == other.name:
                yield from _compared(one, other)


def orders_of(findings: Iterable[Finding], variant: str) -> list[Orders]:
    """Return the orders that figures tell, where two methods or more put features in order.

    Args:
        findings: The figures.
        variant: The column that tells variants apart; empty where none does.

    """
    whole: dict[str, dict[str, dict[str, Known]]] = {}
    groups: dict[str, dict[tuple[str, str, str], dict[str, Known]]] = {}
    for one in findings if variant else ():
        method, feature, where = place_of(one, variant)
        if not feature or one.given or one.part or one.pair or len(one.by) > 1:
            continue
        if one.contrast is None:
            order = whole.setdefault(where, {}).setdefault(method, {})
            order.setdefault(feature, Known(one.outcome, one.units))
        for part in one.groups if one.by else ():
            if part.compared and not part.suppressed:
                key = (one.by[0], method, part.group.get(one.by[0], ""))
                order = groups.setdefault(where, {}).setdefault(key, {})
                order.setdefault(feature, Known(part.outcome, part.units))
    found = []
    for where, methods in whole.items():
        orders = tuple(
            Order(name, "", known) for name, known in methods.items() if 1 < len(known) <= MOST
        )[:_METHODS]
        names, apart = {one.name for one in orders}, dict[str, list[Order]]()
        for (by, name, group), known in groups.get(where, {}).items():
            if name in names:
                apart.setdefault(by, []).append(Order(name, group, known))
        if len(orders) > 1:
            found.append(Orders(where, orders, {by: tuple(some) for by, some in apart.items()}))
    return found


def place_of(one: Finding, variant: str) -> tuple[str, str, str]:
    """Return the method and the feature that a figure is of, and what else holds of its rows.

    Args:
        one: The figure.
        variant: The column that tells variants apart.

    Returns:
        All empty where it is no importance of a feature.

    """
    name, where = variant_in(one.slice, variant)
    if not name or one.measure not in IMPORTANCES:
        return "", "", ""
    by, apart, feature = name.partition(BY)
    if one.measure == _OF_PARTS and apart and by.partition("(")[0] in attributions():
        return by, feature, where
    return one.measure, name, where


def _compared(one: Order, other: Order) -> Iterator[tuple[Order, Order, Concordance]]:
    """Yield two orders with how far they agree, where both have two features or more."""
    names = [name for name in one.placed if name in other.placed]
    if len(names) > 1:
        both = [each.limits(names, 2 * len(names)) for each in (one, other)]
        yield one, other, concordance(one.values(names), other.values(names), *both)


def _estimate(outcome: Outcome) -> Estimate | None:
    return outcome if isinstance(outcome, Estimate) and outcome.identified is None else None
