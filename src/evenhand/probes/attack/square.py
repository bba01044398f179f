"""Square attack: random search by scores alone, in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evenhand.models.model import Floats, Model, Offer
from evenhand.models.spec import Spec
from evenhand.probes.attack.attack import Attack, Found, Streams, Task
from evenhand.probes.loss import MARGIN, Aim
from evenhand.probes.method import Progress
from evenhand.probes.parameter import count_of, number_of, refuse

_HALVED_AT = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Of 10,000 queries, those at which the area of the windows is halved."""

_GAIN = 1e-3
"""Share of the first margin by which a change must gain to be kept.

Libraries round differently: of changes that gain nothing, one would keep what another does not.
"""

_BLOCK = 64
"""Queries for which random numbers are drawn at once."""


@dataclass(frozen=True)
class Square(Attack):
    """Changes one random window after the other and keeps what raises the margin.

    By ``linf`` an example begins with vertical stripes at the edge of the ball, and each channel of
    a window goes to one edge or the other. By ``l2`` it begins with a tiling of smooth bumps, and
    the change of one window is moved to another. Windows become smaller as queries are used up. Of
    inputs that are no images a window is a run of features.

    All of it is NumPy, with one generator for each example: the same scores give the same example,
    whatever the model is written in. A change that gains less than a thousandth of the first margin
    is not kept: libraries differ by rounding there.

    Source: Andriushchenko, Croce, Flammarion and Hein 2020, algorithms 1 to 3.

    Attributes:
        queries: Looks at each example.
        area: Share of the input that a window covers at first.

    """

    name: ClassVar[str] = "square"
    needs: ClassVar[Offer | None] = "scores"

    queries: int = 5000
    area: float = 0.8

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        refuse(
            self.name,
            [
                (not count_of(self.queries), f"queries={self.queries} is no number of them."),
                (not 0 < number_of(self.area) <= 1, f"area={self.area} is no share above 0."),
            ],
        )

    def most(self, model: Model) -> int:
        """Return the most queries that one example can cost."""
        del model
        return 2 + self.queries

    def stronger(self) -> Square:
        """Return the same with twice the queries."""
        return replace(self, queries=2 * self.queries)

    def search(self, task: Task, progress: Progress) -> Found:
        """Return the candidate for each input."""
        spec = task.spec
        planes = _planes(task.x, spec)
        ask = _asking(task)
        moves = _Edges if task.threat.norm == "linf" else _Bumps
        move = moves(planes, task.threat.eps, spec, task.streams)
        near = move.begin()
        margin = ask(near, np.arange(len(planes)))
        queries = np.ones(len(planes), np.int64)
        least = _GAIN * np.abs(margin)
        draws = _Draws(task.streams, move.width)
        for done in range(1, self.queries):
            left = np.flatnonzero(margin <= 0)
            if not left.size:
                break
            size = _size(self._share(done), planes.shape[2:])
            tried = move.change(near[left], left, size, draws.next(left))
            found = ask(tried, left)
            queries[left] += 1
            gained = (found > margin[left] + least[left]) | (found > 0)
            near[left[gained]], margin[left[gained]] = tried[gained], found[gained]
            if done % _BLOCK == 0:
                progress(str(self), done / self.queries)
        return Found(_images(near, spec, task.x.shape), queries)

    def _share(self, done: int) -> float:
        """Return the share of the input that a window covers after so many queries."""
        at = done * 10_000 / self.queries
        return float(self.area / 2 ** sum(at > point for point in _HALVED_AT))


class _Draws:
    """Uniform random numbers of each example's own generator, a row for each query."""

    def __init__(self, streams: Streams, width: int) -> None:
        self._streams, self._at = streams, 0
        self._rows = np.empty((len(streams), _BLOCK, width))

    def next(self, left: NDArray[np.int64]) -> Floats:
        """Return a row for each example that is left; nobody comes back who has left."""
        if self._at % _BLOCK == 0:
            for place in left:
                self._streams[place].random(out=self._rows[place])
        rows: Floats = self._rows[left, self._at % _BLOCK]
        self._at += 1
        return rows


