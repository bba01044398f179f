"""From questions and a log to findings: one scan, then statistics on a small table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from evenhand.audits.asked import Asked
from evenhand.audits.finding import Finding
from evenhand.audits.inference import check_adjustment, tested
from evenhand.audits.question import Question, ask
from evenhand.engine import Request, State, plan_scan
from evenhand.engine.partition import count
from evenhand.engine.variant import check_variant
from evenhand.errors import Problem, RoleError
from evenhand.logs.log import Log


def estimates(
    notations: Iterable[str],
    log: Log,
    *,
    level: float = 0.95,
    seed: int = 1,
    adjust: str | None = None,
    margin: float | None = None,
    shrink: bool = False,
    permutations: int = 0,
) -> list[Finding]:
    """Return the findings that the notations ask for, in order.

    All are answered from one state of the log: measures by the same groups share one count.

    ``pairs`` gives one finding for every pair of groups.

    Args:
        notations: Measures and contrasts, such as ``difference(selection_rate, by=sex)``.
        log: The log.
        level: Nominal coverage of the intervals, in (0, 1).
        seed: Seed of simultaneous critical values.
        adjust: How p-values of differences and pairs are adjusted for their number; None for no
            test.
        margin: Largest difference that does not matter; None for no verdict.
        shrink: Whether each group's figure is also shown shrunk towards the mean of all.
        permutations: Number of permutations by which differences of shares of independent rows
            are tested, with ``adjust``; 0 to turn their intervals over.

    Raises:
        EvenhandError: The notations do not fit the log, or the rows cannot be read.

    """
    if not 0 < level < 1:
        raise RoleError(Problem("level", f"{level} is not between 0 and 1.", "Write 0.95."))
    if margin is not None and not margin > 0:
        raise RoleError(Problem("margin", f"{margin} is not above 0.", "Write 0.05."))
    if margin is not None and level <= 0.5:  # noqa: PLR2004 - one-sided limits must point outwards
        what = f"a verdict about a margin needs a level above 0.5, not {level}."
        raise RoleError(Problem("level", what, "Write 0.95."))
    if adjust is not None:
        check_adjustment(adjust)
    elif permutations:
        hint = "Write adjust='holm' too (--adjust holm)."
        raise RoleError(Problem("permutations", "a test needs an adjustment.", hint))
    questions = ask([notations] if isinstance(notations, str) else notations, log)
    if not questions:
        return []
    asked = asked_of(
        questions, log, level=level, seed=seed, shrink=shrink, permutations=permutations
    )
    answers = [(one, answer(one)) for one in asked]
    found = [findings for _, findings in answers]
    if adjust is not None:
        found = tested(answers, adjust)
    if margin is not None:
        found = [_judged(one, family, margin) for one, family in zip(asked, found, strict=True)]
    return [finding for family in found for finding in family]


def asked_of(
    questions: Sequence[Question],
    log: Log,
    *,
    level: float,
    seed: int,
    shrink: bool = False,
    permutations: int = 0,
    min_units: int = 0,
    scope: str | None = None,
    state: State | None = None,
) -> list[Asked]:
    """Return the questions beside the one state of the log that answers them all.

    Args:
        questions: What is asked.
        log: The log.
        level: Nominal coverage of the intervals.
        seed: Seed of simultaneous critical values.
        shrink: Whether each group's figure is also shown shrunk towards the mean of all.
        permutations: Number of permutations of a test; 0 for none.
        min_units: Groups of fewer units are neither shown nor compared.
        scope: The slice that the log is; None for all rows.
        state: What the rows were counted to; None to count them now.

    """
    if state is None:
        asked = requests(questions)
        check_variant(log, [one.measure for one in asked])
        plan = plan_scan(asked, log)
        state = count(plan, log, empty=scope is not None).state
    return [
        Asked(
            question,
            state,
            log,
            level,
            seed,
            shrink=shrink,
            permutations=permutations,
            min_units=min_units,
            scope=scope,
        )
        for question in questions
    ]


def _judged(asked: Asked, found: list[Finding], margin: float) -> list[Finding]:
    contrast = asked.question.contrast
    verdicts = None if contrast is None else contrast.margins(asked, margin)
    if verdicts is None:
        return found
    return [
        finding if finding.undefined else replace(finding, equivalence=verdict)
        for finding, verdict in zip(found, verdicts, strict=True)
    ]


def requests(questions: Iterable[Question]) -> list[Request]:
    """Return the measures and sets of groups whose sums answer the questions."""
    asked = [part for question in questions for part in question.every]
    return [Request(part.measure, by) for part in asked for by in part.sets]


def answer(asked: Asked) -> list[Finding]:
    """Return the findings of one question."""
    if asked.question.contrast is not None:
        return asked.question.contrast.findings(asked)
    grouped = asked.grouped()
    (outcome,) = grouped.outcomes(asked.level)
    return [asked.finding(grouped, outcome, np.array([0]))]
