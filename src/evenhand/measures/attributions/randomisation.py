"""Randomisation: what explanations show of an example that no model has learned anything of."""

from __future__ import annotations

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure

_EMPTY = "no explanation that was compared with one of a model that learned nothing"


@measure(
    needs=("randomisation", "randomisation_null"),
    better="lower",
    tags=("explainability", "fairness"),
    cites="Adebayo et al. 2018",
)
class RandomisationExcess(Sums):
    """Mean likeness to maps of models that learned nothing, above that by chance; in [-2, 2].

    Spearman's correlation of absolute parts with the map of the same example under networks whose
    parameters are drawn anew, minus that with another example's map under them. 0 is at chance: the
    map shows what was learned, as far as this test can tell. Above 0 it shows the example itself
    whatever was learned, as products with the input do; then no picture of it says much of the
    model. A map of noise has 0 too, so read it beside `insertion_gain`. Its interval is over
    examples; the networks are the same for all of them, and others may move it by more.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient_x_input mean",
    ...                      "randomisation": [0.9, 0.8], "randomisation_null": [0.5, 0.4]})
    >>> round(eh.estimate("randomisation_excess", eh.log(rows, kind="attributions")).value, 3)
    0.4
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"excess": log.randomisation - log.randomisation_null}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean("excess", among="rows", empty=_EMPTY, within=(-2.0, 2.0))
