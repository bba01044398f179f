"""The score that is explained: of one class, on a named scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from evenhand.errors import ModelError, Problem, listed
from evenhand.models.model import Floats, Model
from evenhand.models.spec import Spec

Link = Literal["model", "logit", "probability"]
LINKS: tuple[Link, ...] = get_args(Link)

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """One class's score.

    Attributes:
        target: The place of the class.
        link: ``logit`` (of two classes log p / (1 - p); of more, where the model gives logits, that
            of the class), ``probability``, or ``score`` as the model gives it.

    """

    target: int
    link: Literal["logit", "probability", "score"]

    def of(self, model: Model, x: Floats) -> Scores:
        """Return the scores of examples, shape (n,), for one query each.

        Raises:
            ModelError: A logit is infinite.

        """
        found = np.asarray(model.numpy(model.scores(model.array(x))), np.float64)
        output = model.spec.output
        if self.link == "score" or (self.link, output) == ("probability", "probabilities"):
            return found[:, self.target]
        if output == "logits":
            if found.shape[1] == 2:  # noqa: PLR2004 - two classes
                logit: Scores = found[:, self.target] - found[:, 1 - self.target]
                return logit if self.link == "logit" else expit(logit)
            if self.link == "logit":
                return found[:, self.target]
            chances = np.exp(found - found.max(axis=1, keepdims=True))
            return np.asarray(chances[:, self.target] / chances.sum(axis=1), np.float64)
        chance = found[:, self.target]
        certain = int(((chance <= 0) | (chance >= 1)).sum())
        if certain:
            what = f"{certain:,} chances are 0 or 1, which have no logit."
            raise ModelError(Problem(model.name, what, "Explain the chance: link=probability."))
        return np.log(chance) - np.log1p(-chance)

    def words(self, spec: Spec) -> str:
        """Return what is explained, such as ``the probability of 'yes'``."""
        return f"the {self.link} of {spec.labels[self.target]!r}"


def class_of(spec: Spec, target: object, key: str) -> int:
    """Return the place of the class that is meant: of two the second, where none is named.

    Args:
        spec: Of the model.
        target: The class as its label is written, or None.
        key: What it is called, in errors.

    Raises:
        ModelError: There is no such class, or none of more than two is named.

    """
    names = {str(one): place for place, one in enumerate(spec.labels)}
    if target is None and spec.classes > 2:  # noqa: PLR2004 - which of two is known
        what = f"which of {spec.classes} classes is meant?"
        raise ModelError(Problem(key, what, f"Say {key}=... There are: {listed(names)}."))
    if target is not None and str(target) not in names:
        what = f"there is no class '{target}'."
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        hint = f"There are: {listed([*names][:_SHOWN])}{more}."
        raise ModelError(Problem(key, what, hint))
    return 1 if target is None else names[str(target)]


_SHOWN = 20
"""Classes that an error names."""


def score_of(spec: Spec, target: object, link: Link) -> Score:
    """Return the score that is meant.

    Args:
        spec: Of the model.
        target: The class as its label is written; None for the second of two.
        link: ``model`` for what the model gives.

    Raises:
        ModelError: There is no such class, none of more than two is named, or the scale is none.

    """
    problems: list[Problem] = []
    place = 0
    try:
        place = class_of(spec, target, "target")
    except ModelError as error:
        problems += error.problems
    if spec.output == "labels":
        what = "a model that gives labels alone has no score to explain."
        problems.append(Problem("link", what, "Ask explain.permutation."))
    if spec.output == "scores" and link != "model":
        what = f"scores of any scale have no {link}."
        problems.append(Problem("link", what, "Leave link out."))
    if problems:
        raise ModelError(problems)
    own: dict[str, Any] = {"logits": "logit", "probabilities": "probability", "scores": "score"}
    return Score(place, own[spec.output] if link == "model" else link)
