"""Which requests are consistent: one item in a slot, each item once, one user throughout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.measures.lists import Flags

TIED = "two items share a slot"
REPEATED = "an item is listed twice"

_PLACES = 2**21
"""Places of a table in which rows are looked up, so that few must be sorted."""


def faults(
    rows: pl.DataFrame,
    run: NDArray[Any],
    slot: NDArray[Any],
    item: NDArray[np.uint64] | None,
    constant: Iterable[str],
) -> Mapping[str, Flags]:
    """Return which requests are inconsistent, by what is wrong.

    Args:
        rows: Rows of whole requests, in the order of their slots.
        run: The request of each row, ascending from 0.
        slot: The slot of each row; 0 where it was not shown.
        item: A number of each row's item; None where every row is another item.
        constant: Columns that have one value in a request.

    """
    requests = int(run[-1]) + 1 if len(run) else 0
    same = np.diff(run) == 0

    def of(place: NDArray[Any]) -> Flags:
        bad = np.zeros(requests, np.bool_)
        bad[place] = True
        return bad

    # Slots ascend inside a request, so tied ones stand together.
    found = {TIED: of(run[1:][same & (np.diff(slot) == 0) & (slot[1:] > 0)])}
    if item is not None:
        found[REPEATED] = of(run[_repeated(run, item)])
    for name in constant:
        changes = np.diff(rows[name].rle_id().to_numpy()) != 0
        found[f"'{name}' differs inside the request"] = of(run[1:][same & changes])
    return {reason: bad for reason, bad in found.items() if bad.any()}


def _repeated(run: NDArray[Any], item: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return rows whose item stands in their request before."""
    mixed = item ^ (run.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    place = (mixed % np.uint64(_PLACES)).astype(np.intp)
    rows = np.arange(len(run), dtype=np.int32)
    last = np.empty(_PLACES, np.int32)
    last[place] = rows
    # Of two rows alike at most one is the last of its place: the other is among those before it.
    before = np.flatnonzero(last[place] != rows)
    same = before[mixed[last[place[before]]] == mixed[before]]
    order = before[np.argsort(mixed[before])]
    again = order[np.flatnonzero(mixed[order][1:] == mixed[order][:-1])]
    found: NDArray[np.intp] = np.concatenate([same, again])
    return found
