"""What is measured where no plan says it: every measure that applies, by every group and pair."""

from __future__ import annotations

import itertools

import narwhals as nw

from evenhand.audits.question import ask
from evenhand.errors import EvenhandError
from evenhand.logs.log import Log
from evenhand.logs.source import failure
from evenhand.measures.measure import Measure
from evenhand.measures.registry import measures
from evenhand.notation import Term, Value


def default_measures(log: Log, *, read: bool = True) -> list[str]:
    """Return the notations of every measure that applies to a log's roles.

    Each for the log as a whole, then as ``difference``, and as ``worst`` where the measure has a
    direction, by each group and by all pairs of groups. The order is that of the measures' names
    and of the log's groups.

    Args:
        log: The log.
        read: Look at the rows for a role's smallest and largest value, where a measure allows some
            values only, such as scores in [0, 1]; else such a measure is taken to apply.

    Raises:
        EvenhandError: The rows cannot be read.

    """
    groups = [*log.groups]
    by = [(name,) for name in groups] + [*itertools.combinations(groups, 2)]
    ranges: dict[str, tuple[float, float]] = {}
    found: list[str] = []
    for name, cls in measures().items():
        plain = Term(name)
        if not _accepted(plain, log) or (read and not _within(cls, log, ranges)):
            continue
        contrasts = ("difference", "worst") if cls.better else ("difference",)
        compared = [
            Term(contrast, (plain,), (("by", _one_or_all(names)),))
            for names in by
            for contrast in contrasts
        ]
        found += [str(plain), *(str(one) for one in compared if _accepted(one, log))]
    return found


def _one_or_all(names: tuple[str, ...]) -> Value:
    return names[0] if len(names) == 1 else names


def _accepted(term: Term, log: Log) -> bool:
    try:
        ask([str(term)], log)
    except EvenhandError:
        return False
    return True


def _within(cls: type[Measure], log: Log, ranges: dict[str, tuple[float, float]]) -> bool:
    """Return whether the log's roles have only values that a measure allows."""
    for role, (low, high) in cls.limits.items():
        if role not in ranges:
            ranges[role] = _range(log, role)
        least, most = ranges[role]
        if least < low or most > high:
            return False
    return True


def _range(log: Log, role: str) -> tuple[float, float]:
    """Return the smallest and the largest value of a role in the rows in scope."""
    frame = log.source.frame
    if log.where is not None:
        frame = frame.filter(log.where.lower(log.schema))
    value = log.roles[role].lower(log.schema).cast(nw.Float64)
    try:
        rows = frame.select(low=value.min(), high=value.max()).collect("polars").rows()
    except Exception as error:
        raise failure(log.source.name, error) from error
    low, high = rows[0]
    return (0.0, 0.0) if low is None else (low, high)
