"""What short videos go through: a smaller size and back, compression by blocks, subtitles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from evenhand.probes.corrupt.corruption import LUMA, Corruption, Images, Streams
from evenhand.probes.corrupt.sampling import Weights, averaged, enlarged, regridded


@dataclass(frozen=True)
class Resize(Corruption):
    """Smaller, and back to the size before: a video that was sent at a low resolution.

    Height and width become 2/3, 4/9, 1/3, 2/9, 2/15 of what they are, at least a pixel: what 720,
    480, 360, 240, 144 lines are of 1080, the steps in which platforms offer videos. Smaller pixels
    are means of what they cover; the way back interpolates linearly.
    """

    name: ClassVar[str] = "resize"
    common: ClassVar[bool] = False

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return blurred images."""
        del streams
        share = (720, 480, 360, 240, 144)[severity - 1] / 1080
        return regridded(images, *(_there_and_back(size, share) for size in images.shape[1:3]))


def _there_and_back(size: int, share: float) -> Weights:
    count = max(1, round(size * share))
    weights: Weights = enlarged(count, size) @ averaged(np.linspace(0, size, count + 1), size)
    return weights


_LARGE = 64
"""The shorter side, in pixels, from which blocks are 8 pixels wide; below, they are 4."""


@dataclass(frozen=True)
class BlockCompression(Corruption):
    """The cosine transform of each block is rounded to multiples of a step: a video of few bits.

    Blocks are 8 x 8 pixels, 4 x 4 where the shorter side is below 64, the two that H.264 has. The
    step is that of H.264 at a quantisation parameter QP of 30, 34, 38, 42, 46 (of at most 51),
    0.625 * 2^(QP / 6) of 255, the same for all coefficients. Red, green and blue become luma and
    two differences first (ITU-R BT.601, whole range); other channels are taken as they are. Nothing
    is predicted, subsampled or smoothed at the edges of blocks, as an encoder would. Source: ITU-T
    H.264, 8.5, for the steps.
    """

    name: ClassVar[str] = "block_compression"
    common: ClassVar[bool] = False

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return images with blocks."""
        del streams
        parameter = (30, 34, 38, 42, 46)[severity - 1]
        block = 8 if min(images.shape[1:3]) >= _LARGE else 4
        return quantised(images, 0.625 * 2 ** (parameter / 6) / 255, block)


def quantised(images: Images, step: float, block: int) -> Images:
    """Return images whose blocks' cosine coefficients are multiples of a step.

    Args:
        images: Shape (n, height, width, channels), from 0 to 1.
        step: In units of the range, above 0; the transform is orthonormal.
        block: Side of a block in pixels; blocks at the right and below are filled up with the last
            column and row.

    """
    count, height, width, channels = images.shape
    down, right = -height % block, -width % block
    coloured = channels == len(LUMA)
    planes = _mixed(images, _APART) if coloured else images
    planes = np.pad(planes, ((0, 0), (0, down), (0, right), (0, 0)), mode="edge")
    tall, wide = planes.shape[1:3]
    grid = planes.reshape(count, tall // block, block, wide // block, block, channels)
    blocks = grid.transpose(0, 1, 3, 5, 2, 4)
    cosines = fft.dct(np.eye(block), axis=0, norm="ortho")
    kept = step * np.rint(cosines @ blocks @ cosines.T / step)
    back = (cosines.T @ kept @ cosines).transpose(0, 1, 4, 2, 5, 3)
    found = back.reshape(planes.shape)[:, :height, :width]
    return _mixed(found, _TOGETHER) if coloured else found


def _colours() -> NDArray[np.float64]:
    """Return how luma and the differences of blue and red are made of red, green and blue."""
    luma = np.asarray(LUMA)
    blue = (np.eye(3)[2] - luma) / (2 * (1 - luma[2]))
    red = (np.eye(3)[0] - luma) / (2 * (1 - luma[0]))
    return np.stack([luma, blue, red])


_APART = _colours()
_TOGETHER: NDArray[np.float64] = np.linalg.inv(_APART).astype(np.float64)


def _mixed(images: Images, weights: NDArray[np.float64]) -> Images:
    return np.stack(
        [sum(part * images[..., place] for place, part in enumerate(row)) for row in weights],
        axis=-1,
    )


@dataclass(frozen=True)
class Subtitle(Corruption):
    """White letters on a darkened band over the lower part of the picture.

    The band is 0.10, 0.14, 0.18, 0.24, 0.30 of the shorter side high, begins 0.05 of it above the
    lower edge, is as wide as the picture and takes 0.4, 0.5, 0.6, 0.7, 0.8 of its light; letters
    are five sevenths of the band high. They are drawn at random, the same at every severity, and
    pixels that they cover in part become white in part.
    """

    name: ClassVar[str] = "subtitle"
    common: ClassVar[bool] = False

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return images with a subtitle."""
        shares = (0.10, 0.14, 0.18, 0.24, 0.30)
        dark = (0.4, 0.5, 0.6, 0.7, 0.8)[severity - 1]
        height, width = images.shape[1:3]
        side = min(height, width)
        most = math.ceil(width / (_COLUMNS * shares[0] * side / _ROWS))
        texts = np.stack([stream.integers(0, len(_GLYPHS), most) for stream in streams])
        lattice = np.zeros((len(images), _ROWS, 1 + _COLUMNS * most))
        glyphs = _GLYPHS[texts].transpose(0, 2, 1, 3).reshape(len(images), 5, -1)
        lattice[:, 1:-1, 1:] = glyphs
        cell = shares[severity - 1] * side / _ROWS
        rows = _covered(height - 0.05 * side - _ROWS * cell, cell, _ROWS, height)
        columns = _covered(0.0, cell, lattice.shape[2], width)
        letters = np.matmul(np.matmul(rows, lattice), columns.T)[..., None]
        band = rows.sum(axis=1)[:, None, None]
        darkened = images * (1 - dark * band)
        found: Images = darkened * (1 - letters) + letters
        return found


def _covered(start: float, cell: float, count: int, size: int) -> NDArray[np.float64]:
    """Return how much of each of ``size`` pixels each of ``count`` cells in a row covers."""
    edges = start + cell * np.arange(count + 1)
    low = np.maximum(edges[:-1], np.arange(size)[:, None])
    high = np.minimum(edges[1:], np.arange(size)[:, None] + 1)
    found: NDArray[np.float64] = np.maximum(high - low, 0.0)
    return found


_ROWS, _COLUMNS = 7, 4
"""Cells of a band from top to bottom, and of a letter with the gap behind it."""

_LETTERS = (
    "000000000000000",  # a gap between words
    "010101111101101",  # A
    "111100100100111",  # C
    "111100110100111",  # E
    "101101111101101",  # H
    "010010010010010",  # I
    "100100100100111",  # L
    "101111111101101",  # M
    "111101101101111",  # O
    "110101110101101",  # R
    "111100111001111",  # S
    "111010010010010",  # T
    "101101101101111",  # U
    "101101010010010",  # Y
)
"""Letters of 3 x 5 cells, row by row."""

_GLYPHS = np.zeros((len(_LETTERS), 5, _COLUMNS))
_GLYPHS[:, :, :3] = np.array([[int(cell) for cell in one] for one in _LETTERS]).reshape(-1, 5, 3)
