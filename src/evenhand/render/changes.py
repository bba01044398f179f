"""Two audits on one page that opens anywhere: who gained, who lost, and what was levelled down.

The answer comes first, then the two audits, verdicts, groups over all findings, each finding with
a dumbbell for every group, and what the words mean. It needs no library, runs no program and asks
for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.legible import cut
from evenhand.audits.evidence.levelling import GroupMove, Levelling
from evenhand.render.card import window_text
from evenhand.render.changed import (
    alone,
    figure,
    how,
    limits,
    reasons,
    signed,
    whole,
)
from evenhand.render.dumbbell import axis_of, dumbbell, scale
from evenhand.render.gains import (
    STATES,
    WORDS,
    Changes,
    answer,
    headline,
    judgement,
    rules_of,
    tallies,
    title_of,
)
from evenhand.render.html import LIMIT, asset, environment
from evenhand.render.section import title_of as subject_of
from evenhand.render.table import Table
from evenhand.render.wording import DASH, name_of

MOST = 40
"""Groups of a finding that are shown: of more, those that fell most and those that rose most."""

_MOST_ROWS = 200
_LONGEST = 400


def changes_html(changes: Changes) -> str:
    """Return what changed between two audits as one page."""
    title, tone = headline(changes)
    rules, groups, rows = rules_of(changes), tallies(changes), alone(changes)
    moved = [one for one in groups if one.shown]
    page: dict[str, Any] = {
        "policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'",
        "version": changes.after.version,
        "title": subject(changes),
        "dates": f"{changes.before.created:%Y-%m-%d} → {changes.after.created:%Y-%m-%d}",
        "style": asset("report.css") + asset("changes.css"),
        "headline": title,
        "tone": tone,
        "answer": answer(changes),
        "sides": sides(changes),
        "pairing": how(changes)[0],
        "level": f"{100 * changes.found.level:g}%",
        "rules": rules[:_MOST_ROWS],
        "rules_left": _left(len(rules), "verdicts"),
        "tallies": moved[:MOST] if len(changes.levelled) > 1 else [],
        "tallies_left": _others(len(groups), len(moved)),
        "alone": _table(rows, changes.found.level),
        "added": _some(changes.found.added),
        "removed": _some(changes.found.removed),
        "how": how(changes)[1:],
        "reasons": _some(reasons(changes)),
    }
    template = environment().get_template("changes.html")
    room = LIMIT - len(template.render(**page, findings="", remarks=[]).encode())
    parts: Any = environment().get_template("moves.html").module
    shown, left = _fitting(changes, parts.finding, room)
    told = [f"{left:,} more findings: evenhand diff BEFORE AFTER --json."] if left else []
    return template.render(**page, findings="\n".join(shown), remarks=told)


def subject(changes: Changes) -> str:
    """Return what was audited twice, for a headline; of two subjects both."""
    one, other = (subject_of(bundle) for bundle in (changes.before, changes.after))
    mine, theirs = (bundle.plan.subject for bundle in (changes.before, changes.after))
    if one == other:
        return cut(one, 160)
    named = (mine.product, mine.model) == (theirs.product, theirs.model)
    if named and one and theirs.version:
        return cut(f"{one} → {theirs.version}", 160)
    return cut(f"{one} → {other}", 160)


def sides(changes: Changes) -> list[tuple[str, str, str]]:
    """Return what is known of both audits, side by side; what neither says is left out."""
    one, other = (_known(bundle) for bundle in (changes.before, changes.after))
    return [
        (name, one[name] or DASH, other[name] or DASH) for name in one if one[name] or other[name]
    ]


def _known(bundle: Bundle) -> dict[str, str]:
    plan, rows = bundle.plan, bundle.environment.get("rows")
    return {
        "subject": cut(subject_of(bundle)),
        "made": f"{bundle.created:%Y-%m-%d %H:%M} UTC",
        "window": window_text(bundle),
        "source": cut(plan.log.source, 120),
        "rows": f"{rows:,}" if isinstance(rows, int) else "",
        "unit": str(bundle.units.get("unit") or ""),
        "verdict": bundle.verdict or "no rules",
        "plan": f"sha256:{plan.digest[:12]}",
    }


def _fitting(changes: Changes, draw: Any, room: int) -> tuple[list[str], int]:  # noqa: ANN401
    """Return as many findings as there is room for, those that moved first, in their order."""
    moved = {id(one) for one in changes.moved}
    order = sorted(enumerate(changes.levelled), key=lambda at: (id(at[1]) not in moved, at[0]))
    found: dict[int, str] = {}
    for place, one in order:
        text = str(draw(view(changes, one, place + 1)))
        room -= len(text.encode()) + 1
        if room < 0:
            break
        found[place] = text
    return [found[place] for place in sorted(found)], len(order) - len(found)


def view(changes: Changes, one: Levelling, place: int) -> dict[str, Any]:
    """Return a finding for the template: plain text and pictures in named places."""
    known = [move for move in one.groups if move.difference.value is not None]
    ordered = sorted(known, key=lambda move: move.difference.value or 0.0)
    shown = ordered if len(ordered) <= MOST else [*ordered[: MOST // 2], *ordered[-MOST // 2 :]]
    wanted = {id(move) for move in shown}
    values = [value for move in shown for value in _values(move)]
    is_rate = one.finding.is_rate
    axis = axis_of(values, is_rate=is_rate) if values else None
    return {
        "id": f"f{place}",
        "title": title_of(one),
        "state": one.state,
        "state_text": STATES[one.state] if one.state != "not_shown" else "",
        "judgement": judgement(one),
        "level": f"{100 * one.level_of_each:.4g}%",
        "scale": scale(axis) if axis else "",
        "rows": [
            {
                "name": f"{name_of(move.group)}{'' if move.compared else ' (shown apart)'}",
                "picture": dumbbell(axis, move.before, move.after, _limits(move)),
                "before": figure(move.before),
                "after": figure(move.after),
                "change": signed(move.difference.value),
                "interval": limits(move.difference.low, move.difference.high),
                "word": move.word,
                "text": WORDS[move.word],
            }
            for move in one.groups
            if axis is not None and id(move) in wanted
        ],
        "notes": _notes(one, len(ordered) - len(shown)),
        "whole": _table(whole(changes, one), one.level),
    }


def _notes(one: Levelling, left: int) -> list[str]:
    found: dict[str, list[str]] = {}
    for move in one.groups:
        if move.difference.reason:
            found.setdefault(move.difference.reason, []).append(name_of(move.group))
    told = [f"{', '.join(_some(names, 8))}: {cut(why, 200)}." for why, names in found.items()]
    return [f"{left:,} groups between these are not shown.", *told] if left else told


def _values(move: GroupMove) -> list[float]:
    ends = [] if move.before is None else [move.before + end for end in _limits(move) or ()]
    return [value for value in (move.before, move.after, *ends) if value is not None]


def _limits(move: GroupMove) -> tuple[float, float] | None:
    low, high = move.difference.low, move.difference.high
    return None if low is None or high is None else (low, high)


def _table(rows: Sequence[Sequence[str]], level: float) -> Table | None:
    if not rows:
        return None
    headings = ("figure", "before", "after", "change", f"{100 * level:g}% interval", "verdict")
    some = [tuple(row) for row in rows[:_MOST_ROWS]]
    # Without a verdict anywhere its column says nothing.
    width = len(headings) - (not any(row[-1] for row in some))
    notes = tuple(filter(None, [_left(len(rows), "figures")]))
    return Table(headings[:width], 1, tuple(row[:width] for row in some), notes)


def _others(groups: int, moved: int) -> str:
    told = f"{moved - MOST:,} more groups moved. " if moved > MOST else ""
    still = groups - moved
    plural = "s" * (still != 1)
    return f"{told}Of {still:,} other group{plural} no change is shown." if still else told


def _left(count: int, what: str) -> str:
    left = count - _MOST_ROWS
    return f"{left:,} more {what}: evenhand diff BEFORE AFTER --json." if left > 0 else ""


def _some(texts: Sequence[str], most: int = 50) -> list[str]:
    left = len(texts) - most
    return [
        *(cut(text, _LONGEST) for text in texts[:most]),
        *([f"and {left:,} more"] if left > 0 else []),
    ]
