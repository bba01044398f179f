"""Nearest neighbours: who is like whom, so that decisions about like people can be compared."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from evenhand.errors import Problem, RoleError, did_you_mean


def neighbour_means(
    rows: pl.DataFrame, prediction: str, features: Iterable[str], *, k: int = 5
) -> pl.Series:
    """Return the mean decision of the k nearest neighbours of each row, itself not among them.

    Args:
        rows: A table that fits into memory.
        prediction: The column of decisions, 0 or 1.
        features: Columns of numbers, each scaled to unit variance; Euclidean distance.
        k: Number of neighbours.

    Raises:
        RoleError: A column is missing, no number or has missing values, or there are fewer than
            k other rows.

    Source: Zemel et al. 2013, equation 15, without the row itself.

    """
    from scipy.spatial import KDTree

    names, where = list(features), "neighbour_means"
    problems = []
    for name in [prediction, *names]:
        if name not in rows.columns:
            hint = did_you_mean(name, rows.columns)
            problems.append(Problem(where, f"there is no column '{name}'.", hint))
            continue
        number = rows.schema[name].is_numeric() or rows.schema[name] == pl.Boolean
        if not number or rows[name].null_count():
            hint = "Encode text as numbers, and fill or leave out missing values."
            what = f"'{name}' is no column of numbers without gaps."
            problems.append(Problem(where, what, hint))
    if not names or not 1 <= k < len(rows):
        what = f"k = {k} neighbours of {len(rows)} rows by {len(names)} features cannot be found."
        problems.append(Problem(where, what, "Give features, and k below the rows."))
    if problems:
        raise RoleError(problems)
    points = rows.select(names).cast(pl.Float64).to_numpy()
    scale = points.std(axis=0)
    scaled = points / np.where(scale > 0, scale, 1.0)
    decided = rows[prediction].cast(pl.Float64).to_numpy()
    # Rows that are equal may come before the row itself, so it is looked for among k + 1.
    _, nearest = KDTree(scaled).query(scaled, k=k + 1)
    itself = nearest == np.arange(len(rows))[:, None]
    last = ~itself.any(axis=1)
    itself[last, k] = True
    means = decided[nearest[~itself].reshape(-1, k)].mean(axis=1)
    return pl.Series("neighbours", means)
