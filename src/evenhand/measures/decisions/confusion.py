"""The rates of the confusion matrix: what was decided against what was true.

Every rate is a share, ``of`` among ``among``, of two terms of the one table `TERMS`; so any number
of them is counted once. TP, FP, TN and FN are the four cells; positive means label = 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import narwhals as nw
import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.measure import OneClass, RoleColumns, Sums, TermSums, measure
from evenhand.stats.interval import Floats

TERMS: dict[str, Callable[[RoleColumns], nw.Expr | int]] = {
    "rows": lambda _: 1,
    "positives": lambda log: log.label == 1,
    "negatives": lambda log: log.label == 0,
    "selected": lambda log: log.prediction == 1,
    "rejected": lambda log: log.prediction == 0,
    "correct": lambda log: log.label == log.prediction,
    "true_positives": lambda log: (log.label == 1) & (log.prediction == 1),
    "false_positives": lambda log: (log.label == 0) & (log.prediction == 1),
    "true_negatives": lambda log: (log.label == 0) & (log.prediction == 0),
    "false_negatives": lambda log: (log.label == 1) & (log.prediction == 0),
}

_BOTH = ("label", "prediction")


@dataclass(frozen=True)
class Rate(OneClass, Sums):
    """A share of two terms of the table.

    Attributes:
        of: The term in the numerator.
        among: The term in the denominator; the numerator's rows are among its rows.
        empty: Why the rate is undefined where the denominator is zero.
        average: ``macro`` for the plain mean over all classes, each counted as positive in turn.

    """

    of: ClassVar[str]
    among: ClassVar[str]
    empty: ClassVar[str]
    average: Literal["macro"] | None = None

    def problem(self) -> str:
        return problem_of_average(self.average, self.positive)

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        if self.average is None:
            return {name: TERMS[name](log) for name in (self.of, self.among)}
        each = {
            of_class(name, value): TERMS[name](log.of_class(number))
            for number, value in enumerate(log.names)
            for name in (self.of, self.among)
        }
        return {"rows": 1, **each}

    def finalise(self, s: TermSums) -> Figure:
        if self.average is None:
            return s.share(self.of, among=self.among, empty=self.empty)
        names = classes_among(s, self.among)
        if self.among not in _APART:
            return s.function(
                lambda t: mean_over_classes(t, self.of, self.among, names),
                among="rows",
                empty="no rows",
                within=(0.0, 1.0),
                needs={
                    of_class(self.among, name): f"{self.empty} of class {name}" for name in names
                },
            )
        parts = tuple(
            s.share(
                of_class(self.of, name),
                among=of_class(self.among, name),
                empty=f"{self.empty} of class {name}",
            )
            for name in names
        )
        return s.average(parts, among="rows", empty="no rows")


_APART = {"positives", "selected"}
"""Terms of which a row is in one class's only, so that the classes' shares are independent."""


def mean_over_classes(
    sums: Mapping[str, Floats], of: str, among: str, names: Sequence[str]
) -> Floats:
    """Return the mean over classes of one sum over another."""
    parts = [sums[of_class(of, name)] / sums[of_class(among, name)] for name in names]
    return np.asarray(sum(parts) / len(parts))


def of_class(term: str, name: str) -> str:
    """Return the name of a term for one of the declared classes."""
    return f"{term} of class {name}"


def classes_among(s: TermSums, term: str) -> list[str]:
    """Return the names of the classes that a term was summed for."""
    start = of_class(term, "")
    return [name.removeprefix(start) for name in s.rows if name.startswith(start)]


def problem_of_average(average: str | None, positive: object) -> str:
    """Return what is wrong with these parameters; empty when nothing is."""
    if average not in {None, "macro"}:
        return f"average is macro or left out, not '{average}'."
    if average is not None and positive is not None:
        return "an average over all classes has no positive one."
    return ""


@measure(needs=("prediction",), better=None, tags=("fairness",), cites="Dwork et al. 2012")
class SelectionRate(Rate):
    """Share of rows that receive the positive decision, P(Yhat = 1); in [0, 1].

    Its difference over groups is the demographic parity difference: 0 when every group is
    selected alike. Neither direction is good in itself: a loan is wanted, a removal is not.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"approved": [1, 1, 1, 0]})
    >>> eh.estimate("selection_rate", eh.log(rows, kind="decisions", prediction="approved")).value
    0.75
    """

    of, among, empty = "selected", "rows", "no rows with a prediction"


@measure(
    needs=("label",), better=None, tags=("fairness",), cites="Barocas, Hardt and Narayanan 2023"
)
class BaseRate(Rate):
    """Share of rows whose label is positive, P(Y = 1); in [0, 1].

    A property of the world in the log, not of the model: where it differs between groups, parity
    of selection and parity of errors cannot all hold (Kleinberg et al. 2017).

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"repaid": [1, 0, 0, 0]})
    >>> eh.estimate("base_rate", eh.log(rows, kind="decisions", label="repaid")).value
    0.25
    """

    of, among, empty = "positives", "rows", "no rows"


@measure(
    needs=_BOTH, better="higher", tags=("fairness", "robustness"), cites="Buolamwini and Gebru 2018"
)
class Accuracy(Sums):
    """Share of rows whose prediction equals the label, P(Yhat = Y); in [0, 1].

    Its difference over groups is 0 when the model errs as often for all; it says nothing about
    which way it errs, so read it beside the true and false positive rates.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 1, 0, 0], "decided": [1, 0, 0, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> eh.estimate("accuracy", log).value
    0.75
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {name: TERMS[name](log) for name in ("correct", "rows")}

    def finalise(self, s: TermSums) -> Figure:
        return s.share("correct", among="rows", empty="no rows with a prediction")


@measure(needs=_BOTH, better="higher", tags=("fairness",), cites="Hardt et al. 2016")
class TruePositiveRate(Rate):
    """Share of the positives that are predicted positive, TP / (TP + FN); in [0, 1].

    Also called recall or sensitivity. Its difference over groups is the equal opportunity
    difference: 0 when the deserving of every group are found alike.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 1, 0, 0], "decided": [1, 0, 1, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> eh.estimate("true_positive_rate", log).value
    0.5
    """

    of, among, empty = "true_positives", "positives", "no positive labels"


@measure(needs=_BOTH, better="lower", tags=("fairness",), cites="Hardt et al. 2016")
class FalseNegativeRate(Rate):
    """Share of the positives that are predicted negative, FN / (TP + FN); in [0, 1].

    Also called miss rate; 1 - true positive rate, so both have the same difference over groups.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 1, 1, 0], "decided": [1, 1, 0, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> round(eh.estimate("false_negative_rate", log).value, 4)
    0.3333
    """

    of, among, empty = "false_negatives", "positives", "no positive labels"


@measure(needs=_BOTH, better="lower", tags=("fairness",), cites="Hardt et al. 2016")
class FalsePositiveRate(Rate):
    """Share of the negatives that are predicted positive, FP / (FP + TN); in [0, 1].

    Also called fall-out; 1 - specificity. Together with the true positive rate it makes
    equalised odds: both differences are 0.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0, 0, 0], "decided": [1, 1, 0, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> round(eh.estimate("false_positive_rate", log).value, 4)
    0.3333
    """

    of, among, empty = "false_positives", "negatives", "no negative labels"


@measure(needs=_BOTH, better="higher", tags=("fairness",), cites="Hardt et al. 2016")
class TrueNegativeRate(Rate):
    """Share of the negatives that are predicted negative, TN / (FP + TN); in [0, 1].

    Also called specificity; 1 - false positive rate.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0, 0, 0], "decided": [1, 1, 0, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> round(eh.estimate("true_negative_rate", log).value, 4)
    0.6667
    """

    of, among, empty = "true_negatives", "negatives", "no negative labels"


@measure(needs=_BOTH, better="higher", tags=("fairness",), cites="Chouldechova 2017")
class PositivePredictiveValue(Rate):
    """Share of the predicted positives that are positive, TP / (TP + FP); in [0, 1].

    Also called precision. Its difference over groups is 0 under predictive parity.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0, 0, 1], "decided": [1, 1, 0, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> eh.estimate("positive_predictive_value", log).value
    0.5
    """

    of, among, empty = "true_positives", "selected", "no positive predictions"


@measure(needs=_BOTH, better="lower", tags=("fairness",), cites="Chouldechova 2017")
class FalseDiscoveryRate(Rate):
    """Share of the predicted positives that are negative, FP / (TP + FP); in [0, 1].

    1 - positive predictive value.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0, 0, 1], "decided": [1, 1, 1, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> round(eh.estimate("false_discovery_rate", log).value, 4)
    0.6667
    """

    of, among, empty = "false_positives", "selected", "no positive predictions"


@measure(needs=_BOTH, better="higher", tags=("fairness",), cites="Berk et al. 2021")
class NegativePredictiveValue(Rate):
    """Share of the predicted negatives that are negative, TN / (TN + FN); in [0, 1].

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0, 0, 1], "decided": [1, 0, 0, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> round(eh.estimate("negative_predictive_value", log).value, 4)
    0.6667
    """

    of, among, empty = "true_negatives", "rejected", "no negative predictions"


@measure(needs=_BOTH, better="lower", tags=("fairness",), cites="Berk et al. 2021")
class FalseOmissionRate(Rate):
    """Share of the predicted negatives that are positive, FN / (TN + FN); in [0, 1].

    1 - negative predictive value: those who were passed over and should not have been.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0, 0, 1], "decided": [1, 0, 0, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> round(eh.estimate("false_omission_rate", log).value, 4)
    0.3333
    """

    of, among, empty = "false_negatives", "rejected", "no negative predictions"
