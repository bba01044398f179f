"""Inputs that stand for absence: what parts are told against, and what features are removed with.

None is neutral: a black one hides black pixels, a blurred one keeps large shapes. So a map and its
card name theirs, and several are asked about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from scipy.ndimage import gaussian_filter

from evenhand.models.model import Floats
from evenhand.models.spec import Spec

Baseline = Literal["low", "mean", "blur"]
"""``low``: the lowest value of the range; ``mean``: that of the example, by channel (of a table:
the middle of the range); ``blur``: the image, blurred by an eighth of its shorter side."""

BASELINES: tuple[Baseline, ...] = get_args(Baseline)

_PART = 8


@dataclass(frozen=True)
class Row:
    """A row of a table that stands for absence in every example, such as one of a background.

    Attributes:
        values: By column, in the units of the spec.

    """

    values: tuple[float, ...]


Reference: TypeAlias = Baseline | Row
"""What parts are told against: a baseline by its name, or a row of the table."""


def baseline_of(name: Reference, x: Floats, spec: Spec) -> Floats:
    """Return what stands for absence in each example, of the shape of ``x``.

    Args:
        name: Which.
        x: Examples, shape (n, *spec.shape).
        spec: Of the model.

    """
    if isinstance(name, Row):
        same: Floats = np.broadcast_to(np.array(name.values, np.asarray(x).dtype), x.shape)
        return same
    return _BASELINES[name](np.asarray(x, np.float64), spec).astype(np.asarray(x).dtype)


def refused(name: object, spec: Spec | None = None) -> str:
    """Return why a name is no baseline of such inputs; empty where it is."""
    if isinstance(name, Row):
        same = spec is None or spec.shape == (len(name.values),)
        return "" if same else "a row is the baseline of tables that have as many columns."
    if name not in BASELINES:
        return f"baseline {name} is none of {', '.join(BASELINES)}."
    if spec is not None and spec.layout == "features" and name == "blur":
        return "only images can be blurred."
    return ""


def _low(x: Floats, spec: Spec) -> Floats:
    return np.full(x.shape, float(spec.low))


def _mean(x: Floats, spec: Spec) -> Floats:
    if spec.layout == "features":
        return np.full(x.shape, (spec.low + spec.high) / 2)
    found: Floats = np.broadcast_to(x.mean(axis=_sides(spec), keepdims=True), x.shape)
    return found


def _blur(x: Floats, spec: Spec) -> Floats:
    sides = _sides(spec)
    width = min(x.shape[side] for side in sides) / _PART
    found: Floats = gaussian_filter(
        x, [width if axis in sides else 0 for axis in range(x.ndim)], mode="nearest"
    )
    return found


def _sides(spec: Spec) -> tuple[int, int]:
    """Return the axes of height and width of a batch."""
    return (2, 3) if spec.layout == "CHW" else (1, 2)


_BASELINES: dict[Baseline, Callable[[Floats, Spec], Floats]] = {
    "low": _low,
    "mean": _mean,
    "blur": _blur,
}
