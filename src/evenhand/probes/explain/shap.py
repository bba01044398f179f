"""Shapley values of a score: which feature does how much to it, beside a declared background."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.errors import EvenhandError, MissingExtraError, ModelError, Problem, listed
from evenhand.models.function import FunctionModel
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Floats, Model
from evenhand.probes.explain.explanation import Told
from evenhand.probes.explain.score import Score
from evenhand.probes.explain.scored import Scored
from evenhand.probes.explain.shapley import (
    Parts,
    enumerated_by_halves,
    halves,
    linear,
    sampled,
)
from evenhand.probes.explain.table import Table
from evenhand.probes.explain.trees import explainable, missing, of_trees, trees_of
from evenhand.probes.method import streams_of
from evenhand.probes.parameter import count_of, refuse

Way = Literal["auto", "closed_form", "trees", "enumerate", "sample"]
_WAYS: tuple[Way, ...] = get_args(Way)

_LEAST, _FEW = 10, 50
"""Of a background: what is refused below, and told of as small."""

_MOST = 14
"""Features of which all coalitions are looked at when that is asked for."""

_TOLERANCE = 1e-6
"""How far parts may be from adding up, relative to the score: those of trees are by some 1e-8."""


class Game(NamedTuple):
    """What features play for: a score of a model, beside a background of shape (b, columns)."""

    model: Model
    score: Score
    background: Floats
    members: tuple[tuple[int, ...], ...]

    def scored(self, flat: Floats) -> NDArray[np.float64]:
        """Return the scores of examples of shape (n, columns)."""
        return self.score.of(self.model, flat.reshape(-1, *self.model.spec.shape))


class Found(NamedTuple):
    """Parts, their standard errors, NaN where they are exact, and shifts; shape (n, features)."""

    parts: Parts
    error: NDArray[np.float64]
    shift: Parts


@dataclass(frozen=True)
class Shap(Scored):
    """Interventional Shapley values of one class's score; Lundberg and Lee 2017, Janzing 2020.

    They add up to the score minus the mean score of the background: examples drawn from the inputs.
    In closed form of linear logits, through the shap library of trees, by all coalitions of few
    features, else by random orders, whose standard error is told: of one round, what it is at most.

    Attributes:
        background: How many examples features are taken from.
        exact: Up to how many features all coalitions are looked at.
        rounds: Orders for each example of the background, and their reverses.
        way: How it is worked out; ``auto`` takes the first that fits.

    """

    name = "shap"
    summary: ClassVar[tuple[str, ...]] = ("mean_attribution", "mean_absolute_attribution")
    columns: ClassVar[dict[str, pl.DataType]] = {
        "attribution": pl.Float64(),
        "attribution_error": pl.Float64(),
        "background_shift": pl.Float64(),
        "explained_score": pl.Float64(),
        "base_score": pl.Float64(),
    }
    block: ClassVar[int] = 256

    background: int = 100
    exact: int = 8
    rounds: int = 1
    way: Way = "auto"

    def __post_init__(self) -> None:
        """Refuse parameters that cannot be meant."""
        refuse(
            str(self),
            [
                *self.unmeant(),
                (self.way not in _WAYS, f"way={self.way}; there are {listed(_WAYS)}."),
                (
                    not count_of(self.background, _LEAST),
                    f"background={self.background} is too small: from {_LEAST} on.",
                ),
                (
                    not count_of(self.exact) or self.exact > _MOST,
                    f"exact={self.exact} is no number of features from 1 to {_MOST}.",
                ),
                (not count_of(self.rounds), f"rounds={self.rounds} is no number from 1 on."),
            ],
        )

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
        """Return parts, their errors and shifts, the score that is explained, and the base."""
        del labels, prediction
        game = self.game(model, table)
        x = _flat(examples.x)
        whole, base = game.scored(x), float(game.scored(game.background).mean())
        streams = streams_of(examples, table.seed, self.name)
        found = self._found(game, self.taken(model, table), x, streams, tell)
        self._check(found.parts, whole, base)
        parts = _without_rounding(found.parts, whole, base)
        still = _still(table)
        parts[:, still], found.shift[:, still] = 0.0, 0.0
        count = len(table.features)
        return pl.DataFrame(
            {
                "attribution": parts.T.reshape(-1),
                "attribution_error": pl.Series(found.error.T.reshape(-1)).fill_nan(None),
                "background_shift": found.shift.T.reshape(-1),
                "explained_score": np.tile(whole, count),
                "base_score": np.full(count * len(x), base),
            }
        )

    def game(self, model: Model, table: Table) -> Game:
        """Return what features play for."""
        background = _flat(table.x[table.drawn(self.background)])
        return Game(model, self.score(model), background, table.features.members)

    def taken(self, model: Model, table: Table) -> Way:
        """Return how values are worked out: as was said, or the first way that fits."""
        if self.way != "auto":
            return self.way
        score = self.score(model)
        if slope_of(model, score) is not None:
            return "closed_form"
        alone = len(table.features) == len(table.names)
        if alone and not explainable(model, score) and not missing(model):
            return "trees"
        return "enumerate" if len(table.features) <= self.exact else "sample"

    @property
    def _levels(self) -> list[str]:
        """What hangs on the background that was drawn."""
        said = "the level of parts, and of their mean over all, is that of the background that was"
        said += " drawn: another seed moves it by more than intervals say, sizes and differences of"
        return [f"{said} groups far less"]

    def _found(
        self,
        game: Game,
        way: Way,
        x: Floats,
        streams: Sequence[np.random.Generator],
        tell: Told,
    ) -> Found:
        unknown = np.full((len(x), len(game.members)), np.nan)
        slope = slope_of(game.model, game.score)
        first = halves(len(game.background))
        both = game.background[first], game.background[~first]
        if way == "closed_form" and slope is not None:
            one, other = (linear(slope, x, half, game.members) for half in both)
            exact = linear(slope, x, game.background, game.members)
            return Found(exact, unknown, (one - other) / 2)
        if way == "trees":
            one, other = (of_trees(game.model, half, x, game.score) for half in both)
            share = first.mean()
            return Found(share * one + (1 - share) * other, unknown, (one - other) / 2)
        if way == "enumerate":
            parts, shift = enumerated_by_halves(
                game.scored, x, game.background, game.members, tell=tell
            )
            return Found(parts, unknown, shift)
        return Found(
            *sampled(
                game.scored,
                x,
                game.background,
                game.members,
                rounds=self.rounds,
                streams=streams,
                tell=tell,
            )
        )

    def _check(self, parts: Parts, whole: NDArray[np.float64], base: float) -> None:
        """Refuse parts that do not add up.

        Raises:
            ModelError: They do not.

        """
        off = np.abs(parts.sum(axis=1) - (whole - base))
        allowed = _TOLERANCE * np.maximum(1.0, np.abs(whole) + abs(base))
        wrong = int((off > allowed).sum())
        if wrong:
            what = f"parts of {wrong:,} of {len(off):,} examples miss their score by up to "
            what += f"{off.max():.3g}: the model answers otherwise than it did, or is not the one "
            what += "that was taken apart."
            raise ModelError(Problem(str(self), what, "Say way=sample, if its answers repeat."))

    def most(self, model: Model, table: Table) -> int:
        """Return what the way costs for an example, with its share of the background's scores."""
        count, size = len(table.x), len(table.features)
        base = min(self.background, count)
        way = self.taken(model, table)
        every = int(2**size) - 2
        each = {"enumerate": every * base, "sample": 2 * self.rounds * base * (size - 1)}
        # A block scores the background once, and where it samples twice.
        blocks = math.ceil(count / self.block)
        looks = 2 if way in each else 1
        return each.get(way, 0) + looks + math.ceil(looks * base * blocks / count)

    def problems(self, model: Model, table: Table | None) -> list[Problem]:
        """Return that there is no such score, or that the way or the background does not fit."""
        found = super().problems(model, table)
        try:
            score = self.score(model)
        except EvenhandError:
            return found
        if model.spec.stochastic:
            what = "answers that do not repeat have no parts that add up."
            found.append(Problem(str(self), what))
        if self.way == "closed_form" and slope_of(model, score) is None:
            what = f"{score.words(model.spec)} of {model.name} is no linear score."
            found.append(Problem("way", what, "Leave way out."))
        if self.way == "trees":
            found += [Problem("way", why) for why in [explainable(model, score)] if why]
            if missing(model):
                found += [*MissingExtraError("explain", where="way").problems]
        if table is None:
            return found
        if self.way == "trees" and len(table.features) < len(table.names):
            what = "groups of features have no values of trees."
            found.append(Problem("way", what, "Say way=sample, or leave the groups out."))
        if self.way == "enumerate" and len(table.features) > _MOST:
            what = f"{len(table.features)} features have {2 ** len(table.features):,} coalitions."
            found.append(Problem("way", what, "Say way=sample, or put features together."))
        if len(table.x) < _LEAST:
            what = f"of {len(table.x)} examples no background can be drawn; {_LEAST} are the least."
            found.append(Problem("background", what))
        return found

    def notes(self, model: Model, table: Table) -> tuple[str, ...]:
        """Return what is explained, beside which background, how, and what may be misread."""
        size = min(self.background, len(table.x))
        way = self.taken(model, table)
        beside = (
            f"explained is {self.words(model)}, above its mean in a background of {size:,} "
            f"of {len(table.x):,} examples, drawn by seed {table.seed} (interventional: features "
            "are taken from the background as if they were independent); intervals are of the "
            "examples, with this background as it is"
        )
        orders = f"{self.rounds} random order{'s' * (self.rounds != 1)}"
        said = [beside, _HOW[way].format(orders=orders)]
        if way == "sample":
            said.append(_ERROR[self.rounds > 1])
        said += self._levels
        if size < _FEW:
            said.append(f"a background of {size} is small: another one may give other parts")
        if self.way == "auto" and way == "sample" and trees_of(model) is not None:
            why = explainable(model, self.score(model))
            lacks = "it needs the shap library: pip install 'evenhand[explain]'"
            said.append(f"parts would be exact by way=trees, but {why or lacks}")
        return (*said, *super().notes(model, table))


