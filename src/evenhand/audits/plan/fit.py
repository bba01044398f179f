"""Whether a plan fits its log: every problem at once, with its line, and no row read."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from evenhand.audits.compared import Against
from evenhand.audits.estimate import requests
from evenhand.audits.gate.rule import Limit
from evenhand.audits.plan.default import default_measures, scopes_of
from evenhand.audits.plan.lines import Located, Place
from evenhand.audits.plan.placed import at_place
from evenhand.audits.plan.plan import AuditPlan, Entry
from evenhand.audits.plan.source import kind_problems, opened_log
from evenhand.audits.question import Question, ask
from evenhand.engine.lower import lower
from evenhand.engine.plan import plan_scan
from evenhand.engine.refusal import MOST_GROUPS
from evenhand.engine.scan import groups_of
from evenhand.errors import EvenhandError, PlanError, Problem, did_you_mean, first_line, listed
from evenhand.logs.expression import Expression
from evenhand.logs.log import Log, check_where
from evenhand.logs.source import EngineLike, OnBadFile
from evenhand.logs.table import declared
from evenhand.notation import parse


@dataclass(frozen=True)
class Fit:
    """A plan that fits its log.

    Attributes:
        plan: The plan.
        log: The log, opened; no row is read yet.
        questions: What is asked in every scope: None for all rows in scope, then each slice.
        limits: For each rule's id what its figure is held against, by the figure's key.
        located: Where everything stands, for a plan from a file.

    """

    plan: AuditPlan
    log: Log
    questions: Mapping[str | None, list[Question]]
    limits: Mapping[str, Limit]
    located: Located | None = None

    @property
    def name(self) -> str | None:
        """The plan's file as it was named, without folders of one machine; None for no file."""
        if self.located is None or not self.located.name:
            return None
        path = PurePath(self.located.name)
        inside = not path.is_absolute() and ".." not in path.parts
        return path.as_posix() if inside else path.name

    @property
    def scopes(self) -> tuple[str | None, ...]:
        """The scopes of which figures are asked for; rows are counted in all.

        A figure over several variants has no meaning: where a kind has variants and every measure
        names its slices, these are what is asked for.
        """
        every = tuple(self.questions)
        return every[1:] if self.log.kind.variant and self.plan.sliced else every

    def log_of(self, scope: str | None) -> Log:
        """Return the log of a scope."""
        if scope is None:
            return self.log
        own = self.log.where
        text = scope if own is None else f"({own.text}) and ({scope})"
        return replace(self.log, where=Expression(text))

    @property
    def predicted_state_rows(self) -> int | None:
        """Rows of the tables of sums, if every group has as many values as it may have.

        None where a group's number of values is known only from its rows.
        """
        total = 0
        for asked in self.questions.values():
            for by in {by for question in asked for one in question.every for by in one.sets}:
                sizes = [self.log.group(name).most_values(self.log.schema) for name in by]
                if None in sizes:
                    return None
                total += self.log.unit.buckets * math.prod(filter(None, sizes))
        return total

    def line(self, place: Place) -> int | None:
        """Return the line of a place in the plan's file."""
        return None if self.located is None or not self.located.name else self.located.line(place)


