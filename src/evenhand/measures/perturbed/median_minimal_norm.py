"""The median of the smallest perturbation: how far half of the examples are from being wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import narwhals as nw
import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.histogram import ByScore, ByTerm, Effect, Histogram
from evenhand.measures.measure import Keyed, RoleColumns, measure
from evenhand.stats.bucket import Dependence
from evenhand.stats.delta import TOGETHER, kish
from evenhand.stats.interval import Floats
from evenhand.stats.median import Medians
from evenhand.stats.proportion import Proportions

_FARTHEST = 1e30


@measure(
    needs=("correct", "minimal_norm"),
    better="higher",
    tags=("robustness", "fairness"),
    cites="Brendel et al. 2018",
    limits={"minimal_norm": (0.0, _FARTHEST)},
)
class MedianMinimalNorm(Keyed):
    """Median over source examples of the smallest perturbation that breaks one; in [0, inf).

    In the norm and units of the rows. An example that is wrong as it is counts as 0, one that
    nothing was found for as infinitely far, so no failure of the attack enters a mean. Undefined
    where nothing was found for half or more. An upper bound, as any attack's: a better one may find
    smaller perturbations. Its difference over groups is 0 where half of each are as far.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": range(9), "correct": [0, 1, 1, 1, 1, 1, 1, 1, 1],
    ...     "minimal_norm": [0.0, 0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, None], "variant": "l2"})
    >>> eh.estimate("median_minimal_norm", eh.log(rows, kind="perturbed")).value
    0.3
    """

    key = "minimal_norm"
    tolerates = ("minimal_norm",)

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {"rows": 1, "right": log.correct == 1, "wrong": log.correct == 0}

    def finalise(self, h: Histogram) -> Figure:
        return MedianOfNorms("rows", "no rows", _of_norms(h))


def _of_norms(h: Histogram) -> Histogram:
    """Return the counts of all rows by norm, after those that are wrong as they are, at 0."""

    def beside(counts: ByTerm) -> ByTerm:
        wrong = counts["wrong"].sum(axis=-1, keepdims=True)
        return {"rows": np.concatenate([wrong, counts["right"]], axis=-1)}

    return replace(
        h,
        scores=np.concatenate([np.zeros(1), h.scores]),
        rows=beside(h.rows),
        weights=beside(h.weights),
        square_weights=beside(h.square_weights),
        bin_of=np.concatenate([np.zeros(1, dtype=np.intp), h.bin_of + 1]),
        buckets=None if h.buckets is None else beside(h.buckets),
    )


@dataclass(frozen=True)
class MedianOfNorms(Figure):
    """The median of a distribution by group.

    Attributes:
        histogram: Counts by number, the last of which may be infinite.

    """

    among: str
    empty: str
    histogram: Histogram

    @property
    def rows(self) -> Floats:
        rows: Floats = self.histogram.rows[self.among].sum(axis=1)[None, :]
        return rows

    def notes(self) -> Mapping[str, str]:
        notes = {"attack": "an upper bound: a stronger attack may find smaller perturbations"}
        if self.histogram.width:
            width = self.histogram.width
            notes["minimal_norm"] = f"more than 65,536 norms, taken in bins of {width:g}"
        return notes

    def undefined(self) -> list[str | None]:
        weights = self.histogram.weights[self.among]
        total = weights.sum(axis=1)
        found = weights[:, np.isfinite(self.histogram.scores)].sum(axis=1)
        far = "nothing was found for half of the examples or more, so their median has no end"
        return [
            self.empty
            if not rows
            else "all weights are 0"
            if not every
            # A sum of weights in another order is the same half.
            else far
            if finite <= every / 2 * (1 + _ROUNDING)
            else None
            for rows, every, finite in zip(self.rows[0], total, found, strict=True)
        ]

    def figures(self, members: Floats, *, dependent: Dependence | None) -> Medians:
        """Return the medians of sets of groups.

        The design effect is that of the share below the median; where many rows are at the median
        itself, the larger of that and of the share at most at it.
        """
        h = self.histogram
        weights = members.T @ h.weights[self.among]
        squares = (members.T @ h.square_weights[self.among]).sum(axis=1)
        rows = kish(weights.sum(axis=1), squares)
        ends = [
            self._shares(at=at).influences(members, dependent=dependent) for at in (True, False)
        ]
        shares = [one for end in ends if isinstance(one := end.figures(), Proportions)]
        # Where all rows are on one side, that side tells nothing of how they vary.
        varies = [(end.value > 0) & (end.value < 1) for end in ends]
        n = np.min([np.where(v, one.n, np.inf) for v, one in zip(varies, shares, strict=True)], 0)
        df, method = np.where(varies[0], shares[0].df, shares[1].df), "order statistics"
        correlation = shares[0].correlation
        if dependent is not None and ends[0].occupied is not None:
            n = np.where(np.isfinite(n), n, (ends[0].occupied > 0).sum(axis=0))
            method = f"Woodruff{TOGETHER[dependent]}"
        else:
            correlation = self._overlap(members)
            method = "Woodruff" if h.weighted else method
            df = df if h.weighted else np.full_like(n, np.inf)
        n = np.minimum(n, rows) if h.weighted or dependent is not None else rows
        with np.errstate(invalid="ignore"):
            below = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
        half = np.full_like(h.scores, h.width / 2)
        half[0] = 0.0
        buckets = shares[0].deviations
        return Medians(h.scores, half, below, n, df, correlation, method, buckets)

    def _shares(self, *, at: bool) -> ByScore:
        """Return the share of rows that is at most at the median, or below it."""

        def effect(_: Floats, own: ByTerm, __: ByTerm) -> Effect:
            inside = _inside(own[self.among], at=at)
            total = own[self.among].sum(axis=1)
            value = (own[self.among] * inside).sum(axis=1) / total
            return Effect(value, {self.among: (inside - value[:, None]) / total[:, None]}, {})

        return ByScore(
            self.among,
            self.empty,
            self.histogram,
            effect,
            (0.0, 1.0),
            "",
            looks_outside=False,
            about={},
        )

    def _overlap(self, members: Floats) -> Floats:
        """Return the correlation of the shares below the medians of sets of independent rows."""
        if not (members.sum(axis=1) > 1).any():
            return np.eye(members.shape[1])
        weights = members.T @ self.histogram.weights[self.among]
        inside = _inside(weights, at=True)
        value = (weights * inside).sum(axis=1) / weights.sum(axis=1)
        phi = (inside - value[:, None]) / weights.sum(axis=1, keepdims=True)
        covariance = np.zeros((len(phi), len(phi)))
        for of_group, squares in zip(
            members, self.histogram.square_weights[self.among], strict=True
        ):
            moved = of_group[:, None] * phi
            covariance += (moved * squares) @ moved.T
        scale = np.sqrt(np.diag(covariance))
        scaled = np.outer(scale, scale)
        found: Floats = np.divide(covariance, scaled, out=np.zeros_like(scaled), where=scaled > 0)
        np.fill_diagonal(found, 1.0)
        return found


def _inside(counts: Floats, *, at: bool) -> Floats:
    """Return 1 for the numbers at most at each set's median, or below it; else 0."""
    reached = 2 * np.cumsum(counts, axis=1) >= counts.sum(axis=1, keepdims=True) * (1 - _ROUNDING)
    # The first number at which half is reached is the median, or the lower of the middle two.
    before = np.cumsum(reached, axis=1) <= (1 if at else 0)
    return before.astype(np.float64)


_ROUNDING = 1e-12
"""Sums of weights that differ by less are one, added up in another order."""
