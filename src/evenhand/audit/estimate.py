"""From questions and a log to findings: one scan, then statistics on a small table."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from evenhand.audit.finding import Finding
from evenhand.audit.grouped import Grouped, Indices, gather
from evenhand.audit.question import LARGEST, ContrastName, Question, ask
from evenhand.engine import Request, State, plan_scan, scan
from evenhand.engine.lower import WEIGHT
from evenhand.errors import Problem, RoleError
from evenhand.logs.log import Log
from evenhand.measures.figure import Share
from evenhand.stats import contrast
from evenhand.stats.contrast import pair_differences
from evenhand.stats.estimate import Estimate, Outcome, Undefined


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
    if not questions:
        return []
    asked = [part for question in questions for part in question.parts or (question,)]
    plan = plan_scan([Request(part.measure, part.by) for part in asked], log)
    state = scan(plan, log)
    return [
        finding
        for question in questions
        for finding in answer(question, state, log, level=level, seed=seed)
    ]


def answer(question: Question, state: State, log: Log, *, level: float, seed: int) -> list[Finding]:
    """Return the findings of one question from a state of this log."""
    rng = np.random.default_rng(seed)
    if question.parts:
        return [_largest(question, state, log, level=level, seed=seed)]
    grouped = gather(question.measure, question.by, state, log)
    if question.contrast is None:
        (outcome,) = grouped.outcomes(level)
        return [_finding(question, grouped, log, outcome, np.array([0]))]
    if question.contrast == "pairs":
        return _pairs(question, grouped, log, level, rng)
    if question.contrast == "to_overall":
        return _to_overall(question, grouped, log, level, rng)
    found = _finding(
        question, grouped, log, _contrast(question, grouped, level, rng), grouped.compared
    )
    return [replace(found, excluded=grouped.left_out(), groups=grouped.findings(level))]


def _contrast(
    question: Question, grouped: Grouped, level: float, rng: np.random.Generator
) -> Outcome:
    """Return one figure for all groups that can be compared."""
    compared = grouped.compared
    alone = 0 if question.contrast == "worst" else 1
    if compared.size <= alone:
        return Undefined(_too_few(grouped))
    groups = grouped.compare(compared)
    if question.contrast == "ratio":
        return contrast.ratio(groups, level, rng)
    if question.contrast == "worst" and question.measure.better is not None:
        estimate, index = contrast.worst(groups, level, question.measure.better)
        name = ", ".join(grouped.groups[compared[index]].values())
        return replace(estimate, method=f"{estimate.method}; selected: {name}")
    return contrast.difference(groups, level, rng)


def _largest(question: Question, state: State, log: Log, *, level: float, seed: int) -> Finding:
    """Return the largest of several differences, all of which hold together at the level."""
    grouped = [gather(part.measure, part.by, state, log) for part in question.parts]
    shared = contrast.bonferroni(level, len(grouped))
    outcomes = [
        _contrast(part, one, shared, np.random.default_rng(seed))
        for part, one in zip(question.parts, grouped, strict=True)
    ]
    reasons = [
        f"{part.key}: {outcome.reason}"
        for part, outcome in zip(question.parts, outcomes, strict=True)
        if isinstance(outcome, Undefined)
    ]
    estimates = [outcome for outcome in outcomes if isinstance(outcome, Estimate)]
    outcome = Undefined("; ".join(reasons)) if reasons else contrast.largest(estimates, level)
    # Rows and units are those of the part that is largest, or of the first where one is undefined.
    lead = 0 if reasons else int(np.argmax([estimate.value for estimate in estimates]))
    asked = replace(question.parts[lead], key=question.key, alias=question.alias)
    found = _finding(asked, grouped[lead], log, outcome, grouped[lead].compared)
    return replace(
        found,
        conventions={**found.conventions, LARGEST: f"shown is {question.parts[lead].key}"},
        excluded=grouped[lead].left_out(),
        groups=grouped[lead].findings(level),
    )


def _to_overall(
    question: Question, grouped: Grouped, log: Log, level: float, rng: np.random.Generator
) -> list[Finding]:
    """Return a finding for every group: how far it is from all groups compared together."""
    compared = grouped.compared
    shared = contrast.bonferroni(level, max(1, compared.size))
    findings = []
    for index in np.flatnonzero(~grouped.apart).tolist():
        outcome: Outcome = Undefined(grouped.reasons[index] or _too_few(grouped))
        if index in compared and compared.size > 1:
            estimate = _against_overall(grouped, index, shared, rng)
            adjusted = f"{estimate.method}, Bonferroni over {compared.size} groups"
            outcome = replace(estimate, level=level, method=adjusted)
        # The overall is part of the figure: its rows are those of all groups compared.
        found = _finding(question, grouped, log, outcome, compared)
        overall = dict.fromkeys(question.by, "overall")
        findings.append(
            replace(found, pair=(grouped.groups[index], overall), excluded=grouped.left_out())
        )
    return findings


def _against_overall(
    grouped: Grouped, index: int, level: float, rng: np.random.Generator
) -> Estimate:
    """Return how far a group is from all groups compared together."""
    compared = grouped.compared
    if isinstance(grouped.figure, Share) and grouped.figure.curve is None:
        rest = grouped.figures(np.array([index]), compared[compared != index])
        return contrast.to_overall(rest, *grouped.share_of(index), level, rng)
    both = pair_differences(grouped.figures(np.array([index]), compared), level, rng)
    return Estimate(
        float(both.value[0]),
        float(both.limits.low[0]),
        float(both.limits.high[0]),
        level,
        both.method,
    )


def _pairs(
    question: Question, grouped: Grouped, log: Log, level: float, rng: np.random.Generator
) -> list[Finding]:
    """Return a finding for every pair of groups that are groups, undefined ones with the reason."""
    outcomes: dict[tuple[int, int], Estimate] = {}
    members = grouped.compared
    if members.size > 1:
        differences = pair_differences(grouped.compare(members), level, rng)
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
    if question.contrast is not None:
        conventions[question.contrast] = CONVENTIONS[question.contrast]
    if question.alias:
        conventions[question.alias] = f"stands for {question.key}"
    if grouped.units.note:
        conventions["unit"] = grouped.units.note
    if WEIGHT in log.roles:
        conventions["weight"] = f"rows weighed by {log.roles[WEIGHT].text}"
    if log.where is not None:
        conventions["where"] = log.where.text
    conventions |= grouped.notes
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
        contrast=question.contrast,
        by=question.by,
    )


CONVENTIONS: dict[ContrastName, str] = {
    "difference": "largest minus smallest group; 0 is parity",
    "ratio": "smallest over largest group; 1 is parity",
    "worst": "the group that does worst, selected by the data; its interval allows for that",
    "pairs": "first group minus second; 0 is parity; intervals hold together",
    "to_overall": "group minus all groups compared together; 0 is parity; intervals hold together",
}
"""What each contrast is, for readers of a finding."""


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
