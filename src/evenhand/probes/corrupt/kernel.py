"""Blurs as kernels: where the light of a point goes, with parts of pixels, and how it is spread."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from evenhand.probes.corrupt.corruption import Images

Kernel = NDArray[np.float64]
"""Square, of an odd side, its middle being the point itself; adds up to 1."""

_POINTS = 4096


@functools.cache
def disc(radius: float) -> Kernel:
    """Return the kernel of a lens out of focus: light falls evenly on a disc.

    Args:
        radius: Of the disc in pixels, above 0; it may be a part of one.

    """
    # Points on a spiral of the golden angle lie evenly; turned and mirrored, they have no side.
    place = np.arange(_POINTS) + 0.5
    away, angle = radius * np.sqrt(place / _POINTS), math.pi * (3 - math.sqrt(5)) * place
    one, other = away * np.sin(angle), away * np.cos(angle)
    rows = np.concatenate([one, one, -one, -one, other, other, -other, -other])
    columns = np.concatenate([other, -other, other, -other, one, -one, one, -one])
    return _fallen(rows, columns, np.ones(rows.size))


def streak(length: float, deviation: float, angle: float) -> Kernel:
    """Return the kernel of a movement: light falls on a line and fades along it.

    Args:
        length: Of the line in pixels, above 0.
        deviation: In pixels, of the half of a normal density by which it fades.
        angle: Of the line in radians, from the right towards the top.

    """
    steps = 2 * math.ceil(length) + 8
    along = length * (np.arange(steps) + 0.5) / steps
    light = np.exp(-0.5 * (along / deviation) ** 2)
    return _fallen(-along * math.sin(angle), along * math.cos(angle), light)


def _fallen(
    rows: NDArray[np.float64], columns: NDArray[np.float64], light: NDArray[np.float64]
) -> Kernel:
    """Return the kernel of points of light, each shared by the four pixels around it."""
    reach = math.ceil(max(np.abs(rows).max(), np.abs(columns).max()))
    kernel = np.zeros((2 * reach + 2, 2 * reach + 2))
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = rows - top, columns - left
    for row, share in ((0, 1 - down), (1, down)):
        for column, part in ((0, 1 - right), (1, right)):
            np.add.at(kernel, (top + reach + row, left + reach + column), light * share * part)
    found: Kernel = kernel[:-1, :-1] / kernel.sum()
    return found


def spread(image: NDArray[np.float64], kernel: Kernel) -> NDArray[np.float64]:
    """Return an image whose light is spread by a kernel; beyond its edges it is mirrored.

    Args:
        image: Shape (height, width, channels).
        kernel: Of a side of at most twice the image's.

    """
    height, width = image.shape[:2]
    reach = len(kernel) // 2
    wide = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric")
    size = [fft.next_fast_len(side, real=True) for side in wide.shape[:2]]
    light = fft.rfft2(wide, size, axes=(0, 1)) * fft.rfft2(kernel, size)[..., None]
    back = fft.irfft2(light, size, axes=(0, 1))
    found: Images = back[2 * reach : 2 * reach + height, 2 * reach : 2 * reach + width]
    return found


def spread_all(images: Images, kernels: list[Kernel]) -> Images:
    """Return images, each spread by its own kernel.

    One by one: transforms of many at once may round otherwise than those of one.
    """
    pairs = zip(images, kernels, strict=True)
    return np.stack([spread(image, kernel) for image, kernel in pairs])
