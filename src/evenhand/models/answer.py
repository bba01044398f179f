"""What answers of a model must be, whatever it is written in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from evenhand.errors import ModelError, Problem, listed
from evenhand.models.model import Codes, Floats
from evenhand.models.spec import Spec

BATCH = 256
"""Examples that are asked about at once, unless somebody says otherwise."""

VARIABLE = "EVENHAND_BATCH"


class UnansweredError(ModelError):
    """A model was not asked, or did not answer: it is away, or its budget is spent.

    It tells nothing of the model, so that no check takes it for a doubt.
    """


_NUMBERS = 2**18
"""Numbers that are asked about at once, where one example has few of them."""


def at_once() -> int:
    """Return how many examples are asked about at once: as `VARIABLE` says, else `BATCH`.

    Raises:
        ModelError: It says no number above 0.

    """
    return _said() or BATCH


def batch_of(spec: Spec) -> int:
    """Return `at_once`, and of rows of a table more than of images where nothing was said."""
    return _said() or max(BATCH, _NUMBERS // spec.size)


def _said() -> int | None:
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        what = f"'{text}' is no number of examples."
        raise ModelError(Problem(VARIABLE, what, f"Say {VARIABLE}=64, or leave it unset."))
    return int(text)


def batches(count: int, size: int) -> Iterator[slice]:
    """Yield slices of so many examples."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def check_inputs(x: Floats, spec: Spec, who: str) -> None:
    """Check that inputs are what a spec says.

    Raises:
        ModelError: They have another shape, or lie outside the range, with what may be meant.

    """
    if x.shape[1:] != spec.shape:
        what = f"inputs have the shape {x.shape[1:]}, the spec says {spec.shape}."
        hint = "Channels first or last? Say the layout: CHW or HWC." if x.ndim > 2 else ""  # noqa: PLR2004
        raise ModelError(Problem(who, what, hint))
    if not len(x):
        return
    least, most = float(np.min(x)), float(np.max(x))
    if not (np.isfinite(least) and np.isfinite(most)):
        raise ModelError(Problem(who, "inputs hold NaN or infinite numbers."))
    slack = 1e-6 * (spec.high - spec.low)
    if least < spec.low - slack or most > spec.high + slack:
        what = f"inputs go from {least:g} to {most:g}, the spec says {spec.low:g} to {spec.high:g}."
        raise ModelError(Problem(who, what, _range_meant(least, most)))


def _range_meant(least: float, most: float) -> str:
    if least < 0:
        return "Are they normalised? Give them as they were before; the spec has mean and std."
    if most > 1 and most <= 255:  # noqa: PLR2004 - of bytes
        return "Are they bytes? Say --range 0 255, and eps in the same units."
    return "Say the range of the inputs: --range LOW HIGH."


def normalised(x: Floats, spec: Spec) -> Floats:
    """Return inputs as the model itself sees them: less the mean, divided by the std, by channel.

    Args:
        x: Inputs in declared units, shape (n, *spec.shape).
        spec: Has mean and std; where it has none inputs come back as they are.

    """
    if not spec.mean:
        return x
    mean, std = (channelwise(np.asarray(one, x.dtype), spec) for one in (spec.mean, spec.std))
    found: Floats = (x - mean) / std
    return found


def channelwise(values: Any, spec: Spec) -> Any:  # noqa: ANN401 - arrays of any library
    """Return one number, or one for each channel, in a shape that goes with a batch of inputs."""
    if len(values) == 1:
        return values
    shape = {"CHW": (-1, 1, 1), "HWC": (1, 1, -1), "HW": (1, 1), "features": spec.shape}
    return values.reshape(shape[spec.layout])


def check_scores(answers: object, count: int, spec: Spec, who: str) -> Floats:
    """Return scores as an array of floats, if they are what a spec says.

    Args:
        answers: What a model gave: an array, a list of rows, a tensor.
        count: How many inputs were asked about.
        spec: Says how many classes there are.
        who: The model, in errors.

    Raises:
        ModelError: They are of another shape, no numbers, or not finite.

    """
    found = as_numbers(answers, who)
    if found.ndim == 1 or (found.ndim == 2 and found.shape[1] == 1 and spec.classes == 2):  # noqa: PLR2004
        what = f"one score for each input came back, of shape {found.shape}."
        hint = "Give a column for each class: for two classes [0, logit], or [1 - p, p]."
        raise ModelError(Problem(who, what, hint))
    if found.shape != (count, spec.classes):
        what = f"scores have the shape {found.shape}, where ({count}, {spec.classes}) is meant."
        hint = "The spec's labels name the classes, in the order of the scores."
        raise ModelError(Problem(who, what, hint))
    if not np.isfinite(found).all():
        bad = int((~np.isfinite(found)).any(axis=1).sum())
        what = f"scores of {bad:,} of {count:,} inputs are NaN or infinite."
        raise ModelError(Problem(who, what, "A model that overflows cannot be attacked honestly."))
    return found


def as_numbers(answers: object, who: str) -> Floats:
    """Return answers as an array of floats, of whatever shape they are.

    Raises:
        ModelError: They are no numbers, or rows of different lengths.

    """
    try:
        found = np.asarray(answers)
        return found if found.dtype.kind == "f" else found.astype(np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        what = f"its answer, of type {type(answers).__name__}, is no table of numbers."
        hint = "Give an array of shape (n, classes); say output: labels where it gives labels."
        raise ModelError(Problem(who, what, hint)) from error


def label_key(label: object) -> str:
    """Return by what labels are compared: their text, of 1.0 that of 1.

    >>> label_key(1.0), label_key(True), label_key("cat")
    ('1', 'True', 'cat')
    """
    whole = isinstance(label, float) and label.is_integer()
    return str(int(label)) if whole else str(label)  # type: ignore[call-overload]


def codes_of(answers: object, spec: Spec, who: str) -> Codes:
    """Return labels as places in `Spec.labels`; False and True are 0 and 1 where these are labels.

    Raises:
        ModelError: Labels are none of the spec's; all of them are named.

    """
    places = {label_key(label): place for place, label in enumerate(spec.labels)}
    values = np.asarray(answers)
    if values.dtype == bool and {*places} == {"0", "1"}:
        values = values.astype(np.int64)
    keys = [label_key(one) for one in values.tolist()]
    strange = sorted({*keys} - {*places})
    if strange:
        shown = listed([f"'{one}'" for one in strange[:_SHOWN]])
        more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
        named = "is none" if len(strange) == 1 else "are none"
        what = f"{shown}{more} {named} of the labels {listed(spec.labels)}."
        hint = "Name all classes, in the order of the scores: --class cat --class dog."
        if {type(one) for one in spec.labels} == {bool} and values.dtype.kind in "OU":
            hint = "YAML reads no and yes as false and true: put classes in quotes."
        raise ModelError(Problem(who, what, hint))
    return np.array([places[one] for one in keys], dtype=np.int64)


_SHOWN = 5
"""Labels that an error names."""
