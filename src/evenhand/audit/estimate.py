"""From questions and a log to findings: one scan, then statistics on a small table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from evenhand.audit.finding import Finding
from evenhand.audit.grouped import Grouped, gather
from evenhand.audit.question import Question, ask
from evenhand.engine import Request, State, plan_scan, scan
from evenhand.errors import Problem, RoleError
from evenhand.logs.log import Log
from evenhand.stats.estimate import Estimate, Outcome, Undefined
from evenhand.stats.proportion import PairDifferences, pair_differences


def estimates(
    notations: Iterable[str], log: Log, *, level: float = 0.95, seed: int = 1
) -> list[Finding]:
    """Return the findings that the notations ask for, in order, from one pass over the log.

    ``pairs`` gives one finding for every pair of groups.

    Args:
        notations: Measures and contrasts, such as ``difference(selection_rate, by=sex)``.
        log: The log.
        level: Nominal coverage of the intervals, in (0, 1).
        seed: Seed of simultaneous critical values.

    Raises:
        EvenhandError: The notations do not fit the log, or the rows cannot be read.

    """
    if not 0 < level < 1:
        raise RoleError(Problem("level", f"{level} is not between 0 and 1.", "Write 0.95."))
    questions = ask(notations, log)
    plan = plan_scan([Request(question.measure, question.by) for question in questions], log)
    state = scan(plan, log)
    return [
        finding
        for question in questions
        for finding in answer(question, state, log, level=level, seed=seed)
    ]


def answer(question: Question, state: State, log: Log, *, level: float, seed: int) -> list[Finding]:
    """Return the findings of one question from a state of this log."""
    grouped = gather(question.measure, question.by, state, log)
    if question.contrast is None:
        (outcome,) = grouped.outcomes(level)
        return [_finding(question, grouped, log, outcome)]
    compared = grouped.compared
    if compared.size < 2:  # noqa: PLR2004 - it takes two to compare
        outcome = Undefined(_too_few(grouped))
        return [_contrast(question, grouped, log, outcome, level)]
    proportions = grouped.proportions(compared)
    differences = pair_differences(proportions, level, np.random.default_rng(seed))
    if question.contrast == "difference":
        return [_contrast(question, grouped, log, _widest(differences, level), level)]
    return [
        replace(
            _finding(question, grouped, log, Estimate(value, low, high, level, differences.method)),
            pair=(grouped.groups[compared[first]], grouped.groups[compared[second]]),
        )
        for first, second, value, low, high in zip(
            differences.first,
            differences.second,
            differences.value.tolist(),
            differences.limits.low.tolist(),
            differences.limits.high.tolist(),
            strict=True,
        )
    ]


def _widest(differences: PairDifferences, level: float) -> Estimate:
    """Return the unsigned largest difference: the range of what the signed pairs allow.

    The lower limit is 0 unless some ordered pair is surely apart, so unlike a percentile interval
    of a maximum it contains 0 when all groups are equal (ARCHITECTURE, "Notation").
    """
    low, high = differences.limits
    return Estimate(
        value=float(np.abs(differences.value).max()),
        low=max(0.0, float(low.max()), float((-high).max())),
        high=float(np.maximum(np.abs(low), np.abs(high)).max()),
        level=level,
        method=differences.method,
    )


def _contrast(
    question: Question, grouped: Grouped, log: Log, outcome: Outcome, level: float
) -> Finding:
    found = _finding(question, grouped, log, outcome)
    return replace(found, groups=grouped.findings(level), by=question.by)


def _finding(question: Question, grouped: Grouped, log: Log, outcome: Outcome) -> Finding:
    conventions: dict[str, str] = {"better": question.measure.better or "neither direction"}
    if question.contrast == "difference":
        conventions["difference"] = "largest minus smallest group; 0 is parity"
    if question.contrast == "pairs":
        conventions["pairs"] = "first group minus second; 0 is parity; intervals hold together"
    if grouped.units.note:
        conventions["unit"] = grouped.units.note
    if log.where is not None:
        conventions["where"] = log.where.text
    return Finding(
        key=question.key,
        measure=str(question.measure),
        outcome=outcome,
        estimand="row",
        units=grouped.units.total,
        units_exact=grouped.units.exact,
        rows=int(grouped.rows.sum()),
        excluded=grouped.excluded,
        conventions=conventions,
        by=question.by,
    )


def _too_few(grouped: Grouped) -> str:
    reasons = [
        f"{', '.join(group.values())}: {reason}"
        for group, reason in zip(grouped.groups, grouped.reasons, strict=True)
        if reason
    ]
    count = grouped.compared.size
    found = "no group has" if not count else "only one group has"
    return f"{found} a figure to compare" + (f" ({'; '.join(reasons)})" if reasons else "")
