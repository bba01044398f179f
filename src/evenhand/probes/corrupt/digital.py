"""What devices do to images: contrast, elastic deformation, large pixels, JPEG."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from evenhand.errors import MissingExtraError
from evenhand.probes.corrupt.corruption import Corruption, Images, Streams
from evenhand.probes.corrupt.sampling import Weights, averaged, displaced, regridded


@dataclass(frozen=True)
class Contrast(Corruption):
    """Every number moves towards the mean of its channel in its image.

    0.4, 0.3, 0.2, 0.1, 0.05 of its distance are left. Source: Hendrycks and Dietterich 2019.
    """

    name: ClassVar[str] = "contrast"

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return duller images."""
        del streams
        left = (0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1]
        # One by one: a mean over several images may add up in another order.
        mean = np.stack([image.mean(axis=(0, 1), keepdims=True) for image in images])
        found: Images = mean + left * (images - mean)
        return found


@dataclass(frozen=True)
class ElasticTransform(Corruption):
    """Every pixel shows what is a random way off, and neighbours go nearly the same way.

    Ways down and right are normal numbers, smoothed by a normal density whose standard deviation is
    0.1 of the shorter side; their own is 0.007, 0.014, 0.021, 0.028, 0.035 of it. Source: Simard,
    Steinkraus and Platt 2003 for the definition; the strengths are our own. Hendrycks and
    Dietterich 2019 deform widely at severities 1 and 2 and finely from 3 on, which is not one thing
    that grows.
    """

    name: ClassVar[str] = "elastic_transform"

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return deformed images."""
        side = min(images.shape[1:3])
        drawn = np.stack([stream.standard_normal((2, *images.shape[1:3])) for stream in streams])
        smooth = 0.1 * side
        ways = ndimage.gaussian_filter(drawn, (0, 0, smooth, smooth))
        usual = 0.007 * severity * side / _left(smooth)
        return displaced(images, usual * ways[:, 0], usual * ways[:, 1])


def _left(smooth: float) -> float:
    """Return the standard deviation that smoothing leaves of normal numbers."""
    reach = math.ceil(4 * smooth) + 1
    point = np.zeros((2 * reach + 1, 2 * reach + 1))
    point[reach, reach] = 1.0
    return float(np.sqrt(np.sum(ndimage.gaussian_filter(point, smooth) ** 2)))


@dataclass(frozen=True)
class Pixelate(Corruption):
    """Each pixel becomes the mean of a block of pixels: too low a resolution.

    Blocks have a side of 1 / 0.6, 1 / 0.5, 1 / 0.4, 1 / 0.3, 1 / 0.25 of the image's own pixels,
    begin at its upper left, and are cut at its edges; a pixel shows the block that its middle is
    in. Source: Hendrycks and Dietterich 2019, whose blocks are stretched to fill the image.
    """

    name: ClassVar[str] = "pixelate"

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return images of large pixels."""
        del streams
        share = (0.6, 0.5, 0.4, 0.3, 0.25)[severity - 1]
        return regridded(images, *(_blocks(size, share) for size in images.shape[1:3]))


def _blocks(size: int, share: float) -> Weights:
    count = math.ceil(size * share - 1e-9)
    edges = np.minimum(np.arange(count + 1) / share, size)
    edges[-1] = size
    middle = np.minimum(((np.arange(size) + 0.5) * share).astype(int), count - 1)
    found: Weights = averaged(edges, size)[middle]
    return found


@dataclass(frozen=True)
class JpegCompression(Corruption):
    """What JPEG leaves of an image at a quality of 25, 18, 15, 10, 7 (of 100).

    Images of three channels are red, green and blue; of others each channel is a grey image of its
    own. Needs Pillow, whose encoder decides what a quality means. Source: Hendrycks and Dietterich
    2019.
    """

    name: ClassVar[str] = "jpeg_compression"

    def check(self) -> None:
        """Check that Pillow is installed."""
        try:
            import PIL.Image  # noqa: F401 - whether it is there
        except ImportError as error:
            raise MissingExtraError("images", where=str(self)) from error

    def apply(self, images: Images, severity: int, streams: Streams) -> Images:
        """Return images from JPEG files."""
        del streams
        self.check()
        quality = (25, 18, 15, 10, 7)[severity - 1]
        pixels = np.rint(255 * np.clip(images, 0.0, 1.0)).astype(np.uint8)
        if images.shape[-1] == 3:  # noqa: PLR2004 - colours
            found = np.stack([_through_jpeg(image, quality) for image in pixels])
        else:
            planes = np.moveaxis(pixels, -1, 1)
            grey = [[_through_jpeg(plane, quality) for plane in image] for image in planes]
            found = np.moveaxis(np.asarray(grey), 1, -1)
        return np.asarray(found, np.float64) / 255


def _through_jpeg(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    from PIL import Image

    kept = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(kept, "JPEG", quality=quality)
    with Image.open(kept) as image:
        return np.asarray(image)
