"""Figures of a measure over its variants as a page shows them: side by side, or on a course."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.profile import Profile
from evenhand.audits.evidence.strength import Course, variant_column
from evenhand.render.course import MOST_DRAWN, about_curves, course_view, courses_in
from evenhand.render.profile import profile_view, profiles_in
from evenhand.render.section import Section, only_variant, variant_of

Draw: TypeAlias = Callable[[Mapping[str, Any]], str]


def beside(
    bundle: Bundle, sections: Sequence[Section], room: int, *, live: bool, draw: Draw
) -> dict[str, str]:
    """Return the figures of measures over variants as HTML, by the section that shows them.

    Args:
        bundle: The evidence.
        sections: Its sections.
        room: Bytes that they may take.
        live: Whether a program on the page can draw them too.
        draw: What writes one of them.

    """
    found, profiles = _named(bundle, courses_in(bundle)), profiles_in(bundle)
    texts: dict[str, str] = {}
    place = 0

    def put(section: Section, part: Course | Profile) -> bool:
        """Add it with its picture, or without, as far as there is room."""
        nonlocal place, room
        place += 1
        for drawn in (True, False) if place <= MOST_DRAWN else (False,):
            text = draw(_view(part, place, drawn=drawn, live=live))
            if len(text.encode()) <= room:
                room -= len(text.encode())
                texts[section.measure] = f"{texts.get(section.measure, '')}{text}\n"
                return True
        return False

    for section in sections:
        parts: list[Course | Profile] = [*profiles.get(section.measure, [])]
        parts += found.get(section.measure, [])
        about = about_curves(section, found)
        texts[section.measure] = f'<p class="about">{about}</p>\n' if about else ""
        left = [put(section, one) for one in parts].count(False)
        if left:
            told = f"{left:,} more pictures and tables are left out, to keep this page small."
            texts[section.measure] += f'<p class="remark">{told}</p>\n'
    return texts


def _named(bundle: Bundle, courses: Mapping[str, list[Course]]) -> dict[str, list[Course]]:
    """Return courses whose rows are said as people read them; the only variant goes unsaid."""
    column, only = variant_column(bundle.plan), only_variant(bundle)
    return {
        measure: [
            replace(one, where=", ".join(filter(None, variant_of(one.where, column, only))))
            for one in found
        ]
        for measure, found in courses.items()
    }


def _view(part: Course | Profile, place: int, *, drawn: bool, live: bool) -> dict[str, Any]:
    if isinstance(part, Profile):
        return profile_view(part, place, drawn=drawn, live=live)
    return course_view(part, place, drawn=drawn, live=live)
