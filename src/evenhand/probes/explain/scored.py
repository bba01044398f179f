"""Explanations of a score: of which class, and on which scale, is said alike for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from evenhand.errors import EvenhandError, Problem, listed
from evenhand.models.model import Model
from evenhand.probes.explain.explanation import Explanation
from evenhand.probes.explain.score import LINKS, Link, Score, score_of
from evenhand.probes.explain.table import Table


@dataclass(frozen=True)
class Scored(Explanation):
    """Explains one class's score.

    Attributes:
        target: The class whose score is explained, as its label is written; of two the second.
        link: ``model`` for what the model gives, ``logit`` or ``probability``.

    """

    target: str | int | float | bool | None = None
    link: Link = "model"

    def unmeant(self) -> list[tuple[bool, str]]:
        """Return what cannot be meant by its parameters, and whether it is there, for `refuse`."""
        return [(self.link not in LINKS, f"link={self.link}; there are {listed(LINKS)}.")]

    def score(self, model: Model) -> Score:
        """Return the score that is explained.

        Raises:
            ModelError: The model has none on this scale, or of this class.

        """
        return score_of(model.spec, self.target, self.link)

    def words(self, model: Model) -> str:
        """Return what is explained, such as ``the probability of 'yes'``."""
        return self.score(model).words(model.spec)

    def problems(self, model: Model, table: Table | None) -> list[Problem]:
        """Return that it is no table, or that there is no such score."""
        found = super().problems(model, table)
        try:
            self.score(model)
        except EvenhandError as error:
            found += error.problems
        return found
