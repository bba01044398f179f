"""Findings and bundles in a notebook: static HTML with pictures; no port, no widget, no script."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.finding import Finding
from evenhand.render import svg
from evenhand.render.course import about_curves, course_view, courses_in
from evenhand.render.html import asset, environment, macro
from evenhand.render.overview import overview_of
from evenhand.render.rule import LIMITS, rules_view, sentence
from evenhand.render.section import Block, Section, shown_sections, title_of
from evenhand.render.view import block_view

MOST = 20
"""Blocks of a bundle that are shown; a notebook is no place for hundreds."""


def notebook(what: object) -> str:
    """Return a finding or a bundle as a piece of HTML."""
    if isinstance(what, Bundle):
        return _bundle(what)
    if isinstance(what, Finding):
        return _piece([Block((what,), (), 1)], {})
    raise TypeError(f"{type(what).__name__} has no picture")


def _bundle(bundle: Bundle) -> str:
    sections = shown_sections(bundle)
    blocks = [block for section in sections for block in section.blocks]
    shown = sorted(sorted(blocks, key=lambda b: b.importance)[:MOST], key=lambda b: b.number)
    rules, rules_left = rules_view(bundle)
    left = len(blocks) - len(shown)
    overview = overview_of(bundle, sections)
    table = str(macro("overview")(overview, [""] * len(overview.measures), {})) if overview else ""
    return _piece(
        shown,
        bundle.plan.roles,
        title=title_of(bundle),
        verdict=bundle.verdict,
        sentence=sentence(bundle),
        rules=rules,
        rules_left=rules_left,
        curves=[*filter(None, [table]), *_curves(bundle, sections)],
        left=f"{left:,} more are in the report: evenhand show FILE.evidence.zip --format html"
        if left > 0
        else "",
    )


def _curves(bundle: Bundle, sections: list[Section]) -> list[str]:
    """Return curves along features, which tell what no block does."""
    courses, can = courses_in(bundle), svg.can_draw()
    parts = []
    for section in sections:
        about = about_curves(section, courses)
        if about:
            parts.append(f'<p class="about">{about}</p>')
            found = courses[section.measure][: MOST - len(parts)]
            views = [course_view(one, len(parts), drawn=can, live=False) for one in found]
            parts += [str(macro("course")(view)) for view in views]
    return parts


def _piece(
    blocks: list[Block],
    roles: dict[str, str],
    *,
    title: str = "",
    verdict: str | None = None,
    sentence: str = "",
    rules: object = (),
    rules_left: str = "",
    curves: Sequence[str] = (),
    left: str = "",
) -> str:
    draw = macro("block")
    can = svg.can_draw()
    shown = [str(draw(block_view(block, roles, drawn=can, live=False))) for block in blocks]
    remarks = [left] if left else []
    if not can:
        remarks.append(f"Charts: {svg.INSTALL}")
    return (
        environment()
        .get_template("piece.html")
        .render(
            style=asset("report.css"),
            title=title,
            verdict=verdict,
            sentence=sentence,
            rules=rules,
            rules_left=rules_left,
            limits=LIMITS,
            blocks="\n".join([*curves, *shown]),
            remarks=remarks,
        )
    )
