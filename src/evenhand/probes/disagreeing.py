"""Disagreement of explanations as a method: one variant for each pair of attributions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from evenhand.errors import EvenhandError, ModelError, NotationError, Problem, did_you_mean, listed
from evenhand.models.inputs import Inputs
from evenhand.models.logits import with_logits
from evenhand.models.model import Codes, Model
from evenhand.models.spec import Spec
from evenhand.notation import Term, parse
from evenhand.probes.attribute.attribution import PREFIX, Attribution, pixels
from evenhand.probes.attribute.registry import COMMON, attributions, attributions_named
from evenhand.probes.card.agreement import COLUMNS, agreement
from evenhand.probes.method import Method, Progress, Rows, Variant, silent, slice_of, streams_of
from evenhand.probes.named import several
from evenhand.probes.parameter import count_of

DISAGREEMENT = "disagreement"
"""How it is named among attributions."""

_PART = 4
"""By default a quarter of the parts is looked at, so that chance is a quarter of every model's."""

_ALL = "all pairs"
"""The one pass: each explanation is worked out once for all pairs that it is in."""


@dataclass(frozen=True)
class Disagreeing(Method):
    """An example is explained by each attribution once, and each two of the maps are compared.

    What is explained is the same as for a card: the score of the class that the model predicts.

    Attributes:
        written: How it is written.
        attributions: What explains; two or more, all different.
        top: How many largest parts are looked at; None for a quarter of them, rounded up.

    """

    kind: ClassVar[str] = "attributions"
    summary = (
        "feature_agreement",
        "feature_agreement_excess",
        "sign_agreement",
        "rank_correlation",
    )

    written: str
    attributions: tuple[Attribution, ...]
    top: int | None = None

    @property
    def name(self) -> str:
        """How it is written."""
        return self.written

    @property
    def known(self) -> str:
        """How it is written, with the attributions as they are."""
        return f"{self.written} {self.attributions} {self.top}"

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Each pair: ``gradient_x_input and kernel_shap``."""
        names = [str(one).removeprefix(PREFIX) for one in self.attributions]
        places = itertools.combinations(range(len(names)), 2)
        return tuple(Variant(f"{names[i]} and {names[j]}", (i, j)) for i, j in places)

    @property
    def passes(self) -> tuple[Variant, ...]:
        """One, in which all explanations of a block are worked out."""
        return (Variant(_ALL, None),)

    def columns(self, label: pl.DataType) -> dict[str, pl.DataType]:
        """Return the columns of agreement."""
        return {
            "prediction": label,
            "variant": pl.String(),
            "explanation": pl.String(),
            "correct": pl.Boolean(),
            **dict.fromkeys(COLUMNS, pl.Float64()),
            "queries": pl.Int64(),
        }

    def marks(self, variant: Variant) -> dict[str, Any]:
        """Return the pair."""
        return {"variant": variant.name, "explanation": variant.name}

    def measured(
        self, spec: Spec, reach: Mapping[str, tuple[float, ...]]
    ) -> Iterator[tuple[Term, str]]:
        """Yield how far each pair agrees; what chance gives stands in the notes."""
        del spec, reach
        for variant in self.variants:
            for plain in ("feature_agreement", "sign_agreement", "rank_correlation"):
                yield Term(plain), slice_of(variant)

    def first(self, rows: pl.DataFrame) -> tuple[str, ...]:
        """Return what people mean who say that two explanations agree."""
        del rows
        return ("rank_correlation", "feature_agreement")

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops any of the attributions, and a number of parts that are not there."""
        found = [problem for one in self.attributions for problem in one.problems(model)]
        parts = _parts(model.spec)
        if parts == 1:
            found.append(Problem(self.written, "one part alone has no order to agree about."))
        elif self.top is not None and self.top > parts:
            what = f"top={self.top}, and there are {parts:,} parts."
            found.append(Problem(self.written, what, "Leave it out for a quarter of them."))
        return list(dict.fromkeys(found))

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return how many parts are looked at, and what random orders share of them."""
        top, parts = self._top(model.spec), _parts(model.spec)
        shared = f"random orders share {top / parts:.3g} of them (feature_agreement)"
        return (f"the {top:,} largest of {parts:,} parts are compared; {shared}",)

    def most(self, model: Model) -> int:
        """Return the most that all attributions of an example cost, each once."""
        return sum(one.most(model) for one in self.attributions)

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
        """Return a row for each pair and example."""
        asked, opened, maps = model.queries, with_logits(model), []
        for place, one in enumerate(self.attributions, 1):
            # The generators of the card's probe, so that the maps are those that it judges.
            parts = one.maps(opened, examples.x, prediction, streams_of(examples, seed, str(one)))
            maps.append(pixels(np.asarray(parts, np.float64), model.spec))
            progress(variant.name, place / len(self.attributions))
        each = (model.queries - asked) // max(len(labels), 1)
        said = pl.Series([*model.spec.labels]).gather(prediction)
        tables = []
        for at, pair in enumerate(self.variants):
            i, j = pair.what
            found = agreement(maps[i], maps[j], self._top(model.spec))
            told = {name: pl.Series(values).fill_nan(None) for name, values in found.items()}
            marks = {
                name: pl.Series([value] * len(labels), dtype=pl.String)
                for name, value in self.marks(pair).items()
            }
            # What all of them cost stands in the first.
            cost = np.full(len(labels), each if at == 0 else 0, np.int64)
            tables.append(
                pl.DataFrame(
                    {
                        "prediction": said,
                        **marks,
                        "correct": prediction == labels,
                        **told,
                        "queries": cost,
                    }
                )
            )
        return Rows(pl.concat(tables))

    def _top(self, spec: Spec) -> int:
        return self.top or math.ceil(_parts(spec) / _PART)


def _parts(spec: Spec) -> int:
    return len(pixels(np.zeros((1, *spec.shape)), spec)[0])


def disagreeing(written: str, term: Term) -> Disagreeing:
    """Return the method that a term writes: ``disagreement(of=[gradient, occlusion], top=5)``.

    Args:
        written: The term with its kind, for errors.
        term: Its ``of`` names attributions, with parameters where they have any, or ``common``,
            which is the default; its ``top`` is how many largest parts are looked at.

    Raises:
        EvenhandError: With everything that is wrong with it.

    """
    where, params = f"'{written}'", dict(term.params)
    of, top = params.pop("of", COMMON), params.pop("top", None)
    problems = [
        Problem(where, f"it has no parameter '{key}'.", did_you_mean(key, ["of", "top"]))
        for key in params
    ]
    if term.args or term.cutoff is not None:
        hint = f"Write {PREFIX}{DISAGREEMENT}(of=[gradient, occlusion])."
        problems.append(Problem(where, "what is compared stands in of=[...].", hint))
    if top is not None and not count_of(top):
        what = f"top={top} is no whole number from 1."
        problems.append(Problem(where, what, "It says how many largest parts are looked at."))
    found: list[Attribution] = []
    for one in several(of):
        try:
            found += _named(one)
        except EvenhandError as error:
            problems += error.problems
    twice = [str(one) for one in dict.fromkeys(found) if found.count(one) > 1]
    if twice:
        what = f"of names {listed(twice)} twice, and what is compared with itself agrees."
        problems.append(Problem(where, what, "Say each once; seed_stability is of two seeds."))
    if len(found) < _TWO and not problems:
        what = f"of names {listed(map(str, found)) or 'nothing'}, and a disagreement takes two."
        hint = f"Name another: {listed([*attributions()])}; random tells what chance gives."
        problems.append(Problem(where, what, hint))
    if problems:
        raise NotationError(list(dict.fromkeys(problems)))
    return Disagreeing(written, tuple(found), None if top is None else int(str(top)))


def _named(one: object) -> Sequence[Attribution]:
    """Return the attributions that one value of ``of`` names."""
    if not isinstance(one, str | Term):
        raise ModelError(Problem("of", f"{one} is no explanation.", "Name it: gradient."))
    term = one if isinstance(one, Term) else _read(one)
    return attributions_named(term)


def _read(name: str) -> Term:
    if name.startswith("explain."):
        what = f"'{name}' explains another score, of one class for all examples, by a background."
        hint = "Of tables kernel_shap and lime are compared with others here."
        raise NotationError(Problem("of", what, hint))
    return parse(name.removeprefix(PREFIX))


_TWO = 2
