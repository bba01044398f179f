"""Randomisation: whether a map is another one where the model has learned nothing."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evenhand.models.model import Codes, Floats, Randomisable
from evenhand.probes.attribute.attribution import Attribution, Maps, Streams, rewound, states_of
from evenhand.probes.card.likeness import likeness
from evenhand.probes.card.other import OthersOf


class Randomisation(NamedTuple):
    """Both likenesses, shape (n,), each the mean over the networks; NaN where no map has an order.

    Attributes:
        same: Of the map to the map of the same example under a network that learned nothing.
        other: Of the map to the map of another example under it: what the architecture alone does.

    """

    same: NDArray[np.float64]
    other: NDArray[np.float64]


def randomisation(
    model: Randomisable,
    x: Floats,
    codes: Codes,
    attribution: Attribution,
    maps: Maps,
    *,
    times: int,
    seed: int,
    others: OthersOf,
    drawn: Streams,
    layers: Collection[str] | None = None,
) -> Randomisation:
    """Return how like a map is to maps of networks whose parameters are drawn anew.

    Spearman's correlation of absolute values, over all parts; nothing is scaled. A likeness by
    itself says little, since the architecture, and an input that is multiplied in, make maps alike
    which know nothing: so that of another example's map stands beside, and the excess over it is
    what the example itself has left in a map that cannot know what was learned.

    Source: Adebayo et al. 2018, sections 3.1 and 3.2, with absolute values. By default all layers
    are drawn at once, and nothing is scaled: Hedström et al. 2023 advise against scaled maps and
    against going down from the top alone, where what is below goes on as it was.

    Args:
        model: A model whose scores are logits.
        x: Examples, shape (n, *spec.shape).
        codes: The class whose score is explained, shape (n,).
        attribution: Makes the maps.
        maps: Those of x.
        times: Networks, from 1; the same for all examples.
        seed: Where their parameters come from.
        others: Gives another example for each, by the number of the network.
        drawn: Those that the map of x was drawn from, in the same state, so that nothing differs
            but the parameters.
        layers: Names of the layers that are drawn; None for all.

    """
    likenesses: NDArray[np.float64] = np.empty((2, times, len(x)))
    states, sizes = states_of(drawn), np.abs(maps)
    seeds = np.random.default_rng([seed, _NETWORKS]).integers(2**31, size=times)
    for time, number in enumerate(seeds.tolist()):
        blank = model.randomised(number, layers)
        for which, of in enumerate((x, others(time))):
            found = attribution.maps(blank, of, codes, rewound(drawn, states))
            likenesses[which, time] = likeness(sizes, np.abs(found))
    # Networks under which either map has no order are left out of both means.
    likenesses[:, np.isnan(likenesses).any(axis=0)] = np.nan
    with warnings.catch_warnings():
        # The mean of none is NaN, as it should be.
        warnings.simplefilter("ignore", RuntimeWarning)
        return Randomisation(*np.nanmean(likenesses, axis=1))


_NETWORKS = 3
"""Tells the seeds of networks from other numbers of the same seed."""