class _Window(NamedTuple):
    """Index of one window in each of m examples, which picks an (m, channels, rows, columns)."""

    example: NDArray[np.int64]
    channel: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]

    @classmethod
    def at(cls, shape: tuple[int, ...], size: tuple[int, int], place: Floats) -> _Window:
        """Return windows of a size at random places, given two uniform numbers for each."""
        corner = [
            np.floor(place[:, axis] * (shape[2 + axis] - size[axis] + 1)).astype(np.int64)
            for axis in (0, 1)
        ]
        return cls(
            np.arange(len(place))[:, None, None, None],
            np.arange(shape[1])[None, :, None, None],
            corner[0][:, None, None, None] + np.arange(size[0])[None, None, :, None],
            corner[1][:, None, None, None] + np.arange(size[1])[None, None, None, :],
        )


class _Edges:
    """Moves by the largest change: every number stands at an edge of its own interval."""

    def __init__(self, x: Floats, eps: float, spec: Spec, streams: Streams) -> None:
        wide = x.astype(np.float64)
        self._low = np.clip(wide - eps, spec.low, spec.high).astype(x.dtype)
        self._high = np.clip(wide + eps, spec.low, spec.high).astype(x.dtype)
        self._streams = streams
        self.width = 2 + x.shape[1]

    def begin(self) -> Floats:
        """Return stripes: one edge for each column of each channel."""
        channels, columns = self._low.shape[1], self._low.shape[3]
        up = np.stack([one.random((channels, 1, columns)) < 0.5 for one in self._streams])  # noqa: PLR2004
        return np.where(up, self._high, self._low)

    def change(
        self, near: Floats, left: NDArray[np.int64], size: tuple[int, int], draws: Floats
    ) -> Floats:
        """Return examples with one window of each channel at an edge."""
        window = _Window.at(near.shape, size, draws[:, :2])
        inner = _Window(left[window.example], *window[1:])
        low, high, old = self._low[inner], self._high[inner], near[window]
        up = (draws[:, 2:] < 0.5)[:, :, None, None]  # noqa: PLR2004
        new = np.where(up, high, low)
        # A window that already is so would waste a query.
        same = (new == old).all(axis=(1, 2, 3), keepdims=True)
        near[window] = np.where(same, np.where(up, low, high), new)
        return near


