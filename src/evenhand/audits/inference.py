"""What findings mean together: tests of parity, adjusted for how many were asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from evenhand.audits.asked import Asked
from evenhand.audits.contrasts.difference import DIFFERENCE
from evenhand.audits.finding import Finding, Test
from evenhand.errors import Problem, RoleError, did_you_mean
from evenhand.stats import multiplicity
from evenhand.stats.interval import Floats

Adjustment = Literal["holm", "benjamini_hochberg", "benjamini_yekutieli"]

_ADJUSTED: Mapping[str, Callable[[Floats], Floats]] = {
    "holm": multiplicity.holm_adjusted,
    "benjamini_hochberg": multiplicity.benjamini_hochberg_adjusted,
    "benjamini_yekutieli": multiplicity.benjamini_yekutieli_adjusted,
}
_FALSE_DISCOVERY = {"benjamini_hochberg", "benjamini_yekutieli"}


def check_adjustment(name: str) -> None:
    """Check that there is such an adjustment.

    Raises:
        RoleError: There is none.

    """
    if name not in _ADJUSTED:
        what = f"there is no adjustment '{name}'."
        raise RoleError(Problem("adjust", what, did_you_mean(name, [*_ADJUSTED])))


def tested(answers: Sequence[tuple[Asked, list[Finding]]], adjust: str) -> list[list[Finding]]:
    """Return the findings with tests of parity, adjusted over all of them.

    Differences and pairs are tested. With a false discovery rate, the findings whose parity is
    rejected get intervals at the level that keeps the false coverage rate.

    Args:
        answers: Each question with its findings.
        adjust: ``holm``, ``benjamini_hochberg`` or ``benjamini_yekutieli``.

    Source: Holm 1979; Benjamini and Hochberg 1995; Benjamini and Yekutieli 2001 and 2005.

    """
    p_values = [_p_values(asked, found) for asked, found in answers]
    flat = np.array([np.nan if p is None else p for family in p_values for p in family])
    adjusted = iter(_ADJUSTED[adjust](flat).tolist())
    tests = [
        [_test(p, next(adjusted), adjust, asked) for p in family]
        for family, (asked, _) in zip(p_values, answers, strict=True)
    ]
    rejected = sum(test is not None and bool(test.rejected) for family in tests for test in family)
    count = int(np.isfinite(flat).sum())
    out = []
    for (asked, found), family in zip(answers, tests, strict=True):
        again = found
        if adjust in _FALSE_DISCOVERY and 0 < rejected < count:
            level = multiplicity.fcr_level(asked.level, rejected, count)
            again = _at_level(asked, level, rejected, count)
        out.append(
            [
                replace(wide if test is not None and test.rejected else plain, test=test)
                for plain, wide, test in zip(found, again, family, strict=True)
            ]
        )
    return out


def _p_values(asked: Asked, found: list[Finding]) -> list[float | None]:
    contrast = asked.question.contrast
    values = None if contrast is None else contrast.p_values(asked)
    if values is None:
        return [None] * len(found)
    return [
        None if finding.undefined else value for finding, value in zip(found, values, strict=True)
    ]


def _test(p: float | None, adjusted: float, adjust: str, asked: Asked) -> Test | None:
    if p is None:
        return None
    method = "the interval turned over"
    if asked.permutations and asked.question.contrast is DIFFERENCE:
        method = f"{asked.permutations:,} permutations"
    return Test(p, method, adjusted, adjust, adjusted <= 1 - asked.level)


def _at_level(asked: Asked, level: float, rejected: int, count: int) -> list[Finding]:
    """Return the findings of a question with intervals that keep the false coverage rate."""
    question = asked.question
    if question.contrast is None:
        raise TypeError("only contrasts are tested")
    note = f"interval widened to {100 * level:.3g}%: {rejected} of {count} selected"
    return [
        replace(finding, conventions={**finding.conventions, "false coverage rate": note})
        for finding in question.contrast.findings(replace(asked, level=level))
    ]
