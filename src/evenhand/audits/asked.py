"""One question beside the state and the log that answer it, and how findings are made of both."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from evenhand.audits.cells import Floats, Indices
from evenhand.audits.finding import Finding
from evenhand.audits.grouped import Grouped, gather
from evenhand.audits.proxied import proxied
from evenhand.audits.strata import standardise
from evenhand.engine import State
from evenhand.engine.lower import WEIGHT
from evenhand.logs.group import UNKNOWN
from evenhand.logs.log import ITEM, Log
from evenhand.measures.bounds import Bounded
from evenhand.measures.figure import Average, Share
from evenhand.stats.estimate import Estimate, Outcome, Undefined, sound
from evenhand.stats.figure import Figures
from evenhand.stats.proportion import Proportions
from evenhand.stats.shrinkage import shrink_figures, shrink_proportions

if TYPE_CHECKING:
    from evenhand.audits.question import Question


@dataclass(frozen=True)
class Asked:
    """What a contrast needs to answer a question.

    Attributes:
        question: What was asked.
        state: The sums that answer it.
        log: The log that the state is of.
        level: Nominal coverage of the intervals.
        seed: Seed of simultaneous critical values.
        shrink: Whether each group's figure is also shown shrunk towards the mean of all.
        permutations: Number of permutations of a test; 0 to turn the interval over instead.
        min_units: Groups of fewer units are neither shown nor compared.
        scope: The slice of the rows that the log is, as it was asked for; None for all rows.

    """

    question: Question
    state: State
    log: Log
    level: float
    seed: int
    shrink: bool = False
    permutations: int = 0
    min_units: int = 0
    scope: str | None = None

    @property
    def least(self) -> int:
        """The fewest units about which evidence may tell something."""
        return max(1, self.min_units)

    @property
    def rng(self) -> np.random.Generator:
        """A new generator with the seed of the question."""
        return np.random.default_rng(self.seed)

    def grouped(self) -> Grouped:
        """Return the question's measure in its groups, inside strata where they are given."""
        return self._grouped

    @functools.cached_property
    def _grouped(self) -> Grouped:
        asked = self.question
        groups = gather(asked.measure, asked.by, self.state, self.log)
        proxy = self.log.group(asked.by[0]).proxy if asked.by else None
        if proxy is not None:
            bounded = asked.unknown_anywhere
            found = proxied(groups, proxy, asked.by[0], bounded=bounded)
            return replace(found, unseen=None).without_small(self.min_units)
        groups = groups.without_small(self.min_units)
        if asked.unknown_anywhere and isinstance(groups.figure, Bounded):
            groups = with_unknown(groups, groups.figure, given=asked.given)
        if asked.given and groups.groups:
            cells = gather(asked.measure, (*asked.by, *asked.given), self.state, self.log)
            # Rows outside the strata are gone now, so a group may have become small.
            groups = standardise(groups, cells, asked.given).without_small(self.min_units)
        return groups

    def at(self, level: float) -> Asked:
        """Return the same question at another level."""
        return self.part(self.question, level)

    def part(self, question: Question, level: float) -> Asked:
        """Return another question of the same log at another level."""
        return replace(self, question=question, level=level)

    def finding(
        self, grouped: Grouped, outcome: Outcome, index: Indices, **more: object
    ) -> Finding:
        """Return a finding about the groups at these places."""
        question = self.question
        conventions: dict[str, str] = {"better": question.measure.better or "neither direction"}
        if question.contrast is not None:
            conventions[question.contrast.name] = question.contrast.convention
        if question.alias:
            conventions[question.alias] = f"stands for {question.key}"
        if grouped.units.note:
            conventions["unit"] = grouped.units.note
        if WEIGHT in self.log.roles:
            conventions["weight"] = f"rows weighed by {self.log.roles[WEIGHT].text}"
        if self.log.where is not None:
            conventions["where"] = self.log.where.text
        conventions |= grouped.notes
        # The rows of a group that is not shown would follow from those of a pair with it.
        index = np.array([place for place in index if place not in grouped.small], np.intp)
        p_values = grouped.figure.p_values(dependent=grouped.units.dependent)
        if p_values is not None:
            conventions["p value"] = _p_values(grouped, p_values, index)
        units, exact = grouped.units.among(index)
        found = Finding(
            key=question.key,
            measure=str(question.measure),
            outcome=sound(outcome),
            estimand="row",
            units=units,
            units_exact=exact,
            rows=int(grouped.rows[index].sum()),
            excluded=grouped.excluded,
            conventions=conventions,
            contrast=None if question.contrast is None else question.contrast.name,
            by=tuple(name.removeprefix(ITEM) for name in question.by),
            given=question.given,
            slice=self.scope,
            is_rate=isinstance(grouped.figure, Share | Average),
        )
        return replace(found, **more)  # type: ignore[arg-type]

    def over_groups(self, grouped: Grouped, outcome: Outcome, **notes: str) -> Finding:
        """Return a finding about all groups compared, which lists every group."""
        found = self.finding(grouped, outcome, grouped.compared)
        groups = grouped.findings(self.level)
        if self.shrink and grouped.compared.size > 1:
            shrunk = _shrunk(grouped.compare(grouped.compared), self.level)
            members = dict(zip(grouped.compared.tolist(), shrunk, strict=True))
            groups = tuple(
                replace(group, shrunk=members.get(place)) for place, group in enumerate(groups)
            )
        return replace(
            found,
            conventions={**found.conventions, **notes},
            excluded=grouped.left_out(),
            groups=groups,
        )


