"""A rule as it is written: a figure, at most or at least a limit."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from evenhand.errors import NotationError, Problem

Direction = Literal["at most", "at least"]

_FORM = re.compile(r"(?P<left>.*\S)\s*(?P<sign><=|>=|<|>)\s*(?P<limit>\S*)", re.DOTALL)
_EXAMPLE = "Write difference(selection_rate, by=sex) <= 0.05."


@dataclass(frozen=True, slots=True)
class Limit:
    """What a figure is held against.

    Attributes:
        notation: The figure, as it is written.
        direction: Whether the limit is the most or the least that is allowed.
        value: The limit.

    """

    notation: str
    direction: Direction
    value: float

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Return the limit that a rule writes.

        Raises:
            NotationError: It is not of the form ``figure <= number``.

        >>> Limit.parse("difference(selection_rate, by=sex) <= 0.05")
        Limit(notation='difference(selection_rate, by=sex)', direction='at most', value=0.05)
        """
        form = _FORM.fullmatch(text.strip())
        if form is None:
            raise NotationError(Problem(f"'{text}'", "a rule has a figure and a limit.", _EXAMPLE))
        if not form["limit"]:
            what = f"a number is missing after '{form['sign']}'."
            raise NotationError(Problem(f"'{text}'", what, f"Write {text.strip()} 0.05."))
        try:
            value = float(form["limit"])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            what = f"'{form['limit']}' is no limit."
            raise NotationError(Problem(f"'{text}'", what, "Write a number, such as 0.05."))
        direction: Direction = "at most" if form["sign"] in {"<=", "<"} else "at least"
        return cls(form["left"], direction, value)

    @property
    def sign(self) -> str:
        """The sign between the figure and the limit."""
        return "<=" if self.direction == "at most" else ">="
