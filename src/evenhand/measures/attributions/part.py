"""Parts of a score: what features do to it, in the mean and in size."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

import narwhals as nw

from evenhand.measures.figure import Figure, SmoothFunction
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure
from evenhand.stats.estimate import Outcome, Undefined

_EMPTY = "no example of which it is known"

ALL_ZERO = "its part is 0 in every row, from which no interval can be told"
"""Why there is no estimate of what is 0 in every row: it is 0, and that is all that is known.

Of a feature that the model does not read this is so by structure, of one that never changes in
these examples it is not: nothing in the rows tells which it is.
"""


@dataclass(frozen=True)
class _Parts(SmoothFunction):
    """A mean that says of rows that are all 0 that they are, beside those of another one value."""

    def undefined(self) -> list[str | None]:
        place = len(self.names) - 1  # The amount comes last, behind the rows.
        nothing = self.products[place, place] == 0
        return [
            ALL_ZERO if reason and rows and zero else reason
            for reason, rows, zero in zip(
                super().undefined(), self.trials.sum(axis=0), nothing, strict=True
            )
        ]


def _told(mean: SmoothFunction) -> Figure:
    return _Parts(**{one.name: getattr(mean, one.name) for one in fields(mean)})


def is_zero(outcome: Outcome) -> bool:
    """Return whether a part, or the difference of two groups' parts, is 0 without an interval."""
    if not isinstance(outcome, Undefined):
        return False
    # Of a difference both groups are to be 0, whose reasons stand behind each other.
    return outcome.reason == ALL_ZERO or outcome.reason.count(ALL_ZERO) > 1


@measure(
    needs=("attribution",),
    better=None,
    tags=("explainability", "fairness"),
    cites="Lundberg and Lee 2017; Lundberg 2020",
)
class MeanAttribution(Sums):
    """Mean part of a feature in the score, above the background's mean score; in (-inf, inf).

    In units of the score, which the log's notes name. Its level is that of the background that was
    drawn: another seed moves it by more than the interval says. Parts of all features add up to the
    mean score minus the background's; so the differences of two groups, feature by feature, add up
    to the difference of their mean scores (`mean_explained_score`), whatever the background is:
    those are what makes the disparity. A little the differences move with the background too, all
    together they do not. The interval is of the examples, with the background as it is. What is 0
    in every row is told as such, with no interval.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "age", "attribution": [0.5, -1.0]})
    >>> eh.estimate("mean_attribution", eh.log(rows, kind="attributions")).value
    -0.25
    """

    adds_up_to: ClassVar[str] = "mean_explained_score"

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"part": log.attribution}

    def finalise(self, s: TermSums) -> Figure:
        return _told(s.mean("part", among="rows", empty=_EMPTY))


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
        return _told(s.mean("size", among="rows", empty=_EMPTY, within=(0.0, float("inf"))))
