"""A plan that names a model: opened, and checked against the rows that its probes will write.

Nothing is attacked here. What the rows will be is known beforehand but for what the model does, so
that a table with one row for each variant shows whatever is wrong with roles, groups, measures,
slices and rules before any work is done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from evenhand.audits.estimate import requests
from evenhand.audits.plan.default_probed import probed_measures
from evenhand.audits.plan.fit import Fit, fit, written_problems
from evenhand.audits.plan.lines import Located, Place, ordered
from evenhand.audits.plan.model import keys_for_flags
from evenhand.audits.plan.opened import Trust, open_model, placed, with_baseline
from evenhand.audits.plan.placed import at_place
from evenhand.audits.plan.plan import AuditPlan, Entry
from evenhand.engine.variant import check_variant
from evenhand.errors import (
    EvenhandError,
    MissingExtraError,
    ModelError,
    PlanError,
    Problem,
    listed,
)
from evenhand.logs.expression import Expression
from evenhand.logs.group import group_from
from evenhand.logs.kinds import kinds
from evenhand.models.inputs import Inputs
from evenhand.models.model import Model
from evenhand.probes.log import COLUMNS
from evenhand.probes.probe import Probe
from evenhand.probes.written import probe_of


@dataclass(frozen=True)
class Prepared:
    """A plan whose model, inputs and probes are opened, and fit together.

    Attributes:
        fit: The plan, with its measures, on a table that has one row for each variant.
        model: The model.
        inputs: Its inputs, with labels.
        probes: What is done, one for each of the plan's.
        types: The columns of the rows that probes write, all of them together, with their types;
            without groups.
        groups: Columns of the inputs that go into the log; flags are judged within the first.

    """

    fit: Fit
    model: Model
    inputs: Inputs
    probes: tuple[Probe, ...]
    types: dict[str, pl.DataType]
    groups: tuple[str, ...]


def prepare(
    plan: AuditPlan, located: Located | None, *, folder: Path | None, trust: Trust
) -> Prepared:
    """Return a plan with its model, inputs and probes opened.

    Args:
        plan: The plan, which names a model.
        located: Where everything stands in its file.
        folder: The folder that relative paths start from; None for the current one.
        trust: What its runner says.

    Raises:
        PlanError: With every problem of the plan, the model and the inputs.
        MissingExtraError: A library is not installed.

    """
    if plan.model is None:
        raise TypeError("the plan names no model")
    places = located or Located("", plan.model_dump(), {})
    first = [_probe(plan, places, index) for index in range(len(plan.probes))]
    problems = [one for _, wrong in first for one in wrong]
    root = folder or Path()
    try:
        model, inputs, told = open_model(plan.model, root, trust, places)
    except MissingExtraError:
        raise
    except EvenhandError as error:
        found = error.problems if isinstance(error, PlanError) else []
        found = found or [placed(one, places, plan.model) for one in error.problems]
        problems += [*found, *written_problems(plan, places)]
        raise PlanError(ordered(problems, places.name)) from error
    if inputs.labels is None:
        what = "the true classes are not known, so no example can be right."
        hint = "Say which column holds them, label: COLUMN."
        problems.append(Problem(places.where(("model", "label")), what, hint))
    probes: list[Probe] = []
    for index, (probe, _) in enumerate(first):
        try:
            full = with_baseline(plan, index, inputs, told, folder=root, trust=trust)
        except EvenhandError as error:
            key = ("baseline",) if plan.probes[index].baseline else ()
            problems += [] if probe is None else _at(places, ("probes", index, *key), error)
            continue
        probes.append(full)
        wrong = full.method.problems(model)
        if full.method.compared and not plan.groups and not plan.measures:
            what = "it takes the gap of groups apart, and the plan has none."
            hint = "Name them, groups: {sex: sex}; or ask explain.shap, which needs none."
            wrong = [*wrong, Problem(str(full.method.name), what, hint)]
        problems += _at(places, ("probes", index), ModelError(wrong)) if wrong else []
    problems += _clashes(plan, inputs, places)
    whole = len(probes) == len(first)
    problems += _twice(probes, places) if whole else []
    own = () if whole else kinds()[plan.log.kind].own
    types, table = _rows(probes, model, inputs, own)
    try:
        fitted = fit(
            plan if whole or plan.measures else plan.model_copy(update=_UNKNOWN),
            located,
            folder=folder,
            table=table.lazy(),
            read=False,
            defaults=lambda log: probed_measures([one.method for one in probes], model.spec, log),
        )
    except EvenhandError as error:
        raise PlanError(ordered([*problems, *error.problems], places.name)) from error
    if whole:
        problems += [*_scopes(fitted, places), *_slices(fitted, places, table)]
    if problems:
        raise PlanError(ordered(problems, places.name))
    return Prepared(fitted, model, inputs, tuple(probes), types, _read_of(inputs, fitted))


_UNKNOWN: dict[str, Any] = {
    "measures": [Entry(measure="clean_accuracy")],
    "gate": [],
    "waivers": [],
}
"""What is asked of a plan whose probes cannot be read, where these alone say what is measured."""


def notation_problems(probes: object, places: Located) -> list[Problem]:
    """Return what is wrong with the notation of probes in a document that is no plan yet."""
    found = []
    for index, one in enumerate(probes if isinstance(probes, list) else []):
        text = one.get("probe") if isinstance(one, dict) else one
        if isinstance(text, str):
            found += _read(text, 1, places, ("probes", index))[1]
    return found


def _probe(plan: AuditPlan, places: Located, index: int) -> tuple[Probe | None, list[Problem]]:
    entry = plan.probes[index]
    return _read(entry.probe, entry.seed, places, ("probes", index))


def _read(
    text: str, seed: int, places: Located, place: Place
) -> tuple[Probe | None, list[Problem]]:
    try:
        return probe_of(text, seed=seed), []
    except EvenhandError as error:
        return None, _at(places, place, error)


def _at(places: Located, place: Place, error: EvenhandError) -> list[Problem]:
    return [replace(one, hint=keys_for_flags(one.hint)) for one in at_place(places, place, error)]


def _twice(probes: Sequence[Probe], places: Located) -> Iterator[Problem]:
    """Yield the probes whose variants another one has: figures would mix the rows of both.

    Not of two kinds of curves, whose figures are of bins or points that the other has not.
    """
    known: dict[str, int] = {}
    for index, probe in enumerate(probes):
        both = [
            one.name
            for one in probe.variants
            if one.name in known and not _are_curves(probe, probes[known[one.name]])
        ]
        if both:
            what = f"probes[{known[both[0]]}] makes the variant '{both[0]}' too, and rows of a "
            what += "variant are of one probe."
            hint = "Audit each in a plan of its own."
            if probe.method.doubted:
                hint = "Use attack.auto, or other eps; or audit each in a plan of its own."
            yield Problem(places.where(("probes", index)), what, hint)
        known |= {one.name: index for one in probe.variants}


def _are_curves(one: Probe, other: Probe) -> bool:
    """Return whether two probes give curves of which each has columns of its own."""
    curved = one.method.curved and other.method.curved
    return curved and not {*one.method.summary} & {*other.method.summary}


def _rows(
    probes: Sequence[Probe], model: Model, inputs: Inputs, own: Sequence[str]
) -> tuple[dict[str, pl.DataType], pl.DataFrame]:
    """Return the columns that probes write, and a table of them with a row for each variant.

    Args:
        probes: The probes.
        model: The model.
        inputs: Its inputs.
        own: Columns that are there too: where a probe cannot be read, all that it may write.

    """
    label = pl.Series([*model.spec.labels]).dtype
    types = {"source": pl.Series(inputs.ids.tolist()).dtype, "label": label}
    for probe in probes:
        types |= probe.method.columns(label)
    types |= {name: _ANY.get(name, pl.Float64()) for name in own if name not in types}
    beside = {
        name: dtype
        for name, dtype in inputs.table.schema.items()
        if name not in COLUMNS and dtype != pl.Object
    }
    marks = [probe.method.marks(one) for probe in probes for one in probe.variants]
    return types, pl.DataFrame(marks, schema={**types, **beside})


_ANY: dict[str, pl.DataType] = {
    "variant": pl.String(),
    **dict.fromkeys(("correct", "robust", "certified", "corrupted_correct"), pl.Boolean()),
}
"""The types of the columns of logs that are no numbers."""


def _scopes(fitted: Fit, places: Located) -> Iterator[Problem]:
    """Yield the scopes whose rows would be of several variants."""
    for scope in fitted.scopes:
        asked = [one.measure for one in requests(fitted.questions[scope])]
        try:
            check_variant(fitted.log_of(scope), asked)
        except EvenhandError as error:
            one = error.problems[0]
            found = re.search(r'"(.*?)"', one.hint)
            hint = f'Name slices: slices: ["{found[1]}"].' if found else one.hint
            yield Problem(places.where(("measures",)), one.what, hint)
            return


def _slices(fitted: Fit, places: Located, table: pl.DataFrame) -> Iterator[Problem]:
    """Yield the slices that ask for a variant that no probe makes."""
    told = {"variant", "norm", "eps", "corruption", "severity"} & {*table.columns}
    frame, schema = nw.from_native(table), fitted.log.schema
    names = table["variant"].unique(maintain_order=True).to_list()
    for index, entry in enumerate(fitted.plan.measures):
        for number, text in enumerate(entry.slices):
            condition = Expression(text)
            if not {*condition.columns(schema)} <= told:
                continue
            if frame.filter(condition.lower(schema)).is_empty():
                place = ("measures", index, "slices", number)
                hint = f"Variants: {listed(map(repr, names[:_SHOWN]))}"
                hint += ", ..." if len(names) > _SHOWN else "."
                what = f"no probe of the plan makes rows of {text}."
                yield Problem(places.where(place), what, hint)


_SHOWN = 8


def _clashes(plan: AuditPlan, inputs: Inputs, places: Located) -> Iterator[Problem]:
    """Yield the groups whose column inputs have, and so have the rows that probes write."""
    label = None if plan.model is None else plan.model.label
    for name, value in plan.groups.items():
        try:
            (group,) = group_from({name: value}, {})
        except EvenhandError:
            # It is said where groups are read.
            continue
        for column in {*group.expression.columns(dict.fromkeys(COLUMNS, nw.String()))}:
            if column in COLUMNS and column in inputs.table.columns and column != label:
                what = f"inputs have a column '{column}', and so have the rows of probes."
                where = places.where(("groups", name))
                yield Problem(where, what, "Rename it in the inputs.")


def _read_of(inputs: Inputs, fitted: Fit) -> tuple[str, ...]:
    """Return the columns of the inputs that an audit reads beside those of probes.

    Groups whose values are compared as they are come first, before those that are cut into bins.
    """
    log = fitted.log
    asked = [by for one in fitted.questions[None] for part in one.every for by in part.sets]
    named = [*log.groups.values(), *(log.group(name) for by in asked for name in by)]
    expressions = [one.expression for one in sorted(named, key=lambda one: bool(one.bins))]
    expressions += [*log.roles.values(), *(Expression(one) for one in fitted.questions if one)]
    expressions += [] if log.where is None else [log.where]
    used = [name for one in expressions for name in one.columns(log.schema)]
    used += [*log.unit.columns, *(key for one in fitted.plan.tables for key in one.key)]
    used += [one.as_of for one in fitted.plan.tables if one.as_of is not None]
    of_inputs = {*inputs.table.columns} - {*COLUMNS}
    return tuple(name for name in dict.fromkeys(used) if name in of_inputs)
