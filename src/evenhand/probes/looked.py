"""Examples together with what a model was seen to say of them as they are."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from evenhand.models.inputs import Inputs
from evenhand.models.model import Floats


@dataclass(frozen=True)
class Looked(Inputs):
    """Examples of which a model's scores are known, so that nobody asks for them again.

    Attributes:
        scores: What the model gave for them, shape (n, classes).

    """

    scores: Floats | None = None


def looked(examples: Inputs, scores: Floats) -> Looked:
    """Return examples with the scores of a model."""
    fields = {one.name: getattr(examples, one.name) for one in dataclasses.fields(Inputs)}
    return Looked(**fields, scores=scores)


def scores_of(examples: Inputs) -> Floats | None:
    """Return the scores that are known of examples; None where none are."""
    return examples.scores if isinstance(examples, Looked) else None
