"""A world of a reader of handwritten digits: thin strokes come out faint, and how much is known.

The images are scikit-learn's digits, each moved a little in every direction; the model is linear,
so that its accuracy under attack has a closed form, group by group, with no attack in it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from evenhand.errors import MissingExtraError, Problem, RoleError
from evenhand.models.function import FunctionModel, linear
from evenhand.models.spec import Spec
from evenhand.worlds.ranked import MonteCarlo, by_group

THICKNESSES = ("thin", "medium", "thick")
"""Groups of strokes: the tertiles of the ink in an image."""

SPEC = Spec(labels=tuple(range(10)), shape=(1, 8, 8), layout="CHW")

MOVES = (-0.25, 0.0, 0.25)
"""How far images are moved, in pixels."""

_SIDE = 8
_WHITE = 16
_ORDER, _KEPT, _NOISE = range(3)
"""Seeds of what belongs to the world and not to a sample of it."""


@dataclass(frozen=True)
class Digits:
    """Images of digits.

    Attributes:
        images: Shape (n, 1, 8, 8), float32 from 0 (paper) to 1 (ink).
        labels: What they show, from 0 to 9, shape (n,).
        thickness: Each image's group, one of `THICKNESSES`, shape (n,).
        ids: What tells them apart, shape (n,): the same image has the same in every world.

    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    thickness: NDArray[np.str_]
    ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    def take(self, places: NDArray[np.int64] | NDArray[np.bool_]) -> Digits:
        """Return some of them, by places or a mask."""
        return Digits(
            self.images[places], self.labels[places], self.thickness[places], self.ids[places]
        )

    def sample(self, count: int, rng: np.random.Generator) -> Digits:
        """Return so many different ones, drawn at random."""
        return self.take(np.sort(rng.choice(len(self), count, replace=False)))


@dataclass(frozen=True)
class DigitWorld:
    """A reader of digits: a scanner, and a linear model of what it shows.

    Half of the images train the model; the other half are all that it is ever asked about, so that
    figures over them are true and not estimates.

    Attributes:
        contrast: How dark ink comes out by thickness, in (0, 1]. A linear model reads a faint
            image much as it reads a dark one, by a margin that is as much smaller: the weakness.
        trained: The share of the training images of each thickness that are used, in (0, 1].
        moves: How far images are moved, in pixels: each of them to the side with each of them down.
        penalty: Of the squared weights, above 0.

    """

    contrast: Mapping[str, float] = field(
        default_factory=lambda: {"thin": 0.6, "medium": 1.0, "thick": 1.0}
    )
    trained: Mapping[str, float] = field(
        default_factory=lambda: {"thin": 0.25, "medium": 1.0, "thick": 1.0}
    )
    moves: tuple[float, ...] = field(default_factory=lambda: MOVES)
    penalty: float = 0.003

    def __post_init__(self) -> None:
        """Refuse shares of no thickness, or outside (0, 1]."""
        problems = [
            Problem(f"{name} of DigitWorld", what)
            for name, given in (("contrast", self.contrast), ("trained", self.trained))
            for what in _wrong(given)
        ]
        if problems:
            raise RoleError(problems)

    def population(self) -> Digits:
        """Return all images that the model is asked about, as the scanner shows them.

        Raises:
            MissingExtraError: scikit-learn, whose digits they are, is not installed.

        """
        return self._scanned(training=False)

    def training(self) -> Digits:
        """Return the images that the model was trained on, as the scanner shows them.

        Raises:
            MissingExtraError: scikit-learn, whose digits they are, is not installed.

        """
        every = self._scanned(training=True)
        drawn = np.random.default_rng(_KEPT).random(len(every))
        return every.take(drawn < np.array([self.trained[one] for one in every.thickness]))

    def model(self) -> FunctionModel:
        """Return the model: multinomial logistic regression, which has gradients without torch."""
        some = self.training()
        weights, bias = softmax_regression(
            some.images.reshape(len(some), -1), some.labels, penalty=self.penalty
        )
        return linear(weights, bias, SPEC, name="reader of digits")

    def _scanned(self, *, training: bool) -> Digits:
        digits = _moved(self.moves, training=training)
        ink = np.array([self.contrast[one] for one in digits.thickness], np.float32)
        return Digits(
            digits.images * ink[:, None, None, None], digits.labels, digits.thickness, digits.ids
        )


def robust(
    model: FunctionModel, images: NDArray[np.floating], labels: NDArray[np.int64], eps: float
) -> NDArray[np.bool_]:
    """Return which images a linear model reads rightly whatever is changed by at most eps.

    The gap between the true class's score and another's is linear in the image, so it is least
    where every pixel has moved by eps against its weight, or to the end of its range: that image is
    written down, for each other class, and nothing is searched for. With eps 0 it says which are
    read rightly as they are.

    Args:
        model: A linear one that gives logits, of inputs that are not normalised.
        images: In the range of its spec, shape (n, *spec.shape).
        labels: Places of the true classes, shape (n,).
        eps: The largest change of one pixel, in units of the range (linf).

    Returns:
        Shape (n,).

    """
    if model.weights is None or model.spec.output != "logits" or model.spec.std:
        what = "the closed form is that of a linear model of inputs as they are."
        raise RoleError(Problem(model.name, what))
    weights, bias = (np.asarray(one, np.float64) for one in model.weights)
    flat = np.asarray(images, np.float64).reshape(len(images), -1)
    least = np.full(len(flat), np.inf)
    for other in range(len(weights)):
        slope = weights[labels] - weights[other]
        worst = np.clip(flat - eps * np.sign(slope), model.spec.low, model.spec.high)
        gap = (slope * worst).sum(axis=1) + bias[labels] - bias[other]
        least = np.where(labels == other, least, np.minimum(least, gap))
    return least > 0