def fit(
    plan: AuditPlan,
    located: Located | None = None,
    *,
    folder: Path | None = None,
    table: object = None,
    engine: EngineLike = None,
    on_bad_file: OnBadFile = "fail",
    today: dt.date | None = None,
    slices: Sequence[str] = (),
    read: bool = True,
    joined: bool = False,
    defaults: Callable[[Log], list[Entry]] | None = None,
) -> Fit:
    """Return the plan with its log and its questions.

    Args:
        plan: The plan.
        located: Where everything stands in its file.
        folder: The folder that relative paths start from; None for the current one.
        table: A table in memory to audit instead of the plan's source.
        engine: ``polars``, ``duckdb``, ``spark``, or a `Spark`.
        on_bad_file: Whether files that are broken fail the audit or are left out.
        today: The day on which waivers must still hold; None for today.
        slices: Where the plan names no measures, the slices in which those that apply are
            measured too.
        read: Whether rows may be looked at to learn which measures apply, where none are named.
        joined: Whether the table has the columns of the plan's side tables already.
        defaults: What is measured where the plan names no measures; by default all that apply.

    Raises:
        PlanError: With every problem of roles, groups, measures, rules and waivers.
        SourceError: The source cannot be opened.

    """
    places = located or Located("", plan.model_dump(), {})
    alone: dict[str, Any] = {"tables": [], "catalogue": None}
    read_beside = plan.model_copy(update=alone) if joined else plan
    log, problems = opened_log(read_beside, places, folder, table, (engine, on_bad_file))
    if joined and log is not None:
        counted = declared(one.model_dump() for one in plan.tables)
        # States know the catalogue; without rows it is enough that it has the columns.
        catalogue = None if plan.catalogue is None else log.source
        log = replace(log, source=replace(log.source, tables=counted), catalogue=catalogue)
    problems += _waiver_problems(plan, places, today or dt.datetime.now(dt.UTC).date())
    if log is None:
        raise PlanError([*problems, *written_problems(plan, places)])
    if not plan.measures:
        if defaults is None:
            found = default_measures(log, read=read)
            apply = [Entry(measure=one, slices=scopes_of(one, slices)) for one in found]
        else:
            apply = defaults(log)
        plan = plan.model_copy(update={"measures": apply})
        problems += _no_measures(log, places) if not apply else []
    questions: dict[str | None, list[Question]] = {None: []}
    known: dict[str, Question] = {}
    for index, entry in enumerate(plan.measures):
        place: Place = ("measures", index)
        try:
            (question,) = ask([entry.measure], log)
        except EvenhandError as error:
            problems += at_place(places, place, error)
            continue
        known[question.key] = question
        questions[None].append(question)
        for number, scope in enumerate(entry.slices):
            wrong = check_where(Expression(scope), log.schema)
            problems += (
                at_place(places, (*place, "slices", number), PlanError(wrong)) if wrong else []
            )
            questions.setdefault(scope, []).append(question)
    limits, wrong = _limits(plan, known, log, places)
    problems += wrong
    if problems:
        raise PlanError(problems)
    unique = {
        scope: [*{one.key: one for one in asked}.values()] for scope, asked in questions.items()
    }
    fitted = Fit(plan, log, unique, limits, located)
    problems = [*_too_large(fitted, places), *_cannot_run(fitted, places)]
    if problems:
        raise PlanError(problems)
    return fitted


MOST_PREDICTED = 10 * MOST_GROUPS
"""A plan that may make more groups than this is refused as it stands; most of fewer may be empty,
so that the first rows decide about these."""


def _too_large(fitted: Fit, places: Located) -> Iterator[Problem]:
    """Yield the measures whose tables would explode, with the size that they would have."""
    seen = set()
    for index, entry in enumerate(fitted.plan.measures):
        (question,) = ask([entry.measure], fitted.log)
        for by in (by for one in question.every for by in one.sets):
            sizes = {name: fitted.log.group(name).most_values(fitted.log.schema) for name in by}
            groups = math.prod(size for size in sizes.values() if size is not None)
            if None in sizes.values() or groups <= MOST_PREDICTED or by in seen:
                continue
            seen.add(by)
            states = groups * fitted.log.unit.buckets
            each = " x ".join(f"{size} of {name}" for name, size in sizes.items())
            what = f"{groups:,} groups ({each}), so {states:,} rows of sums, are too many."
            hint = f"Fewer bins or attributes; at most {MOST_GROUPS:,} groups are compared."
            yield Problem(places.where(("measures", index)), what, hint)


def _cannot_run(fitted: Fit, places: Located) -> Iterator[Problem]:
    """Yield the measures that the engine of the log cannot compute; no row is read."""
    log = fitted.log
    if _lowers(fitted.questions[None], log) is None:
        return
    for index, entry in enumerate(fitted.plan.measures):
        error = _lowers(ask([entry.measure], log), log)
        if error is not None:
            what = f"{log.source.engine} cannot compute {entry.measure}: {first_line(error)}"
            hint = "Use another --engine, or tell whoever wrote the measure."
            yield Problem(places.where(("measures", index)), what, hint)


def _lowers(questions: Sequence[Question], log: Log) -> Exception | None:
    """Return what stops the engine from taking the expressions of measures; None for nothing."""
    plan = plan_scan(requests(questions), log)
    try:
        lower(log, plan.roles, groups_of(plan, log), plan.amounts, plan.limits)
    except EvenhandError:
        # What is wrong with the log is said when it is read.
        return None
    except Exception as error:  # noqa: BLE001 - each engine has its own
        return error
    return None


