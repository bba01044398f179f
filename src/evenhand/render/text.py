"""Findings as a table for the terminal, with a sentence that says what the figure means."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.chart import legible
from evenhand.audits.finding import Equivalence, Finding, GroupFinding, Test
from evenhand.render.format import Format
from evenhand.render.numeral import is_small
from evenhand.render.reading import reading
from evenhand.render.section import title_of
from evenhand.render.verdicts import verdicts
from evenhand.stats.estimate import Estimate, Outcome, Undefined

_DASH = "\N{EN DASH}"


def bundle(one: Bundle) -> RenderableType:
    """Return a whole audit: what it is about, the verdict, and every finding, slice after slice."""
    title = Text(title_of(one), style="bold")
    title.append(
        f"  {one.created:%Y-%m-%d %H:%M} UTC, Evenhand {one.version}", style="not bold dim"
    )
    parts: list[RenderableType] = [title, Text(), verdicts(one.verdict, one.rules), Text()]
    for scope in dict.fromkeys(finding.slice for finding in one.findings):
        if scope is not None:
            parts += [Text(f"In {scope}", style="bold underline"), Text()]
        parts += [findings([part for part in one.findings if part.slice == scope]), Text()]
    return Group(*parts[:-1])


def plain(one: Bundle) -> str:
    """Return a whole audit as text without colours."""
    file = io.StringIO()
    Console(file=file, width=_WIDTH, highlight=False, color_system=None).print(bundle(one))
    return file.getvalue()


FORMAT = Format("text", ".txt", "For terminals and logs.", plain)

_WIDTH = 120


def findings(found: Sequence[Finding]) -> RenderableType:
    """Return all findings under each other; the pairs of one question share a table."""
    parts: list[RenderableType] = []
    pending: list[Finding] = []
    for index, one in enumerate(found):
        if one.pair:
            pending.append(one)
            last = index + 1 == len(found) or found[index + 1].key != one.key
            if last:
                parts += [_pairs(pending), Text()]
                pending = []
        else:
            parts += [finding(one), Text()]
    return Group(*parts[:-1])


def finding(one: Finding) -> RenderableType:
    """Return one finding: headline, reading, groups, and what qualifies it."""
    parts: list[RenderableType] = [_headline(one)]
    if one.groups and not isinstance(one.outcome, Undefined):
        parts.append(Text(reading(one)))
    if one.groups:
        parts.append(Padding(_groups(one), (1, 0, 1, 2)))
    return Group(*parts, _notes(one))


def _headline(one: Finding) -> Text:
    text = Text(one.key, style="bold")
    if isinstance(one.outcome, Undefined):
        return text.append("  undefined: ", style="bold").append(one.outcome.reason)
    text.append(f"  {_value(one.outcome)}", style="bold")
    return text.append(
        f"  {_interval(one.outcome)}  {100 * one.outcome.level:g}% interval, {one.outcome.method}",
        style="not bold",
    )


def _value(found: Estimate) -> str:
    """Return a value, or the set that it lies in."""
    if found.identified is None:
        return f"{found.value:.4f}"
    low, high = found.identified
    return f"in {low:.4f} .. {high:.4f}"


def _groups(one: Finding) -> Table:
    table = _table(*one.by)
    shrunk = any(group.shrunk for group in one.groups)
    for heading in (
        one.measure,
        "interval",
        *(("shrunk", "its interval") if shrunk else ()),
        "rows",
        "units",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for group in one.groups:
        style = "" if group.compared else "dim"
        apart = "" if group.compared else " (shown apart)"
        names = [*map(legible, group.group.values())]
        names[-1] += apart
        cells = [f"{group.rows:,}", f"{'' if group.units_exact else '~'}{group.units:,}"]
        if group.suppressed:
            cells = [_DASH, _DASH]
        # As Text, because a value such as [b] is a name here, not markup.
        beside: tuple[str, ...] = ()
        if shrunk:
            beside = (_DASH, _DASH) if group.shrunk is None else _cells(group.shrunk)
        figure = _cells(group.outcome, suppressed=group.suppressed)
        table.add_row(*map(Text, names), *figure, *beside, *cells, style=style)
    return table


def _pairs(found: Sequence[Finding]) -> RenderableType:
    parts, tests = any(one.part for one in found), any(one.test for one in found)
    margins = [one.equivalence for one in found if one.equivalence is not None]
    table = _table("group", "against", *(["part"] if parts else []))
    for heading in (
        "difference",
        "interval",
        *(["p", "adjusted"] if tests else []),
        *([f"within {margins[0].margin:g}", "units that tell"] if margins else []),
        "rows",
        "units",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        names = [legible(", ".join(group.values())) for group in one.pair]
        if parts:
            names.append(one.part)
        table.add_row(
            *map(Text, names),
            *_cells(one.outcome),
            *(_p_values(one) if tests else ()),
            *(_verdict(one) if margins else ()),
            *_counts(one),
        )
    headline = Text(found[0].key, style="bold")
    estimates = [one.outcome for one in found if isinstance(one.outcome, Estimate)]
    if estimates:
        method = f"  {100 * estimates[0].level:g}% intervals, {estimates[0].method}"
        headline.append(method, style="not bold")
    reasons = [
        Text(
            f"  {' - '.join(', '.join(group.values()) for group in one.pair)}: {one.undefined}",
            "dim",
        )
        for one in found
        if one.undefined
    ]
    # Said under the table is what holds for every row of it.
    shared = {
        name: convention
        for name, convention in found[0].conventions.items()
        if all(one.conventions.get(name) == convention for one in found)
    }
    return Group(
        headline,
        Padding(table, (1, 0, 1, 2)),
        *reasons,
        _notes(replace(found[0], conventions=shared)),
    )


def _verdict(one: Finding) -> tuple[str, str]:
    if one.equivalence is None:
        return _DASH, _DASH
    needed = one.equivalence.units_needed
    return one.equivalence.verdict, _DASH if math.isinf(needed) else f"{needed:,.0f}"


def _p_values(one: Finding) -> tuple[str, str]:
    if one.test is None:
        return _DASH, _DASH
    adjusted = one.test.adjusted
    return f"{one.test.p_value:.2g}", _DASH if adjusted is None else f"{adjusted:.2g}"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(Text(heading), overflow="fold")
    return table


def _counts(one: Finding) -> tuple[str, str]:
    # The rows of a pair, less those of its other group, would be those of a suppressed group.
    if is_small(one.outcome):
        return _DASH, _DASH
    return f"{one.rows:,}", _units(one)


def _units(one: Finding) -> str:
    return f"{'' if one.units_exact else '~'}{one.units:,}"


def _notes(one: Finding) -> Text:
    counts = f"{one.rows:,} rows in the denominators, {_units(one)} units, "
    # The members of a family have rows of their own, which their table shows.
    notes = [f"{'' if one.pair or is_small(one.outcome) else counts}weighed by {one.estimand}"]
    notes += [f"{part.rows:,} rows left out: {part.reason}" for part in one.excluded]
    notes += [
        f"{_name(group)}: {'suppressed' if group.suppressed else 'undefined'}, "
        f"{group.outcome.reason}"
        for group in one.groups
        if isinstance(group.outcome, Undefined)
    ]
    if one.test is not None and not one.pair:
        notes.append(_tested(one.test))
    if one.equivalence is not None and not one.pair:
        notes.append(_judged(one.equivalence))
    notes += [f"{name}: {convention}" for name, convention in one.conventions.items()]
    return Text("\n".join(f"  {note}" for note in notes), style="dim")


def _tested(test: Test) -> str:
    if test.adjusted is None:
        return f"p = {test.p_value:.2g}"
    return f"p = {test.p_value:.2g}, adjusted {test.adjusted:.2g} ({test.adjustment})"


def _judged(found: Equivalence) -> str:
    told = (
        "no number of units would tell"
        if math.isinf(found.units_needed)
        else f"{found.units_needed:,.0f} units a group tell with 80 % power at half of it"
    )
    return f"margin {found.margin:g}: {found.verdict}; {told}"


def _cells(outcome: Outcome, *, suppressed: bool = False) -> tuple[str, str]:
    if isinstance(outcome, Undefined):
        return "suppressed" if suppressed else "undefined", _DASH
    return _value(outcome), _interval(outcome)


def _interval(estimate: Estimate) -> str:
    return f"[{estimate.low:.4f}, {estimate.high:.4f}]"


def _name(group: GroupFinding) -> str:
    return legible(", ".join(group.group.values()))
