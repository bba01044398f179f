"""Policies: what a release needs beside its rules. Versioned YAML, with the line of every error."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from evenhand.audits.evidence.canonical import digest_of
from evenhand.audits.plan.lines import Located, Place, read_yaml
from evenhand.audits.plan.part import Text
from evenhand.errors import PlanError, Problem, did_you_mean

FORMAT = 1
"""The version of the policy format that is written."""

_SPAN = re.compile(r"(\d{1,5})\s*(d|h|m)")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def _as_span(value: object) -> object:
    found = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        msg = "write a number of days, hours or minutes, such as 90d, 12h or 30m"
        raise ValueError(msg)
    return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})


Span = Annotated[dt.timedelta, BeforeValidator(_as_span, json_schema_input_type=str)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Required(_Part):
    """A registered plan whose evidence every release needs."""

    plan: Text = Field(description="Name under which the plan is registered.")
    registered: Literal["before_window", "any"] = Field(
        "before_window", description="Whether it must be registered before its data begin."
    )


def _as_required(value: object) -> object:
    return {"plan": value} if isinstance(value, str) else value


class Policy(_Part):
    """What a release needs beside the rules of its audits."""

    policy: Literal[1] = Field(description="Version of the policy format.")
    max_age: Span | None = Field(
        dt.timedelta(days=90), description="How old evidence may be: 90d, 12h."
    )
    max_data_age: Span | None = Field(
        None, description="How long ago the last day of its data may be: 180d."
    )
    artefact: Literal["required", "optional"] = Field(
        "optional", description="Whether evidence must name the artefact that ships."
    )
    require: list[
        Annotated[Required, BeforeValidator(_as_required, json_schema_input_type=str | Required)]
    ] = Field(default_factory=list, description="Registered plans that must have run.")
    most_runs: int | None = Field(
        None, ge=1, description="How often a plan may be run for one version."
    )
    against: Literal["not_worse", "shown"] = Field(
        "not_worse",
        description="With another version: whether a rule that it passed must be passed again.",
    )
    on_unreachable: Literal["fail", "cached"] = Field(
        "fail", description="What a pipeline does while the centre is away."
    )
    cache: Span = Field(dt.timedelta(days=7), description="How long what is cached may decide: 7d.")
    longest_waiver: Span = Field(
        dt.timedelta(days=90), description="How long a waiver may hold: 90d."
    )


BUILT_IN = "policy: 1\n"
"""The policy where nobody wrote one: the defaults."""


@functools.lru_cache(maxsize=1024)
def parse_policy(text: str, name: str = "policy.yaml") -> Policy:
    """Return the policy that a YAML text writes.

    Raises:
        PlanError: With the line of every problem.

    """
    if not text.strip():
        raise PlanError(Problem(name, "it is empty.", _BEGIN))
    located = read_yaml(text, name)
    if not isinstance(located.content, dict):
        raise PlanError(Problem(located.where(()), "a policy is a mapping of keys.", _BEGIN))
    version = located.content.get("policy")
    if isinstance(version, int) and version > FORMAT:
        what = f"this policy has format {version}; this release reads up to {FORMAT}."
        hint = "pip install --upgrade evenhand"
        raise PlanError(Problem(located.where(("policy",)), what, hint))
    try:
        return Policy.model_validate(located.content)
    except ValidationError as error:
        told = error.errors(include_url=False)
        raise PlanError([_problem(one, located) for one in told]) from error


_BEGIN = "Begin with: policy: 1"


def _problem(one: Mapping[str, Any], located: Located) -> Problem:
    """Return what Pydantic found in our words, with its line."""
    place: Place = tuple(one["loc"])
    inside = len(place) > 1 and place[0] == "require"
    match one["type"]:
        case "extra_forbidden":
            known = [*(Required if inside else Policy).model_fields]
            what = f"there is no key '{place[-1]}' here."
            return Problem(located.where(place), what, did_you_mean(str(place[-1]), known))
        case "missing":
            hint = f"Write require: [{{{place[-1]}: NAME}}]." if inside else _BEGIN
            return Problem(located.where(place), f"the key '{place[-1]}' is missing.", hint)
        case "value_error":
            return Problem(located.where(place), f"{one['ctx']['error']}.")
        case "model_type":
            what = "name a plan, or write {plan: NAME, registered: before_window}."
            return Problem(located.where(place), what)
        case _:
            text = str(one["msg"])
            return Problem(located.where(place), f"{text[:1].lower()}{text[1:]}.")


def policy_digest(text: str) -> str:
    """Return the digest by which a version of a policy is known."""
    return digest_of(text.encode())
