"""Recourse: what it costs to turn an unfavourable decision, and how often nothing turns it."""

from __future__ import annotations

import math

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, is_number, measure

_EMPTY = "no unfavourable decision"


@measure(
    needs=("recourse_cost",),
    better="lower",
    tags=("explainability", "fairness"),
    cites="Ustun, Spangher and Liu 2019; Sharma, Henderson and Ghosh 2020",
)
class MeanRecourseCost(Sums):
    """Mean cost of the cheapest change that turns an unfavourable decision; in [0, inf).

    Among examples that are decided unfavourably and for which a change was found, in the units that
    the log's notes name. A group whose hard cases have no recourse at all has a low mean: read it
    beside `no_recourse`. Its difference over groups is 0 where those refused have as far to go.
    Where changes are searched for or whole numbers rounded, each cost is at most what is told, and
    a difference of two means is bounded on neither side.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2, 3], "variant": "all features",
    ...                      "recourse": [1.0, 1.0, 0.0], "recourse_cost": [0.5, 1.0, None]})
    >>> eh.estimate("mean_recourse_cost", eh.log(rows, kind="attributions")).value
    0.75
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"cost": log.recourse_cost}

    def finalise(self, s: TermSums) -> Figure:
        empty = "no unfavourable decision that a change was found for"
        return s.mean("cost", among="rows", empty=empty, within=(0.0, float("inf")))


@measure(
    needs=("recourse",),
    better="lower",
    tags=("explainability", "fairness"),
    cites="Ustun, Spangher and Liu 2019",
)
class NoRecourse(Sums):
    """Share of unfavourable decisions that no change was found to turn; in [0, 1].

    Within the ranges and with what is immutable kept. Where changes are searched for it is at most
    this, and a difference of two bounded on neither side: that none was found is no proof that
    there is none.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2, 3, 4], "variant": "all features",
    ...                      "recourse": [1.0, 1.0, 0.0, None]})
    >>> round(eh.estimate("no_recourse", eh.log(rows, kind="attributions")).value, 3)
    0.333
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"without": 1 - log.recourse}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean("without", among="rows", empty=_EMPTY, within=(0.0, 1.0))


@measure(
    needs=("recourse", "recourse_cost"),
    better="higher",
    tags=("explainability", "fairness"),
    cites="Ustun, Spangher and Liu 2019; von Kuegelgen et al. 2022",
)
class RecourseWithin(Sums):
    """Share of unfavourable decisions that a change of at most this cost turns; in [0, 1].

    P(recourse and its cost <= cost), in the units that the log's notes name: the curve of who gets
    through against what it costs. It rises to 1 - `no_recourse`, which it is at ``cost=1e999``.
    Where changes are searched for or whole numbers rounded it is at least this: a cheaper one may
    have been missed. Its difference over groups is 0 where as many of those refused can get through
    at that cost; of two shares that are at least what is told it is bounded on neither side.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2, 3, 4, 5], "variant": "all features",
    ...                      "recourse": [1.0, 1.0, 0.0, 1.0, None],
    ...                      "recourse_cost": [0.5, 1.0, None, 3.0, None]})
    >>> log = eh.log(rows, kind="attributions")
    >>> [eh.estimate(f"recourse_within(cost={cost})", log).value for cost in (0, 1, 3, "1e999")]
    [0.0, 0.5, 0.75, 0.75]
    """

    cost: float
    tolerates = ("recourse_cost",)

    def problem(self) -> str:
        value: object = self.cost
        # No number is less than NaN, nor as large.
        if is_number(value) and float(value) >= 0:  # type: ignore[arg-type]
            return ""
        return f"cost is what a change may cost, a number from 0, not {value!r}."

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        if math.isinf(self.cost):
            return {self._name: log.recourse}
        return {self._name: nw.when(log.recourse_cost <= float(self.cost)).then(log.recourse)}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean(self._name, among="rows", empty=_EMPTY, within=(0.0, 1.0))

    @property
    def _name(self) -> str:
        # Spark reads a point as a part of a column.
        return f"turned within {float(self.cost)!r}".replace(".", "p")
