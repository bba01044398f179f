"""A report as one HTML file that opens anywhere: no network, no rows, less than 2 MB.

The verdict comes first, then what was audited, then every measure with charts, readings, tables
and reasons, then how to check it. Charts are made again from the findings, not taken from the
evidence file, so that nothing in such a file can make a page ask for something.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.chart import charts
from evenhand.audits.evidence.legible import cut
from evenhand.audits.evidence.look import CONFIG
from evenhand.render import svg
from evenhand.render.beside import beside
from evenhand.render.card import subject_facts, window_text
from evenhand.render.chapter import Chapter, chapters_of, gaps_of, overall_table
from evenhand.render.course import courses_in
from evenhand.render.done import TITLE, done_of, shared, untold
from evenhand.render.format import Format
from evenhand.render.gallery import TITLE as GALLERY
from evenhand.render.gallery import Gallery, gallery_of
from evenhand.render.order import ABOUT as ORDERED
from evenhand.render.order import TITLE as ORDERS
from evenhand.render.order import orders_in
from evenhand.render.overview import TITLE as SIDE_BY_SIDE
from evenhand.render.overview import Overview, compared_in, overview_of
from evenhand.render.rule import LIMITS, rules_view, sentence
from evenhand.render.section import (
    Block,
    Section,
    definition_of,
    title_of,
    variants_of,
)
from evenhand.render.view import block_view, embedded, notes_of
from evenhand.render.wording import DASH, brief, count_of, counted, pair_of, summary
from evenhand.stats.estimate import Estimate

LIMIT = 1_900_000
"""Bytes of a page: it can be sent by mail, and a limit of 2 MB is never met."""

_IN_BRIEF = 0.4
"""The most of the room for findings that their list in brief may take."""

_IN_FULL = 0.6
"""The most of it that lists and tables may take together; charts have the rest."""


_IN_COURSES = 0.3
"""The most of a page that figures against strength may take."""


@functools.cache
def environment() -> Environment:
    """Return the templates, in which every text is escaped."""
    return Environment(
        loader=PackageLoader("evenhand.render"), autoescape=True, undefined=StrictUndefined
    )


@functools.cache
def macro(name: str) -> Callable[..., str]:
    """Return what writes a part of a page."""
    found: Callable[..., str] = getattr(environment().get_template("parts.html").module, name)
    return found


@functools.cache
def asset(name: str) -> str:
    """Return a file beside the templates."""
    return (files("evenhand.render") / "templates" / name).read_text(encoding="utf-8")


def html(bundle: Bundle, pictures: Sequence[Path] = ()) -> str:
    """Return the report of a bundle as one page.

    Args:
        bundle: The evidence.
        pictures: Side files of probes, of which some examples are shown; they are rows of data,
            which no report shows unless it is asked to.

    """
    gallery = gallery_of(pictures, only=variants_of(bundle))
    chapters = chapters_of(bundle)
    sections = [section for chapter in chapters for section in chapter.sections]
    blocks = [block for section in sections for block in section.blocks]
    drawn = any(charts(block.findings) for block in blocks) or any(one.told for one in sections)
    live = svg.can_draw() and drawn
    program = svg.program(asset("report.js")) if live else ""
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    scripts = f"script-src 'sha256-{digest}'; " if live else ""
    rules, rules_left = rules_view(bundle, sections)
    done, overview = done_of(bundle), overview_of(bundle, sections, ordered=True)
    page: dict[str, Any] = {
        "policy": f"default-src 'none'; style-src 'unsafe-inline'; {scripts}"
        f"{'img-src data:; ' if gallery.strips else ''}"
        "base-uri 'none'; form-action 'none'",
        "version": bundle.version,
        "title": cut(title_of(bundle)),
        "verdict": bundle.verdict,
        "created": f"{bundle.created:%Y-%m-%d %H:%M} UTC",
        "style": asset("report.css"),
        "sentence": sentence(bundle),
        "rules": rules,
        "rules_left": rules_left,
        "limits": LIMITS,
        "facts": facts_of(bundle),
        "coded": {"filter", "source", *bundle.plan.roles},
        "made": _made(bundle),
        "inputs": [
            (
                f"{one.name} (side table)" if one.table else one.name,
                DASH if one.bytes is None else f"{one.bytes:,}",
                one.sha256 or DASH,
            )
            for one in bundle.inputs[:_MOST_INPUTS]
        ],
        "inputs_left": max(0, len(bundle.inputs) - _MOST_INPUTS),
        "disclosure": disclosure(bundle),
        "done_title": TITLE,
        **dict(zip(("done_shared", "done"), shared(done), strict=True)),
        "untold": untold(bundle),
        "gallery_title": GALLERY,
        "gallery": gallery,
        "gallery_ids": _places(gallery),
        "overview_title": SIDE_BY_SIDE,
        "overview": overview,
        "overview_links": _links(overview, sections),
        "orders_title": ORDERS,
        "orders_about": ORDERED,
        "orders": orders_in(bundle),
        "config": embedded(CONFIG) if live else "",
        "program": program,
    }
    template = environment().get_template("report.html")
    frames = [_chapter(chapter) for chapter in chapters]
    empty = template.render(**page, chapters=frames, remarks=[])
    along = courses_in(bundle)
    room_beside = int(_IN_COURSES * LIMIT)
    courses = beside(bundle, sections, room_beside, live=live, draw=macro("course"))
    taken = sum(len(text.encode()) for text in courses.values())
    room = LIMIT - len(empty.encode()) - _PER_SECTION * len(sections) - taken
    layout = arranged(bundle, blocks, room, live=live)
    for frame, chapter in zip(frames, chapters, strict=True):
        shown = [
            {
                **_section(section, layout, chapter, courses),
                "compared": compared_in(section, along),
            }
            for section in chapter.sections
        ]
        frame["sections"] = [one for one in shown if one["open"]]
        frame["folded"] = [one for one in shown if not one["open"]]
    return template.render(**page, chapters=frames, remarks=layout.remarks)


def _places(gallery: Gallery) -> dict[str, str]:
    """Return where the examples of each variant are on the page."""
    return {one.variant: f"g{place}" for place, one in enumerate(gallery.strips, start=1)}


def _links(overview: Overview | None, sections: Sequence[Section]) -> list[str]:
    """Return where the section of each column of the overview is."""
    places = {cut(one.measure): f"m{one.number}" for one in sections}
    return [places.get(name, "") for name in overview.measures] if overview else []


FORMAT = Format("html", ".html", "One page with charts that opens offline.", html)

_PER_SECTION = 1200
"""Bytes of a section's own headings, at most."""