class _Bumps:
    """Moves by the Euclidean length: the change of one window goes to another, on the sphere."""

    def __init__(self, x: Floats, eps: float, spec: Spec, streams: Streams) -> None:
        self._x, self._eps, self._spec, self._streams = x, eps, spec, streams
        self.width = 5 + x.shape[1]

    def begin(self) -> Floats:
        """Return a tiling of bumps of random signs, scaled to the sphere."""
        _, channels, rows, columns = self._x.shape
        size = tuple(max(side // 5, 1) for side in (rows, columns))
        tiles = tuple(-(-side // one) for side, one in zip((rows, columns), size, strict=True))
        bump = np.tile(_bump(size), tiles)[:rows, :columns]
        signs = np.stack([_signs(one.random((channels, *tiles))) for one in self._streams])
        grown = signs.repeat(size[0], 2)[:, :, :rows].repeat(size[1], 3)[:, :, :, :columns]
        return self._placed(self._x, grown * bump)

    def change(
        self, near: Floats, left: NDArray[np.int64], size: tuple[int, int], draws: Floats
    ) -> Floats:
        """Return examples with one window's change moved to another, and the budget used up."""
        x = self._x[left]
        change = near.astype(np.float64) - x
        channels = x.shape[1]
        to, of = (_Window.at(x.shape, size, draws[:, some]) for some in (slice(2), slice(2, 4)))
        all_of_it = (change**2).sum(axis=(1, 2, 3), keepdims=True)
        both = np.zeros(change.shape, dtype=bool)
        both[to], both[of] = True, True
        there = (change**2 * both).sum(axis=(2, 3), keepdims=True)
        unused = np.maximum(self._eps**2 - all_of_it, 0) / channels
        old = change[to]
        old /= np.sqrt((old**2).sum(axis=(1, 2, 3), keepdims=True)) + 1e-10
        bump = _bump(size, halved=True)
        turned = bump if size[0] != size[1] else bump.T
        turn = (draws[:, 4] < 0.5)[:, None, None, None]  # noqa: PLR2004
        new = old + np.where(turn, turned, bump) * _signs(draws[:, 5:])[:, :, None, None]
        new /= np.sqrt((new**2).sum(axis=(2, 3), keepdims=True)) + 1e-10
        change[of] = 0
        change[to] = new * np.sqrt(unused + there)
        return self._placed(x, change)

    def _placed(self, x: Floats, change: Floats) -> Floats:
        length = np.sqrt((change**2).sum(axis=(1, 2, 3), keepdims=True))
        scaled = change * (self._eps / np.maximum(length, 1e-10))
        found: Floats = np.clip(x + scaled, self._spec.low, self._spec.high).astype(x.dtype)
        return found


def _signs(uniform: Floats) -> Floats:
    return np.where(uniform < 0.5, -1.0, 1.0)  # noqa: PLR2004


def _bump(size: tuple[int, int], *, halved: bool = False) -> Floats:
    """Return a pattern of length 1 that falls off from its middle, or two of opposite signs.

    A number at distance d of the middle, by the larger of rows and columns, is the sum of 1 / k^2
    from k = d + 1 to the largest such distance plus 1.
    """
    if halved and max(size) > 1:
        axis = 0 if size[0] >= size[1] else 1
        half = size[axis] // 2
        parts = [
            _bump((one, size[1]) if axis == 0 else (size[0], one))
            for one in (half, size[axis] - half)
        ]
        both = np.concatenate([parts[0], -parts[1]], axis=axis)
        return both / math.sqrt(2)
    away = np.maximum(*np.meshgrid(*(np.abs(np.arange(s) - s // 2) for s in size), indexing="ij"))
    steps = 1 / (np.arange(away.max() + 1) + 1.0) ** 2
    found: Floats = np.cumsum(steps[::-1])[::-1][away]
    found /= np.sqrt((found**2).sum())
    return found


def _size(share: float, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return rows and columns of a window, as square as the input allows."""
    rows, columns = shape
    area = share * rows * columns
    wide = min(max(round(math.sqrt(area)), 1), columns)
    high = min(max(round(area / wide), 1), rows) if wide == columns else min(wide, rows)
    if high == rows:
        wide = min(max(round(area / high), 1), columns)
    return high, wide


def _planes(x: Floats, spec: Spec) -> Floats:
    """Return inputs as (n, channels, rows, columns)."""
    match spec.layout:
        case "CHW":
            return x
        case "HWC":
            return np.moveaxis(x, 3, 1)
        case "HW":
            return x[:, None]
        case _:
            return x.reshape(len(x), 1, 1, spec.size)


def _images(planes: Floats, spec: Spec, shape: tuple[int, ...]) -> Floats:
    """Return planes in the layout that they came from."""
    back = np.moveaxis(planes, 1, 3) if spec.layout == "HWC" else planes
    return np.ascontiguousarray(back.reshape((len(planes), *shape[1:])))


def _asking(task: Task) -> Callable[[Floats, NDArray[np.int64]], NDArray[np.float64]]:
    """Return the function that gives the margin of planes, in double precision."""
    true = np.eye(task.spec.classes)[task.labels]

    def ask(planes: Floats, left: NDArray[np.int64]) -> NDArray[np.float64]:
        images = task.model.array(_images(planes, task.spec, task.x.shape))
        scores = task.model.numpy(task.model.scores(images)).astype(np.float64)
        found: NDArray[np.float64] = MARGIN.value(scores, Aim(true[left]))
        return found

    return ask
