"""Blurs: out of focus, through frosted glass, of a movement, of a zoom."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evenhand.probes.corrupt.corruption import Corruption, Images, Streams, scaled
from evenhand.probes.corrupt.kernel import disc, spread_all, streak
from evenhand.probes.corrupt.sampling import displaced, linear, regridded


@dataclass(frozen=True)
class DefocusBlur(Corruption):
    """The light of each point falls evenly on a disc: a lens that is out of focus.

    Its radius is 3, 4, 6, 8, 10 pixels of an image of 224 x 224, and parts of pixels in small ones.
    Source: Hendrycks and Dietterich 2019, without their smoothing of the disc's edge, which parts
    of pixels make needless.
    """

    name: ClassVar[str] = "defocus_blur"

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return blurred images."""
        del streams
        kernel = disc((3, 4, 6, 8, 10)[severity - 1] * scaled(images))
        return spread_all(images, [kernel] * len(images))


@dataclass(frozen=True)
class GlassBlur(Corruption):
    """Every pixel shows what is a random way off: a pane of frosted glass.

    The way is uniform up to 2, 3, 5, 6, 8 pixels of an image of 224 x 224 down or up, and right or
    left. Hendrycks and Dietterich 2019 shuffle pixels with their neighbours 1 to 4 pixels away one
    to three times, which takes a pixel about as far; whole pixels do not scale to small images, so
    here a way is a number, and what lies between pixels is interpolated.
    """

    name: ClassVar[str] = "glass_blur"

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return images behind glass."""
        reach = (2, 3, 5, 6, 8)[severity - 1] * scaled(images)
        shape = (2, *images.shape[1:3])
        ways = reach * np.stack([stream.uniform(-1, 1, shape) for stream in streams])
        return displaced(images, ways[:, 0], ways[:, 1])


@dataclass(frozen=True)
class MotionBlur(Corruption):
    """The light of each point is drawn along a line and fades on it: a moved camera.

    The line is 10, 15, 15, 15, 20 pixels of an image of 224 x 224 long and fades as half a normal
    density of a standard deviation of 3, 5, 8, 12, 15; its angle is uniform from -45 to 45 degrees.
    Source: Hendrycks and Dietterich 2019.
    """

    name: ClassVar[str] = "motion_blur"

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return moved images."""
        length, fading = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))[severity - 1]
        unit = scaled(images)
        angles = [stream.uniform(-math.pi / 4, math.pi / 4) for stream in streams]
        kernels = [streak(length * unit, fading * unit, angle) for angle in angles]
        return spread_all(images, kernels)


@dataclass(frozen=True)
class ZoomBlur(Corruption):
    """The mean of what a camera sees while it goes nearer: a zoom during the exposure.

    It goes from a magnification of 1 to 1.10, 1.15, 1.20, 1.25, 1.30 in eleven equal steps, at
    every size of image. Source: Hendrycks and Dietterich 2019, whose steps differ by severity and
    who count the untouched image twice.
    """

    name: ClassVar[str] = "zoom_blur"

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return zoomed images."""
        del streams
        height, width = images.shape[1:3]
        last = (1.10, 1.15, 1.20, 1.25, 1.30)[severity - 1]
        factors = np.linspace(1, last, 11)
        total = np.zeros(images.shape)
        for factor in factors:
            rows, columns = (
                linear((np.arange(side) - (side - 1) / 2) / factor + (side - 1) / 2, side)
                for side in (height, width)
            )
            total += regridded(images, rows, columns)
        return total / len(factors)
