"""Noise: gaussian, of few photons, and of dead pixels; each number of an image has its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evenhand.probes.corrupt.corruption import Corruption, Images, Streams


@dataclass(frozen=True)
class GaussianNoise(Corruption):
    """A normal number is added to each number: noise of sensors in low light.

    The standard deviation is 0.08, 0.12, 0.18, 0.26, 0.38 of the range, at every size of image.
    Source: Hendrycks and Dietterich 2019.
    """

    name: ClassVar[str] = "gaussian_noise"

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return images with noise."""
        deviation = (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
        noise = np.stack([stream.standard_normal(images.shape[1:]) for stream in streams])
        return images + deviation * noise


@dataclass(frozen=True)
class ShotNoise(Corruption):
    """Each number is counted in photons, of which there are few: Poisson(x k) / k.

    White is k = 60, 25, 12, 5, 3 photons, at every size of image. A lower severity goes on counting
    where a higher one has stopped, so their noise is the same to begin with.
    Source: Hendrycks and Dietterich 2019.
    """

    name: ClassVar[str] = "shot_noise"

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return images of few photons."""
        seen = 0.0
        counted = np.zeros(images.shape)
        for white in (3.0, 5.0, 12.0, 25.0, 60.0)[: 6 - severity]:
            for place, stream in enumerate(streams):
                # Rounding may leave a black that is below 0.
                rate = np.maximum(images[place], 0.0) * (white - seen)
                counted[place] += stream.poisson(rate)
            seen = white
        return counted / seen


@dataclass(frozen=True)
class ImpulseNoise(Corruption):
    """Some numbers become 0 or 1, as many the one as the other: salt and pepper, faults of bits.

    Their share is 0.03, 0.06, 0.09, 0.17, 0.27, at every size of image; what is hit at one severity
    stays hit at the next. Source: Hendrycks and Dietterich 2019.
    """

    name: ClassVar[str] = "impulse_noise"

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return images with salt and pepper."""
        share = (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
        place = np.stack([stream.random(images.shape[1:]) for stream in streams])
        salted = np.where(place > 1 - share / 2, 1.0, images)
        return np.where(place < share / 2, 0.0, salted)
