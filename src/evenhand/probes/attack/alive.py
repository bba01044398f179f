"""Examples that still resist a white-box attack, in the model's own arrays; solved ones leave."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from evenhand.models.model import Array, Codes, Floats
from evenhand.probes.attack.attack import Found, Task
from evenhand.probes.loss import MARGIN, Aim
from evenhand.probes.threat import spread


class Alive:
    """The examples that resisted so far, each with the iterate that came nearest.

    Nearest is the largest margin: above 0 the example is misclassified and leaves.

    Attributes:
        model: The model under attack.
        threat: The ball.
        x: Inputs of those that are left, in arrays of the model's library, shape (m, *shape).
        aim: What their scores are to become.
        places: Where they stand among all inputs, shape (m,).
        queries: What each of all inputs has cost, shape (n,).

    """

    def __init__(self, task: Task) -> None:
        model, x = task.model, task.x
        self.model, self.threat = model, task.threat
        self.x = model.array(x)
        self.aim = Aim.away(model, task.labels)
        self.places = np.arange(len(x))
        self.queries: NDArray[np.int64] = np.zeros(len(x), np.int64)
        self._examples = x.copy()
        self._best = self.x
        xp = array_namespace(self.x)
        self._margin = xp.full(len(x), -np.inf, dtype=self.x.dtype, device=self.x.device)

    def __len__(self) -> int:
        return len(self.places)

    def scores(self, near: Array) -> Array:
        """Return scores of examples, and count what they cost."""
        self.queries[self.places] += 1
        return self.model.scores(near)

    def gradient(self, near: Array, slope: Array) -> tuple[Array, Array]:
        """Return scores and gradients by `Model.vjp`, and count what they cost."""
        self.queries[self.places] += 2
        return self.model.vjp(near, slope)

    def see(self, near: Array, scores: Array) -> Array | None:
        """Look at where examples have come to; those that are misclassified leave.

        Returns:
            The places, among those there were, of those that are left; none where all are.

        """
        xp = array_namespace(near)
        margin = MARGIN.value(scores, self.aim)
        better = margin > self._margin
        self._best = xp.where(spread(better, near), near, self._best)
        self._margin = xp.where(better, margin, self._margin)
        left = np.flatnonzero(self.model.numpy(self._margin) <= 0)
        if len(left) == len(self):
            return None
        solved = np.setdiff1d(np.arange(len(self)), left)
        self._write(solved)
        keep = xp.asarray(left, device=near.device)
        self.x, self._best = self.x[keep], self._best[keep]
        self._margin, self.aim = self._margin[keep], self.aim[keep]
        self.places = self.places[left]
        return keep

    def found(self) -> Found:
        """Return the candidate of every input."""
        self._write(np.arange(len(self)))
        return Found(self._examples, self.queries)

    def _write(self, some: NDArray[np.int64]) -> None:
        if some.size:
            xp = array_namespace(self._best)
            chosen = self._best[xp.asarray(some, device=self._best.device)]
            self._examples[self.places[some]] = self.model.numpy(chosen)


def rounds(alive: Alive, labels: Codes, *, targets: int, restarts: int) -> list[Codes | None]:
    """Return what each round of an attack aims at: nothing, or a class for each of all inputs.

    Targets are the most likely other classes of each input, the likeliest first.

    Args:
        alive: All inputs; with targets they are asked about once.
        labels: Their true classes.
        targets: How many classes to aim at one after the other; 0 for none.
        restarts: How often each round is done.

    """
    if not targets:
        return [None] * restarts
    scores = alive.model.numpy(alive.scores(alive.x))
    return [*likeliest(scores, labels, targets)] * restarts


def likeliest(scores: Floats, labels: Codes, count: int) -> Codes:
    """Return the other classes with the largest scores, the largest first, shape (count, n).

    There are fewer where there are not so many classes.
    """
    others = scores.astype(np.float64)
    others[np.arange(len(labels)), labels] = -np.inf
    order = np.argsort(-others, axis=1, kind="stable")
    found: Codes = order[:, : _aims(scores.shape[1], count)].T.astype(np.int64)
    return found


def count_rounds(classes: int, *, targets: int, restarts: int) -> int:
    """Return how many rounds there will be."""
    return restarts * (_aims(classes, targets) if targets else 1)


def _aims(classes: int, targets: int) -> int:
    return min(targets, classes - 1)
