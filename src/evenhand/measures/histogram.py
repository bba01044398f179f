"""Counts by score value, and figures that are functions of them: areas, curves, calibration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.measures.figure import Figure
from evenhand.stats.bucket import Dependence, rest_correlation
from evenhand.stats.delta import Influences, kish, satterthwaite
from evenhand.stats.figure import Figures
from evenhand.stats.interval import Floats

ByTerm = Mapping[str, Floats]


@dataclass(frozen=True)
class Effect:
    """A figure of J groups and the influence that one row of each kind has on it.

    Attributes:
        value: The figures, shape (J,); nan where there is none.
        own: For each term, the influence of a row of the group at each score, shape (J, scores).
        rest: The same for a row outside the group, for figures that look there.
        more: Variance beyond that of the influences, where these do not tell all.

    """

    value: Floats
    own: ByTerm
    rest: ByTerm
    more: Floats | float = 0.0


@dataclass(frozen=True)
class Histogram:
    """Numbers of rows by score value, term and group.

    Attributes:
        scores: The scores, ascending; the middle of each bin where they are binned.
        width: Width of a bin, a power of two; 0 where every score value has its own.
        rows: For each term, the number of rows, shape (groups, scores).
        weights: The same with weights; equals ``rows`` without.
        square_weights: The same with squared weights.
        bin_of: The coarse bin of each score, shape (scores,).
        buckets: For each term, sums of weights by bucket of units and coarse bin, shape
            (buckets, groups, bins); None where every row is its own unit.
        weighted: Whether rows have weights.

    """

    scores: Floats
    width: float
    rows: ByTerm
    weights: ByTerm
    square_weights: ByTerm
    bin_of: NDArray[np.intp]
    buckets: ByTerm | None = None
    weighted: bool = False

    @classmethod
    def of_nothing(cls, terms: Iterable[str]) -> Histogram:
        """Return the counts of no rows, from which a measure's form can be read."""
        counts = dict.fromkeys(terms, np.zeros((1, 1)))
        return cls(np.zeros(1), 0.0, counts, counts, counts, np.zeros(1, dtype=np.intp))

    def figure(
        self,
        effect: Callable[[Floats, ByTerm, ByTerm], Effect],
        *,
        among: str,
        empty: str,
        within: tuple[float, float],
        otherwise: str,
        looks_outside: bool = False,
        about: Mapping[str, str] | None = None,
    ) -> ByScore:
        """Return a figure of the counts.

        Args:
            effect: From scores and the weights by term of each group, and of all rows outside it,
                to the figures and the influence of a row. Weights have shape (J, scores).
            among: The term whose rows are the trials.
            empty: Why the figure is undefined where there is no trial.
            within: The smallest and the largest value that the figure can have.
            otherwise: Why the figure is undefined where ``effect`` gives nan.
            looks_outside: Whether the figure depends on rows outside the group.
            about: What qualifies the figure, by topic.

        """
        return ByScore(
            among,
            empty,
            self,
            effect,
            within,
            otherwise,
            looks_outside,
            {**self.notes(), **(about or {})},
        )

    def notes(self) -> Mapping[str, str]:
        """Return how scores were binned, if they were."""
        if not self.width:
            return {}
        return {"score": f"more than 65,536 scores, taken in bins of {self.width:g}"}


