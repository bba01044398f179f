"""``largest``: the largest of several differences, such as equalised odds."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from evenhand.audits.asked import Asked
from evenhand.audits.compared import Against, Compared, Mask
from evenhand.audits.contrasts.contrast import Contrast
from evenhand.audits.contrasts.difference import DIFFERENCE
from evenhand.audits.finding import Finding
from evenhand.audits.grouped import Grouped
from evenhand.audits.margin import pairs_compared
from evenhand.stats import contrast
from evenhand.stats.estimate import Estimate, Outcome, Undefined
from evenhand.stats.interval import Limits


class Largest(Contrast):
    """The largest of several differences, all of which hold together."""

    name = "largest"
    convention = "the largest of several differences; 0 is parity; their intervals hold together"
    order = 5
    form = "largest gap"

    @property
    def example(self) -> str:
        """How to write it."""
        parts = [
            f"difference({m}, by=group)" for m in ("true_positive_rate", "false_positive_rate")
        ]
        return f"{self.name}({', '.join(parts)})"

    def groupings(self, asked: Asked) -> list[Grouped]:
        """Return the groups of every part."""
        return [asked.part(part, asked.level).grouped() for part in asked.question.parts]

    def compared(self, asked: Asked, level: float, against: Against) -> Compared:
        """Return the absolute differences of all pairs in every part."""
        parts = []
        for question in asked.question.parts:
            part = asked.part(question, asked.level)
            grouped, families = part.grouped(), len(asked.question.parts)
            parts.append(
                pairs_compared(
                    grouped,
                    grouped.compared,
                    part,
                    level=level,
                    against=against,
                    families=families,
                )
            )
        ends = np.cumsum([0, *(len(part.groups) for part in parts)])

        def planned(members: Mask) -> float:
            own = [members[i:j] for i, j in itertools.pairwise(ends)]
            return max(p.planned(one) for p, one in zip(parts, own, strict=True) if one.any())

        alone, together = (
            Limits(*map(np.concatenate, zip(*found, strict=True)))
            for found in ([p.alone for p in parts], [p.together for p in parts])
        )
        groups = tuple(group for part in parts for group in part.groups)
        return Compared(groups, alone, together, planned, parts[0].target)

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
