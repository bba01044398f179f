"""F1: precision and recall in one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import narwhals as nw
import numpy as np

from evenhand.measures.decisions.confusion import classes_among, of_class, problem_of_average
from evenhand.measures.figure import Figure
from evenhand.measures.measure import OneClass, RoleColumns, Sums, TermSums, measure
from evenhand.stats.interval import Floats
from evenhand.stats.proportion import Curve

FROM_JACCARD = Curve(value=lambda share: 2 * share / (1 + share), slope=lambda s: 2 / (1 + s) ** 2)
"""F1 as a function of the Jaccard index."""


@measure(
    needs=("label", "prediction"),
    better="higher",
    tags=("fairness", "robustness"),
    cites="van Rijsbergen 1979",
)
class F1(OneClass, Sums):
    """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN); in [0, 1].

    It is 2 J / (1 + J) with J = TP / (TP + FP + FN), the share of hits among all rows that are
    positive or predicted so. J is a proportion, so F1 has its interval, mapped. True negatives do
    not enter; with different base rates a difference over groups mixes base rate and skill.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 1, 0, 0], "decided": [1, 0, 1, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> eh.estimate("f1", log).value
    0.5
    """

    average: Literal["macro"] | None = None

    def problem(self) -> str:
        return problem_of_average(self.average, self.positive)

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        if self.average is None:
            return _terms(log)
        each = {
            of_class(name, value): term
            for number, value in enumerate(log.names)
            for name, term in _terms(log.of_class(number)).items()
        }
        return {"rows": 1, **each}

    def finalise(self, s: TermSums) -> Figure:
        empty = "no positive labels and no positive predictions"
        if self.average is None:
            return s.share("true_positives", among="relevant", empty=empty, curve=FROM_JACCARD)
        names = classes_among(s, "relevant")
        # A row that is missed by one class is a false alarm of another: no parts of their own.
        return s.function(
            lambda t: _mean_f1(t, names),
            among="rows",
            empty="no rows",
            within=(0.0, 1.0),
            needs={of_class("relevant", name): f"{empty} of class {name}" for name in names},
        )


def _mean_f1(sums: Mapping[str, Floats], names: Sequence[str]) -> Floats:
    shares = [sums[of_class("true_positives", n)] / sums[of_class("relevant", n)] for n in names]
    return np.asarray(sum(FROM_JACCARD.value(share) for share in shares) / len(names))


def _terms(log: RoleColumns) -> dict[str, nw.Expr | int]:
    positive, selected = log.label == 1, log.prediction == 1
    return {"true_positives": positive & selected, "relevant": positive | selected}
