"""What answers of a model must be, whatever it is written in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import ModelError, Problem
from evenhand.models.model import Codes, Floats
from evenhand.models.spec import Spec

BATCH = 256
"""Examples that are asked about at once, unless somebody says otherwise."""


def batches(count: int, size: int = BATCH) -> Iterator[slice]:
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


def check_scores(scores: NDArray[np.floating], count: int, spec: Spec, who: str) -> Floats:
    """Return scores, if they are what a spec says.

    Raises:
        ModelError: They are of another shape, or not finite.

    """
    found: Floats = np.asarray(scores, dtype=np.float64 if scores.dtype.kind != "f" else None)
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


def codes_of(answers: object, spec: Spec, who: str) -> Codes:
    """Return labels as places in `Spec.labels`.

    Raises:
        ModelError: A label is none of the spec's.

    """
    places = {str(label): place for place, label in enumerate(spec.labels)}
    values = [str(one) for one in np.asarray(answers).tolist()]
    strange = sorted({*values} - {*places})
    if strange:
        what = f"it answers '{strange[0]}', which is none of the labels {', '.join(places)}."
        raise ModelError(Problem(who, what, "Name all classes in the spec's labels."))
    return np.array([places[one] for one in values], dtype=np.int64)
