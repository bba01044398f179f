"""Accuracy as a function of the distance: what was found within it, what is certified within it."""

from __future__ import annotations

import math

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, is_number, measure

_UNIT = (0.0, 1.0)


def _wrong(name: str, value: object) -> str:
    """Return what is wrong with a distance; empty when nothing is."""
    if is_number(value) and math.isfinite(float(value)) and float(value) >= 0:  # type: ignore[arg-type]
        return ""
    return f"{name} is a distance, a number from 0, not {value!r}."


@measure(
    needs=("correct", "minimal_norm"),
    better="higher",
    tags=("robustness", "fairness"),
    cites="Pintor et al. 2021",
)
class AccuracyWithin(Sums):
    """Share of source examples that are right and that nothing found within eps breaks; in [0, 1].

    P(right and minimal norm > eps), from one attack that looks for the smallest perturbation: the
    curve of accuracy against eps. An example that nothing was found for counts as unbroken at every
    eps, so an attack that gives up is an upper bound as any other; 0 where everything is broken.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2, 3, 4], "correct": [1, 1, 1, 0],
    ...                      "minimal_norm": [0.05, 0.2, None, 0.0], "variant": "l2"})
    >>> log = eh.log(rows, kind="perturbed")
    >>> [eh.estimate(f"accuracy_within(eps={eps})", log).value for eps in (0.01, 0.1, 0.5)]
    [0.75, 0.5, 0.25]
    """

    eps: float
    tolerates = ("minimal_norm",)

    def problem(self) -> str:
        return _wrong("eps", self.eps)

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        unbroken = log.minimal_norm.is_null() | (log.minimal_norm > self.eps)
        held = (log.correct == 1) & unbroken
        return {self._name: nw.when(held).then(nw.lit(1.0))}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean(self._name, among="rows", empty="no rows", within=_UNIT)

    @property
    def _name(self) -> str:
        return f"unbroken within {_written(self.eps)}"


@measure(
    needs=("correct", "certified_radius"),
    better="higher",
    tags=("robustness", "fairness"),
    cites="Cohen et al. 2019",
)
class CertifiedAccuracy(Sums):
    """Share of source examples that are right and certified within r; in [0, 1].

    P(right and certified radius >= r), in the norm of the certificate; right is the class that is
    certified, of a smoothed model the smoothed one's. One that has no certificate, as where the
    model abstains, counts as wrong. 0 where nothing is certified that far. A lower bound of the
    robust accuracy at r, as an attacked accuracy is an upper one.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2, 3, 4], "correct": [1, 1, 1, 0],
    ...                      "certified_radius": [0.5, 0.25, None, 0.5], "variant": "l2"})
    >>> eh.estimate("certified_accuracy(r=0.25)", eh.log(rows, kind="perturbed")).value
    0.5
    """

    r: float
    tolerates = ("certified_radius",)

    def problem(self) -> str:
        return _wrong("r", self.r)

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        held = (log.correct == 1) & (log.certified_radius >= self.r)
        return {self._name: nw.when(held).then(nw.lit(1.0))}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean(self._name, among="rows", empty="no rows", within=_UNIT)

    @property
    def _name(self) -> str:
        return f"certified within {_written(self.r)}"


def _written(distance: float) -> str:
    """Return a distance as a part of a column's name: Spark takes a point for a step into a field.

    >>> _written(0.25)
    '0p25'
    """
    return repr(distance).replace(".", "p")
