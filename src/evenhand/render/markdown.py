"""A report as Markdown, for pull requests, model cards and wikis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evenhand.audits.evidence.block import shape_of
from evenhand.audits.evidence.bundle import Bundle
from evenhand.render.chapter import Chapter, chapters_of, overall_table
from evenhand.render.course import about_curves, courses_in, curve_tables
from evenhand.render.done import TITLE, done_of, untold
from evenhand.render.format import Format
from evenhand.render.gfm import bullets, code, plain
from evenhand.render.gfm import table as grid
from evenhand.render.order import ABOUT as ORDERED
from evenhand.render.order import TITLE as ORDERS
from evenhand.render.order import orders_in
from evenhand.render.overview import TITLE as SIDE_BY_SIDE
from evenhand.render.overview import Overview, compared_in, overview_of
from evenhand.render.ranked import curve
from evenhand.render.reading import Roles, capital
from evenhand.render.rule import LIMITS, rules_view, sentence
from evenhand.render.section import Block, Section, title_of
from evenhand.render.table import Table, table_of
from evenhand.render.verdicts import SYMBOLS
from evenhand.render.view import notes_of, reading_of, warnings_of
from evenhand.render.wording import counted, interval_of, value_of
from evenhand.stats.estimate import Undefined


def markdown(bundle: Bundle) -> str:
    """Return the report of a bundle as Markdown."""
    rules, left = rules_view(bundle)
    parts = [f"# {plain(title_of(bundle))}", _verdict(bundle)]
    if rules:
        parts += [_rules(rules), *filter(None, [plain(left)]), plain(LIMITS)]
    parts += _done(bundle)
    courses = courses_in(bundle)
    chapters = chapters_of(bundle)
    sections = [one for chapter in chapters for one in chapter.sections]
    overview = overview_of(bundle, sections, ordered=True)
    for chapter in chapters:
        parts += [f"## {plain(chapter.title)}", plain(chapter.about)]
        parts += _side_by_side(overview) if overview else []
        parts += _orders(bundle) if chapter is chapters[0] else []
        parts += _overall(chapter)
        for section in chapter.sections:
            parts += [f"### {plain(section.measure)}", plain(section.about)]
            if section.counted:
                parts.append(f"Here: {plain(section.counted)}.")
            parts.append(plain(about_curves(section, courses)))
            for one in curve_tables(section, courses):
                notes = [plain(note) for note in (*one.table.notes, one.said)]
                parts += [f"#### {plain(one.title)}", _grid(one.table), *notes]
            for title, table in compared_in(section, courses):
                parts += [f"#### {plain(capital(title))}", _grid(table), *map(plain, table.notes)]
            parts += _blocks(section, bundle.plan.roles)
    made = f"Evenhand {bundle.version}, {bundle.created:%Y-%m-%d %H:%M} UTC, plan"
    parts += ["---", f"{plain(made)} {code(f'sha256:{bundle.plan.digest}')}"]
    return "\n\n".join(filter(None, parts)) + "\n"


FORMAT = Format("markdown", ".md", "For pull requests, model cards and wikis.", markdown)


def _done(bundle: Bundle) -> list[str]:
    """Return what was done to the model; nothing for other logs."""
    parts = []
    for one in done_of(bundle):
        parts.append(bullets(f"{plain(name)}: {plain(text)}" for name, text in one.facts))
        for part in one.judged:
            told = [f"**{plain(part.variants)}**: {plain(part.verdict)}", *map(plain, part.reasons)]
            parts.append("  \n".join(told))
        parts += [f"**{plain(text)}**" for text in one.remarks]
        parts.append(bullets(plain(text) for text in one.notes))
    parts.append(f"**{plain(untold(bundle))}**" if untold(bundle) else "")
    return [f"## {TITLE}", *parts] if any(parts) else []


def _side_by_side(one: Overview) -> list[str]:
    """Return what every variant is worth in one table."""
    told = [*one.asked, *one.notes]
    return [f"### {SIDE_BY_SIDE}", *map(_grid, one.tables()), *map(plain, told)]


def _orders(bundle: Bundle) -> list[str]:
    """Return which features come first by several methods; nothing where one puts them in order."""
    parts = []
    for one in orders_in(bundle):
        parts += [f"### {ORDERS}{f' in {plain(one.title)}' if one.title else ''}", plain(ORDERED)]
        parts += [*map(_grid, one.ranks.tables(of="feature")), *map(plain, one.ranks.notes)]
        for title, table in one.tables:
            parts += [f"#### {plain(capital(title))}", _grid(table)]
            parts += map(plain, table.notes)
        parts.append(plain(one.note))
    return parts


def _blocks(section: Section, roles: Roles) -> list[str]:
    """Return the blocks of a section; those that are told side by side before are folded away."""
    parts, folded = [], [block for block in section.blocks if block.number in section.folded]
    if folded:
        summary = f"In full: {counted(len(folded), 'part')}"
        parts.append(f"<details><summary>{summary}</summary>")
        parts += [part for block in folded for part in block_of(block, roles)]
        parts.append("</details>")
    left = [block for block in section.blocks if block.number not in section.folded]
    return [*parts, *(part for block in left for part in block_of(block, roles))]


def _overall(chapter: Chapter) -> list[str]:
    """Return the single figures of a chapter in one table, and how each is defined."""
    found = overall_table(chapter)
    if found is None:
        return []
    parts = ["### All together", _grid(found), *(plain(note) for note in found.notes)]
    told = [
        f"{code(block.lead.key)}: {plain('; '.join(notes_of(block)))}" for block in chapter.overall
    ]
    return [*parts, bullets(told)]


def _grid(found: Table) -> str:
    rows = [[plain(cell) for cell in row] for row in found.rows]
    numbers = len(found.headings) - found.names
    return grid([plain(text) for text in found.headings], rows, numbers=numbers)


def block_of(block: Block, roles: Roles) -> list[str]:
    """Return a block of findings."""
    rules = f" (rule {', '.join(block.rules)})" if block.rules else ""
    parts = [f"#### {plain(block.title + rules)}"]
    if shape_of(block.findings) == "curve":
        parts.append(plain(curve(block.findings)))
    if block.is_family:
        parts += [code(block.lead.key), plain(" ".join(block.readings(roles)))]
    else:
        for one in block.findings:
            shown = "" if isinstance(one.outcome, Undefined) else _figure(one.outcome)
            parts.append(f"{code(one.key)}{shown}  \n{plain(reading_of(one, block, roles))}")
    table = table_of(block)
    if table is not None:
        parts.append(_grid(table))
        parts += [plain(note) for note in table.notes]
    parts += [f"**{plain(text)}**" for text in warnings_of(block)]
    parts.append(bullets(plain(note) for note in notes_of(block)))
    return parts


def _figure(outcome: Any) -> str:  # noqa: ANN401 - an outcome that is defined
    return f" **{plain(value_of(outcome))}** {plain(interval_of(outcome))}"


def _verdict(bundle: Bundle) -> str:
    if bundle.verdict is None:
        return plain(sentence(bundle))
    mark = f"{SYMBOLS[bundle.verdict]} {bundle.verdict}"
    return f"**{plain(mark)}.** {plain(sentence(bundle))}"


def _rules(rules: Sequence[dict[str, Any]]) -> str:
    headings = ("verdict", "rule", "scope", "finding", "certainty", "units that pass", "needed")
    return grid(headings, map(_rule, rules), numbers=3)


def _rule(one: dict[str, Any]) -> list[str]:
    told = [one["reason"], *one["undecided"]]
    if one["why"]:
        told.append(f"Why this limit: {one['why']}")
    if one["waiver"]:
        told.append(f"Waived {one['waiver']}")
    return [
        plain(f"{SYMBOLS[one['verdict']]} {one['verdict']}"),
        f"**{plain(one['id'])}** {code(one['rule'])}",
        plain(one["scope"]),
        "<br>".join(map(plain, told)),
        *(plain(one[name]) for name in ("certainty", "pass_share", "units_needed")),
    ]
