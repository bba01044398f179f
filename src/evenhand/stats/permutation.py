"""Permutation test that groups are exchangeable, from a table of counts alone.

Permuting the group labels of the rows keeps the number of rows in each cell and in each group, so
its outcome is a draw of the multivariate hypergeometric distribution: no row is needed. The test
is exact for rows that are independent of each other. Rows that belong together in units need a
permutation of whole units, which sums per unit bucket do not allow: do not use it on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.interval import Floats

Counts = NDArray[np.int64]

_MOST_CELLS = 10_000_000
"""Most counts that are held at once."""

_ROUNDING = 1e-9
"""Statistics closer than this, relatively, are tied: sums differ by their order."""


def permuted(counts: Counts, rng: np.random.Generator, replicates: int) -> Counts:
    """Return tables with the margins of ``counts`` whose group labels were permuted.

    Args:
        counts: Numbers of independent rows, shape (cells, groups), fewer than 1e9 in all.
        rng: Source of the permutations.
        replicates: Number of tables.

    Returns:
        Counts of shape (replicates, cells, groups).

    Source: Patefield 1981 (tables with given margins).

    """
    cells, groups = counts.shape
    tables = np.zeros((replicates, cells, groups), dtype=np.int64)
    left = np.repeat(counts.sum(axis=1)[None, :], replicates, axis=0)
    for group, size in enumerate(counts.sum(axis=0)[:-1]):
        wanted = np.full(replicates, size)
        later = left.sum(axis=1)
        for cell in range(cells):
            later -= left[:, cell]
            drawn = rng.hypergeometric(left[:, cell], later, wanted)
            tables[:, cell, group] = drawn
            left[:, cell] -= drawn
            wanted -= drawn
    tables[:, :, -1] = left
    return tables


def permutation_p_value(
    counts: Counts,
    statistic: Callable[[Counts], Floats],
    rng: np.random.Generator,
    replicates: int = 999,
) -> float:
    """Return the share of permutations whose statistic is as large as the observed one, or larger.

    The observed table counts as one of the permutations, so the p-value is valid for any number of
    replicates and never 0. A statistic that a permutation leaves undefined (NaN) counts as large.

    Args:
        counts: Numbers of independent rows, shape (cells, groups), fewer than 1e9 in all.
        statistic: From tables of shape (replicates, cells, groups) to values of shape
            (replicates,); large values speak against exchangeable groups.
        rng: Source of the permutations.
        replicates: Number of permutations.

    Source: Phipson and Smyth 2010; Fisher 1935.
    """
    observed = float(statistic(counts[None])[0])
    bar = observed - _ROUNDING * abs(observed)
    extreme = sum(
        int(np.count_nonzero(~(statistic(permuted(counts, rng, size)) < bar)))
        for size in _batches(replicates, counts.size)
    )
    return (1 + extreme) / (1 + replicates)


def _batches(replicates: int, size: int) -> Iterator[int]:
    """Yield numbers of tables of ``size`` counts that fit into memory together."""
    most = max(1, _MOST_CELLS // max(size, 1))
    for start in range(0, replicates, most):
        yield min(most, replicates - start)
