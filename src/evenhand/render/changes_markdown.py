"""Two audits as Markdown, for pull requests: the answer, verdicts, and every group."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.audits.evidence.levelling import Levelling
from evenhand.render.changed import alone, figure, how, limits, reasons, signed, whole
from evenhand.render.changes import MOST, sides, subject
from evenhand.render.gains import (
    STATES,
    WORDS,
    Changes,
    answer,
    headline,
    judgement,
    rules_of,
    title_of,
)
from evenhand.render.gfm import bullets, code, plain
from evenhand.render.gfm import table as grid
from evenhand.render.wording import DASH, name_of

_MOST_FINDINGS, _MOST_ROWS = 100, 200


def changes_markdown(changes: Changes) -> str:
    """Return what changed between two audits as Markdown."""
    parts = [f"# {plain(subject(changes))}", f"**{plain(headline(changes)[0])}**"]
    parts.append(bullets(map(plain, answer(changes))))
    parts.append(grid(("", "before", "after"), [[*map(plain, row)] for row in sides(changes)]))
    rules = rules_of(changes)
    if rules:
        rows = [
            (
                f"**{plain(one.id)}** {code(one.rule)} {plain(one.scope)}".strip(),
                one.before or DASH,
                one.after or DASH,
            )
            for one in rules[:_MOST_ROWS]
        ]
        parts += ["## Verdicts", grid(("rule", "before", "after"), rows)]
    parts.append("## Groups, before and after")
    for one in changes.levelled[:_MOST_FINDINGS]:
        parts += _finding(changes, one)
    parts.append(_left(len(changes.levelled) - _MOST_FINDINGS, "findings"))
    rows_alone = alone(changes)
    if rows_alone:
        parts += ["## Other figures", _figures(rows_alone)]
    only = [f"only after: {plain(name)}" for name in changes.found.added]
    only += [f"only before: {plain(name)}" for name in changes.found.removed]
    if only:
        parts += ["## Only in one of the audits", bullets(only[:_MOST_ROWS])]
        parts.append(_left(len(only) - _MOST_ROWS, "of them"))
    parts += ["## How to read this", bullets(map(plain, [*how(changes), *reasons(changes)]))]
    return "\n\n".join(filter(None, parts)) + "\n"


def _finding(changes: Changes, one: Levelling) -> list[str]:
    known = [move for move in one.groups if move.difference.value is not None]
    state = f" ({STATES[one.state]})" if one.state != "not_shown" else ""
    parts = [
        f"### {plain(title_of(one))}{state}",
        plain(judgement(one)),
    ]
    interval = f"{100 * one.level_of_each:.4g}% interval"
    if known:
        rows = [
            (
                plain(name_of(move.group)) + ("" if move.compared else " (shown apart)"),
                figure(move.before),
                figure(move.after),
                signed(move.difference.value),
                limits(move.difference.low, move.difference.high),
                WORDS[move.word],
            )
            for move in known[:MOST]
        ]
        parts.append(grid(("group", "before", "after", "change", interval, "shown"), rows))
        parts.append(_left(len(known) - MOST, "groups"))
    rows_whole = whole(changes, one)
    return [*parts, _figures(rows_whole) if rows_whole else ""]


def _figures(rows: Sequence[Sequence[str]]) -> str:
    headings = ("figure", "before", "after", "change", "interval", "verdict")
    told = [(code(row[0]), *map(plain, row[1:])) for row in rows[:_MOST_ROWS]]
    left = _left(len(rows) - _MOST_ROWS, "figures")
    return "\n\n".join(filter(None, [grid(headings, told), left]))


def _left(count: int, what: str) -> str:
    return f"{count:,} more {what}: `evenhand diff BEFORE AFTER --json`." if count > 0 else ""
