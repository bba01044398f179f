"""Verdicts for the terminal: the gate first, then every rule, with symbols beside colours."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.legible import legible
from evenhand.audits.finding import ALL_ROWS
from evenhand.audits.gate.verdict import RuleVerdict, Verdict
from evenhand.render.rule import counted, waiver_text
from evenhand.render.wording import brief, first, hints, left_out, name_of, own_reason

SYMBOLS: dict[Verdict, str] = {"pass": "✓", "fail": "✗", "undecided": "?"}
STYLES: dict[Verdict, str] = {"pass": "bold blue", "fail": "bold red", "undecided": "bold yellow"}
"""Blue for pass, since red and green look alike to many."""

_NAMED = 4
"""Undecided groups that are named; the evidence names all."""


def verdicts(verdict: Verdict | None, rules: Sequence[RuleVerdict]) -> RenderableType:
    """Return the verdict of a gate and those of its rules."""
    if verdict is None:
        return Text("no rules, so no verdict", style="dim")
    headline = Text(f"{SYMBOLS[verdict]} {verdict.upper()}", style=STYLES[verdict])
    headline.append(f"  {counted(rules)}", style="not bold")
    return Group(headline, rules_table(rules))


def rules_table(rules: Sequence[RuleVerdict]) -> RenderableType:
    """Return the verdicts of rules, each with what it says."""
    table = Table(box=None, pad_edge=False, header_style="dim", show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for rule in rules:
        mark = Text(SYMBOLS[rule.verdict], style=STYLES[rule.verdict])
        table.add_row(mark, Text(rule.id, style="bold"), _told(rule))
    return Padding(table, (0, 0, 0, 2), expand=False)


def _told(rule: RuleVerdict) -> Text:
    text = Text(rule.rule)
    if rule.scope != ALL_ROWS:
        text.append(f"  in {rule.scope}")
    text.append(f"\n{legible(brief(rule.reason))}", style="dim")
    if rule.undecided_groups:
        named = [
            f"{name_of(one.group)} ({own_reason(one.reason)})" for one in rule.undecided_groups
        ]
        named = first(named, _NAMED) + hints(one.reason for one in rule.undecided_groups)
        text.append(f"\nundecided: {'; '.join(named)}", style="dim")
    if rule.waiver is not None:
        text.append(f"\nwaived {waiver_text(rule.waiver)}", "italic")
    return text


def audited(bundle: Bundle, *, out: Path | None, html: Path | None) -> RenderableType:
    """Return what an audit ends with: the verdict, what was measured, and where it is written."""
    undefined = sum(finding.undefined is not None for finding in bundle.findings)
    facts = f"{len(bundle.findings):,} findings from {bundle.environment['rows']:,} rows"
    facts += f", {undefined:,} of them undefined" if undefined else ""
    lines = [facts, *filter(None, [left_out(bundle.skipped)])]
    lines += [] if out is None else [f"evidence  {out}"]
    lines += [] if html is None else [f"report    {html}"]
    if out is None and html is None:
        lines.append("nothing was written: --html x.html for a report, --out x.evidence.zip")
    elif out is not None and bundle.rules:
        lines.append(f"next      evenhand gate {shlex.quote(str(out))}")
    parts = [verdicts(bundle.verdict, bundle.rules)] if bundle.rules else []
    return Group(*parts, Text("\n".join(lines)))
