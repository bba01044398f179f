"""Parts of a score: what features do to it, in the mean and in size."""

from __future__ import annotations

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure

_EMPTY = "no example of which it is known"


@measure(
    needs=("attribution",),
    better=None,
    tags=("explainability", "fairness"),
    cites="Lundberg and Lee 2017; Lundberg 2020",
)
class MeanAttribution(Sums):
    """Mean part of a feature in the score, above the background's mean score; in (-inf, inf).

    In units of the score, which the log's notes name. Parts of all features add up to the mean
    score minus the background's; so the differences of two groups, feature by feature, add up to
    the difference of their mean scores, whatever the background is: those are what makes the
    disparity. The interval is of the examples, with the background as it is.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "age", "attribution": [0.5, -1.0]})
    >>> eh.estimate("mean_attribution", eh.log(rows, kind="attributions")).value
    -0.25
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"part": log.attribution}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean("part", among="rows", empty=_EMPTY)


@measure(
    needs=("attribution",),
    better=None,
    tags=("explainability", "fairness"),
    cites="Lundberg and Lee 2017",
)
class MeanAbsoluteAttribution(Sums):
    """Mean size of a feature's part in the score; in [0, inf).

    What is mostly shown as importance. Of features that go together, such as the columns of one
    category, sizes do not add up: put them together, so that their parts are added with signs.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "age", "attribution": [0.5, -1.0]})
    >>> eh.estimate("mean_absolute_attribution", eh.log(rows, kind="attributions")).value
    0.75
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"size": log.attribution.abs()}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean("size", among="rows", empty=_EMPTY, within=(0.0, float("inf")))
