"""Figures against strength or along a feature as reports show them: a picture, and its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evenhand.audits.evidence.block import term_of
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.course import course_chart, drawn_of
from evenhand.audits.evidence.legible import cut
from evenhand.audits.evidence.strength import CLEAN, Course, by_measure, courses_of, variant_column
from evenhand.measures.certificate import CERTIFICATE
from evenhand.render.section import Section, curves_in
from evenhand.render.svg import can_draw, svg
from evenhand.render.table import Table
from evenhand.render.view import embedded
from evenhand.render.wording import (
    ALONE,
    DASH,
    count_of,
    counted,
    interval_of,
    value_of,
    value_shown,
)
from evenhand.render.wording import own_reason as why
from evenhand.stats.estimate import Estimate, Undefined


@dataclass(frozen=True)
class CurveTable:
    """A curve without its picture.

    Attributes:
        title: Along what, and who is compared.
        table: Its figures.
        said: What is to be known by who reads it.

    """

    title: str
    table: Table
    said: str


MOST_DRAWN = 24
"""Pictures of courses in a page; the others have their table."""


def courses_in(bundle: Bundle) -> Mapping[str, list[Course]]:
    """Return the courses that a bundle's figures are points of, by the name of their measure."""
    along = [one.course for one in curves_in(bundle)]
    return by_measure([*courses_of(bundle.findings, variant_column(bundle.plan)), *along])


def course_view(one: Course, place: int, *, drawn: bool, live: bool) -> dict[str, Any]:
    """Return a course for templates.

    Args:
        one: The course.
        place: Its number in the page, from 1.
        drawn: Whether it has its picture.
        live: Whether a program on the page can draw it too.

    """
    spec = course_chart(one) if drawn and can_draw() else None
    table = table_of_course(one)
    return {
        "id": f"s{place}",
        "title": cut(one.title[:1].upper() + one.title[1:], 200),
        "svg": "" if spec is None else svg(spec),
        "spec": embedded(spec) if live and spec is not None else "",
        "caption": caption_of(one),
        "table": table,
        "table_title": f"Figures of {counted(len(table.rows), 'point')}",
        "table_caption": cut(f"{one.measure} {one.title}", 200),
    }


def curve_tables(section: Section, courses: Mapping[str, list[Course]]) -> list[CurveTable]:
    """Return what formats without pictures show of a section's curves along features."""
    found = [one for one in courses.get(section.measure, []) if one.shape != "strength"]
    return [
        CurveTable(cut(one.title[:1].upper() + one.title[1:], 200), table_of_course(one), said)
        for one in found
        for said in [" ".join(_notes(one))]
    ]


def _notes(one: Course) -> list[str]:
    """Return what is to be known of a curve beside its figures."""
    hidden = (sum(line.suppressed for line in point.lines) for point in one.points)
    return [*one.notes, *([ALONE] if 1 in hidden else [])]


def about_curves(section: Section, courses: Mapping[str, list[Course]]) -> str:
    """Return what the curves of a section are, and what of it they tell; empty without any."""
    shapes = {one.shape for one in courses.get(section.measure, [])}
    if not section.told or not shapes & {*_ALONG}:
        return ""
    what = " ".join(_ALONG[one] for one in sorted(shapes & {*_ALONG}))
    count = f"{section.told:,} figures of single {'bins' if 'ale' in shapes else 'points'}"
    return f"{what} {count} are told by these curves; each is by itself in the evidence file."


_ALONG = {
    "ale": "A curve adds up the mean changes of the score from one end of a bin to the other, of "
    "those who are in the bin: accumulated local effects, which look at nobody who is not there. "
    "Points are the ends of bins; it is 0 in the mean over all rows, each counted once whatever "
    "its weight, and by what it rises counts, not where it stands. Lines of groups are centred by "
    "the rows of all together; behind a bin with too few of a group its line goes on at the mean "
    "height of all, and limits there have the error of that height too. Limits take the bins as "
    "they are.",
    "pd": "A curve is the mean score with the feature set to one value for everybody, above each "
    "one's own mean over these values: partial dependence. Where features go together it looks at "
    "people who do not exist; accumulated local effects do not, so believe these where both "
    "differ. Limits take the values as they are.",
}


def caption_of(one: Course) -> str:
    """Return what is to be known by who reads a course."""
    found = [line.outcome for point in one.points for line in point.lines]
    level = next((100 * part.level for part in found if isinstance(part, Estimate)), 95.0)
    drawn, every = len(drawn_of(one)), len(one.names)
    few = [f"{drawn} of {every:,} groups are drawn: those that end highest and lowest."]
    few = few if drawn < every else []
    if one.shape != "strength":
        limits = f"Bands are {level:g}% limits, each point by itself."
        return " ".join([limits, *_notes(one), *few])
    told = [f"Points are figures, upright lines their {level:g}% intervals"]
    if one.by:
        told[0] += "; groups stand a little beside each other to be told apart"
    told = [f"{told[0]}."]
    if one.points[0].written == CLEAN:
        told.append("The first points are clean examples.")
    if one.in_steps:
        told.append("Between two points a share is at least the left one, at most the right one.")
        told.append("What a line lacks of 1 at its end costs more, or nothing was found for it.")
        what = "Of a search shares are at least these"
        told.append(
            f"{what}; a difference of two is bounded on neither side." if one.by else f"{what}."
        )
    if any(isinstance(part, Estimate) and part.identified for part in found):
        ends = "the lower end is certified, the upper is what attacks left"
        certified = dict(term_of(one.measure).params).get("missing") == CERTIFICATE
        what = f": {ends}" if certified else ", from end to end"
        told.append(f"Thick lines are the sets that figures are known to lie in{what}.")
    return " ".join([*told, *few])


MOST = 100
"""Lines of a table, which is folded away."""


def table_of_course(one: Course, most: int = MOST) -> Table:
    """Return the figures of a course, one group after the other.

    Args:
        one: The course.
        most: Lines that are shown at most.

    """
    who = ", ".join(one.by)
    rows = [
        (*([value_shown(name)] if who else []), *cells)
        for name in one.names
        for cells in _cells(one, name)
    ]
    notes = [
        f"{value_shown(line.name)} at {point.written}: undefined, {why(line.outcome.reason)}."
        for point in one.points
        for line in point.lines
        if isinstance(line.outcome, Undefined) and not line.suppressed
    ]
    left = len(rows) - most
    if left > 0:
        notes = [f"{left:,} more lines are in the evidence file.", *notes]
    counts = ("rows of the bin", "units") if one.shape == "ale" else ("rows", "units")
    headings = (*([who] if who else []), cut(one.axis), cut(one.measure), "interval", *counts)
    return Table(headings, 1 + bool(who), tuple(rows[:most]), tuple(notes[:most]))


def _cells(one: Course, name: str) -> Sequence[tuple[str, ...]]:
    found = []
    for point in one.points:
        for line in point.lines:
            if line.name != name:
                continue
            if line.suppressed:
                found.append((point.written, "suppressed", DASH, DASH, DASH))
                continue
            counts = (count_of(line.rows), count_of(line.units, exact=line.exact))
            if one.shape == "ale" and not line.rows:
                counts = (DASH, DASH)
            figure = (value_of(line.outcome), interval_of(line.outcome))
            found.append((point.written, *figure, *counts))
    return found
