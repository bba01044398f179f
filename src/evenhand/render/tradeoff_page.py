"""Re-rankers compared, as one HTML file that opens anywhere: no network, no script, no row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from evenhand.audits.tradeoff import BY_SCORE, Contender, Tradeoff
from evenhand.notation import parse
from evenhand.render.html import asset, environment
from evenhand.render.scatter import Spot, scatter
from evenhand.render.table import Table
from evenhand.render.tradeoff import (
    CHOOSING,
    HELD_OUT,
    exposure_in_words,
    kept_of,
    limits,
    notes,
    percent,
    said,
    utility_in_words,
)
from evenhand.render.wording import DASH, MINUS, first, name_of
from evenhand.stats.estimate import Estimate, Outcome, Undefined

_WIDE, _NARROW = (760, 470), (400, 470)
_TONES = {"yes": "pass", "no": "fail", "open": "undecided", "": "none"}
_FEW = 4
"""Groups whose shares stand in one table for all orders."""

_REASONS = 3
"""Reasons of a certificate that are told."""


def page(found: Tradeoff, *, version: str, source: str = "", following: str = "") -> str:
    """Return a comparison as a page.

    Args:
        found: The comparison.
        version: The version of Evenhand.
        source: The log, as it is named.
        following: The command that writes the lists of what was chosen; empty for none.

    """
    title, sentences = said(found)
    spots = spots_of(found)
    titles = (
        f"exposure: {exposure_in_words(found)}",
        f"utility: {utility_in_words(found)}, less that by score",
    )
    limit = None if found.choice is None else found.choice.at_least
    drawn = [scatter(spots, titles, size, limit) for size in (_WIDE, _NARROW)] if spots else []
    wide, narrow = drawn or ("", "")
    view: dict[str, Any] = {
        "version": version,
        "title": f"Re-rankers by {found.yardstick.of}, first {found.yardstick.k}",
        "created": f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC",
        "style": asset("report.css"),
        "said": title,
        "sentences": sentences,
        "tone": _TONES[found.choice.held if found.choice and found.choice.name else ""],
        "next": following,
        "wide": wide,
        "narrow": narrow,
        "caption": _caption(found),
        "table": table_of(found),
        "remarks": [
            *found.doubts,
            *(f"{one.name} failed: {one.failed}" for one in found.contenders if one.failed),
        ],
        "top": found.yardstick.k,
        "gains": _gains(found),
        "contenders": [
            _contender(one, place, found)
            for place, one in enumerate(found.contenders, 1)
            if one.reranks
        ],
        "facts": _facts(found, source),
        "notes": notes(found),
    }
    return environment().get_template("tradeoff.html").render(**view)


def spots_of(found: Tradeoff) -> list[Spot]:
    """Return the points of a picture: those that have both figures; like lists are one point."""
    spots = []
    for one in found.contenders:
        if one.held_out is None or one.like:
            continue
        x, y = one.held_out.figures.exposure, one.held_out.figures.lost
        if not (isinstance(x, Estimate) and isinstance(y, Estimate)):
            continue
        same = [one, *(other for other in found.contenders if other.like == one.name)]
        names = {each.name for each in same}
        spots.append(
            Spot(
                ", ".join(short_name(each.name, found) for each in same),
                (x.value, x.low, x.high),
                (y.value, y.low, y.high),
                filled=any(each.front for each in same),
                square=not one.reranks,
                chosen=found.choice is not None and found.choice.name in names,
            )
        )
    return spots


def short_name(name: str, found: Tradeoff) -> str:
    """Return a re-ranker by its name, with its parameters' values where another has it too."""
    head = name.partition("(")[0]
    others = [one.name for one in found.contenders if one.name.partition("(")[0] == head]
    if len(others) == 1:
        return head
    params = parse(name).params
    return f"{head}({', '.join(str(value) for _, value in params)})" if params else head


def table_of(found: Tradeoff) -> Table:
    """Return the figures of both halves."""
    choosing, held_out = found.units
    worth = found.yardstick.utility
    by_score = found.of(BY_SCORE)
    level = "" if by_score.held_out is None else limits(by_score.held_out.figures.utility)
    headings = (
        "order of the lists",
        f"exposure, {held_out:,} units held out",
        "utility less by score",
        "kept in",
        f"exposure, {choosing:,} chosen on",
        "utility less by score",
    )
    rows = []
    for one in found.contenders:
        cells = []
        for half in (one.held_out, one.choosing):
            figures = None if half is None else half.figures
            cells.append(
                (DASH, DASH)
                if figures is None
                else (limits(figures.exposure), limits(figures.lost))
            )
        marked = [text for text in marks_of(one, found) if not text.startswith("same")]
        name = f"{one.name} ({', '.join(marked)})" if marked else one.name
        rows.append((name, *cells[0], kept_of(one), *cells[1]))
    told = (f"{worth} of the order by score is {level} on the {HELD_OUT}.",) if level else ()
    return Table(headings, 1, tuple(rows), told)


