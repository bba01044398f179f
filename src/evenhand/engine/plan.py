"""The plan of a scan: which sums to make by which groups, each once however many measures ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import narwhals as nw

from evenhand.engine.lower import MISSING, WEIGHT, SumColumn, code_column
from evenhand.logs.log import Log
from evenhand.measures.measure import RoleColumns, Sums, TermSums

ROW_COUNT = "rows"


@dataclass(frozen=True)
class MeasureColumns:
    """Where a measure finds its sums in a state.

    Attributes:
        terms: The column of each term.
        rows: The column that counts the rows the measure is about.
        trials: The column of the term whose rows are the measure's trials.
        excluded: For each reason, the column that counts the rows left out for it.
        unobserved: For each needed role that may be missing, the column that counts those rows.

    """

    terms: Mapping[str, str]
    rows: str
    trials: str
    excluded: Mapping[str, str]
    unobserved: Mapping[str, str]


@dataclass(frozen=True)
class Request:
    """A measure by a set of groups; no groups for the log as a whole."""

    measure: Sums
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScanPlan:
    """What one pass over the rows must bring.

    Attributes:
        stages: The sums to make for each set of groups; a set inside another is its marginal.
        trials: For each set of groups, the columns whose units are counted too.
        roles: The roles that the sums read.
        sets: All sets of groups that were asked for, those inside another included.

    """

    stages: Mapping[tuple[str, ...], tuple[SumColumn, ...]]
    trials: Mapping[tuple[str, ...], tuple[SumColumn, ...]]
    roles: tuple[str, ...]
    sets: tuple[tuple[str, ...], ...]


def plan_scan(requests: Iterable[Request], log: Log) -> ScanPlan:
    """Return the plan that serves all requests.

    Terms of equal name and condition are summed once. Sets of groups inside another requested
    set are read off its table, so no set is counted twice and no table is larger than was asked.
    """
    requests = list(requests)
    wanted = sorted({tuple(sorted(request.by)) for request in requests})
    largest = [by for by in wanted if not any(set(by) < set(other) for other in wanted)]
    stages: dict[tuple[str, ...], dict[str, SumColumn]] = {by: {} for by in largest}
    trials: dict[tuple[str, ...], set[str]] = {by: set() for by in largest}
    for request in requests:
        for by, columns in stages.items():
            if set(request.by) <= set(by):
                _add(columns, request.measure, log)
                trials[by].add(columns_of(request.measure, log).trials)
    roles = dict.fromkeys(role for request in requests for role in request.measure.needs)
    return ScanPlan(
        stages={by: tuple(columns.values()) for by, columns in stages.items()},
        trials={
            by: tuple(column for key, column in columns.items() if key in trials[by])
            for by, columns in stages.items()
        },
        roles=tuple(roles),
        sets=tuple(wanted),
    )


def columns_of(measure: Sums, log: Log) -> MeasureColumns:
    """Return where a measure finds its sums in a state of this log."""
    present = _present(measure, log)
    terms = measure.terms(RoleColumns(measure.needs))
    return MeasureColumns(
        terms={term: _key(term, present) for term in terms},
        rows=_key(ROW_COUNT, present),
        trials=_key(measure.finalise(TermSums.of_nothing(terms)).among, present),
        excluded={
            _reason(role): _key(f"missing {role}", present[:i]) for i, role in enumerate(present)
        },
        unobserved={role: _key(f"missing {role}", present) for role in _unobserved(measure, log)},
    )


def _add(columns: dict[str, SumColumn], measure: Sums, log: Log) -> None:
    present = _present(measure, log)
    conditions = {ROW_COUNT: 1, **measure.terms(RoleColumns(measure.needs))}
    new = [
        SumColumn(_key(name, present), condition, present) for name, condition in conditions.items()
    ]
    missing = [(role, present[:index]) for index, role in enumerate(present)]
    missing += [(role, present) for role in _unobserved(measure, log)]
    for role, among in missing:
        condition = nw.col(code_column(role)) == MISSING
        new.append(SumColumn(_key(f"missing {role}", among), condition, among))
    for column in new:
        known = columns.setdefault(column.key, column)
        if repr(known.condition) != repr(column.condition):
            raise TypeError(
                f"two measures call different terms '{column.key}': "
                f"{known.condition!r} and {column.condition!r}; rename one"
            )


def _present(measure: Sums, log: Log) -> tuple[str, ...]:
    """Return what must not be missing for a row to count: the filter, the weight, the decision."""
    present = ["where"] if log.where is not None else []
    present += [
        role.name
        for role in log.kind.roles
        if role.when_null == "exclude" and role.name in {*measure.needs, WEIGHT} & {*log.roles}
    ]
    return tuple(present)


def _unobserved(measure: Sums, log: Log) -> list[str]:
    return [
        role.name
        for role in log.kind.roles
        if role.when_null == "keep" and role.name in measure.needs
    ]


def _reason(role: str) -> str:
    return "the filter is missing" if role == "where" else f"{role} is missing"


def _key(term: str, present: tuple[str, ...]) -> str:
    return f"{term} [{', '.join(present)}]" if present else term
