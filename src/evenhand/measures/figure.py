"""What a measure's sums define: a share, a smooth function of sums, or an average of shares.

A figure knows its sums by bucket of units and group. Asked for sets of groups, it adds the sums of
each set's members and gives `evenhand.stats.figure.Figures`, with which any contrast can work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.bucket import Dependence
from evenhand.stats.delta import Function, Influences, gradient, kish
from evenhand.stats.figure import Combined, Figures
from evenhand.stats.proportion import Curve, Proportion, Proportions, clustered, independent
from evenhand.stats.rare import ROUNDING

Floats = NDArray[np.float64]
REAL = (-np.inf, np.inf)


class Figure(ABC):
    """A figure by group, before it is decided which groups are compared and how units depend.

    Attributes:
        among: The term whose rows are the trials.
        empty: Why the figure is undefined where there is no trial.
        needs_products: Whether it needs the sums of products of terms.

    """

    among: str
    empty: str
    needs_products: ClassVar[bool] = False

    @property
    @abstractmethod
    def rows(self) -> Floats:
        """Number of trials by bucket and group, shape (buckets, groups)."""

    @abstractmethod
    def undefined(self) -> list[str | None]:
        """Return why each group has no figure, None where it has one."""

    def notes(self) -> Mapping[str, str]:
        """Return what qualifies the figure, by topic."""
        return {}

    def p_values(self, *, dependent: Dependence | None) -> Floats | None:  # noqa: ARG002 - a null
        """Return how likely so large a figure is by chance in each group; None where no test is."""
        return None

    @abstractmethod
    def figures(self, members: Floats, *, dependent: Dependence | None) -> Figures:
        """Return the figures of sets of groups.

        Args:
            members: 1 where a group belongs to a set, else 0; shape (groups, sets).
            dependent: How rows depend on each other; None where they do not.

        """


@dataclass(frozen=True)
class Share(Figure):
    """The share of one term among another.

    Attributes:
        sums: The sums by bucket and group.
        curve: The increasing function of the share that is the figure; None for the share itself.
        about: What qualifies the figure, by topic.

    """

    among: str
    empty: str
    sums: Proportion
    curve: Curve | None = None
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> Floats:
        return self.sums.rows

    def notes(self) -> Mapping[str, str]:
        return self.about

    def undefined(self) -> list[str | None]:
        return _without_trials(self.sums, self.empty)

    def figures(self, members: Floats, *, dependent: Dependence | None) -> Proportions:
        sums = _of_sets(self.sums, members)
        found = _proportions(sums, dependent)
        if dependent is None and (members.sum(axis=1) > 1).any():
            found = replace(found, correlation=self._overlap(members, found.proportion))
        return replace(found, curve=self.curve)

    def _overlap(self, members: Floats, share: Floats) -> Floats:
        """Return the correlation of sets of groups that have rows in common."""
        successes, trials = (
            members.T @ (part.sum(axis=0)[:, None] * members)
            for part in (self.sums.square_successes, self.sums.square_trials)
        )
        covariance = successes * (1 - share[:, None] - share) + np.outer(share, share) * trials
        scale = np.sqrt(np.maximum(np.diag(covariance), np.finfo(float).tiny))
        correlation: Floats = covariance / np.outer(scale, scale)
        np.fill_diagonal(correlation, 1.0)
        return correlation


@dataclass(frozen=True)
class Average(Figure):
    """The mean of several shares: balanced accuracy, averages over classes.

    Attributes:
        parts: The shares.
        weights: The weight of each; they add up to 1.
        method: Name of the interval.

    """

    among: str
    empty: str
    parts: tuple[Share, ...]
    weights: tuple[float, ...]
    trials: Floats
    method: str = "MOVER over the parts"

    @property
    def rows(self) -> Floats:
        return self.trials

    def undefined(self) -> list[str | None]:
        reasons = zip(*(part.undefined() for part in self.parts), strict=True)
        return [next(filter(None, of_group), None) for of_group in reasons]

    def figures(self, members: Floats, *, dependent: Dependence | None) -> Combined:
        stacked = _stack([_of_sets(part.sums, members) for part in self.parts])
        found = _proportions(stacked, dependent)
        found = replace(found, curve=self.parts[0].curve)
        # Part p of set j stands at p * sets + j.
        weights = np.kron(np.array(self.weights), np.eye(members.shape[1]))
        return Combined(found, weights, f"{self.method} ({found.method})")


@dataclass(frozen=True)
class SmoothFunction(Figure):
    """A smooth function of the sums of terms.

    Attributes:
        function: The function, homogeneous of degree 0.
        names: The sums it reads, in the order of the arrays.
        sums: Weighted sums, shape (names, buckets, groups).
        products: Sums of squared weights times the product of two terms, over all rows; shape
            (names, names, groups).
        trials: Number of trials by bucket and group.
        within: The smallest and the largest value.
        otherwise: Why the figure is undefined where there are trials and the function has none.
        needs: Terms that it divides by, and why the figure is undefined where one is 0.
        about: What qualifies the figure, by topic.
        mean: Whether it is a mean of numbers within the range.
        rare: Whether these are mostly one number.

    """

    among: str
    empty: str
    function: Function
    names: tuple[str, ...]
    sums: Floats
    products: Floats
    trials: Floats
    within: tuple[float, float]
    otherwise: str
    needs: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    mean: bool = False
    rare: bool = False
    needs_products: ClassVar[bool] = True

    @property
    def rows(self) -> Floats:
        return self.trials

    def notes(self) -> Mapping[str, str]:
        return self.about

    def undefined(self) -> list[str | None]:
        value, _ = gradient(self.function, self._named(self.sums.sum(axis=1)))
        counted = self.trials.sum(axis=0) > 0
        weighed = self.sums[self.names.index(self.among)].sum(axis=0) > 0
        spread = self.influences(np.eye(len(counted)), dependent=None).variance > 0
        bounded = bool(np.isfinite(self.within[1] - self.within[0]))
        lacking = {
            reason: self.sums[self.names.index(term)].sum(axis=0) <= 0
            for term, reason in self.needs.items()
        }
        reasons: list[str | None] = []
        for group, (trials, weight, finite, varies) in enumerate(
            zip(counted, weighed, np.isfinite(value), spread, strict=True)
        ):
            if not trials:
                reasons.append(self.empty)
            elif not weight:
                reasons.append("all weights are 0")
            elif not finite:
                missed = (reason for reason, nowhere in lacking.items() if nowhere[group])
                reasons.append(next(missed, self.otherwise))
            elif not varies and not bounded:
                reasons.append(FLAT)
            else:
                reasons.append(None)
        return reasons

    def figures(self, members: Floats, *, dependent: Dependence | None) -> Figures:
        return self.influences(members, dependent=dependent).figures()

    def influences(self, members: Floats, *, dependent: Dependence | None) -> Influences:
        """Return what rows and buckets contribute to the figures of sets of groups."""
        sums = self.sums @ members
        value, slopes = gradient(self.function, self._named(sums.sum(axis=1)))
        slopes = np.where(np.isfinite(slopes), slopes, 0.0)
        # Rows that two sets share make their figures move together.
        with np.errstate(over="ignore", invalid="ignore"):
            covariance = self._quadratic(self.products, members, slopes)
            size = self._quadratic(np.abs(self.products), members, np.abs(slopes))
        trials = self.trials @ members
        rows = trials.sum(axis=0)
        square, size = np.diag(covariance), np.diag(size)
        # What is left of larger numbers that cancel is rounding, not variation.
        square = np.where(square > ROUNDING * (10 + np.sqrt(rows)) * size, square, 0.0)
        scale = np.sqrt(np.where(square > 0, square, 1.0))
        correlation = covariance / np.outer(scale, scale)
        np.fill_diagonal(correlation, 1.0)
        effective = self._effective_rows(members, sums)
        return Influences(
            value=value,
            rows=rows,
            variance=square * effective / np.maximum(effective - 1, 1),
            df=np.maximum(effective - 1, 0.0),
            correlation=correlation,
            buckets=None if dependent is None else np.einsum("ij,ibj->bj", slopes, sums),
            occupied=None if dependent is None else trials,
            within=self.within,
            dependent=dependent,
            mean=self.mean,
            rare=self.rare,
        )

    @staticmethod
    def _quadratic(products: Floats, members: Floats, slopes: Floats) -> Floats:
        """Return slopes times products times slopes for every two sets, over the groups of both."""
        both = np.zeros((members.shape[1],) * 2)
        for term, slope in enumerate(slopes):
            by_group = products[:, term].T @ slopes * members
            both += by_group.T @ members * slope
        return both

    def _effective_rows(self, members: Floats, sums: Floats) -> Floats:
        """Return Kish's number of rows: few where some weights are much larger than others."""
        place = self.names.index(self.among)
        return kish(sums[place].sum(axis=0), self.products[place, place] @ members)

    def _named(self, sums: Floats) -> Mapping[str, Floats]:
        return dict(zip(self.names, sums, strict=True))


FLAT = "all rows have the same value, or differ too little beside its size to tell"


def _without_trials(sums: Proportion, empty: str) -> list[str | None]:
    trials, rows = sums.trials.sum(axis=0), sums.rows.sum(axis=0)
    return [
        None if weight > 0 else "all weights are 0" if count else empty
        for weight, count in zip(trials, rows, strict=True)
    ]


def _proportions(sums: Proportion, dependent: Dependence | None) -> Proportions:
    if dependent is None:
        return independent(_over_buckets(sums))
    return clustered(sums, dependent)


def _of_sets(sums: Proportion, members: Floats) -> Proportion:
    return Proportion(
        **{name: getattr(sums, name) @ members for name in _ARRAYS}, weighted=sums.weighted
    )


def _over_buckets(sums: Proportion) -> Proportion:
    return Proportion(
        **{name: getattr(sums, name).sum(axis=0) for name in _ARRAYS}, weighted=sums.weighted
    )


def _stack(parts: Sequence[Proportion]) -> Proportion:
    return Proportion(
        **{name: np.hstack([getattr(part, name) for part in parts]) for name in _ARRAYS},
        weighted=parts[0].weighted,
    )


_ARRAYS = [part.name for part in fields(Proportion) if part.name != "weighted"]