def marks_of(one: Contender, found: Tradeoff) -> list[str]:
    """Return what is to be known of a contender in a word."""
    chosen = found.choice is not None and found.choice.name == one.name
    told = ["chosen"] if chosen else []
    told += ["Pareto front"] if one.front else []
    return told + ([f"same lists as {one.like}"] if one.like else [])


def _contender(one: Contender, place: int, found: Tradeoff) -> dict[str, Any]:
    certificate = None if one.held_out is None else one.held_out.certificate
    guarantee, reasons = "", [f"It failed: {one.failed}."] if one.failed else []
    if certificate is not None:
        told = certificate.to_dict()
        guarantee = f"Guarantees that {told['guarantee']}. Kept in {kept_of(one)} requests."
        reasons += [] if one.like else first(told["reasons"], _REASONS)
    return {
        "id": f"c{place}",
        "name": one.name,
        "marks": marks_of(one, found),
        "guarantee": guarantee,
        "reasons": reasons,
    }


def _gains(found: Tradeoff) -> list[tuple[str, Table]]:
    """Return what each group gets: of all in one table, or where there are many in one each."""
    there = [one for one in found.contenders if one.held_out is not None and not one.like]
    by_score = _shares(found.of(BY_SCORE))
    names = list(by_score)
    if not names:
        return []
    if len(names) > _FEW:
        headings = (found.yardstick.of, "of candidates", "by score", "ranked anew", "points")
        return [
            (
                one.name,
                Table(headings, 1, tuple(_moved(name, by_score, _shares(one)) for name in names)),
            )
            for one in there
            if one.name != BY_SCORE
        ]
    rows = []
    for one in there:
        own = _shares(one)
        cells = []
        for name in names:
            _, _, _, share, points = _moved(name, by_score, own)
            cells += [share] if one.name == BY_SCORE else [f"{share} {points}"]
        rows.append((one.name, *cells))
    due = tuple(DASH if by_score[name][1] is None else f"{by_score[name][1]:.1%}" for name in names)
    table = Table(("order of the lists", *names), 1, (("share of candidates", *due), *rows))
    return [("", table)]


def _shares(one: Contender) -> dict[str, tuple[Outcome, float | None]]:
    """Return each group's share of exposure on the half held out, and of candidates."""
    groups = () if one.held_out is None else one.held_out.figures.groups
    return {name_of(each.group): (each.outcome, each.target) for each in groups if each.compared}


def _moved(
    name: str,
    before: Mapping[str, tuple[Outcome, float | None]],
    after: Mapping[str, tuple[Outcome, float | None]],
) -> tuple[str, str, str, str, str]:
    """Return a group: its share of candidates, of exposure before and after, and the change."""
    old, due = before[name]
    new, _ = after.get(name, (Undefined("no candidate"), None))
    points = DASH
    if isinstance(old, Estimate) and isinstance(new, Estimate):
        points = f"{100 * (new.value - old.value):+.1f}".replace("-", MINUS)
    return (name, DASH if due is None else f"{due:.1%}", percent(old), percent(new), points)


def _caption(found: Tradeoff) -> str:
    told = (
        f"Each point is an order of the lists of the {HELD_OUT}: to the right exposure is more "
        f"even, upwards more utility is kept. Crosses are {100 * found.yardstick.level:g}% "
        f"intervals. Full marks are on the Pareto front of the {CHOOSING}, a line joins them; "
        "squares are no re-rankers."
    )
    if found.choice is not None:
        told += " The dashed line is the limit"
        told += "; the ring is what was chosen." if found.choice.name else "."
    return told


def _facts(found: Tradeoff, source: str) -> list[tuple[str, str]]:
    choosing, held_out = found.units
    facts = [
        ("log", source),
        ("item group", found.yardstick.of),
        ("slots", str(found.yardstick.k)),
        ("unit", found.unit),
        ("units chosen on", f"{choosing:,}"),
        ("units held out", f"{held_out:,}"),
        ("exposure", found.yardstick.exposure),
        ("utility", found.yardstick.utility),
        ("seed", str(found.seed)),
    ]
    return [(name, text) for name, text in facts if text]
