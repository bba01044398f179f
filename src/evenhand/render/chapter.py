"""The parts of a report: of ranked lists what users get, and what items and creators get.

A ranked log has dozens of measures. Their figures for all rows stand in one table, and what
differs between groups in another; each measure in full is one line until it is opened.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace

from evenhand.audits.contrasts import form_of
from evenhand.audits.evidence.block import has_target, is_of_items, shape_of, term_of
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.legible import cut
from evenhand.audits.evidence.lorenz import landmark
from evenhand.audits.finding import Finding
from evenhand.errors import NotationError
from evenhand.logs.kinds import kinds
from evenhand.measures.ranking import Ranking
from evenhand.measures.registry import measure_named
from evenhand.render.ranked import IDEAL_SHOWN
from evenhand.render.reading import ends_of
from evenhand.render.section import Block, Section, shown_sections
from evenhand.render.table import Table
from evenhand.render.wording import DASH, brief, interval_of, number, value_of
from evenhand.stats.estimate import Undefined

MOST = 200
"""Lines of a table of single figures; what is beyond it has a block of its own."""

_LEADING = ("nDCG",)
"""Of what users get, the measures in full from the start; beside them those that have rules."""


@dataclass(frozen=True)
class Chapter:
    """A part of a report.

    Attributes:
        title: Its heading.
        about: What it is about, in a sentence.
        overall: Single figures, shown in one table.
        compared: Blocks whose contrast of groups is shown in one table for each grouping.
        sections: Measures with all that was found, without the figures in ``overall``.
        open: The measures that are shown in full from the start; None for all.

    """

    title: str
    about: str
    overall: tuple[Block, ...]
    compared: tuple[Block, ...]
    sections: tuple[Section, ...]
    open: frozenset[str] | None

    def is_open(self, section: Section) -> bool:
        """Return whether a section is shown in full from the start."""
        return self.open is None or section.measure in self.open


def chapters_of(bundle: Bundle) -> list[Chapter]:
    """Return the findings of a bundle by part of the report."""
    sections, kind = shown_sections(bundle), kinds().get(bundle.plan.log.kind or "")
    if kind is None or not kind.ranked:
        return [Chapter("Findings", "", (), (), tuple(sections), None)]
    found = [
        _chapter(title, about, [_part(section, of_items=side) for section in sections])
        for side, title, about in _PARTS
    ]
    return [one for one in found if one.overall or one.sections]


_PARTS = (
    (False, "What users get", "How good the lists are, for all users and for groups of them."),
    (
        True,
        "What items and creators get",
        "How exposure is shared among items, and among groups of those who made them.",
    ),
)


def _chapter(title: str, about: str, sections: Sequence[Section]) -> Chapter:
    blocks = [block for section in sections for block in section.blocks]
    single = [block for block in blocks if _is_single(block)][:MOST]
    numbers = {block.number for block in single}
    left = [
        replace(section, blocks=tuple(b for b in section.blocks if b.number not in numbers))
        for section in sections
    ]
    left = [section for section in left if section.blocks]
    leading = {section.measure for section in left if _leads(section)}
    return Chapter(
        title=title,
        about=about,
        overall=tuple(single),
        compared=tuple(block for block in blocks if _gap_of(block) is not None),
        # Shares come before the curve, and what is folded away comes last.
        sections=tuple(sorted(left, key=lambda one: (one.measure not in leading, not _aimed(one)))),
        open=frozenset(leading),
    )


def _part(section: Section, *, of_items: bool) -> Section:
    blocks = tuple(b for b in section.blocks if is_about_items(b.lead) == of_items)
    return replace(section, blocks=blocks)


def is_about_items(one: Finding) -> bool:
    """Return whether a finding is about what items and their groups get, rather than users.

    It is where groups of items are compared, and where the measure reads what a group of items
    should have, or sums over items.
    """
    if is_of_items(one):
        return True
    try:
        measure = measure_named(term_of(one.measure))
    except NotationError:
        return False
    if not isinstance(measure, Ranking):
        return False
    parameters = {field.name for field in dataclasses.fields(measure)}  # type: ignore[arg-type]
    if measure.view == "rows":
        return "column" not in parameters
    return measure.view in {"items", "queries"} or bool(parameters & {"target", "group", "tail"})


def _is_single(block: Block) -> bool:
    return shape_of(block.findings) == "figure" and not block.rules


def _aimed(section: Section) -> bool:
    return any(has_target(block.lead) for block in section.blocks)


def _leads(section: Section) -> bool:
    if term_of(section.measure).name in _LEADING or _aimed(section):
        return True
    return any(block.rules or shape_of(block.findings) == "curve" for block in section.blocks)


def _gap_of(block: Block) -> Finding | None:
    """Return the contrast by which groups of a block are told apart in one line."""
    if block.is_family or has_target(block.lead):
        return None
    found = [one for one in block.findings if form_of(one.contrast) in {"gap", "ratio"}]
    return found[0] if found else None


def overall_table(chapter: Chapter) -> Table | None:
    """Return the single figures of a chapter, each beside chance and the best; None without any."""
    found = [block.lead for block in chapter.overall]
    if not found:
        return None
    told = {
        "by chance": [_number(one, "chance") for one in found],
        "at best": [_number(one, "best attainable") for one in found],
    }
    told = {name: cells for name, cells in told.items() if {*cells} != {DASH}}
    rows = tuple(
        (
            cut(f"{one.key} in {one.slice}" if one.slice else one.key),
            value_of(one.outcome),
            interval_of(one.outcome),
            *(cells[place] for cells in told.values()),
            one.conventions.get("better", DASH),
        )
        for place, one in enumerate(found)
    )
    notes = [
        f"{one.key}: undefined, {brief(one.outcome.reason)}."
        for one in found
        if isinstance(one.outcome, Undefined)
    ]
    shown = [one.key for one in found if one.conventions.get("ideal") == "shown"]
    if shown:
        notes.append(f"{', '.join(shown)}: {IDEAL_SHOWN}.")
    headings = ("figure", "value", "interval", *told, "better")
    return Table(headings, 1, rows, tuple(notes))


def _number(one: Finding, topic: str) -> str:
    found = landmark(one, topic)
    return number(float(found)) if found else DASH


@dataclass(frozen=True)
class Gaps:
    """What differs between the groups of one grouping, a line for each measure.

    Attributes:
        title: The groups that are compared.
        blocks: The number of each line's block.
        table: The lines.

    """

    title: str
    blocks: tuple[int, ...]
    table: Table


def gaps_of(chapter: Chapter) -> list[Gaps]:
    """Return what differs between groups, by grouping in the order of the plan."""
    by: dict[str, list[Block]] = {}
    for block in chapter.compared:
        by.setdefault(block.title, []).append(block)
    return [
        Gaps(title, tuple(b.number for b in blocks), _table(blocks)) for title, blocks in by.items()
    ]


def _table(blocks: Sequence[Block]) -> Table:
    found = [one for one in map(_gap_of, blocks) if one is not None]
    kinds_of = {one.contrast or "" for one in found}
    rows = []
    for one in found:
        ends = [f"{name} {number(value)}" for value, name in ends_of(one)] or [DASH, DASH]
        name = one.measure if len(kinds_of) == 1 else f"{one.contrast} of {one.measure}"
        rows.append((cut(name), value_of(one.outcome), interval_of(one.outcome), *reversed(ends)))
    value = kinds_of.pop() if len(kinds_of) == 1 else "value"
    headings = ("measure", value.replace("_", " "), "interval", "highest", "lowest")
    return Table(headings, 1, tuple(rows))
