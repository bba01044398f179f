"""``xauc``: do the positives of one group outrank the negatives of another as the reverse?"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from evenhand.audits.asked import Asked, name_of, too_few
from evenhand.audits.compared import Against
from evenhand.audits.contrasts.contrast import Contrast
from evenhand.audits.contrasts.distance import check_labels
from evenhand.audits.contrasts.pairs import of_pair, pairs_of
from evenhand.audits.finding import Finding
from evenhand.audits.grouped import Grouped
from evenhand.logs.log import Log
from evenhand.measures.histogram import Effect, by_bucket, variance_of
from evenhand.measures.measure import Measure
from evenhand.measures.scores.distribution import Distribution, Spread
from evenhand.notation import Value
from evenhand.stats.contrast import bonferroni
from evenhand.stats.delta import Influences
from evenhand.stats.estimate import Estimate, Outcome
from evenhand.stats.partial import estimates_of
from evenhand.stats.roc import auc

if TYPE_CHECKING:
    from evenhand.audits.question import Question


class Xauc(Contrast):
    """The cross-AUC gap of every pair of groups.

    xAUC(a, b) is the chance that a positive of a outranks a negative of b.

    Source: Kallus and Zhou 2019.
    """

    name = "xauc"
    convention = (
        "xAUC(first, second) - xAUC(second, first), the AUC of the positives of one against the "
        "negatives of the other; 0 is parity; intervals hold together"
    )
    order = 13

    @property
    def example(self) -> str:
        """How to write it."""
        return f"{self.name}(by=group)"

    def measure(self, log: Log, **parameters: Value) -> Measure:  # noqa: ARG002 - the score it is
        """Return the distribution that is compared."""
        check_labels(self.name, log)
        return Distribution("score", labelled=True)

    def rule_problem(self, question: Question, against: Against) -> tuple[str, str] | None:  # noqa: ARG002
        """Return that no rule holds a figure whose sign depends on the order of the groups."""
        return (
            "the sign of a pair depends on the order of its groups.",
            "Write abroca(by=group) <= 0.05.",
        )

    def findings(self, asked: Asked) -> list[Finding]:
        """Return a finding for every pair of groups."""
        grouped = asked.grouped()
        known = [*itertools.combinations(grouped.compared.tolist(), 2)]
        pairs = pairs_of(grouped)
        if not pairs:
            return [asked.finding(grouped, too_few(grouped), grouped.compared)]
        shared = bonferroni(asked.level, max(1, len(known)))
        found = []
        for pair in pairs:
            if pair not in known:
                found.append(of_pair(asked, grouped, pair, None))
                continue
            estimate, areas = _gap(grouped, pair, shared)
            adjusted = f"{estimate.method}, Bonferroni over {len(known)} pairs"
            method = estimate.method if len(known) == 1 else adjusted
            outcome: Outcome = replace(estimate, level=asked.level, method=method)
            finding = of_pair(asked, grouped, pair, outcome)
            names = [name_of(grouped.groups[one]) for one in pair]
            note = "; ".join(
                f"xAUC({one}, {other}) = {area:.4f}"
                for (one, other), area in zip((names, names[::-1]), areas, strict=True)
            )
            found.append(replace(finding, conventions={**finding.conventions, "areas": note}))
        return found


def _gap(
    grouped: Grouped, pair: tuple[int, int], level: float
) -> tuple[Estimate, tuple[float, float]]:
    if not isinstance(grouped.figure, Spread):
        raise TypeError("xauc compares distributions")
    h = grouped.figure.histogram
    positives, negatives = (h.weights[term][list(pair)] for term in ("positives", "negatives"))
    forth, back = auc(positives[0], negatives[1]), auc(positives[1], negatives[0])
    # Four samples: the positives and the negatives of either group.
    effect = Effect(
        np.array([float(forth.value - back.value)]),
        {
            "positives": np.stack([forth.positives, -back.positives]),
            "negatives": np.stack([-back.negatives, forth.negatives]),
        },
        {},
    )
    members = np.zeros((len(grouped.groups), 2))
    members[list(pair), [0, 1]] = 1
    variance, df = variance_of(h, effect, members)
    both = float(variance.sum())
    # A sample of one row leaves nothing to judge by, and so has no degrees of freedom.
    below = float((np.square(variance) / df).sum()) if (df > 0).all() else np.inf
    buckets = occupied = None
    if grouped.units.dependent and h.buckets is not None:
        each, seen = by_bucket(h, effect, members)
        buckets, occupied = each.sum(axis=1)[:, None], seen.sum(axis=1)[:, None]
    influences = Influences(
        value=effect.value,
        rows=np.array([grouped.rows[list(pair)].sum()], dtype=np.float64),
        variance=np.array([both]),
        df=np.array([both**2 / below if below > 0 else np.inf]),
        correlation=np.eye(1),
        buckets=buckets,
        occupied=occupied,
        within=(-1.0, 1.0),
        dependent=grouped.units.dependent,
    )
    (estimate,) = estimates_of(influences.figures(), level)
    return estimate, (float(forth.value), float(back.value))


XAUC = Xauc()
