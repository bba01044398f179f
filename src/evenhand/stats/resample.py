"""Bootstrap replicates from sums by bucket of units: buckets are drawn, not rows."""

from __future__ import annotations

import numpy as np

from evenhand.stats.interval import Floats


def bucket_replicates(sums: Floats, replicates: int, rng: np.random.Generator) -> Floats:
    """Return the sums of logs whose buckets are drawn with replacement.

    One matrix product, however many rows the log has: every figure of every group follows from
    the replicates of its sums.

    Args:
        sums: Sums by bucket and group, shape (..., buckets, groups).
        replicates: Number of draws.
        rng: Source of the draws; the same seed gives the same replicates.

    Returns:
        Sums by replicate and group, shape (..., replicates, groups).

    Source: Efron 1979; Davison and Hinkley 1997, section 3.8 (clusters).

    >>> sums = np.array([[1.0, 10.0], [2.0, 20.0]])               # two buckets, two groups
    >>> drawn = bucket_replicates(sums, 3, np.random.default_rng(1))
    >>> drawn.shape, bool((drawn[:, 1] == 10 * drawn[:, 0]).all())
    ((3, 2), True)
    """
    buckets = sums.shape[-2]
    times = rng.multinomial(buckets, np.full(buckets, 1 / buckets), size=replicates)
    drawn: Floats = times.astype(np.float64) @ sums
    return drawn
