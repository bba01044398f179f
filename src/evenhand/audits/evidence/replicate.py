"""Replicates: how far each bucket of units moves a measure in a group.

Two audits of the same units differ by less than their intervals suggest, since what a unit adds to
one figure it adds to the other. The deviations by bucket tell by how much.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from scipy.linalg import hadamard, helmert

from evenhand.audits.asked import Asked
from evenhand.audits.cells import Floats, Indices
from evenhand.audits.contrasts import Contrast
from evenhand.audits.evidence.bundle import REPLICATES
from evenhand.audits.evidence.subtracted import Family, Told, limits, outside
from evenhand.audits.grouped import Grouped
from evenhand.audits.unit import DEPENDENCE
from evenhand.engine.view import LISTS, unit_of_lists
from evenhand.logs.unit import UnitKind
from evenhand.measures.items import PerItem
from evenhand.measures.ranking import Ranking


def replicates_of(asked: Iterable[Asked]) -> pl.DataFrame:
    """Return the deviations of every measure in every group that is shown; columns `REPLICATES`.

    Their squares, summed over buckets, are the variance of the figure but for a factor near 1.
    A measure of independent rows has none: its rows are told apart by nothing. Figures that a
    contrast shows of its groups in place of the measure's, such as shares, are named by its key.
    What would tell, subtracted from other figures, of fewer units than a group that is shown has is
    left out or kept by fewer sums.
    """
    places: dict[tuple[str, str, str], tuple[Asked, Contrast | None]] = {}
    told: dict[Family, Told] = {}
    for one in asked:
        question, own = one.question, None
        # Bounds and distributions are no figures that move by so much.
        if not question.measure.listed or one.grouped().compared.size == 0:
            continue
        name = str(question.measure)
        if question.contrast is not None and question.contrast.shows_own:
            name, own = question.key, question.contrast
        place = (name, written_by(question.by, question.given), one.scope or "")
        if place not in places:
            places[place] = (one, own)
            family = Family(place[2], place[1], kind_of(one))
            told.setdefault(family, Told(not question.by)).add(name, _room(one))
    most = limits(told, _TOO_FEW)
    parts = [_of(*one, place, told, most) for place, one in places.items()]
    frames = [frame for frame in parts if frame is not None]
    return pl.concat(frames) if frames else pl.DataFrame(schema=REPLICATES)


def written_by(by: Sequence[str], given: Sequence[str]) -> str:
    """Return the groups and strata of a contrast as they are told apart in replicates."""
    return json.dumps([[*by], [*given]], ensure_ascii=False)


def written_group(group: Mapping[str, str]) -> str:
    """Return a group as it is told apart in replicates."""
    return json.dumps([*group.values()], ensure_ascii=False)


def _room(one: Asked) -> dict[str, float]:
    """Return the most sums that may be told of each group that has rows, shown or not."""
    grouped, kind = one.grouped(), kind_of(one)
    found = {}
    for index in np.flatnonzero(grouped.rows).tolist():
        units = float(grouped.units.by_group[index]) / one.least
        if kind in {"two_way", "dyadic"}:
            units = min(units**2, float(grouped.rows[index]) / one.least)
        found[written_group(grouped.groups[index])] = units
    return found


def _of(
    one: Asked,
    contrast: Contrast | None,
    place: tuple[str, str, str],
    told: Mapping[Family, Told],
    limit: Mapping[Family, float],
) -> pl.DataFrame | None:
    grouped = one.grouped()
    compared = grouped.compared
    family = Family(place[2], place[1], kind_of(one))
    if not limit[family]:
        return None
    deviations = _deviations(one, grouped, compared, contrast)
    if deviations is None:
        return None
    kind = family.kind
    measure, by, scope = place
    frames = []
    for column, index in enumerate(compared.tolist()):
        group = written_group(grouped.groups[index])
        most = min(
            told[family].units.get((measure, group), 0.0),
            limit[family],
            outside(told, family, measure, group),
        )
        mine = deviations[:, [column]]
        moved = folded(mine, kind, kept(mine, most, kind))
        if moved is None:
            continue
        table = pl.DataFrame(
            {
                "measure": measure,
                "by": by,
                "slice": scope,
                "group": group,
                "buckets": len(moved),
                "bucket": pl.int_range(len(moved), eager=True, dtype=pl.Int32),
                "deviation": moved[:, 0],
            },
            schema=REPLICATES,
        )
        frames.append(table.filter((pl.col("deviation") != 0) | (pl.col("bucket") == 0)))
    return pl.concat(frames) if frames else None


def kind_of(one: Asked) -> UnitKind:
    """Return what a bucket of a question's sums is: figures of whole lists have no second unit."""
    measure, log = one.question.measure, one.log
    whole = isinstance(measure, Ranking) and is_of_lists(measure)
    return (unit_of_lists(log) if whole else log.unit).kind


