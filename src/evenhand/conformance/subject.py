"""What is checked: a measure, and the naive function that says what its figures should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from evenhand.audits import Finding, estimates
from evenhand.conformance.row import Rows
from evenhand.errors import Problem
from evenhand.logs.log import Log
from evenhand.measures.measure import Measure

Reference = Callable[[Rows], float | None]
"""From the rows of a group to the figure, None where it is undefined."""

Trials = Callable[[Rows], int]
"""From the rows of a group to the number of rows in the figure's denominator."""


@dataclass(frozen=True)
class Subject:
    """A measure that is checked.

    Attributes:
        measure: The measure, with its parameters.
        kind: The kind of log that it reads.
        reference: The naive function.
        trials: The naive number of rows in its denominator; None where nobody gave it.
        engines: The engines beside Polars that must give the same state.

    """

    measure: Measure
    kind: str
    reference: Reference
    trials: Trials | None = None
    engines: Sequence[str] = field(default=())

    @property
    def notation(self) -> str:
        """The measure in notation."""
        return str(self.measure)

    def problem(self, promise: str, what: str, hint: str = "") -> Problem:
        """Return that a promise is broken, and how."""
        return Problem(f"'{self.notation}', {promise}", what, hint)

    def difference(self, log: Log) -> Finding:
        """Return the measure in every group of a log and the difference over them."""
        (found,) = estimates([f"difference({self.notation}, by=group)"], log)
        return found

    def overall(self, log: Log) -> Finding:
        """Return the measure of a log as a whole."""
        (found,) = estimates([self.notation], log)
        return found
