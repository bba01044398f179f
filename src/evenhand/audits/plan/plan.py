"""The audit plan, ``audit.yaml``: what is measured, in which rows, and what must hold."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Annotated, Any, Literal

import rfc8785
import yaml
from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from evenhand.audits.plan.model import ModelSource, ProbeEntry, as_probe, with_kind
from evenhand.audits.plan.part import Name, Part, Scalar, Text

FORMAT = 1
"""The version of the plan format that is written."""


def _as_date(value: object) -> object:
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            return value
    return value


Date = Annotated[dt.date, BeforeValidator(_as_date)]


def _text(value: object) -> object:
    """Return a version such as 7 or 1.2 as text, as people write it without quotes."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if plain else value


class Subject(Part):
    """What is audited."""

    product: str | None = Field(None, description="The product that the model serves.")
    model: str | None = Field(None, description="The model.")
    version: Annotated[
        str | None, BeforeValidator(_text, json_schema_input_type=str | float | None)
    ] = Field(None, description="The model's version.")
    owner: str | None = Field(None, description="Who answers for it.")
    artefact: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] | None = Field(
        None, description="Digest of the model's file: sha256: and 64 hexadecimal digits."
    )
    window: Annotated[list[Date], Field(min_length=2, max_length=2)] | None = Field(
        None, description="First and last day of the data."
    )

    @property
    def title(self) -> str:
        """The subject in a headline; empty when nothing of it is named."""
        return " / ".join(filter(None, (self.product, self.model, self.version)))


class LogSource(Part):
    """Where the rows are."""

    source: Text = Field(
        "", description="Path relative to the plan's folder, or glob; probes of a model need none."
    )
    kind: Text = Field("decisions", description="The product kind.")
    where: Text | None = Field(None, description="Rows in scope, as an expression.")
    top: int | None = Field(None, ge=1, description="Keep the most frequent values of each group.")
    max_bad_requests: float = Field(
        0.001,
        ge=0,
        le=1,
        description="Largest share of requests with tied slots or repeated items left out.",
    )


def _as_key(value: object) -> object:
    return {value: value} if isinstance(value, str) else value


class SideTable(Part):
    """What another table knows of the rows; a row whose key it has not is of group unknown."""

    source: Text = Field(description="Path relative to the plan's folder, or glob.")
    key: Annotated[
        dict[Name, Name], BeforeValidator(_as_key, json_schema_input_type=str | dict[str, str])
    ] = Field(
        min_length=1,
        max_length=1,
        description="Column of both that rows are joined on, or {column of the log: of the table}.",
    )
    columns: list[Name] | None = Field(
        None, min_length=1, description="Columns that are wanted; by default all others."
    )
    as_of: Name | None = Field(
        None,
        description="Time column of both, for a table of several rows for each key: the row in "
        "force at a row's time is taken.",
    )


class Entry(Part):
    """A measure or contrast, in the whole log and in slices of it."""

    measure: Text = Field(description="Notation, such as difference(selection_rate, by=race).")
    slices: list[Text] = Field(
        default_factory=list, description="Also measured in the rows where each of these holds."
    )


