"""Orders of features by importance as reports show them: ranks, and how far they agree."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.legible import cut
from evenhand.audits.evidence.order import Order, Orders, Rank, orders_of
from evenhand.audits.evidence.strength import variant_column
from evenhand.render.overview import Cell, Overview, short
from evenhand.render.table import Table
from evenhand.render.wording import value_shown
from evenhand.stats.rank import Concordance

TITLE = "Which features come first"

_FEATURES, _PAIRS, _LONGEST = 40, 30, 160

_METHODS = 8
"""Columns of a table; of more methods the first, and the figures of all are in the sections."""

ABOUT = (
    "Ranks of features by each method, 1st for the largest figure, which stands behind it in the "
    "method's own unit; '2nd to 3rd' is what the intervals leave open. What has no figure by a "
    "method has no rank, and the others are ranked without it. Methods may ask different things: "
    "sizes of parts are of the score, importances by permutation of the errors."
)

_AGREEMENT = (
    "Kendall's tau is the share of pairs of features that stand in one order less that of pairs in "
    "opposite orders: 1 where all are alike, 0 by chance. A pair is known where the intervals of "
    "both methods tell its two features apart, all of them together ({level}, by Bonferroni; each "
    "line by itself); the interval of tau leaves every other pair open."
)


@dataclass(frozen=True)
class Shown:
    """Orders as a report shows them.

    Attributes:
        title: Of which rows; empty for all.
        ranks: Features as rows, methods as columns: a rank, and the figure behind it.
        tables: Agreement of methods, and of groups, each with its heading.
        note: How agreement is to be read.

    """

    title: str
    ranks: Overview
    tables: tuple[tuple[str, Table], ...]
    note: str

    @property
    def links(self) -> list[str]:
        """Where the section of each column is: nowhere, since a measure has several columns."""
        return [""] * len(self.ranks.measures)


def orders_in(bundle: Bundle) -> list[Shown]:
    """Return what reports show of the orders that a bundle's figures tell."""
    found = orders_of(bundle.findings, variant_column(bundle.plan))
    level = f"{100 * bundle.plan.level:g}%"
    return [
        Shown(one.where, _ranks(one), tuple(_tables(one)), _AGREEMENT.format(level=level))
        for one in found
    ]


def _tables(one: Orders) -> Iterable[tuple[str, Table]]:
    yield "how far the methods agree", _agreement(one.pairs())
    for by in one.grouped:
        table = _agreement(one.between(by))
        if table.rows:
            yield f"how far groups agree, by {by}", table


def _ranks(one: Orders) -> Overview:
    shown, names = one.whole[:_METHODS], one.features
    placed = [order.ranks() for order in shown]
    rows = tuple(
        (
            value_shown(name),
            tuple(_cell(order, ranks, name) for order, ranks in zip(shown, placed, strict=True)),
        )
        for name in names[:_FEATURES]
    )
    notes = [
        f"Of {count:,} {of} the first {most} are shown; the figures of all are below."
        for of, count, most in (
            ("features", len(names), _FEATURES),
            ("methods", len(one.whole), _METHODS),
        )
        if count > most
    ]
    methods = tuple(cut(order.name) for order in shown)
    return Overview(methods, rows, ("",) * len(shown), (), tuple(notes))


def _cell(order: Order, ranks: Mapping[str, Rank], name: str) -> Cell:
    if name not in ranks:
        return Cell()
    _, best, worst = ranks[name]
    (found,) = order.estimates([name])
    figure = "0"
    if found:
        figure = f"{short(found.value)} [{short(found.low)}, {short(found.high)}]"
    told = _ordinal(best) if best == worst else f"{_ordinal(best)} to {_ordinal(worst)}"
    return Cell(told, figure)


def _ordinal(rank: int) -> str:
    """Return a rank in words.

    >>> [_ordinal(one) for one in (1, 2, 3, 4, 11, 22, 113)]
    ['1st', '2nd', '3rd', '4th', '11th', '22nd', '113th']
    """
    teens = rank // 10 % 10 == 1
    return f"{rank}{'th' if teens else _ENDS.get(rank % 10, 'th')}"


_ENDS = {1: "st", 2: "nd", 3: "rd"}


def _agreement(found: Iterable[tuple[Order, Order, Concordance]]) -> Table:
    rows = []
    for one, other, told in itertools.islice(found, _PAIRS + 1):
        pair = f"{one.name} and {other.name}"
        if one.group:
            pair = f"{one.name}: {value_shown(one.group)} and {value_shown(other.group)}"
        rows.append(
            (
                cut(pair, _LONGEST),
                short(told.tau),
                f"[{short(told.low)}, {short(told.high)}]",
                *(f"{count:,}" for count in (told.alike, told.opposite, told.unknown)),
            )
        )
    notes = ["More pairs are not shown."] if rows[_PAIRS:] else []
    headings = ("orders", "Kendall's tau", "interval", "alike", "opposite", "not known")
    return Table(headings, 1, tuple(rows[:_PAIRS]), tuple(notes))
