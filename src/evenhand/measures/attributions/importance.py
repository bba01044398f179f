"""Permutation importance: how much worse answers are with a feature of other examples."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import narwhals as nw

from evenhand.measures.figure import REAL, Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure


class _Rise(Sums):
    """The mean rise of a loss."""

    within: ClassVar[tuple[float, float]] = REAL

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {self.needs[0]: getattr(log, self.needs[0])}

    def finalise(self, s: TermSums) -> Figure:
        empty = "no example of which it is known"
        found = s.mean(self.needs[0], among="rows", empty=empty, within=self.within)
        # Of a feature that is hardly read most answers are not worse and not better.
        return replace(found, rare=True)


@measure(
    needs=("error_rise",),
    better=None,
    tags=("explainability", "fairness"),
    cites="Breiman 2001; Fisher, Rudin and Dominici 2019",
)
class PermutationImportance(_Rise):
    """Mean rise of the error with another example's value of the feature; in [-1, 1].

    0: answers are as good without what the feature says of this example. That is no proof that the
    model does not use it: of two features that say the same, either can have 0. The values put in
    are those of the log's examples, and the interval is of the examples, with these values as they
    are; for other values too it would be wider, up to twice where both matter alike. It reckons
    with changes that were not seen: where no answer of n changes, it reaches to about 3.8 / n. Its
    difference over groups says for whom the model leans on the feature.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "age", "error_rise": [0.6, -0.1]})
    >>> eh.estimate("permutation_importance", eh.log(rows, kind="attributions")).value
    0.25
    """

    within = (-1.0, 1.0)


@measure(
    needs=("log_loss_rise",),
    better=None,
    tags=("explainability", "fairness"),
    cites="Breiman 2001; Fisher, Rudin and Dominici 2019",
)
class LogLossImportance(_Rise):
    """Mean rise of the log-loss with another example's value of the feature; in (-inf, inf).

    In nats, so that it sees changes of the chance that turn no decision; chances below 1e-15 count
    as 1e-15. See `permutation_importance`.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "age", "log_loss_rise": [1.25, 0.25]})
    >>> eh.estimate("log_loss_importance", eh.log(rows, kind="attributions")).value
    0.75
    """
