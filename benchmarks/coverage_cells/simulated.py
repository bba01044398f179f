"""Sums and histograms of simulated logs, built from arrays as a scan would build them.

Many logs are drawn at once: each stands where a group stands in a real log, so one call gives the
intervals of all of them. Arrays of rows have shape (logs, rows).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from coverage_cells.cell import LEVEL, Floats
from numpy.typing import NDArray

from evenhand.engine.score import SCORE_BUCKETS
from evenhand.logs.unit import BUCKETS, integer_hash
from evenhand.measures.figure import Figure
from evenhand.measures.histogram import Histogram
from evenhand.measures.measure import TermSums
from evenhand.stats import contrast
from evenhand.stats.bucket import Dependence
from evenhand.stats.figure import Combined, Figures, Linearised

LOGS = 50
"""Logs that are drawn at once: more would waste work on the correlations between them."""

PAIRS = 20
"""Logs of several groups that are drawn at once."""

Rows = Mapping[str, Floats]


def held(
    figure: Figure, truth: Floats | float, *, dependent: Dependence | None = None
) -> NDArray[np.bool_]:
    """Return whether the interval of each log that has a figure covers the truth."""
    defined = np.array([reason is None for reason in figure.undefined()])
    low, high = figure.figures(np.eye(len(defined))[:, defined], dependent=dependent).limits(LEVEL)
    truths = np.broadcast_to(truth, defined.shape)[defined]
    return (low <= truths) & (truths <= high)


def pairs_held(
    figure: Figure, truths: Floats, rng: np.random.Generator, *, dependent: Dependence | None = None
) -> NDArray[np.bool_]:
    """Return whether the simultaneous intervals of all pairs of groups of each log hold.

    The groups of one log stand next to each other.
    """
    undefined = np.array([reason is not None for reason in figure.undefined()])
    every = figure.figures(np.eye(len(undefined)), dependent=dependent)
    found = []
    for place in range(0, len(undefined), len(truths)):
        index = np.arange(place, place + len(truths))
        if undefined[index].any():
            continue
        pairs = contrast.pair_differences(_chosen(every, index), LEVEL, rng)
        gaps = truths[pairs.first] - truths[pairs.second]
        found.append(np.all((pairs.limits.low <= gaps) & (gaps <= pairs.limits.high)))
    return np.array(found, dtype=bool)


def _chosen(figures: Figures, index: NDArray[np.intp]) -> Figures:
    """Return some of the figures."""
    if len(index) == len(figures.value):
        return figures
    if isinstance(figures, Combined):
        return replace(figures, weights=figures.weights[index])
    fields = ("estimate", "variance") if isinstance(figures, Linearised) else ("proportion", "n")
    parts = {name: getattr(figures, name)[index] for name in (*fields, "df")}
    return replace(figures, correlation=figures.correlation[np.ix_(index, index)], **parts)


def term_sums(
    terms: Rows,
    amounts: Rows,
    *,
    unit: NDArray[np.intp] | None = None,
    weight: Floats | None = None,
) -> TermSums:
    """Return the sums of terms and amounts of shape (logs, rows), by bucket where units are given.

    Args:
        terms: 1 where a condition holds, else 0.
        amounts: Numbers.
        unit: The unit of each row, shape (rows,); None where every row is its own.
        weight: The weight of each row, shape (logs, rows).

    """
    columns = {**terms, **amounts}
    first = next(iter(columns.values()))
    rows = first.shape[1]
    weights = np.ones(first.shape) if weight is None else weight
    of_bucket = np.ones((1, rows))
    if unit is not None:
        of_bucket = np.zeros((BUCKETS, rows))
        of_bucket[integer_hash(unit) % BUCKETS, np.arange(rows)] = 1.0

    def summed(values: Floats) -> Floats:
        total: Floats = of_bucket @ values.T
        return total

    # Products are not kept by bucket.
    products = {
        (one, other): (np.square(weights) * a * b).sum(axis=1)[None]
        for one, a in columns.items()
        for other, b in columns.items()
    }
    return TermSums(
        rows={name: summed(column) for name, column in terms.items()},
        weights={name: summed(weights * column) for name, column in terms.items()},
        square_weights={name: summed(np.square(weights) * c) for name, c in terms.items()},
        weighted=weight is not None,
        amounts={name: summed(weights * column) for name, column in amounts.items()},
        products=products,
    )


def cell_sums(counts: Floats, terms: Mapping[str, Sequence[float]]) -> TermSums:
    """Return the sums of terms from the numbers of rows in the cells of a table.

    Args:
        counts: Number of rows, shape (logs, cells).
        terms: 1 for the cells of which a condition is true, else 0.

    """
    cells = {name: np.asarray(chosen, float) for name, chosen in terms.items()}
    sums = {name: (counts @ chosen)[None] for name, chosen in cells.items()}
    products = {(a, b): (counts @ (cells[a] * cells[b]))[None] for a in cells for b in cells}
    return TermSums(sums, sums, sums, products=products)


def beside(parts: Sequence[TermSums]) -> TermSums:
    """Return the sums of logs with several groups, one from each part; they stand side by side."""

    def woven(name: str) -> dict[Any, Floats]:
        return {
            key: np.stack([getattr(part, name)[key] for part in parts], axis=-1).reshape(
                len(sums), -1
            )
            for key, sums in getattr(parts[0], name).items()
        }

    return TermSums(
        woven("rows"),
        woven("weights"),
        woven("square_weights"),
        parts[0].weighted,
        woven("amounts"),
        woven("products"),
    )


def ranked(scores: Floats, labels: Floats) -> Histogram:
    """Return the counts by rank of the score, for figures that read its order alone.

    Scores are of shape (logs, rows) and not tied; a rank stands for another score in each log.
    """
    order = np.argsort(scores, axis=1)
    positives = np.take_along_axis(labels, order, axis=1)
    return _histogram(np.arange(scores.shape[1], dtype=float), positives, 1 - positives)


def grouped(scores: Floats, labels: Floats, group: NDArray[np.intp]) -> Histogram:
    """Return the counts by rank of the score of one log with groups; rows of shape (rows,)."""
    order = np.argsort(scores)
    member = (group[order] == np.arange(group.max() + 1)[:, None]).astype(float)
    positives = member * labels[order]
    return _histogram(np.arange(len(scores), dtype=float), positives, member - positives)


def on_grid(grid: Floats, cell: NDArray[np.intp], labels: Floats) -> Histogram:
    """Return the counts of scores that are points of a grid; ``cell`` of shape (logs, rows)."""
    logs = len(cell)
    at = cell + len(grid) * np.arange(logs)[:, None]
    shape = (logs, len(grid))
    size = np.bincount(at.ravel(), minlength=logs * len(grid)).reshape(shape).astype(float)
    positives = np.bincount(at.ravel(), labels.ravel(), logs * len(grid)).reshape(shape)
    return _histogram(grid, positives, size - positives)


def by_bucket(
    histogram: Histogram, cell: NDArray[np.intp], labels: Floats, unit: NDArray[np.intp], bins: int
) -> Histogram:
    """Return the histogram with counts by bucket of units and coarse bin.

    Args:
        histogram: What `on_grid` returned.
        cell: The grid point of each row, shape (logs, rows).
        labels: The labels, shape (logs, rows).
        unit: The unit of each row, shape (rows,).
        bins: Number of coarse bins, of equally many grid points.

    """
    points = len(histogram.scores)
    bin_of = np.arange(points) * bins // points
    logs = len(cell)
    bucket = np.broadcast_to(integer_hash(unit) % SCORE_BUCKETS, cell.shape)
    at = (bucket * logs + np.arange(logs)[:, None]) * bins + bin_of[cell]
    shape = (SCORE_BUCKETS, logs, bins)
    buckets = {
        name: np.bincount(at.ravel(), weight.ravel(), int(np.prod(shape))).reshape(shape)
        for name, weight in {
            "rows": np.ones_like(labels),
            "positives": labels,
            "negatives": 1 - labels,
        }.items()
    }
    rows = histogram.rows
    return Histogram(histogram.scores, 0.0, rows, rows, rows, bin_of, buckets)


def _histogram(scores: Floats, positives: Floats, negatives: Floats) -> Histogram:
    rows = {"rows": positives + negatives, "positives": positives, "negatives": negatives}
    return Histogram(scores, 0.0, rows, rows, rows, np.arange(len(scores)))