def written_problems(plan: AuditPlan, places: Located) -> list[Problem]:
    """Return what is wrong with the measures and rules of a plan whatever its log."""
    written = [(("measures", place), one.measure) for place, one in enumerate(plan.measures)]
    rules = [(("gate", place, "rule"), rule.rule) for place, rule in enumerate(plan.gate)]
    found = _notation_problems(written, places)
    return [*found, *_notation_problems(rules, places, rules=True)]


def form_problems(located: Located) -> list[Problem]:
    """Return what is wrong with the kind and the rules of a document that is no plan yet."""

    def part(inside: object, key: str) -> object:
        return inside.get(key) if isinstance(inside, Mapping) else None

    kind = part(part(located.content, "log"), "kind")
    problems = kind_problems(kind, located) if isinstance(kind, str) else []
    gate = part(located.content, "gate")
    written = [
        (("gate", place, "rule"), text)
        for place, rule in enumerate(gate if isinstance(gate, list) else [])
        if isinstance(text := part(rule, "rule"), str)
    ]
    return problems + _notation_problems(written, located, rules=True)


def _notation_problems(
    written: Iterable[tuple[Place, str]], places: Located, *, rules: bool = False
) -> list[Problem]:
    """Return what is wrong with measures or rules whatever the log."""
    problems = []
    for place, text in written:
        try:
            parse(Limit.parse(text).notation if rules else text)
        except EvenhandError as error:
            problems += at_place(places, place, error)
    return problems


def _no_measures(log: Log, places: Located) -> list[Problem]:
    known = [role.name for role in log.kind.roles]
    what = f"no measure applies to the roles {listed(log.roles)}."
    if not log.roles:
        what = "no role is given, so no measure applies."
    say = "roles: {prediction: COLUMN}" if places.name else "--prediction COLUMN"
    hint = f"Say what the columns mean, such as {say}. Roles: {listed(known)}."
    return [Problem(places.where(("roles",)), what, hint)]


def _limits(
    plan: AuditPlan, known: Mapping[str, Question], log: Log, places: Located
) -> tuple[dict[str, Limit], list[Problem]]:
    """Return what each rule holds its figure against, and what is wrong with the rules."""
    limits: dict[str, Limit] = {}
    problems: list[Problem] = []
    for index, rule in enumerate(plan.gate):
        place: Place = ("gate", index, "rule")
        try:
            limit = Limit.parse(rule.rule)
            (question,) = ask([limit.notation], log)
        except EvenhandError as error:
            problems += at_place(places, place, error)
            continue
        if question.key not in known:
            what = f"the plan does not measure '{question.key}'."
            hint = f"Add it to measures. {did_you_mean(question.key, [*known])}"
            problems.append(Problem(places.where(place), what, hint))
            continue
        limits[rule.id] = replace(limit, notation=question.key)
        if rule.reliable and "robust" not in log.kind.own:
            what = f"rows of kind '{log.kind.name}' come from no attack that could be reliable."
            where = places.where(("gate", index, "reliable"))
            problems.append(Problem(where, what, "Leave it out; it is for the kind perturbed."))
        against = Against(limit.value, limit.direction == "at most", rule.alternative)
        contrast = question.contrast
        wrong = None if contrast is None else contrast.rule_problem(question, against)
        if wrong is not None:
            problems.append(Problem(places.where(place), *wrong))
        if rule.alternative is not None and not _inside(rule.alternative, limit):
            what = f"the alternative {rule.alternative:g} is not where the rule holds."
            where = places.where(("gate", index, "alternative"))
            problems.append(Problem(where, what, f"It must be {limit.sign} {limit.value:g}."))
    return limits, problems


def _inside(value: float, limit: Limit) -> bool:
    return value < limit.value if limit.direction == "at most" else value > limit.value


def _waiver_problems(plan: AuditPlan, places: Located, today: dt.date) -> list[Problem]:
    ids = [rule.id for rule in plan.gate]
    problems = []
    for index, waiver in enumerate(plan.waivers):
        if waiver.rule not in ids:
            where = places.where(("waivers", index, "rule"))
            hint = did_you_mean(waiver.rule, ids) if ids else f"Rules: {listed(ids)}."
            problems.append(Problem(where, f"no rule is called '{waiver.rule}'.", hint))
        if waiver.expires < today:
            where = places.where(("waivers", index, "expires"))
            what = f"the waiver of '{waiver.rule}' expired on {waiver.expires}."
            problems.append(Problem(where, what, "Remove it, or have it renewed."))
    return problems
