"""Checking what a model was said to be: by asking it, before anybody believes a probe of it.

What is said wrongly is mostly silent. A wrong scale keeps the accuracy and divides every eps by
255; labels passed as scores make an attack by scores fail, which reads as robustness; a gradient of
the normalised input steps in units that nobody declared. Each check looks for one such error and
says what it saw, how sure it is, and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from evenhand.errors import ModelError, Problem
from evenhand.models.answer import UnansweredError, check_inputs, check_scores
from evenhand.models.answer_check import (
    batch,
    one_hot,
    output,
    prediction,
    ranges,
    registered,
    repeats,
)
from evenhand.models.doubt import Answered, Check, Doubt, NotCheckedError
from evenhand.models.gradient_check import INPUTS, gradient
from evenhand.models.model import Codes, Floats, Model
from evenhand.models.what_if import by_classes, roughness

MOST = 256
"""Inputs that are looked at, unless somebody says otherwise."""

_EACH, _STEPPED = 16, 32
"""More queries than all checks but one take for an input, and that of gradients for each of its."""


def most_checked(inputs: int) -> int:
    """Return the most queries that checking a spec takes with so many inputs."""
    looked = min(inputs, MOST)
    return _EACH * looked + _STEPPED * min(looked, INPUTS)


CHECKS: dict[str, Check] = {
    "range": ranges,
    "repeat": repeats,
    "batch": batch,
    "registered": registered,
    "output": output,
    "one-hot": one_hot,
    "prediction": prediction,
    "gradient": gradient,
    "channels": roughness,
    "classes": by_classes,
}
"""What is checked, in this order."""


@dataclass(frozen=True)
class Checked:
    """What checking a spec found.

    Attributes:
        doubts: What speaks against it; none where it is sound as far as can be seen.
        passed: Checks that found nothing.
        skipped: Checks that do not apply, and why.
        inputs: How many inputs were looked at.
        queries: What that cost.
        accuracy: The share that the model gets right; None where classes are not known.
        observed: The smallest and largest value of the inputs.

    """

    doubts: tuple[Doubt, ...]
    passed: tuple[str, ...] = ()
    skipped: dict[str, str] = field(default_factory=dict)
    inputs: int = 0
    queries: int = 0
    accuracy: float | None = None
    observed: tuple[float, float] | None = None

    @property
    def certain(self) -> tuple[Doubt, ...]:
        """The doubts with which a probe would measure something else than what was said."""
        return tuple(one for one in self.doubts if one.sure == "certain")


def check(model: Model, x: Floats, labels: Codes | None = None, *, most: int = MOST) -> Checked:
    """Check the spec of a model by asking it about inputs.

    Args:
        model: The model.
        x: Inputs in declared units, shape (n, *spec.shape); of many, a part spread over all.
        labels: Places of their true classes in the spec's labels; None where unknown, and then
            neither the order of labels nor the scale can be checked.
        most: Inputs that are looked at. It costs about twelve queries for each.

    Raises:
        UnansweredError: The model is away, or its budget is spent.

    """
    places = np.unique(np.linspace(0, max(len(x) - 1, 0), min(most, len(x))).astype(int))
    x, known = x[places], None if labels is None else labels[places]
    before = model.queries
    try:
        told = _answered(model, x, known)
    except UnansweredError:
        raise
    except ModelError as error:
        doubts = [Doubt("answers", one.what, "certain", one.hint) for one in error.problems]
        return Checked(tuple(doubts), inputs=len(x), queries=model.queries - before)
    found: list[Doubt] = []
    passed, skipped = [], {}
    for name, look in CHECKS.items():
        try:
            doubted = [*look(told)]
        except NotCheckedError as error:
            skipped[name] = str(error)
        except UnansweredError:
            raise
        except ModelError as error:
            found += [Doubt(name, one.what, "certain", one.hint) for one in error.problems]
        else:
            found += doubted
            passed += [] if doubted else [name]
    return Checked(
        tuple(found),
        tuple(passed),
        skipped,
        inputs=len(x),
        queries=model.queries - before,
        accuracy=None if known is None else float((told.codes == known).mean()),
        observed=(float(x.min()), float(x.max())),
    )


def _answered(model: Model, x: Floats, labels: Codes | None) -> Answered:
    check_inputs(x, model.spec, model.name)
    if not len(x):
        raise ModelError(Problem(model.name, "there are no inputs to ask it about."))
    scores = None
    if "scores" in model.offers:
        scores = model.numpy(model.scores(model.array(x)))
        check_scores(scores, len(x), model.spec, model.name)
    return Answered(model, x, labels, model.predict(x), scores)
