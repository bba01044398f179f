"""What was asked: a measure for the whole log, or a contrast of a measure over groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from evenhand.errors import EvenhandError, NotationError, Problem, RoleError, did_you_mean, listed
from evenhand.logs.log import Log
from evenhand.measures.measure import Sums
from evenhand.measures.registry import measure_named
from evenhand.notation import Term, Value, parse

ContrastName = Literal["difference", "pairs"]
CONTRASTS: tuple[ContrastName, ...] = get_args(ContrastName)


@dataclass(frozen=True, slots=True)
class Question:
    """One figure, or for ``pairs`` one family of figures, that was asked for.

    Attributes:
        key: The notation, printed from what was understood.
        measure: The measure.
        contrast: How groups are compared; None for the log as a whole.
        by: The group attributes compared.

    """

    key: str
    measure: Sums
    contrast: ContrastName | None = None
    by: tuple[str, ...] = ()


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
            problems += _unmet(question, log)
        except EvenhandError as error:
            problems += error.problems
    if problems:
        raise NotationError(problems)
    return questions


def _question(term: Term) -> Question:
    contrast = next((name for name in CONTRASTS if name == term.name), None)
    if contrast is None:
        if any(isinstance(arg, Term) for arg in term.args):
            hint = did_you_mean(term.name, CONTRASTS)
            raise NotationError(Problem(f"'{term}'", f"there is no contrast '{term.name}'.", hint))
        measure = measure_named(term)
        return Question(str(measure), measure)
    example = f"Write {contrast}(selection_rate, by=group) or by=[group, other]."
    params = dict(term.params)
    by = _names(params.pop("by", ()))
    if len(term.args) != 1 or not isinstance(term.args[0], Term):
        what = f"{contrast} takes one measure, here {listed(map(str, term.args))}."
        raise NotationError(Problem(f"'{term}'", what, example))
    if params or not by or len(set(by)) < len(by) or term.cutoff is not None:
        what = (
            f"{contrast} has no parameter '{listed(params)}'."
            if params
            else "by= must name the group, or several different ones by name."
        )
        raise NotationError(Problem(f"'{term}'", what, example))
    measure = measure_named(term.args[0])
    written: Value = by[0] if len(by) == 1 else by
    return Question(
        str(Term(contrast, (measure.term(),), (("by", written),))), measure, contrast, by
    )


def _names(value: Value) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, tuple) and all(isinstance(name, str) for name in value):
        return tuple(str(name) for name in value)
    return ()


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
    for name in question.by:
        try:
            log.group(name)
        except RoleError as error:
            problems += error.problems
    return problems
