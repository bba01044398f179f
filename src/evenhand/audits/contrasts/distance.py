"""Distances between the groups' distributions of scores, or between their ROC curves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.audits.asked import Asked, name_of, too_few, why_undefined
from evenhand.audits.contrasts.contrast import Contrast
from evenhand.audits.finding import Finding
from evenhand.audits.grouped import Grouped
from evenhand.errors import NotationError, Problem
from evenhand.logs.log import Log
from evenhand.measures.histogram import Histogram
from evenhand.measures.measure import Measure
from evenhand.measures.scores.distribution import Distribution, Spread
from evenhand.notation import Value
from evenhand.stats.distance import (
    PairDistances,
    abroca_pairs,
    kolmogorov_smirnov,
    kolmogorov_smirnov_pairs,
    wasserstein,
    wasserstein_pairs,
)
from evenhand.stats.estimate import Estimate, Outcome, Undefined
from evenhand.stats.interval import Floats
from evenhand.stats.roc import abroca

Indices = NDArray[np.intp]


def check_labels(name: str, log: Log) -> None:
    """Refuse declared classes, of which a contrast without ``positive=`` cannot say which is 1.

    Raises:
        NotationError: The log declares classes.

    """
    if log.classes:
        hint = "Open the log without classes, with label \"column == 'class'\"."
        what = f"{name} reads a label of 0 and 1, and this log declares classes."
        raise NotationError(Problem(f"'{name}'", what, hint))


class Distance(Contrast):
    """The largest distance of two groups, with limits by the bootstrap of the curves."""

    labelled = False
    parameters: ClassVar[dict[str, Value]] = {"of": ""}

    @property
    def example(self) -> str:
        """How to write it."""
        return f"{self.name}(by=group)"

    def measure(self, log: Log, **parameters: Value) -> Measure:
        """Return the distribution that is compared."""
        numbers = {role.name for role in log.kind.roles if role.values == "number"}
        of = parameters.get("of") or ("score" if "score" in numbers else "prediction")
        if self.labelled:
            check_labels(self.name, log)
        return Distribution(str(of), self.labelled)

    def findings(self, asked: Asked) -> list[Finding]:
        """Return the one finding, of the pair that is furthest apart."""
        grouped = asked.grouped()
        index, figure = grouped.compared, grouped.figure
        outcome: Outcome = too_few(grouped)
        if index.size > 1 and isinstance(figure, Spread):
            outcome = self._furthest(figure.histogram, grouped, asked)
        found = asked.finding(grouped, outcome, index, excluded=grouped.left_out())
        without = why_undefined(grouped, np.flatnonzero(~grouped.apart).tolist())
        notes = {"not compared": without} if without else {}
        return [replace(found, conventions={**found.conventions, **notes})]

    @abstractmethod
    def exact(self, scores: Floats, first: Indices, second: Indices, *counts: Floats) -> Floats:
        """Return the distance of each pair from counts by group and score."""

    @abstractmethod
    def bootstrap(
        self, scores: Floats, counts: Sequence[Floats], level: float, rng: np.random.Generator
    ) -> PairDistances:
        """Return the distances of all pairs with their limits."""

    def _furthest(self, h: Histogram, grouped: Grouped, asked: Asked) -> Outcome:
        index, terms = grouped.compared, ("positives", "negatives") if self.labelled else ("rows",)
        scores, how = h.scores, "rows"
        counts = [h.weights[term][index] for term in terms]
        sampled = counts
        if grouped.units.dependent in {"two_way", "dyadic"}:
            return Undefined("limits of a distance are found by drawing units of one kind")
        if grouped.units.dependent and h.buckets is not None:
            # The bootstrap by unit sees wide bins; the distance itself is of the scores.
            scores = np.bincount(h.bin_of, h.scores) / np.bincount(h.bin_of)
            sampled, how = [h.buckets[term][:, index] for term in terms], "buckets of units"
        elif h.weighted:
            return Undefined("weighted rows need their unit: limits are found by drawing units")
        pairs = self.bootstrap(scores, sampled, asked.level, asked.rng)
        value = self.exact(h.scores, pairs.first, pairs.second, *counts)
        at = int(np.argmax(value))
        apart = [name_of(grouped.groups[index[i[at]]]) for i in (pairs.first, pairs.second)]
        below, above = pairs.value - pairs.limits.low, pairs.limits.high - pairs.value
        return Estimate(
            float(value[at]),
            max(0.0, float((value - below).max())),
            float((value + above).max()),
            asked.level,
            f"{pairs.method}, {how} resampled; furthest apart: {' and '.join(apart)}",
        )


class KolmogorovSmirnov(Distance):
    """The largest difference of two distribution functions, sup |F_a - F_b|."""

    name = "ks_distance"
    convention = "largest difference of two groups' distribution functions; 0 is parity"
    order = 10

    def exact(self, scores: Floats, first: Indices, second: Indices, *counts: Floats) -> Floats:
        """Return the distance of each pair from counts by group and score."""
        del scores  # Only their order matters.
        return kolmogorov_smirnov(counts[0][first], counts[0][second])

    def bootstrap(
        self, scores: Floats, counts: Sequence[Floats], level: float, rng: np.random.Generator
    ) -> PairDistances:
        """Return the distances of all pairs with their limits."""
        return kolmogorov_smirnov_pairs(scores, counts[0], level, rng)


class Wasserstein(Distance):
    """The mean change of score that turns one group's distribution into the other's."""

    name = "wasserstein_distance"
    convention = "mean change of score from one group's distribution to the other's; 0 is parity"
    order = 11

    def exact(self, scores: Floats, first: Indices, second: Indices, *counts: Floats) -> Floats:
        """Return the distance of each pair from counts by group and score."""
        return wasserstein(scores, counts[0][first], counts[0][second])

    def bootstrap(
        self, scores: Floats, counts: Sequence[Floats], level: float, rng: np.random.Generator
    ) -> PairDistances:
        """Return the distances of all pairs with their limits."""
        return wasserstein_pairs(scores, counts[0], level, rng)


class Abroca(Distance):
    """The area between the ROC curves of two groups."""

    name = "abroca"
    convention = "area between two groups' ROC curves; 0 is parity"
    order = 12
    labelled = True
    parameters: ClassVar[dict[str, Value]] = {}

    def exact(self, scores: Floats, first: Indices, second: Indices, *counts: Floats) -> Floats:
        """Return the distance of each pair from counts by group and score."""
        del scores  # Only their order matters.
        positives, negatives = counts
        pairs = zip(first, second, strict=True)
        areas = (abroca(positives[i], negatives[i], positives[j], negatives[j]) for i, j in pairs)
        return np.array([float(area) for area in areas])

    def bootstrap(
        self, scores: Floats, counts: Sequence[Floats], level: float, rng: np.random.Generator
    ) -> PairDistances:
        """Return the distances of all pairs with their limits."""
        positives, negatives = counts
        return abroca_pairs(scores, positives, negatives, level, rng)


KS_DISTANCE = KolmogorovSmirnov()
WASSERSTEIN_DISTANCE = Wasserstein()
ABROCA = Abroca()
