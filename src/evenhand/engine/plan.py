"""The plan of a scan: which sums to make by which groups, each once however many measures ask."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import narwhals as nw

from evenhand.engine.lower import (
    MISSING,
    WEIGHT,
    Amount,
    AmountColumn,
    Limits,
    SumColumn,
    code_column,
)
from evenhand.errors import NotationError, Problem, did_you_mean, listed
from evenhand.logs.log import Log
from evenhand.measures.histogram import Histogram
from evenhand.measures.measure import Keyed, Measure, OneClass, RoleColumns, Sums, TermSums

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
        amounts: The column of each amount.
        products: The column of the product of each pair of terms and amounts.

    """

    terms: Mapping[str, str]
    rows: str
    trials: str
    excluded: Mapping[str, str]
    unobserved: Mapping[str, str]
    amounts: Mapping[str, str]
    products: Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Request:
    """A measure by a set of groups; no groups for the log as a whole."""

    measure: Measure
    by: tuple[str, ...] = ()


@dataclass
class Stage:
    """What to sum for one set of groups.

    Attributes:
        sums: The counts of rows, by key.
        amounts: The sums of numbers, by key.
        trials: Keys of the counts whose units are counted too.
        by_score: For each role, the keys of the counts that are made by its values too.

    """

    sums: dict[str, SumColumn] = field(default_factory=dict)
    amounts: dict[str, AmountColumn] = field(default_factory=dict)
    trials: dict[str, None] = field(default_factory=dict)
    by_score: dict[str, dict[str, None]] = field(default_factory=dict)

    @property
    def trial_columns(self) -> list[SumColumn]:
        """The counts whose units are counted too."""
        return [self.sums[key] for key in self.trials]


@dataclass(frozen=True)
class ScanPlan:
    """What one pass over the rows must bring.

    Attributes:
        stages: What to sum for each set of groups; a set inside another is its marginal.
        roles: The roles that the sums read.
        sets: All sets of groups that were asked for, those inside another included.
        limits: The values that roles may have, where measures restrict them.

    """

    stages: Mapping[tuple[str, ...], Stage]
    roles: tuple[str, ...]
    sets: tuple[tuple[str, ...], ...]
    limits: Limits

    @property
    def amounts(self) -> tuple[Amount, ...]:
        """The numbers to sum, each once."""
        columns = [column for stage in self.stages.values() for column in stage.amounts.values()]
        return tuple({column.amount.name: column.amount for column in columns}.values())


def plan_scan(requests: Iterable[Request], log: Log) -> ScanPlan:
    """Return the plan that serves all requests.

    Terms of equal name and condition are summed once. Sets of groups inside another requested
    set are read off its table, so no set is counted twice and no table is larger than was asked.
    """
    requests = list(requests)
    wanted = sorted({tuple(sorted(request.by)) for request in requests})
    largest = [by for by in wanted if not any(set(by) < set(other) for other in wanted)]
    stages = {by: Stage() for by in largest}
    limits: dict[str, tuple[float, float, str]] = {}
    for request in requests:
        for by, stage in stages.items():
            if set(request.by) <= set(by):
                _add(stage, request.measure, log)
        for role, (low, high) in request.measure.limits.items():
            known = limits.get(role, (low, high, request.measure.name))
            limits[role] = (max(low, known[0]), min(high, known[1]), known[2])
    roles = dict.fromkeys(role for request in requests for role in request.measure.needs)
    return ScanPlan(stages, tuple(roles), tuple(wanted), limits)


def role_columns(measure: Measure, log: Log) -> RoleColumns:
    """Return the roles of a log as a measure reads them.

    Raises:
        NotationError: The measure must say which class counts as positive, or names one that is
            not declared.

    """
    classes = max(len(log.classes), 2)
    if not isinstance(measure, OneClass):
        return RoleColumns(measure.needs, classes)
    positive = measure.positive
    if positive is None:
        averaged = getattr(measure, "average", None) is not None
        if log.classes and len(log.classes) > 2 and not averaged:  # noqa: PLR2004 - yes and no
            what = f"the log has {len(log.classes)} classes, so one must count as positive."
            named = listed(f"positive={value}" for value in log.classes)
            macro = " or average=macro" if hasattr(measure, "average") else ""
            hint = f"Write {measure.name}({named.split(', ')[0]}){macro}; classes: {named}."
            raise NotationError(Problem(f"'{measure}'", what, hint))
        number = None if averaged else 1
    else:
        names = [str(value) for value in log.classes or (0, 1)]
        if str(positive) not in names:
            hint = did_you_mean(str(positive), names)
            what = f"there is no class '{positive}'."
            raise NotationError(Problem(f"'{measure}'", what, hint))
        number = names.index(str(positive))
    return RoleColumns(measure.needs, classes, positive=number)


