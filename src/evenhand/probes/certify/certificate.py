"""What a certificate is: a hashable value that says within which distance no attack can exist."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem
from evenhand.models.model import Codes, Floats, Model
from evenhand.models.spec import Spec
from evenhand.probes.method import Progress, silent
from evenhand.probes.named import written
from evenhand.probes.threat import Norm

PREFIX = "certify."
"""What the name of a certificate begins with where probes are named."""

ABSTAINS = -1
"""In place of a class where the certified classifier gives none."""


@dataclass(frozen=True)
class Certified:
    """What a certificate gives; n is the number of inputs.

    Attributes:
        prediction: The class that the certified classifier gives, its place in `Spec.labels`, or
            `ABSTAINS`; shape (n,).
        radius: Within which no change can alter that class, in the units of the inputs' range; NaN
            where nothing is certified; shape (n,).
        queries: What was asked for each input, shape (n,).

    """

    prediction: Codes
    radius: NDArray[np.float64]
    queries: NDArray[np.int64]


@dataclass(frozen=True)
class Certificate(ABC):
    """Parameters of a certificate; ``str`` writes it as ``certify.smoothing(sigma=0.25)``.

    Attributes:
        name: How it is printed and parsed.
        norm: Of the distance that it certifies.
        same: Whether the certified classifier is the model itself, so that an attack on the model
            and the certificate bound the same accuracy from both sides; a smoothed one is another.

    """

    name: ClassVar[str]
    norm: ClassVar[Norm]
    same: ClassVar[bool]

    @abstractmethod
    def problems(self, model: Model) -> list[Problem]:
        """Return everything that stops it on a model, with what could be done instead."""

    @abstractmethod
    def most(self, model: Model) -> int:
        """Return the most queries that one example can cost."""

    @abstractmethod
    def certify(
        self,
        model: Model,
        x: Floats,
        streams: Sequence[np.random.Generator],
        *,
        progress: Progress = silent,
    ) -> Certified:
        """Return what is certified of inputs.

        Args:
            model: The model, of which `problems` found none.
            x: Inputs in the units of its spec, shape (n, *spec.shape).
            streams: The generator of each input, so that none hangs on its neighbours.
            progress: Told which share of the inputs is done.

        """

    def radii(self, spec: Spec) -> tuple[float, ...]:
        """Return where it is asked about if nobody says: shares of the range, in its units."""
        return tuple(round(share * (spec.high - spec.low), 12) for share in (0.0, 0.01, 0.05, 0.1))

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return what limits it, such as the largest radius that so many samples can certify."""
        del model
        return ()

    def __str__(self) -> str:
        return written(self, PREFIX)
