"""Recourse: what it costs to turn an unfavourable decision, and how often nothing turns it."""

from __future__ import annotations

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure


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
    this: that none was found is no proof that there is none.

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
        return s.mean("without", among="rows", empty="no unfavourable decision", within=(0.0, 1.0))
