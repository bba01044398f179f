"""What was asked: a measure for the whole log, or a contrast of a measure over groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from evenhand.engine import role_columns
from evenhand.errors import EvenhandError, NotationError, Problem, RoleError, did_you_mean, listed
from evenhand.logs.kinds import kinds
from evenhand.logs.log import Log
from evenhand.logs.role import Kind
from evenhand.measures.measure import CLASSIFIED, Measure
from evenhand.measures.registry import measure_named
from evenhand.notation import Term, Value, parse

ContrastName = Literal["difference", "ratio", "worst", "pairs", "to_overall"]
CONTRASTS: tuple[ContrastName, ...] = get_args(ContrastName)
LARGEST = "largest"

ALIASES = {
    "demographic_parity_difference": "difference(selection_rate, by={by})",
    "demographic_parity_ratio": "ratio(selection_rate, by={by})",
    "disparate_impact": "ratio(selection_rate, by={by})",
    "equal_opportunity_difference": "difference(true_positive_rate, by={by})",
    "equal_opportunity_ratio": "ratio(true_positive_rate, by={by})",
    "equalized_odds_difference": "largest(difference(true_positive_rate, by={by}), "
    "difference(false_positive_rate, by={by}))",
    "predictive_parity_difference": "difference(positive_predictive_value, by={by})",
    "predictive_equality_difference": "difference(false_positive_rate, by={by})",
}
"""Names of other tools and papers, and what they stand for here."""


@dataclass(frozen=True, slots=True)
class Question:
    """One figure, or for families one family of figures, that was asked for.

    Attributes:
        key: The notation, printed from what was understood.
        measure: The measure.
        contrast: How groups are compared; None for the log as a whole.
        by: The group attributes compared.
        parts: The contrasts of which the largest is asked for; empty for a single one.
        alias: The name that was written, where it stands for something else; else empty.

    """

    key: str
    measure: Measure
    contrast: ContrastName | None = None
    by: tuple[str, ...] = ()
    parts: tuple[Question, ...] = ()
    alias: str = ""


def ask(notations: Iterable[str], log: Log) -> list[Question]:
    """Return the questions that the notations write, checked against the log's roles.

    Raises:
        EvenhandError: With the problems of all notations together.

    """
    questions: list[Question] = []
    problems: list[Problem] = []
    for notation in notations:
        try:
            question = _question(parse(notation))
            questions.append(question)
            for part in question.parts or (question,):
                problems += _unmet(part, log)
        except EvenhandError as error:
            problems += error.problems
    if problems:
        raise NotationError(problems)
    return questions


def _question(term: Term) -> Question:
    if term.name in ALIASES:
        return _aliased(term)
    if term.name == LARGEST:
        return _largest(term)
    contrast = next((name for name in CONTRASTS if name == term.name), None)
    if contrast is None:
        if any(isinstance(arg, Term) for arg in term.args):
            hint = did_you_mean(term.name, [*CONTRASTS, LARGEST])
            raise NotationError(Problem(f"'{term}'", f"there is no contrast '{term.name}'.", hint))
        measure = measure_named(term)
        return Question(str(measure), measure)
    if len(term.args) != 1 or not isinstance(term.args[0], Term):
        what = f"{contrast} takes one measure, here {listed(map(str, term.args))}."
        raise NotationError(Problem(f"'{term}'", what, _example(contrast, "selection_rate, ")))
    by = _by(term, _example(contrast, "selection_rate, "))
    measure = measure_named(term.args[0])
    if contrast == "worst" and measure.better is None:
        what = f"{measure.name} has no direction: neither high nor low is worse in itself."
        instead = Term("difference", term.args, term.params)
        hint = f"Write {instead}."
        raise NotationError(Problem(f"'{term}'", what, hint))
    key = Term(contrast, (measure.term(),), (("by", by[0] if len(by) == 1 else by),))
    return Question(str(key), measure, contrast, by)


def _aliased(term: Term) -> Question:
    example = _example(term.name, "")
    if term.args:
        raise NotationError(Problem(f"'{term}'", f"{term.name} takes only by=.", example))
    by = _by(term, example)
    written = ALIASES[term.name].format(by=f"[{', '.join(map(repr, by))}]")
    return replace(_question(parse(written)), alias=term.name)


def _largest(term: Term) -> Question:
    example = f"Write {ALIASES['equalized_odds_difference'].format(by='group')}."
    contrasts = [arg for arg in term.args if isinstance(arg, Term) and arg.name == "difference"]
    if len(contrasts) < 2 or len(contrasts) < len(term.args) or term.params or term.cutoff:  # noqa: PLR2004
        what = "largest takes two or more differences."
        raise NotationError(Problem(f"'{term}'", what, example))
    parts = tuple(_question(contrast) for contrast in contrasts)
    if len({part.by for part in parts}) > 1:
        raise NotationError(
            Problem(f"'{term}'", "all parts must compare the same groups.", example)
        )
    key = f"{LARGEST}({', '.join(part.key for part in parts)})"
    return Question(key, parts[0].measure, "difference", parts[0].by, parts)


def _example(name: str, first: str) -> str:
    return f"Write {name}({first}by=group) or {name}({first}by=[group, other])."


def _by(term: Term, example: str) -> tuple[str, ...]:
    """Return the groups of a contrast, which is its only parameter."""
    params = dict(term.params)
    by = _names(params.pop("by", ()))
    if params or not by or len(set(by)) < len(by) or term.cutoff is not None:
        what = (
            f"{term.name} has no parameter '{listed(params)}'."
            if params
            else "by= must name the group, or several different ones by name."
        )
        raise NotationError(Problem(f"'{term}'", what, example))
    return by


def _names(value: Value) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, tuple) and all(isinstance(name, str) for name in value):
        return tuple(str(name) for name in value)
    return ()


def _misread(question: Question, log: Log) -> list[Problem]:
    """Return why roles that the log has are not what the measure reads, or which class it means."""
    measure = question.measure
    problems = []
    wanted = {"classes": "binary", "numbers": "number"}[measure.reads]
    for role in log.kind.roles:
        if role.name not in measure.needs or role.name not in CLASSIFIED or role.values == wanted:
            continue
        what = f"{measure.name} reads {measure.reads}, but a {role.name} of kind "
        what += f"'{log.kind.name}' is {'a class' if role.values == 'binary' else 'a number'}."
        fits = [kind.name for kind in kinds().values() if _fits(kind, measure)]
        hint = f"Kinds with such a {role.name}: {listed(fits)}."
        problems.append(Problem(f"'{question.key}'", what, hint))
    if not problems and {*measure.needs} <= {*log.roles}:
        try:
            role_columns(measure, log)
        except NotationError as error:
            problems += error.problems
    return problems


def _fits(kind: Kind, measure: Measure) -> bool:
    wanted = {"classes": "binary", "numbers": "number"}[measure.reads]
    return all(
        role.values == wanted
        for role in kind.roles
        if role.name in measure.needs and role.name in CLASSIFIED
    )


def _unmet(question: Question, log: Log) -> list[Problem]:
    """Return what the log lacks for this question: roles and groups."""
    problems = []
    for role in question.measure.needs:
        if role not in log.roles:
            columns = listed(log.schema)
            problems.append(
                Problem(
                    f"'{question.key}'",
                    f"{question.measure.name} needs role '{role}', which no column plays.",
                    f"Columns: {columns}. Say which one: --{role} COLUMN, or {role}='COLUMN'.",
                )
            )
    problems += _misread(question, log)
    for name in question.by:
        try:
            log.group(name)
        except RoleError as error:
            problems += error.problems
    return problems
