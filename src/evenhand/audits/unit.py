"""How many units the trials of a measure have, how they depend, and whether one is too large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from evenhand.audits.cells import Cells, Floats, Indices
from evenhand.engine import MeasureColumns, State, count_units
from evenhand.engine.by_unit import FEW_ROWS, LARGE, UnitCounts
from evenhand.engine.lower import WEIGHT, WEIGHT_OF
from evenhand.logs.log import ROW, Log
from evenhand.logs.unit import BUCKETS, CROSSED, REGISTER, REGISTERS, Unit, UnitKind
from evenhand.measures.figure import Share
from evenhand.measures.measure import Measure, Sums, TermSums
from evenhand.stats.bucket import Dependence

TOO_LARGE = 0.33
"""A unit that holds more than this share of a group's trials leaves the group without a figure."""

_EVEN = 1.5
"""Of few units none is too large below this many times its even part, such as half for two."""

_NAMED = 5
"""Groups that a note names."""


LARGE_UNIT = "large unit"
"""The topic of what is said of units that hold many of the rows."""


@dataclass(frozen=True)
class Population:
    """The units of one kind that have a trial.

    Attributes:
        by_group: Units of each group, shape (groups,).
        total: Units in all; one that is in two groups counts once.
        exact: False when the numbers are estimates.

    """

    by_group: Floats
    total: float
    exact: bool

    def among(self, index: Indices) -> tuple[int, bool]:
        """Return the number of units of several groups, and whether it is exact."""
        together = float(self.by_group[index].sum())
        if len(index) == len(self.by_group):
            return round(self.total), self.exact
        # Where units are in one group each, the groups' numbers add up to the total.
        adds_up = len(index) == 1 or float(self.by_group.sum()) == self.total
        return round(min(together, self.total)), self.exact and adds_up


@dataclass(frozen=True)
class Largest:
    """What the largest unit of each group holds.

    Attributes:
        share: Its share of the group's trials (of their weight), shape (groups,).
        units: Number of units of the group, of the same kind.
        says: What is said of it, with a place for the share.
        alike: The figure when all units weigh alike; nan where it was not counted.

    """

    share: Floats
    units: Floats
    says: str
    alike: Floats

    def reasons(self, rows: Floats) -> list[str | None]:
        """Return why groups of so many rows have no figure for it, None where they have one."""
        limit = np.maximum(TOO_LARGE, _EVEN / np.maximum(self.units, 1))
        too_large = (self.share > limit) & (rows >= FEW_ROWS)
        return [
            f"{self._said(index)}, so little is known of the others" if found else None
            for index, found in enumerate(too_large)
        ]

    def note(self, rows: Floats, groups: Sequence[Mapping[str, str]]) -> str:
        """Return what is said of the groups in which a unit is large; empty when none is."""
        large = np.flatnonzero((self.share > LARGE) & (rows >= FEW_ROWS) & (self.units > 1))
        parts = []
        for index in large[:_NAMED]:
            name = ", ".join(groups[index].values())
            beside = f"; {self.alike[index]:.4f} where all units weigh alike"
            said = self._said(index) + ("" if np.isnan(self.alike[index]) else beside)
            parts.append(f"{name}: {said}" if name else said)
        if len(large) > _NAMED:
            parts.append(f"and in {len(large) - _NAMED} more groups")
        return "; ".join(parts)

    def _said(self, index: int) -> str:
        return self.says.replace("{}", f"{100 * self.share[index]:.0f}%")


@dataclass(frozen=True)
class Units:
    """The units among the trials of a measure.

    Attributes:
        populations: The units of each kind; of two kinds the one with fewer units is reported.
        dependent: How rows depend on each other; None where no unit has several trials.
        note: How dependence was judged, for the reader; empty when the unit is the row.
        largest: The largest unit of each kind; empty where rows are independent.

    """

    populations: tuple[Population, ...]
    dependent: Dependence | None
    note: str = ""
    largest: tuple[Largest, ...] = ()

    @property
    def by_group(self) -> Floats:
        """Units of each group, shape (groups,)."""
        fewest: Floats = np.minimum.reduce([units.by_group for units in self.populations])
        return fewest

    @property
    def exact(self) -> bool:
        """False when the numbers are estimates."""
        return all(units.exact for units in self.populations)

    def among(self, index: Indices) -> tuple[int, bool]:
        """Return the number of units of several groups, and whether it is exact."""
        return min(units.among(index) for units in self.populations)

    def expected(self, chance: Floats) -> Units:
        """Return the expected units of groups whose members are known as probabilities.

        Args:
            chance: P(group | place), shape (groups, places).

        """
        populations = tuple(
            replace(units, by_group=units.by_group @ chance.T, exact=False)
            for units in self.populations
        )
        return replace(self, populations=populations, largest=())

    def reasons(self, rows: Floats) -> list[str | None]:
        """Return why groups of so many rows have no figure: one unit holds too many of them."""
        found: list[str | None] = [None] * len(rows)
        for largest in self.largest:
            found = [one or other for one, other in zip(found, largest.reasons(rows), strict=True)]
        return found

    def notes(self, rows: Floats, groups: Sequence[Mapping[str, str]]) -> dict[str, str]:
        """Return what is said of large units, by topic."""
        said = filter(None, (largest.note(rows, groups) for largest in self.largest))
        note = "; ".join(said)
        return {LARGE_UNIT: note} if note else {}