@dataclass(frozen=True)
class ByScore(Figure):
    """A function of counts by score."""

    among: str
    empty: str
    histogram: Histogram
    effect: Callable[[Floats, ByTerm, ByTerm], Effect]
    within: tuple[float, float]
    otherwise: str
    looks_outside: bool
    about: Mapping[str, str]

    @property
    def rows(self) -> Floats:
        rows: Floats = self.histogram.rows[self.among].sum(axis=1)[None, :]
        return rows

    def undefined(self) -> list[str | None]:
        """Return why each group has no figure; outside it means in all other groups."""
        groups = self.rows.shape[1]
        value, _ = self._value(np.eye(groups))
        weights = self.histogram.weights[self.among].sum(axis=1)
        return [
            self.empty
            if not rows
            else "all weights are 0"
            if not weight
            else self.otherwise
            if not np.isfinite(figure)
            else None
            for rows, weight, figure in zip(self.rows[0], weights, value, strict=True)
        ]

    def notes(self) -> Mapping[str, str]:
        return self.about

    def figures(self, members: Floats, *, dependent: Dependence | None) -> Figures:
        return self.influences(members, dependent=dependent).figures()

    def influences(self, members: Floats, *, dependent: Dependence | None) -> Influences:
        """Return what rows and buckets contribute to the figures of sets of groups."""
        h = self.histogram
        value, effect = self._value(members)
        own, rest = effect.own, effect.rest
        inside = {term: members.T @ h.rows[term] for term in h.rows}
        squares = {term: members.T @ h.square_weights[term] for term in h.rows}
        # Outside a set is everything else in the log, rows of unknown group too.
        outside = {term: h.square_weights[term].sum(axis=0) - squares[term] for term in rest}
        parts = [(np.square(own[t]) * squares[t]).sum(axis=1) for t in own]
        parts += [(np.square(rest[t]) * outside[t]).sum(axis=1) for t in rest]
        variance, df = variance_of(h, effect, members)
        correlation = np.eye(len(value))
        if rest:
            correlation = rest_correlation(
                {t: _binned(own.get(t), squares[t], h.bin_of) for t in squares},
                {t: _binned(rest.get(t), squares[t].sum(axis=0)[None], h.bin_of) for t in squares},
                {t: _sum_bins(squares[t], h.bin_of) for t in squares},
                {t: _sum_bins(h.square_weights[t].sum(axis=0)[None], h.bin_of)[0] for t in squares},
            )
        buckets = occupied = None
        if dependent and h.buckets is not None:
            buckets, occupied = by_bucket(h, effect, members)
            # What varies inside a coarse bin is not seen by bucket: its share is added.
            kept = np.zeros(len(value))
            for t, phi in own.items():
                mean = _binned(phi, squares[t], h.bin_of)
                kept += (np.square(mean) * _sum_bins(squares[t], h.bin_of)).sum(axis=1)
            for t, phi in rest.items():
                mean = _binned(phi, outside[t], h.bin_of)
                kept += (np.square(mean) * _sum_bins(outside[t], h.bin_of)).sum(axis=1)
            seen = np.divide(kept, np.sum(parts, axis=0), out=np.ones_like(kept), where=kept > 0)
            buckets = buckets / np.sqrt(np.clip(seen, _LEAST_SEEN, 1.0))
        return Influences(
            value=value,
            rows=inside[self.among].sum(axis=1),
            variance=variance,
            df=df,
            correlation=correlation,
            buckets=buckets,
            occupied=occupied,
            within=self.within,
            dependent=dependent,
        )

    def _value(self, members: Floats) -> tuple[Floats, Effect]:
        h = self.histogram
        if not h.scores.size:
            nothing = np.full(members.shape[1], np.nan)
            return nothing, Effect(nothing, {}, {})
        weights = {term: members.T @ counts for term, counts in h.weights.items()}
        rest = {t: h.weights[t].sum(axis=0) - counts for t, counts in weights.items()}
        scale = np.ones((members.shape[1], 1))
        if h.weighted:
            # Weights of any scale are brought to Kish's number of rows.
            total = weights[self.among].sum(axis=1, keepdims=True)
            squares = (members.T @ h.square_weights[self.among]).sum(axis=1, keepdims=True)
            scale = np.divide(total, squares, out=scale, where=squares > 0)
        with np.errstate(over="ignore", invalid="ignore"):
            effect = self.effect(
                h.scores,
                {term: scale * counts for term, counts in weights.items()},
                {t: scale * c for t, c in rest.items()} if self.looks_outside else {},
            )
        own = {term: scale * phi for term, phi in effect.own.items()}
        outside = {term: scale * phi for term, phi in effect.rest.items()}
        return effect.value, replace(effect, own=own, rest=outside)


