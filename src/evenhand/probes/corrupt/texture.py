"""Random textures: clouds, and crystals of ice; the same at every size of image."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from evenhand.probes.corrupt.corruption import Streams
from evenhand.probes.corrupt.sampling import linear

Texture = NDArray[np.float64]
"""Shape (n, height, width), from 0 to 1."""


def clouds(streams: Streams, height: int, width: int, decay: float) -> Texture:
    """Return a plasma: random numbers on ever finer lattices, ever smaller, added up.

    A lattice of 2 x 2 cells comes first, and each next one halves the cells, until they are pixels.
    Whatever comes out is stretched to reach from 0 to 1.

    Args:
        streams: The generator of each texture.
        height: In pixels.
        width: In pixels.
        decay: By how much the numbers of a lattice are smaller than those of the one before; the
            smaller, the rougher.

    """
    total = np.zeros((len(streams), height, width))
    for level in range(1, max(2, math.ceil(math.log2(max(height, width, 2))) + 1)):
        nodes = 2**level + 1
        lattice = np.stack([stream.uniform(-1, 1, (nodes, nodes)) for stream in streams])
        down, right = _smooth(nodes, height), _smooth(nodes, width)
        total += decay ** (1 - level) * np.matmul(np.matmul(down, lattice), right.T)
    low = total.min(axis=(1, 2), keepdims=True)
    span = total.max(axis=(1, 2), keepdims=True) - low
    # A single pixel has no texture.
    found: Texture = np.where(span > 0, (total - low) / np.where(span > 0, span, 1.0), 0.5)
    return found


def _smooth(nodes: int, size: int) -> NDArray[np.float64]:
    """Return weights of the nodes of a lattice in each pixel, without creases at the nodes."""
    weights = linear((np.arange(size) + 0.5) / size * (nodes - 1), nodes)
    found: NDArray[np.float64] = weights**2 * (3 - 2 * weights)
    return found


_FERNS = 14
_BRANCHES = 22
"""Side branches of a fern in the length of an image's side; fewer where pixels do not show them."""


def ferns(streams: Streams, height: int, width: int) -> Texture:
    """Return ferns of ice: each pixel belongs to the nearest of some seeds, and lies on its fern.

    A fern is a stem through its seed in a random direction, with branches at 60 degrees that grow
    thin away from it and end where the next fern begins. All of it is bent by clouds.

    Args:
        streams: The generator of each texture.
        height: In pixels.
        width: In pixels.

    """
    shape = (len(streams), height, width)
    side = min(height, width)
    seeds = np.stack([stream.random((_FERNS, 3)) for stream in streams])
    bent = [0.25 * (clouds(streams, height, width, 2.5) - 0.5) for _ in range(2)]
    rows = ((np.arange(height) + 0.5) / side)[:, None] + bent[0]
    columns = (np.arange(width) + 0.5) / side + bent[1]
    nearest, second = np.full(shape, np.inf), np.full(shape, np.inf)
    along, across = np.zeros(shape), np.zeros(shape)
    for place in range(_FERNS):
        top, left, turn = (part[:, None, None] for part in seeds[:, place].T)
        down, right = rows - top * height / side, columns - left * width / side
        away = np.sqrt(down**2 + right**2)
        closer = away < nearest
        sine, cosine = np.sin(2 * math.pi * turn), np.cos(2 * math.pi * turn)
        second = np.where(closer, nearest, np.minimum(second, away))
        nearest = np.where(closer, away, nearest)
        along = np.where(closer, down * sine + right * cosine, along)
        across = np.where(closer, np.abs(right * sine - down * cosine), across)
    phase = min(_BRANCHES, side / 4) * (along - across / math.tan(math.pi / 3))
    branch = np.abs(2 * (phase - np.floor(phase)) - 1) ** 2 / (1 + 5 * across)
    stem = 1 / (1 + (40 * across) ** 2)
    found: Texture = np.maximum(branch, stem) * np.minimum(1.0, 20 * (second - nearest))
    return found
