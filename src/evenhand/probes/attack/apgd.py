"""Auto-PGD: projected gradient descent with momentum that finds its own step size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from array_api_compat import array_namespace

from evenhand.models.model import Array, Model, Offer
from evenhand.probes.attack.alive import Alive, count_rounds, rounds
from evenhand.probes.attack.attack import Attack, Found, Task
from evenhand.probes.loss import LOSSES, Aim, Loss, LossName, fitting
from evenhand.probes.method import Progress
from evenhand.probes.parameter import count_of, refuse
from evenhand.probes.threat import spread

_MOMENTUM = 0.75
_GAINS = 0.75
"""Of the steps between two checkpoints, the share that must have gained."""


@dataclass(frozen=True)
class APGD(Attack):
    """Ascent that halves the step of each example that stops gaining, and goes back to its best.

    Steps are 2 eps at first. At checkpoints, which come ever closer, the step is halved where fewer
    than three quarters of the steps since the last one gained, or where neither step nor best loss
    has changed since; the example then goes on from its best place. With targets the loss of each
    of the likeliest other classes is raised in turn; whatever other class comes out of it counts.

    Source: Croce and Hein 2020, algorithm 1. Its momentum is set to 0 where an example goes back.

    Attributes:
        loss: ``ce``, ``margin`` or ``dlr``.
        steps: Gradients in each round.
        restarts: How often it begins anew, each time at a random place of the ball.
        targets: How many other classes to aim at; 0 for none.

    """

    name: ClassVar[str] = "apgd"
    needs: ClassVar[Offer | None] = "vjp"

    loss: LossName = "ce"
    steps: int = 100
    restarts: int = 1
    targets: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        refuse(
            self.name,
            [
                (not count_of(self.steps), f"steps={self.steps} is no number of steps."),
                (not count_of(self.restarts), f"restarts={self.restarts} is no number of them."),
                (not count_of(self.targets, 0), f"targets={self.targets} is no number of them."),
                (self.loss not in LOSSES, f"loss={self.loss} is none of {', '.join(LOSSES)}."),
            ],
        )

    def most(self, model: Model) -> int:
        """Return the most queries that one example can cost."""
        each = 2 * self.steps + 1
        turns = count_rounds(model.spec.classes, targets=self.targets, restarts=self.restarts)
        return 2 + (self.targets > 0) + turns * each

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return whether another loss took the place of the one that was asked for."""
        note = fitting(self.loss, model.spec, targeted=self.targets > 0)[1]
        return (f"{self}: {note}",) if note else ()

    def stronger(self) -> APGD:
        """Return the same with twice the steps and one more restart."""
        return replace(self, steps=2 * self.steps, restarts=self.restarts + 1)

    def search(self, task: Task, progress: Progress) -> Found:
        """Return the candidate for each input."""
        loss, _ = fitting(self.loss, task.spec, targeted=self.targets > 0)
        alive = Alive(task)
        turns = rounds(alive, task.labels, targets=self.targets, restarts=self.restarts)
        for turn, aims in enumerate(turns):
            if not len(alive):
                break
            left = alive.places
            aim = alive.aim if aims is None else alive.aim.towards(task.model, aims[left])
            near = task.start(left)

            def tell(share: float, turn: int = turn) -> None:
                progress(str(self), (turn + share) / len(turns))

            self._climb(alive, near, aim, loss, tell)
        return alive.found()

    def _climb(
        self,
        alive: Alive,
        near: Array,
        aim: Aim,
        loss: Loss,
        tell: Callable[[float], None],
    ) -> None:
        xp, spec = array_namespace(near), alive.model.spec
        ends = checkpoints(self.steps)
        begun = 0
        last = peak = near
        slope_there = value = None
        for done in range(self.steps + 1):
            if done == self.steps:
                alive.see(near, alive.scores(near))
                return
            scores, slope = alive.gradient(
                near,
                lambda scores, some: loss.slope(scores, aim[some]),  # noqa: B023 - called at once
            )
            now = loss.value(scores, aim)
            if value is None:
                top, slope_there = now, slope
                gains, halved = xp.zeros_like(now), now != now  # noqa: PLR0124 - all false
                size, top_before = xp.full_like(now, 2 * alive.threat.eps), now
            else:
                gains = gains + xp.astype(now > value, now.dtype)
                better = now > top
                top = xp.where(better, now, top)
                peak = xp.where(spread(better, near), near, peak)
                slope_there = xp.where(spread(better, near), slope, slope_there)
            value = now
            keep = alive.see(near, scores)
            if keep is not None:
                if not len(alive):
                    return
                near, last, peak, slope, slope_there = (
                    one[keep] for one in (near, last, peak, slope, slope_there)
                )
                value, top, top_before, gains, halved, size = (
                    one[keep] for one in (value, top, top_before, gains, halved, size)
                )
                aim = aim[keep]
            if done in ends:
                idle = gains < _GAINS * (done - begun)
                stale = xp.logical_and(xp.logical_not(halved), top <= top_before)
                halved = xp.logical_or(idle, stale)
                size = xp.where(halved, size / 2, size)
                back = spread(halved, near)
                near, last = xp.where(back, peak, near), xp.where(back, peak, last)
                slope = xp.where(back, slope_there, slope)
                value = xp.where(halved, top, value)
                top_before, gains, begun = top, xp.zeros_like(gains), done
            ahead = alive.threat.project(
                near + spread(size, near) * alive.threat.step(slope), alive.x, spec
            )
            if done:
                moved = near + _MOMENTUM * (ahead - near) + (1 - _MOMENTUM) * (near - last)
                ahead = alive.threat.project(moved, alive.x, spec)
            last, near = near, ahead
            tell((done + 1) / self.steps)


def checkpoints(steps: int) -> list[int]:
    """Return the steps after which the step size is judged.

    >>> checkpoints(100)
    [22, 41, 57, 70, 80, 87, 93, 99]
    """
    before, at = 0.0, 0.22
    found = []
    while at < 1:
        found.append(math.ceil(round(at * steps, 9)))
        before, at = at, at + max(at - before - 0.03, 0.06)
    return sorted({*found})
