"""``shares``: how exposure is shared among groups of items, beside a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from evenhand.audits.asked import Asked, name_of, too_few
from evenhand.audits.cells import Floats
from evenhand.audits.compared import Against, Compared, both_sides, never
from evenhand.audits.contrasts.contrast import Contrast
from evenhand.audits.finding import Finding
from evenhand.audits.grouped import Grouped
from evenhand.engine.ranked import catalogue_shares
from evenhand.logs.log import ITEM
from evenhand.measures.figure import SmoothFunction
from evenhand.measures.ranking import Ranking
from evenhand.stats import contrast
from evenhand.stats.delta import Function
from evenhand.stats.estimate import Estimate, Outcome, Undefined, sound
from evenhand.stats.figure import Figures
from evenhand.stats.interval import Limits
from evenhand.stats.partial import estimates_of

if TYPE_CHECKING:
    from evenhand.audits.question import Question

_ALL = "all: "
_CANDIDATES, _CATALOGUE, _EQUAL = _TARGETS = ("candidates", "catalogue", "equal")


class Shares(Contrast):
    """The largest distance of a group's share of the sum over all groups from its target.

    Each group is shown with its share: the part of all exposure of known items that goes to it.
    """

    name = "shares"
    convention = "largest distance of a group's share from its target; 0 where all are as targeted"
    order = 45
    parameters = {"target": _CANDIDATES}  # noqa: RUF012 - as the base class has it
    fewest = 1

    @property
    def example(self) -> str:
        """How to write it."""
        return "shares(exposure, of=creator_tier, target=candidates)"

    def problem(self, question: Question) -> tuple[str, str] | None:
        """Return why shares of this mean nothing."""
        measure = question.measure
        if not isinstance(measure, Ranking) or measure.shared is None:
            return f"{measure.name} is not shared among groups of items.", f"Write {self.example}."
        if not all(name.startswith(ITEM) for name in question.by):
            return "shares are those of groups of items, named by of=.", f"Write {self.example}."
        if _target_of(question) not in _TARGETS:
            return f"target is {', '.join(_TARGETS)}.", f"Write {self.example}."
        return None

    def findings(self, asked: Asked) -> list[Finding]:
        """Return the one finding."""
        grouped = asked.grouped()
        if not grouped.compared.size:
            return [asked.over_groups(grouped, too_few(grouped))]
        sharing = _Sharing.of(asked, grouped)
        shares = [sound(one) for one in estimates_of(sharing.shares, asked.level)]
        found = asked.over_groups(grouped, sharing.outcome(asked.level), target=sharing.said())
        groups = list(found.groups)
        for place, one in enumerate(groups):
            if not one.suppressed:
                groups[place] = replace(one, outcome=_APART)
        for index, place in enumerate(grouped.compared.tolist()):
            aim = float(sharing.target[index])
            groups[place] = replace(groups[place], outcome=shares[index], target=aim)
        return [replace(found, groups=tuple(groups), is_rate=True)]

    def compared(self, asked: Asked, level: float, against: Against) -> Compared:  # noqa: ARG002
        """Return how far every group's share is from its target."""
        grouped = asked.grouped()
        places = tuple((place,) for place in grouped.compared.tolist())
        if not places:
            nothing = Limits(np.zeros(0), np.zeros(0))
            return Compared((), nothing, nothing, never)
        sharing = _Sharing.of(asked, grouped)
        together = contrast.bonferroni(both_sides(level), len(places))
        return Compared(places, sharing.limits(level), sharing.limits(together), never)


_APART = Undefined("shares are those of groups that are known")


def _target_of(question: Question) -> str:
    return str(dict(question.parameters).get("target", _CANDIDATES))


@dataclass(frozen=True)
class _Sharing:
    """The shares of the groups that are compared, and what they should be.

    Attributes:
        shares: The shares.
        target: What each should be.
        apart: The distances of shares from targets, where these are estimates too; else None.
        names: The groups.

    """

    shares: Figures
    target: Floats
    apart: Figures | None
    names: tuple[str, ...]

    @classmethod
    def of(cls, asked: Asked, grouped: Grouped) -> _Sharing:
        """Return the shares of a measure's number in its groups."""
        measure, figure = asked.question.measure, grouped.figure
        if not isinstance(measure, Ranking) or not isinstance(figure, SmoothFunction):
            raise TypeError("shares are of sums over ranked lists")
        shared, parts = measure.shared, measure.parts
        whole = _beside_all(figure, grouped)
        members = np.zeros((len(grouped.groups), grouped.compared.size))
        members[grouped.compared, np.arange(grouped.compared.size)] = 1

        def share(t: Mapping[str, Floats]) -> Floats:
            return t[f"{shared}"] / t[f"{_ALL}{shared}"]

        def due(t: Mapping[str, Floats]) -> Floats:
            return t[f"{parts}"] / t[f"{_ALL}{parts}"]

        def figures(function: Function, least: float) -> Figures:
            one = replace(whole, function=function, within=(least, 1.0))
            return one.figures(members, dependent=grouped.units.dependent)

        shares, apart = figures(share, 0.0), None
        names = tuple(name_of(grouped.groups[place]) for place in grouped.compared)
        match _target_of(asked.question):
            case "catalogue":
                (of,) = asked.question.by
                name = of.removeprefix(ITEM)
                known = asked.state.catalogue.get(name) or catalogue_shares(name, asked.log)
                target = np.array([known.get(name, 0.0) for name in names])
                target = target / target.sum() if target.sum() > 0 else target
            case "equal":
                target = np.full(len(names), 1 / len(names))
            case _:
                target = figures(due, 0.0).value
                apart = figures(lambda t: share(t) - due(t), -1.0)
        return cls(shares, target, apart, names)

    def limits(self, level: float) -> Limits:
        """Return limits of the distances of shares from targets, without sign."""
        if self.apart is not None:
            low, high = self.apart.limits(level)
        else:
            low, high = (end - self.target for end in self.shares.limits(level))
        return Limits(
            np.maximum(0.0, np.maximum(low, -high)), np.maximum(np.abs(low), np.abs(high))
        )

    def outcome(self, level: float) -> Outcome:
        """Return the largest distance."""
        limits = self.limits(contrast.bonferroni(level, len(self.names)))
        value = float(np.abs(self.shares.value - self.target).max())
        low, high = float(limits.low.max()), float(limits.high.max())
        method = f"{(self.apart or self.shares).method}, Bonferroni over {len(self.names)} groups"
        return Estimate(value, min(low, value), max(high, value), level, method)

    def said(self) -> str:
        """Return the targets in words."""
        aims = zip(self.names, self.target, strict=True)
        return ", ".join(f"{name} {100 * aim:.1f}%" for name, aim in aims)


def _beside_all(figure: SmoothFunction, grouped: Grouped) -> SmoothFunction:
    """Return the sums of each group beside those of all groups that are compared."""
    n, compared = len(figure.names), grouped.compared
    total = figure.sums[:, :, compared].sum(axis=2, keepdims=True)
    products = np.zeros((2 * n, 2 * n, figure.products.shape[2]))
    # A group's rows are among all rows.
    products[:n, :n] = products[:n, n:] = products[n:, :n] = figure.products
    products[n:, n:] = figure.products[:, :, compared].sum(axis=2, keepdims=True)
    return replace(
        figure,
        names=(*figure.names, *(f"{_ALL}{name}" for name in figure.names)),
        sums=np.concatenate([figure.sums, np.broadcast_to(total, figure.sums.shape)]),
        products=products,
    )


SHARES = Shares()
