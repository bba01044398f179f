"""Figures as other tools define them: a converter between conventions.

Tools use one name for several things: AIF360's disparate impact divides by the privileged group
and may exceed 1, ours divides by the larger and may not. Each entry says which of our figures it is
made of and how, and is compared with the tool itself on the parity page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evenhand.audits.asked import Asked
from evenhand.audits.estimate import requests
from evenhand.audits.question import ask
from evenhand.engine import plan_scan, scan
from evenhand.errors import NotationError, Problem, UndefinedError, did_you_mean
from evenhand.logs.log import Log


@dataclass(frozen=True)
class Groups:
    """The figures of one measure, for a convention.

    Attributes:
        reference: The figure of the reference (privileged) group.
        rest: The figure of all other groups taken as one; None where it is undefined.
        others: The figures of the other groups, in order.
        overall: The figure of all groups together.

    """

    reference: float
    rest: float
    others: tuple[float, ...]
    overall: float

    @property
    def all(self) -> tuple[float, ...]:
        """The figures of all groups."""
        return (self.reference, *self.others)


@dataclass(frozen=True)
class Convention:
    """A figure of another tool.

    Attributes:
        measures: Our measures that it is made of.
        formula: How, in words.
        of: The same, on the figures of each measure in turn.
        lumps: Whether it takes all groups but the reference as one.
        by_group: Whether it gives a figure for every other group.

    """

    measures: tuple[str, ...]
    formula: str
    of: Callable[..., float | Sequence[float]]
    lumps: bool = False
    by_group: bool = False


def _range(groups: Groups) -> float:
    return max(groups.all) - min(groups.all)


def _least_ratio(groups: Groups) -> float:
    return min(groups.all) / max(groups.all)


def _to_overall(groups: Groups) -> float:
    return max(abs(value - groups.overall) for value in groups.all)


def _signed(groups: Groups) -> float:
    return groups.rest - groups.reference


def _over_reference(groups: Groups) -> list[float]:
    return [value / groups.reference for value in groups.others]


_RATES = ("true_positive_rate", "false_positive_rate")

CONVENTIONS: dict[str, Convention] = {
    "fairlearn.demographic_parity_difference": Convention(
        ("selection_rate",), "largest minus smallest group", _range
    ),
    "fairlearn.demographic_parity_difference.to_overall": Convention(
        ("selection_rate",), "largest distance of a group from all rows", _to_overall
    ),
    "fairlearn.demographic_parity_ratio": Convention(
        ("selection_rate",), "smallest over largest group", _least_ratio
    ),
    "fairlearn.equal_opportunity_difference": Convention(
        ("true_positive_rate",), "largest minus smallest group", _range
    ),
    "fairlearn.equalized_odds_difference": Convention(
        _RATES, "larger of the two ranges", lambda tpr, fpr: max(_range(tpr), _range(fpr))
    ),
    "fairlearn.equalized_odds_difference.mean": Convention(
        _RATES, "mean of the two ranges", lambda tpr, fpr: (_range(tpr) + _range(fpr)) / 2
    ),
    "aif360.statistical_parity_difference": Convention(
        ("selection_rate",), "all others as one, minus the privileged", _signed, lumps=True
    ),
    "aif360.disparate_impact": Convention(
        ("selection_rate",),
        "all others as one, over the privileged; may exceed 1",
        lambda groups: groups.rest / groups.reference,
        lumps=True,
    ),
    "aif360.equal_opportunity_difference": Convention(
        ("true_positive_rate",), "all others as one, minus the privileged", _signed, lumps=True
    ),
    "aif360.average_odds_difference": Convention(
        _RATES,
        "mean of the two signed differences, which may cancel",
        lambda tpr, fpr: (_signed(tpr) + _signed(fpr)) / 2,
        lumps=True,
    ),
    "aif360.average_abs_odds_difference": Convention(
        _RATES,
        "mean of the two absolute differences",
        lambda tpr, fpr: (abs(_signed(tpr)) + abs(_signed(fpr))) / 2,
        lumps=True,
    ),
    "aequitas.ppr_disparity": Convention(
        ("selection_rate",), "each group over the reference", _over_reference, by_group=True
    ),
    "aequitas.tpr_disparity": Convention(
        ("true_positive_rate",), "each group over the reference", _over_reference, by_group=True
    ),
    "aequitas.fpr_disparity": Convention(
        ("false_positive_rate",), "each group over the reference", _over_reference, by_group=True
    ),
    "aequitas.fnr_disparity": Convention(
        ("false_negative_rate",), "each group over the reference", _over_reference, by_group=True
    ),
    "aequitas.precision_disparity": Convention(
        ("positive_predictive_value",),
        "each group over the reference",
        _over_reference,
        by_group=True,
    ),
    "papers.equalized_odds_sum": Convention(
        _RATES,
        "sum of the two absolute differences, as some benchmark papers print",
        lambda tpr, fpr: _range(tpr) + _range(fpr),
    ),
}
"""Figures of other tools by name."""


def converted(
    name: str, log: Log, *, by: str, reference: str | None = None
) -> float | dict[str, float]:
    """Return a figure as another tool defines it, from our figures by group.

    It has no interval: those tools' definitions are given to compare and to migrate, not to gate.

    Args:
        name: Tool and figure, such as ``aif360.disparate_impact``.
        log: The log.
        by: The group attribute.
        reference: The reference or privileged group, where the tool has one.

    Returns:
        The figure; by group for tools that print one for each.

    Raises:
        NotationError: There is no such figure or reference group.
        UndefinedError: A group is undefined, or 0 where it divides.

    """
    if name not in CONVENTIONS:
        hint = did_you_mean(name, [*CONVENTIONS])
        raise NotationError(Problem("convert", f"there is no figure '{name}'.", hint))
    convention = CONVENTIONS[name]
    questions = ask([f"difference({measure}, by={by!r})" for measure in convention.measures], log)
    state = scan(plan_scan(requests(questions), log), log)
    figures, others = [], []
    for question in questions:
        grouped = Asked(question, state, log, 0.95, 1).grouped()
        names = [grouped.groups[index][by] for index in grouped.compared]
        undefined = [
            f"{group[by]}: {reason}"
            for group, reason, apart in zip(
                grouped.groups, grouped.reasons, grouped.apart, strict=True
            )
            if reason and not apart
        ]
        if undefined:
            raise UndefinedError(Problem(f"'{name}'", f"undefined, {'; '.join(undefined)}."))
        if len(names) < 2:  # noqa: PLR2004 - a comparison
            what = f"there are no two groups of '{by}' to compare."
            raise NotationError(Problem(f"'{name}'", what))
        needs = convention.lumps or convention.by_group
        if needs and reference not in names:
            hint = did_you_mean(reference or "", names)
            raise NotationError(Problem("reference", f"there is no group '{reference}'.", hint))
        first = names.index(reference) if reference in names else 0
        rest = np.delete(grouped.compared, first)
        sets = [grouped.compared[[first]], rest, grouped.compared]
        value = grouped.figures(*sets).value
        each = grouped.compare(rest).value
        figures.append(Groups(value[0], value[1], tuple(each.tolist()), value[2]))
        others = [names[index] for index in range(len(names)) if index != first]
    with np.errstate(divide="ignore", invalid="ignore"):
        try:
            found = convention.of(*figures)
        except ZeroDivisionError:
            found = np.nan
    values = found if isinstance(found, list) else [found]
    if not np.all(np.isfinite(values)):
        what = "undefined, the reference group's figure is 0."
        raise UndefinedError(Problem(f"'{name}'", what, "Compare differences instead."))
    if isinstance(found, list):
        return dict(zip(others, map(float, found), strict=True))
    return float(found)  # type: ignore[arg-type]
