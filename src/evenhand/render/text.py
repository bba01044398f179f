"""Findings on the terminal: the figure, a sentence that says what it means, groups, and notes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.legible import legible
from evenhand.audits.finding import Finding
from evenhand.render.course import about_curves, courses_in, curve_tables
from evenhand.render.done import TITLE, in_lines
from evenhand.render.format import Format
from evenhand.render.reading import reading
from evenhand.render.rule import LIMITS
from evenhand.render.section import Block, shown_sections, title_of
from evenhand.render.table import Table as Figures
from evenhand.render.table import table_of
from evenhand.render.verdicts import verdicts
from evenhand.render.view import notes_of, warnings_of
from evenhand.render.wording import BRIEF, brief, interval_of, value_of
from evenhand.stats.estimate import Estimate, Undefined


def bundle(one: Bundle) -> RenderableType:
    """Return a whole audit: what it is about, the verdict, and every finding, slice after slice."""
    title = Text(title_of(one), style="bold")
    title.append(
        f"  {one.created:%Y-%m-%d %H:%M} UTC, Evenhand {one.version}", style="not bold dim"
    )
    parts: list[RenderableType] = [title, Text(), verdicts(one.verdict, one.rules)]
    parts += [Text(LIMITS, style="dim"), Text()] if one.rules else [Text()]
    done = in_lines(one)
    if done:
        told = [Padding(Text(line), (0, 0, 0, 2)) for line in done]
        parts += [Text(TITLE, style="bold underline"), *told, Text()]
    shown = {id(part) for of in shown_sections(one) for row in of.blocks for part in row.findings}
    left = [part for part in one.findings if id(part) in shown]
    for scope in dict.fromkeys(finding.slice for finding in left):
        if scope is not None:
            parts += [Text(f"In {scope}", style="bold underline"), Text()]
        parts += [findings([part for part in left if part.slice == scope]), Text()]
    parts += [*_curves(one), Text()]
    return Group(*parts[:-1])


def _curves(one: Bundle) -> list[RenderableType]:
    """Return curves along features as tables, which tell the figures that they are made of."""
    courses, parts = courses_in(one), list[RenderableType]()
    for section in shown_sections(one):
        about = about_curves(section, courses)
        parts += [Text(section.measure, style="bold underline"), Text(about)] if about else []
        for curve in curve_tables(section, courses):
            notes = Text("\n".join((*curve.table.notes, curve.said)), style="dim")
            parts += [Text(), Text(curve.title, style="bold"), _grid(curve.table), notes]
    return parts


def plain(one: Bundle) -> str:
    """Return a whole audit as text without colours."""
    file = io.StringIO()
    Console(file=file, width=_WIDTH, highlight=False, color_system=None).print(bundle(one))
    return file.getvalue()


FORMAT = Format("text", ".txt", "For terminals and logs.", plain)

_WIDTH = 120


def findings(found: Sequence[Finding]) -> RenderableType:
    """Return all findings under each other; the pairs of one question share a table."""
    places = {id(one): place for place, one in enumerate(found)}
    parts: list[RenderableType] = []
    # A finding that is no member of a family stands alone.
    for _, members in groupby(found, key=lambda one: one.key if one.pair else places[id(one)]):
        parts += [block(Block(tuple(members), (), 0)), Text()]
    return Group(*parts[:-1])


def block(one: Block) -> RenderableType:
    """Return a finding or a family of pairs: headline, reading, table, and what qualifies it."""
    lead = one.lead
    parts: list[RenderableType] = [_headline(one)]
    if lead.groups and not isinstance(lead.outcome, Undefined):
        parts.append(Text(reading(lead)))
    table = table_of(one, whole=True)
    if table is None:
        return Group(*parts, _notes(notes_of(one, methods=False)))
    notes = [*table.notes, *notes_of(one, methods=False)]
    loud = [Text(f"  {text}", style="bold yellow") for text in warnings_of(one)]
    return Group(*parts, _grid(table), *loud, _notes(notes))


def _grid(table: Figures) -> RenderableType:
    # As Text, because a value such as [b] is a name here, not markup.
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for place, heading in enumerate(table.headings):
        if place < table.names:
            grid.add_column(Text(heading), overflow="fold")
        else:
            grid.add_column(Text(heading), justify="right", no_wrap=True)
    for row in table.rows:
        grid.add_row(*map(Text, row))
    return Padding(grid, (1, 0, 1, 2))


def _headline(one: Block) -> Text:
    text = Text(one.lead.key, style="bold")
    if one.is_family:
        return text.append("".join(f"  {told}" for told in one.methods()), style="not bold")
    found = one.lead.outcome
    if isinstance(found, Undefined):
        return text.append("  undefined: ", style="bold").append(
            legible(brief(found.reason, BRIEF))
        )
    text.append(f"  {value_of(found)}", style="bold")
    return text.append(f"  {interval_of(found)}  {_method(found)}", style="not bold")


def _method(found: Estimate) -> str:
    return f"{100 * found.level:g}% interval, {found.method}"


def _notes(notes: Sequence[str]) -> Text:
    return Text("\n".join(f"  {note}" for note in notes), style="dim")
