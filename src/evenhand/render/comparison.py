"""What changed between two audits as a table, for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evenhand.audits.evidence.comparison import Change, Comparison
from evenhand.render.wording import DASH, name_of, number


def text(found: Comparison) -> RenderableType:
    """Return what is the same, what changed and by how much, what was added and removed."""
    changed = sum(not one.same for one in found.changes)
    said = "the same figures" if found.same else f"{changed} of {len(found.changes)} figures differ"
    parts: list[RenderableType] = [
        Text.assemble((said, "bold"), f"  {100 * found.level:g}% intervals, each by itself"),
        Text(f"the audits are {found.pairing}" if found.paired else found.pairing),
    ]
    if found.changes:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in ("figure", "before", "after", "change", "interval", "verdict"):
            words = heading in {"figure", "verdict"}
            table.add_column(heading, overflow="fold", justify="left" if words else "right")
        for one in found.changes:
            table.add_row(*_cells(one), style="dim" if one.same else None)
        parts.append(Padding(table, (1, 0, 1, 2)))
    reasons = dict.fromkeys(one.difference.reason for one in found.changes)
    parts += [Text(f"  {reason}", style="dim") for reason in reasons if reason]
    parts += [Text(f"added    {name}") for name in found.added]
    parts += [Text(f"removed  {name}") for name in found.removed]
    return Group(*parts)


def _cells(one: Change) -> tuple[Text, ...]:
    gap = one.difference
    interval = DASH
    apart = False
    if gap.low is not None and gap.high is not None:
        interval = f"[{gap.low:+.4f}, {gap.high:+.4f}]"
        apart = gap.low > 0 or gap.high < 0
    name = one.name if one.group is None else f"  {name_of(one.group)}"
    return (
        Text(name),
        Text(_number(one.before)),
        Text(_number(one.after)),
        Text(DASH if gap.value is None else f"{gap.value:+.4f}", style="bold" if apart else ""),
        Text(interval),
        Text(_verdict(one)),
    )


def _number(value: float | None) -> str:
    return "none" if value is None else number(value)


def _verdict(one: Change) -> str:
    if one.verdict_before == one.verdict_after:
        return one.verdict_before or ""
    return f"{one.verdict_before or DASH} -> {one.verdict_after or DASH}"