def units_of(
    measure: Measure, columns: MeasureColumns, cells: Cells, state: State, log: Log
) -> Units:
    """Return the units among the trials of a measure.

    Args:
        measure: The measure.
        columns: Where its sums are in the state.
        cells: The sums by bucket and group.
        state: The state.
        log: The log.

    """
    trials, unit = columns.trials, log.unit
    rows = cells.of(trials).sum(axis=0)
    if unit == ROW:
        return Units((Population(rows, float(rows.sum()), exact=True),), None)
    names = [f"'{name}'" for name in unit.columns]
    together = _TOGETHER[unit.kind].format(*names)
    weighted = WEIGHT in log.roles
    held, what = cells.of(f"{WEIGHT_OF}{trials}" if weighted else trials), "rows"
    if weighted:
        what = "weight"
    total = np.maximum(held.sum(axis=0), np.finfo(float).tiny)
    stage = tuple(sorted(cells.by))
    if state.distinct is None or stage not in state.distinct:
        populations = _estimated(trials, cells, state, unit)
        note = f"{together} over {_OVER[unit.kind]}; number of units estimated"
        margins = zip(_margins(held, unit), populations, strict=True)
        largest = [
            Largest(
                _excess(margin) / total,
                units.by_group,
                _ABOUT.format("{}", what),
                np.full(len(rows), np.nan),
            )
            for margin, units in margins
        ]
        return Units(populations, DEPENDENCE[unit.kind], note, tuple(largest))
    exact, whole = state.distinct[stage], state.distinct[()]
    populations = tuple(
        Population(
            cells.by_group(of_groups.counts, trials),
            float(of_all.counts[trials].sum()),
            exact=True,
        )
        for of_groups, of_all in zip(exact, whole, strict=True)
    )
    if all((of_all.rows[trials] <= 1).all() for of_all in whole):
        told = f"no value of {' or '.join(names)} repeats"
        return Units(populations, None, f"{told}, so rows are independent and closed forms apply")
    largest = [
        Largest(
            cells.by_group(counted.held, trials) / total,
            units.by_group,
            _HOLDS[unit.kind].format("{}", what, name),
            _alike(measure, columns, cells, counted),
        )
        for counted, units, name in zip(exact, populations, names, strict=False)
    ]
    return Units(populations, DEPENDENCE[unit.kind], together, tuple(largest))


def _estimated(trials: str, cells: Cells, state: State, unit: Unit) -> tuple[Population, ...]:
    """Return the units of each kind, estimated from their marks."""
    by_group, in_all = state.units_by(cells.by).frame, state.units_by(()).frame
    found = []
    for kind in range(unit.populations):
        own = (pl.col(REGISTER) // REGISTERS == kind) & (pl.col(trials) > 0)
        marks = by_group.filter(own)
        counts = np.zeros(len(cells.groups))
        places, largest = cells.places(marks), marks[trials].to_numpy()
        for place in np.unique(places):
            counts[place] = count_units(largest[places == place])
        found.append(Population(counts, count_units(in_all.filter(own)[trials]), exact=False))
    return tuple(found)


def _alike(measure: Measure, columns: MeasureColumns, cells: Cells, counted: UnitCounts) -> Floats:
    """Return a share by group when all units weigh alike; nan where no unit is large."""
    found = np.full(len(cells.groups), np.nan)
    # What needs sums of products is no share, and its form must not be asked for without them.
    if not isinstance(measure, Sums) or columns.products or counted.large.rows.is_empty():
        return found
    frame = counted.large.alike(columns.trials, columns.terms.values())
    sums = {term: cells.by_group(frame, key)[None, :] for term, key in columns.terms.items()}
    figure = measure.finalise(TermSums(sums, sums, sums))
    if isinstance(figure, Share):
        there = cells.places(frame)
        share = figure.sums.successes[0, there] / figure.sums.trials[0, there]
        found[there] = share if figure.curve is None else figure.curve.value(share)
    return found


def _margins(held: Floats, unit: Unit) -> list[Floats]:
    """Return what each kind of unit holds by bucket and group."""
    if unit.kind == "column":
        return [held]
    table = held.reshape(CROSSED, CROSSED, -1)
    first, second = table.sum(axis=1), table.sum(axis=0)
    if unit.kind == "two_way":
        return [first, second]
    return [first + second - np.einsum("kkg->kg", table)]


def _excess(margin: Floats) -> Floats:
    """Return how much more the largest bucket of each group holds than the others' median."""
    ordered = np.sort(margin, axis=0)
    excess: Floats = ordered[-1] - np.median(ordered[:-1], axis=0)
    return excess


DEPENDENCE: Mapping[UnitKind, Dependence] = {
    "column": "buckets",
    "two_way": "two_way",
    "dyadic": "dyadic",
}
_TOGETHER: Mapping[UnitKind, str] = {
    "column": "rows of one unit taken together",
    "two_way": "rows that share {} or {} taken together; units are those of the fewer",
    "dyadic": "pairs that share a unit of {} or {} taken together; units are those on either side",
}
_OVER: Mapping[UnitKind, str] = {
    "column": f"{BUCKETS} buckets",
    "two_way": f"{CROSSED} x {CROSSED} buckets",
    "dyadic": f"{CROSSED} x {CROSSED} buckets",
}
_HOLDS: Mapping[UnitKind, str] = {
    "column": "one unit holds {} of the {}",
    "two_way": "one {2} holds {0} of the {1}",
    "dyadic": "one unit is in {} of the {}",
}
_ABOUT = "one unit, or few that share a bucket, hold about {} of the {}"
