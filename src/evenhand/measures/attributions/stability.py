"""What noise tells of explanations: infidelity, sensitivity and seeds, as means over examples."""

from __future__ import annotations

from typing import ClassVar

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure

_POSITIVE = (0.0, float("inf"))


class _Mean(Sums):
    """The mean of a number of the card."""

    within: ClassVar[tuple[float, float]] = _POSITIVE

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {self._of: getattr(log, self._of)}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean(
            self._of, among="rows", empty="no explanation of which it is known", within=self.within
        )

    @property
    def _of(self) -> str:
        return self.needs[0]


@measure(
    needs=("infidelity",),
    better="lower",
    tags=("explainability", "fairness"),
    cites="Yeh et al. 2019",
    name="infidelity",
)
class MeanInfidelity(_Mean):
    """Mean squared error of the change of the score that parts say, under noise; in [0, inf).

    In squared units of the score, so that models and methods of other scales are not compared by
    it: `scaled_infidelity` is for that. 0 for the slopes of a linear model.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient mean", "infidelity": [0.5, 1]})
    >>> eh.estimate("infidelity", eh.log(rows, kind="attributions")).value
    0.75
    """


@measure(
    needs=("scaled_infidelity",),
    better="lower",
    tags=("explainability", "fairness"),
    cites="Yeh et al. 2019",
    name="scaled_infidelity",
)
class MeanScaledInfidelity(_Mean):
    """Mean share of the score's change under noise that the parts do not tell; in [0, 1].

    With the best factor of each map, so that methods of other scales can be compared. 0: they tell
    all of it, 1: nothing.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient mean",
    ...                      "scaled_infidelity": [0.5, 1]})
    >>> eh.estimate("scaled_infidelity", eh.log(rows, kind="attributions")).value
    0.75
    """

    within = (0.0, 1.0)


@measure(
    needs=("max_sensitivity",),
    better="lower",
    tags=("explainability", "fairness"),
    cites="Yeh et al. 2019",
    name="max_sensitivity",
)
class MeanMaxSensitivity(_Mean):
    """Mean of the most that a map moves under small noise, by its norm; in [0, inf).

    As Yeh et al. write it, in units of the parts. A map that never changes has 0, so read it beside
    `insertion_gain`. Captum prints `relative_sensitivity`.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient mean",
    ...                      "max_sensitivity": [0.5, 1]})
    >>> eh.estimate("max_sensitivity", eh.log(rows, kind="attributions")).value
    0.75
    """


@measure(
    needs=("relative_sensitivity",),
    better="lower",
    tags=("explainability", "fairness"),
    cites="Yeh et al. 2019; Kokhlikyan et al. 2020",
    name="relative_sensitivity",
)
class MeanRelativeSensitivity(_Mean):
    """Mean of the most that a map moves under small noise, by its own norm; in [0, inf).

    What Captum calls ``sensitivity_max``. 0 for a map that never changes, which is no merit by
    itself.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient mean",
    ...                      "relative_sensitivity": [0.5, 1]})
    >>> eh.estimate("relative_sensitivity", eh.log(rows, kind="attributions")).value
    0.75
    """


@measure(
    needs=("seed_stability",),
    better="higher",
    tags=("explainability", "fairness"),
    cites="Alvarez-Melis and Jaakkola 2018",
    name="seed_stability",
)
class MeanSeedStability(_Mean):
    """Mean likeness of two maps by other random numbers: Spearman's, of signed parts; in [-1, 1].

    1: the order of the parts is the same whatever is drawn, 0: it is drawn. Only of explanations
    that draw; others hold no such number.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "smooth_grad mean",
    ...                      "seed_stability": [0.5, 1]})
    >>> eh.estimate("seed_stability", eh.log(rows, kind="attributions")).value
    0.75
    """

    within = (-1.0, 1.0)
