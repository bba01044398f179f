"""The quality card of explanations: every question asked of each, with its cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem
from evenhand.logs.kinds.attributions import OF_CARD
from evenhand.models.model import Codes, Floats, Model, Randomisable
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import Attribution, Maps, Streams, pixels
from evenhand.probes.attribute.baseline import Baseline, baseline_of
from evenhand.probes.attribute.control import edges
from evenhand.probes.card.completeness import completeness_error
from evenhand.probes.card.depth import ALL, Depth
from evenhand.probes.card.infidelity import infidelity, slopes_of
from evenhand.probes.card.likeness import likeness
from evenhand.probes.card.other import OthersOf, others_of
from evenhand.probes.card.randomisation import randomisation
from evenhand.probes.card.removal import ends_of, orders_of, random_orders, removed
from evenhand.probes.card.sensitivity import max_sensitivity
from evenhand.probes.parameter import count_of, refuse

COLUMNS = tuple(role.name for role in OF_CARD)
"""What a card holds of each example: numbers, NaN where there is none."""


MAP = "map"
"""What the generators of the map are for; others are of the questions."""

Columns = dict[str, NDArray[np.float64]]
"""Numbers of examples by column, shape (n,) each."""

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
        depth: Which of their layers are drawn anew.

    """

    fill: Baseline = "mean"
    steps: int = 16
    orders: int = 3
    noise: float = 0.1
    samples: int = 32
    radius: float = 0.02
    neighbours: int = 5
    randomisations: int = 10
    depth: Depth = ALL

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        what = f"randomisations={self.randomisations} is no whole number from 0."
        refuse("card", [(not count_of(self.randomisations, 0), what)])

    def __str__(self) -> str:
        """Return what tells it from others of a probe: ``mean``, ``blur cascade 2``."""
        return f"{self.fill} {self.depth}".strip()

    def problems(self, model: Model) -> list[Problem]:
        """Return that a model has no such layers."""
        if self.randomises(model) and isinstance(model, Randomisable):
            return self.depth.problems(model)
        return []

    def randomises(self, model: Model) -> bool:
        """Return whether maps of networks that learned nothing are looked at."""
        return self.randomisations > 0 and "randomised" in model.offers

    def most_of_areas(self, model: Model) -> int:
        """Return what `areas` of one map cost at most."""
        steps = min(self.steps, _features(model.spec))
        kinds = 1 + self.orders + _edged(model.spec)
        return 2 * (steps - 1) * kinds + 2

    def most_of_blank(self, attribution: Attribution, model: Model) -> int:
        """Return what `blank` of one map costs at most."""
        return 2 * self.randomisations * self.randomises(model) * attribution.most(model)

    def most_of_rest(self, attribution: Attribution, model: Model) -> int:
        """Return what `rest` of one map costs at most, without the map itself."""
        sums = 2 if attribution.complete else 0
        maps = self.neighbours + attribution.drawn
        return sums + 1 + self.samples + maps * attribution.most(model)

    def areas(
        self, model: Model, x: Floats, codes: Codes, maps: Maps, streams: StreamsFor
    ) -> Columns:
        """Return the columns that hang on the fill, of maps that are known.

        Args:
            model: A model whose scores are logits.
            x: Examples, shape (n, *spec.shape).
            codes: The class whose score is explained, shape (n,).
            maps: What explains the examples, of their shape.
            streams: Gives the generators of the examples anew, in their first state, by what they
                are for.

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

    def blank(
        self,
        attribution: Attribution,
        model: Model,
        x: Floats,
        codes: Codes,
        maps: Maps,
        *,
        streams: StreamsFor,
        seed: int,
        others: OthersOf | None,
    ) -> Columns:
        """Return the columns of networks that learned nothing; none where there are none.

        Args:
            attribution: Explains.
            model: As in `areas`.
            x: As in `areas`.
            codes: As in `areas`.
            maps: As in `areas`.
            streams: As in `areas`.
            seed: Where the parameters of networks that learned nothing come from.
            others: Gives another example for each, by the number of the network; None for
                `others_of` the examples.

        """
        others = others_of(x, model.spec) if others is None else others
        if not (self.randomises(model) and isinstance(model, Randomisable)) or others is None:
            return {}
        found = randomisation(
            model,
            x,
            codes,
            attribution,
            maps,
            times=self.randomisations,
            seed=seed,
            others=others,
            drawn=streams(MAP),
            layers=self.depth.layers(model),
        )
        return {"randomisation": found.same, "randomisation_null": found.other}

    def rest(
        self, attribution: Attribution, model: Model, x: Floats, codes: Codes, streams: StreamsFor
    ) -> tuple[Columns, Maps]:
        """Return all columns, of which those of `areas` and `blank` are NaN, and the maps.

        Args:
            attribution: Explains.
            model: As in `areas`.
            x: As in `areas`.
            codes: As in `areas`.
            streams: As in `areas`.

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
        if attribution.drawn:
            again = attribution.maps(model, x, codes, streams("again"))
            found["seed_stability"] = likeness(maps, again)
        return found, maps


def _edged(spec: Spec) -> bool:
    """Return whether inputs are images, which have edges."""
    return spec.layout != "features"


def _features(spec: Spec) -> int:
    return len(pixels(np.zeros((1, *spec.shape)), spec)[0])
