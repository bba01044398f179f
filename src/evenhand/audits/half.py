"""Two halves of a log's units: one to choose on, one held out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import narwhals as nw
import numpy as np
import polars as pl

from evenhand.errors import Problem, RoleError
from evenhand.logs.expression import Expression
from evenhand.logs.log import Log
from evenhand.logs.source import open_source
from evenhand.mitigations.candidates import Candidates, Label, Places
from evenhand.mitigations.listed import Listed, listed

_REQUEST = "_request"


@dataclass(frozen=True)
class Half:
    """The requests of some of the units.

    Attributes:
        log: Their rows as they were.
        listed: Their candidates.
        unit: The column of units.
        units: Number of units.

    """

    log: Log
    listed: Listed
    unit: str
    units: int

    def of(self, names: Sequence[Label]) -> Half:
        """Return the same with these groups, among which those that there are must be."""
        found = self.listed.candidates
        places = np.array([names.index(name) for name in found.names] or [0])
        groups = np.where(found.groups < 0, found.groups, places[found.groups])
        named = Candidates(found.scores, groups, tuple(names))
        return replace(self, listed=replace(self.listed, candidates=named))

    def written(self, order: Places) -> Log:
        """Return the log of new lists, as `evenhand mitigate` writes it.

        Args:
            order: Places of candidates, shape (n, k).

        """
        log = in_memory(self.log, self.listed.written(order))
        # A score that is made of the old slots would be read from the new ones.
        roles = {name: text for name, text in log.roles.items() if name != "score"}
        return replace(log, roles={**roles, "rank": Expression(self.listed.rank)})


def in_memory(log: Log, rows: pl.DataFrame) -> Log:
    """Return a log of rows that have all columns already, those of side tables too."""
    source = open_source(rows)
    return replace(log, source=source, schema=dict(source.frame.collect_schema()), where=None)


def halves(log: Log, of: str, *, seed: int, share: float) -> tuple[Half, Half]:
    """Return the half to choose on and the half held out.

    In which half a unit is depends on the seed and on its name alone: not on the order of rows, nor
    on which other units there are.

    Args:
        log: A log of ranked lists whose rows fit into memory.
        of: The attribute of items that groups are made of.
        seed: Of the split.
        share: Of the units that are chosen on, between 0 and 1.

    Raises:
        RoleError: As `listed`; or a request has rows of several units, or a half has no unit.
        SourceError: The rows cannot be read.

    """
    if not 0 < share < 1:
        what = f"{share:g} is not between 0 and 1."
        raise RoleError(Problem("share of units to choose on", what, "Write 0.5."))
    whole = listed(log, of)
    unit = unit_of(log)
    rows = whole.frame
    asked = nw.from_native(rows).select(
        log.roles["request"].lower(log.schema).alias(_REQUEST), nw.col(unit)
    )
    several = asked.group_by(_REQUEST).agg(nw.col(unit).n_unique()).filter(nw.col(unit) > 1)
    if len(several):
        what = f"{len(several):,} requests have rows of several values of '{unit}'."
        hint = "Name a unit that whole requests belong to: --user COLUMN, or leave it out."
        raise RoleError(Problem("units", what, hint))
    each = rows[unit].unique()
    chosen_on = each.filter(pl.Series([drawn(one, seed) < share for one in each], dtype=pl.Boolean))
    inside = rows[unit].is_in(chosen_on.implode(), nulls_equal=True)
    found = []
    for name, mask, units in (
        ("to choose on", inside, len(chosen_on)),
        ("held out", ~inside, len(each) - len(chosen_on)),
    ):
        if not units:
            what = f"of {len(each):,} values of '{unit}' none is in the half {name}."
            raise RoleError(Problem("units", what, "Try another --seed, or more rows."))
        own = in_memory(log, rows.filter(mask))
        found.append(Half(own, listed(own, of), unit, units))
    return found[0], found[1]


def unit_of(log: Log) -> str:
    """Return the column whose values are kept together: the log's unit, or the first of two."""
    return str(log.unit.columns[0])


def drawn(unit: object, seed: int) -> float:
    """Return a number from [0, 1) for a unit, which depends on its name and the seed alone."""
    # Its own words: a re-ranker that draws by request and seed must not draw the same.
    text = f"half of {unit} by {seed}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / 2**64


def together(*halves: Half, also: Mapping[Label, float] | None = None) -> list[Label]:
    """Return the groups of halves, and of a target, in the order of their names."""
    names = {name for half in halves for name in half.listed.candidates.names}
    return sorted({*names, *(also or {})}, key=str)
