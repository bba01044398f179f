"""Drift of one feature: its test, and how far both samples are from each other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evenhand.audits.drift.column import Column
from evenhand.audits.drift.found import Effect, FeatureDrift, Kind, Test
from evenhand.audits.drift.joint import size_of
from evenhand.stats.multiplicity import Flags
from evenhand.stats.shift import number_shifts, share_shift
from evenhand.stats.two_sample import (
    Codes,
    chi_squared_p_value,
    distance_of,
    homogeneity_of,
    kolmogorov_smirnov_p_value,
    least_distance,
    unit_p_value,
)


@dataclass(frozen=True)
class Rows:
    """Rows of both samples.

    Attributes:
        second: Whether a row is current, shape (rows,).
        unit: The unit of each row, as a code.
        repeated: Whether units are declared, so that rows of one depend on each other.
        level: Coverage of intervals.
        replicates: Most permutations.

    """

    second: Flags
    unit: Codes
    repeated: bool
    level: float
    replicates: int


def feature_drifts(
    column: Column, group: str | None, within: Flags, rows: Rows, rng: np.random.Generator
) -> Iterator[FeatureDrift]:
    """Yield the drift of a feature; of numbers how often they are missing too, where any is."""
    gone = (column.code < 0) & within
    if column.kind == "category":
        yield _feature(
            column, "category", column.code, group=group, within=within, rows=rows, rng=rng
        )
        return
    yield _feature(
        column, "number", column.code, group=group, within=within & ~gone, rows=rows, rng=rng
    )
    if gone.any():
        yield _feature(
            column, "missing", gone.astype(np.intp), group=group, within=within, rows=rows, rng=rng
        )


def _feature(
    column: Column,
    kind: Kind,
    code: Codes,
    *,
    group: str | None,
    within: Flags,
    rows: Rows,
    rng: np.random.Generator,
) -> FeatureDrift:
    second, own = rows.second[within], rows.unit[within]
    size = size_of(second, own)
    distinct, places = np.unique(code[within], return_inverse=True)
    names = {"number": "Kolmogorov-Smirnov", "category": "chi-squared", "missing": "chi-squared"}

    def without(reason: str) -> FeatureDrift:
        test = Test(names[kind], math.nan, reason=reason)
        return FeatureDrift(column.name, kind, group, size, test, ())

    if min(size.reference, size.current) == 0:
        which = "the reference" if size.reference == 0 else "the current data"
        return without(f"no values in {which}")
    if len(distinct) == 1:
        return without("all values are alike in both")
    unit = np.unique(own, return_inverse=True)[1] if rows.repeated else None
    effects: tuple[Effect, ...]
    least = math.nan
    if kind == "number":
        p, how = _number_test(
            places, len(distinct), second=second, unit=unit, replicates=rows.replicates, rng=rng
        )
        largest, moved = number_shifts(
            column.values[distinct], places, second, unit=unit, level=rows.level, rng=rng
        )
        effects = (
            Effect("Kolmogorov-Smirnov distance", "share of rows", largest),
            Effect("Wasserstein distance", "pooled standard deviations", moved),
        )
        least = least_distance(size.units_reference, size.units_current, 1 - rows.level)
    else:
        p, how = _category_test(
            places, len(distinct), second=second, unit=unit, replicates=rows.replicates, rng=rng
        )
        share = share_shift(places, len(distinct), second, unit=unit, level=rows.level, rng=rng)
        effects = (Effect("total variation distance", "share of rows", share),)
    test = Test(f"{names[kind]}, {how}", p)
    return FeatureDrift(column.name, kind, group, size, test, effects, least)


_BY_UNIT = "units permuted"


def _number_test(
    code: Codes,
    values: int,
    *,
    second: Flags,
    unit: Codes | None,
    replicates: int,
    rng: np.random.Generator,
) -> tuple[float, str]:
    if unit is not None:
        statistic = distance_of(code, values)
        return unit_p_value(statistic, unit, second, rng, replicates=replicates), _BY_UNIT
    counts = [np.bincount(code[rows], minlength=values) for rows in (~second, second)]
    return kolmogorov_smirnov_p_value(counts[0], counts[1], rng)


def _category_test(
    code: Codes,
    values: int,
    *,
    second: Flags,
    unit: Codes | None,
    replicates: int,
    rng: np.random.Generator,
) -> tuple[float, str]:
    if unit is not None:
        statistic = homogeneity_of(code, values)
        return unit_p_value(statistic, unit, second, rng, replicates=replicates), _BY_UNIT
    counts = [np.bincount(code[rows], minlength=values) for rows in (~second, second)]
    table = np.stack(counts, axis=1)
    return chi_squared_p_value(table, rng, replicates=replicates if values > _MANY else 9_999)


_MANY = 200
"""Categories beyond which only so many tables are permuted as the family needs."""
