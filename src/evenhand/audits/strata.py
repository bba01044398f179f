"""Groups compared inside strata: every group's figure in every stratum, weighed alike for all.

With two groups the weights are Mantel and Haenszel's, with more the strata's shares of all rows:
Mantel-Haenszel differences of three groups do not add up (a - b + b - c is not a - c).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evenhand.audits.cells import Indices
from evenhand.audits.finding import Exclusion
from evenhand.audits.grouped import Grouped
from evenhand.audits.unit import Population, Units
from evenhand.logs.group import UNKNOWN
from evenhand.measures.figure import Figure
from evenhand.stats.bucket import Dependence
from evenhand.stats.figure import Combined, Figures
from evenhand.stats.interval import Floats
from evenhand.stats.partial import Identified
from evenhand.stats.proportion import Curve, Proportions

TWO = 2


@dataclass(frozen=True)
class Standardised(Figure):
    """A figure by group, as it would be if all groups were spread over strata alike.

    Attributes:
        inner: The figure in every cell of group and stratum.
        cell: The place of each group's cell in each stratum that counts, shape (groups, strata);
            -1 where a group has none.
        weights: Weight of each stratum that counts; they add up to 1.
        reasons: Why a group has no figure.
        about: What qualifies the figure.

    """

    among: str
    empty: str
    inner: Figure
    cell: Indices
    weights: Floats
    reasons: tuple[str | None, ...]
    about: Mapping[str, str]

    @property
    def rows(self) -> Floats:
        inner = self.inner.rows
        counted = [inner[:, cells[cells >= 0]].sum(axis=1) for cells in self.cell]
        return np.stack(counted, axis=1)

    def notes(self) -> Mapping[str, str]:
        return {**self.inner.notes(), **self.about}

    def undefined(self) -> list[str | None]:
        return list(self.reasons)

    def figures(self, members: Floats, *, dependent: Dependence | None) -> Figures:
        chosen = members.argmax(axis=0)
        cells = self.cell[chosen].ravel()
        picks = np.zeros((self.inner.rows.shape[1], len(cells)))
        picks[cells, np.arange(len(cells))] = 1
        found = self.inner.figures(picks, dependent=dependent)
        weights: Floats = np.kron(np.eye(len(chosen)), self.weights).astype(np.float64)

        if len(self.weights) == 1:
            return found
        if isinstance(found, Identified):
            ends = (_over_strata(end, weights) for end in (found.lowest, found.highest))
            return Identified(*ends)
        return _over_strata(found, weights)


def _over_strata(cells: Figures, weights: Floats) -> Figures:
    """Return weighted sums of the figures in cells of group and stratum.

    Limits of small cells do not add up to limits of their sum: Wilson's are pulled to one half in
    every cell, so that MOVER over ten strata of five rows covered .91 and over matched pairs .78.
    A share has Wilson's interval with the number of trials that its variance corresponds to, each
    cell's being unbiased; a cell of a single trial has the variance of all strata together.

    Args:
        cells: The figures, cells of one group after another.
        weights: Weight of every cell in every group, shape (groups, cells).

    Source: Korn and Graubard 1998 (effective number of trials).

    """
    combined = Combined(cells, weights, f"MOVER over strata ({cells.method})")
    if not isinstance(cells, Proportions):
        return combined
    share, n = cells.proportion, cells.n
    together = ((weights > 0).T * (weights @ share)).sum(axis=1)
    variance = np.where(
        n < TWO, together * (1 - together) / n, share * (1 - share) / np.maximum(n - 1, 1)
    )
    if cells.spread is not None:
        variance = np.where(n < TWO, variance, cells.spread / np.maximum(n - 1, 1))
    least, most = cells.within
    if cells.curve is not None:
        variance = variance * np.square(cells.curve.slope(share) / (most - least))
    scaled = weights * np.sqrt(variance)
    covariance = scaled @ cells.correlation @ scaled.T
    total = np.diag(covariance)
    scale = np.sqrt(np.where(total > 0, total, 1.0))
    correlation = covariance / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    value = np.clip((weights @ cells.value - least) / (most - least), 0.0, 1.0)
    spread = value * (1 - value)
    alike = 1 / (np.square(weights) @ (1 / n))
    trials = np.divide(spread, total, out=alike, where=(total > 0) & (spread > 0))
    curve = None
    if (least, most) != (0.0, 1.0):
        curve = Curve(
            value=lambda share: least + (most - least) * share,
            slope=lambda share: np.full_like(share, most - least),
        )
    method = f"{cells.method} over strata"
    moved = combined.deviations
    buckets = None if moved is None else moved / (most - least)
    one = None
    if cells.spread is not None:
        trials = np.where(spread > 0, alike, trials)
        one = np.minimum(total * trials, spread)
    return Proportions(value, trials, combined.df, correlation, method, curve, buckets, one)


def standardise(groups: Grouped, cells: Grouped, given: tuple[str, ...]) -> Grouped:
    """Return the groups with their figures adjusted for strata.

    Args:
        groups: The measure by group.
        cells: The measure by group and stratum.
        given: The attributes that make the strata.

    """
    names = sorted({_stratum(cell, given) for cell in cells.groups})
    cell = _places(groups, cells, given, names)
    defined = np.array([reason is None for reason in cells.reasons])
    has = (cell >= 0) & defined[cell]
    known = np.array([reason is None for reason in groups.reasons])
    compared = np.flatnonzero(~groups.apart & known & has.any(axis=1))
    kept = np.flatnonzero(has[compared].all(axis=0) & [UNKNOWN not in name for name in names])
    trials = cells.rows[cell] * has
    left = int(trials[compared].sum() - trials[np.ix_(compared, kept)].sum())
    reasons = tuple(
        _reason(reason, bool(has[index, kept].all()), kept.size)
        for index, reason in enumerate(groups.reasons)
    )
    by_stratum = trials[np.ix_(compared, kept)].astype(np.float64)
    name = ", ".join(given)
    about = {
        "given": f"groups compared inside {kept.size} strata of {name}, each weighed alike for all "
        "groups: " + _WEIGHTS[compared.size == TWO]
    }
    figure = Standardised(
        groups.figure.among,
        groups.figure.empty,
        cells.figure,
        np.where(has, cell, -1)[:, kept],
        _weights(by_stratum),
        reasons,
        about,
    )
    units = _units_left(groups.units, figure.rows.sum(axis=0)) if left else groups.units
    found = replace(groups, figure=figure, units=units, reasons=reasons, notes=figure.notes())
    if compared.size == TWO and kept.size > 1:
        homogeneity = _homogeneity(cells, cell[np.ix_(compared, kept)])
        about.update({"homogeneity": homogeneity} if homogeneity else {})
        found = replace(found, notes=figure.notes())
    if left:
        missed = Exclusion(f"{name}: some group has no figure in the stratum", left)
        found = replace(found, excluded=(*found.excluded, missed))
    return found


_WEIGHTS = {
    True: "Mantel-Haenszel, n_1 n_2 / (n_1 + n_2)",
    False: "the stratum's share of all rows compared",
}


def _units_left(units: Units, rows: Floats) -> Units:
    """Return the units if only so many rows of each group are left.

    Where every row is a unit they are the rows; else some of those units may have no row left.
    """
    populations = tuple(
        Population(
            np.minimum(one.by_group, rows),
            min(one.total, float(rows.sum())),
            exact=one.exact and units.dependent is None,
        )
        for one in units.populations
    )
    return replace(units, populations=populations)


def _stratum(cell: Mapping[str, str], given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(cell[name] for name in given)


def _places(
    groups: Grouped, cells: Grouped, given: tuple[str, ...], names: list[tuple[str, ...]]
) -> Indices:
    place = {tuple(group.values()): index for index, group in enumerate(groups.groups)}
    found = np.full((len(groups.groups), len(names)), -1)
    for index, cell in enumerate(cells.groups):
        group = tuple(value for name, value in cell.items() if name not in given)
        found[place[group], names.index(_stratum(cell, given))] = index
    return found


def _reason(reason: str | None, everywhere: bool, strata: int) -> str | None:  # noqa: FBT001
    if reason is not None:
        return reason
    if not strata:
        return "no stratum has a figure for every group"
    return None if everywhere else "no figure in some stratum that counts"


def _weights(trials: NDArray[np.float64]) -> Floats:
    """Return the weight of each stratum from trials by group and stratum."""
    if not trials.size:
        return np.zeros(trials.shape[1])
    total = trials.sum(axis=0)
    weights = trials[0] * trials[1] / total if len(trials) == TWO else total
    share: Floats = weights / weights.sum()
    return share


def _homogeneity(cells: Grouped, pair: Indices) -> str:
    """Return Cochran's test that the difference of two groups is the same in all strata.

    Empty where only a set is identified, of which there is no such test.
    """
    figures = cells.compare(pair.ravel())
    if isinstance(figures, Identified):
        return ""
    value = figures.value.reshape(pair.shape)
    _, variance = figures.variances(0.95)
    of_gap = variance.reshape(pair.shape).sum(axis=0)
    gap, weight = value[0] - value[1], 1 / of_gap
    mean = (weight * gap).sum() / weight.sum()
    statistic = float((weight * np.square(gap - mean)).sum())
    df = len(gap) - 1
    p = float(special.chdtrc(df, statistic))
    return f"Cochran's Q = {statistic:.2f} on {df} df, p = {p:.2g}: strata whose gaps are alike"
