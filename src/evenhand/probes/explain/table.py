"""What an explanation takes from all examples: their features, values to put in, a background."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evenhand.models.inputs import Inputs
from evenhand.models.model import Floats
from evenhand.probes.explain.feature import Features, Groups, grouped, named_features

Places = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """All examples, as one of them is explained by the others.

    Attributes:
        features: What is explained by.
        names: Of the columns, in the model's order.
        digest: Of the examples; by it tables are told apart.
        x: All examples, shape (n, columns).
        seed: Where what is drawn of them comes from.
        places: Of the examples, by id.
        values: For columns of text, the values that their numbers stand for.
        unread: Columns of the inputs that the model does not read.

    """

    features: Features
    names: tuple[str, ...]
    digest: str
    x: Floats = field(compare=False, repr=False)
    seed: int
    places: dict[object, int] = field(compare=False, repr=False)
    values: Mapping[str, Sequence[object]] = field(compare=False, repr=False, default_factory=dict)
    unread: tuple[str, ...] = ()
    _once: dict[object, Numbers] = field(
        compare=False, repr=False, init=False, default_factory=dict
    )

    def once(self, what: object, numbers: Callable[[], Numbers]) -> Numbers:
        """Return numbers that hang on all examples: they are worked out once, not in each block.

        Args:
            what: Tells them from others, such as an explanation and a column.
            numbers: Works them out.

        """
        if what not in self._once:
            self._once[what] = numbers()
        return self._once[what]

    def places_of(self, examples: Inputs) -> Places:
        """Return the places of some examples among all, shape (n,)."""
        return np.array([self.places[one] for one in examples.ids.tolist()], np.int64)

    def order(self, repeat: int) -> Places:
        """Return which example each one gets values of: a seeded permutation of all, shape (n,).

        The same for every feature, and however blocks fall.
        """
        return np.random.default_rng([self.seed, _ORDER, repeat]).permutation(len(self.x))

    def drawn(self, count: int) -> Places:
        """Return the places of so many examples, drawn without replacement; of fewer, all."""
        if count >= len(self.x):
            return np.arange(len(self.x))
        order = np.random.default_rng([self.seed, _DRAWN]).permutation(len(self.x))
        return np.sort(order[:count])


_ORDER, _DRAWN = 3, 4
"""Tell these numbers from those that choose pictures and judge attacks."""


def table_of(inputs: Inputs, groups: Groups, seed: int) -> Table:
    """Return what is known of all examples.

    Args:
        inputs: All examples.
        groups: Features that are put together, as `grouped`.
        seed: Where what is drawn of them comes from.

    Raises:
        ModelError: A group is none.

    """
    flat = inputs.x.reshape(len(inputs), -1)
    names = named_features(inputs.features, flat.shape[1])
    places = {one: place for place, one in enumerate(inputs.ids.tolist())}
    features = grouped(names, groups)
    unread = tuple(one for one in inputs.table.columns if one not in names)
    return Table(features, names, inputs.digest, inputs.x, seed, places, inputs.values, unread)
