"""``relative_std``: how far figures of groups spread, beside their mean."""

from __future__ import annotations

import numpy as np

from evenhand.audits.asked import Asked, too_few
from evenhand.audits.cells import Floats
from evenhand.audits.contrasts.contrast import Contrast
from evenhand.audits.finding import Finding
from evenhand.stats import contrast
from evenhand.stats.estimate import Estimate, Outcome, Undefined
from evenhand.stats.interval import Limits


class RelativeStd(Contrast):
    """Standard deviation of the groups' figures over their mean, every group alike.

    PopRSP and PopREO are those of `recommended_rate` and `relevant_rate` (Zhu et al. 2020).
    """

    name = "relative_std"
    convention = "standard deviation of the groups' figures over their mean; 0 is parity"
    order = 46

    @property
    def example(self) -> str:
        """How to write it."""
        return "relative_std(recommended_rate@10, of=creator_tier)"

    def findings(self, asked: Asked) -> list[Finding]:
        """Return the one finding."""
        grouped = asked.grouped()
        if grouped.compared.size <= 1:
            return [asked.over_groups(grouped, too_few(grouped))]
        figures = grouped.compare(grouped.compared)
        groups = grouped.compared.size
        limits = figures.limits(contrast.bonferroni(asked.level, groups))
        value = float(_spread(figures.value))
        low, high = spread_within(limits)
        outcome: Outcome = Undefined("the groups' figures have a mean of 0")
        if np.isfinite([value, low, high]).all():
            method = f"range over intervals that hold together ({figures.method}, "
            method += f"Bonferroni over {groups} groups)"
            outcome = Estimate(value, min(low, value), max(high, value), asked.level, method)
        return [asked.over_groups(grouped, outcome)]


def _spread(values: Floats) -> Floats:
    """Return the standard deviation of figures over their mean, along the first axis."""
    mean = values.mean(axis=0)
    found: Floats = np.divide(
        values.std(axis=0), mean, out=np.full_like(mean, np.nan), where=mean > 0
    )
    return found


_STEPS = 2_001
_CORNERS = 12
"""Groups up to which all corners of a box are looked at; beyond, those that part them in two."""


def spread_within(limits: Limits) -> tuple[float, float]:
    """Return the least and the largest relative spread of figures that lie in their intervals.

    The least is where all are as near to one value as their intervals let them, the largest at a
    corner of the box that the intervals make.
    """
    low, high = np.asarray(limits.low), np.asarray(limits.high)
    common = np.linspace(low.min(), high.max(), _STEPS)
    nearest = np.clip(common, low[:, None], high[:, None])
    if len(low) <= _CORNERS:
        up = (np.arange(2 ** len(low)) >> np.arange(len(low))[:, None]) & 1
    else:
        # The largest spread parts the groups in those that are high and those that are low.
        order = np.argsort((low + high) / 2)
        up = np.zeros((len(low), len(low) + 1), int)
        for place in range(len(low) + 1):
            up[order[place:], place] = 1
    corners = np.where(up == 1, high[:, None], low[:, None])
    return float(np.nanmin(_spread(nearest))), float(np.nanmax(_spread(corners)))


RELATIVE_STD = RelativeStd()
