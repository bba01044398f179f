"""HopSkipJump: an attack by decisions alone, in NumPy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.models.model import Floats, Model, Offer
from evenhand.models.spec import Spec
from evenhand.probes.attack.attack import Attack, Found, Task
from evenhand.probes.method import Progress
from evenhand.probes.parameter import count_of, refuse
from evenhand.probes.threat import Norm, spread

_STARTS = 25
"""Places from which it may begin, before it gives up."""

_HALVINGS = 10
"""How often a step that led out of the wrong class is halved, before the example stays."""

_AT_ONCE = 1 << 24
"""Numbers in the probes that are made at once."""


@dataclass(frozen=True)
class Hop(Attack):
    """Walks along the boundary of the wrong class towards the input, by decisions alone.

    It begins at an input that is misclassified, however far (the negative, black, white, coarse and
    fine noise), and bisects to the boundary. There the share of random neighbours on either side
    tells its direction; it steps out along that, and bisects again. A change larger than eps does
    not count.

    Source: Chen, Jordan and Wainwright 2020, algorithm 2.

    Attributes:
        steps: How often it steps.
        probes: Neighbours that are asked about at the first step; at step t, sqrt(t) times as many.
        stop: Whether an example leaves once its change is within eps, without the smallest one.

    """

    name: ClassVar[str] = "hop"
    needs: ClassVar[Offer | None] = None
    minimal: ClassVar[bool] = True

    steps: int = 20
    probes: int = 100
    stop: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        refuse(
            self.name,
            [
                (not count_of(self.steps), f"steps={self.steps} is no number of steps."),
                (not count_of(self.probes, 2), f"probes={self.probes} are none to compare."),
            ],
        )

    def most(self, model: Model) -> int:
        """Return the most queries that one example can cost."""
        halvings = max(_bisections(norm, model.spec) for norm in ("linf", "l2"))
        asked = sum(self._neighbours(step) for step in range(1, self.steps + 1))
        return 2 + _STARTS + halvings * (self.steps + 1) + asked + self.steps * _HALVINGS

    def stronger(self) -> Hop:
        """Return the same with twice the steps."""
        return Hop(steps=2 * self.steps, probes=self.probes, stop=self.stop)

    def _neighbours(self, step: int) -> int:
        return int(self.probes * math.sqrt(step))

    def search(self, task: Task, progress: Progress) -> Found:
        """Return the candidate for each input."""
        walk = _Walk(task)
        left = walk.begin()
        for step in range(1, self.steps + 1):
            if self.stop:
                left = left[walk.distance[left] > task.threat.eps]
            if not left.size:
                break
            direction = walk.direction(left, self._neighbours(step), first=step == 1)
            walk.go(left, direction, step)
            progress(str(self), step / self.steps)
        return Found(walk.best, walk.queries)


class _Walk:
    """Where examples stand, in double precision, and what they have cost.

    Attributes:
        best: The nearest misclassified example of each input so far; the input where none is.
        distance: How far that is; infinite where none is.
        queries: What each has cost.

    """

    def __init__(self, task: Task) -> None:
        self._task, self._spec, self._threat = task, task.spec, task.threat
        self._x = task.x.astype(np.float64)
        self._at = self._x.copy()
        self.best = task.x.copy()
        self.distance = np.full(len(task.x), np.inf)
        self.queries = np.zeros(len(task.x), np.int64)

    def begin(self) -> NDArray[np.int64]:
        """Bring examples to the boundary, and return those that found a way there."""
        waiting = np.arange(len(self._x))
        for number in range(_STARTS):
            if not waiting.size:
                break
            tried = np.stack(
                [
                    _start(number, self._x[i], self._spec, self._task.streams[int(i)])
                    for i in waiting
                ]
            )
            wrong = self._wrong(tried, waiting)
            self._at[waiting[wrong]] = tried[wrong]
            waiting = waiting[~wrong]
        begun = np.setdiff1d(np.arange(len(self._x)), waiting)
        if begun.size:
            self._bisect(begun)
        return begun

    def direction(self, left: NDArray[np.int64], count: int, *, first: bool) -> Floats:
        """Return the estimated normal of the boundary at each example, of the norm 1."""
        reach = np.full(len(left), 0.1 * (self._spec.high - self._spec.low))
        if not first:
            reach = np.maximum(self._far(left) / self._spec.size, _least(self._task.x.dtype))
        found = np.empty((len(left), *self._spec.shape))
        size = max(1, _AT_ONCE // (count * self._spec.size))
        for begin in range(0, len(left), size):
            some = slice(begin, begin + size)
            found[some] = self._normal(left[some], count, reach[some])
        step: Floats = self._threat.step(found)
        return step

    def _normal(self, left: NDArray[np.int64], count: int, reach: Floats) -> Floats:
        noise = np.stack([self._noise(self._task.streams[i], count) for i in left])
        at = self._at[left][:, None]
        near = np.clip(at + noise * spread(reach, noise), self._spec.low, self._spec.high)
        real = (near - at) / spread(reach, noise)
        flat = near.reshape(-1, *self._spec.shape)
        side = np.where(self._wrong(flat, np.repeat(left, count)), 1.0, -1.0).reshape(-1, count)
        mean = side.mean(axis=1, keepdims=True)
        # All on one side: that side is the direction, there is nothing to compare.
        weight = np.where(np.abs(mean) == 1, side, side - mean)
        found: Floats = np.einsum("nb,nb...->n...", weight, real) / count
        return found

    def _noise(self, stream: np.random.Generator, count: int) -> Floats:
        shape = (count, *self._spec.shape)
        noise = (
            stream.uniform(-1, 1, shape)
            if self._threat.norm == "linf"
            else stream.standard_normal(shape)
        )
        length = np.linalg.norm(noise.reshape(count, -1), axis=1)
        found: Floats = noise / spread(length, noise)
        return found

    def go(self, left: NDArray[np.int64], direction: Floats, step: int) -> None:
        """Step out into the wrong class, halving where that leads out of it, and come back."""
        size = self._far(left) / math.sqrt(step)
        waiting = np.arange(len(left))
        for _ in range(_HALVINGS):
            if not waiting.size:
                break
            some = left[waiting]
            ahead = self._at[some] + direction[waiting] * spread(size[waiting], direction)
            ahead = np.clip(ahead, self._spec.low, self._spec.high)
            wrong = self._wrong(ahead, some)
            self._at[some[wrong]] = ahead[wrong]
            waiting = waiting[~wrong]
            size[waiting] /= 2
        moved = np.setdiff1d(np.arange(len(left)), waiting)
        if moved.size:
            self._bisect(left[moved])

    def _bisect(self, some: NDArray[np.int64]) -> None:
        """Bring misclassified examples towards their inputs, as far as they stay misclassified."""
        far = self._far(some)
        works, fails = np.ones(len(some)), np.zeros(len(some))
        out = self._at[some]
        for _ in range(_bisections(self._threat.norm, self._spec)):
            middle = (works + fails) / 2
            wrong = self._wrong(self._between(some, out, far, middle), some)
            works, fails = np.where(wrong, middle, works), np.where(wrong, fails, middle)
        self._at[some] = self._between(some, out, far, works)
        exact = self._at[some].astype(self._task.x.dtype)
        distance = self._threat.distance(exact, self._task.x[some])
        nearer = distance < self.distance[some]
        self.best[some[nearer]], self.distance[some[nearer]] = exact[nearer], distance[nearer]

    def _between(self, some: NDArray[np.int64], out: Floats, far: Floats, share: Floats) -> Floats:
        """Return examples at a share of the way: on the line, or cut to a share of the change."""
        x = self._x[some]
        if self._threat.norm == "l2":
            line: Floats = x + (out - x) * spread(share, out)
            return line
        cut: Floats = x + self._threat.limit(out - x, share * far)
        return cut

    def _far(self, some: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._threat.distance(self._at[some], self._x[some])

    def _wrong(self, near: Floats, whose: NDArray[np.int64]) -> NDArray[np.bool_]:
        self.queries += np.bincount(whose, minlength=len(self.queries))
        answers = self._task.model.predict(near.astype(self._task.x.dtype))
        found: NDArray[np.bool_] = answers != self._task.labels[whose]
        return found


def _start(number: int, x: Floats, spec: Spec, stream: np.random.Generator) -> Floats:
    """Return a place that an example may begin at."""
    plain = (spec.low + spec.high - x, np.full(x.shape, spec.low), np.full(x.shape, spec.high))
    if number < len(plain):
        return plain[number]
    noise = stream.uniform(spec.low, spec.high, spec.size)
    # Fine noise looks alike to most models; a number that is repeated makes it coarser.
    run = 1 << (number % 4)
    return np.repeat(noise[::run], run)[: spec.size].reshape(x.shape)


def _bisections(norm: Norm, spec: Spec) -> int:
    """Return how often to halve: to 1 / d^2 of the way by linf, 1 / d^1.5 by l2."""
    power = 2.0 if norm == "linf" else 1.5
    return max(8, math.ceil(power * math.log2(spec.size)))


def _least(dtype: np.dtype[np.floating]) -> float:
    return 100 * float(np.finfo(dtype).eps)
