"""Explanations as a method: one variant for each attribution and fill, with its quality card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import polars as pl

from evenhand.errors import Problem
from evenhand.models.inputs import Inputs
from evenhand.models.logits import with_logits
from evenhand.models.model import Codes, Model
from evenhand.models.spec import Spec
from evenhand.notation import Term
from evenhand.probes.attribute.attribution import PREFIX, Attribution, Streams
from evenhand.probes.attribute.baseline import refused
from evenhand.probes.card.card import COLUMNS, MAP, Card, Columns
from evenhand.probes.card.depth import Depth
from evenhand.probes.card.other import Others, others_among
from evenhand.probes.method import (
    Method,
    Progress,
    Rows,
    Variant,
    named_classes,
    silent,
    slice_of,
    streams_of,
)


class Explained(NamedTuple):
    """What a variant is: an attribution, and how it is judged."""

    attribution: Attribution
    card: Card


@dataclass(frozen=True)
class Attributing(Method):
    """The score of the class that the model predicts is explained, and the explanation judged.

    Attributes:
        written: How the attributions are written: ``attribute.common``.
        attributions: What explains.
        cards: How each is judged, alike in everything but fill and depth.
        others: Of tables, all rows; None of images, and before the examples are known.

    """

    kind: ClassVar[str] = "attributions"
    summary = (
        "insertion_gain",
        "deletion_gain",
        "faithful_share",
        "scaled_infidelity",
        "relative_sensitivity",
        "randomisation_excess",
    )

    written: str
    attributions: tuple[Attribution, ...]
    cards: tuple[Card, ...]
    others: Others | None = None

    @property
    def name(self) -> str:
        """How the attributions are written."""
        return self.written

    @property
    def known(self) -> str:
        """How they are written, and how they are judged, beside which others."""
        return f"{self.written} {self.attributions} {self.cards} {self.others}"

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Each attribution with each card: ``integrated_gradients(steps=32) mean``."""
        return tuple(self._variant(one, card) for one in self.attributions for card in self.cards)

    @property
    def passes(self) -> tuple[Variant, ...]:
        """Each attribution, with all cards: what they have in common is worked out once."""
        cards = ", ".join(map(str, self.cards))
        return tuple(
            Variant(f"{str(one).removeprefix(PREFIX)} {cards}", one) for one in self.attributions
        )

    def among(self, inputs: Inputs, seed: int) -> Method:
        """Return the same for tables with their rows, one of which is another one's other."""
        if inputs.x.ndim > _ROWS or not any(card.randomisations for card in self.cards):
            return self
        return replace(self, others=others_among(inputs, seed))

    def found(self, label: pl.DataType) -> dict[str, pl.DataType]:
        """Return the columns of the card."""
        del label
        marks = dict.fromkeys(("explanation", "fill"), pl.String())
        return {**marks, **dict.fromkeys(COLUMNS, pl.Float64())}

    def marks(self, variant: Variant) -> dict[str, Any]:
        """Return the attribution and the fill."""
        one: Explained = variant.what
        return {
            "variant": variant.name,
            "explanation": str(one.attribution).removeprefix(PREFIX),
            "fill": one.card.fill,
        }

    def measured(
        self, spec: Spec, reach: Mapping[str, tuple[float, ...]]
    ) -> Iterator[tuple[Term, str]]:
        """Yield the questions of the card, of each variant by itself."""
        del reach
        edged = ("insertion_gain_over_edges", "deletion_gain_over_edges")
        beside = () if spec.layout == "features" else edged
        asked = (
            "insertion_gain",
            "deletion_gain",
            *beside,
            "faithful_share",
            "relative_sensitivity",
        )
        for variant in self.variants:
            one: Explained = variant.what
            if one.card.depth != self.cards[0].depth:
                # Everything else is that of the first depth.
                yield Term("randomisation_excess"), slice_of(variant)
                continue
            if one.attribution.sloped:
                yield Term("scaled_infidelity"), slice_of(variant)
            if one.attribution.complete:
                yield Term("completeness", params=(("within", 0.05),)), slice_of(variant)
            if one.attribution.drawn:
                yield Term("seed_stability"), slice_of(variant)
            # Whether the model can be drawn anew is not in its spec: measures of nulls say so.
            if one.card.randomisations:
                yield Term("randomisation_excess"), slice_of(variant)
            for plain in asked:
                yield Term(plain), slice_of(variant)

    def first(self, rows: pl.DataFrame) -> tuple[str, ...]:
        """Return what tells an explanation from decoration."""
        del rows
        return ("insertion_gain", "faithful_share")

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops an attribution, or its card."""
        found = [problem for one in self.attributions for problem in one.problems(model)]
        for card in self.cards:
            wrong = refused(card.fill, model.spec)
            found += [Problem("fill", wrong)] if wrong else []
            found += card.problems(model)
        return list(dict.fromkeys(found))

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return that nothing is compared with a model that learned nothing, where none can be."""
        if not any(card.randomisations for card in self.cards):
            return ()
        what = "randomisation is not measured:"
        if "randomised" not in model.offers:
            return (f"{what} parameters of {model.name} cannot be drawn anew",)
        if self.others is not None and len(self.others.places) == 1:
            return (f"{what} there is no other row",)
        return ()

    def most(self, model: Model) -> int:
        """Return the most that an explanation with its card costs."""
        filled = {card.fill: card for card in self.cards}.values()
        drawn = {card.depth: card for card in self.cards}.values()
        maps = max(
            one.most(model)
            + self.cards[0].most_of_rest(one, model)
            + sum(card.most_of_blank(one, model) for card in drawn)
            for one in self.attributions
        )
        return maps + sum(card.most_of_areas(model) for card in filled)

    def rows(
        self,
        model: Model,
        examples: Inputs,
        variant: Variant,
        *,
        labels: Codes,
        prediction: Codes,
        seed: int,
        progress: Progress = silent,
    ) -> Rows:
        """Return the card of each example's explanation, fill after fill, with the map."""
        one: Attribution = variant.what
        logits, asked = with_logits(model), model.queries

        def streams(of: str) -> Streams:
            # What judges explanations is drawn alike for all of them.
            about = (str(one),) if of == MAP else ("card", of)
            return streams_of(examples, seed, *about)

        others = self.others.of(examples) if self.others else None
        rest, maps = self.cards[0].rest(one, logits, examples.x, prediction, streams)
        tables = []
        areas: dict[str, Columns] = {}
        blank: dict[Depth, Columns] = {}
        for card in self.cards:
            if card.fill not in areas:
                areas[card.fill] = card.areas(logits, examples.x, prediction, maps, streams)
            if card.depth not in blank:
                blank[card.depth] = card.blank(
                    *(one, logits, examples.x, prediction, maps),
                    streams=streams,
                    seed=seed,
                    others=others,
                )
            columns = {**rest, **areas[card.fill], **blank[card.depth]}
            # What several cards have in common stands in the first.
            each, asked = (model.queries - asked) // max(len(labels), 1), model.queries
            tables.append(
                pl.DataFrame(
                    {
                        "prediction": named_classes(model.spec, prediction),
                        **self.marks(self._variant(one, card)),
                        "correct": prediction == labels,
                        **{
                            name: pl.Series(values).fill_nan(None)
                            for name, values in columns.items()
                        },
                        "queries": np.full(len(labels), each, np.int64),
                    }
                )
            )
        progress(variant.name, 1.0)
        return Rows(pl.concat(tables), maps=maps)

    @staticmethod
    def _variant(one: Attribution, card: Card) -> Variant:
        return Variant(f"{str(one).removeprefix(PREFIX)} {card}", Explained(one, card))


_ROWS = 2
"""Axes of all rows of a table."""