def _p_values(grouped: Grouped, values: Floats, index: Indices) -> str:
    """Return what the chance of such figures is where there is nothing to find."""
    known = [
        f"{name_of(grouped.groups[i])}: p = {values[i]:.2g}".removeprefix(": ")
        for i in index
        if np.isfinite(values[i])
    ]
    none = "none: rows are weighed or belong together"
    return f"of scores that are calibrated, {'; '.join(known)}" if known else none


def _shrunk(figures: Figures, level: float) -> list[Estimate]:
    """Return each group's figure pulled towards the mean of all."""
    if isinstance(figures, Proportions) and figures.curve is None:
        found = shrink_proportions(figures.proportion, figures.n, level)
    else:
        found = shrink_figures(*figures.variances(level), level)
    return [
        Estimate(value, low, high, level, found.method)
        for value, low, high in zip(
            found.value.tolist(),
            found.limits.low.tolist(),
            found.limits.high.tolist(),
            strict=True,
        )
    ]


def with_unknown(groups: Grouped, figure: Bounded, *, given: tuple[str, ...]) -> Grouped:
    """Return the groups if rows of unknown group may belong to any of them."""
    named = np.array([UNKNOWN in group.values() for group in groups.groups])
    unknown = np.flatnonzero(named & (groups.rows > 0))
    if unknown.size == 0:
        return groups
    several = len(groups.groups[unknown[0]]) > 1
    if several or given:
        what = "several attributes" if several else f"strata of {', '.join(given)}"
        reason = f"with {what}, bounds for unknown groups are not defined: compare by one alone"
        return replace(groups, reasons=(reason,) * len(groups.groups))
    figure = figure.with_unknown(int(unknown[0]))
    reasons = list(groups.reasons)
    reasons[unknown[0]] = "its rows may belong to any group"
    notes = {**groups.notes, **figure.notes()}
    return replace(groups, figure=figure, reasons=tuple(reasons), notes=notes)


def name_of(group: Mapping[str, str]) -> str:
    """Return how a group is called in a sentence."""
    return ", ".join(group.values())


def why_undefined(grouped: Grouped, index: Iterable[int]) -> str:
    """Return the reasons of the undefined groups among these, each with its name."""
    return "; ".join(
        f"{name_of(grouped.groups[i])}: {grouped.reasons[i]}" for i in index if grouped.reasons[i]
    )


def too_few(grouped: Grouped) -> Undefined:
    """Return that there are not two groups to compare, and why."""
    found = "only one group has" if grouped.compared.size else "no group has"
    reasons = why_undefined(grouped, range(len(grouped.groups)))
    return Undefined(f"{found} a figure to compare" + (f" ({reasons})" if reasons else ""))
