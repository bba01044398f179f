"""The range of a cumulative sum over scores, which is no smooth function of counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.histogram import Histogram
from evenhand.stats.bucket import Between, Dependence
from evenhand.stats.cumulative_calibration import (
    BrownianRange,
    CumulativeError,
    cumulative_calibration_error,
)
from evenhand.stats.delta import kish
from evenhand.stats.figure import Figures
from evenhand.stats.interval import Floats


@dataclass(frozen=True)
class PathRange(Figure):
    """The range of the cumulative sum of label minus score, in order of the score.

    Its error is at most the range of the path's own error, which is that of Brownian motion, so
    limits follow from the distribution of that range: they hold at any true miscalibration.
    """

    among: str
    empty: str
    histogram: Histogram

    @property
    def rows(self) -> Floats:
        rows: Floats = self.histogram.rows[self.among].sum(axis=1)[None, :]
        return rows

    def undefined(self) -> list[str | None]:
        weights = self.histogram.weights[self.among].sum(axis=1)
        return [
            self.empty if not rows else None if weight > 0 else "all weights are 0"
            for rows, weight in zip(self.rows[0], weights, strict=True)
        ]

    def notes(self) -> Mapping[str, str]:
        return self.histogram.notes()

    def p_values(self, *, dependent: Dependence | None) -> Floats:
        if not self.histogram.scores.size:
            return np.full(self.rows.shape[1], np.nan)
        found = self._of(np.eye(self.rows.shape[1]))
        if dependent is None and not self.histogram.weighted:
            return found.p_value
        return np.full_like(found.value, np.nan)

    def figures(self, members: Floats, *, dependent: Dependence | None) -> Figures:
        h = self.histogram
        value = self._of(members).value
        total = (members.T @ h.weights[self.among]).sum(axis=1)
        # Squared errors of the labels, which are at least their variances.
        square = sum(
            (members.T @ h.square_weights[term] * np.square(label - h.scores)).sum(axis=1)
            for term, label in _LABELS.items()
        )
        variance = square / np.square(total)
        effect: Floats | float = 1.0
        if dependent is not None:
            effect = self._design_effect(members, variance, total, dependent)
        return BrownianRange(
            value,
            np.sqrt(variance * effect),
            kish(total, (members.T @ h.square_weights[self.among]).sum(axis=1)),
            np.full_like(value, np.inf),
            np.eye(len(value)),
            "range of Brownian motion"
            + ("" if dependent is None else ", design effect of the path"),
        )

    def _of(self, members: Floats) -> CumulativeError:
        h = self.histogram
        positives, negatives = (members.T @ h.weights[term] for term in _LABELS)
        return cumulative_calibration_error(h.scores, positives, negatives, weighted=h.weighted)

    def _design_effect(
        self, members: Floats, variance: Floats, total: Floats, dependent: Dependence
    ) -> Floats:
        """Return how much more the end of the path varies between buckets of units, at least 1."""
        h = self.histogram
        per_bin = np.bincount(h.bin_of)
        scores = np.bincount(h.bin_of, h.scores) / per_bin
        steps = sum(
            np.einsum("bgs,gj,s->bjs", (h.buckets or {})[term], members, label - scores)
            for term, label in _LABELS.items()
        )
        path: Floats = np.cumsum(np.asarray(steps), axis=2)
        if dependent == "buckets":
            centred = path - path.mean(axis=0)
            occupied = max(2, int((np.abs(path).sum(axis=(1, 2)) > 0).sum()))
            between = np.square(centred).sum(axis=0) * occupied / (occupied - 1)
        else:
            counts = np.sum([(h.buckets or {})[t].sum(axis=2) @ members for t in _LABELS], axis=0)
            # Each step of a path is a figure of its own; a bucket's residual is what it adds
            # beyond its share of the rows.
            beyond = path - (counts / counts.sum(axis=0))[:, :, None] * path.sum(axis=0)
            rows = np.broadcast_to(counts[:, :, None], path.shape)
            between = np.stack(
                [
                    Between.of(beyond[:, j], rows[:, j], dependent).variance
                    for j in range(path.shape[1])
                ]
            )
        worst: Floats = between.max(axis=1) / np.square(total)
        return np.maximum(
            np.divide(worst, variance, out=np.ones_like(worst), where=variance > 0), 1
        )


_LABELS = {"positives": 1.0, "negatives": 0.0}
