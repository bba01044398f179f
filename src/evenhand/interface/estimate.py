"""Estimates: figures of a log with their intervals, without a plan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evenhand.audits import Finding
    from evenhand.logs import Log


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
    """Return the findings that the notations ask for, from one pass over the log.

    Args:
        notations: Measures and contrasts, such as ``difference(selection_rate, by=sex)``.
        log: The log, from `evenhand.log`.
        level: Nominal coverage of the intervals, in (0, 1).
        seed: Seed of simultaneous critical values.
        adjust: Test differences and pairs for parity, and adjust the p-values for their number:
            ``holm``, ``benjamini_hochberg`` or ``benjamini_yekutieli``.
        margin: Largest difference that does not matter: differences and pairs then say whether
            they are ``equivalent``, ``different`` or ``undecided``, and how many units would tell.
        shrink: Show each group's figure also shrunk towards the mean of all groups.
        permutations: Number of permutations by which differences of shares of independent rows
            are tested; needs ``adjust``. By default their intervals are turned over.

    Returns:
        Findings in the order asked; ``pairs`` gives one for every pair of groups.

    Raises:
        NotationError: A measure is unknown, or the log lacks what it needs; all problems at once.
        ValueInLogError: A role has a value that it does not allow.
        SourceError: The rows cannot be read.
        StateSizeError: A group has too many values.

    """
    from evenhand.audits import estimates as answer

    return answer(
        notations,
        log,
        level=level,
        seed=seed,
        adjust=adjust,
        margin=margin,
        shrink=shrink,
        permutations=permutations,
    )


def estimate(notation: object, log: Log, **how: Any) -> Finding:  # noqa: ANN401 - as estimates
    """Return one finding; options as in `estimates`.

    Raises:
        NotationError: Also when the notation stands for several findings.

    """
    from evenhand.errors import NotationError, Problem

    if not isinstance(notation, str):
        hint = "For several, use evenhand.estimates([...], log)."
        raise NotationError(Problem("estimate", f"{notation!r} is not a notation.", hint))
    found = estimates([notation], log, **how)
    if len(found) > 1:
        what = f"this gives {len(found)} findings."
        raise NotationError(Problem(f"'{notation}'", what, "Use evenhand.estimates([...], log)."))
    return found[0]


def converted(
    name: str, log: Log, *, by: str, reference: str | None = None
) -> float | dict[str, float]:
    """Return a figure as another tool defines it, such as ``aif360.disparate_impact``.

    Args:
        name: Tool and figure; a wrong one is answered with those there are.
        log: The log, from `evenhand.log`.
        by: The group attribute.
        reference: The reference or privileged group, where the tool has one.

    Returns:
        The figure, without an interval; by group for tools that print one for each.

    Raises:
        NotationError: There is no such figure or reference group.
        UndefinedError: The figure is undefined here.

    """
    from evenhand.audits.peer import converted as convert

    return convert(name, log, by=by, reference=reference)
