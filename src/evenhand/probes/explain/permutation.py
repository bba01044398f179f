"""Permutation importance: how much worse answers are with a feature of other examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.errors import Problem
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Floats, Model
from evenhand.models.spec import Spec
from evenhand.probes.explain.explanation import Explanation, Told
from evenhand.probes.explain.table import Table
from evenhand.probes.looked import scores_of
from evenhand.probes.parameter import count_of, refuse

_FLOOR = 1e-15
"""The least chance of a class that a log-loss counts: trees give 0."""


@dataclass(frozen=True)
class Permutation(Explanation):
    """The values of a feature are permuted among all examples, and losses compared.

    Breiman 2001 and Fisher, Rudin and Dominici 2019: the mean over repeats of the loss with another
    example's value, minus the loss. Of the error (0 or 1), and of the log-loss (natural, chances
    from 1e-15) where the model gives probabilities or logits. Every feature gets the value of the
    same other example in a repeat, so that features are compared under the same draws.

    Attributes:
        repeats: How many permutations; the same for every feature.

    """

    name = "permutation"
    summary = ("permutation_importance", "log_loss_importance")
    columns: ClassVar[dict[str, pl.DataType]] = {
        "error_rise": pl.Float64(),
        "log_loss_rise": pl.Float64(),
    }

    repeats: int = 5

    def __post_init__(self) -> None:
        """Refuse what is no number of repeats."""
        what = f"repeats={self.repeats} is no number of permutations, from 1 on."
        refuse(str(self), [(not count_of(self.repeats), what)])

    def explained(
        self,
        model: Model,
        examples: Inputs,
        table: Table,
        *,
        labels: Codes,
        prediction: Codes,
        tell: Told,
    ) -> pl.DataFrame:
        """Return the rise of both losses, in mean over the repeats."""
        error = (prediction != labels).astype(np.float64)
        before = Losses(error, _log_losses(model, examples, labels))
        where = table.places_of(examples)
        every = table.x.reshape(len(table.x), -1)
        # Whole rows at once: columns of far apart rows are slow to gather.
        others = [every[table.order(repeat)[where]] for repeat in range(self.repeats)]
        size = len(table.features)
        errors, logs = np.zeros((size, len(labels))), np.zeros((size, len(labels)))
        shape = examples.x.shape
        x = examples.x.reshape(len(labels), -1).copy()
        own = x.copy()
        for at, members in enumerate(table.features.members):
            # One column as a slice is a view, which needs no list of places.
            columns = slice(members[0], members[0] + 1) if len(members) == 1 else [*members]
            for repeat, other in enumerate(others):
                x[:, columns] = other[:, columns]
                after = losses(model, x.reshape(shape), labels)
                errors[at] += after.error - before.error
                logs[at] += after.log - before.log
                tell((at * self.repeats + repeat + 1) / (size * self.repeats))
            x[:, columns] = own[:, columns]
        found = {"error_rise": errors, "log_loss_rise": logs}
        return pl.DataFrame(
            {
                name: pl.Series(values.reshape(-1) / self.repeats).fill_nan(None)
                for name, values in found.items()
            }
        )

    def most(self, model: Model, table: Table) -> int:
        """Return a look for each feature and repeat."""
        del model
        return len(table.features) * self.repeats

    def problems(self, model: Model, table: Table | None) -> list[Problem]:
        """Return that it is no table, or that there is nobody to have values of."""
        found = super().problems(model, table)
        if table is not None and len(table.x) < 2:  # noqa: PLR2004 - one and another
            what = "values are those of other examples, and there are none."
            found.append(Problem(str(self), what))
        return found

    def notes(self, model: Model, table: Table) -> tuple[str, ...]:
        """Return how values were drawn, and what makes importances misread."""
        what = f"values are permuted among all {len(table.x):,} examples, {self.repeats} times; "
        what += "intervals are of the examples, with these values as they are"
        return (what, *super().notes(model, table))

    def asked(self, spec: Spec) -> tuple[str, ...]:
        """Return the rise of the error, and of the log-loss where there is one."""
        return self.summary if spec.output in {"logits", "probabilities"} else self.summary[:1]


@dataclass(frozen=True)
class Losses:
    """Losses of examples.

    Attributes:
        error: 1 where the class is wrong, else 0; shape (n,).
        log: Minus the logarithm of the true class's chance; NaN without chances; shape (n,).

    """

    error: NDArray[np.float64]
    log: NDArray[np.float64]


def losses(model: Model, x: Floats, labels: Codes) -> Losses:
    """Return both losses of examples, for one query each.

    Args:
        model: Gives chances, logits, other scores or classes alone.
        x: Examples.
        labels: Places of their true classes.

    """
    if "scores" not in model.offers:
        wrong = (model.predict(x) != labels).astype(np.float64)
        return Losses(wrong, np.full(len(x), np.nan))
    scores = np.asarray(model.numpy(model.scores(model.array(x))), np.float64)
    wrong = (scores.argmax(axis=1) != labels).astype(np.float64)
    return Losses(wrong, _log(scores, labels, model.spec))


def _chances(model: Model) -> int:
    """Return whether a model's answers have a log-loss, 0 or 1."""
    known = model.spec.output in {"logits", "probabilities"}
    return int(known and "scores" in model.offers)


def _log_losses(model: Model, examples: Inputs, labels: Codes) -> NDArray[np.float64]:
    if not _chances(model):
        return np.full(len(examples), np.nan)
    seen = scores_of(examples)
    if seen is not None:
        return _log(seen.astype(np.float64), labels, model.spec)
    return losses(model, examples.x, labels).log


def _log(scores: NDArray[np.float64], labels: Codes, spec: Spec) -> NDArray[np.float64]:
    rows = np.arange(len(scores))
    if spec.output == "logits":
        most = scores.max(axis=1)
        total = most + np.log(np.exp(scores - most[:, None]).sum(axis=1))
        found: NDArray[np.float64] = np.minimum(total - scores[rows, labels], -np.log(_FLOOR))
        return found
    if spec.output == "probabilities":
        return -np.log(np.clip(scores[rows, labels], _FLOOR, None))
    return np.full(len(scores), np.nan)
