"""The table of a block of findings: cells as text, which every format sets in its own way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from evenhand.audits.evidence.block import depth_of, has_target, shape_of, top_of
from evenhand.audits.evidence.legible import cut
from evenhand.audits.finding import Finding, GroupFinding
from evenhand.render.section import Block
from evenhand.render.wording import (
    DASH,
    count_of,
    interval_of,
    name_of,
    number,
    own_reason,
    value_of,
    value_shown,
)
from evenhand.stats.estimate import Estimate, Outcome, Undefined

MOST = 30
"""Lines of a table; of more it shows the ends."""

_MOST_SUPPRESSED = 8

Line = TypeVar("Line")


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        headings: The columns.
        names: How many columns from the left are names; the others are figures.
        rows: The cells.
        notes: What the table leaves out, and why figures are missing.

    """

    headings: tuple[str, ...]
    names: int
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def table_of(block: Block, *, whole: bool = False) -> Table | None:
    """Return the table of a block; None where its one figure says all.

    Args:
        block: The findings.
        whole: Whether every line is shown, however many there are.

    """
    most = None if whole else MOST
    if block.is_family:
        return _family(block, most)
    match shape_of(block.findings):
        case "depths":
            return _depths(block, most)
        case "curve":
            return _curve(block)
    return _groups(block.lead, most) if block.lead.groups else None


def _groups(one: Finding, most: int | None) -> Table:
    shown = [group for group in one.groups if not group.suppressed]
    hidden = [group for group in one.groups if group.suppressed]
    shrunk = any(group.shrunk for group in shown)
    ends, left = _ends(shown, [group.outcome for group in shown], most)
    notes = [f"{left:,} groups between these are in the evidence file."] if left else []
    named = hidden if most is None else hidden[:_MOST_SUPPRESSED]
    if len(hidden) > len(named):
        notes.append(f"{len(hidden) - len(named):,} more groups are suppressed.")
    aimed = has_target(one)
    rows = [_row(group, one.by, shrunk=shrunk, aimed=aimed) for group in ends]
    for group in named:
        dashes = (DASH,) * (3 + 2 * shrunk + aimed)
        rows.append((*_names(group, one.by), "suppressed", *dashes))
    notes += [f"suppressed: {reason}." for reason in dict.fromkeys(map(_why, named))]
    notes += [
        f"{name_of(group.group)}: undefined, {own_reason(group.outcome.reason)}."
        for group in ends
        if isinstance(group.outcome, Undefined)
    ]
    middle = (*(("shrunk", "its interval") if shrunk else ()), *(("target",) if aimed else ()))
    what = f"share of {one.measure.partition('@')[0]}" if aimed else cut(one.measure)
    headings = (*one.by, what, "interval", *middle, "rows", "units")
    return Table(headings, len(one.by), tuple(rows), tuple(notes))


def _depths(block: Block, most: int | None) -> Table:
    """Return the shares of every group at every depth, one group after the other."""
    parts = [(one, _groups(one, None)) for one in block.findings]
    rows = [
        (*row[: table.names], str(depth_of(one)), *row[table.names :])
        for one, table in parts
        for row in table.rows
    ]
    rows.sort(key=lambda row: row[: parts[0][1].names])
    shown = rows if most is None else rows[:most]
    left = len(rows) - len(shown)
    notes = [f"{left:,} more lines are in the evidence file."] if left else []
    notes += dict.fromkeys(note for _, table in parts for note in table.notes)
    names = block.lead.by
    after = parts[0][1].headings[len(names) :]
    return Table((*names, "slots from 1 to", *after), len(names) + 1, tuple(shown), tuple(notes))


def _curve(block: Block) -> Table:
    """Return the shares of the most exposed items beside those that they would have if all did."""
    rows = [
        (
            one.key,
            *(f"{100 * part:g}%", value_of(one.outcome), interval_of(one.outcome)),
            *(count_of(one.rows), count_of(one.units, exact=one.units_exact)),
        )
        for one in block.findings
        if (part := top_of(one)) is not None
    ]
    notes = [
        f"{one.key}: undefined, {one.outcome.reason}."
        for one in block.findings
        if isinstance(one.outcome, Undefined)
    ]
    headings = ("figure", "most exposed", "share of exposure", "interval", "rows", "units")
    return Table(headings, 2, tuple(rows), tuple(notes))


