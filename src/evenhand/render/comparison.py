"""What changed between two audits as a table, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evenhand.audits.evidence.comparison import Change, Comparison
from evenhand.audits.evidence.levelling import Levelling, State
from evenhand.render.gains import STATES
from evenhand.render.wording import DASH, brief, first, name_of, number, own_reason


def text(found: Comparison, levelled: Sequence[Levelling] = ()) -> RenderableType:
    """Return what is the same, what changed and by how much, what was added and removed.

    Args:
        found: The figures of both audits.
        levelled: What became of the groups of every finding.

    """
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
    parts += [Text(f"  {note}", style="dim") for note in _notes(found.changes)]
    if levelled and not found.same:
        parts += _levelled(levelled)
    parts += [Text(f"added    {name}") for name in found.added]
    parts += [Text(f"removed  {name}") for name in found.removed]
    return Group(*parts)


def _levelled(levelled: Sequence[Levelling]) -> list[Text]:
    """Return in which findings groups were levelled or shifted, and how that is judged."""
    told = [one for one in levelled if one.state != "not_shown"]
    lines = [
        Text.assemble((f"{STATES[one.state]:<14}", _STYLES[one.state]), f"{one.name}: {one.reason}")
        for one in told
    ]
    if not any(one.state == "levelled_down" for one in told):
        lines.append(Text("levelling down is not shown"))
    level = f"{100 * levelled[0].level:g}%"
    how = f"  of these, intervals of the groups of a finding hold together at {level}"
    return [*lines, Text(how, style="dim")]


_STYLES: Mapping[State, str] = {"levelled_down": "bold", "levelled_up": "bold", "shifted": ""}


def _notes(changes: Iterable[Change]) -> list[str]:
    """Return why there is no change or no interval, each reason with the rows it is about."""
    rows: dict[str, list[str]] = {}
    for one in changes:
        if one.difference.reason:
            group = "" if one.group is None else f"{name_of(one.group)} in "
            rows.setdefault(one.difference.reason, []).append(f"{group}{one.name}")
    return [
        f"{'; '.join(first(named, _NAMED))}: {own_reason(brief(why))}"
        for why, named in rows.items()
    ]


_NAMED = 4


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
        Text(_number(one.before, gap.reason, "before")),
        Text(_number(one.after, gap.reason, "after")),
        Text(DASH if gap.value is None else f"{gap.value:+.4f}", style="bold" if apart else ""),
        Text(interval),
        Text(_verdict(one)),
    )


def _number(value: float | None, reason: str, when: str) -> str:
    if value is not None:
        return number(value)
    small = f"{when}: {{}}fewer than"
    return "suppressed" if any(small.format(one) in reason for one in ("", "small: ")) else "none"


def _verdict(one: Change) -> str:
    if one.verdict_before == one.verdict_after:
        return one.verdict_before or ""
    return f"{one.verdict_before or DASH} -> {one.verdict_after or DASH}"
