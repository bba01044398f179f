"""Roles: what a column means to a measure, and what a missing value in it means.

A product kind is a set of roles. A measure applies to a log when the log has the roles it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import narwhals as nw

from evenhand.errors import Problem, listed
from evenhand.logs.expression import Expression
from evenhand.logs.grammar import DType, Schema, is_text, written

RoleValues = Literal["binary", "weight", "number", "id", "slot", "time", "mark", "plain"]
NUMBERS = ("weight", "number", "plain")
"""What roles hold that are neither classes, nor ids, nor places in a list, nor times."""

UNCHECKED = ("plain",)
"""What is neither missing nor wrong in any row, so that no code says so."""

WhenNull = Literal["keep", "exclude"]
Class = int | float | str


@dataclass(frozen=True, slots=True)
class Role:
    """One part that a column can play in a log.

    Attributes:
        name: The keyword in plans and flags, such as ``label``.
        values: ``binary`` (0/1 or true/false, or one of the declared classes), ``number``,
            ``weight`` (number >= 0), ``id`` (whole number or text), ``slot`` (whole number from 1)
            or ``time``; ``mark`` for a number or text that tells runs over the same units apart;
            ``plain`` for a number that we made.
        when_null: ``keep`` for what may be unobserved without being lost (a rejected applicant
            has no repayment), ``exclude`` for rows that say nothing without it; both are counted.
        about: One line for help texts.
        missing: What is said of rows in which it is missing; empty to name the role.
        beyond: Whether a missing number is beyond every other, where rows are counted by number.

    """

    name: str
    values: RoleValues
    when_null: WhenNull
    about: str
    missing: str = ""
    beyond: bool = False

    def problems(
        self, expression: Expression, schema: Schema, classes: tuple[Class, ...] = ()
    ) -> list[Problem]:
        """Return everything that stops this expression from playing the role."""
        where = f"role '{self.name}'"
        found = expression.problems(schema, where)
        if found:
            return found
        dtype = expression.dtype(schema)
        if dtype == nw.Unknown:
            what = f"'{expression.text}' has no type, as when every value is missing."
            return [Problem(where, what, "Check how the file was written, or name another column.")]
        if classes and self.values == "binary":
            return self._class_problems(expression, dtype, classes)
        if self.values in _OTHERS:
            fits, needed, hint = _OTHERS[self.values]
            what = f"'{expression.text}' is {dtype}, but a {self.name} is {needed}."
            return [] if fits(dtype) else [Problem(where, what, hint)]
        fits_number = dtype.is_numeric() or (self._is_yes_or_no and dtype == nw.Boolean)
        if fits_number:
            return []
        needed = "true/false or 0/1" if self.values == "binary" else "a number"
        return [
            Problem(
                where,
                f"'{expression.text}' is {dtype}, but a {self.values} role needs {needed}.",
                f"Say which value counts as 1, for example --{self.name} "
                f"\"{written(expression.text, schema)} == 'yes'\"."
                if self.values == "binary"
                else "Name a numeric column, or an expression such as amount / 100.",
            )
        ]

    @property
    def _is_yes_or_no(self) -> bool:
        return self.values == "binary" or self.name == "relevance"

    def _class_problems(
        self, expression: Expression, dtype: DType, classes: tuple[Class, ...]
    ) -> list[Problem]:
        """Return why values of this type cannot be among the declared classes."""
        text = all(isinstance(value, str) for value in classes)
        if (text and is_text(dtype)) or (not text and dtype.is_numeric()):
            return []
        what = f"'{expression.text}' is {dtype}, but the classes are {listed(map(str, classes))}."
        hint = "Declare classes as the column writes them: text for text, numbers for numbers."
        return [Problem(f"role '{self.name}'", what, hint)]


def _is_id(dtype: DType) -> bool:
    return dtype.is_integer() or is_text(dtype)


def _is_number(dtype: DType) -> bool:
    return dtype.is_numeric()


def _is_mark(dtype: DType) -> bool:
    return dtype.is_numeric() or is_text(dtype)


def _is_time(dtype: DType) -> bool:
    return dtype.is_numeric() or dtype in {nw.Date, nw.Datetime}


_OTHERS: dict[str, tuple[Callable[[DType], bool], str, str]] = {
    "id": (_is_id, "a whole number or text", "A float id usually comes from missing values."),
    "slot": (_is_number, "a whole number from 1", "Name the column of places in the list."),
    "mark": (_is_mark, "a number or text", "Name the column that tells one run from another."),
    "time": (_is_time, "a date, a time or a number", "Name the column of the impression's time."),
}


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Values of yes/no roles that no row can have together, whatever was measured.

    Attributes:
        values: The value of each role.
        role: The role that is named as wrong.
        about: What such rows are: ``3 rows are ...``.
        advice: What to do about them.

    """

    values: tuple[tuple[str, int], ...]
    role: str
    about: str
    advice: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A product kind: the roles its logs may have.

    Attributes:
        name: The value of ``kind:`` in a plan.
        about: One line for help texts.
        roles: Its roles, in the order in which help texts show them.
        ranked: Whether rows are items of ranked lists.
        unit: The column of what is independent where nothing is said; rows are never then. Empty
            where rows are.
        dependent: Why rows are not independent, where ``unit`` says so.
        variant: The role of which all rows of a figure have one value; empty where there is none.
        contradictions: What rows cannot be, checked where a figure reads all roles of it.
        own: Roles that are by default the columns of their names, as Evenhand writes them itself.

    """

    name: str
    about: str
    roles: tuple[Role, ...]
    ranked: bool = False
    unit: str = ""
    dependent: str = ""
    variant: str = ""
    contradictions: tuple[Contradiction, ...] = ()
    own: tuple[str, ...] = ()

    def role(self, name: str) -> Role:
        """Return the role of this name; KeyError when the kind has none."""
        for role in self.roles:
            if role.name == name:
                return role
        raise KeyError(name)
