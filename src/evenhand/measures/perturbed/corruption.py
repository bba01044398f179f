"""Errors under common corruptions: of one, of all alike, and beside those of a baseline."""

from __future__ import annotations

from dataclasses import replace

import narwhals as nw

from evenhand.measures.figure import Figure, SmoothFunction
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure

_EMPTY = "no rows that were corrupted"
_SHARE = (1e-6, 1.0)
"""A mean error to divide by: a share, not a percentage, and not 0."""


class _Wrong(Sums):
    """The share of changed examples that are classified wrongly."""

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {"wrong when changed": log.corrupted_correct == 0, "rows": 1}

    def finalise(self, s: TermSums) -> Figure:
        return s.share("wrong when changed", among="rows", empty=_EMPTY)


@measure(
    needs=("corrupted_correct",),
    better="lower",
    tags=("robustness", "fairness"),
    cites="Hendrycks and Dietterich 2019",
)
class CorruptionError(_Wrong):
    """Share of source examples that are classified wrongly once corrupted; in [0, 1].

    Under one corruption at one severity, the one variant of the rows; of all examples, also those
    that were wrong before. 0 where all are still right; its difference over groups is 0 where the
    corruption spoils as many of every group.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2, 3, 4], "variant": "fog 3",
    ...                      "corrupted_correct": [1, 0, 1, 1]})
    >>> eh.estimate("corruption_error", eh.log(rows, kind="perturbed")).value
    0.25
    """


@measure(
    needs=("corrupted_correct",),
    better="lower",
    tags=("robustness", "fairness"),
    cites="Hendrycks and Dietterich 2019",
)
class MeanCorruptionError(_Wrong):
    """Mean error over all corruptions and severities in the rows, unnormalised; in [0, 1].

    Each corruption at each severity weighs as many rows as it has, hence all alike where every
    example had each. Corruptions differ in how hard they are; `mCE` divides by a baseline's errors.
    0 where all are still right. Rows of one source example are taken together.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2, 1, 2], "variant": ["fog 3", "fog 3", "blur 1",
    ...                      "blur 1"], "corrupted_correct": [0, 0, 1, 0]})
    >>> eh.estimate("mean_corruption_error", eh.log(rows, kind="perturbed")).value
    0.75
    """

    variants = "several"


class _Beside(Sums):
    """A mean over rows of an error divided by a baseline's on the same corruption."""

    variants = "several"
    baseline: str

    def problem(self) -> str:
        # Notation may give it a number.
        name: object = self.baseline
        named = isinstance(name, str) and name.strip()
        return "" if named else f"baseline names a model, not {name!r}."

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def beside(self, figure: SmoothFunction) -> Figure:
        """Return the figure with its baseline named."""
        return replace(figure, about={"baseline": f"{self.baseline}, its errors taken as known"})


@measure(
    needs=("corrupted_correct", "baseline_error"),
    better="lower",
    tags=("robustness", "fairness"),
    cites="Hendrycks and Dietterich 2019",
    name="mCE",
    limits={"baseline_error": _SHARE},
)
class MeanRelativeToBaseline(_Beside):
    """Mean corruption error, each corruption's in units of a baseline model's; in [0, inf).

    The mean over corruptions c of sum_s E(f, s, c) / sum_s E(baseline, s, c), E being the error at
    severity s. Each row holds the baseline's mean error on its corruption, over severities, so the
    figure is the mean over rows of wrong / baseline_error: the two are one where every corruption
    has as many rows, else corruptions weigh as many rows as they have. 1 is as the baseline, 0 is
    no error; it is often written as a percentage. The baseline is taken as known: its own sampling
    error is not in the interval, and for groups it is the same unless rows say otherwise.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2, 1, 2], "variant": ["fog 3", "fog 3", "blur 1",
    ...     "blur 1"], "corrupted_correct": [0, 0, 1, 0], "baseline_error": [0.8, 0.8, 0.5, 0.5]})
    >>> eh.estimate("mCE(baseline=AlexNet)", eh.log(rows, kind="perturbed")).value
    1.125
    """

    baseline: str

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {_WRONG_BESIDE: (1 - log.corrupted_correct) / log.baseline_error}

    def finalise(self, s: TermSums) -> Figure:
        found = s.mean(_WRONG_BESIDE, among="rows", empty=_EMPTY, within=(0.0, float("inf")))
        return self.beside(found)


@measure(
    needs=("correct", "corrupted_correct", "baseline_relative_error"),
    better="lower",
    tags=("robustness", "fairness"),
    cites="Hendrycks and Dietterich 2019",
    name="relative_mCE",
    limits={"baseline_relative_error": _SHARE},
)
class RelativeToCleanAndBaseline(_Beside):
    """Mean rise of the error under corruptions, in units of a baseline model's; in (-inf, inf).

    The mean over corruptions c of sum_s (E(f, s, c) - E(f, clean)) over the same of the baseline,
    from rows that hold the baseline's mean rise on their corruption, as in `mCE`. 1 is as the
    baseline, 0 is no rise; below 0 corruptions helped. A model that was bad before may look good.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2, 1, 2], "variant": ["fog 3", "fog 3", "blur 1",
    ...     "blur 1"], "correct": [1, 1, 1, 1], "corrupted_correct": [0, 0, 1, 0],
    ...     "baseline_relative_error": [0.5, 0.5, 0.25, 0.25]})
    >>> eh.estimate("relative_mCE(baseline=AlexNet)", eh.log(rows, kind="perturbed")).value
    2.0
    """

    baseline: str

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        rise = (log.correct - log.corrupted_correct) / log.baseline_relative_error
        return {_RISE_BESIDE: rise}

    def finalise(self, s: TermSums) -> Figure:
        return self.beside(s.mean(_RISE_BESIDE, among="rows", empty=_EMPTY))


_WRONG_BESIDE = "wrong beside a baseline"
_RISE_BESIDE = "rise beside a baseline"
