"""Plans of documents: what a text writes, or everything that is wrong with its form, by line."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from evenhand.audits.plan.lines import Located, Place, read_yaml
from evenhand.audits.plan.model import ModelSource, ProbeEntry, contradictions
from evenhand.audits.plan.part import Scalar
from evenhand.audits.plan.plan import (
    FORMAT,
    AuditPlan,
    Entry,
    LogSource,
    Rule,
    SideTable,
    Subject,
    Waiver,
)
from evenhand.errors import PlanError, Problem, did_you_mean


def parse_plan(
    text: str, name: str = "audit.yaml", *, again: bool = False
) -> tuple[AuditPlan, Located]:
    """Return the plan that a YAML text writes, and where everything stands in it.

    Args:
        text: The text.
        name: The name of its file, for messages.
        again: Whether it was read before, as in `read_yaml`.

    Raises:
        PlanError: With the line of every problem.

    """
    located = read_yaml(text, name, again=again)
    return plan_from(located), located


def parse_mended(text: str, name: str) -> tuple[AuditPlan | None, Located, list[Problem]]:
    """Return the plan that a YAML text means, where everything stands, and what is wrong with it.

    Unknown keys are read as the keys that they are most like, or left out, so that what else is
    wrong is found in one pass. The plan is None where its form stays wrong.

    Raises:
        PlanError: The text is no plan at all.

    """
    located = read_yaml(text, name)
    try:
        return plan_from(located), located, []
    except PlanError as error:
        unknown = _unknown_keys(located)
        if not unknown:
            if not isinstance(error.__cause__, ValidationError):
                raise
            return None, located, [*error.problems]
        problems = [
            Problem(located.where(place), *_said({"type": "extra_forbidden"}, place))
            for place in unknown
        ]
    mended = _mended(located, unknown)
    try:
        return plan_from(mended), mended, problems
    except PlanError as error:
        return None, mended, [*problems, *error.problems]


def _unknown_keys(located: Located) -> list[Place]:
    try:
        AuditPlan.model_validate(located.content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return [one["loc"] for one in found if one["type"] == "extra_forbidden"]
    except (RecursionError, OverflowError, TypeError):
        pass
    return []


def _mended(located: Located, unknown: list[Place]) -> Located:
    """Return a document whose unknown keys are those that they are most like, or are gone."""
    content, lines = copy.deepcopy(located.content), dict(located.lines)
    for place in unknown:
        part = content
        for step in place[:-1]:
            part = part[step]
        wrong = place[-1]
        value = part.pop(wrong)
        near = get_close_matches(str(wrong).casefold(), [*_model_at(place).model_fields], n=1)
        if near and near[0] not in part:
            part[near[0]] = value
            meant = (*place[:-1], near[0])
            inside = [one for one in lines if one[: len(place)] == place]
            lines |= {(*meant, *one[len(place) :]): lines[one] for one in inside}
    return Located(located.name, content, lines)


def plan_from(located: Located) -> AuditPlan:
    """Return the plan that a document writes.

    Raises:
        PlanError: With every problem of its form.

    """
    if not isinstance(located.content, Mapping):
        hint = "Draft a plan from a log: evenhand init LOG."
        raise PlanError(Problem(located.where(()), "a plan is a mapping of keys to values.", hint))
    version = located.content.get("evenhand")
    if isinstance(version, int) and not isinstance(version, bool) and version > FORMAT:
        what = f"this plan has format {version}; this release reads up to {FORMAT}."
        hint = "pip install --upgrade evenhand"
        raise PlanError(Problem(located.where(("evenhand",)), what, hint))
    wrong = [*contradictions(located.content)]
    try:
        plan = AuditPlan.model_validate(located.content)
    except ValidationError as error:
        raise PlanError(_problems(error, located, wrong)) from error
    except (RecursionError, OverflowError) as error:
        raise PlanError(Problem(located.name, "it is nested too deeply for a plan.")) from error
    if wrong:
        raise PlanError(Problem(located.where(place), *said) for place, *said in wrong)
    return plan


def _problems(
    error: ValidationError, located: Located, wrong: Iterable[tuple[Place, str, str]]
) -> list[Problem]:
    """Return what Pydantic found in our words, each with its line, in the order of the lines.

    Args:
        error: What it found.
        located: The document.
        wrong: What does not go together in it.

    """
    found: dict[tuple[int, Problem], None] = {
        (located.line(place) or 0, Problem(located.where(place), *said)): None
        for place, *said in wrong
    }
    for one in error.errors(include_url=False, include_context=True, include_input=True):
        place = _known(one["loc"], located)
        what, hint = _said(one, one["loc"])
        line = located.line(place) or 0
        found.setdefault((line, Problem(located.where(place), what, hint)))
    return [problem for _, problem in sorted(found, key=lambda entry: entry[0])]


def _known(loc: tuple[str | int, ...], located: Located) -> Place:
    """Return the part of a place that is in the document, with a missing key as its last."""
    place: Place = ()
    for part in loc:
        inner = (*place, part)
        if inner not in located.lines and place:
            # What follows are names of alternatives, or the key that is missing.
            return inner if loc[-1] == part and isinstance(part, str) else place
        place = inner
    return place


def _said(one: Any, place: Place) -> tuple[str, str]:  # noqa: ANN401 - Pydantic's error details
    match one["type"]:
        case "extra_forbidden":
            return f"there is no key '{place[-1]}' here.", _near(place)
        case "missing":
            return f"the key '{place[-1]}' is missing.", _example(place)
        case "value_error":
            return f"{one['ctx']['error']}.", "Give each its own."
        case "string_type":
            hint = "Quote it: 'yes', '1'." if isinstance(one["input"], Scalar) else ""
            return f"{one['input']!r} is not text.", hint
        case "literal_error" if place == ("evenhand",):
            return f"{one['input']!r} is no plan format.", f"Write evenhand: {FORMAT}."
        case _:
            text = str(one["msg"])
            return f"{text[:1].lower()}{text[1:]}: {_shown(one['input'])}.", _example(place)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_LONGEST = 60

_EXAMPLES = {
    "source": "Write log: {source: decisions.parquet, kind: decisions}.",
    "log": "Write log: {source: decisions.parquet, kind: decisions}.",
    "measures": "Write measures: ['difference(selection_rate, by=sex)'].",
    "evenhand": f"Write evenhand: {FORMAT} at the top.",
    "expires": "Write a date: 2027-01-31.",
    "window": "Write window: [2026-11-01, 2026-11-30].",
    "certainty": "Write certainty: 0.95.",
    "tables": "Write tables: [{source: creators.parquet, key: creator_id}].",
    "address": "Write address: pkg.mod:name, a file, or http(s)://.",
    "inputs": "Write inputs: digits.parquet.",
    "shape": "Write shape: 28x28, 3x32x32 or 32x32x3.",
    "range": "Write range: [0, 1].",
    "model": "Write model: {address: pkg.mod:name, inputs: digits.parquet, label: label, ...}.",
    "probes": "Write probes: ['attack.auto(eps=8/255)', corrupt.common].",
    "gate": "Write gate: [{id: gap, rule: 'difference(selection_rate, by=sex) <= 0.05'}].",
}


def _example(place: Place) -> str:
    if place[:1] == ("tables",):
        return _EXAMPLES["tables"]
    return next((_EXAMPLES[str(part)] for part in reversed(place) if part in _EXAMPLES), "")


_MODELS: Mapping[str, type[BaseModel]] = {
    "subject": Subject,
    "model": ModelSource,
    "probes": ProbeEntry,
    "log": LogSource,
    "tables": SideTable,
    "measures": Entry,
    "gate": Rule,
    "waivers": Waiver,
}


def _model_at(place: Place) -> type[BaseModel]:
    return _MODELS.get(str(place[0]), AuditPlan) if len(place) > 1 else AuditPlan


def _near(place: Place) -> str:
    return did_you_mean(str(place[-1]), [*_model_at(place).model_fields])
