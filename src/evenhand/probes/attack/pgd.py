"""Projected gradient descent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from evenhand.models.model import Array, Model, Offer
from evenhand.probes.attack.alive import Alive, count_rounds, rounds
from evenhand.probes.attack.attack import Attack, Found, Task
from evenhand.probes.loss import LOSSES, Aim, Loss, LossName, fitting
from evenhand.probes.method import Progress
from evenhand.probes.parameter import count_of, number_of, refuse


@dataclass(frozen=True)
class PGD(Attack):
    """Steps along the gradient of a loss, each put back into the ball: projected gradient descent.

    An example leaves as soon as it is misclassified; otherwise the iterate that came nearest is
    kept, not the last one. With targets the loss of each of the likeliest other classes is raised
    in turn; whatever other class comes out of it counts.

    Source: Madry et al. 2018; with one step from the input itself, Goodfellow et al. 2015.

    Attributes:
        steps: Gradients in each round.
        step: Length of a step as a share of eps; 2.5 / steps where none is given.
        restarts: How often it begins anew.
        loss: ``ce``, ``margin`` or ``dlr``.
        targets: How many other classes to aim at; 0 for none.
        start: Whether it begins at a random place of the ball rather than at the input.

    """

    name: ClassVar[str] = "pgd"
    needs: ClassVar[Offer | None] = "vjp"

    steps: int = 50
    step: float | None = None
    restarts: int = 1
    loss: LossName = "ce"
    targets: int = 0
    start: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        refuse(
            self.name,
            [
                (not count_of(self.steps), f"steps={self.steps} is no number of steps."),
                (not count_of(self.restarts), f"restarts={self.restarts} is no number of them."),
                (not count_of(self.targets, 0), f"targets={self.targets} is no number of them."),
                (self.loss not in LOSSES, f"loss={self.loss} is none of {', '.join(LOSSES)}."),
                (
                    self.step is not None and not 0 < number_of(self.step) < math.inf,
                    f"step={self.step} is no share above 0.",
                ),
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

    def stronger(self) -> PGD:
        """Return the same with twice the steps, from two random places."""
        return replace(self, steps=2 * self.steps, restarts=self.restarts + 1, start=True)

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
            near = alive.x
            if self.start:
                near = task.start(left)
            self._climb(
                alive,
                near,
                aim,
                loss,
                lambda share: progress(
                    str(self),
                    (turn + share) / len(turns),  # noqa: B023 - called in this round alone
                ),
            )
        return alive.found()

    def _climb(
        self,
        alive: Alive,
        near: Array,
        aim: Aim,
        loss: Loss,
        tell: Callable[[float], None],
    ) -> None:
        size = alive.threat.eps * (self.step or 2.5 / self.steps)
        spec = alive.model.spec
        for done in range(self.steps):
            scores, gradient = alive.gradient(
                near,
                lambda scores, some: loss.slope(scores, aim[some]),  # noqa: B023
            )
            keep = alive.see(near, scores)
            if keep is not None:
                near, gradient, aim = near[keep], gradient[keep], aim[keep]
            if not len(alive):
                return
            near = alive.threat.project(near + size * alive.threat.step(gradient), alive.x, spec)
            tell((done + 1) / self.steps)
        alive.see(near, alive.scores(near))