def variance_of(h: Histogram, effect: Effect, members: Floats) -> tuple[Floats, Floats]:
    """Return the variances of figures for independent rows, and their degrees of freedom.

    Each kind of row, inside a set of groups or outside it, is a sample of its own.

    Source: DeLong, DeLong and Clarke-Pearson 1988.
    """
    parts, less = [], []
    for rest, influence in ((False, effect.own), (True, effect.rest)):
        for term, phi in influence.items():
            squares = members.T @ h.square_weights[term]
            weights = members.T @ h.weights[term].sum(axis=1)
            if rest:
                squares = h.square_weights[term].sum(axis=0) - squares
                weights = h.weights[term].sum() - weights
            rows = kish(weights, squares.sum(axis=1))
            # A single row, or one that outweighs all others, tells nothing of how rows differ.
            fewer = np.maximum(rows - 1, 0.0)
            power = (np.square(phi) * squares).sum(axis=1)
            parts.append(power * rows / np.maximum(fewer, 1.0))
            # Fourth powers of weights are not kept; the mean of their squares stands for them.
            mean = squares.sum(axis=1) / np.maximum(rows, 1.0)
            fourth = (np.square(np.square(phi)) * squares).sum(axis=1) * mean
            less.append(satterthwaite(power, fourth, rows))
    variance: Floats = np.sum(parts, axis=0)
    variance = variance + effect.more
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.nansum([np.square(v) / m for v, m in zip(parts, less, strict=True)], axis=0)
        df = np.where(below > 0, np.square(variance) / below, np.inf)
    return variance, np.where(np.min(less, axis=0) < 1, 0.0, df)


def by_bucket(h: Histogram, effect: Effect, members: Floats) -> tuple[Floats, Floats]:
    """Return the sum of influences, and of rows or their weights, by bucket of units and set."""
    sums = np.zeros((1, 1))
    seen = np.zeros((1, 1))
    for term, counts in (h.buckets or {}).items():
        of_sets = np.einsum("bgs,gj->bjs", counts, members)
        inside = members.T @ h.rows[term]
        if term in effect.own:
            phi = _binned(effect.own[term], inside, h.bin_of)
            sums = sums + np.einsum("bjs,js->bj", of_sets, phi)
        if term in effect.rest:
            beyond = h.rows[term].sum(axis=0) - inside
            phi = _binned(effect.rest[term], beyond, h.bin_of)
            total = counts.sum(axis=1, keepdims=True)
            sums = sums + np.einsum("bjs,js->bj", total - of_sets, phi)
            seen = seen + total.sum(axis=2)
        seen = seen + of_sets.sum(axis=2)
    return sums, seen


_LEAST_SEEN = 0.25
"""Where coarse bins show less of a figure's variance than this, no more is added for the rest."""


def _sum_bins(counts: Floats, bin_of: NDArray[np.intp]) -> Floats:
    """Return counts by coarse bin, shape (J, bins)."""
    starts = np.flatnonzero(np.diff(bin_of, prepend=-1))
    summed: Floats = np.add.reduceat(counts, starts, axis=1)
    return summed


def _binned(phi: Floats | None, counts: Floats, bin_of: NDArray[np.intp]) -> Floats:
    """Return the mean influence of the rows in each coarse bin, shape (J, bins)."""
    if phi is None:
        return np.zeros((1, 1))
    weighed = _sum_bins(phi * counts, bin_of)
    total = np.broadcast_to(_sum_bins(counts, bin_of), weighed.shape)
    plain = _sum_bins(phi, bin_of) / np.bincount(bin_of)
    return np.divide(weighed, total, out=plain, where=total > 0)
