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
from evenhand.audits.finding import Finding, GroupFinding
from evenhand.audits.grouped import Grouped
from evenhand.engine.facts import catalogue_shares, without_catalogue
from evenhand.logs.group import UNKNOWN
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
    Groups of the catalogue that no row has are shown too: their share is 0, whatever is due.
    """

    name = "shares"
    convention = "largest distance of a group's share from its target; 0 where all are as targeted"
    order = 45
    parameters = {"target": _CANDIDATES}  # noqa: RUF012 - as the base class has it
    fewest = 1
    shows_own = True

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

    def shown(self, asked: Asked, grouped: Grouped) -> Figures:
        """Return the shares of the groups compared."""
        return _Sharing.of(asked, grouped).shares

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
        (of,) = found.by
        for name, aim in sharing.absent.items():
            nothing = Estimate(0.0, 0.0, sharing.unseen(asked.level), asked.level, _NO_ROW)
            groups.append(GroupFinding({of: name}, nothing, rows=0, units=0, target=aim))
        return [replace(found, groups=tuple(groups), is_rate=True)]

    def compared(self, asked: Asked, level: float, against: Against) -> Compared:  # noqa: ARG002
        """Return how far every group's share is from its target."""
        grouped = asked.grouped()
        places = tuple((place,) for place in grouped.compared.tolist())
        if not places:
            nothing = Limits(np.zeros(0), np.zeros(0))
            return Compared((), nothing, nothing, never)
        sharing = _Sharing.of(asked, grouped)
        # A group that no row has is no place among those of the log.
        members: tuple[tuple[int, ...], ...] = (*places, *((),) * len(sharing.absent))
        together = contrast.bonferroni(both_sides(level), len(members))
        return Compared(members, sharing.limits(level), sharing.limits(together), never)


_NO_ROW = "Clopper-Pearson for a share of units, none of which has a row of the group"
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
        absent: The targets of groups of the catalogue that no row has.
        units: The number of units of the log.

    """

    shares: Figures
    target: Floats
    apart: Figures | None
    names: tuple[str, ...]
    absent: Mapping[str, float]
    units: int

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
        absent: Mapping[str, float] = {}
        if _target_of(asked.question) == _CANDIDATES:
            target = figures(due, 0.0).value
            apart = figures(lambda t: share(t) - due(t), -1.0)
        else:
            every = np.flatnonzero(~grouped.apart)
            aims = _aims(asked, names, {name_of(grouped.groups[place]) for place in every})
            target = np.array([aims[name] for name in names])
            absent = {name: aim for name, aim in aims.items() if name not in names}
        units, _ = grouped.units.among(np.arange(len(grouped.groups)))
        return cls(shares, target, apart, names, absent, max(1, units))

    def unseen(self, level: float) -> float:
        """Return the largest share of units that may have a row of a group which none has."""
        return float(1 - ((1 - level) / 2) ** (1 / self.units))

    def limits(self, level: float) -> Limits:
        """Return limits of the distances of shares from targets, without sign."""
        if self.apart is not None:
            low, high = self.apart.limits(level)
        else:
            low, high = (end - self.target for end in self.shares.limits(level))
        aims = np.array([*self.absent.values()])
        low, high = np.append(low, -aims), np.append(high, self.unseen(level) - aims)
        return Limits(
            np.maximum(0.0, np.maximum(low, -high)), np.maximum(np.abs(low), np.abs(high))
        )

    def outcome(self, level: float) -> Outcome:
        """Return the largest distance."""
        groups = len(self.names) + len(self.absent)
        limits = self.limits(contrast.bonferroni(level, groups))
        apart = np.abs(self.shares.value - self.target)
        value = float(np.append(apart, [*self.absent.values()]).max())
        low, high = float(limits.low.max()), float(limits.high.max())
        method = f"{(self.apart or self.shares).method}, Bonferroni over {groups} groups"
        return Estimate(value, min(low, value), max(high, value), level, method)

    def said(self) -> str:
        """Return the targets in words."""
        aims = [*zip(self.names, self.target, strict=True), *self.absent.items()]
        return ", ".join(f"{name} {100 * aim:.1f}%" for name, aim in aims)


def _aims(asked: Asked, names: tuple[str, ...], seen: set[str]) -> Mapping[str, float]:
    """Return the targets of these groups, and of those of the catalogue that are not among seen.

    Targets of all add up to 1, with those of groups that have too few units to be shown.
    """
    equal = _target_of(asked.question) == _EQUAL
    (of,) = asked.question.by
    name = of.removeprefix(ITEM)
    known = asked.state.catalogue.get(name, {})
    if not known and not (equal and without_catalogue(name, asked.log)):
        known = catalogue_shares(name, asked.log)
    absent = [n for n, share in known.items() if n not in seen and n != UNKNOWN and share > 0]
    every = {one: 1.0 if equal else known.get(one, 0.0) for one in (*sorted(seen), *absent)}
    total = sum(every.values())
    return {one: every[one] / total if total > 0 else 0.0 for one in (*names, *absent)}


def _beside_all(figure: SmoothFunction, grouped: Grouped) -> SmoothFunction:
    """Return the sums of each group beside those of all groups that are known."""
    # All that are known count in the total, also groups of too few units to be shown.
    n, known = len(figure.names), ~grouped.apart
    total = figure.sums[:, :, known].sum(axis=2, keepdims=True)
    products = np.zeros((2 * n, 2 * n, figure.products.shape[2]))
    # A group's rows are among all rows.
    products[:n, :n] = products[:n, n:] = products[n:, :n] = figure.products
    products[n:, n:] = figure.products[:, :, known].sum(axis=2, keepdims=True)
    return replace(
        figure,
        names=(*figure.names, *(f"{_ALL}{name}" for name in figure.names)),
        sums=np.concatenate([figure.sums, np.broadcast_to(total, figure.sums.shape)]),
        products=products,
    )


SHARES = Shares()
