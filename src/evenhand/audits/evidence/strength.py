"""Figures against the strength of what was done: eps of an attack, severity of a corruption.

A probe's variants are named by what was done and how strongly: ``linf 8/255``, ``gaussian_noise
3``. Where a measure is figured for several of one kind, its figures are points of one course; so
are those of a measure that takes a budget itself, such as an eps or a cost.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal as Written
from typing import TypeAlias

from evenhand.audits.evidence.block import term_of
from evenhand.audits.finding import Finding, GroupFinding
from evenhand.audits.plan.plan import AuditPlan
from evenhand.logs.grammar import Literal, column_name, literal
from evenhand.logs.kinds import kinds
from evenhand.stats.estimate import Outcome

_CLEAN = "clean_accuracy"
"""What an attacked accuracy is at strength 0, and so no course itself."""

_FROM_CLEAN = {
    *("robust_accuracy", "bounds(robust_accuracy, missing=certificate)"),
    "accuracy_within",
}
"""Measures that are the clean accuracy at strength 0."""

_BUDGETS = {
    "accuracy_within": ("eps", "eps"),
    "certified_accuracy": ("r", "radius"),
    "recourse_within": ("cost", "cost"),
}
"""Measures that take a budget, how far a change may go or what it may cost: the parameter, and what
it is called on an axis."""

_STEPS = {"recourse_within"}
"""Measures whose lines stay where they are up to the next point: shares that can only rise."""

CLEAN = "clean"
"""How the strength of examples is written to which nothing was done."""

CURVED = {"mean_local_effect": ("ale_low", "ale_high"), "mean_partial_effect": ("moved_to",)}
"""Measures that curves along a feature are made of, and the columns that say where on it."""

_NORMS = {"linf", "l2"}

_STRENGTH = re.compile(r"(?P<what>.*\S)\s+(?P<strength>[0-9][0-9./e+-]*)")

_FAR = 1e100
"""No strength is as large; an axis ends before."""

ALL = "all"
"""The line of all together: the only one of a course of figures that compare no groups."""

Shape: TypeAlias = Written["strength", "ale", "pd"]


@dataclass(frozen=True)
class Line:
    """A figure of one group: what a finding says of it.

    Attributes:
        piece: Which unbroken piece of the group's line it is on.

    """

    name: str
    outcome: Outcome
    rows: int
    units: int
    exact: bool
    suppressed: bool = False
    compared: bool = True
    piece: int = 0


@dataclass(frozen=True)
class Point:
    """What is known at one strength.

    Attributes:
        strength: How strongly it was done; 0 for clean examples.
        written: The strength as it was written, such as ``8/255``.
        lines: The figures, a group each.

    """

    strength: float
    written: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Course:
    """Figures of one measure in the same groups at several strengths.

    Attributes:
        measure: The measure, without the budget that it takes.
        what: What was done: a norm, or a corruption; empty where the measure takes a budget.
        axis: What the strength is called.
        by: The attributes of the groups; empty for all together.
        where: What else holds of the rows; empty for nothing.
        points: From the least strength to the largest, the clean examples first where known.
        is_rate: Whether figures are shares.
        behind: The measure of the findings, where figures are made of several; empty else.
        shape: ``strength`` of what was done; else a curve of effects along a feature: ``ale`` or
            ``pd``.
        notes: What else a reader must know.
        alone: The line of all together beside those of groups; empty for none.

    """

    measure: str
    what: str
    axis: str
    by: tuple[str, ...]
    where: str
    points: tuple[Point, ...]
    is_rate: bool
    behind: str = ""
    shape: Shape = "strength"
    notes: tuple[str, ...] = ()
    alone: str = ""

    @property
    def title(self) -> str:
        """Against or along what, and who is compared."""
        how = "against" if self.shape == "strength" else "along"
        who = f"by {', '.join(self.by)}" if self.by else "all together"
        return f"{how} {self.axis}, {who}{f' in {self.where}' if self.where else ''}"

    @property
    def in_steps(self) -> bool:
        """Whether its lines stay where they are up to the next point."""
        return self.measure in _STEPS

    @property
    def names(self) -> list[str]:
        """The groups, in the order of the findings."""
        return list(dict.fromkeys(line.name for point in self.points for line in point.lines))


def variant_column(plan: AuditPlan) -> str:
    """Return the column that tells variants apart; empty where the kind has none."""
    kind = kinds().get(plan.log.kind)
    if kind is None or not kind.variant:
        return ""
    return plan.roles.get(kind.variant, kind.variant)


def is_of_sources(plan: AuditPlan) -> bool:
    """Return whether what is independent is the source example, which is in one bin of a curve."""
    kind = kinds().get(plan.log.kind)
    unit = plan.written_unit
    # Two-way units are a list.
    return kind is not None and (unit is None or unit == plan.roles.get(kind.unit, kind.unit))


def courses_of(findings: Iterable[Finding], variant: str) -> list[Course]:
    """Return the courses that findings are points of, in the order in which they come.

    Args:
        findings: The findings.
        variant: The column that tells variants apart; empty for rows without, which have none.

    """
    if not variant:
        return []
    found: dict[tuple[str, str, str, tuple[str, ...], str], dict[float, Point]] = {}
    rates: dict[str, bool] = {}
    clean: dict[tuple[str, str, tuple[str, ...], str], Point] = {}
    for one in findings:
        placed = _placed(one, variant)
        if placed is None or one.pair or one.given or on_curve(one):
            continue
        measure, what, axis, where, strength, written = placed
        point = Point(strength, written, lines_of(one))
        if measure == _CLEAN:
            clean.setdefault((what, "", one.by, where), Point(0.0, CLEAN, point.lines))
            continue
        points = found.setdefault((measure, what, axis, one.by, where), {})
        rates[measure] = one.is_rate
        points.setdefault(strength, point)
    courses = []
    for (measure, what, axis, by, where), points in found.items():
        if len(points) < 2:  # noqa: PLR2004 - one point is no course
            continue
        start = clean.get((what, "", by, where)) if measure in _FROM_CLEAN else None
        every = [*([start] if start and 0.0 not in points else []), *points.values()]
        every.sort(key=lambda point: point.strength)
        courses.append(Course(measure, what, axis, by, where, tuple(every), rates[measure]))
    return courses


def budget_of(measure: str) -> str:
    """Return what the budget of a measure is called; empty where it takes none.

    >>> budget_of("recourse_within(cost=0.5)"), budget_of("recourse_within"), budget_of("auc")
    ('cost', 'cost', '')
    """
    _, called = _BUDGETS.get(term_of(measure).name, ("", ""))
    return called


def merged_by_budget(findings: Iterable[Finding], variant: str) -> frozenset[str]:
    """Return the measures of which there are several budgets in the same rows, without these.

    Args:
        findings: The findings.
        variant: The column that tells variants apart; empty for rows without, which have none.

    """
    found: dict[tuple[str, str | None], set[float]] = {}
    for one in findings if variant else ():
        name = term_of(one.measure).name
        placed = _placed(one, variant) if name in _BUDGETS else None
        if placed is not None:
            found.setdefault((name, one.slice), set()).add(placed[4])
    return frozenset(name for (name, _), budgets in found.items() if len(budgets) > 1)


def _placed(one: Finding, variant: str) -> tuple[str, str, str, str, float, str] | None:
    """Return where on a course a finding is: measure, what was done, axis, rest, strength."""
    term = term_of(one.measure)
    if term.name in _BUDGETS:
        parameter, axis = _BUDGETS[term.name]
        value = dict(term.params).get(parameter)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if not 0 <= value <= _FAR:
            return None
        untouched = value == 0 and term.name in _FROM_CLEAN
        written = CLEAN if untouched else f"{value:g}"
        return term.name, "", axis, one.slice or "", float(value), written
    name, where = variant_in(one.slice, variant)
    what, written = strength_of(name)
    strength = _number(written)
    if strength is None:
        return None
    axis = f"eps ({what})" if what in _NORMS else f"severity of {what.replace('_', ' ')}"
    return one.measure, what, axis, where, strength, written


def on_curve(one: Finding) -> bool:
    """Return whether a finding is of one place along a feature, and so of nothing else."""
    columns = CURVED.get(one.measure, ())
    return any(equal_in(one.slice, column)[0] is not None for column in columns)


def strength_of(variant: str) -> tuple[str, str]:
    """Return what a variant's name says was done, and how strongly; empty where it does not say.

    >>> strength_of("linf 8/255"), strength_of("l2 smoothing(sigma=0.25)")
    (('linf', '8/255'), ('l2 smoothing(sigma=0.25)', ''))
    """
    found = _STRENGTH.fullmatch(variant)
    if found is None or _number(found["strength"]) is None:
        return variant, ""
    return found["what"], found["strength"]


def variant_in(scope: str | None, variant: str) -> tuple[str, str]:
    """Return the variant that a slice chooses, and what else it asks; empty where it has none.

    >>> variant_in("variant == 'linf 8/255' and label == 3", "variant")
    ('linf 8/255', 'label == 3')
    """
    value, rest = equal_in(scope, variant)
    return (value, rest) if isinstance(value, str) else ("", "")


def equal_in(scope: str | None, column: str) -> tuple[Literal, str]:
    """Return the value that a slice asks of a column, and what else it asks; None where of none.

    >>> equal_in("ale_low == -1.5 and label == 3", "ale_low")
    (-1.5, 'label == 3')
    """
    try:
        body = ast.parse((scope or "").strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None, ""
    is_all = isinstance(body, ast.BoolOp) and isinstance(body.op, ast.And)
    parts: Sequence[ast.expr] = body.values if is_all else [body]  # type: ignore[attr-defined]
    named: list[Literal] = []
    rest: list[ast.expr] = []
    for part in parts:
        match part:
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]) if (
                column_name(left) == column and (value := literal(right)) is not None
            ):
                named.append(value[0])
            case _:
                rest.append(part)
    if len(named) != 1:
        return None, ""
    return named[0], " and ".join(map(ast.unparse, rest))


def _number(text: str) -> float | None:
    """Return a strength, 0 or more; ``8/255`` is a fraction."""
    above, _, below = text.partition("/")
    try:
        # As floats, since a fraction of whole numbers would write 1e999999999 out.
        found = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return None
    return found if 0 <= found <= _FAR else None


def lines_of(one: Finding) -> tuple[Line, ...]:
    """Return the figures of a finding, a group each."""
    if not one.by:
        return (Line(ALL, one.outcome, one.rows, one.units, one.units_exact),)
    return tuple(map(_line, one.groups))


def _line(group: GroupFinding) -> Line:
    return Line(
        name=", ".join(group.group.values()),
        outcome=group.outcome,
        rows=group.rows,
        units=group.units,
        exact=group.units_exact,
        suppressed=group.suppressed,
        compared=group.compared,
    )


def by_measure(courses: Iterable[Course]) -> Mapping[str, list[Course]]:
    """Return courses by the measure of the findings that they are made of."""
    found: dict[str, list[Course]] = {}
    for one in courses:
        found.setdefault(one.behind or one.measure, []).append(one)
    return found
