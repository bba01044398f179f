"""Randomised smoothing: the class that most of an input's noisy copies get, and how sure that is.

The certified classifier is not the model: it is g(x) = argmax_c P(f(x + e) = c) with Gaussian noise
e of deviation sigma. If the likeliest class has a probability of at least p > 1/2, no change of x
shorter than sigma Phi^-1(p) by l2 alters g(x). The noise is that of floating-point numbers, which
the theorem takes for real ones.

Source: Cohen, Rosenfeld and Kolter 2019, theorem 1 and the procedure CERTIFY.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evenhand.errors import Problem
from evenhand.models.answer import batches
from evenhand.models.model import Floats, Model
from evenhand.models.spec import Spec
from evenhand.probes.attack.attack import as_given
from evenhand.probes.certify.certificate import ABSTAINS, Certificate, Certified
from evenhand.probes.method import Progress, silent
from evenhand.probes.parameter import count_of, number_of, refuse
from evenhand.probes.threat import Norm

_NUMBERS = 2**21
"""Numbers in the noisy copies that are held at once: 16 MiB of float64."""


@dataclass(frozen=True)
class Smoothing(Certificate):
    """Radius by l2 of the smoothed classifier, at confidence 1 - alpha for each example.

    ``n0`` noisy copies choose a class, ``n`` fresh ones bound its probability from below (Clopper
    and Pearson, one-sided); where that is not above 1/2 it abstains. Noise is added in the units
    of the inputs' range and is not cut to it: the theorem would hold of a cut input too, but of
    another classifier, the model behind a cut, than the one that the literature's figures are of.
    So it goes through scores, whose inputs may lie anywhere.

    Attributes:
        sigma: Standard deviation of the noise, in the units of the inputs' range.
        n: Copies that bound the probability.
        n0: Copies that choose the class.
        alpha: The chance that the radius of an example is too large.

    """

    name: ClassVar[str] = "smoothing"
    norm: ClassVar[Norm] = "l2"
    same: ClassVar[bool] = False

    sigma: float = 0.25
    n: int = 10_000
    n0: int = 100
    alpha: float = 0.001

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        sigma, alpha = number_of(self.sigma), number_of(self.alpha)
        few = count_of(self.n) and 0 < alpha < 1 and alpha ** (1 / self.n) <= 1 / 2
        refuse(
            f"certify.{self.name}",
            [
                (not 0 < sigma < math.inf, f"sigma={self.sigma} is no deviation above 0."),
                (not count_of(self.n), f"n={self.n} is no number of copies."),
                (few, f"n={self.n} copies can certify nothing at alpha={self.alpha}: too few."),
                (not count_of(self.n0), f"n0={self.n0} is no number of copies."),
                (not 0 < alpha < 0.5, f"alpha={self.alpha} is no chance between 0 and 0.5."),  # noqa: PLR2004
            ],
        )

    def radii(self, spec: Spec) -> tuple[float, ...]:
        """Return where it is asked about if nobody says: multiples of the noise."""
        del spec
        return tuple(share * float(self.sigma) for share in (0.0, 0.5, 1.0, 2.0))

    def problems(self, model: Model) -> list[Problem]:
        """Return whether the model gives no scores."""
        if "scores" in model.offers:
            return []
        what = f"noise leaves the range of the inputs, and {model.name} answers beyond it only "
        what += "with scores, which it does not offer."
        hint = "Give the model with its scores: say output: logits or probabilities."
        return [Problem(str(self), what, hint)]

    def most(self, model: Model) -> int:
        """Return the number of noisy copies."""
        del model
        return self.n0 + self.n

    def certify(
        self,
        model: Model,
        x: Floats,
        streams: Sequence[np.random.Generator],
        *,
        progress: Progress = silent,
    ) -> Certified:
        """Return what is certified of inputs, as `Certificate.certify`.

        The copies of an input are asked about by themselves, in parts that depend on nothing but
        the size of an input, so that other inputs cannot change an answer by rounding.
        """
        given = as_given(model, x)
        chosen = np.empty(len(given), np.int64)
        hits = np.empty(len(given), np.int64)
        for place, stream in enumerate(streams):
            chosen[place] = self._counts(model, given[place], self.n0, stream).argmax()
            hits[place] = self._counts(model, given[place], self.n, stream)[chosen[place]]
            progress(str(self), (place + 1) / len(given))
        least = at_least(hits, self.n, self.alpha)
        sure = least > 1 / 2
        return Certified(
            prediction=np.where(sure, chosen, ABSTAINS),
            radius=np.where(sure, radius_of(least, self.sigma), np.nan),
            queries=np.full(len(given), self.n0 + self.n, np.int64),
        )

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return whose radius it is, and the largest one that so many copies can show."""
        ceiling = radius_of(self.alpha ** (1 / self.n), self.sigma)
        who = f"{self}: certified is the smoothed classifier, the class that noise of deviation "
        who += f"{self.sigma:g} gives most often, and not {model.name} itself; the radius of each "
        who += f"example holds with confidence {1 - self.alpha:.12g}."
        most = f"{self}: {self.n:,} copies certify no radius above {ceiling:.3g}, however sure the "
        most += "model is."
        return who, most

    def _counts(
        self, model: Model, x: Floats, draws: int, stream: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return how many noisy copies of an input get each class, shape (classes,)."""
        counts = np.zeros(model.spec.classes, np.int64)
        for noisy in _copies(x, draws, self.sigma, stream):
            said = model.numpy(model.scores(model.array(noisy))).argmax(axis=1)
            counts += np.bincount(said, minlength=len(counts))
        return counts


def _copies(x: Floats, draws: int, sigma: float, stream: np.random.Generator) -> Iterator[Floats]:
    """Yield noisy copies of an input in parts, in its own type of numbers."""
    for some in batches(draws, max(1, _NUMBERS // x.size)):
        noise = stream.standard_normal((some.stop - some.start, *x.shape))
        yield np.asarray(x + sigma * noise, x.dtype)


def at_least(hits: NDArray[Any], n: int, alpha: float) -> NDArray[np.float64]:
    """Return what a probability is at least, with confidence 1 - alpha, by hits among n draws.

    The smallest p at which so many hits or more have a chance of alpha: the alpha quantile of
    Beta(hits, n - hits + 1); 0 for none, alpha^(1/n) for all.

    Source: Clopper and Pearson 1934, one-sided.
    """
    found = special.betaincinv(np.maximum(hits, 1), n - hits + 1, alpha)
    return np.where(hits > 0, found, 0.0)


def radius_of(least: NDArray[np.float64] | float, sigma: float) -> NDArray[np.float64]:
    """Return within which change, by l2, a class stays the likeliest: sigma Phi^-1(least).

    Args:
        least: What the probability of the class is at least; below 1/2 the radius is below 0.
        sigma: Standard deviation of the noise.

    """
    found: NDArray[np.float64] = sigma * special.ndtri(least)
    return found
