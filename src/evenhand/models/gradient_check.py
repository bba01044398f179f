"""The check of gradients: against differences of scores, in declared units.

It tells a normalisation or a factor of 255 that stands outside the gradient, a gradient that is cut
off, and one that is made up.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evenhand.errors import ModelError
from evenhand.models.answer_check import differ
from evenhand.models.doubt import Answered, Doubt, NotCheckedError
from evenhand.models.model import Array, Floats

INPUTS = 16
_DIRECTIONS = 4

_STEPS = (0.02, 0.005, 0.001)
"""Of the range: wide ones meet bends of the network, narrow ones the rounding of float32."""

_NEAR = (0.8, 1.25)

_OFF = 0.5
"""How far differences along random directions may be from the gradient, by their length."""


def gradient(told: Answered) -> Iterator[Doubt]:
    """Doubt gradients that are not those of the scores."""
    model, spec = told.model, told.model.spec
    if "vjp" not in model.offers:
        raise NotCheckedError("it offers no gradients")
    if spec.stochastic:
        raise NotCheckedError("its answers are stochastic")
    if told.scores is not None and differ(told.asked(told.x[:INPUTS]), told.scores[:INPUTS]):
        raise NotCheckedError("its answers do not repeat")
    # Inside the range, so that no step leaves it.
    middle = (spec.low + spec.high) / 2.0
    x = (middle + 0.9 * (told.x[:INPUTS] - middle)).astype(told.x.dtype)
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((len(x), spec.classes))
    try:
        given = _gradient(told, x, weights)
    except ModelError as error:
        for problem in error.problems:
            yield Doubt("gradient", problem.what, "certain", problem.hint)
        return
    if given.shape != x.shape or not np.isfinite(given).all():
        seen = f"gradients have the shape {given.shape} for {x.shape}, or are not finite."
        yield Doubt("gradient", seen, "certain", "Give the derivative by the input as it is given.")
        return
    random = [rng.choice([-1.0, 1.0], x.shape) for _ in range(_DIRECTIONS)]
    along = [_changes(told, x, weights, one) for one in random]
    flat = np.abs(given).reshape(len(x), -1).max(axis=1) == 0
    if flat.mean() > 0.5:  # noqa: PLR2004 - most
        yield _dead(flat, along)
        return
    largest = np.abs(given).reshape(len(x), -1).max(axis=1)
    scaled = given / np.where(flat, 1, largest).reshape(-1, *(1 for _ in spec.shape))
    meant = _along(given, scaled)[~flat]
    found = np.array([one[~flat] / meant for one in _changes(told, x, weights, scaled)])
    # Each input by the step that suits it best: a wrong factor is wrong at all of them.
    distance = np.abs(np.log(np.maximum(found, 1e-9)))
    ratio = float(np.median(np.take_along_axis(found, distance.argmin(axis=0)[None], 0)))
    if not _NEAR[0] < ratio < _NEAR[1]:
        seen = f"along the gradient scores change {ratio:.3g} times as fast as it says."
        hint = "Is the input normalised, or divided by 255, outside what the gradient is taken by?"
        yield Doubt("gradient", seen, "certain", hint)
        return
    said = np.concatenate([_along(given, one) for one in random])
    seen_at = [np.concatenate([one[step] for one in along]) for step in range(len(_STEPS))]
    off = min(_length(one - said) / max(_length(one), 1e-30) for one in seen_at)
    if off > _OFF:
        seen = f"along random directions scores change otherwise than it says, by {off:.0%}."
        hint = "Is part of the way from the input to the scores cut off (detach, round)?"
        yield Doubt("gradient", seen, "likely", hint)


def _dead(flat: Floats, along: list[list[Floats]]) -> Doubt:
    moves = max(float(np.abs(one[0]).max()) for one in along) > 0
    seen = f"it is 0 for {int(flat.sum())} of {len(flat)} inputs"
    if moves:
        hint = "The way from the input is cut off (round, argmax, detach): attack by scores."
        return Doubt("gradient", f"{seen}, and the scores do change.", "certain", hint)
    hint = "Are the scores saturated? Return logits; or attack by decisions."
    return Doubt("gradient", f"{seen}, and the scores do not change.", "likely", hint)


def _gradient(told: Answered, x: Floats, weights: Floats) -> Floats:
    model = told.model

    def slope(scores: Array, some: slice) -> Array:
        # An array of the scores' own library and type, of the numbers of `weights`.
        return scores * 0 + model.array(weights[some].astype(x.dtype))

    return np.asarray(model.numpy(model.vjp(model.array(x), slope)[1]), np.float64)


def _changes(told: Answered, x: Floats, weights: Floats, direction: Floats) -> list[Floats]:
    """Return the slope of the weighted scores along a direction, for each step."""
    spec, found = told.model.spec, []
    for step in _STEPS:
        size = step * (spec.high - spec.low)
        sides = [
            told.asked((x + sign * size * direction).astype(x.dtype)).astype(np.float64)
            for sign in (1, -1)
        ]
        found.append(((sides[0] - sides[1]) * weights).sum(axis=1) / (2 * size))
    return found


def _along(given: Floats, direction: Floats) -> Floats:
    found: Floats = (given * direction).reshape(len(given), -1).sum(axis=1)
    return found


def _length(numbers: Floats) -> float:
    return float(np.linalg.norm(numbers))
