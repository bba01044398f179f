"""Randomisation: whether a map is another one where the model has learned nothing."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evenhand.models.model import Codes, Floats, Randomisable
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import Attribution, Maps, Streams, rewound, states_of
from evenhand.probes.card.likeness import likeness


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
    streams: Streams,
    drawn: Streams,
) -> Randomisation:
    """Return how like a map is to maps of networks whose parameters are all drawn anew.

    Spearman's correlation of absolute values, over all parts; nothing is scaled. A likeness by
    itself says little, since the architecture, and an input that is multiplied in, make maps alike
    which know nothing: so that of another example's map stands beside, and the excess over it is
    what the example itself has left in a map that cannot know what was learned.

    Source: Adebayo et al. 2018; all layers at once and absolute values, as Hedström et al. 2023
    advise against scaled maps and against going down from the top.

    Args:
        model: A model whose scores are logits.
        x: Examples, shape (n, *spec.shape).
        codes: The class whose score is explained, shape (n,).
        attribution: Makes the maps.
        maps: Those of x.
        times: Networks, from 1; the same for all examples.
        seed: Where their parameters come from.
        streams: The generator of each example, for `another`.
        drawn: Those that the map of x was drawn from, in the same state, so that nothing differs
            but the parameters.

    """
    likenesses: NDArray[np.float64] = np.empty((2, times, len(x)))
    states, sizes = states_of(drawn), np.abs(maps)
    seeds = np.random.default_rng([seed, _NETWORKS]).integers(2**31, size=times)
    for time, number in enumerate(seeds.tolist()):
        blank = model.randomised(number)
        for which, of in enumerate((x, another(x, model.spec, streams))):
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


def another(x: Floats, spec: Spec, streams: Streams) -> Floats:
    """Return another example for each, which is made of it alone, so that no neighbour matters.

    Of an image the same one turned by half a turn: as bright, as large and as rich in edges, with
    something else at nearly every place. On centred objects its maps are as like as those of
    another image; on an image that is symmetric about its centre they are as like as its own, so
    that nothing exceeds them. Of a table numbers that are drawn evenly from the range.

    Args:
        x: Examples, shape (n, *spec.shape).
        spec: Of the model.
        streams: The generator of each example.

    """
    if spec.layout == "features":
        drawn = np.stack([one.uniform(spec.low, spec.high, spec.shape) for one in streams])
        return drawn.astype(np.asarray(x).dtype)
    sides = (2, 3) if spec.layout == "CHW" else (1, 2)
    return np.ascontiguousarray(np.flip(x, axis=sides))
