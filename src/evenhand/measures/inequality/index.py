"""Indices of inequality of benefits, where a decision's benefit is prediction - label + 1.

Who is judged right has 1, who gets more than deserved 2, who gets less 0. Every index is a function
of how many rows have which benefit, so it is a smooth function of three counts; and the same
function of the groups' mean benefits is its between-group part.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import narwhals as nw
import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.measure import (
    OneClass,
    RoleColumns,
    Sums,
    TermSums,
    is_number,
    measure,
)
from evenhand.stats.interval import Floats

_NEEDS = ("label", "prediction")
_BENEFITS = {"benefit 0": 0.0, "benefit 1": 1.0, "benefit 2": 2.0}
_POSITIVE = (0.0, np.inf)


class Inequality(OneClass, Sums):
    """An index of how unevenly benefits are spread."""

    within: tuple[float, float] = _POSITIVE

    @abstractmethod
    def index(self, benefits: Sequence[Floats], rows: Sequence[Floats]) -> Floats:
        """Return the index of these benefits, each held by so many rows."""

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {
            "rows": 1,
            "benefit 0": (log.label == 1) & (log.prediction == 0),
            "benefit 1": log.label == log.prediction,
            "benefit 2": (log.label == 0) & (log.prediction == 1),
        }

    def finalise(self, s: TermSums) -> Figure:
        return s.function(
            self._of_counts,
            among="rows",
            empty="no rows with a prediction",
            within=self.within,
            otherwise="the mean benefit is 0",
        )

    def between(self, s: Mapping[str, Floats], groups: Sequence[str]) -> Floats:
        """Return the index after every benefit is replaced by its group's mean.

        Args:
            s: Sums by name, ``"benefit 1 in GROUP"``.
            groups: The names of the groups.

        """
        rows = [s[f"rows in {group}"] for group in groups]
        benefits = [s[f"benefit 1 in {g}"] + 2 * s[f"benefit 2 in {g}"] for g in groups]
        return self.index([b / n for b, n in zip(benefits, rows, strict=True)], rows)

    def _of_counts(self, s: Mapping[str, Floats]) -> Floats:
        benefits = [np.full_like(s["rows"], benefit) for benefit in _BENEFITS.values()]
        return self.index(benefits, [s[name] for name in _BENEFITS])


def _mean(benefits: Sequence[Floats], rows: Sequence[Floats]) -> Floats:
    total = sum(b * n for b, n in zip(benefits, rows, strict=True))
    return np.asarray(total / sum(rows))


@measure(needs=_NEEDS, better="lower", tags=("fairness",), cites="Speicher et al. 2018")
class GeneralizedEntropy(Inequality):
    """Generalised entropy index of benefits; in [0, inf).

    The mean of ((b / mu)^alpha - 1) / (alpha (alpha - 1)), mu the mean benefit. 0 when all
    benefits are equal. A larger alpha gives more weight to those who get more than deserved;
    alpha = 2 is half the squared coefficient of variation. See `theil_index` for alpha = 1.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0, 1, 0], "decided": [0, 1, 1, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> eh.estimate("generalized_entropy(alpha=2)", log).value          # benefits 0, 2, 1, 1
    0.25
    """

    alpha: float = 2.0

    def problem(self) -> str:
        if is_number(self.alpha) and 0 < self.alpha < np.inf and self.alpha != 1:
            return ""
        return "alpha is above 0 and not 1, a number; alpha = 1 is theil_index."

    def index(self, benefits: Sequence[Floats], rows: Sequence[Floats]) -> Floats:
        mu = _mean(benefits, rows)
        parts = [n * ((b / mu) ** self.alpha - 1) for b, n in zip(benefits, rows, strict=True)]
        return np.asarray(sum(parts) / sum(rows) / (self.alpha * (self.alpha - 1)))


@measure(needs=_NEEDS, better="lower", tags=("fairness",), cites="Speicher et al. 2018")
class TheilIndex(Inequality):
    """Theil's index of benefits, mean of (b / mu) ln(b / mu) with 0 ln 0 = 0; in [0, inf).

    The generalised entropy index with alpha = 1. 0 when all benefits are equal.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0, 1, 0], "decided": [0, 1, 1, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> round(eh.estimate("theil_index", log).value, 4)                 # (2 ln 2) / 4
    0.3466
    """

    def index(self, benefits: Sequence[Floats], rows: Sequence[Floats]) -> Floats:
        mu = _mean(benefits, rows)
        parts = []
        for benefit, n in zip(benefits, rows, strict=True):
            relative = benefit / mu
            held = np.where(np.real(relative) > 0, relative, 1.0)
            parts.append(n * held * np.log(held))
        return np.asarray(sum(parts) / sum(rows) + 0 / (np.real(mu) > 0))


@measure(needs=_NEEDS, better="lower", tags=("fairness",), cites="Atkinson 1970")
class AtkinsonIndex(Inequality):
    """Atkinson's index of benefits; in [0, 1].

    1 - (mean of b^(1 - epsilon))^(1 / (1 - epsilon)) / mu, mu the mean benefit: the share of all
    benefit that could be given up if the rest were spread evenly. The aversion to inequality,
    epsilon, is in (0, 1); from 1 on the index is 1 as soon as one benefit is 0.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0, 1, 0], "decided": [0, 1, 1, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> round(eh.estimate("atkinson_index(epsilon=0.5)", log).value, 4)
    0.2714
    """

    epsilon: float = 0.5
    within = (0.0, 1.0)

    def problem(self) -> str:
        fits = is_number(self.epsilon) and 0 < self.epsilon < 1
        return "" if fits else "epsilon is between 0 and 1, a number."

    def index(self, benefits: Sequence[Floats], rows: Sequence[Floats]) -> Floats:
        power = 1 - self.epsilon
        kept = sum(n * b**power for b, n in zip(benefits, rows, strict=True)) / sum(rows)
        value: Floats = 1 - kept ** (1 / power) / _mean(benefits, rows)
        return value


@measure(needs=_NEEDS, better="lower", tags=("fairness",), cites="Gini 1912")
class GiniIndex(Inequality):
    """Gini's index of benefits, the mean absolute difference of two rows over 2 mu; in [0, 1].

    0 when all benefits are equal.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0, 1, 0], "decided": [0, 1, 1, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> eh.estimate("gini_index", log).value
    0.375
    """

    within = (0.0, 1.0)

    def index(self, benefits: Sequence[Floats], rows: Sequence[Floats]) -> Floats:
        pairs = [*zip(benefits, rows, strict=True)]
        gaps = np.zeros_like(rows[0])
        for place, (b, n) in enumerate(pairs):
            for other, m in pairs[place + 1 :]:
                # The absolute value of the real part keeps the derivative.
                gaps = gaps + n * m * np.where(np.real(b) >= np.real(other), b - other, other - b)
        value: Floats = gaps / sum(rows) ** 2 / _mean(benefits, rows)
        return value
