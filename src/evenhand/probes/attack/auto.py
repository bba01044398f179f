"""The attack that takes all there is: several kinds in turn, each on those that are left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from evenhand.errors import listed
from evenhand.models.model import Model, Offer
from evenhand.probes.attack.apgd import APGD
from evenhand.probes.attack.attack import Attack, Found, Task, Tried
from evenhand.probes.attack.fmn import FMN
from evenhand.probes.attack.hop import Hop
from evenhand.probes.attack.noise import Noise
from evenhand.probes.attack.square import Square
from evenhand.probes.method import Progress
from evenhand.probes.parameter import count_of, refuse


@dataclass(frozen=True)
class Auto(Attack):
    """Several attacks that fail for different reasons, each only on what the others left.

    With gradients: Auto-PGD on the cross-entropy; on the logit ratio, towards the likeliest other
    classes where there are four or more; the smallest change, if within eps; and Square, which
    needs none. With scores alone: Square, then random changes and Hop, since models without
    gradients may jump. With decisions alone: the last two. An example is robust only if all of them
    fail, so none is weaker than the strongest for it.

    Source: Croce and Hein 2020; where they run FAB, FMN runs here.

    Attributes:
        steps: Gradients in each round of those that use them.
        restarts: How often Auto-PGD begins anew.
        targets: How many other classes are aimed at; all where there are fewer.
        queries: Looks at each example for Square.

    """

    name: ClassVar[str] = "auto"
    needs: ClassVar[Offer | None] = None

    steps: int = 100
    restarts: int = 1
    targets: int = 9
    queries: int = 5000

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        refuse(
            self.name,
            [
                (not count_of(value), f"{name}={value} is no whole number above 0.")
                for name, value in vars(self).items()
            ],
        )

    def members(self, model: Model) -> tuple[Attack, ...]:
        """Return the attacks that run, in order."""
        if "vjp" in model.offers:
            targets = self.targets if model.spec.classes > 3 else 0  # noqa: PLR2004 - the ratio's
            return (
                APGD(steps=self.steps, restarts=self.restarts),
                APGD(loss="dlr", steps=self.steps, restarts=self.restarts, targets=targets),
                FMN(steps=self.steps, stop=True),
                Square(queries=self.queries),
            )
        if "scores" in model.offers:
            return (Square(queries=self.queries), Noise(), Hop(stop=True))
        return (Noise(), Hop(stop=True))

    def most(self, model: Model) -> int:
        """Return the most queries that one example can cost."""
        members = self.members(model)
        return 1 + sum(member.most(model) - 1 for member in members)

    def stronger(self) -> Auto:
        """Return the same with about twice the effort."""
        return replace(
            self, steps=2 * self.steps, restarts=self.restarts + 1, queries=2 * self.queries
        )

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return what was left out, and what took the place of what."""
        left_out = []
        if "vjp" not in model.offers:
            names = listed([str(APGD()), str(FMN())])
            left_out.append(f"{names}: skipped, {model.name} offers no gradients.")
        if "scores" not in model.offers:
            left_out.append(f"{Square()}: skipped, {model.name} offers no scores.")
        return (*left_out, *(note for one in self.members(model) for note in one.notes(model)))

    def search(self, task: Task, progress: Progress) -> Found:
        """Return a candidate for each input."""
        tried = self.attempt(task, progress)
        return Found(tried.examples, tried.queries)

    def attempt(self, task: Task, progress: Progress) -> Tried:
        """Return what the first attack that works finds for each input."""
        return in_turn(self.members(task.model), task, progress)


def in_turn(members: tuple[Attack, ...], task: Task, progress: Progress) -> Tried:
    """Return what the first attack that works finds for each input; the others rest then.

    Of an input that resists all of them, the example is what the first one found.

    Args:
        members: The attacks in order, at least one.
        task: At least one input.
        progress: Told what is being done.

    """
    # Every example has a generator for every attack: what one draws changes nothing for the next.
    streams = [stream.spawn(len(members)) for stream in task.streams]
    examples, by = task.x.copy(), np.full(len(task.x), "", dtype=object)
    queries, left = np.zeros(len(task.x), np.int64), np.arange(len(task.x))
    for turn, member in enumerate(members):
        if not left.size:
            break
        part = replace(task.only(left), streams=tuple(streams[i][turn] for i in left))
        tried = member.attempt(part, _part(progress, turn, len(members)))
        queries[left] += tried.queries
        works = tried.broken_by != ""
        taken = works | (turn == 0)
        examples[left[taken]], by[left] = tried.examples[taken], tried.broken_by
        left = left[~works]
    return Tried(examples, queries, by)


def _part(progress: Progress, turn: int, turns: int) -> Callable[[str, float], None]:
    def tell(what: str, share: float) -> None:
        progress(what, (turn + share) / turns)

    return tell
