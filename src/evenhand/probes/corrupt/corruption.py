"""What a corruption is: a hashable value that changes images more with every severity.

A corruption knows images of shape (n, height, width, channels) from 0 to 1 and nothing of models,
layouts or ranges: `corrupted` brings a model's inputs into that form and back.

The fifteen common ones follow Hendrycks and Dietterich 2019 (Benchmarking Neural Network Robustness
to Common Corruptions and Perturbations, ICLR), who corrupt images of 224 x 224. So that the same
severity is the same picture at every size, lengths are shares of an image's shorter side, written
as pixels of an image of `SIDE`. Noise and the grids of pixelation and compression belong to the
pixels themselves and are the same at every size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import ModelError, Problem
from evenhand.models.model import Floats
from evenhand.models.spec import Spec

Images = NDArray[np.float64]
"""Shape (n, height, width, channels), from 0 to 1."""

Streams = Sequence[np.random.Generator]
"""The generator of each image, so that no image hangs on its neighbours."""

PREFIX = "corrupt."
"""What the name of a corruption begins with where probes are named."""

SEVERITIES = (1, 2, 3, 4, 5)

SIDE = 224
"""Pixels of the shorter side of the images in which lengths are written."""


@dataclass(frozen=True)
class Corruption(ABC):
    """Changes images; ``str`` writes it as ``corrupt.fog``.

    Attributes:
        name: As the field names it: ``gaussian_noise``.
        common: Whether it is one of the fifteen of Hendrycks and Dietterich 2019.

    """

    name: ClassVar[str]
    common: ClassVar[bool] = True

    @abstractmethod
    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return changed images; what leaves 0 to 1 is cut afterwards.

        Args:
            images: Shape (n, height, width, channels), from 0 to 1, contiguous; not to be written
                to.
            severity: From 1 to 5.
            streams: The generator of each image, in the same state at every severity, so that the
                same noise grows.

        """

    def check(self) -> None:  # noqa: B027 - most need nothing
        """Check that everything it needs is installed.

        Raises:
            MissingExtraError: A library is not.

        """

    def __str__(self) -> str:
        return f"{PREFIX}{self.name}"


def corrupted(
    corruption: Corruption, x: Floats, spec: Spec, severity: int, streams: Streams
) -> Floats:
    """Return inputs of a model, corrupted; severity 0 returns them as they are.

    An image comes out the same, bit for bit, alone or among others.

    Args:
        corruption: What is done.
        x: Inputs in the units of the spec, shape (n, *spec.shape); whole numbers stay whole.
        spec: Of the model: its range, and its layout, which must be of images.
        severity: From 0 to 5.
        streams: The generator of each input; they are used up.

    Raises:
        MissingExtraError: A library that the corruption needs is not installed.
        ModelError: The inputs are no images, or there is no such severity.

    """
    problems = []
    if spec.layout == "features":
        hint = "Give the layout of the inputs: HW, CHW or HWC."
        problems.append(Problem(str(corruption), "only images can be corrupted.", hint))
    if severity not in {0, *SEVERITIES}:
        problems.append(Problem(str(corruption), f"severity {severity} is none from 0 to 5."))
    if problems:
        raise ModelError(problems)
    if severity == 0 or not len(x):
        return x
    span = spec.high - spec.low
    images = (_channels_last(np.asarray(x, np.float64), spec) - spec.low) / span
    # The order of sums hangs on the order in memory, which must not hang on the layout.
    images = np.ascontiguousarray(images)
    changed = np.clip(corruption.apply(images, severity, streams), 0.0, 1.0)
    back = spec.low + span * _as_laid_out(changed, spec)
    # Rounding of the way there and back must not lead out of the range.
    back = np.clip(back, spec.low, spec.high)
    found: Floats = (np.rint(back) if x.dtype.kind in "iu" else back).astype(x.dtype)
    return found


def scaled(images: Images) -> float:
    """Return how many pixels of these images a pixel of an image of `SIDE` is."""
    return float(min(images.shape[1:3]) / SIDE)


def grey(images: Images) -> Images:
    """Return the luma of images (ITU-R BT.601), the mean of channels that are not red, green, blue.

    Args:
        images: Shape (n, height, width, channels).

    Returns:
        Shape (n, height, width, 1).

    """
    channels = images.shape[-1]
    weights = LUMA if channels == len(LUMA) else (1 / channels,) * channels
    total = sum(weight * images[..., place] for place, weight in enumerate(weights))
    return np.asarray(total)[..., None]


LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue are (ITU-R BT.601)."""


def _channels_last(x: NDArray[np.float64], spec: Spec) -> NDArray[np.float64]:
    if spec.layout == "CHW":
        return np.moveaxis(x, 1, -1)
    return x[..., None] if spec.layout == "HW" else x


def _as_laid_out(images: Images, spec: Spec) -> NDArray[np.float64]:
    if spec.layout == "CHW":
        return np.moveaxis(images, -1, 1)
    return images[..., 0] if spec.layout == "HW" else images
