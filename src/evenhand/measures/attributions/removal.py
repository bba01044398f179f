"""Insertion and deletion beside orders that know nothing of the model."""

from __future__ import annotations

from typing import ClassVar

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure

_EMPTY = "no explanation whose fill is scored otherwise than its example"


class _Gain(Sums):
    """The mean by which one area is above another."""

    above: ClassVar[str]
    below: ClassVar[str]

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {self._name: getattr(log, self.above) - getattr(log, self.below)}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean(self._name, among="rows", empty=_EMPTY)

    @property
    def _name(self) -> str:
        return f"{self.above} above {self.below}"


@measure(
    needs=("insertion", "insertion_random"),
    better="higher",
    tags=("explainability", "fairness"),
    cites="Petsiuk, Das and Saenko 2018",
)
class InsertionGain(_Gain):
    """Mean area under the score as features come in, above that of random orders; in (-inf, inf).

    The largest parts come first, into the fill that the rows name; a curve goes from 0 at the fill
    to 1 at the example. 0: the order is as good as chance. Its difference over groups is 0 where
    explanations find what matters as well for all.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient mean",
    ...                      "insertion": [0.9, 0.5], "insertion_random": [0.5, 0.5]})
    >>> eh.estimate("insertion_gain", eh.log(rows, kind="attributions")).value
    0.2
    """

    above = "insertion"
    below = "insertion_random"


@measure(
    needs=("insertion", "insertion_edges"),
    better="higher",
    tags=("explainability", "fairness"),
    cites="Adebayo et al. 2018",
)
class InsertionGainOverEdges(_Gain):
    """Mean area under the score as features come in, above that of edges' order; in (-inf, inf).

    0: an edge detector, which knows nothing of the model, is as good. See `insertion_gain`.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient mean",
    ...                      "insertion": [0.9, 0.5], "insertion_edges": [0.5, 0.75]})
    >>> round(eh.estimate("insertion_gain_over_edges", eh.log(rows, kind="attributions")).value, 3)
    0.075
    """

    above = "insertion"
    below = "insertion_edges"


@measure(
    needs=("deletion", "deletion_random"),
    better="higher",
    tags=("explainability", "fairness"),
    cites="Petsiuk, Das and Saenko 2018",
)
class DeletionGain(_Gain):
    """Mean area under the score as features go, below that of random orders; in (-inf, inf).

    The largest parts go first, so a steep fall is a small area, and this is the area of random
    orders minus the explanation's. 0: the order is as good as chance. See `insertion_gain`.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient mean",
    ...                      "deletion": [0.1, 0.5], "deletion_random": [0.5, 0.5]})
    >>> eh.estimate("deletion_gain", eh.log(rows, kind="attributions")).value
    0.2
    """

    above = "deletion_random"
    below = "deletion"


@measure(
    needs=("deletion", "deletion_edges"),
    better="higher",
    tags=("explainability", "fairness"),
    cites="Adebayo et al. 2018",
)
class DeletionGainOverEdges(_Gain):
    """Mean area under the score as features go, below that of edges' order; in (-inf, inf).

    0: an edge detector, which knows nothing of the model, is as good. See `deletion_gain`.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient mean",
    ...                      "deletion": [0.1, 0.5], "deletion_edges": [0.5, 0.25]})
    >>> round(eh.estimate("deletion_gain_over_edges", eh.log(rows, kind="attributions")).value, 3)
    0.075
    """

    above = "deletion_edges"
    below = "deletion"


@measure(
    needs=("insertion", "insertion_random", "deletion", "deletion_random"),
    better="higher",
    tags=("explainability", "fairness"),
    cites="Petsiuk, Das and Saenko 2018; Hooker et al. 2019",
)
class FaithfulShare(Sums):
    """Share of explanations whose order beats random orders both ways; in [0, 1].

    As features come in and as they go: P(insertion > its random area and deletion < its random
    area). Of orders by chance it is about a quarter to a half, not 0. A rule
    ``faithful_share >= 0.9`` is for explanations that are shown to people one by one.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient mean", "insertion": [0.9, 0.6],
    ...     "insertion_random": 0.5, "deletion": [0.1, 0.6], "deletion_random": 0.5})
    >>> eh.estimate("faithful_share", eh.log(rows, kind="attributions")).value
    0.5
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        both = (log.insertion > log.insertion_random) & (log.deletion < log.deletion_random)
        return {"faithful": nw.when(both).then(nw.lit(1.0))}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean("faithful", among="rows", empty=_EMPTY, within=(0.0, 1.0))
