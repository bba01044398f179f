"""A guess at what the columns of a log mean: values first, then names, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from evenhand.audits.plan.column import Column, Sample, equal_to
from evenhand.audits.plan.people import Guessed, groups_of, maybe_weights, unit_of, weight_of
from evenhand.audits.plan.roles import decision_roles, regression_roles, yes_or_no
from evenhand.audits.plan.unlabelled import Unlabelled, unlabelled
from evenhand.errors import Problem, listed
from evenhand.logs.expression import Expression
from evenhand.logs.group import group_from
from evenhand.logs.source import open_source

__all__ = ["Guess", "Guessed", "guess"]


@dataclass(frozen=True)
class Guess:
    """What the columns of a log seem to mean.

    Attributes:
        kind: The product kind.
        roles: The roles of the kind that columns seem to play.
        unit: What seems to be independent.
        groups: Who can be compared.
        problems: What could not be told and an audit needs; no plan can be drafted with any.
        notes: What could not be told, and what is lost by that.
        sample: The rows that were looked at.
        unlabelled: What is known of labels that are missing; None where none is.

    """

    kind: str
    roles: tuple[Guessed, ...]
    unit: Guessed
    groups: tuple[Guessed, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    sample: Sample = field(repr=False)
    unlabelled: Unlabelled | None = None

    @property
    def parts(self) -> tuple[Guessed, ...]:
        """Everything that is guessed, in the order of a plan."""
        return (*self.roles, self.unit, *self.groups)

    def role(self, name: str) -> Guessed | None:
        """Return what plays a role, or None."""
        return next((one for one in self.roles if one.part == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the guess as plain values."""
        return {
            "kind": self.kind,
            "rows": self.sample.rows.height,
            "all_rows": self.sample.is_whole,
            "guessed": [
                {
                    "part": one.part,
                    "text": one.text,
                    "column": one.column or None,
                    "bins": list(one.bins),
                    "why": one.why,
                    "sure": one.sure,
                    "others": list(one.others),
                }
                for one in self.parts
            ],
            "notes": list(self.notes),
        }


def guess(
    source: object,
    *,
    kind: str | None = None,
    roles: Mapping[str, str] | None = None,
    groups: Iterable[str] = (),
    unit: str | None = None,
    engine: str | None = None,
) -> Guess:
    """Return what the columns of a log seem to mean.

    Args:
        source: A path, glob or table.
        kind: The product kind, where it is known.
        roles: Roles that are known: columns or expressions; they are taken as they are.
        groups: Groups that are known; no others are guessed then.
        unit: The unit, where it is known.
        engine: ``polars``, ``duckdb`` or ``spark``.

    Raises:
        SourceError: The source cannot be read.

    """
    sample = Sample.of(open_source(source, engine).fitting(()))
    known = [_given_role(part, text, sample) for part, text in (roles or {}).items()]
    chosen = [one for text in groups for one in _given_groups(text, sample)]
    taken = {name for one in (*known, *chosen) for name in _columns(one.text, sample)} | {
        one.column for one in known
    }
    independent = (
        Guessed("unit", unit, unit, "you said so", "given") if unit else unit_of(sample, taken)
    )
    taken |= {independent.column} - {""}
    weight = weight_of(sample, taken)
    if weight is not None and not any(one.part == "weight" for one in known):
        known.append(weight)
        taken.add(weight.column)
    kind, found = _roles(sample, kind, known, taken)
    taken |= {one.column for one in found}
    who = chosen or groups_of(sample, taken)
    missing = unlabelled(sample, found)
    if missing is not None:
        found = [_with_missing(one, missing) if one.part == "label" else one for one in found]
    lost = [] if missing is None else [missing.note]
    return Guess(
        kind,
        tuple(found),
        independent,
        tuple(who),
        tuple(_problems(sample, kind, found, who)),
        (*lost, *_notes(sample, kind, found, independent, taken)),
        sample,
        missing,
    )


def _with_missing(label: Guessed, missing: Unlabelled) -> Guessed:
    """Return a label whose reason says for how many rows it is missing."""
    return replace(label, why=f"{label.why}; {missing.about}")


def _columns(text: str, sample: Sample) -> list[str]:
    """Return the columns that a text names; none where it does not parse, which the log reports."""
    try:
        return Expression(text).columns(sample.schema)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _given_role(part: str, text: str, sample: Sample) -> Guessed:
    """Return a role as it was given; of a column of yes and no, which value says yes."""
    column = sample.columns.get(text) or _stripped(text, sample)
    if column is None:
        first = [*_columns(text, sample), ""][0]
        return Guessed(part, text, first, "you said so", "given")
    binary = part in {"label", "prediction"} and column.is_binary
    if binary and column.form in {"text", "whole", "number"}:
        value, clear = column.yes()
        written = equal_to(column, value, sample.schema)
        if written != column.name:
            why = f"you said so; '{value}' is taken for yes{'' if clear else ': check that'}"
            return Guessed(part, written, column.name, why, "given" if clear else "unsure")
    return Guessed(part, column.name, column.name, "you said so", "given")


