"""The plan of a scan: which sums to make by which groups, each once however many measures ask."""

from __future__ import annotations

import functools
import itertools
import operator
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
from evenhand.engine.view import Counted, View, view_of, views_of
from evenhand.errors import NotationError, Problem, did_you_mean, listed
from evenhand.logs.log import Log
from evenhand.logs.role import UNCHECKED
from evenhand.measures.histogram import Histogram
from evenhand.measures.measure import Keyed, Measure, RoleColumns, Sums, TermSums
from evenhand.measures.ranking import Ranking
from evenhand.notation import Term

ROW_COUNT = "rows"


@dataclass(frozen=True)
class MeasureColumns:
    """Where a measure finds its sums in a state.

    Attributes:
        terms: The column of each term.
        rows: The column that counts the rows the measure is about.
        trials: The column of the term whose rows are the measure's trials.
        excluded: For each reason, the column that counts the rows left out for it.
        unobserved: For each needed role that may be missing, the column that counts those rows,
            as far as the measure would be another if they were seen.
        seen: The columns that count rows whose label is missing, and seen, at each prediction.
        amounts: The column of each amount.
        products: The column of the product of each pair of terms and amounts.

    """

    terms: Mapping[str, str]
    rows: str
    trials: str
    excluded: Mapping[str, str]
    unobserved: Mapping[str, str]
    seen: Mapping[str, str]
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
        views: For ranked lists, the views in which measures are counted, and the plan of each.

    """

    stages: Mapping[tuple[str, ...], Stage]
    roles: tuple[str, ...]
    sets: tuple[tuple[str, ...], ...]
    limits: Limits
    views: tuple[tuple[View, ScanPlan], ...] = ()

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
    if log.kind.ranked:
        return _plan_ranked(requests, log)
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


def _plan_ranked(requests: Iterable[Request], log: Log) -> ScanPlan:
    """Return a plan of views: what is asked of ranked lists is counted in these."""
    asked = [(one.measure, one.by) for one in requests if isinstance(one.measure, Ranking)]
    views = []
    for view in views_of(asked, log):
        inside = [
            Request(Counted(measure), by)
            for measure, by in asked
            if view_of(measure, by, log) == view.name
        ]
        views.append((view, plan_scan(inside, view.log)))
    return ScanPlan({}, (), (), {}, tuple(views))


def role_columns(measure: Measure, log: Log) -> RoleColumns:
    """Return the roles of a log as a measure reads them.

    Raises:
        NotationError: The measure must say which class counts as positive, or names one that is
            not declared.

    """
    classes = log.classes or (0, 1)
    names = tuple(map(str, classes))
    if not hasattr(measure, "positive") or (measure.positive is None and not log.classes):
        return RoleColumns(measure.needs, names)
    positive = measure.positive
    if positive is None and getattr(measure, "average", None) is not None:
        return RoleColumns(measure.needs, names)
    if positive is None and 1 in classes and len(classes) == 2:  # noqa: PLR2004 - yes and no
        return RoleColumns(measure.needs, names, positive=classes.index(1))
    if positive is None:
        what = f"the log has {len(classes)} classes, so one must count as positive."
        written = [str(Term(measure.name, params=(("positive", value),))) for value in classes]
        macro = " or average=macro" if hasattr(measure, "average") else ""
        hint = f"Write {written[-1]}{macro}. Classes: {listed(written)}."
        raise NotationError(Problem(f"'{measure}'", what, hint))
    if positive in classes and not isinstance(positive, bool):
        return RoleColumns(measure.needs, names, positive=classes.index(positive))
    if str(positive) in names:
        return RoleColumns(measure.needs, names, positive=names.index(str(positive)))
    hint = did_you_mean(str(positive), names)
    raise NotationError(Problem(f"'{measure}'", f"there is no class '{positive}'.", hint))


def columns_of(measure: Measure, log: Log) -> MeasureColumns:
    """Return where a measure finds its sums in a state of this log."""
    present = _present(measure, log)
    log_columns = role_columns(measure, log)
    terms = measure.terms(log_columns)
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
            _reason(role, log): _key(f"missing {role}", present[:i])
            for i, role in enumerate(present)
        },
        unobserved={
            role: _key(_missing_name(role, measure), present) for role in _unobserved(measure, log)
        },
        seen={name: _key(name, present) for name in (_SEEN if _selective(measure, log) else ())},
        amounts={amount: _key(names[amount], present) for amount in amounts},
        products={
            (one, other): _key(
                _product_name(names[one], names[other], same=_same_sum(one, other, terms, log)),
                present,
            )
            for one, other in itertools.combinations_with_replacement([*terms, *amounts], 2)
        }
        if figure.needs_products
        else {},
    )


def _add(stage: Stage, measure: Measure, log: Log) -> None:
    columns = columns_of(measure, log)
    conditions, summed = _conditions_and_amounts(measure, log, products=bool(columns.products))
    present = _present(measure, log)
    for column in [
        *(SumColumn(_key(name, present), term, present) for name, term in conditions.items()),
        *_missing_columns(measure, log),
    ]:
        _same(stage.sums.setdefault(column.key, column).condition, column.condition, column.key)
    for name, amount, among in summed:
        key = _key(name, present)
        known = stage.amounts.setdefault(key, AmountColumn(key, amount, _key(among, present)))
        _same(known.amount.expression, amount.expression, key)
    stage.trials[columns.trials] = None
    if isinstance(measure, Keyed):
        wanted = stage.by_score.setdefault(measure.key, {})
        wanted |= dict.fromkeys([*columns.terms.values(), columns.rows])


def _conditions_and_amounts(
    measure: Measure, log: Log, *, products: bool
) -> tuple[dict[str, nw.Expr | int], list[tuple[str, Amount, str]]]:
    """Return what a measure counts by name, and what it sums: name, number, and among which rows.

    Products are among both. A condition times a number is the number among fewer rows, which
    counts by codes tell without another pass.
    """
    columns = role_columns(measure, log)
    terms = {_named(name, measure): term for name, term in measure.terms(columns).items()}
    numbers: dict[str, nw.Expr] = {}
    if isinstance(measure, Sums):
        numbers = {_named(name, measure): n for name, n in measure.amounts(columns).items()}
    conditions: dict[str, nw.Expr | int] = {ROW_COUNT: 1, **terms}
    summed = [(name, Amount(name, number, 1), ROW_COUNT) for name, number in numbers.items()]
    if not products:
        return conditions, summed
    for one, other in itertools.combinations_with_replacement([*terms, *numbers], 2):
        if _same_sum(one, other, terms, log):
            continue
        name = _product_name(one, other)
        if other in terms:
            conditions[name] = _both(terms[one], terms[other])
        elif one in numbers:
            product = Amount(name, numbers[one] * numbers[other], 2)
            summed.append((name, product, ROW_COUNT))
        else:
            among = ROW_COUNT if isinstance(terms[one], int) else one
            number = Amount(other, numbers[other], 1)
            if WEIGHT in log.roles:
                number = Amount(f"{other}, squared weight", numbers[other], 2)
            summed.append((name, number, among))
    return conditions, summed


def _missing_columns(measure: Measure, log: Log) -> list[SumColumn]:
    """Return the counts of rows that a measure leaves out, or cannot judge, for want of a role."""
    present = _present(measure, log)
    found = []
    for index, role in enumerate(present):
        among = present[:index]
        missing = nw.col(code_column(role)) == MISSING
        found.append(SumColumn(_key(f"missing {role}", among), missing, among))
    for role in _unobserved(measure, log):
        key = _key(_missing_name(role, measure), present)
        found.append(SumColumn(key, _matters(role, measure, role_columns(measure, log)), present))
    if _selective(measure, log):
        missing = nw.col("label").is_null()
        states = itertools.product((0, 1), (missing, ~missing))
        for name, (number, state) in zip(_SEEN, states, strict=True):
            of_rows = (nw.col("prediction") == number) & state
            found.append(SumColumn(_key(name, present), of_rows, present))
    return found


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


def _product_name(one: str, other: str, *, same: bool = False) -> str:
    return other if same else f"{one} x {other}"


def _same_sum(one: str, other: str, terms: Mapping[str, nw.Expr | int], log: Log) -> bool:
    """Return whether the product of two terms has the sum that the second has anyway.

    A condition times itself, or times every row, is itself; so is a number times every row, but
    for the power of the weight.
    """
    every_row = isinstance(terms.get(one), int)
    if other in terms:
        return every_row or one == other
    return every_row and WEIGHT not in log.roles


def _present(measure: Measure, log: Log) -> tuple[str, ...]:
    """Return what must not be missing for a row to count: the filter, the weight, the decision."""
    present = ["where"] if log.where is not None else []
    present += [
        role.name
        for role in log.kind.roles
        if role.when_null == "exclude"
        and role.name in ({*measure.needs} - {*measure.tolerates} | {WEIGHT}) & {*log.roles}
    ]
    return tuple(present)


def _unobserved(measure: Measure, log: Log) -> list[str]:
    return [
        role.name
        for role in log.kind.roles
        if role.when_null == "keep"
        and role.values not in UNCHECKED
        and role.name in {*measure.needs} - {*measure.tolerates}
    ]


_SEEN = tuple(
    f"label {state} at prediction {number}" for number in (0, 1) for state in ("missing", "seen")
)


def _selective(measure: Measure, log: Log) -> bool:
    """Return whether labels may be missing because of the decision."""
    both = {"label", "prediction"} <= {*measure.needs}
    return both and measure.reads == "classes" and not log.classes


def _missing_name(role: str, measure: Measure) -> str:
    return f"missing {role} of {measure}"


def _matters(role: str, measure: Measure, columns: RoleColumns) -> nw.Expr:
    """Return for which rows a role is missing and its value would change the measure.

    A positive predictive value is about those selected: labels of the others may be missing.
    """
    missing = nw.col(code_column(role)) == MISSING
    amounts = measure.amounts(columns) if isinstance(measure, Sums) else {}
    if measure.reads == "numbers" or amounts:
        return missing
    first, *others = (measure.terms(columns.filled(**{role: n})) for n in columns.classes)
    changes = [
        term != other[name]
        for other in others
        for name, term in first.items()
        if not isinstance(term, int)
    ]
    return missing & functools.reduce(operator.or_, changes)


def _reason(role: str, log: Log) -> str:
    if role == "where":
        return "the filter is missing"
    return log.kind.role(role).missing or f"{role} is missing"


def _key(term: str, present: tuple[str, ...]) -> str:
    return f"{term} [{', '.join(present)}]" if present else term
