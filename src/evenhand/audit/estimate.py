"""From questions and a log to findings: one scan, then statistics on a small table."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from evenhand.audit.finding import Finding
from evenhand.audit.grouped import Grouped, Indices, gather
from evenhand.audit.question import Question, ask
from evenhand.engine import Request, State, plan_scan, scan
from evenhand.engine.lower import WEIGHT
from evenhand.errors import Problem, RoleError
from evenhand.logs.log import Log
from evenhand.stats.estimate import Estimate, Outcome, Undefined
from evenhand.stats.proportion import PairDifferences, pair_differences


def estimates(
    notations: Iterable[str], log: Log, *, level: float = 0.95, seed: int = 1
) -> list[Finding]:
    """Return the findings that the notations ask for, in order.

    All are answered from one state of the log: measures by the same groups share one count.

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
    questions = ask([notations] if isinstance(notations, str) else notations, log)
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
        return [_finding(question, grouped, log, outcome, np.array([0]))]
    compared = grouped.compared
    differences = None
    if compared.size > 1:
        proportions = grouped.proportions(compared)
        differences = pair_differences(proportions, level, np.random.default_rng(seed))
    if question.contrast == "pairs":
        return _pairs(question, grouped, log, differences, level)
    outcome = Undefined(_too_few(grouped)) if differences is None else _widest(differences, level)
    found = _finding(question, grouped, log, outcome, compared)
    return [replace(found, excluded=grouped.left_out(), groups=grouped.findings(level))]


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


def _pairs(
    question: Question,
    grouped: Grouped,
    log: Log,
    differences: PairDifferences | None,
    level: float,
) -> list[Finding]:
    """Return a finding for every pair of groups that are groups, undefined ones with the reason."""
    outcomes: dict[tuple[int, int], Estimate] = {}
    if differences is not None:
        members = grouped.compared
        for first, second, value, low, high in zip(
            members[differences.first].tolist(),
            members[differences.second].tolist(),
            differences.value.tolist(),
            differences.limits.low.tolist(),
            differences.limits.high.tolist(),
            strict=True,
        ):
            outcomes[first, second] = Estimate(value, low, high, level, differences.method)
    pairs = [*itertools.combinations(np.flatnonzero(~grouped.apart).tolist(), 2)]
    if not pairs:
        nothing = Undefined(_too_few(grouped))
        found = _finding(question, grouped, log, nothing, grouped.compared)
        return [replace(found, excluded=grouped.left_out())]
    return [
        replace(
            _finding(
                question,
                grouped,
                log,
                outcomes.get(pair) or Undefined(_why(grouped, pair)),
                np.array(pair),
            ),
            pair=(grouped.groups[pair[0]], grouped.groups[pair[1]]),
            excluded=grouped.left_out(),
        )
        for pair in pairs
    ]


def _finding(
    question: Question, grouped: Grouped, log: Log, outcome: Outcome, index: Indices
) -> Finding:
    """Return a finding about the groups at these places."""
    conventions: dict[str, str] = {"better": question.measure.better or "neither direction"}
    if question.contrast == "difference":
        conventions["difference"] = "largest minus smallest group; 0 is parity"
    if question.contrast == "pairs":
        conventions["pairs"] = "first group minus second; 0 is parity; intervals hold together"
    if grouped.units.note:
        conventions["unit"] = grouped.units.note
    if WEIGHT in log.roles:
        conventions["weight"] = f"rows weighed by {log.roles[WEIGHT].text}"
    if log.where is not None:
        conventions["where"] = log.where.text
    units, exact = grouped.units.among(index)
    return Finding(
        key=question.key,
        measure=str(question.measure),
        outcome=outcome,
        estimand="row",
        units=units,
        units_exact=exact,
        rows=int(grouped.rows[index].sum()),
        excluded=grouped.excluded,
        conventions=conventions,
        by=question.by,
    )


def _why(grouped: Grouped, index: Iterable[int]) -> str:
    """Return the reasons of the undefined groups among these, each with its name."""
    return "; ".join(
        f"{', '.join(grouped.groups[i].values())}: {grouped.reasons[i]}"
        for i in index
        if grouped.reasons[i]
    )


def _too_few(grouped: Grouped) -> str:
    found = "only one group has" if grouped.compared.size else "no group has"
    reasons = _why(grouped, range(len(grouped.groups)))
    return f"{found} a figure to compare" + (f" ({reasons})" if reasons else "")