def _why(group: GroupFinding) -> str:
    return group.outcome.reason if isinstance(group.outcome, Undefined) else "too few units"


def _names(group: GroupFinding, by: Sequence[str]) -> list[str]:
    names = [value_shown(group.group.get(name, "")) for name in by]
    if not group.compared:
        names[-1] += " (shown apart)"
    return names


def _row(group: GroupFinding, by: Sequence[str], *, shrunk: bool, aimed: bool) -> tuple[str, ...]:
    beside: tuple[str, ...] = ()
    if shrunk:
        found = group.shrunk
        beside = (DASH, DASH) if found is None else (value_of(found), interval_of(found))
    if aimed:
        beside += (DASH if group.target is None else number(group.target),)
    counts = (count_of(group.rows), count_of(group.units, exact=group.units_exact))
    figure = (value_of(group.outcome), interval_of(group.outcome))
    return (*_names(group, by), *figure, *beside, *counts)


def _family(block: Block, most: int | None) -> Table:
    found = block.findings
    parts, tests = any(one.part for one in found), any(one.test for one in found)
    margins = [one.equivalence for one in found if one.equivalence is not None]
    ends, left = _ends(found, [one.outcome for one in found], most)
    headings = (
        *("group", "against"),
        *(("part",) if parts else ()),
        *("difference", "interval"),
        *(("p", "adjusted") if tests else ()),
        *((f"within {margins[0].margin:g}", "units that tell") if margins else ()),
        *("rows", "units"),
    )
    rows = tuple(_member(one, parts=parts, tests=tests, margins=bool(margins)) for one in ends)
    notes = [f"{left:,} lines between these are in the evidence file."] if left else []
    for one in ends:
        if isinstance(one.outcome, Undefined):
            names = " and ".join(name_of(group) for group in one.pair)
            notes.append(f"{names}: undefined, {own_reason(one.outcome.reason)}.")
    return Table(headings, 3 if parts else 2, rows, tuple(dict.fromkeys(notes)))


def _member(one: Finding, *, parts: bool, tests: bool, margins: bool) -> tuple[str, ...]:
    cells = [name_of(group) for group in one.pair]
    if parts:
        cells.append(one.part)
    cells += [value_of(one.outcome), interval_of(one.outcome)]
    if tests:
        adjusted = None if one.test is None else one.test.adjusted
        cells.append(DASH if one.test is None else f"{one.test.p_value:.2g}")
        cells.append(DASH if adjusted is None else f"{adjusted:.2g}")
    if margins:
        told = one.equivalence
        none = told is None or math.isinf(told.units_needed)
        cells.append(DASH if told is None else told.verdict)
        cells.append(DASH if told is None or none else f"{told.units_needed:,.0f}")
    # The rows of a pair, less those of its other group, would be those of a suppressed group.
    if isinstance(one.outcome, Undefined):
        return (*cells, DASH, DASH)
    return (*cells, count_of(one.rows), count_of(one.units, exact=one.units_exact))


def _ends(
    lines: Sequence[Line], outcomes: Sequence[Outcome], most: int | None
) -> tuple[list[Line], int]:
    """Return all lines, or of many those with the highest and the lowest figures, in order."""
    if most is None or len(lines) <= most:
        return [*lines], 0
    known = [i for i, found in enumerate(outcomes) if isinstance(found, Estimate)]
    known.sort(key=lambda i: getattr(outcomes[i], "value", 0.0))
    rest = [i for i in range(len(lines)) if i not in {*known}]
    order = [*known[: most // 2], *known[most // 2 :][-(most // 2) :], *rest][:most]
    return [lines[i] for i in sorted(order)], len(lines) - len(order)


def p_value(one: Finding) -> str:
    """Return what a test of parity found; empty where there was none."""
    if one.test is None:
        return ""
    told = f"p = {one.test.p_value:.2g}, {one.test.method}"
    if one.test.adjusted is None:
        return told
    return f"{told}; adjusted {one.test.adjusted:.2g} ({one.test.adjustment})"


def margin(one: Finding) -> str:
    """Return whether a difference is within its margin; empty where none was given."""
    told = one.equivalence
    if told is None:
        return ""
    units = (
        "no number of units would tell"
        if math.isinf(told.units_needed)
        else f"{told.units_needed:,.0f} units a group tell with 80% power at half of it"
    )
    return f"margin {told.margin:g}: {told.verdict}; {units}"
