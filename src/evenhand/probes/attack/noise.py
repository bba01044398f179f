"""Random changes: what is broken by chance alone, wherever in the ball it lies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from evenhand.models.model import Model, Offer
from evenhand.probes.attack.attack import Attack, Found, Task
from evenhand.probes.method import Progress
from evenhand.probes.parameter import count_of, refuse


@dataclass(frozen=True)
class Noise(Attack):
    """Changes drawn uniformly from the ball, one after the other, until one is misclassified.

    It asks for decisions alone. Against smooth models it is the weakest attack of all; models that
    jump, such as trees, may be wrong between two corners of the ball at which they are right, where
    no attack looks that follows a slope or goes to the corners.

    Source: Rauber, Brendel and Bethge 2017, who call it repeated additive uniform noise.

    Attributes:
        queries: Draws for each example.

    """

    name: ClassVar[str] = "noise"
    needs: ClassVar[Offer | None] = None

    queries: int = 300

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        wrong = not count_of(self.queries)
        refuse(self.name, [(wrong, f"queries={self.queries} is no whole number above 0.")])

    def most(self, model: Model) -> int:
        """Return the most queries that one example can cost."""
        del model
        return 2 + self.queries

    def stronger(self) -> Noise:
        """Return the same with twice the draws."""
        return replace(self, queries=2 * self.queries)

    def search(self, task: Task, progress: Progress) -> Found:
        """Return the first draw that is misclassified, and of the rest the input as it is."""
        examples, queries = task.x.copy(), np.zeros(len(task.x), np.int64)
        left = np.arange(len(task.x))
        for draw in range(self.queries):
            if not left.size:
                break
            some = task.only(left)
            near = task.threat.start(some.x, task.spec, some.streams)
            queries[left] += 1
            wrong = task.model.predict(near) != some.labels
            examples[left[wrong]] = near[wrong]
            left = left[~wrong]
            progress(str(self), (draw + 1) / self.queries)
        return Found(examples, queries)
