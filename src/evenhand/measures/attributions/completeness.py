"""Completeness: how often the parts add up to what they are parts of."""

from __future__ import annotations

import math

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, is_number, measure


@measure(
    needs=("completeness_error",),
    better="higher",
    tags=("explainability", "fairness"),
    cites="Sundararajan, Taly and Yan 2017",
)
class Completeness(Sums):
    """Share of explanations whose parts add up to F(x) - F(x') within a share of it; in [0, 1].

    P(completeness_error <= within). A share and no mean: where an example scores as its baseline
    the relative error has no bound. Only of methods that promise it; others hold no such number.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2, 3, 4], "variant": "integrated_gradients mean",
    ...                      "completeness_error": [0.001, 0.02, 0.04, 0.5]})
    >>> log = eh.log(rows, kind="attributions")
    >>> [eh.estimate(f"completeness(within={by})", log).value for by in (0.01, 0.05)]
    [0.25, 0.75]
    """

    within: float

    def problem(self) -> str:
        value: object = self.within
        fits = is_number(value) and math.isfinite(float(value)) and float(value) >= 0  # type: ignore[arg-type]
        return "" if fits else f"within is a share of the change, a number from 0, not {value!r}."

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        added_up = log.completeness_error <= self.within
        return {self._name: nw.when(added_up).then(nw.lit(1.0))}

    def finalise(self, s: TermSums) -> Figure:
        empty = "no explanation that promises completeness"
        return s.mean(self._name, among="rows", empty=empty, within=(0.0, 1.0))

    @property
    def _name(self) -> str:
        # Spark reads a point as a part of a column.
        return f"complete within {self.within!r}".replace(".", "p")
