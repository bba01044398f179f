"""Several attributions of one score, told against one background where one is declared."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from evenhand.errors import EvenhandError, ModelError, NotationError, Problem, did_you_mean, listed
from evenhand.models.inputs import Inputs
from evenhand.models.logits import with_logits
from evenhand.models.model import Codes, Floats, Model
from evenhand.models.spec import Spec
from evenhand.notation import Term, parse
from evenhand.probes.attribute.attribution import PREFIX, Attribution, Maps, pixels
from evenhand.probes.attribute.registry import COMMON, attributions, attributions_named
from evenhand.probes.explain.table import Table, table_of
from evenhand.probes.method import streams_of
from evenhand.probes.named import several
from evenhand.probes.parameter import count_of

LEAST, _FEW = 10, 50
"""Of a background: what is refused below, and told of as small."""

_TWO = 2


@dataclass(frozen=True)
class Explainers:
    """Attributions of the score of the class that the model predicts.

    Without a background each is told against its own baseline, and what differs may be that alone.
    With one all that are told against an input at all are told against the same rows.

    Attributes:
        attributions: What explains; all different.
        background: How many rows of the table parts are told against; None for own baselines.
        table: What is known of all examples; None of images, and before they are known.

    """

    attributions: tuple[Attribution, ...]
    background: int | None = None
    table: Table | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """How each is written, without what all begin with."""
        return tuple(str(one).removeprefix(PREFIX) for one in self.attributions)

    @property
    def features(self) -> tuple[str, ...]:
        """The columns of a table; none of images, and before they are known."""
        return self.table.names if self.table else ()

    def among(self, inputs: Inputs, seed: int) -> Explainers:
        """Return them for these examples, of which a background is drawn."""
        if inputs.x.ndim != _TWO:
            return self
        return replace(self, table=table_of(inputs, (), seed))

    def problems(self, model: Model, who: str) -> list[Problem]:
        """Return what stops any of them on a model, and a background that there cannot be."""
        found = [problem for one in self.attributions for problem in one.problems(model)]
        if self.background is None:
            return found
        if model.spec.layout != "features":
            what = "a background is of rows of a table, and these inputs are images."
            hint = "Leave it out: a method has its own baseline."
            found.append(Problem(who, what, hint))
        if not any(one.against for one in self.attributions):
            what = f"{listed(self.names)} are told against no input, and need no background."
            found.append(Problem(who, what, "Leave it out."))
        if self.table is not None and len(self.table.x) < LEAST:
            what = f"of {len(self.table.x)} examples no background can be drawn."
            found.append(Problem(who, what, f"Give {LEAST} or more, or leave background out."))
        return found

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return which score is explained, and against what."""
        spec = model.spec
        what = {"logits": "the logit", "probabilities": "the logarithm of the probability"}
        score = f"{what.get(spec.output, 'the score')} of the class that the model predicts"
        apart = ", less that of the other class" if spec.classes == _TWO else ""
        said = [f"explained is {score}{apart}"]
        if self.background is None or self.table is None:
            return tuple(said)
        size = len(self.rows)
        beside = f"parts are told against {size:,} of {len(self.table.x):,} examples, drawn by seed"
        beside += f" {self.table.seed}, whose features are taken as if they were independent; "
        beside += "intervals are of the examples, with this background as it is"
        still = [str(one).removeprefix(PREFIX) for one in self.attributions if not one.against]
        beside += f"; {listed(still)} against none" if still else ""
        said.append(beside)
        if size < _FEW:
            said.append(f"a background of {size} is small: another one may give other parts")
        return tuple(said)

    @property
    def rows(self) -> Floats:
        """The background, shape (b, columns): the rows that ``explain.shap`` draws too.

        Raises:
            TypeError: There is none.

        """
        if self.background is None or self.table is None:
            raise TypeError("there is no background")
        return self.table.x[self.table.drawn(self.background)]

    def most(self, model: Model) -> int:
        """Return the most that all attributions of an example cost, each once."""
        if self.background is None:
            return sum(one.most(model) for one in self.attributions)
        count = len(self.rows) if self.table else self.background
        return sum(one.most_beside(model, count) for one in self.attributions)

    def maps(
        self,
        model: Model,
        examples: Inputs,
        prediction: Codes,
        seed: int,
        tell: Callable[[float], None],
    ) -> list[Maps]:
        """Return the parts by each of them, channels of a pixel added up, shape (n, parts).

        Args:
            model: The model.
            examples: Some of the examples.
            prediction: Places of the classes whose scores are explained, shape (n,).
            seed: Where random numbers come from, with the ids of the examples.
            tell: Told which share is done.

        """
        opened, found = with_logits(model), []
        for place, one in enumerate(self.attributions, 1):
            # The generators of the card's probe, so that the maps are those that it judges.
            streams = streams_of(examples, seed, str(one))
            if self.background is None:
                parts = one.maps(opened, examples.x, prediction, streams)
            else:
                parts = one.beside(opened, examples.x, prediction, streams, self.rows)
            found.append(pixels(np.asarray(parts, np.float64), model.spec))
            tell(place / len(self.attributions))
        return found