def columns_of(measure: Measure, log: Log) -> MeasureColumns:
    """Return where a measure finds its sums in a state of this log."""
    present = _present(measure, log)
    log_columns = role_columns(measure, log)
    terms = [*measure.terms(log_columns)]
    amounts = [*measure.amounts(log_columns)] if isinstance(measure, Sums) else []
    figure = (
        measure.finalise(TermSums.of_nothing(terms, amounts))
        if isinstance(measure, Sums)
        else measure.finalise(Histogram.of_nothing(terms))
        if isinstance(measure, Keyed)
        else None
    )
    if figure is None:
        raise TypeError(f"{measure.name} is neither Sums nor Keyed")
    names = {name: _named(name, measure) for name in [*terms, *amounts]}
    return MeasureColumns(
        terms={term: _key(names[term], present) for term in terms},
        rows=_key(ROW_COUNT, present),
        trials=_key(names[figure.among], present),
        excluded={
            _reason(role): _key(f"missing {role}", present[:i]) for i, role in enumerate(present)
        },
        unobserved={role: _key(f"missing {role}", present) for role in _unobserved(measure, log)},
        amounts={amount: _key(names[amount], present) for amount in amounts},
        products={
            (one, other): _key(_product_name(names[one], names[other]), present)
            for one, other in itertools.combinations_with_replacement([*terms, *amounts], 2)
        }
        if figure.needs_products
        else {},
    )


def _add(stage: Stage, measure: Measure, log: Log) -> None:
    present = _present(measure, log)
    columns = columns_of(measure, log)
    log_columns = role_columns(measure, log)
    terms = {_named(name, measure): c for name, c in measure.terms(log_columns).items()}
    conditions: dict[str, nw.Expr | int] = {ROW_COUNT: 1, **terms}
    amounts: dict[str, nw.Expr] = {}
    if isinstance(measure, Sums):
        amounts = {_named(name, measure): a for name, a in measure.amounts(log_columns).items()}
    summed = {name: Amount(name, expression, 1) for name, expression in amounts.items()}
    if columns.products:
        pairs = itertools.combinations_with_replacement([*terms, *amounts], 2)
        for one, other in pairs:
            name = _product_name(one, other)
            if other in terms:
                conditions[name] = _both(terms[one], terms[other])
            else:
                first = terms.get(one)
                value = amounts[other] if first is not None else amounts[one] * amounts[other]
                if first is not None and not isinstance(first, int):
                    value = nw.when(first).then(value)
                summed[name] = Amount(name, value, 2)
    new = [
        SumColumn(_key(name, present), condition, present) for name, condition in conditions.items()
    ]
    missing = [(role, present[:index]) for index, role in enumerate(present)]
    missing += [(role, present) for role in _unobserved(measure, log)]
    for role, among in missing:
        condition = nw.col(code_column(role)) == MISSING
        new.append(SumColumn(_key(f"missing {role}", among), condition, among))
    for column in new:
        _same(stage.sums.setdefault(column.key, column).condition, column.condition, column.key)
    for name, amount in summed.items():
        key = _key(name, present)
        known = stage.amounts.setdefault(key, AmountColumn(key, amount, columns.rows))
        _same(known.amount.expression, amount.expression, key)
    stage.trials[columns.trials] = None
    if isinstance(measure, Keyed):
        wanted = stage.by_score.setdefault(measure.key, {})
        wanted |= dict.fromkeys([*columns.terms.values(), columns.rows])


def _same(known: nw.Expr | int, new: nw.Expr | int, key: str) -> None:
    if repr(known) != repr(new):
        raise TypeError(
            f"two measures call different terms '{key}': {known!r} and {new!r}; rename one"
        )


def _both(one: nw.Expr | int, other: nw.Expr | int) -> nw.Expr | int:
    if isinstance(one, int):
        return other
    return one if isinstance(other, int) or repr(one) == repr(other) else one & other


def _named(name: str, measure: Measure) -> str:
    """Return the name of a term, which differs by the class that counts as positive."""
    positive = getattr(measure, "positive", None)
    return name if positive is None else f"{name} of {positive}"


def _product_name(one: str, other: str) -> str:
    return f"{one} x {other}"


def _present(measure: Measure, log: Log) -> tuple[str, ...]:
    """Return what must not be missing for a row to count: the filter, the weight, the decision."""
    present = ["where"] if log.where is not None else []
    present += [
        role.name
        for role in log.kind.roles
        if role.when_null == "exclude" and role.name in {*measure.needs, WEIGHT} & {*log.roles}
    ]
    return tuple(present)


def _unobserved(measure: Measure, log: Log) -> list[str]:
    return [
        role.name
        for role in log.kind.roles
        if role.when_null == "keep" and role.name in {*measure.needs} - {*measure.tolerates}
    ]


def _reason(role: str) -> str:
    return "the filter is missing" if role == "where" else f"{role} is missing"


def _key(term: str, present: tuple[str, ...]) -> str:
    return f"{term} [{', '.join(present)}]" if present else term
