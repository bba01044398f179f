"""What may not be changed, or only so far: what of it cannot be meant for some examples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from evenhand.errors import Problem, did_you_mean, listed
from evenhand.models.spec import Spec
from evenhand.probes.explain.table import Table
from evenhand.probes.parameter import number_of

Names = tuple[str, ...]
Ranges = tuple[tuple[str, float, float], ...]
"""Features, each with its least and its greatest value."""


def problems(
    fixed: Names, ranges: Ranges, left: Sequence[Sequence[int]], table: Table, spec: Spec
) -> list[Problem]:
    """Return everything that is wrong with what stays and with ranges.

    Args:
        fixed: Features that stay as they are.
        ranges: How far others may go.
        left: The columns of each feature that need not stay.
        table: All examples.
        spec: Of the model.

    """
    if not len(table.x):
        # That there is nobody is told elsewhere.
        return []
    return [
        *_kept(fixed, left, table),
        *_twofold(fixed, ranges),
        *_unfit(ranges, table),
        *_beyond(ranges, table, spec),
    ]


def _kept(fixed: Names, left: Sequence[Sequence[int]], table: Table) -> Iterator[Problem]:
    """Yield what stays that is no feature, and that nothing else is left."""
    known = [*dict.fromkeys((*table.names, *table.features.names))]
    for name in fixed:
        if name not in known and name not in table.unread:
            what = f"there is no feature '{name}'."
            yield Problem("immutable", what, did_you_mean(name, known))
    if len(table.x) == 1:
        what = "ranges and costs are by how examples differ, and there is one."
        yield Problem("inputs", what, "Ask about several.")
        return
    moves = np.ptp(table.x.reshape(len(table.x), -1), axis=0) > 0
    if not any(moves[[*places]].any() for places in left):
        what, hint = "no feature is left that may be changed.", "Keep fewer features as they are."
        if left:
            still = [table.names[one] for places in left for one in places]
            what += f" In these examples {listed(still)} never change{'s' * (len(still) == 1)}."
            hint = "Ask about examples that differ"
            hint += ", or keep fewer others as they are." if fixed else "."
        yield Problem("immutable", what, hint)


def _twofold(fixed: Names, ranges: Ranges) -> Iterator[Problem]:
    """Yield features of which two things are said."""
    named = [name for name, _, _ in ranges]
    for name in dict.fromkeys(named):
        if named.count(name) > 1:
            yield Problem("ranges", f"{name} has {named.count(name)} ranges.", "Say one.")
        if name in fixed:
            what = f"{name} is to stay as it is, and has a range."
            yield Problem("ranges", what, "Leave it out of immutable, or leave its range out.")


def _unfit(ranges: Ranges, table: Table) -> Iterator[Problem]:
    """Yield ranges that are none, or of no feature that has one."""
    for name, least, most in ranges:
        place = table.names.index(name) if name in table.names else 0
        if name in table.unread:
            what = f"the model does not read {name}, so no change of it turns anything."
            yield Problem("ranges", what, "Leave its range out.")
        elif name not in table.names:
            what = f"there is no feature '{name}'."
            yield Problem("ranges", what, did_you_mean(name, table.names))
        elif name in table.values:
            what = f"{name} is text and has no range."
            yield Problem("ranges", what, "Name it as immutable, or leave it out.")
        elif not least <= most:
            what = f"{name} from {least:g} to {most:g} is no range."
            yield Problem("ranges", what, "The least value comes first.")
        elif len(table.x) > 1 and not np.ptp(table.x.reshape(len(table.x), -1)[:, place]):
            what = f"{name} never changes in these examples: nothing says how far a change is."
            yield Problem("ranges", what, "Leave its range out; then it stays as it is.")


def _beyond(ranges: Ranges, table: Table, spec: Spec) -> Iterator[Problem]:
    """Yield ranges that go beyond that of the inputs, of which models are not asked."""
    known = [one for one in ranges if one[0] in table.names]
    ends = [end for _, *both in known for end in both]
    low, high = min([spec.low, *ends]), max([spec.high, *ends])
    for name, least, most in known:
        if least < spec.low or most > spec.high:
            what = f"{name} from {least:g} to {most:g} goes beyond the range of inputs, "
            what += f"{spec.low:g} to {spec.high:g}."
            hint = f"If the model takes such values, say --range {_whole(low)} {_whole(high)}"
            yield Problem("ranges", what, f"{hint}; else narrow it.")


def _whole(end: float) -> str:
    """Return a number with all its digits: rounded, a range might leave an example out."""
    short = f"{end:g}"
    return short if float(short) == end else repr(float(end))


def is_range(one: object) -> bool:
    """Return whether it is a name with two finite numbers, in whichever order."""
    shaped = isinstance(one, tuple) and len(one) == 3 and isinstance(one[0], str)  # noqa: PLR2004
    return shaped and all(math.isfinite(number_of(end)) for end in one[1:])  # type: ignore[index]


def written(one: object) -> str:
    """Return what somebody gave for a range, in words."""
    return f"[{listed(map(str, one))}]" if isinstance(one, tuple) else repr(one)
