"""Verdicts for the terminal: the gate first, then every rule, with symbols beside colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.gate.verdict import RuleVerdict, Verdict

SYMBOLS: dict[Verdict, str] = {"pass": "✓", "fail": "✗", "undecided": "?"}
_STYLES: dict[Verdict, str] = {"pass": "bold blue", "fail": "bold red", "undecided": "bold yellow"}
"""Blue for pass, since red and green look alike to many."""

_NAMED = 4
"""Undecided groups that are named; the evidence names all."""


def verdicts(verdict: Verdict | None, rules: Sequence[RuleVerdict]) -> RenderableType:
    """Return the verdict of a gate and those of its rules."""
    if verdict is None:
        return Text("no rules, so no verdict", style="dim")
    headline = Text(f"{SYMBOLS[verdict]} {verdict.upper()}", style=_STYLES[verdict])
    counts = [
        f"{sum(rule.verdict == one for rule in rules)} {one}"
        for one in ("fail", "undecided", "pass")
        if any(rule.verdict == one for rule in rules)
    ]
    headline.append(f"  {', '.join(counts)}", style="not bold")
    table = Table(box=None, pad_edge=False, header_style="dim", show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for rule in rules:
        mark = Text(SYMBOLS[rule.verdict], style=_STYLES[rule.verdict])
        table.add_row(mark, Text(rule.id, style="bold"), _told(rule))
    return Group(headline, Padding(table, (0, 0, 0, 2), expand=False))


def _told(rule: RuleVerdict) -> Text:
    text = Text(rule.rule)
    if rule.scope != "all rows":
        text.append(f"  in {rule.scope}")
    text.append(f"\n{rule.reason}", style="dim")
    if rule.undecided_groups:
        named = [
            f"{', '.join(one.group.values())} ({one.reason})"
            for one in rule.undecided_groups[:_NAMED]
        ]
        more = len(rule.undecided_groups) - _NAMED
        named += [f"and {more} more"] if more > 0 else []
        text.append(f"\nundecided: {'; '.join(named)}", style="dim")
    if rule.waiver is not None:
        waiver = rule.waiver
        text.append(f"\nwaived until {waiver.expires} by {waiver.owner}: {waiver.reason}", "italic")
    return text


def audited(bundle: Bundle, *, out: Path | None, html: Path | None) -> RenderableType:
    """Return what an audit ends with: the verdict, what was measured, and where it is written."""
    undefined = sum(finding.undefined is not None for finding in bundle.findings)
    facts = f"{len(bundle.findings):,} findings from {bundle.environment['rows']:,} rows"
    facts += f", {undefined:,} of them undefined" if undefined else ""
    lines = [facts]
    lines += [] if out is None else [f"evidence  {out}"]
    lines += [] if html is None else [f"report    {html}"]
    if out is None and html is None:
        lines.append("nothing was written: --html x.html for a report, --out x.evidence.zip")
    parts = [verdicts(bundle.verdict, bundle.rules)] if bundle.rules else []
    return Group(*parts, Text("\n".join(lines)))
