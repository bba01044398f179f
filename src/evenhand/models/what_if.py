"""Checks by true classes: is a model better if its inputs or labels are read in another way?

What is said wrongly can often not be seen in accuracy: a network without biases classifies inputs
of 0 to 255 as it does those of 0 to 1. But its scores are then 255 times too sure, so that the
likelihood of the true classes tells the scale that it was trained on. What costs less than five
points of accuracy, and is no matter of scale, is not seen here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import ModelError
from evenhand.models.answer import UnansweredError, channelwise
from evenhand.models.doubt import Answered, Doubt, NotCheckedError
from evenhand.models.model import Codes, Floats
from evenhand.models.spec import Spec

Flags: TypeAlias = NDArray[np.bool_]

LEAST = 32
"""Inputs below which accuracy proves nothing."""

_MORE = 0.05
"""By how much accuracy must rise to be worth a doubt."""

_CHANCE = 1e-5
"""The chance at which a rise by luck alone is not."""

_NATS = 0.5
"""By how much the mean log-likelihood must rise."""

_MOST_NATS = 20.0

_RIGHT = 0.5
"""Accuracy below which the likelihood tells that a model is wrong, and no more."""

_FACTOR = 10
"""Scales that differ by less cannot be told from a model that is not sure enough of itself."""


class _Reading(NamedTuple):
    """Another way to read inputs."""

    name: str
    seen: str
    x: Floats
    hint: str
    factor: float = 1.0


def by_classes(told: Answered) -> Iterator[Doubt]:
    """Doubt order of labels, range, normalisation and layout: what explains errors best.

    Nothing is said of a model that is as good as in any other reading, unless it guesses.
    """
    labels = _labels(told)
    right = told.codes == labels
    found = [*_orders(told, labels), *_readings(told, labels, right)]
    share, chance = float(right.mean()), 1 / told.model.spec.classes
    if found:
        yield max(found, key=lambda one: one[0])[1]
    elif share < chance + 3 * math.sqrt(chance * (1 - chance) / len(labels)):
        seen = f"accuracy is {share:.3f} of {len(labels):,} inputs, that of guessing {chance:.3f}."
        hint = "Are these its weights, its labels, and its inputs as it was trained on them?"
        yield Doubt("guessing", seen, "likely", hint)


def _orders(told: Answered, labels: Codes) -> Iterator[tuple[float, Doubt]]:
    """Yield the order of labels that makes a model much better, and how good.

    The best order is looked for in each half of the inputs and judged in the other, so that
    looking among all of them is no advantage.
    """
    halves = np.arange(len(labels)) % 2
    renamed = np.empty_like(told.codes)
    for half in (0, 1):
        renamed[halves == half] = _best_order(told, halves != half)[told.codes[halves == half]]
    if not _better(renamed == labels, told.codes == labels):
        return
    found = _best_order(told, halves >= 0)
    names = told.model.spec.labels
    moved = [f"{names[n]} is {names[one]}" for n, one in enumerate(found) if one != n]
    seen = f"accuracy is {_share(told.codes == labels)} as the labels are said, and "
    seen += f"{_share(renamed == labels)} if {', '.join(moved[:4])}"
    seen += " and so on." if len(moved) > 4 else "."  # noqa: PLR2004
    hint = "Name the labels in the order of the model's scores."
    yield float((renamed == labels).mean()), Doubt("labels", seen, "likely", hint)


def _readings(told: Answered, labels: Codes, right: Flags) -> Iterator[tuple[float, Doubt]]:
    """Yield readings of the inputs that make a model much better, and how good."""
    own = _likelihoods(told.scores, labels, told.model.spec)
    for reading in _others(told.x, told.model.spec):
        try:
            scores = None if told.scores is None else told.asked(reading.x)
            codes = told.model.predict(reading.x) if scores is None else scores.argmax(axis=1)
        except UnansweredError:
            raise
        except ModelError:
            continue
        share = float((codes == labels).mean())
        wide = not 1 / _FACTOR < reading.factor < _FACTOR
        if _better(codes == labels, right):
            seen = f"accuracy is {_share(right)}, and {share:.3f} {reading.seen}."
            yield share, Doubt(reading.name, seen, "likely", reading.hint)
        elif own is not None and wide and right.mean() >= _RIGHT:
            # As accurate, and far less surprised by the truth.
            other = _likelihoods(scores, labels, told.model.spec)
            if other is not None and share >= right.mean() - _MORE and _rises(other, own):
                seen = f"the true classes have a mean log-likelihood of {own.mean():.3g}, and "
                seen += f"{other.mean():.3g} {reading.seen}, at an accuracy of {_share(right)} "
                seen += f"and {share:.3f}."
                yield 0.0, Doubt(reading.name, seen, "likely", reading.hint)


def roughness(told: Answered) -> Iterator[Doubt]:
    """Doubt the order of channels, where images are much smoother in another."""
    spec = told.model.spec
    if spec.layout not in {"CHW", "HWC"} or spec.channels == 1:
        raise NotCheckedError("inputs are no images of several channels")
    own, other = _rough(told.x, spec.layout), _rough(_other_layout(told.x, spec), spec.layout)
    if other < 0.6 * own:
        meant = "HWC" if spec.layout == "CHW" else "CHW"
        seen = f"neighbouring pixels differ by {own:.3g} on average, and by {other:.3g} if the "
        seen += f"stored numbers are read as {meant}."
        yield Doubt("layout", seen, "likely", f"Are examples stored as {meant}? Move the axis.")


def _labels(told: Answered) -> Codes:
    if told.labels is None:
        raise NotCheckedError("the true classes are not known")
    if len(told.labels) < LEAST:
        raise NotCheckedError(f"{len(told.labels)} inputs are too few, {LEAST} are needed")
    return told.labels


def _others(x: Floats, spec: Spec) -> Iterator[_Reading]:
    """Yield inputs as they would be if something else had been meant."""
    span = spec.high - spec.low
    for low, high in ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)):
        if (low, high) != (spec.low, spec.high):
            factor = (high - low) / span
            moved = (low + (x - spec.low) * factor).astype(x.dtype)
            seen = f"with inputs from {low:g} to {high:g} in place of {spec.low:g} to {spec.high:g}"
            hint = f"Was it trained on {low:g} to {high:g}? Give such inputs, and --range to match."
            yield _Reading("scale", seen, moved, hint, factor)
    if spec.mean:
        raw = _by_channel(x, spec, np.asarray(spec.std), np.asarray(spec.mean))
        hint = "Does the model normalise by itself? Leave --mean and --std out."
        yield _Reading("normalisation", "without the spec's normalisation", raw, hint)
    elif spec.layout != "features":
        axes = tuple(n for n in range(x.ndim) if n != {"CHW": 1, "HWC": 3}.get(spec.layout, -1))
        mean, std = (getattr(x, one)(axis=axes, keepdims=True) for one in ("mean", "std"))
        hint = "Was it trained on normalised inputs? Say --mean and --std."
        usual = ((x - mean) / np.maximum(std, 1e-6)).astype(x.dtype)
        yield _Reading("normalisation", "with inputs normalised by their own mean", usual, hint)
    if spec.layout == "features":
        return
    turned = spec.low + spec.high - x
    yield _Reading("inverted", "with dark and bright exchanged", turned, "Invert the inputs.")
    height, width = {"CHW": (2, 3)}.get(spec.layout, (1, 2))
    if x.shape[height] == x.shape[width]:
        seen, hint = "with rows and columns exchanged", "Are images stored column by column?"
        yield _Reading("layout", seen, np.swapaxes(x, height, width), hint)
    if spec.channels > 1:
        meant = "HWC" if spec.layout == "CHW" else "CHW"
        hint = f"Are examples stored as {meant}? Move the axis."
        seen = f"with the stored numbers read as {meant}"
        yield _Reading("layout", seen, _other_layout(x, spec), hint)
        seen, hint = "with channels in reverse", "Are colours stored as blue, green, red?"
        yield _Reading("layout", seen, np.flip(x, 1 if spec.layout == "CHW" else 3), hint)


def _by_channel(x: Floats, spec: Spec, factor: Floats, more: Floats) -> Floats:
    found: Floats = x * channelwise(factor, spec) + channelwise(more, spec)
    return found.astype(x.dtype)


def _other_layout(x: Floats, spec: Spec) -> Floats:
    """Return the stored numbers read in the other order of axes, in the order that is declared."""
    if spec.layout == "CHW":
        channels, height, width = spec.shape
        return np.moveaxis(x.reshape(-1, height, width, channels), -1, 1)
    height, width, channels = spec.shape
    return np.moveaxis(x.reshape(-1, channels, height, width), 1, -1)


def _rough(x: Floats, layout: str) -> float:
    axes = (2, 3) if layout == "CHW" else (1, 2)
    return float(sum(np.abs(np.diff(x, axis=axis)).mean() for axis in axes) / 2)


def _best_order(told: Answered, some: Flags) -> Codes:
    """Return the class that each predicted class stands for, one for each, in some of the rows."""
    from scipy.optimize import linear_sum_assignment

    count = told.model.spec.classes
    table = np.zeros((count, count))
    np.add.at(table, (told.codes[some], _labels(told)[some]), 1)
    # Classes that were not seen keep their names.
    table += 1e-6 * np.eye(count)
    found: Codes = linear_sum_assignment(table, maximize=True)[1]
    return found


def _better(one: Flags, other: Flags) -> bool:
    """Return whether more are right than before, by far more than luck."""
    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    if gained - lost < _MORE * len(one):
        return False
    total = gained + lost
    luck = sum(math.comb(total, n) for n in range(gained, total + 1))
    # Whole numbers: of many inputs their ratio is too small for a float.
    return luck * round(1 / _CHANCE) < 1 << total


def _likelihoods(scores: Floats | None, labels: Codes, spec: Spec) -> Floats | None:
    """Return the log-likelihood of each true class; None where scores are no chances."""
    if scores is None or spec.output not in {"logits", "probabilities"}:
        return None
    wide = scores.astype(np.float64)
    at = wide[np.arange(len(wide)), labels]
    if spec.output == "probabilities":
        found: Floats = np.log(np.maximum(at, 1e-12))
        return found
    top = wide.max(axis=1)
    total: Floats = at - top - np.log(np.exp(wide - top[:, None]).sum(axis=1))
    return total


def _rises(other: Floats, own: Floats) -> bool:
    """Return whether log-likelihoods rise by much, to less than half of what they lack."""
    # No single input decides: of a wrong scale each error costs hundreds.
    gain = np.clip(other - own, -_MOST_NATS, _MOST_NATS)
    error = float(gain.std()) / math.sqrt(len(gain))
    risen = float(other.mean() - own.mean())
    much = risen > max(_NATS, -float(own.mean()) / 2)
    return bool(much and float(gain.mean()) > 3 * error)


def _share(right: Flags) -> str:
    return f"{right.mean():.3f}"
