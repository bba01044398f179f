"""Drift as text: what was found in a sentence, then each feature, all together, and accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import rich.table
from rich.console import Group, RenderableType
from rich.text import Text

from evenhand.audits.drift import Drift, FeatureDrift, JointDrift, Performance
from evenhand.audits.drift.found import ASSUMPTION, SMALL, Size
from evenhand.render.table import Table
from evenhand.render.wording import DASH, count_of, first
from evenhand.stats.estimate import Outcome, Undefined
from evenhand.stats.label_free import CalibrationTest

_NAMED = 6
_LEAST_SHOWN = 0.0001
ALL_ROWS = "all rows"

_KINDS = {"number": "", "category": "", "missing": " is missing"}
_SHORT = {
    "Kolmogorov-Smirnov distance": "KS",
    "Wasserstein distance": "W",
    "total variation distance": "TV",
}
_KS = "Kolmogorov-Smirnov"
ASSUMED = f"E[accuracy] = mean max(p, 1 - p) {ASSUMPTION}."
_LEGEND = (
    "KS: Kolmogorov-Smirnov distance, the largest difference of the shares below a value; W: "
    "Wasserstein distance in pooled standard deviations; TV: total variation distance, the share "
    "of rows in other categories than due. All are 0 without drift, and samples alone make them "
    "larger: read their {level} intervals."
)


def text(found: Drift) -> RenderableType:
    """Return all that was found."""
    title, sizes = said(found)
    parts: list[RenderableType] = [Text.assemble((title, "bold"), f": {sizes}"), Text()]
    parts += [_lines(feature_table(found), [found.drifted(one) for one in found.features])]
    parts += [Text(), Text("all features jointly", style="bold")]
    parts += [_lines(joint_table(found), [found.drifted(one) for one in found.joint])]
    if found.performance:
        parts += [Text(), Text("accuracy without labels", style="bold")]
        for one in found.performance:
            first_line, *more = performance_of(one)
            parts += [Text(first_line), *(Text(f"  {line}") for line in more)]
        parts.append(Text(ASSUMED))
    parts += [Text(), *(Text(note, "dim") for note in notes_of(found))]
    return Group(*parts)


def said(found: Drift) -> tuple[str, str]:
    """Return what was found in a few words, and how much was compared."""
    hits = [_name(one, found) for one in found.features if found.drifted(one)]
    hits += [_name(one, found) for one in found.joint if found.drifted(one)]
    sizes = f"{count_of(found.size.reference)} reference rows, {count_of(found.size.current)} now"
    if found.unit is not None:
        units = (count_of(found.size.units_reference), count_of(found.size.units_current))
        sizes += f"; {units[0]} and {units[1]} units of {found.unit}"
    if not hits:
        every: list[FeatureDrift | JointDrift] = [*found.features, *found.joint]
        tested = any(not math.isnan(one.test.p_value) for one in every)
        return ("No drift found" if tested else "Nothing could be tested"), sizes
    return f"Drift in {', '.join(first(hits, _NAMED))}", sizes


def _name(one: FeatureDrift | JointDrift, found: Drift) -> str:
    what = "all features jointly"
    if isinstance(one, FeatureDrift):
        what = f"{one.feature}{_KINDS[one.kind]}"
    return what if one.group is None else f"{what} ({found.group} {one.group})"


def _lines(table: Table, bold: Sequence[bool]) -> rich.table.Table:
    made = rich.table.Table(box=None, pad_edge=False, header_style="dim")
    for heading in table.headings:
        made.add_column(heading)
    for row, strong in zip(table.rows, bold, strict=True):
        made.add_row(*map(Text, row), style="bold" if strong else None)
    return made


def feature_table(found: Drift) -> Table:
    """Return the test and the effects of each feature."""
    groups = [] if found.group is None else [found.group]
    headings = ["feature", *groups, "reference", "now", "p", "adjusted", "effect", "test"]
    rows = []
    for one in found.features:
        row = [f"{one.feature}{_KINDS[one.kind]}"]
        row += [one.group or ALL_ROWS] if groups else []
        row += [count_of(one.size.reference), count_of(one.size.current)]
        row += [p_value(one.test.p_value), p_value(one.test.adjusted)]
        effects = "  ".join(f"{_SHORT[e.name]} {distance(e.outcome)}" for e in one.effects)
        row += [effects or DASH, one.test.reason or one.test.name.replace(_KS, "KS")]
        rows.append(tuple(row))
    return Table(tuple(headings), 1 + len(groups), tuple(rows))


def joint_table(found: Drift) -> Table:
    """Return the joint test of all rows and of each group."""
    groups = [] if found.group is None else [found.group]
    rows = []
    for one in found.joint:
        held = f"{count_of(one.held_out.reference)} and {count_of(one.held_out.current)}"
        row = [held, *([one.group or ALL_ROWS] if groups else []), distance(one.auc)]
        row += [p_value(one.test.p_value), p_value(one.test.adjusted)]
        row += [one.test.reason or one.test.name]
        rows.append(tuple(row))
    return Table(
        ("held out", *groups, "AUC", "p", "adjusted", "test"), 1 + len(groups), tuple(rows)
    )


def performance_of(one: Performance) -> list[str]:
    """Return the expected accuracy of some rows, and what labels of the reference say of it."""
    who = "" if one.group is None else f"{one.group}: "
    now, before = distance(one.current), distance(one.reference)
    lines = [f"{who}expected accuracy {now} now, {before} in the reference, from scores alone"]
    if one.left_out:
        lines.append(f"{count_of(one.left_out)} current rows have no score")
    if one.labelled == 0:
        lines.append("calibration is not tested: the reference has no labels (--label)")
    return lines + _calibration(one)


def _calibration(one: Performance) -> list[str]:
    if one.true_reference is None or one.beyond is None:
        return []
    lines = [
        (
            f"by {count_of(one.labelled)} labels of the reference: accuracy "
            f"{distance(one.true_reference)}, {_signed(one.beyond)} beyond what the scores say"
        )
    ]
    line = one.calibration
    if isinstance(line, CalibrationTest):
        lines.append(
            f"calibration there: intercept {line.intercept:.3f} (0), slope {line.slope:.3f} (1), "
            f"p {p_value(line.p_value)}"
        )
    elif line is not None:
        lines.append(f"calibration there has no line: {line.reason}")
    if one.refuted:
        lines.append(
            "the reference's own labels refute the score: do not believe the expected accuracy; "
            "calibrate the score first"
        )
    return lines


def notes_of(found: Drift) -> list[str]:
    """Return how distances and p-values are to be read, and what was left out."""
    notes = [_LEGEND.format(level=f"{100 * found.level:g}%"), found.family, *found.notes]
    small = [name for name, size in found.sizes.items() if size.small]
    if small:
        told = ", ".join(f"{name} ({_units(found.sizes[name])})" for name in first(small, _NAMED))
        notes.append(f"small, so that only large drift could be seen: {told}")
    if found.size.small:
        notes.append(
            f"fewer than {SMALL} independent units in a file: only large drift could be seen"
        )
    return [note if note.endswith(".") else f"{note}." for note in notes]


def _units(size: Size) -> str:
    return f"{count_of(size.units_reference)} and {count_of(size.units_current)} units"


def distance(outcome: Outcome) -> str:
    """Return a figure in three decimals with its interval, or that it is undefined.

    >>> from evenhand.stats.estimate import Estimate
    >>> distance(Estimate(0.1, 0.05, 0.1504, 0.95, "bootstrap"))
    '0.100 [0.050, 0.150]'
    """
    if isinstance(outcome, Undefined):
        return "undefined"
    return f"{outcome.value:.3f} [{outcome.low:.3f}, {outcome.high:.3f}]"


def _signed(outcome: Outcome) -> str:
    if isinstance(outcome, Undefined):
        return f"undefined ({outcome.reason})"
    return f"{outcome.value:+.3f} [{outcome.low:+.3f}, {outcome.high:+.3f}]"


def p_value(value: float) -> str:
    """Return a p-value with the digits that matter, or a dash.

    >>> p_value(0.0321), p_value(0.00000001), p_value(float("nan"))
    ('0.032', '<0.0001', '–')
    """
    if math.isnan(value):
        return DASH
    if value < _LEAST_SHOWN:
        return f"<{_LEAST_SHOWN:g}"
    return f"{value:.3f}" if value >= 10 * _LEAST_SHOWN else f"{value:.4f}"
