"""``largest``: the largest of several differences, such as equalised odds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from evenhand.audits.asked import Asked
from evenhand.audits.contrasts.contrast import Contrast
from evenhand.audits.contrasts.difference import DIFFERENCE
from evenhand.audits.finding import Finding
from evenhand.stats import contrast
from evenhand.stats.estimate import Estimate, Outcome, Undefined


class Largest(Contrast):
    """The largest of several differences, all of which hold together."""

    name = "largest"
    convention = "the largest of several differences; 0 is parity; their intervals hold together"
    order = 5

    @property
    def example(self) -> str:
        """How to write it."""
        parts = [
            f"difference({m}, by=group)" for m in ("true_positive_rate", "false_positive_rate")
        ]
        return f"{self.name}({', '.join(parts)})"

    def findings(self, asked: Asked) -> list[Finding]:
        """Return the one finding, with the groups of the part that is largest."""
        parts = asked.question.parts
        shared = contrast.bonferroni(asked.level, len(parts))
        questions = [asked.part(part, shared) for part in parts]
        grouped = [question.grouped() for question in questions]
        outcomes = [
            DIFFERENCE.outcome(one, question)
            for one, question in zip(grouped, questions, strict=True)
        ]
        reasons = [
            f"{part.key}: {outcome.reason}"
            for part, outcome in zip(parts, outcomes, strict=True)
            if isinstance(outcome, Undefined)
        ]
        estimates = [outcome for outcome in outcomes if isinstance(outcome, Estimate)]
        outcome: Outcome = (
            Undefined("; ".join(reasons)) if reasons else contrast.largest(estimates, asked.level)
        )
        # Rows and units are those of the part that is largest, or of the first where one is
        # undefined.
        lead = 0 if reasons else int(np.argmax([estimate.value for estimate in estimates]))
        shown = replace(parts[lead], key=asked.question.key, alias=asked.question.alias)
        found = asked.part(shown, asked.level).over_groups(grouped[lead], outcome)
        note = {self.name: f"shown is {parts[lead].key}"}
        return [replace(found, conventions={**found.conventions, **note})]


LARGEST = Largest()
