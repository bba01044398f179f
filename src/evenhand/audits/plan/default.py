"""What is measured where no plan says it: every measure that applies, by every group and pair."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import narwhals as nw

from evenhand.audits.evidence.strength import variant_in
from evenhand.audits.question import ask
from evenhand.errors import EvenhandError
from evenhand.logs.log import Log
from evenhand.logs.source import failure
from evenhand.measures.items import PerItem
from evenhand.measures.measure import Measure
from evenhand.measures.ranking import Ranking
from evenhand.measures.registry import measure_in, measures
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
    if log.kind.ranked:
        return list(_of_lists(log))
    ranges: dict[str, tuple[float, float]] = {}
    found: list[str] = []
    for name, cls in measures().items():
        plain = Term(name)
        if not accepted(plain, log) or (read and not _within(cls, log, ranges)):
            continue
        found += [str(plain), *compared(plain, cls, log)]
    return found


def compared(plain: Term, cls: type[Measure], log: Log) -> list[str]:
    """Return a measure as ``difference``, and as ``worst`` where it has a direction, by groups."""
    by = [(name,) for name in log.groups] + [*itertools.combinations(log.groups, 2)]
    contrasts = ("difference", "worst") if cls.better else ("difference",)
    every = [
        Term(contrast, (plain,), (("by", _one_or_all(names)),))
        for names in by
        for contrast in contrasts
    ]
    return [str(one) for one in every if accepted(one, log)]


def scopes_of(text: str, slices: Sequence[str], variant: str = "variant") -> list[str]:
    """Return the slices in which a measure says anything new.

    Of what is the same in the rows of every variant one variant is enough; the others are dropped.

    Args:
        text: A measure or contrast.
        slices: Those that were asked for.
        variant: The column that tells variants apart.

    """
    asked = measure_in(text)
    if asked is None or asked.variants != "same":
        return [*slices]
    found: dict[str, str] = {}
    for one in slices:
        name, rest = variant_in(one, variant)
        found.setdefault(f"variant {rest}" if name else one, one)
    return [*found.values()]


CUTOFF = 10
"""The last slot that counts, where a measure has one and no plan says another."""

_DEPTHS = (5, 10, 20)
_TOPS = (0.01, 0.05, 0.1, 0.2, 0.5)
"""Parts of the catalogue whose share of exposure is asked for: points of Lorenz's curve, of which
`exposure_gini` at the same depth is the index."""


def _of_lists(log: Log) -> Iterator[str]:
    """Yield what is measured of ranked lists.

    Figures of lists are compared over groups of users, figures of items over groups of items; each
    measure with its own defaults, of the first slots, for every attribute of items it may be about.
    """
    users = [*log.groups]
    by = [(name,) for name in users] + [*itertools.combinations(users, 2)]
    for name, cls in measures().items():
        for plain in _written(name, cls, log):
            if not accepted(plain, log):
                continue
            yield str(plain)
            contrasts = ("difference", "worst") if cls.better else ("difference",)
            groups = [] if issubclass(cls, PerItem) else by
            for names, contrast in itertools.product(groups, contrasts):
                yield str(Term(contrast, (plain,), (("by", _one_or_all(names)),)))
            for attribute in log.item_groups:
                ratio = Term("ratio", (plain,), (("of", attribute),))
                if accepted(ratio, log):
                    yield str(ratio)
    for attribute, depth in itertools.product(log.item_groups, _DEPTHS):
        targets = [(("target", "catalogue"),)] if log.catalogue is not None else []
        for target in [(), *targets]:
            shares = Term("shares", (Term("exposure", cutoff=depth),), (("of", attribute), *target))
            if accepted(shares, log):
                yield str(shares)
    for part in _TOPS:
        top = Term("top_share", params=(("share", part),), cutoff=CUTOFF)
        if "item" in log.roles and accepted(top, log):
            yield str(top)


def _written(name: str, cls: type[Measure], log: Log) -> Iterator[Term]:
    """Yield a measure of ranked lists for every attribute that it may be about."""
    parameters = dataclasses.fields(cls)  # type: ignore[arg-type]
    needed = {one.name for one in parameters if one.default is dataclasses.MISSING}
    if not issubclass(cls, Ranking) or needed - {"of"} or name == "top_share":
        return
    cutoff = CUTOFF if any(one.name == "k" for one in parameters) else None
    target = any(one.name == "target" and one.default == "catalogue" for one in parameters)
    more: tuple[tuple[str, Value], ...] = ()
    if target and log.catalogue is None:
        more = (("target", "candidates"),)
    if "of" not in needed:
        yield Term(name, params=more, cutoff=cutoff)
        return
    for attribute in log.item_groups:
        yield Term(name, params=(("of", attribute), *more), cutoff=cutoff)


def _one_or_all(names: tuple[str, ...]) -> Value:
    return names[0] if len(names) == 1 else names


def accepted(term: Term, log: Log) -> bool:
    """Return whether a log has what a measure or contrast needs."""
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