def _stripped(text: str, sample: Sample) -> Column | None:
    """Return the one column that has this name but for spaces and case."""
    like = [
        one
        for one in sample.columns.values()
        if one.name.strip().casefold() == text.strip().casefold()
    ]
    return like[0] if len(like) == 1 else None


def _given_groups(text: str, sample: Sample) -> list[Guessed]:
    """Return the groups that a flag writes: ``race``, or ``age: [25, 45]``."""
    column = sample.columns.get(text) or _stripped(text, sample)
    if column is not None:
        name = " ".join(column.name.split())
        return [Guessed("group", column.name, column.name, "you said so", "given", name=name)]
    return [
        Guessed(
            "group",
            one.expression.text,
            one.expression.text,
            "you said so",
            "given",
            name=one.name,
            bins=tuple(int(edge) if edge == int(edge) else edge for edge in one.bins),  # type: ignore[misc]
        )
        for one in group_from(text, sample.schema)
    ]


def _roles(
    sample: Sample, kind: str | None, known: list[Guessed], taken: set[str]
) -> tuple[str, list[Guessed]]:
    """Return the kind and its roles: those that are known, and the others as they are guessed."""
    parts = {one.part for one in known}
    decided = decision_roles(sample, taken) if kind in {None, "decisions"} else []
    numbers = regression_roles(sample, taken) if kind in {None, "regression"} else []
    if kind is None:
        plain = any(one.part == "prediction" and one.sure == "likely" for one in decided)
        told = plain or parts & {"score", "prediction"}
        kind = "regression" if numbers and not told else "decisions"
    if kind not in {"decisions", "regression"}:
        return kind, known
    fresh = numbers if kind == "regression" else decided
    fresh = [one for one in fresh if one.part not in parts]
    order = ("label", "prediction", "score", "weight")
    every = {one.part: one for one in (*fresh, *known)}
    return kind, [every[part] for part in (*order, *sorted({*every} - {*order})) if part in every]


def _problems(sample: Sample, kind: str, found: list[Guessed], who: list[Guessed]) -> list[Problem]:
    """Return what an audit needs and could not be told."""
    problems = []
    if len(sample.columns) == 1:
        (only,) = sample.columns
        mark = next((mark for mark in ";\t|" if mark in only), "")
        if mark:
            what = f"one column, '{only}': fields seem to be parted by {mark!r}, not by commas."
            return [Problem(sample.name, what, "Save the file with commas.")]
    parts = {one.part for one in found}
    if kind == "decisions" and not parts & {"label", "prediction", "score"}:
        free = [one.name for one in yes_or_no(sample, ())]
        what = "could not tell which column is the decision, and which the outcome. "
        what += f"Candidates of two values: {_shown(free)}."
        hint = (
            f"Say --prediction COLUMN, --label COLUMN or both. Columns: {_shown(sample.columns)}."
        )
        problems.append(Problem("roles", what, hint))
    if kind == "regression" and not parts >= {"label", "prediction"}:
        free = [one.name for one in sample.columns.values() if one.is_number and one.distinct > 2]  # noqa: PLR2004
        what = f"could not tell which numbers are predicted. Candidates: {_shown(free)}."
        problems.append(Problem("roles", what, "Say --prediction COLUMN and --label COLUMN."))
    if not who:
        used = {one.column for one in found}
        free = [
            one.name
            for one in sample.columns.values()
            if one.name not in used and 1 < one.distinct <= _FEW_VALUES
        ]
        what = f"could not tell who is compared. Columns of few values: {_shown(free)}."
        hint = "Say --group COLUMN, or --group 'COLUMN: [25, 45]' for numbers. Columns: "
        problems.append(Problem("groups", what, f"{hint}{_shown(sample.columns)}."))
    return problems


_FEW_VALUES = 20
_SHOWN = 12


def _shown(columns: Iterable[str]) -> str:
    known = [*map(repr, columns)]
    more = [f"... ({len(known)} in all)"] if len(known) > _SHOWN else []
    return listed([*known[:_SHOWN], *more])


def _notes(
    sample: Sample, kind: str, found: list[Guessed], unit: Guessed, taken: set[str]
) -> list[str]:
    """Return what could not be told, and what is lost by that."""
    parts, notes = {one.part for one in found}, []
    free = [one.name for one in yes_or_no(sample, taken)]
    if kind == "decisions" and parts and "label" not in parts:
        notes.append(
            "No outcome was found, so error rates cannot be compared. "
            + (f"Yes/no columns left: {_shown(free)}; s" if free else "S")
            + "ay --label COLUMN if one is what was true."
        )
    if kind == "decisions" and "label" in parts and not parts & {"prediction", "score"}:
        notes.append(
            "No decision was found: only the outcome itself can be compared, which says nothing "
            "about a model. "
            + (f"Yes/no columns left: {_shown(free)}; s" if free else "S")
            + "ay --prediction COLUMN if one is the decision."
        )
    if unit.text == "row" and unit.sure == "unsure":
        notes.append(
            "Rows are taken to be independent. If several belong to one person, say --unit COLUMN."
        )
    weights = [*maybe_weights(sample, taken)]
    if weights and "weight" not in parts:
        notes.append(f"If {_shown(weights)} is a sampling weight, say --weight COLUMN.")
    return notes
