"""What is left of the accuracy when somebody tries: robust accuracy, its loss, attack success."""

from __future__ import annotations

from collections.abc import Callable

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure

TERMS: dict[str, Callable[[RoleColumns], nw.Expr | int]] = {
    "rows": lambda _: 1,
    "right": lambda log: log.correct == 1,
    "survived": lambda log: (log.correct == 1) & (log.robust == 1),
    "broken": lambda log: (log.correct == 1) & (log.robust == 0),
}

_NEEDS = ("correct", "robust")
_EMPTY = "no rows that were attacked"
_AT_MOST = {"attack": "an upper bound: what these attacks did not break a stronger one may"}
_AT_LEAST = {"attack": "a lower bound: what these attacks did not break a stronger one may"}


@measure(needs=_NEEDS, better="higher", tags=("robustness", "fairness"), cites="Madry et al. 2018")
class RobustAccuracy(Sums):
    """Share of all source examples that are right and stay so whatever was tried; in [0, 1].

    P(the clean example is right and every attack of the set failed). An example that is wrong
    already is not robust. An attacked accuracy is an upper bound of the robust one: a stronger
    attack may break more, so a difference over groups says what this set of attacks found, for one
    norm and eps. That is 0 when the attacks leave as many of every group. Beside certificates of
    the same classifier `bounds(robust_accuracy, missing=certificate)` is the set that it lies in.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2, 3, 4], "correct": [1, 1, 1, 0],
    ...                      "robust": [1, 0, 0, 0], "variant": "linf 0.1"})
    >>> eh.estimate("robust_accuracy", eh.log(rows, kind="perturbed")).value
    0.25
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {name: TERMS[name](log) for name in ("survived", "rows")}

    def finalise(self, s: TermSums) -> Figure:
        return s.share("survived", among="rows", empty=_EMPTY, about=_AT_MOST)


@measure(needs=_NEEDS, better="lower", tags=("robustness", "fairness"), cites="Carlini et al. 2019")
class AttackSuccessRate(Sums):
    """Share of the source examples that were right which an attack breaks; in [0, 1].

    P(broken | the clean example is right) = 1 - robust accuracy / clean accuracy. 0 where nothing
    is broken. Groups with other clean accuracies are compared among what there was to break.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2, 3, 4], "correct": [1, 1, 1, 0],
    ...                      "robust": [1, 0, 0, 0], "variant": "linf 0.1"})
    >>> round(eh.estimate("attack_success_rate", eh.log(rows, kind="perturbed")).value, 4)
    0.6667
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {name: TERMS[name](log) for name in ("broken", "right")}

    def finalise(self, s: TermSums) -> Figure:
        empty = "no attacked rows were right before"
        return s.share("broken", among="right", empty=empty, about=_AT_LEAST)


@measure(needs=_NEEDS, better="lower", tags=("robustness", "fairness"), cites="Xu et al. 2021")
class RobustnessDrop(Sums):
    """Share of all source examples that are right and are broken, clean - robust; in [0, 1].

    How much accuracy the attacks take away: 0 where nothing is broken. Clean and attacked example
    stand in one row, so that the interval is that of paired examples, which two accuracies beside
    each other do not give.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2, 3, 4], "correct": [1, 1, 1, 0],
    ...                      "robust": [1, 0, 0, 0], "variant": "linf 0.1"})
    >>> eh.estimate("robustness_drop", eh.log(rows, kind="perturbed")).value
    0.5
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {name: TERMS[name](log) for name in ("broken", "rows")}

    def finalise(self, s: TermSums) -> Figure:
        return s.share("broken", among="rows", empty=_EMPTY, about=_AT_LEAST)
