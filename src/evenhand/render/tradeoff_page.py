"""Re-rankers compared, as one HTML file that opens anywhere: no network, no script, no row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from evenhand.audits.tradeoff import BY_SCORE, Contender, Tradeoff
from evenhand.audits.yardstick import Figures
from evenhand.notation import parse
from evenhand.render.html import asset, environment
from evenhand.render.scatter import Spot, scatter
from evenhand.render.table import Table
from evenhand.render.tradeoff import (
    CHOOSING,
    HELD_OUT,
    change_of,
    exposure_in_words,
    kept_of,
    limits,
    notes,
    percent,
    said,
    short,
    utility_in_words,
    value_of,
)
from evenhand.render.wording import DASH, first, name_of
from evenhand.stats.estimate import Estimate, Undefined

_WIDE, _NARROW = (760, 470), (400, 470)
_TONES = {"yes": "pass", "no": "fail", "open": "undecided", "": "none"}
_FEW = 4
"""Groups whose shares stand in one table for all orders."""

_MOST = 30
"""Groups whose shares are told, those with most candidates."""

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
        "tone": "undecided" if found.doubts else _TONES[found.choice.held if found.choice else ""],
        "doubts": found.doubts,
        "next": following,
        "wide": wide,
        "narrow": narrow,
        "caption": _caption(found),
        "table": table_of(found),
        "failures": [f"{one.name} failed: {one.failed}" for one in found.contenders if one.failed],
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
        x, y = one.held_out.figures.exposure, one.held_out.figures.utility_change
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
        cells = (DASH, DASH)
        if one.held_out is not None:
            held = one.held_out.figures
            cells = (limits(held.exposure), limits(held.utility_change))
        chosen_on = (DASH, DASH)
        if one.choosing is not None:
            figures = one.choosing.figures
            chosen_on = (value_of(figures.exposure), value_of(figures.utility_change))
        marked = [text for text in marks_of(one, found) if not text.startswith("same")]
        name = f"{one.name} ({', '.join(marked)})" if marked else one.name
        rows.append((name, *cells, kept_of(one), *chosen_on))
    told: tuple[str, ...] = ()
    if by_score.held_out is not None:
        utility, value = by_score.held_out.figures.utility, by_score.held_out.figures.worth
        level = limits(utility) if value is None or isinstance(utility, Estimate) else short(value)
        told = (f"The order by score has {worth} = {level} on the {HELD_OUT}.",)
    return Table(headings, 1, tuple(rows), told)


def marks_of(one: Contender, found: Tradeoff) -> list[str]:
    """Return what is to be known of a contender in a word."""
    chosen = found.choice is not None and found.choice.name == one.name
    told = ["chosen"] if chosen else []
    told += ["Pareto front"] if one.front else []
    return told + ([f"same lists as {one.like}"] if one.like else [])


def _contender(one: Contender, place: int, found: Tradeoff) -> dict[str, Any]:
    certificate = None if one.held_out is None else one.held_out.certificate
    guarantee, reasons = "", [f"It failed: {one.failed}"] if one.failed else []
    if certificate is not None:
        told = certificate.to_dict()
        guarantee = (
            f"Guarantees that {told['guarantee']}. Kept in {kept_of(one)} requests. Sum of scores "
            f"by slot {told['utility']:.4g} a request, {told['best']:.4g} at best "
            f"({told['against']})."
        )
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
    there = [one for one in found.contenders if not one.like]
    by_score = found.of(BY_SCORE).held_out
    known = [(one.name, one.held_out.figures) for one in there if one.held_out is not None]
    if by_score is None or not by_score.figures.groups:
        return []
    groups = [each for each in by_score.figures.groups if each.compared]
    largest = sorted(groups, key=lambda each: -(each.target or 0.0))[:_MOST]
    groups, left = [each for each in groups if each in largest], len(groups) - len(largest)
    names = [name_of(each.group) for each in groups]
    due = [DASH if each.target is None else f"{each.target:.1%}" for each in groups]
    old = [percent(each.outcome) for each in groups]
    if len(names) > _FEW:
        headings = (found.yardstick.of, "of candidates", "by score", "ranked anew", "change")
        told = (f"{left:,} smaller groups are in the document: --out x.json.",) if left else ()
        return [
            (
                name,
                Table(
                    headings, 1, tuple(zip(names, due, old, *_moved(own, names), strict=True)), told
                ),
            )
            for name, own in known[1:]
        ]
    rows = [("share of candidates", *due), (BY_SCORE, *old)]
    rows += [
        (name, *(f"{share}; {change}" for share, change in zip(*_moved(own, names), strict=True)))
        for name, own in known[1:]
    ]
    return [("", Table(("order of the lists", *names), 1, tuple(rows)))]


def _moved(figures: Figures, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the share of exposure of each group, and by how many points it changed."""
    shares = {name_of(each.group): each.outcome for each in figures.groups}
    nothing = Undefined("no candidate")
    return (
        [value_of(shares.get(name, nothing), "%") for name in names],
        [change_of(figures.group_changes.get(name, nothing), points=True) for name in names],
    )


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