_MOST_INPUTS = 100


@dataclass
class Layout:
    """Which findings are shown in full and which in brief.

    Attributes:
        full: The HTML of the blocks that are shown in full, by number.
        brief: The lines of those that are not, by number.
        remarks: What the reader must know about that.

    """

    full: dict[int, str] = field(default_factory=dict)
    brief: dict[int, list[str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def arranged(bundle: Bundle, blocks: Sequence[Block], room: int, *, live: bool) -> Layout:
    """Return what fits into so many bytes, the most important first.

    First every finding has its line, as far as there is room; then blocks are shown with tables,
    then with charts.
    """
    layout, used, left = Layout(), 0, 0
    ordered = sorted(blocks, key=lambda block: block.importance)
    for block in ordered:
        lines = [_brief(block, place) for place in range(len(block.findings))]
        size = _size(lines)
        if used + size > _IN_BRIEF * room:
            left += len(lines)
            continue
        layout.brief[block.number], used = lines, used + size
    draw = macro("block")
    tabled = []
    for block in ordered:
        plain = str(draw(block_view(block, bundle.plan.roles, drawn=False, live=False)))
        more = len(plain.encode()) - _size(layout.brief.get(block.number, []))
        if block.number in layout.brief and used + more <= _IN_FULL * room:
            layout.full[block.number], used = plain, used + more
            tabled.append(block)
            del layout.brief[block.number]
    undrawn = 0
    for block in tabled:
        if not svg.can_draw() or not charts(block.findings):
            continue
        drawn = str(draw(block_view(block, bundle.plan.roles, drawn=True, live=live)))
        more = len(drawn.encode()) - len(layout.full[block.number].encode())
        if used + more > room:
            undrawn += 1
            # One that is refused tells that the next will be: they are of much the same size.
            if undrawn > _PATIENCE:
                break
            continue
        layout.full[block.number], used = drawn, used + more
    shown = sum(text.count('class="chart"') for text in layout.full.values())
    could = sum(len(charts(block.findings)) for block in blocks)
    layout.remarks = _remarks(len(bundle.findings), layout, (shown, could), left)
    return layout


_PATIENCE = 3


def _remarks(findings: int, layout: Layout, drawn: tuple[int, int], left: int) -> list[str]:
    shown, could = drawn
    told = []
    if could and not svg.can_draw():
        told.append(f"Charts need one more package: {svg.INSTALL}. Until then, tables.")
    elif shown < could:
        told.append(
            f"To stay small, this page draws {shown:,} of {could:,} charts: those of rules first, "
            "then differences of single attributes. The others are in the evidence file."
        )
    brief = sum(map(len, layout.brief.values()))
    if brief:
        told.append(f"{brief:,} of {findings:,} findings are shown in brief.")
    if left:
        told.append(f"{left:,} more findings are only in the evidence file.")
    return told


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def _brief(block: Block, place: int) -> str:
    one = block.findings[place]
    draw = macro("line")
    known = isinstance(one.outcome, Estimate)
    line = {
        "number": block.number if place == 0 else 0,
        "key": one.key,
        "about": pair_of(one) if one.pair else "",
        "where": one.scope,
        "figure": cut(brief(summary(one.outcome)), 160),
        "units": count_of(one.units, exact=one.units_exact) if known else DASH,
    }
    return str(draw(line))


def _chapter(chapter: Chapter) -> dict[str, Any]:
    """Return a chapter without its sections."""
    return {
        "title": chapter.title,
        "about": chapter.about,
        "overall": overall_table(chapter),
        "defined": [
            (block.lead.key, definition_of(block.lead.measure), notes_of(block))
            for block in chapter.overall
        ],
        "gaps": gaps_of(chapter),
        "sections": [],
        "folded": [],
    }


def _section(
    section: Section, layout: Layout, chapter: Chapter, courses: Mapping[str, str]
) -> dict[str, Any]:
    numbers = [block.number for block in section.blocks]
    full = [number for number in numbers if number in layout.full]
    folded = [number for number in full if number in section.folded]
    what = section.budget or "variant"
    return {
        "open": chapter.is_open(section),
        "id": f"m{section.number}",
        "name": cut(section.measure),
        "about": section.about,
        "counted": section.counted,
        "courses": courses.get(section.measure, ""),
        "folded": "\n".join(layout.full[number] for number in folded),
        "folded_title": f"Each {what} in full: {counted(len(folded), 'part')}",
        "blocks": "\n".join(layout.full[n] for n in full if n not in section.folded),
        "brief": [line for number in numbers for line in layout.brief.get(number, [])],
    }


def facts_of(bundle: Bundle) -> list[tuple[str, str]]:
    """Return what was audited: the subject, the rows and the roles."""
    plan, rows = bundle.plan, bundle.environment.get("rows")
    found: list[tuple[str, object]] = [
        *subject_facts(bundle).items(),
        ("window", window_text(bundle)),
        ("source", plan.log.source),
        ("asked", None if plan.model is None else plan.model.address),
        ("inputs", None if plan.model is None else plan.model.inputs),
        ("probes", "; ".join(one.probe for one in plan.probes)),
        ("kind", plan.log.kind),
        ("rows", f"{rows:,}" if isinstance(rows, int) else None),
        ("filter", plan.log.where),
        ("unit", bundle.units.get("unit")),
        *plan.roles.items(),
        ("groups", ", ".join(plan.groups)),
        ("item groups", ", ".join(plan.item_groups)),
        ("catalogue", plan.catalogue),
        ("side tables", ", ".join(table.source for table in plan.tables)),
        ("intervals", f"{100 * plan.level:g}%"),
        ("suppressed below", f"{plan.min_units:,} units"),
    ]
    return [(name, cut(str(text), 300)) for name, text in found if text]


def _made(bundle: Bundle) -> list[tuple[str, str]]:
    made, packages = bundle.environment, bundle.environment.get("packages") or {}
    found: list[tuple[str, object]] = [
        ("Evenhand", bundle.version),
        ("audited", f"{bundle.created:%Y-%m-%d %H:%M:%S} UTC"),
        ("engine", made.get("engine")),
        ("Python", made.get("python")),
        ("system", made.get("system")),
        ("packages", ", ".join(f"{name} {number}" for name, number in packages.items())),
        ("seed", bundle.plan.seed),
        ("digest of the plan", f"sha256:{bundle.plan.digest}"),
        ("digest of the set of units", bundle.units.get("sha256")),
    ]
    return [(name, str(text)) for name, text in found if text not in {None, ""}]


def disclosure(bundle: Bundle) -> str:
    """Return what a page of aggregates can still tell."""
    return (
        f"It holds sums over groups and no row. Groups of fewer than {bundle.plan.min_units:,} "
        "units are suppressed: neither their figures nor their counts are shown. That is no proof "
        "against disclosure: a total, less the groups that are shown, can still tell of the rest."
    )