def is_of_lists(measure: Ranking) -> bool:
    """Return whether a measure is one of whole lists or of the catalogue, not of rows."""
    return measure.view in LISTS or isinstance(measure, PerItem)


def kept(deviations: Floats, most: float, kind: UnitKind) -> int:
    """Return how many sums are kept, at most this many; 0 where they would be too few.

    So a sum holds at least as many units, on average, as a group that is shown: a bucket of one
    unit would tell what was decided about it to whoever knows its id.
    """
    if kind == "column":
        buckets = int(min(len(deviations), most))
        if buckets >= ENOUGH:
            buckets = 2 ** (buckets.bit_length() - 1)
        return buckets if buckets >= FEWEST else 0
    buckets = len(deviations)
    while buckets > most and buckets >= _FEWEST_PAIRS:
        buckets //= 2
    return buckets if buckets >= _FEWEST_PAIRS else 0


FEWEST = 3
"""Fewer sums than these tell nothing of how two figures go together."""

ENOUGH = 16
"""From here on one bucket more or less does not matter, and powers of two are kept."""

_FEWEST_PAIRS = 8

_TOO_FEW: Mapping[UnitKind, int] = {
    "row": FEWEST,
    "column": FEWEST,
    "two_way": _FEWEST_PAIRS**2,
    "dyadic": _FEWEST_PAIRS**2,
}
"""With fewer sums than these there are none."""


def folded(deviations: Floats, kind: UnitKind, buckets: int) -> Floats | None:
    """Return deviations by fewer buckets.

    For a power of two those of equal last bits are taken together. Other numbers of sums are made
    of all buckets: of each sum over the buckets with signs by the last bits of their numbers (a
    Walsh function), the first ``buckets - 1`` are kept, and turned so that what is left behaves
    like buckets: it adds up to 0, and its squares to the variance. So of two audits that keep
    different numbers the fewer are in both. Whatever is combined of them and of the figure itself
    is about one in ``buckets`` of all buckets at least, as if they were taken together.

    Args:
        deviations: By bucket and figure.
        kind: What a bucket is; of two units the pair of both buckets.
        buckets: How many there are to be; for two units a power of four; 0 for none.

    Source: Donoho and Stark 1989, for what combinations leave out (a function and its transform
    are not both 0 almost everywhere).

    """
    if kind in {"row", "column"}:
        if not buckets:
            return None
        if buckets == len(deviations):
            return deviations
        if _is_power(buckets) and _is_power(len(deviations)):
            together: Floats = deviations.reshape(-1, buckets, deviations.shape[1]).sum(axis=0)
            return together
        signed = (_turned(len(deviations)) @ deviations)[: buckets - 1]
        mixed: Floats = _turned(buckets).T @ signed * (len(deviations) / buckets) ** 0.5
        return mixed
    side = round(len(deviations) ** 0.5)
    new = 2 ** (int(math.log2(buckets)) // 2) if buckets else 0
    if new < _FEWEST_PAIRS:
        return None
    cells = deviations.reshape(side // new, new, side // new, new, -1)
    by_pair: Floats = cells.sum(axis=(0, 2)).reshape(new * new, -1)
    return by_pair


def _is_power(number: int) -> bool:
    return number & (number - 1) == 0


@functools.cache
def _turned(buckets: int) -> Floats:
    """Return orthonormal rows that each add up to 0, shape (buckets - 1, buckets).

    Of a power of two Walsh functions in the order of their bits, of other numbers Helmert's.
    """
    if _is_power(buckets):
        signs: Floats = hadamard(buckets, dtype=np.float64)[1:] / buckets**0.5
        return signs
    contrasts: Floats = helmert(buckets)
    return contrasts


def _deviations(
    one: Asked, grouped: Grouped, compared: Indices, contrast: Contrast | None
) -> Floats | None:
    """Return how far each bucket moves the figures, shape (buckets, groups); None for rows.

    Units of a single row each are independent, and yet the same in the next audit.
    """
    kind = kind_of(one)
    if contrast is not None:
        together = replace(grouped.units, dependent=DEPENDENCE.get(kind))
        return contrast.shown(one, replace(grouped, units=together)).deviations
    found = grouped.compare(compared).deviations
    if found is not None or kind == "row":
        return found
    members = np.zeros((len(grouped.groups), len(compared)))
    members[compared, np.arange(len(compared))] = 1
    return grouped.figure.figures(members, dependent=DEPENDENCE[kind]).deviations