class Rule(Part):
    """What must hold of a measure for a release."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] = Field(
        description="Its name in verdicts and waivers: letters, digits, '-', '_' and '.'."
    )
    rule: Text = Field(description="A measure of the plan, <= or >=, and a number.")
    certainty: float = Field(0.95, gt=0.5, lt=1, description="How sure a verdict must be.")
    alternative: float | None = Field(
        None, description="Value at which the rule should pass, for 'units needed'."
    )
    why: str = Field("", description="Why this limit: shown with the verdict.")
    reliable: bool = Field(
        False,  # noqa: FBT003 - the default of a field
        description="Of perturbed examples: whether it passes only where the attacks behind the "
        "figure are judged reliable.",
    )


class Waiver(Part):
    """A rule whose failure somebody answers for; shown beside the verdict, never in its place."""

    rule: Text = Field(description="The rule's id.")
    owner: Text = Field(description="Who answers for it.")
    expires: Date = Field(description="Last day on which it holds.")
    reason: Text = Field(description="Why the failure is accepted until then.")


def _as_entry(value: object) -> object:
    return {"measure": value} if isinstance(value, str) else value


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _schema(schema: dict[str, Any]) -> None:
    """Say in the JSON Schema that rows are in a log, or are made by probes of a model."""
    schema["properties"]["log"].pop("default", None)
    read = {"required": ["log"], "properties": {"log": {"required": ["source"]}}}
    schema["anyOf"] = [read, {"required": ["model", "probes"]}]


class AuditPlan(Part):
    """Everything that an audit does: same plan and same rows give the same figures."""

    model_config = ConfigDict(json_schema_extra=_schema)

    evenhand: Literal[1] = Field(description="Version of the plan format.")
    subject: Subject = Field(Subject(), description="What is audited.")
    model: ModelSource | None = Field(
        None,
        description="A model and its inputs, of which probes make the rows: in place of a log.",
    )
    probes: list[
        Annotated[ProbeEntry, BeforeValidator(as_probe, json_schema_input_type=str | ProbeEntry)]
    ] = Field(default_factory=list, description="What is done to the model's inputs.")
    log: LogSource = Field(LogSource(), description="Where the rows are.")
    tables: list[SideTable] = Field(
        default_factory=list, description="Side tables whose columns the rows get."
    )
    roles: dict[str, Text] = Field(
        default_factory=dict, description="The column or expression that plays each role."
    )
    classes: list[Scalar] = Field(
        default_factory=list, description="Classes of label and prediction, where not yes or no."
    )
    unit: Annotated[
        list[Name], BeforeValidator(_as_list, json_schema_input_type=str | list[str])
    ] = Field(
        default_factory=lambda: ["row"],
        min_length=1,
        max_length=2,
        description="What is independent: row, a column, [user, item] or pair(a, b); of ranked "
        "lists the user, or else the request; of perturbed examples the column source.",
    )
    groups: dict[str, Any] = Field(
        default_factory=dict, description="Who is compared: columns, or bins of a number."
    )
    item_groups: dict[str, Any] = Field(
        default_factory=dict,
        description="Attributes of the items of ranked lists: columns, of lists for several.",
    )
    catalogue: Text | None = Field(
        None, description="Table of what could have been shown, one row per item."
    )
    measures: list[
        Annotated[Entry, BeforeValidator(_as_entry, json_schema_input_type=str | Entry)]
    ] = Field(default_factory=list, description="Measures and contrasts; empty for all that apply.")
    level: float = Field(0.95, gt=0, lt=1, description="Coverage of the intervals.")
    seed: int = Field(1, ge=0, description="Seed of simultaneous intervals.")
    min_units: int = Field(
        30, ge=0, description="Groups of fewer units are suppressed, and undecided in rules."
    )
    gate: list[Rule] = Field(default_factory=list, description="What must hold for a release.")
    waivers: list[Waiver] = Field(default_factory=list, description="Rules that are waived.")

    @model_validator(mode="before")
    @classmethod
    def _of_a_model(cls, content: object) -> object:
        return with_kind(content)

    @model_validator(mode="after")
    def _ids_differ(self) -> AuditPlan:
        ids = [rule.id for rule in self.gate]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            msg = f"two rules are called '{twice[0]}'"
            raise ValueError(msg)
        return self

    @property
    def written_unit(self) -> str | list[str] | None:
        """The unit as `evenhand.log` takes it; None where nobody said it."""
        if "unit" not in self.model_fields_set:
            return None
        return self.unit[0] if len(self.unit) == 1 else list(self.unit)

    @property
    def sliced(self) -> bool:
        """Whether there are measures, and each names the slices in which it is measured."""
        return bool(self.measures) and all(entry.slices for entry in self.measures)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values, without what is left at its default."""
        document = self.model_dump(mode="json", exclude_defaults=True)
        document = {"evenhand": self.evenhand, **document}
        if self.measures:
            document["measures"] = [
                entry if entry.get("slices") else entry["measure"] for entry in document["measures"]
            ]
        for table in document.get("tables", ()):
            ((ours, theirs),) = table["key"].items()
            table["key"] = ours if ours == theirs else table["key"]
        if "unit" in document:
            document["unit"] = self.written_unit
        if self.probes:
            document["probes"] = [one.written() for one in self.probes]
        return document

    def portable(self, named: Callable[[str], str]) -> AuditPlan:
        """Return the plan without the folders of one machine.

        Args:
            named: Gives a path without its folder where it is absolute.

        """
        return self.model_copy(
            update={
                "model": None if self.model is None else self.model.portable(named),
                "probes": [one.portable(named) for one in self.probes],
                "log": self.log.model_copy(update={"source": named(self.log.source)}),
                "tables": [
                    one.model_copy(update={"source": named(one.source)}) for one in self.tables
                ],
            }
        )

    def to_yaml(self) -> str:
        """Return the plan as YAML, in the order in which plans are read."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True, width=100)

    def identified(self) -> dict[str, Any]:
        """Return what tells the plan from others: all keys, but younger ones only where they say.

        A plan that asks for nothing that came after the format keeps its digest.
        """
        document = self.model_dump(mode="json")
        if self.model is None:
            del document["model"]
        for rule in document["gate"]:
            if not rule["reliable"]:
                del rule["reliable"]
        return document

    @property
    def digest(self) -> str:
        """SHA-256 of the plan, whatever its comments and its spelling."""
        return hashlib.sha256(rfc8785.dumps(self.identified())).hexdigest()
