"""Other examples: beside them it is seen what any example's map has in common with any other's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evenhand.models.inputs import Inputs
from evenhand.models.model import Floats
from evenhand.models.spec import Spec

OthersOf = Callable[[int], Floats]
"""Gives another example for each, shape (n, *spec.shape), by the number of the network."""


@dataclass(frozen=True)
class Others:
    """All rows of a table in a circle, so that each has another one, and each is one's other.

    An example's other is a real row, which could as well be the example: under a network that has
    learned nothing neither is nearer to what is explained, but by what the example shows itself.
    Each network has others, as long as there are any.

    Attributes:
        digest: Of the rows; by it circles are told apart.
        seed: Where their order comes from.
        circle: The rows in the order of the circle, shape (n, columns).
        places: Of the rows in the circle, by id.

    """

    digest: str
    seed: int
    circle: Floats = field(compare=False, repr=False)
    places: Mapping[object, int] = field(compare=False, repr=False)

    def of(self, examples: Inputs) -> OthersOf | None:
        """Return what gives the others of some examples; None where there is one example alone."""
        here = np.array([self.places[one] for one in examples.ids.tolist()], np.int64)
        return _around(self.circle, here)


def others_among(inputs: Inputs, seed: int) -> Others:
    """Return the circle of a table's rows."""
    order = np.random.default_rng([seed, _CIRCLE]).permutation(len(inputs))
    places = {one: place for place, one in enumerate(inputs.ids[order].tolist())}
    return Others(inputs.digest, seed, inputs.x[order], places)


_CIRCLE = 5
"""Tells the order of the circle from other numbers of the same seed."""


def others_of(x: Floats, spec: Spec) -> OthersOf | None:
    """Return what gives others of examples of which no more is known than they themselves.

    Of an image it is the same one turned by half a turn, so that no neighbour matters: as bright,
    as large and as rich in edges, with something else at nearly every place. On centred objects
    its maps are as like as those of another image; on an image that is symmetric about its centre
    they are as like as its own, so that nothing exceeds them. Of a table it is the next row; None
    where there is no other.

    Args:
        x: Examples, shape (n, *spec.shape).
        spec: Of the model.

    """
    if spec.layout == "features":
        return _around(x, np.arange(len(x)))
    sides = (2, 3) if spec.layout == "CHW" else (1, 2)
    turned = np.ascontiguousarray(np.flip(x, axis=sides))
    return lambda _network: turned


def _around(circle: Floats, here: NDArray[np.int64]) -> OthersOf | None:
    count = len(circle)
    if count == 1:
        return None
    # Never the example itself: a step goes at most to the one before it.
    return lambda network: circle[(here + 1 + network % (count - 1)) % count]
