"""Curves of effects: how the score moves along a feature, put together from single figures.

A figure of one bin is a step of the curve of accumulated local effects, and a figure of one value
that was set is a point of partial dependence. Their slices say where on the feature they stand.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from evenhand.audits.evidence.strength import (
    ALL,
    CURVED,
    Course,
    Line,
    Point,
    equal_in,
    lines_of,
    variant_in,
)
from evenhand.audits.finding import Finding
from evenhand.stats.accumulated import accumulated, middle
from evenhand.stats.estimate import Estimate, Outcome, Undefined
from evenhand.stats.interval import Floats, Limits

_TOLD = {None, "difference"}
"""Contrasts whose groups a curve tells."""

_NOBODY = Undefined("no example of the group is there")

_BEHIND = Undefined("how high the line goes on behind a bin that is not known nobody knows")

_ALONE = "all together"
"""The line of all together where a group is called as that is usually."""

_WHOLE = {ALL, _ALONE}

Place: TypeAlias = tuple[float, ...]
"""The lower and the upper end of a bin; or the value that was set."""

Figures: TypeAlias = dict[Place, dict[tuple[str, ...], Finding]]
"""What is known at each place, by the attributes of groups."""

Lines: TypeAlias = dict[Place, dict[str, Line]]
"""What is known at each place, by the name of the group."""


@dataclass(frozen=True)
class Curve:
    """A course along a feature, with the findings that it tells.

    Attributes:
        course: What is drawn.
        told: The key and the slice of each finding.

    """

    course: Course
    told: frozenset[tuple[str, str | None]]


def curves_of(findings: Iterable[Finding], variant: str, *, apart: bool = True) -> list[Curve]:
    """Return the curves that findings are steps or points of, the widest first.

    Args:
        findings: The findings.
        variant: The column that tells variants apart; empty for rows without, which have none.
        apart: Whether no unit is in two bins, as where the source example is the unit.

    """
    found: dict[tuple[str, str, str], Figures] = {}
    told: dict[tuple[str, str, str], set[tuple[str, str | None]]] = {}
    for one in findings if variant else ():
        if one.pair or one.given or one.part or one.contrast not in _TOLD:
            continue
        feature, place, where = _stand(one, variant)
        if place:
            about = (one.measure, feature, where)
            found.setdefault(about, {}).setdefault(place, {}).setdefault(one.by, one)
            told.setdefault(about, set()).add((one.key, one.slice))
    curves = [
        Curve(course, frozenset(told[about]))
        for about, figures in found.items()
        for course in _courses(*about, figures, apart=apart)
    ]
    return sorted(curves, key=lambda one: -_height(one.course))


def _height(one: Course) -> float:
    """Return how far a curve goes from its least to its greatest value; 0 where none is known."""
    known = [line.outcome for point in one.points for line in point.lines if line.name in _WHOLE]
    values = [outcome.value for outcome in known if isinstance(outcome, Estimate)]
    return max(values) - min(values) if values else 0.0


def _stand(one: Finding, variant: str) -> tuple[str, Place, str]:
    """Return where a figure stands: the feature, the place on it, and what else is asked."""
    feature, where = variant_in(one.slice, variant)
    place: list[float] = []
    for column in CURVED.get(one.measure, ()):
        value, where = equal_in(where, column)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return feature, (), where
        place.append(float(value))
    return feature, tuple(place) if all(map(math.isfinite, place)) else (), where


def _courses(
    measure: str, feature: str, where: str, figures: Figures, *, apart: bool
) -> list[Course]:
    """Return the curve of all together; or one by each grouping, in which all together is too."""
    every = dict(sorted(figures.items()))
    steps = len(CURVED[measure]) > 1
    whole = {place: lines_of(one[()])[0] for place, one in every.items() if () in one}
    if steps and any(low[1] > high[0] for low, high in itertools.pairwise(every)):
        # Bins of two runs, through which no curve goes.
        return []
    groupings = dict.fromkeys(by for one in every.values() for by in one)
    made = []
    for by in [by for by in groupings if by] or [()]:
        of = {place: one[by] for place, one in every.items() if by in one}
        alone = _alone(of)
        lines = _lines(of, whole, alone)
        points, notes = _added(lines, whole, apart=apart) if steps else (_points(lines), ())
        if len(points) > 1:
            course = Course(
                measure="accumulated local effect" if steps else "partial dependence",
                what="",
                axis=feature,
                by=by,
                where=where,
                points=points,
                is_rate=False,
                behind=measure,
                shape="ale" if steps else "pd",
                notes=(*_differing(of), *notes),
                alone=alone if by and whole else "",
            )
            made.append(course)
    return made


def _alone(of: Mapping[Place, Finding]) -> str:
    """Return what the line of all together is called beside those of groups."""
    taken = {line.name for one in of.values() if one.by for line in lines_of(one)}
    return ALL if ALL not in taken else _ALONE


def _lines(of: Mapping[Place, Finding], whole: Mapping[Place, Line], alone: str) -> Lines:
    """Return what is known at each place: of groups, and of all together after them."""
    return {
        place: {
            **({line.name: line for line in lines_of(one)} if one.by else {}),
            **({alone: replace(whole[place], name=alone)} if place in whole else {}),
        }
        for place, one in of.items()
    }


def _points(lines: Lines) -> tuple[Point, ...]:
    """Return the points of partial dependence, which are figures as they are."""
    return tuple(
        Point(place[0], written(place[0]), tuple(one.values())) for place, one in lines.items()
    )


def _added(
    lines: Lines, whole: Mapping[Place, Line], *, apart: bool
) -> tuple[tuple[Point, ...], tuple[str, ...]]:
    """Return accumulated local effects at the ends of bins, and where lines are broken.

    Every line is centred by the rows of all together, each counted once, so that lines are equal
    where the feature moves the score alike. Behind a bin that is not known nobody knows how high a
    line goes on: of all together the unbroken piece with the most examples is told, and each piece
    of a group stands where all together stands in the mean over its bins. Limits there are those of
    the piece's own rises and of that height, added up, since both rest on the same examples.
    """
    count = {place: float(line.rows) for place, line in whole.items()}
    runs = _runs([place for place in whole if count[place]], whole)
    known = max(runs, key=lambda run: sum(count[place] for place in run), default=[])
    if not known:
        return (), ()
    ends = dict.fromkeys(end for place in lines for end in place)
    found: dict[float, list[Line]] = {end: [] for end in ends}
    notes = []
    for name in dict.fromkeys(name for one in lines.values() for name in one):
        own = {place: one.get(name) or _nobody(name) for place, one in lines.items()}
        own = {
            place: line if place in known or not _is_known(line) else replace(line, outcome=_BEHIND)
            for place, line in own.items()
        }
        on: dict[float, Line] = {}
        for piece, run in enumerate(_runs(known, own)):
            value, limits = _curve(run, own, count, apart=apart)
            first = known.index(run[0])
            shift, about = middle(
                *_means(known, whole, count), slice(first, first + len(run)), apart=apart
            )
            ends_of = (value + shift, limits.low + about.low, limits.high + about.high)
            for end, *figures in zip(_ends(run), *ends_of, strict=True):
                outcome = _estimate(own[run[0]], *map(float, figures))
                on[end] = _line(name, outcome, _ending(own, end), piece=piece)
        for end in ends:
            found[end].append(on.get(end) or _missing(name, own, end))
        broken = [place for place, line in own.items() if not _is_known(line)]
        if on and broken:
            notes.append(f"{name} has no line from {', '.join(map(_range, _joined(broken)))}.")
    return (
        tuple(Point(end, written(end), tuple(some)) for end, some in found.items()),
        tuple(notes),
    )


def _is_known(line: Line) -> bool:
    return isinstance(line.outcome, Estimate) and not line.suppressed


def _runs(known: Sequence[Place], lines: Mapping[Place, Line]) -> list[list[Place]]:
    """Return the bins whose means are known, in unbroken runs."""
    runs: list[list[Place]] = []
    for place in known:
        if place not in lines or not _is_known(lines[place]):
            continue
        if runs and runs[-1][-1][1] == place[0]:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def _ends(run: Sequence[Place]) -> list[float]:
    return [run[0][0], *(place[1] for place in run)]


def _curve(
    run: Sequence[Place], lines: Mapping[Place, Line], count: Mapping[Place, float], *, apart: bool
) -> tuple[Floats, Limits]:
    """Return the curve over a run of bins, centred by so many examples in each."""
    return accumulated(*_means(run, lines, count), apart=apart)


def _means(
    run: Sequence[Place], lines: Mapping[Place, Line], count: Mapping[Place, float]
) -> tuple[Floats, Limits, Floats]:
    """Return the mean changes over a run of bins, their limits, and the examples in each."""
    means = [one for place in run if isinstance(one := lines[place].outcome, Estimate)]
    return (
        np.array([one.value for one in means]),
        Limits(np.array([one.low for one in means]), np.array([one.high for one in means])),
        np.array([count[place] for place in run]),
    )


def _estimate(line: Line, value: float, low: float, high: float) -> Outcome:
    if not isinstance(line.outcome, Estimate):
        return line.outcome
    return Estimate(value, low, high, line.outcome.level, "MOVER over bins")


def _ending(own: Mapping[Place, Line], end: float) -> Line | None:
    """Return what is known of the bin that ends there; None for the first end."""
    return next((line for place, line in own.items() if place[1] == end), None)


def _line(name: str, outcome: Outcome, beside: Line | None, *, piece: int) -> Line:
    """Return a line at an end, with the number of examples of the bin that ends there."""
    if beside is None or not _is_known(beside):
        return Line(name, outcome, 0, 0, exact=True, piece=piece)
    return replace(beside, name=name, outcome=outcome, piece=piece)


def _missing(name: str, own: Mapping[Place, Line], end: float) -> Line:
    """Return that nothing is known of a line at an end, and why."""
    beside = _ending(own, end) or next(line for place, line in own.items() if place[0] == end)
    if _is_known(beside):
        return Line(name, _NOBODY, 0, 0, exact=True)
    return replace(beside, name=name)


def _nobody(name: str) -> Line:
    return Line(name, _NOBODY, 0, 0, exact=True)


def _differing(of: Mapping[Place, Finding]) -> list[str]:
    """Return where groups differ by more than chance, each place by itself."""
    found = {
        place: one.outcome
        for place, one in of.items()
        if one.contrast == "difference" and isinstance(one.outcome, Estimate)
    }
    if not found:
        return []
    # A difference of the last digits is rounding where a feature moves the score alike.
    largest = max(
        abs(part.outcome.value)
        for one in of.values()
        for part in one.groups
        if isinstance(part.outcome, Estimate)
    )
    apart = [place for place, outcome in found.items() if outcome.low > _ROUNDING * largest]
    level = next(iter(found.values())).level
    steps = len(next(iter(found))) > 1
    what = "Mean changes of groups differ over" if steps else "Means of groups differ at"
    kind = f"{'bin' if steps else 'point'}{'s' if len(found) > 1 else ''}"
    told = f": {', '.join(map(_range, _joined(apart)))}" if apart else ""
    unknown = sum(one.contrast == "difference" for one in of.values()) - len(found)
    said = f"{what} {len(apart):,} of {len(found):,} {kind}, each judged alone at {100 * level:g}%"
    left = [f"Nothing can be said of {unknown:,} more."] if unknown else []
    return [f"{said}{told}.", *left]


def _joined(places: Sequence[Place]) -> list[Place]:
    """Return bins with those that are next to each other as one."""
    joined: list[Place] = []
    for place in places:
        if joined and joined[-1][-1] == place[0]:
            joined[-1] = (joined[-1][0], place[-1])
        else:
            joined.append(place)
    return joined


def _range(place: Place) -> str:
    return " to ".join(map(written, place))


def written(value: float) -> str:
    """Return a value of a feature in a few digits.

    >>> written(0.30000001192092896), written(99999.0)
    ('0.3', '99,999')
    """
    return f"{value:,.4g}" if abs(value) < _LARGE else f"{value:,.8g}"


_ROUNDING = 1e-9

_LARGE = 1_000
"""From here on values are written with what stands before their point."""
