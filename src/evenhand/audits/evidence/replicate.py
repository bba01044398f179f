"""Replicates: how far each bucket of units moves a measure in a group.

Two audits of the same units differ by less than their intervals suggest, since what a unit adds to
one figure it adds to the other. The deviations by bucket tell by how much.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from evenhand.audits.asked import Asked
from evenhand.audits.cells import Floats, Indices
from evenhand.audits.evidence.bundle import REPLICATES
from evenhand.audits.grouped import Grouped
from evenhand.audits.unit import DEPENDENCE
from evenhand.logs.unit import UnitKind


def replicates_of(asked: Iterable[Asked]) -> pl.DataFrame:
    """Return the deviations of every measure in every group that is shown; columns `REPLICATES`.

    Their squares, summed over buckets, are the variance of the figure but for a factor near 1.
    A measure of independent rows has none: its rows are told apart by nothing.
    """
    parts = {}
    for one in asked:
        question = one.question
        place = (str(question.measure), written_by(question.by, question.given), one.scope or "")
        if place not in parts:
            parts[place] = _of(one, place)
    frames = [frame for frame in parts.values() if frame is not None]
    return pl.concat(frames) if frames else pl.DataFrame(schema=REPLICATES)


def written_by(by: Sequence[str], given: Sequence[str]) -> str:
    """Return the groups and strata of a contrast as they are told apart in replicates."""
    return json.dumps([[*by], [*given]], ensure_ascii=False)


def written_group(group: Mapping[str, str]) -> str:
    """Return a group as it is told apart in replicates."""
    return json.dumps([*group.values()], ensure_ascii=False)


def _of(one: Asked, place: tuple[str, str, str]) -> pl.DataFrame | None:
    grouped = one.grouped()
    compared = grouped.compared
    if compared.size == 0 or not one.question.measure.listed:
        # Bounds and distributions are no figures that move by so much.
        return None
    deviations = _deviations(one, grouped, compared)
    if deviations is None:
        return None
    kind = one.log.unit.kind
    units = float(grouped.units.by_group[compared].min()) / one.least
    if kind in {"two_way", "dyadic"}:
        units = min(units**2, float(grouped.rows[compared].min()) / one.least)
    deviations = folded(deviations, kind, kept(deviations, units))
    if deviations is None:
        return None
    buckets = pl.int_range(len(deviations), eager=True, dtype=pl.Int32)
    measure, by, scope = place
    return pl.concat(
        [
            pl.DataFrame(
                {
                    "measure": measure,
                    "by": by,
                    "slice": scope,
                    "group": written_group(grouped.groups[index]),
                    "buckets": len(deviations),
                    "bucket": buckets,
                    "deviation": deviations[:, column],
                },
                schema=REPLICATES,
            ).filter((pl.col("deviation") != 0) | (pl.col("bucket") == 0))
            for column, index in enumerate(compared.tolist())
        ]
    )


def kept(deviations: Floats, most: float) -> int:
    """Return how many buckets are kept: a power of two, at most this many; 0 for fewer than 8.

    So a bucket holds at least as many units, on average, as a group that is shown.

    A bucket of one unit would tell what was decided about it to whoever knows its id.
    """
    buckets = len(deviations)
    while buckets > most and buckets >= _FEWEST:
        buckets //= 2
    return buckets if buckets >= _FEWEST else 0


_FEWEST = 8
"""With fewer buckets nothing is known of how two figures go together."""


def folded(deviations: Floats, kind: UnitKind, buckets: int) -> Floats | None:
    """Return deviations by fewer buckets, those of equal last bits together.

    Args:
        deviations: By bucket and figure.
        kind: What a bucket is; of two units the pair of both buckets.
        buckets: How many there are to be, a power of two, for two units of four; 0 for none.

    """
    if kind in {"row", "column"}:
        return deviations.reshape(-1, buckets, deviations.shape[1]).sum(axis=0) if buckets else None
    side = round(len(deviations) ** 0.5)
    new = 2 ** (int(math.log2(buckets)) // 2) if buckets else 0
    if new < _FEWEST:
        return None
    cells = deviations.reshape(side // new, new, side // new, new, -1)
    by_pair: Floats = cells.sum(axis=(0, 2)).reshape(new * new, -1)
    return by_pair


def _deviations(one: Asked, grouped: Grouped, compared: Indices) -> Floats | None:
    """Return how far each bucket moves the figures, shape (buckets, groups); None for rows.

    Units of a single row each are independent, and yet the same in the next audit.
    """
    found = grouped.compare(compared).deviations
    kind = one.log.unit.kind
    if found is not None or kind == "row":
        return found
    members = np.zeros((len(grouped.groups), len(compared)))
    members[compared, np.arange(len(compared))] = 1
    return grouped.figure.figures(members, dependent=DEPENDENCE[kind]).deviations
