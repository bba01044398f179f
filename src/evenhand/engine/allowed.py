"""Values that no role of ranked lists allows, nor a chance under another policy.

A block of requests shows that there are some; a look at the whole log then says how many, of every
role, so that all is mended at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import narwhals as nw

from evenhand.errors import Problem
from evenhand.measures.policy import CHANCE, is_no_chance

ROLE = "role:"
"""Prefix of the columns that hold roles."""

LARGEST = 1e30
"""Relevance beyond it could not be summed in squares."""

LEAST = 1e-30
"""A smaller chance of what was shown is none: powers of its weight could not be summed."""

LAST = 2**53
"""A larger slot, such as an infinite one, is no number of places."""

_SHOWN = 5


@dataclass(frozen=True)
class _Rule:
    """What a role does not allow.

    Attributes:
        wrong: Whether a number, which is not nan, is refused.
        advice: The way out.
        nan: Whether nan is refused; else it counts as missing.

    """

    wrong: Callable[[nw.Expr], nw.Expr]
    advice: str
    nan: bool = True


def _no_slot(slot: nw.Expr) -> nw.Expr:
    return (slot < 1) | (slot > LAST) | (slot != slot.floor())


def _no_relevance(relevance: nw.Expr) -> nw.Expr:
    return (relevance < 0) | (relevance > LARGEST)


def _no_propensity(chance: nw.Expr) -> nw.Expr:
    shown = ~nw.col(f"{ROLE}rank").is_null()
    return is_no_chance(chance) | (shown & (chance < LEAST))


_RULES = {
    "rank": _Rule(
        _no_slot, "A slot is a whole number from 1; leave it empty for an item that was not shown."
    ),
    "relevance": _Rule(_no_relevance, f"Relevance is from 0 to {LARGEST:g}."),
    "propensity": _Rule(
        _no_propensity,
        "It is the chance of the item in its slot, in (0, 1] for what was shown: name the column "
        "that holds it, or an expression such as percent / 100; leave it empty if it is unknown.",
        nan=False,
    ),
}


def wrong_values(frame: Any, roles: Iterable[str], columns: Iterable[str]) -> list[Problem]:  # noqa: ANN401 - eager or lazy
    """Return what is wrong with the values of rows, a problem for each role and column.

    Args:
        frame: Rows, of any engine, with a column ``role:rank`` and the others that are named.
        roles: Roles, whose columns are called ``role:relevance`` and so on.
        columns: Columns of chances under other policies.

    """
    asked = [
        (f"role '{role}'", nw.col(f"{ROLE}{role}"), _RULES[role])
        for role in roles
        if role in _RULES
    ]
    chance = _Rule(is_no_chance, CHANCE, nan=False)
    asked += [(f"column '{name}'", nw.col(name), chance) for name in dict.fromkeys(columns)]
    return [found for one in asked if (found := _problem(frame, *one)) is not None]


def _problem(frame: Any, where: str, value: nw.Expr, rule: _Rule) -> Problem | None:  # noqa: ANN401
    number = value.cast(nw.Float64())
    # To some engines nan is larger than any number, to others it is none.
    wrong = rule.wrong(nw.when(~number.is_nan()).then(number))
    wrong = wrong | number.is_nan() if rule.nan else wrong
    bad = frame.select(number.alias("value"), wrong.alias("wrong")).filter(nw.col("wrong"))
    rows = _collected(bad.select(nw.len().cast(nw.Int64).alias("rows")))["rows"].item()
    if not rows:
        return None
    values = _collected(bad.select(nw.col("value")).unique("value").sort("value").head(_SHOWN + 1))
    shown = [f"{one:g}" for one in values["value"].to_list()]
    told = ", ".join(shown[:_SHOWN]) + (", and others" if len(shown) > _SHOWN else "")
    holds = "1 row holds" if rows == 1 else f"{rows:,} rows hold"
    return Problem(where, f"{holds} {told}.", rule.advice)


def _collected(frame: Any) -> Any:  # noqa: ANN401
    return frame.collect(backend="polars") if isinstance(frame, nw.LazyFrame) else frame
