"""What a corruption is: a hashable value that changes images more with every severity.

A corruption knows images of shape (n, height, width, channels) from 0 to 1 and nothing of models,
layouts or ranges: `corrupted` brings a model's inputs into that form and back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.models.model import Floats
from evenhand.models.spec import Spec

Images = NDArray[np.float64]
"""Shape (n, height, width, channels), from 0 to 1."""

PREFIX = "corrupt."
"""What the name of a corruption begins with where probes are named."""

SEVERITIES = (1, 2, 3, 4, 5)


class Corruption(ABC):
    """Changes images; ``name`` is how it is printed and parsed.

    Attributes:
        name: Of the corruption, as the field names it: ``gaussian_noise``.
        common: Whether it is one of the fifteen of Hendrycks and Dietterich 2019.

    """

    name: ClassVar[str]
    common: ClassVar[bool] = True

    @abstractmethod
    def apply(
        self, images: Images, severity: int, streams: Sequence[np.random.Generator]
    ) -> Images:
        """Return changed images; what leaves 0 to 1 is cut afterwards.

        Args:
            images: Shape (n, height, width, channels), from 0 to 1; not to be written to.
            severity: From 1 to 5.
            streams: The generator of each image, in the same state at every severity, so that the
                same noise grows.

        """


def corrupted(
    corruption: Corruption,
    x: Floats,
    spec: Spec,
    severity: int,
    streams: Sequence[np.random.Generator],
) -> Floats:
    """Return inputs of a model, corrupted; severity 0 returns them as they are.

    Args:
        corruption: What is done.
        x: Inputs in the units of the spec, shape (n, *spec.shape).
        spec: Of the model: its range, and its layout, which must be of images.
        severity: From 0 to 5.
        streams: The generator of each input.

    """
    if severity == 0:
        return x
    span = spec.high - spec.low
    images = (_channels_last(np.asarray(x, np.float64), spec) - spec.low) / span
    changed = np.clip(corruption.apply(images, severity, streams), 0.0, 1.0)
    back = spec.low + span * _as_laid_out(changed, spec)
    # Rounding of the way there and back must not lead out of the range.
    found: Floats = np.clip(back, spec.low, spec.high).astype(x.dtype)
    return found


def _channels_last(x: NDArray[np.float64], spec: Spec) -> NDArray[np.float64]:
    if spec.layout == "CHW":
        return np.moveaxis(x, 1, -1)
    return x[..., None] if spec.layout == "HW" else x


def _as_laid_out(images: Images, spec: Spec) -> NDArray[np.float64]:
    if spec.layout == "CHW":
        return np.moveaxis(images, -1, 1)
    return images[..., 0] if spec.layout == "HW" else images
