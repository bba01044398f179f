"""People in a log: who can be compared, and which rows belong to one of them."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from evenhand.audits.plan import names
from evenhand.audits.plan.column import Column, Sample
from evenhand.errors import listed

Sure = Literal["given", "likely", "unsure"]

MOST_GROUPS = 20
"""More values than this are many small groups, which say little."""

MOST_ATTRIBUTES = 4
_MOST_BY_VALUES = 2
_FEWEST_ROWS = 20
"""A smaller group decides no rule."""


@dataclass(frozen=True, slots=True)
class Guessed:
    """A part that a column is thought to play.

    Attributes:
        part: The role, ``unit`` or ``group``.
        text: What the plan says: a column, or an expression.
        column: The column that it reads.
        why: What speaks for it.
        sure: Whether somebody said so, names or values speak for it, or it is the best there is.
        others: What else it could be, the likeliest first.
        name: The group's name; empty for what is no group.
        bins: Edges of a group of numbers.

    """

    part: str
    text: str
    column: str
    why: str
    sure: Sure
    others: tuple[str, ...] = ()
    name: str = ""
    bins: tuple[int, ...] = ()


def groups_of(sample: Sample, taken: Collection[str]) -> list[Guessed]:
    """Return who can be compared, the clearest first."""
    free = [one for one in sample.columns.values() if one.name not in taken]
    found: list[Guessed] = []
    for attribute, vocabulary in names.ATTRIBUTES.items():
        named = [one for one in free if vocabulary.found_in(one.name)]
        fits = [one for one in named if _edges(one, attribute, sample) is not None]
        if fits:
            best = min(fits, key=lambda one: (len(names.words(one.name)), one.name))
            others = [one.name for one in named if one is not best]
            word = vocabulary.found_in(best.name)
            edges = _edges(best, attribute, sample) or ()
            size = f"{best.distinct} values"
            if edges:
                size = f"numbers from {best.low:g} to {best.high:g}"
            why = f"'{word}' in its name, {size}"
            found.append(_group(best, edges, why, "likely", others))
    if found:
        return found[:MOST_ATTRIBUTES]
    few = [one for one in free if one.form in {"text", "flag"} and _has_groups(one)]
    few = [one for one in few if not names.NO_GROUP.found_in(one.name)]
    few.sort(key=lambda one: (one.form == "flag", one.distinct))
    return [
        _group(
            one,
            (),
            f"no name of a column says who people are; this one has {one.distinct} values",
            "unsure",
            [other.name for other in few if other is not one],
        )
        for one in few[:_MOST_BY_VALUES]
    ]


def _group(
    column: Column, bins: tuple[int, ...], why: str, sure: Sure, others: Iterable[str]
) -> Guessed:
    name = " ".join(column.name.split())
    return Guessed("group", column.name, column.name, why, sure, tuple(others), name, bins)


def _edges(column: Column, attribute: str, sample: Sample) -> tuple[int, ...] | None:
    """Return the edges at which to cut a column, none for its own values, None if it is unfit."""
    if attribute == "age" and column.is_number and column.distinct > MOST_GROUPS // 2:
        return _ages(column, sample)
    return () if column.form != "number" and _has_groups(column) else None


def _ages(column: Column, sample: Sample) -> tuple[int, ...] | None:
    """Return edges of ages: 25 and 45 where both cut off a part that counts, else round ones."""
    years = 10 < column.high < 130 and column.low >= 0  # noqa: PLR2004 - of a human life
    if not years:
        return None
    ages = sample.rows[column.name]
    for edges in ((25, 45), (30, 50), (40, 60), (18, 65), (40,), (30,), (18,), (16,)):
        if column.low <= edges[0] and edges[-1] < column.high and _splits(ages, edges):
            return edges
    return None


def _splits(numbers: pl.Series, edges: Sequence[int]) -> bool:
    """Return whether each part has a twentieth of the rows."""
    limits = [float("-inf"), *edges, float("inf")]
    parts = [
        int(numbers.is_between(low, high, closed="right").sum())
        for low, high in itertools.pairwise(limits)
    ]
    return sum(parts) > 0 and min(parts) * 20 >= sum(parts)


def _has_groups(column: Column) -> bool:
    """Return whether two values or more, but not many, have rows enough to be compared."""
    said = [
        count for value, count in column.values.items() if not names.UNSAID.found_in(str(value))
    ]
    large = [count for count in said if count >= min(_FEWEST_ROWS, column.rows / 10)]
    return len(large) > 1 and column.distinct <= MOST_GROUPS


def unit_of(sample: Sample, taken: Collection[str]) -> Guessed:
    """Return what is independent: an id whose values repeat, else the row."""
    ids = [
        one
        for one in sample.columns.values()
        if one.name not in taken and one.form in {"whole", "text"} and _names_id(one)
    ]
    ids.sort(key=lambda one: -bool(names.PERSON.found_in(one.name)))
    repeating = [one for one in ids if _repeats(one)]
    whole = [one for one in repeating if one.missing == 0]
    if whole:
        best = whole[0]
        why = f"an id by its name; {best.distinct:,} values in {best.rows:,} rows, so rows repeat"
        others = tuple(one.name for one in repeating if one is not best)
        sure: Sure = "likely" if names.PERSON.found_in(best.name) else "unsure"
        return Guessed("unit", best.name, best.name, why, sure, others)
    if repeating:
        why = f"{listed(one.name for one in repeating)} repeats, but lacks values"
        return Guessed("unit", "row", "", why, "unsure", tuple(one.name for one in repeating))
    unique = [one.name for one in ids if one.distinct == one.rows]
    why = f"no value of '{unique[0]}' repeats" if unique else "no column is named like an id"
    return Guessed("unit", "row", "", why, "likely" if unique else "unsure")


def _names_id(column: Column) -> bool:
    name = column.name
    if names.ROW_ID.found_in(name):
        return False
    exact = names.words(name) in {"user", "person", "customer", "client", "applicant", "patient"}
    return exact or bool(names.ID.found_in(name))


def _repeats(column: Column) -> bool:
    return MOST_GROUPS < column.distinct < 0.99 * (column.rows - column.missing)


def weight_of(sample: Sample, taken: Collection[str]) -> Guessed | None:
    """Return the sampling weight, only where a name says so: most weights are kilograms."""
    fit = [
        one
        for one in sample.columns.values()
        if one.name not in taken and one.is_number and one.low >= 0 and one.distinct > 1
    ]
    for one in fit:
        word = names.WEIGHT.found_in(one.name)
        if word:
            why = f"'{word}' in its name, numbers from {one.low:g} to {one.high:g}"
            return Guessed("weight", one.name, one.name, why, "likely")
    return None


def maybe_weights(sample: Sample, taken: Collection[str]) -> Iterator[str]:
    """Yield columns that could be sampling weights, or something's weight."""
    for one in sample.columns.values():
        if one.name not in taken and one.is_number and names.MAYBE_WEIGHT.found_in(one.name):
            yield one.name


def separates(sample: Sample, number: Column, binary: Column) -> bool:
    """Return whether one threshold of a number parts the two values of a column."""
    least = 20
    if number.distinct < least or min([*binary.values.values(), 0][:2]) < least // 2:
        return False
    ranges = (
        sample.rows.lazy()
        .select(pl.col(number.name).alias("number"), pl.col(binary.name).alias("binary"))
        .drop_nulls()
        .group_by("binary")
        .agg(low=pl.col("number").min(), high=pl.col("number").max())
        .sort("low")
        .collect()
    )
    if ranges.height != 2:  # noqa: PLR2004 - the two values
        return False
    return bool(ranges["high"][0] <= ranges["low"][1])
