"""What every variant is worth, in one table: variants as rows, measures as columns.

A log that holds several explanations of one model, or several attacks on it, has a section for each
measure; which variant to choose is seen only where all its measures stand in one row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evenhand.audits.contrasts import form_of
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.legible import cut
from evenhand.audits.evidence.order import orders_of, place_of
from evenhand.audits.evidence.strength import (
    Course,
    merged_by_budget,
    on_curve,
    strength_of,
    variant_column,
    variant_in,
)
from evenhand.audits.finding import Finding
from evenhand.audits.gate.verdict import Verdict
from evenhand.render.reading import ends_of
from evenhand.render.section import Block, Section
from evenhand.render.table import Table
from evenhand.render.verdicts import SYMBOLS
from evenhand.render.wording import DASH, first, interval_of, number, value_of, value_shown
from evenhand.stats.estimate import Undefined

TITLE = "Every variant"

MOST = 40
"""Variants that are shown; more of them are in their sections."""

_NAMED = 6
_LONGEST = 160


@dataclass(frozen=True)
class Cell:
    """What a measure says of a variant.

    Attributes:
        value: The figure; a dash where there is none.
        interval: Its interval; empty where there is none.
        verdicts: The id and the verdict of each rule about the measure in the variant.

    """

    value: str = DASH
    interval: str = ""
    verdicts: tuple[tuple[str, Verdict], ...] = ()

    @property
    def text(self) -> str:
        """The cell in one line."""
        told = [f"{SYMBOLS[verdict]} {verdict} ({name})" for name, verdict in self.verdicts]
        return " ".join(filter(None, [self.value, self.interval, *told]))


@dataclass(frozen=True)
class Overview:
    """What every variant is worth.

    Attributes:
        measures: The columns; those that a rule is about first.
        rows: The name of each variant, and a cell for each measure.
        better: Whether ``higher`` or ``lower`` is better, for each measure; empty where neither.
        rules: The rules that have a verdict in it, each with what it asks.
        notes: Why figures are missing, and what is left out.

    """

    measures: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    better: tuple[str, ...]
    rules: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    @property
    def asked(self) -> list[str]:
        """What the rules ask that have a verdict in it."""
        return [f"{name}: {rule}" for name, rule in self.rules]

    def tables(self, most: int | None = None, of: str = "variant") -> list[Table]:
        """Return it as text, in tables of so many measures at most."""
        step = most or len(self.measures)
        starts = range(0, len(self.measures), step)
        return [
            Table(
                (of, *self.measures[start : start + step]),
                1,
                tuple(
                    (name, *(cell.text for cell in cells[start : start + step]))
                    for name, cells in self.rows
                ),
            )
            for start in starts
        ]


def overview_of(
    bundle: Bundle, sections: Sequence[Section], *, ordered: bool = False
) -> Overview | None:
    """Return what every variant is worth; None where one figure, or one variant, says all.

    Args:
        bundle: The evidence.
        sections: Its sections, in the order in which they are shown.
        ordered: Whether the page tells orders of features too, whose figures are left out here.

    """
    column = variant_column(bundle.plan)
    if not column:
        return None
    merged = merged_by_budget(bundle.findings, column)
    named = {one.slice: name for one in bundle.findings if (name := _only(one.slice, column))}
    apart = _importances(bundle) if ordered else frozenset()
    figures = {
        (named[one.slice], section.measure): one
        for section in sections
        if section.measure not in merged
        for block in section.blocks
        for one in block.findings
        if one.slice in named and one.contrast is None and not (one.given or on_curve(one))
        if (one.slice, one.measure) not in apart
    }
    verdicts: dict[tuple[str, str], list[tuple[str, Verdict]]] = {}
    measure_of = {(one.key, one.scope): one.measure for one in bundle.findings}
    for rule in bundle.rules:
        if rule.scope in named:
            about = (named[rule.scope], measure_of.get((rule.key, rule.scope), ""))
            verdicts.setdefault(about, []).append((rule.id, rule.verdict))
    asked = {*figures, *verdicts}
    shown = [one.measure for one in sections if any(one.measure == m for _, m in asked)]
    names = [name for name in dict.fromkeys(named.values()) if any(name == n for n, _ in figures)]
    told = dict.fromkeys(
        (rule.id, rule.rule)
        for rule in bundle.rules
        if named.get(rule.scope) in names and measure_of.get((rule.key, rule.scope)) in shown
    )
    few = min(len(names), len(shown) + len(told)) < 2  # noqa: PLR2004 - a section says all
    if few or not figures:
        return None
    rows = tuple(
        (
            value_shown(name),
            tuple(
                _cell(figures.get((name, measure)), verdicts.get((name, measure), ()))
                for measure in shown
            ),
        )
        for name in names[:MOST]
    )
    left = len(names) - MOST
    notes = [f"{left:,} more variants are in the sections below."] if left > 0 else []
    notes += [note for measure in shown for note in _missing(measure, names[:MOST], figures)]
    better = {m: one.conventions.get("better", "") for (_, m), one in figures.items()}
    return Overview(
        measures=tuple(map(cut, shown)),
        rows=rows,
        better=tuple(text if (text := better.get(m, "")) in _BETTER else "" for m in shown),
        rules=tuple(told),
        notes=tuple(notes),
    )


_BETTER = {"higher", "lower"}


def _importances(bundle: Bundle) -> frozenset[tuple[str | None, str]]:
    """Return the slices and measures whose figures orders of features tell, but for rules'."""
    column = variant_column(bundle.plan)
    if not orders_of(bundle.findings, column):
        return frozenset()
    ruled = {(rule.scope, rule.key) for rule in bundle.rules}
    return frozenset(
        (one.slice, one.measure)
        for one in bundle.findings
        if one.contrast is None and place_of(one, column)[1] and (one.scope, one.key) not in ruled
    )


