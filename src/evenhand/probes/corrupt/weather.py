"""Weather: snow, frost, fog, and a brighter day."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evenhand.probes.corrupt.corruption import Corruption, Images, Streams, grey, scaled
from evenhand.probes.corrupt.kernel import spread_all, streak
from evenhand.probes.corrupt.sampling import Weights, enlarged, regridded
from evenhand.probes.corrupt.texture import clouds, ferns


@dataclass(frozen=True)
class Snow(Corruption):
    """Flakes that fall in streaks, before a whitened picture.

    Flakes are where a normal field of mean 0.1, 0.2, 0.55, 0.55, 0.55 and standard deviation 0.2
    exceeds 0.5, 0.5, 0.9, 0.85, 0.85, as bright as it is there; it is drawn on a lattice whose
    cells are 3 pixels of an image of 224 x 224, at least a pixel, and linear between its nodes.
    They fall at an angle, uniform within 45 degrees of straight down, for 10, 12, 12, 12, 12
    pixels, and fade as half a normal density of 4, 4, 8, 8, 12. A second layer is the first, turned
    by half a turn. The picture x becomes m x + (1 - m) max(x, 1.5 grey(x) + 0.5) before that, m =
    0.8, 0.7, 0.65, 0.6, 0.55. Source: Hendrycks and Dietterich 2019, whose flakes have another size
    at every severity, whose field has a deviation of 0.3 at the nodes, about 0.2 on average, and
    whose m is 0.7, 0.65 at severities 3 and 4, which leaves 3 no stronger than 2.
    """

    name: ClassVar[str] = "snow"

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return images with snow."""
        mean, least, length, fading, kept = (
            (0.1, 0.5, 10, 4, 0.8),
            (0.2, 0.5, 12, 4, 0.7),
            (0.55, 0.9, 12, 8, 0.65),
            (0.55, 0.85, 12, 8, 0.6),
            (0.55, 0.85, 12, 12, 0.55),
        )[severity - 1]
        height, width = images.shape[1:3]
        unit = scaled(images)
        cells = [math.ceil(side / max(1.0, 3 * unit)) for side in (height, width)]
        drawn = np.stack([stream.standard_normal((*cells, 1)) for stream in streams])
        angles = [-math.pi / 2 + stream.uniform(-math.pi / 4, math.pi / 4) for stream in streams]
        down, right = enlarged(cells[0], height), enlarged(cells[1], width)
        sky = mean + 0.2 * regridded(drawn, _whole(down), _whole(right))
        flakes = np.where(sky < least, 0.0, np.minimum(sky, 1.0))
        fallen = spread_all(flakes, [streak(length * unit, fading * unit, one) for one in angles])
        white = np.maximum(images, 1.5 * grey(images) + 0.5)
        return kept * images + (1 - kept) * white + fallen + fallen[:, ::-1, ::-1]


def _whole(weights: Weights) -> Weights:
    """Return weights whose mix of independent numbers deviates by as much as each of them."""
    found: Weights = weights / np.sqrt(np.sum(weights**2, axis=1, keepdims=True))
    return found


@dataclass(frozen=True)
class Frost(Corruption):
    """Crystals of ice on the pane before the picture: (1 - b ice) x + b ice.

    b is 0.4, 0.6, 0.7, 0.8, 0.9. The ice is drawn: ferns that grow from random seeds and hide at
    most the whole and in the mean about half of what is behind them, more in some places than in
    others. After Hendrycks and Dietterich 2019, who add photographs of frost to dimmed images, a x
    + b frost, which changes a light picture less at severity 5 than at 1; here ice is white and
    hides a share of what is behind it, which grows everywhere.
    """

    name: ClassVar[str] = "frost"

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return images behind ice."""
        strength = (0.4, 0.6, 0.7, 0.8, 0.9)[severity - 1]
        height, width = images.shape[1:3]
        thick = clouds(streams, height, width, 1.8)
        ice = 0.15 + thick * (0.4 + 0.8 * ferns(streams, height, width))
        hidden = strength * np.minimum(ice, 1.0)[..., None]
        found: Images = images * (1 - hidden) + hidden
        return found


@dataclass(frozen=True)
class Fog(Corruption):
    """Clouds before the picture, which loses contrast: (x + c clouds) m / (m + c).

    m is the largest number of the image, c is 1.5, 2, 2.5, 2.75, 3, and the clouds are a plasma
    whose lattices decay by 1.7. Source: Hendrycks and Dietterich 2019, with c = 2.5 at severity 4
    and decays of 2, 2, 1.7, 1.5, 1.4: other clouds at every severity, where here the same thicken.
    """

    name: ClassVar[str] = "fog"

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return images in fog."""
        thick = (1.5, 2, 2.5, 2.75, 3)[severity - 1]
        height, width = images.shape[1:3]
        most = images.max(axis=(1, 2, 3), keepdims=True)
        fogged = images + thick * clouds(streams, height, width, 1.7)[..., None]
        found: Images = fogged * most / (most + thick)
        return found


_BLACK = 1e-4
"""Below it, far less than a step of eight bits, only rounding gives a hue; there is none."""


@dataclass(frozen=True)
class Brightness(Corruption):
    """The value of each pixel, its largest channel, grows; its hue and its saturation stay.

    By 0.1, 0.2, 0.3, 0.4, 0.5, up to 1; grey images become brighter by that much. Source: Hendrycks
    and Dietterich 2019.
    """

    name: ClassVar[str] = "brightness"

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return brighter images."""
        del streams
        value = images.max(axis=-1, keepdims=True)
        brighter = np.minimum(value + (0.1, 0.2, 0.3, 0.4, 0.5)[severity - 1], 1.0)
        black = value < _BLACK
        ratio = images / np.where(black, 1.0, value)
        found: Images = np.where(black, brighter, ratio * brighter)
        return found
