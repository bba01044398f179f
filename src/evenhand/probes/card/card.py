"""The quality card of explanations: every question asked of each, with its cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.models.model import Codes, Floats, Model, Randomisable
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import Attribution, Maps, Streams, pixels
from evenhand.probes.attribute.baseline import Baseline, baseline_of
from evenhand.probes.attribute.control import edges
from evenhand.probes.card.completeness import completeness_error
from evenhand.probes.card.infidelity import infidelity, slopes_of
from evenhand.probes.card.likeness import likeness
from evenhand.probes.card.other import OthersOf, others_of
from evenhand.probes.card.randomisation import randomisation
from evenhand.probes.card.removal import ends_of, orders_of, random_orders, removed
from evenhand.probes.card.sensitivity import max_sensitivity
from evenhand.probes.parameter import count_of, refuse

COLUMNS = (
    "completeness_error",
    *("insertion", "insertion_random", "insertion_edges"),
    *("deletion", "deletion_random", "deletion_edges"),
    *("infidelity", "scaled_infidelity", "max_sensitivity", "relative_sensitivity"),
    *("randomisation", "randomisation_null", "seed_stability"),
)
"""What a card holds of each example: numbers, NaN where there is none."""


MAP = "map"
"""What the generators of the map are for; others are of the questions."""

StreamsFor = Callable[[str], Streams]
"""Gives the generators of examples anew, in their first state, by what they are for."""


@dataclass(frozen=True)
class Card:
    """How explanations are judged.

    Attributes:
        fill: What features are removed with.
        steps: Steps of insertion and deletion.
        orders: Random orders, whose mean area stands beside.
        noise: Standard deviation of the noise of infidelity, in widths of the range.
        samples: Draws of infidelity.
        radius: Of the ball of sensitivity, in widths of the range.
        neighbours: Draws of sensitivity.
        randomisations: Networks of parameters drawn anew, each two maps; 0 for none of them, since
            they are the dearest part of the card.

    """

    fill: Baseline = "mean"
    steps: int = 16
    orders: int = 3
    noise: float = 0.1
    samples: int = 32
    radius: float = 0.02
    neighbours: int = 5
    randomisations: int = 10

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        what = f"randomisations={self.randomisations} is no whole number from 0."
        refuse("card", [(not count_of(self.randomisations, 0), what)])

    def randomises(self, model: Model) -> bool:
        """Return whether maps of networks that learned nothing are looked at."""
        return self.randomisations > 0 and "randomised" in model.offers

    def most(self, attribution: Attribution, model: Model) -> int:
        """Return the queries that the card of one map costs at most, without the map itself."""
        return self.most_of_areas(model) + self.most_of_rest(attribution, model)

    def most_of_areas(self, model: Model) -> int:
        """Return what `areas` of one map cost at most."""
        steps = min(self.steps, _features(model.spec))
        kinds = 1 + self.orders + _edged(model.spec)
        return 2 * (steps - 1) * kinds + 2

    def most_of_rest(self, attribution: Attribution, model: Model) -> int:
        """Return what `rest` of one map costs at most, without the map itself."""
        sums = 2 if attribution.complete else 0
        again = 2 * self.randomisations if self.randomises(model) else 0
        maps = self.neighbours + again + attribution.drawn
        return sums + 1 + self.samples + maps * attribution.most(model)

    def of(
        self,
        attribution: Attribution,
        model: Model,
        x: Floats,
        codes: Codes,
        streams: StreamsFor,
        *,
        seed: int = 0,
        others: OthersOf | None = None,
    ) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
        """Return each example's card by column, and its map.

        Args:
            attribution: Explains.
            model: A model whose scores are logits.
            x: Examples, shape (n, *spec.shape).
            codes: The class whose score is explained, shape (n,).
            streams: Gives the generators of the examples anew, in their first state, by what they
                are for.
            seed: Where the parameters of networks that learned nothing come from.
            others: Gives another example for each, by the number of the network; by default
                `others_of` the examples.

        """
        found, maps = self.rest(attribution, model, x, codes, streams, seed=seed, others=others)
        return {**found, **self.areas(model, x, codes, maps, streams)}, maps

    def areas(
        self, model: Model, x: Floats, codes: Codes, maps: Maps, streams: StreamsFor
    ) -> dict[str, NDArray[np.float64]]:
        """Return the columns that hang on the fill, of maps that are known.

        Args:
            model: As in `of`.
            x: As in `of`.
            codes: As in `of`.
            maps: What explains the examples, of their shape.
            streams: As in `of`.

        """
        spec, found = model.spec, {}
        fill = baseline_of(self.fill, x, spec)
        ends = ends_of(model, x, fill, codes)

        def under(places: NDArray[np.int64]) -> NDArray[np.float64]:
            return np.stack(removed(model, x, fill, codes, places, ends=ends, steps=self.steps))

        order = streams("orders")
        found["insertion"], found["deletion"] = under(orders_of(maps, model, order))
        random = [under(random_orders(model, order)) for _ in range(self.orders)]
        found["insertion_random"], found["deletion_random"] = np.mean(random, axis=0)
        if _edged(spec):
            by_edges = orders_of(edges(x, spec), model, order)
            found["insertion_edges"], found["deletion_edges"] = under(by_edges)
        return found

    def rest(
        self,
        attribution: Attribution,
        model: Model,
        x: Floats,
        codes: Codes,
        streams: StreamsFor,
        *,
        seed: int,
        others: OthersOf | None,
    ) -> tuple[dict[str, NDArray[np.float64]], Maps]:
        """Return all columns, of which those of `areas` are NaN, and the maps: no fill matters.

        Args:
            attribution: As in `of`.
            model: As in `of`.
            x: As in `of`.
            codes: As in `of`.
            streams: As in `of`.
            seed: As in `of`.
            others: As in `of`.

        """
        spec = model.spec
        maps = attribution.maps(model, x, codes, streams(MAP))
        against = attribution.reference(x, spec)
        found = {name: np.full(len(x), np.nan) for name in COLUMNS}
        if attribution.complete and against is not None:
            found["completeness_error"] = completeness_error(model, x, against, codes, maps)
        if attribution.sloped:
            found["infidelity"], found["scaled_infidelity"] = infidelity(
                model,
                x,
                codes,
                slopes_of(maps, x, against, attribution.cells(spec)),
                noise=self.noise,
                samples=self.samples,
                streams=streams("noise"),
            )
        found["max_sensitivity"], found["relative_sensitivity"] = max_sensitivity(
            model,
            x,
            codes,
            attribution,
            maps,
            radius=self.radius,
            samples=self.neighbours,
            streams=streams("neighbours"),
            drawn=streams(MAP),
        )
        others = others_of(x, spec) if others is None else others
        if self.randomises(model) and isinstance(model, Randomisable) and others is not None:
            found["randomisation"], found["randomisation_null"] = randomisation(
                model,
                x,
                codes,
                attribution,
                maps,
                times=self.randomisations,
                seed=seed,
                others=others,
                drawn=streams(MAP),
            )
        if attribution.drawn:
            again = attribution.maps(model, x, codes, streams("again"))
            found["seed_stability"] = likeness(maps, again)
        return found, maps


def _edged(spec: Spec) -> bool:
    """Return whether inputs are images, which have edges."""
    return spec.layout != "features"


def _features(spec: Spec) -> int:
    return len(pixels(np.zeros((1, *spec.shape)), spec)[0])