def wrong_under_noise(
    model: FunctionModel, digits: Digits, deviation: float, *, runs: int, seed: int = 0
) -> dict[str, MonteCarlo]:
    """Return how often digits are misread once noise is added to them, by thickness.

    Every pixel gets a normal number of its own, cut by the range. No formula is known for many
    classes, so all images are drawn anew in every run.

    Args:
        model: The model.
        digits: Images and what they show.
        deviation: Standard deviation of the noise, in units of the range.
        runs: Number of independent runs, >= 2 for errors to be known.
        seed: Seed of the runs.

    """
    wrong, known = [], [digits.thickness == name for name in THICKNESSES]
    low, high = model.spec.low, model.spec.high
    for run in range(runs):
        noise = np.random.default_rng([_NOISE, seed, run]).standard_normal(digits.images.shape)
        noisy = np.clip(digits.images + deviation * noise, low, high)
        missed = model.predict(noisy) != digits.labels
        wrong.append([missed[part].sum() for part in known])
    sizes = np.array([part.sum() for part in known])
    return by_group(THICKNESSES, np.array(wrong, float), np.tile(sizes, (runs, 1)).astype(float))


def shares(marks: NDArray[np.bool_], thickness: NDArray[np.str_]) -> dict[str, float]:
    """Return the share of the images that are marked, by thickness."""
    return {name: float(marks[thickness == name].mean()) for name in THICKNESSES}


def softmax_regression(
    x: NDArray[np.floating], labels: NDArray[np.int64], *, penalty: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights and biases that minimise cross-entropy and a share of the squared weights.

    The objective is strictly convex in the weights: there is one answer, whatever the start.

    Args:
        x: Shape (n, features).
        labels: From 0 to 9, shape (n,).
        penalty: Half of it multiplies the sum of the squared weights.

    Returns:
        Shapes (10, features) and (10,).

    """
    x = np.asarray(x, np.float64)
    true = np.eye(len(SPEC.labels))[labels]
    size = true.shape[1] * x.shape[1]

    def cost(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, bias = flat[:size].reshape(true.shape[1], -1), flat[size:]
        scores = x @ weights.T + bias
        total = special.logsumexp(scores, axis=1)
        value = (total - (scores * true).sum(axis=1)).mean() + penalty / 2 * (weights**2).sum()
        slope = (np.exp(scores - total[:, None]) - true) / len(x)
        by_weight = slope.T @ x + penalty * weights
        return float(value), np.concatenate([by_weight.ravel(), slope.sum(axis=0)])

    start = np.zeros(size + true.shape[1])
    best = optimize.minimize(cost, start, jac=True, method="L-BFGS-B").x
    return best[:size].reshape(true.shape[1], -1), best[size:]


@functools.cache
def _moved(moves: Sequence[float], *, training: bool) -> Digits:
    """Return one half of the digits at full contrast, each with every move."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError("demo", where="scikit-learn's digits") from error
    raw, labels = load_digits(return_X_y=True)
    ink = raw.sum(axis=1)
    group = np.digitize(ink, np.quantile(ink, [1 / 3, 2 / 3]))
    order = np.random.default_rng(_ORDER).permutation(len(raw))
    half = len(order) // 2
    some = np.sort(order[:half] if training else order[half:])
    images = (raw[some] / _WHITE).reshape(-1, _SIDE, _SIDE)
    every = [_shifted(images, down, aside) for down in moves for aside in moves]
    copies = len(every)
    return Digits(
        np.concatenate(every)[:, None].astype(np.float32),
        np.tile(labels[some].astype(np.int64), copies),
        np.tile(np.array(THICKNESSES)[group[some]], copies),
        np.concatenate([some * copies + place for place in range(copies)]),
    )


def _shifted(images: NDArray[np.float64], down: float, aside: float) -> NDArray[np.float64]:
    """Return images moved by less than a pixel: each pixel is a mean of four, by their overlap."""
    for axis, by in ((1, down), (2, aside)):
        edge = [(0, 0)] * images.ndim
        edge[axis] = (1, 1)
        wide = np.pad(images, edge)
        inner = np.arange(1, _SIDE + 1)
        beside = inner - int(np.sign(by))
        images = (1 - abs(by)) * wide.take(inner, axis) + abs(by) * wide.take(beside, axis)
    return images


def _wrong(given: Mapping[str, float]) -> list[str]:
    """Return what is wrong with a number for each thickness."""
    return [
        *(f"{name!r} is none of {', '.join(THICKNESSES)}." for name in given.keys() - THICKNESSES),
        *(f"{name} is missing." for name in THICKNESSES if name not in given),
        *(
            f"{name}: {value} is not in (0, 1]."
            for name, value in given.items()
            if not 0 < value <= 1
        ),
    ]
