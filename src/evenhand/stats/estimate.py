"""What leaves the engine: a figure with its uncertainty, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

Estimand = Literal["row", "unit"]
"""Whether a figure weighs each row alike or each unit alike."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval.

    Attributes:
        value: The point estimate, in the measure's own unit.
        low: Lower limit of the interval.
        high: Upper limit of the interval.
        level: Nominal coverage of the interval, in (0, 1).
        method: How the interval was computed, in words that a paper could use.
        identified: The set that the figure is known to lie in where rows cannot tell more, with
            ``value`` its middle; None where the figure is identified.

    """

    value: float
    low: float
    high: float
    level: float
    method: str
    identified: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Undefined:
    """A quantity that the rows do not define; never 0, nan or a skipped row.

    Attributes:
        reason: What is missing, such as ``no positive labels``.

    """

    reason: str


Outcome: TypeAlias = Estimate | Undefined


def sound(outcome: Outcome) -> Outcome:
    """Return the outcome, undefined where a number in it is infinite or none at all."""
    if isinstance(outcome, Undefined):
        return outcome
    if not math.isfinite(outcome.value):
        return Undefined("its sums are too large, too small or too unlike for a number")
    if not (math.isfinite(outcome.low) and math.isfinite(outcome.high)):
        return Undefined(
            "its interval has no end: too few units tell how it varies, or how far it goes"
        )
    return outcome