_HOW = {
    "closed_form": "parts are exact: w (x - mean), the closed form of a linear score",
    "trees": "parts are exact: of trees, by the shap library, over the whole background",
    "enumerate": "parts are exact: of all coalitions of features",
    "sample": ("parts are of {orders} for each example of the background, each with its reverse"),
}

_ERROR = {
    False: (
        "attribution_error is from one background example to the next, so that the standard error "
        "of the orders is at most that: rounds=2 tells it"
    ),
    True: "attribution_error is the standard error, between orders",
}
"""What the error is that is told, of one round and of more."""


def _still(table: Table) -> NDArray[np.bool_]:
    """Return which features never change in these examples, whose parts are 0; shape (features,).

    Taken from the background they are what they were, whatever the model does with them.
    """
    flat = _flat(table.x)
    changes = (flat != flat[:1]).any(axis=0)
    return np.array([not changes[[*some]].any() for some in table.features.members])


def _without_rounding(parts: Parts, whole: NDArray[np.float64], base: float) -> Parts:
    """Return parts, 0 where scores that are alike left nothing but rounding; shape as before."""
    nothing = _ROUNDING * (np.abs(whole) + abs(base))[:, None]
    return np.where(np.abs(parts) <= nothing, 0.0, parts)


_ROUNDING = 32 * float(np.finfo(np.float64).eps)
"""Of a score: what sums over coalitions of scores that cancel may leave of it."""


def slope_of(model: Model, score: Score) -> NDArray[np.float64] | None:
    """Return the weights of a linear score by column, None where it is not known to be one."""
    known = isinstance(model, FunctionModel) and model.weights is not None
    if not known or score.link != "logit" or model.spec.output != "logits":
        return None
    weights = np.asarray(model.weights[0], np.float64)  # type: ignore[attr-defined]
    slope = weights[score.target]
    if len(weights) == 2:  # noqa: PLR2004 - of two classes the logit is a difference
        slope = slope - weights[1 - score.target]
    found: NDArray[np.float64] = slope / np.asarray(model.spec.std) if model.spec.std else slope
    return found


def _flat(x: Floats) -> Floats:
    return x.reshape(len(x), -1)
