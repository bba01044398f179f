"""What an attack is: a hashable value that looks for changed inputs which a model gets wrong.

An attack is one file with one frozen dataclass; discovery finds it (`registry`). It says nothing
about frameworks, batches or logs. It gives back an upper bound: what it did not find may exist.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evenhand.models.logits import with_logits
from evenhand.models.model import Array, Codes, Floats, Model, Offer, need
from evenhand.models.spec import Spec
from evenhand.probes.method import Progress, silent
from evenhand.probes.named import written
from evenhand.probes.threat import Threat

PREFIX = "attack."
"""What the name of an attack begins with where probes are named."""

CLEAN = "clean"
"""What broke an example that the model gets wrong as it is."""

Streams: TypeAlias = Sequence[np.random.Generator]
"""A generator for each example, so that no example's fate hangs on its neighbours."""


@dataclass(frozen=True)
class Attacked:
    """What an attack gives back; n is the number of inputs.

    Attributes:
        examples: Inside the ball and the range, shape (n, *spec.shape), of the model's own type.
            Of an example that resisted, the one that came nearest to being misclassified.
        broken: Whether a fresh call of the model gets the example wrong, shape (n,).
        queries: What the attack asked for each example, shape (n,): 1 for a forward pass, 2 for a
            gradient.
        distance: The norm of the change, shape (n,); NaN where the example resisted, 0 where the
            model is wrong without any change.
        broken_by: The attack that broke the example, as it is printed, ``clean`` where none was
            needed; empty where it resisted; shape (n,).
        notes: What was done otherwise than asked, or left out, and why.

    """

    examples: Floats
    broken: NDArray[np.bool_]
    queries: NDArray[np.int64]
    distance: NDArray[np.float64]
    broken_by: NDArray[np.str_]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """Inputs that a model gets right, and how far they may be changed.

    Attributes:
        model: The model under attack.
        x: Inputs in the model's own type of numbers, shape (n, *spec.shape).
        labels: Places of their true classes in `Spec.labels`, shape (n,).
        threat: The ball.
        streams: The generator of each input; nothing else may be random.

    """

    model: Model
    x: Floats
    labels: Codes
    threat: Threat
    streams: Streams

    @property
    def spec(self) -> Spec:
        """What the model takes and gives."""
        return self.model.spec

    def only(self, places: NDArray[np.int64]) -> Task:
        """Return the task of some of the inputs."""
        streams = tuple(self.streams[i] for i in places)
        return replace(self, x=self.x[places], labels=self.labels[places], streams=streams)

    def start(self, places: NDArray[np.int64]) -> Array:
        """Return a random example in the ball around some inputs, in the model's own arrays."""
        some = self.only(places)
        return self.model.array(self.threat.start(some.x, self.spec, some.streams))


class Found(NamedTuple):
    """What a search gives back: candidates, which are checked, and what each has cost."""

    examples: Floats
    queries: NDArray[np.int64]


class Tried(NamedTuple):
    """What attempts give back, the look at the end with it; names are empty where they failed."""

    examples: Floats
    queries: NDArray[np.int64]
    broken_by: NDArray[np.object_]


@dataclass(frozen=True)
class Attack(ABC):
    """Parameters of an attack; ``str`` writes it as ``attack.pgd(steps=100)``.

    Attributes:
        name: How it is printed and parsed.
        needs: What a model must offer beside `predict`; none where decisions are enough.
        minimal: Whether it looks for the smallest change; eps is then only where it stops caring.

    """

    name: ClassVar[str]
    needs: ClassVar[Offer | None]
    minimal: ClassVar[bool] = False

    @abstractmethod
    def search(self, task: Task, progress: Progress) -> Found:
        """Return a candidate for each input, whether it works or not.

        Args:
            task: At least one input; the model offers what the attack `needs`.
            progress: Told what is being done.

        """

    @abstractmethod
    def most(self, model: Model) -> int:
        """Return the most queries that one example can cost, with the first and the last look."""

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return what is done otherwise than asked where a model is attacked, and why."""
        del model
        return ()

    def members(self, model: Model) -> tuple[Attack, ...]:
        """Return the attacks that this one is made of where a model is attacked."""
        del model
        return (self,)

    def stronger(self) -> Attack:
        """Return the same attack with about twice the effort."""
        return self

    def run(
        self,
        model: Model,
        x: Floats,
        labels: Codes,
        threat: Threat,
        rng: np.random.Generator,
        *,
        progress: Progress = silent,
    ) -> Attacked:
        """Attack inputs and return what was found.

        An input that the model gets wrong as it is counts as broken, with no change. Inputs may be
        given in several calls with one generator, in order: that changes nothing.

        Args:
            model: The model under attack.
            x: Inputs in the units of its spec, shape (n, *spec.shape).
            labels: Places of their true classes in `Spec.labels`, shape (n,).
            threat: How far they may be changed.
            rng: Where every random number comes from.
            progress: Told what is being done, and which share of the work is.

        Raises:
            ModelError: The model does not offer what the attack needs.

        """
        if self.needs is not None:
            need(model, self.needs, str(self), INSTEAD[self.needs])
        model = with_logits(model)
        given = as_given(model, x)
        count, labels = len(given), np.asarray(labels, np.int64)
        task = Task(model, given, labels, threat, tuple(rng.spawn(count)))
        right = np.flatnonzero(model.predict(given) == labels)
        examples, queries = given.copy(), np.ones(count, np.int64)
        by = np.full(count, CLEAN, dtype=object)
        if right.size:
            tried = self.attempt(task.only(right), progress)
            examples[right], by[right] = tried.examples, tried.broken_by
            queries[right] += tried.queries
        distance = np.where(by != "", threat.distance(examples, given), np.nan)
        progress(str(self), 1.0)
        return Attacked(
            examples, by != "", queries, distance, by.astype(np.str_), self.notes(model)
        )

    def attempt(self, task: Task, progress: Progress) -> Tried:
        """Return what `search` finds, inside the ball, with what a fresh call says of it."""
        found = self.search(task, progress)
        examples = task.threat.settle(found.examples, task.x, task.spec)
        wrong = task.model.predict(examples) != task.labels
        by = np.where(wrong, str(self), "").astype(object)
        return Tried(examples, found.queries + 1, by)

    def __str__(self) -> str:
        return written(self, PREFIX)


INSTEAD: dict[Offer, str] = {
    "vjp": "Without gradients: attack.square, or attack.auto, which takes what there is.",
    "scores": "By decisions alone: attack.hop, or attack.noise.",
    "bounds": "",
}
"""What is said to do where a model lacks what an attack needs."""


def as_given(model: Model, x: Floats) -> Floats:
    """Return inputs as the model sees them, in its own type of numbers."""
    found = model.numpy(model.array(np.asarray(x)))
    return found if found.dtype.kind == "f" else found.astype(np.float64)
