"""Counterfactual examples: what would have to change for another decision, and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.errors import EvenhandError, Problem, listed
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Model
from evenhand.models.spec import Spec
from evenhand.probes.explain import constraint
from evenhand.probes.explain.explanation import Explanation, Told
from evenhand.probes.explain.recourse import Cost, Numbers, Room, stepped
from evenhand.probes.explain.score import Score, class_of
from evenhand.probes.explain.search import Search, searched
from evenhand.probes.explain.shap import slope_of
from evenhand.probes.explain.table import Table
from evenhand.probes.explain.tried import Tried, values_tried
from evenhand.probes.explain.turned import as_columns
from evenhand.probes.parameter import refuse

_COSTS: tuple[Cost, ...] = get_args(Cost)

_CURVE: dict[Cost, tuple[float, ...]] = {
    "l2": (0.25, 0.5, 0.75, 1, 1.5, 2, 4),
    "l1": (0.5, 1, 1.5, 2, 3, 4, 8),
}
"""Costs within which the share that is turned is asked for, in units of the cost; fixed, since
nobody knows beforehand how dear changes will be."""

_DONORS = 2000
"""Examples among which favourable ones are looked for."""

_CHOICES = 8
"""Columns outside of whose ranges examples lie, up to which all ways to enter them are tried."""

_BEYOND = (1e-9, 1e-6)
"""How far behind a linear boundary a change is checked, relative to the score: the next to try."""


@dataclass(frozen=True)
class Counterfactual(Explanation):
    """The cheapest change that turns an unfavourable decision; Wachter 2017, Ustun 2019.

    Of every example that the model decides unfavourably. The cost is L2 of changes in standard
    deviations, or L1 in median absolute deviations; a change of text costs 1. In closed form of
    linear logits of two classes, where whole numbers are rounded on; else it is searched for. Then
    costs are at most what is told, of a search the share without recourse too. Changes are of
    inputs: nothing says that who makes them changes nothing else, nor that anybody can.

    The column ``changes`` says in JSON what becomes of each feature that is changed, all digits:
    ``{"age": [25, 31.5], "job": ["clerk", "nurse"]}``; with these values in place of its own the
    example is decided favourably.

    Attributes:
        favourable: The decision that is wanted, as its label is written; of two the second.
        cost: ``l2`` or ``l1``.
        immutable: Features that stay as they are.
        ranges: Lists of a feature, its least and its greatest value; of others those that are seen.

    """

    name = "counterfactual"
    summary = ("mean_recourse_cost", "no_recourse")
    columns: ClassVar[dict[str, pl.DataType]] = {
        "recourse": pl.Float64(),
        "recourse_cost": pl.Float64(),
        "changes": pl.String(),
    }
    whole = True

    favourable: str | int | float | bool | None = None
    cost: Cost = "l2"
    immutable: tuple[str, ...] | str = ()
    ranges: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        """Refuse parameters that cannot be meant."""
        wrong = [constraint.written(one) for one in self._ranges if not constraint.is_range(one)]
        what = f"{listed(wrong)} is no feature with a least and a greatest value, as [age, 18, 90]."
        refuse(
            str(self),
            [
                (self.cost not in _COSTS, f"cost={self.cost}; there are l2 and l1."),
                (bool(wrong), what),
            ],
        )

    @property
    def _ranges(self) -> tuple[tuple[str, float, float], ...]:
        alone = bool(self.ranges) and isinstance(self.ranges[0], str)
        said: Any = (self.ranges,) if alone else self.ranges
        found: tuple[tuple[str, float, float], ...] = said
        return found

    @property
    def _fixed(self) -> tuple[str, ...]:
        return (self.immutable,) if isinstance(self.immutable, str) else self.immutable

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
        """Return whether a change was found, what it costs and what it is."""
        del labels
        wanted = class_of(model.spec, self.favourable, "favourable")
        flat = np.asarray(examples.x.reshape(len(examples), -1), np.float64)
        rows = np.flatnonzero(prediction != wanted)
        x, room = flat[rows], self.room(table)
        slope = self._slope(model, table, room)

        def decided(z: Numbers) -> NDArray[np.bool_]:
            shaped = z.reshape(-1, *model.spec.shape).astype(examples.x.dtype)
            favourably: NDArray[np.bool_] = model.predict(shaped) == wanted
            return favourably

        if not len(rows):
            z, price = x, np.empty(0)
        elif slope is not None:
            z, price = self._closed(model, slope, x, room, decided)
        else:
            every = table.x[table.drawn(_DONORS)].reshape(-1, x.shape[1])
            donors = np.asarray(every, np.float64)
            donors = donors[decided(donors)]
            z, price = searched(
                decided, x, donors, self._tried(table, room), room=room, how=_SEARCH
            )
            # The model was asked about numbers as inputs hold them, and these are told and priced.
            z = z.astype(examples.x.dtype).astype(np.float64)
            price = np.where(np.isnan(price), np.nan, room.price(x, z))
        tell(1.0)
        return as_columns(table, len(examples), rows=rows, x=x, z=z, price=price)

    def _closed(
        self, model: Model, slope: Numbers, x: Numbers, room: Room, decided: object
    ) -> tuple[Numbers, Numbers]:
        """Return the cheapest changes of a linear score; they are checked a little behind it."""
        wanted = class_of(model.spec, self.favourable, "favourable")
        score = Score(wanted, "logit").of(model, x.reshape(-1, *model.spec.shape))
        score = np.minimum(score, 0.0)
        z, price = stepped(slope, score, x, room)
        found = np.zeros(len(x), dtype=bool)
        asks: Any = decided
        for beyond in _BEYOND:
            left = np.flatnonzero(~found & ~np.isnan(price))
            if not len(left):
                break
            behind = score[left] - beyond * (1 + np.abs(score[left]))
            moved, cost = stepped(slope, behind, x[left], room)
            there = ~np.isnan(cost)
            turned = np.zeros(len(left), dtype=bool)
            if there.any():
                turned[there] = asks(moved[there])
            found[left] = turned
            z[left[turned]] = moved[turned]
            if room.steps.any():
                price[left[turned]] = cost[turned]
        return np.where(found[:, None], z, np.nan), np.where(found, price, np.nan)

    def _slope(self, model: Model, table: Table, room: Room) -> Numbers | None:
        """Return the slope of the favourable logit, where a closed form holds."""
        off = room.outside(np.asarray(table.x.reshape(len(table.x), -1), np.float64))
        if off.any(axis=0).sum() > _CHOICES:
            return None
        if model.spec.classes != 2 or not all(map(room.single, room.members)):  # noqa: PLR2004
            return None
        return slope_of(model, Score(class_of(model.spec, self.favourable, ""), "logit"))

    def room(self, table: Table) -> Room:
        """Return what may be changed, how far, and what it costs."""
        x = np.asarray(table.x.reshape(len(table.x), -1), np.float64)
        text = np.array([name in table.values for name in table.names])
        spread = x.std(axis=0) if self.cost == "l2" else _deviation(x)
        low, high = x.min(axis=0), x.max(axis=0)
        for name, least, most in self._ranges:
            place = table.names.index(name)
            low[place], high[place] = least, most
        low, high = _held(low, high, table.x.dtype)
        # A range without a whole number was meant for others.
        whole = ~text & (x == np.rint(x)).all(axis=0) & (np.ceil(low) <= np.floor(high))
        return Room(
            scale=np.where(text | (spread == 0), 1.0, spread),
            low=np.where(whole, np.ceil(low), low),
            high=np.where(whole, np.floor(high), high),
            text=text,
            whole=whole,
            members=self._left(table),
            cost=self.cost,
        )

    def _left(self, table: Table) -> tuple[tuple[int, ...], ...]:
        """Return the columns of each feature that need not stay as it is."""
        fixed = {*self._fixed}
        return tuple(
            tuple(places)
            for name, places in zip(table.features.names, table.features.members, strict=True)
            if not fixed & {name, *(table.names[place] for place in places)}
        )

    def _tried(self, table: Table, room: Room) -> list[Tried]:
        """Return values of each feature that are put in."""
        x = np.asarray(table.x.reshape(len(table.x), -1), np.float64)
        found = []
        for members in room.members:
            columns = [*members]
            low, high = room.low[columns], room.high[columns]
            inside = ((x[:, columns] >= low) & (x[:, columns] <= high)).all(axis=1)
            ends = (float(low[0]), float(high[0])) if room.single(members) else None
            found.append(values_tried(x[inside][:, columns], ends, _SEARCH.grid))
        return found

    def most(self, model: Model, table: Table) -> int:
        """Return what an example that is decided unfavourably costs, and its share of the rest."""
        room = self.room(table)
        if self._slope(model, table, room) is not None:
            return 1 + len(_BEYOND)
        count = len(table.x)
        looked = math.ceil(count / self.block) * min(_DONORS, count)
        return _SEARCH.most(room) + math.ceil(looked / count)

    def problems(self, model: Model, table: Table | None) -> list[Problem]:
        """Return that there is no such decision or feature, or nothing that may be changed."""
        found = super().problems(model, table)
        try:
            class_of(model.spec, self.favourable, "favourable")
        except EvenhandError as error:
            found += error.problems
        if table is None:
            return found
        said = (self._fixed, self._ranges, self._left(table))
        return [*found, *constraint.problems(*said, table, model.spec)]

    def first(self) -> tuple[str, ...]:
        """Return how many have no way, and how far the others have to go."""
        return ("no_recourse", "mean_recourse_cost")

    def asked(self, spec: Spec) -> tuple[str, ...]:
        """Return the same, and how many get through at what cost."""
        del spec
        curve = (f"recourse_within(cost={cost:g})" for cost in _CURVE[self.cost])
        return (*self.first(), *curve)

    def notes(self, model: Model, table: Table) -> tuple[str, ...]:
        """Return what is wanted, what costs are, what stays, and how changes were found."""
        room = self.room(table)
        wanted = model.spec.labels[class_of(model.spec, self.favourable, "favourable")]
        by = {
            "l2": "the Euclidean norm of changes in standard deviations of these examples",
            "l1": "the sum of changes in median absolute deviations of these examples (mean ones "
            "where half have one value)",
        }[self.cost]
        said = [f"wanted is the decision {wanted!r}; cost is {by}, a change of text counts 1"]
        unread = [name for name in self._fixed if name in table.unread]
        if unread:
            said.append(f"not read by the model, so that they stay anyway: {', '.join(unread)}")
        named = {name for name, _, _ in self._ranges}
        kept = f"kept as they are (immutable): {listed(self._fixed)}"
        said.append(f"{kept}; ranges: {listed(sorted(named))} as said, others as seen")
        if self._slope(model, table, room) is not None:
            steps = [table.names[one] for one in np.flatnonzero(room.steps)]
            form = "the closed form of a linear score"
            most = f"costs are at most these, {form} with whole numbers rounded to the next that "
            most += f"turns the decision ({listed(steps)}); {_BETWEEN}"
            said.append(most if steps else f"costs are exact: {form}")
        else:
            said.append(
                "changes were searched for, and turn the decision; there may be cheaper ones, or "
                "one where none was found: costs and the share without recourse are at most these; "
                + _BETWEEN
            )
        return (*said, *super().notes(model, table))


def _held(low: Numbers, high: Numbers, dtype: np.dtype[Any]) -> tuple[Numbers, Numbers]:
    """Return the ends of ranges that inputs can hold: of whatever lies within, none is rounded out.

    >>> least, most = _held(np.array([0.1]), np.array([0.3]), np.dtype(np.float32))
    >>> bool(0.1 <= least[0] < 0.1001), bool(0.2999 < most[0] <= 0.3)
    (True, True)
    """
    if dtype.kind != "f":
        return low, high
    up, down = dtype.type(np.inf), dtype.type(-np.inf)
    least, most = low.astype(dtype), high.astype(dtype)
    least = np.where(least < low, np.nextafter(least, up), least).astype(np.float64)
    most = np.where(most > high, np.nextafter(most, down), most).astype(np.float64)
    # A range that is narrower than that stays as it was said.
    held = least <= most
    return np.where(held, least, low), np.where(held, most, high)


_SEARCH = Search()

_BETWEEN = (
    "shares turned within a cost are at least what is told, and a difference of two such figures "
    "is bounded on neither side"
)


def _deviation(x: Numbers) -> Numbers:
    """Return the median absolute deviation of columns, the mean one where that is 0."""
    off = np.abs(x - np.median(x, axis=0))
    median = np.median(off, axis=0)
    return np.asarray(np.where(median > 0, median, off.mean(axis=0)), np.float64)