def parts_of(spec: Spec) -> int:
    """Return how many parts a map has: pixels of images, columns of tables."""
    return math.prod(pixels(np.zeros((1, *spec.shape)), spec).shape)


def misread(written: str, term: Term, name: str, keys: Sequence[str]) -> Iterator[Problem]:
    """Yield what a term has that names attributions in ``of=`` and takes these parameters alone."""
    for key, _ in term.params:
        if key not in keys:
            yield Problem(f"'{written}'", f"it has no parameter '{key}'.", did_you_mean(key, keys))
    if term.args or term.cutoff is not None:
        hint = f"Write {PREFIX}{name}(of=[gradient, occlusion])."
        yield Problem(f"'{written}'", "what is compared stands in of=[...].", hint)


def read(term: Term, written: str, problems: Sequence[Problem], *, least: int) -> Explainers:
    """Return the attributions that a term names in ``of=``, beside its ``background=``.

    Args:
        term: The term.
        written: How it is written, for errors.
        problems: What else is wrong with it.
        least: How many attributions there have to be.

    Raises:
        NotationError: With everything that is wrong with it.

    """
    where, params, wrong = f"'{written}'", dict(term.params), [*problems]
    background = params.get("background")
    found: list[Attribution] = []
    for one in several(params.get("of", COMMON)):
        try:
            found += _named(one)
        except EvenhandError as error:
            wrong += error.problems
    twice = [str(one) for one in dict.fromkeys(found) if found.count(one) > 1]
    if twice:
        what = f"of names {listed(twice)} twice, and what is compared with itself agrees."
        wrong.append(Problem(where, what, "Say each once; seed_stability is of two seeds."))
    if len(found) < least and not wrong:
        what = f"of names {listed(map(str, found))}, and "
        what += "a disagreement takes two." if least == _TWO else "one is the least."
        hint = f"Name another: {listed([*attributions()])}; random tells what chance gives."
        wrong.append(Problem(where, what, hint))
    if background is not None:
        wrong += _unfit(where, background, found)
    if wrong:
        raise NotationError(list(dict.fromkeys(wrong)))
    return Explainers(tuple(found), None if background is None else int(str(background)))


def _unfit(where: str, background: object, found: Sequence[Attribution]) -> list[Problem]:
    """Return why there is no such background, and which baselines are said beside it."""
    problems = []
    if not count_of(background, LEAST):
        what = f"background={background} is no number of rows from {LEAST} on."
        problems.append(Problem(where, what, "100 is usual."))
    own = [str(one) for one in found if one.against and _own(one)]
    if own:
        what = f"{listed(own)} has a baseline of its own, beside background={background}."
        problems.append(Problem(where, what, "Say one of the two."))
    return problems


def _own(one: Attribution) -> bool:
    (field,) = (field for field in fields(one) if field.name == "baseline")
    return bool(getattr(one, "baseline") != field.default)  # noqa: B009 - of some attributions


def _named(one: object) -> Sequence[Attribution]:
    """Return the attributions that one value of ``of`` names."""
    if not isinstance(one, str | Term):
        raise ModelError(Problem("of", f"{one} is no explanation.", "Name it: gradient."))
    term = one if isinstance(one, Term) else _read(one)
    return attributions_named(term)


def _read(name: str) -> Term:
    if name.startswith("explain."):
        what = f"'{name}' explains another score, of one class for all examples."
        hint = "shap is of the same score as the others: of=[occlusion, shap], background=100."
        raise NotationError(Problem("of", what, hint))
    return parse(name.removeprefix(PREFIX))
