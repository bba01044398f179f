"""Covariance of figures whose rows belong to two units at once: user and item, or two subjects.

A figure is linearised: each row contributes a residual, and the variance of their sum is the sum
of the products of all pairs of rows that share a unit. Counting such pairs by one unit alone
leaves out those that share the other one: intervals of a gap between groups of items then cover
.6 instead of .95 when only users are counted.

Units enter as buckets. Rows of different units in one bucket are independent, so buckets cost
degrees of freedom but add no bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.interval import Floats

_LEAST_APART = 0.1
"""A residual grows tenfold at most, even where its row shares a unit with nearly all others."""

_NOTHING = 1e-9


@dataclass(frozen=True)
class Crossed:
    """The uncertainty of K figures over crossed units.

    Attributes:
        covariance: Covariance of the figures, shape (K, K), positive semi-definite.
        df: Degrees of freedom of their variances, shape (K,); 0 where all rows share one unit, so
            that nothing is known about the next one.

    """

    covariance: Floats
    df: Floats


class _Sums(NamedTuple):
    """Sums over rows, by bucket and figure; all have K columns.

    Attributes:
        margins: Sums by bucket, for each way in which two rows can share a unit.
        cells: Sums by pair of buckets: every row is in one of them.
        repeated: Sums over rows whose pairs are in two of the margins.

    """

    margins: tuple[Floats, ...]
    cells: Floats
    repeated: Floats


def two_way(residual: Floats, rows: Floats) -> Crossed:
    """Return the covariance when rows share a first unit or a second one, such as user and item.

    Args:
        residual: Sums of residuals, shape (first buckets, second buckets, K); each figure's add
            up to 0.
        rows: Numbers of rows of each figure, of the same shape; each figure has one somewhere.

    Source: Cameron, Gelbach and Miller 2011, V_a + V_b - V_ab; Owen and Eckles 2012.
    """
    share = rows / rows.sum(axis=(0, 1))
    met = share.sum(axis=1)[:, None] + share.sum(axis=0) - share

    def sums(table: Floats) -> _Sums:
        cells = table.reshape(-1, table.shape[-1])
        return _Sums((table.sum(axis=1), table.sum(axis=0)), cells, cells)

    leave_out = _LeaveOut.of(share, met)
    return leave_out.crossed(sums(leave_out.scaled(residual)), sums(rows))


def dyadic(residual: Floats, rows: Floats) -> Crossed:
    """Return the covariance when a row is a pair of units of one population, such as two faces.

    A pair of rows counts once if any unit of the one is a unit of the other, on whichever side.
    Their sum is ``sum_k U_k^2 - sum_{p<q} U_pq^2``: U_k over rows with a unit in bucket k, and
    U_pq over those with one in each of p and q, whose pairs share two buckets. A row may be a
    unit paired with itself.

    Args:
        residual: Sums of residuals by the buckets of a row's two units, shape (buckets, buckets,
            K); each figure's add up to 0. The order of the two units does not matter.
        rows: Numbers of rows of each figure, of the same shape; each figure has one somewhere.

    Source: Fafchamps and Gubert 2007; Aronow, Samii and Assenova 2015.

    """
    first, second = np.triu_indices(residual.shape[0])
    same = first == second

    def sums(table: Floats) -> _Sums:
        folded = table + table.transpose(1, 0, 2)
        cells = folded[first, second]
        cells[same] /= 2
        diagonal = np.einsum("kkf->kf", table)
        return _Sums((folded.sum(axis=1) - diagonal,), cells, cells[~same])

    share = rows / rows.sum(axis=(0, 1))
    (by_unit,) = sums(share).margins
    met = by_unit[:, None] + by_unit - share - share.transpose(1, 0, 2)
    np.einsum("kkf->kf", met)[:] = by_unit
    leave_out = _LeaveOut.of(share, met)
    return leave_out.crossed(sums(leave_out.scaled(residual)), sums(rows))


@dataclass(frozen=True)
class _LeaveOut:
    """How much smaller than the errors the residuals are, because each took part in its figure.

    As in the jackknife, a residual is divided by the share of the rows that share no unit with
    its row, and the variance multiplied by the mean of that share. In balanced designs, with
    independent rows or with effects of the units, the variance is then unbiased; where one
    popular item has a third of a group's rows, a gap is covered .95 instead of .90 with one
    factor for all.

    Attributes:
        apart: Share of the rows of the figure that share no unit with a row of the cell.
        mean: Its mean over the rows, shape (K,); 1 where it is 0 and nothing can be corrected.
        known: Whether any two rows of the figure share no unit, shape (K,).

    """

    apart: Floats
    mean: Floats
    known: NDArray[np.bool_]

    @staticmethod
    def of(share: Floats, met: Floats) -> _LeaveOut:
        """Return it for shares of the rows by cell, and shares of the rows that a cell meets."""
        mean = (share * (1 - met)).sum(axis=(0, 1))
        known = mean > _NOTHING
        apart = np.where(known, np.maximum(1 - met, _LEAST_APART), 1.0)
        return _LeaveOut(apart, np.where(known, mean, 1.0), known)

    def scaled(self, residual: Floats) -> Floats:
        return residual / self.apart

    def crossed(self, residual: _Sums, rows: _Sums) -> Crossed:
        """Return the covariance from sums of scaled residuals."""
        cells = residual.cells.T @ residual.cells
        # A difference of sums of squares can be negative. Here no contrast varies less than if
        # all cells were independent, which covers up to .99 where they are; clipped at 0 instead,
        # a gap between groups that every unit has rows of covered .92.
        covariance = cells + _positive_part(_pairs(residual) - cells, np.sqrt(np.diag(cells)))
        df = _degrees_of_freedom(residual.margins, rows.margins, np.diag(covariance))
        scale = np.sqrt(self.mean)
        return Crossed(covariance * np.outer(scale, scale), np.where(self.known, df, 0.0))


def _pairs(sums: _Sums) -> Floats:
    """Return the sum of products over all pairs of rows that share a unit, shape (K, K)."""
    total: Floats = sum(
        (margin.T @ margin for margin in sums.margins), -sums.repeated.T @ sums.repeated
    )
    return total


def _positive_part(matrix: Floats, size: Floats) -> Floats:
    """Return the matrix without its negative eigenvalues, taken where each figure has size 1."""
    unit = np.outer(*[np.where(size > 0, size, 1.0)] * 2)
    values, vectors = np.linalg.eigh(matrix / unit)
    part: Floats = (vectors * np.maximum(values, 0.0)) @ vectors.T * unit
    return part


def _degrees_of_freedom(
    residual: tuple[Floats, ...], rows: tuple[Floats, ...], variance: Floats
) -> Floats:
    """Return Satterthwaite's degrees of freedom, at most those of the margin with fewest buckets.

    The variance of a sum of squares over buckets is taken from the squares as observed, since few
    buckets carry it when a rate is rare or a unit is popular; those of the margins add up.

    Args:
        residual: Sums of residuals by bucket, for each margin.
        rows: Numbers of rows by bucket, for each margin.
        variance: The variances before they are scaled, shape (K,).

    """
    occupied = [(margin > 0).sum(axis=0) for margin in rows]
    most = np.minimum.reduce(occupied) - 1.0
    spread = np.zeros_like(variance)
    for margin, count in zip(residual, occupied, strict=True):
        square = np.square(margin)
        total = square.sum(axis=0)
        excess = np.square(square).sum(axis=0) - np.square(total) / count
        least = np.square(total) / np.maximum(count - 1, 1)
        spread += np.clip(excess / 2, least, np.square(total))
    found = np.divide(np.square(variance), spread, out=most.copy(), where=spread > 0)
    df: Floats = np.minimum(most, np.maximum(found, 1.0))
    return df
