"""Fast minimum-norm attack."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from evenhand.models.model import Array, Codes, Model, Offer
from evenhand.models.spec import Spec
from evenhand.probes.attack.alive import count_rounds, likeliest
from evenhand.probes.attack.attack import Attack, Found, Task
from evenhand.probes.loss import MARGIN, Aim
from evenhand.probes.method import Progress
from evenhand.probes.parameter import count_of, refuse
from evenhand.probes.threat import Threat, spread, unit

_STEP = (1.0, 1e-5)
_SHRINK = (0.05, 1e-4)
_HALVINGS = 14


@dataclass(frozen=True)
class FMN(Attack):
    """Looks for the smallest change that a model gets wrong, in a ball that shrinks and grows.

    Each step goes along the gradient of the margin and back into a ball. The ball shrinks while the
    example is misclassified and grows while it is not; before the first success its radius is where
    a straight margin would be 0. At the end the change is cut by bisection to where it just works.
    A change larger than eps does not count.

    Source: Pintor, Roli, Brendel and Biggio 2021. Here numbers at an end of the range do not count
    where the gradient points out of it.

    Attributes:
        steps: Gradients in each descent.
        targets: How many of the likeliest other classes to aim at, one after the other, with the
            nearest example kept; 0 for whichever comes first. The nearest class by margin need not
            be the nearest by distance.
        stop: Whether an example leaves once its change is within eps, without the smallest one.

    """

    name: ClassVar[str] = "fmn"
    needs: ClassVar[Offer | None] = "vjp"
    minimal: ClassVar[bool] = True

    steps: int = 100
    targets: int = 0
    stop: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        refuse(
            self.name,
            [
                (not count_of(self.steps), f"steps={self.steps} is no number of steps."),
                (not count_of(self.targets, 0), f"targets={self.targets} is no number of them."),
            ],
        )

    def most(self, model: Model) -> int:
        """Return the most queries that one example can cost."""
        each = 2 * self.steps + 1 + (0 if self.stop else _HALVINGS)
        turns = count_rounds(model.spec.classes, targets=self.targets, restarts=1)
        return 2 + (self.targets > 0) + turns * each

    def stronger(self) -> FMN:
        """Return the same with twice the steps."""
        return replace(self, steps=2 * self.steps)

    def search(self, task: Task, progress: Progress) -> Found:
        """Return the candidate for each input."""
        count = len(task.labels)
        examples, queries = task.x.copy(), np.zeros(count, np.int64)
        nearest, left = np.full(count, np.inf), np.arange(count)
        turns: list[Codes | None] = [None]
        if self.targets:
            scores = task.model.numpy(task.model.scores(task.model.array(task.x)))
            turns = [*likeliest(scores, task.labels, self.targets)]
            queries += 1
        for turn, target in enumerate(turns):

            def tell(done: int, turn: int = turn) -> None:
                progress(str(self), (turn + done / (self.steps + 1)) / len(turns))

            found, far = self._descend(
                task.only(left), None if target is None else target[left], tell
            )
            queries[left] += found.queries
            better = far < nearest[left]
            examples[left[better]], nearest[left[better]] = found.examples[better], far[better]
            if self.stop:
                left = left[nearest[left] > task.threat.eps]
            if not left.size:
                break
        return Found(examples, queries)

    def _descend(
        self, task: Task, target: Codes | None, tell: Callable[[int], None]
    ) -> tuple[Found, NDArray[np.float64]]:
        """Return the nearest example found by one descent, and how far it is; infinite if none."""
        model, x, threat = task.model, task.x, task.threat
        away, given = Aim.away(model, task.labels), model.array(x)
        aim = away if target is None else away.towards(model, target)
        xp, spec = array_namespace(given), model.spec
        widest = threat.widest(spec).eps
        places, examples, far = np.arange(len(x)), x.copy(), np.full(len(x), np.inf)
        queries = np.zeros(len(x), np.int64)
        change = best = xp.zeros_like(given)
        shortest = xp.full(len(x), math.inf, dtype=given.dtype, device=given.device)
        radius = xp.full_like(shortest, widest)
        for done in range(self.steps + 1):
            near = given + change
            last = done == self.steps
            scores, gradient = _look(model, near, aim, last=last)
            queries[places] += 1 if last else 2
            margin, length = MARGIN.value(scores, aim), threat.length(change)
            wrong = MARGIN.value(scores, away) > 0
            better = xp.logical_and(wrong, length < shortest)
            best = xp.where(spread(better, best), change, best)
            shortest = xp.where(better, length, shortest)
            if self.stop:
                left = np.flatnonzero(model.numpy(shortest) > threat.eps)
                if len(left) < len(places):
                    examples[places] = model.numpy(given + best)
                    far[places] = model.numpy(shortest)
                    keep = xp.asarray(left, device=given.device)
                    given, change, best, gradient = (
                        one[keep] for one in (given, change, best, gradient)
                    )
                    margin, length, wrong, shortest, radius = (
                        one[keep] for one in (margin, length, wrong, shortest, radius)
                    )
                    aim, away, places = aim[keep], away[keep], places[left]
                if not len(places):
                    break
            if last:
                break
            gradient = _possible(gradient, given + change, spec)
            shrink = _cosine(_SHRINK, done, self.steps)
            smaller = xp.minimum(radius * (1 - shrink), shortest)
            # A little behind where a straight margin is 0: a step that ends there has not crossed.
            first = length - margin / xp.clip(_dual(threat, gradient), 1e-30, None)
            first = first * (1 + shrink)
            larger = xp.where(xp.isinf(shortest), first, radius * (1 + shrink))
            radius = xp.clip(xp.where(wrong, smaller, larger), 0, widest)
            size = _cosine(_STEP, done, self.steps) * (spec.high - spec.low)
            change = threat.limit(change + size * unit(gradient), radius)
            change = xp.clip(given + change, spec.low, spec.high) - given
            tell(done + 1)
        if len(places):
            best = best if self.stop else self._cut(model, given, best, away)
            queries[places] += 0 if self.stop else _HALVINGS
            examples[places] = model.numpy(given + best)
            length = xp.where(xp.isinf(shortest), shortest, threat.length(best))
            far[places] = model.numpy(length)
        return Found(examples, queries), far

    @staticmethod
    def _cut(model: Model, x: Array, change: Array, aim: Aim) -> Array:
        """Return changes cut to the shortest share that still works; 0 where none did."""
        xp = array_namespace(x)
        fails = xp.zeros(len(x), dtype=x.dtype, device=x.device)
        works = xp.ones_like(fails)
        for _ in range(_HALVINGS):
            middle = (fails + works) / 2
            wrong = MARGIN.value(model.scores(x + change * spread(middle, x)), aim) > 0
            works, fails = xp.where(wrong, middle, works), xp.where(wrong, fails, middle)
        return change * spread(works, x)


def _look(model: Model, near: Array, aim: Aim, *, last: bool) -> tuple[Array, Array]:
    """Return scores and the gradient of the margin; the last time that is not needed."""
    if last:
        return model.scores(near), near
    return model.vjp(near, lambda scores, some: MARGIN.slope(scores, aim[some]))


def _possible(gradient: Array, near: Array, spec: Spec) -> Array:
    """Return gradients without those of numbers at the end of the range that they point out of.

    Otherwise the ball is filled with changes that the range takes away again.
    """
    xp = array_namespace(gradient)
    out = xp.logical_or(
        xp.logical_and(near >= spec.high, gradient > 0),
        xp.logical_and(near <= spec.low, gradient < 0),
    )
    return xp.where(out, xp.zeros_like(gradient), gradient)


def _cosine(ends: tuple[float, float], done: int, steps: int) -> float:
    first, last = ends
    return last + (first - last) * (1 + math.cos(math.pi * done / steps)) / 2


def _dual(threat: Threat, gradient: Array) -> Array:
    """Return the norm of gradients that goes with the threat's, shape (n,)."""
    xp = array_namespace(gradient)
    flat = xp.reshape(gradient, (gradient.shape[0], -1))
    if threat.norm == "linf":
        return xp.sum(xp.abs(flat), axis=1)
    return xp.sqrt(xp.sum(flat * flat, axis=1))
