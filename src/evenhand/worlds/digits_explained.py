"""What explanations of a linear reader of digits are worth, by a formula, image by image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem, RoleError
from evenhand.models.function import FunctionModel


def parts_of(
    model: FunctionModel, images: NDArray[np.floating], codes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return what each pixel adds to a class's score beside an empty image, shape (n, pixels).

    Args:
        model: A linear one that gives logits, of inputs that are not normalised.
        images: In the range of its spec, shape (n, *spec.shape).
        codes: The class, shape (n,).

    Raises:
        RoleError: The model is not linear.

    """
    if model.weights is None or model.spec.output != "logits" or model.spec.std:
        what = "the closed form is that of a linear model of inputs as they are."
        raise RoleError(Problem(model.name, what))
    weights = np.asarray(model.weights[0], np.float64)
    flat = np.asarray(images, np.float64).reshape(len(images), -1)
    found: NDArray[np.float64] = weights[codes] * (flat - model.spec.low)
    return found


def insertion_gain(
    parts: NDArray[np.float64], order_by: NDArray[np.float64], *, steps: int
) -> NDArray[np.float64]:
    """Return the area under the score as pixels come into an empty image, above that by chance.

    The largest of ``order_by`` come first, equal ones in random order, of which this is the mean.
    By chance each step brings as much as every other, so the area is a half of the change; areas
    are in units of its size.

    Args:
        parts: What each pixel adds to the score, shape (n, pixels).
        order_by: What pixels are ordered by, of the same shape.
        steps: Equal steps of the trapezoid rule; they divide the number of pixels.

    Returns:
        Shape (n,); NaN where all pixels together add nothing.

    """
    found = np.full(len(parts), np.nan)
    for image, (own, by) in enumerate(zip(parts, order_by, strict=True)):
        total = own.sum()
        if total == 0:
            continue
        _, block, size = np.unique(-by, return_inverse=True, return_counts=True)
        # In the mean over orders of equal ones each of them adds as much as their mean.
        mean = np.bincount(block, own) / size
        curve = np.concatenate([[0.0], np.cumsum(np.repeat(mean, size))])
        height = curve[:: len(own) // steps] / abs(total)
        found[image] = (height[1:] + height[:-1]).sum() / 2 / steps - np.sign(total) / 2
    return found