def _only(scope: str | None, column: str) -> str:
    """Return the variant that a slice chooses; empty where it asks for more, or for none."""
    name, rest = variant_in(scope, column)
    return "" if rest else name


def _cell(one: Finding | None, verdicts: Sequence[tuple[str, Verdict]]) -> Cell:
    if one is None or isinstance(one.outcome, Undefined):
        return Cell(verdicts=tuple(verdicts))
    found = one.outcome
    if found.identified is not None:
        return Cell(value_of(found), interval_of(found), tuple(verdicts))
    limits = f"[{short(found.low)}, {short(found.high)}]"
    return Cell(short(found.value), limits, tuple(verdicts))


def short(value: float) -> str:
    """Return a number in three decimals, where these show anything of it.

    >>> [short(x) for x in (0.41933, -0.00003, 0.0, 31415.9)]
    ['0.419', '-3e-05', '0.000', '31,416']
    """
    size = abs(value)
    if 0 < size < 0.0005 or size >= 10:  # noqa: PLR2004 - as `number` writes it
        return number(value)
    return f"{value:.3f}"


def _missing(
    measure: str, names: Sequence[str], figures: Mapping[tuple[str, str], Finding]
) -> list[str]:
    """Return why a measure has no figure of some variants, variants with one reason together."""
    lacking: dict[str, list[str]] = {}
    for name in names:
        one = figures.get((name, measure))
        if one is not None and isinstance(one.outcome, Undefined):
            lacking.setdefault(one.outcome.reason, []).append(value_shown(name))
    return [
        cut(f"{measure}: undefined for {', '.join(first(who, _NAMED))}, {reason}.", 400)
        for reason, who in lacking.items()
    ]


def compared_in(
    section: Section, courses: Mapping[str, Sequence[Course]]
) -> list[tuple[str, Table]]:
    """Return what differs between groups in each variant, a table for each grouping.

    Args:
        section: The section.
        courses: Those of the report by measure; what one of groups tells is in no table.

    """
    told = {one.what for one in courses.get(section.measure, ()) if one.by}
    by: dict[str, list[tuple[str, Finding]]] = {}
    for block in section.blocks:
        name, lead = _only(block.lead.slice, block.variant), block.lead
        if block.number not in section.folded or section.budget or block.is_family:
            continue
        what, strength = strength_of(name)
        if name and lead.groups and not (strength and what in told):
            by.setdefault(f"by {', '.join(lead.by)}", []).append((name, _gap(block)))
    return [(title, _table(found)) for title, found in by.items()]


def _gap(block: Block) -> Finding:
    found = [one for one in block.findings if form_of(one.contrast) in {"gap", "ratio"}]
    return found[0] if found else block.lead


def _table(found: Sequence[tuple[str, Finding]]) -> Table:
    contrasts = {(one.contrast or "").replace("_", " ") for _, one in found}
    rows, notes = [], []
    for name, one in found[:MOST]:
        ends = [f"{who} {short(value)}" for value, who in ends_of(one)] or [DASH, DASH]
        known = _cell(one, ())
        rows.append((value_shown(name), known.value, known.interval or DASH, *reversed(ends)))
        if isinstance(one.outcome, Undefined):
            notes.append(cut(f"{value_shown(name)}: undefined, {one.outcome.reason}.", _LONGEST))
    if len(found) > MOST:
        notes.append(f"{len(found) - MOST:,} more variants are in full below.")
    value = contrasts.pop() if len(contrasts) == 1 else "value"
    return Table(("variant", value, "interval", "highest", "lowest"), 1, tuple(rows), tuple(notes))
