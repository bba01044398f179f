"""Coverage of areas under curves: inside a group, across groups, compared, and of units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from coverage_cells.cell import Cell, Draw
from coverage_cells.means import latent
from coverage_cells.simulated import LOGS, by_bucket, grouped, held, on_grid, pairs_held, ranked
from numpy.typing import NDArray
from scipy import special

from evenhand.measures.scores.area import (
    Auc,
    BackgroundNegativeSubgroupPositive,
    BackgroundPositiveSubgroupNegative,
)

POINTS = 512
BINS = 256
UNIT_LOGS = 10
GRID = (np.arange(POINTS) + 0.5) / POINTS


def apart(area: float) -> float:
    """Return how far two unit normals must be apart for this area."""
    return float(2**0.5 * special.ndtri(area))


def _alone(area: float, positives: int, negatives: int) -> Draw:
    labels = np.repeat([1.0, 0.0], [positives, negatives])

    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        scores = rng.standard_normal((LOGS, positives + negatives)) + apart(area) * labels
        return held(Auc().finalise(ranked(scores, np.tile(labels, (LOGS, 1)))), area)

    return covers


def _rounded(area: float, positives: int, negatives: int, values: int) -> Draw:
    """Scores of few distinct values: quantiles of the negatives' distribution."""
    edges = special.ndtri(np.arange(1, values) / values)
    gap = apart(area)
    chances = [
        np.diff(special.ndtr(np.concatenate(([-np.inf], edges - d, [np.inf])))) for d in (0.0, gap)
    ]
    truth = float(chances[1] @ (np.cumsum(chances[0]) - chances[0] / 2))
    labels = np.tile(np.repeat([1.0, 0.0], [positives, negatives]), (LOGS, 1))

    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        scores = rng.standard_normal(labels.shape) + gap * labels
        histogram = on_grid(np.arange(values, dtype=float), np.searchsorted(edges, scores), labels)
        return held(Auc().finalise(histogram), truth)

    return covers


def _across(
    measure: BackgroundPositiveSubgroupNegative | BackgroundNegativeSubgroupPositive | Auc,
    sizes: Sequence[tuple[int, int]],
    areas: Sequence[float],
) -> Draw:
    """Groups whose positives (or, for BNSP, negatives) score alike, the other ones apart."""
    fixed = float(isinstance(measure, BackgroundNegativeSubgroupPositive))
    group = np.repeat(np.arange(len(sizes)), [sum(size) for size in sizes])
    labels = np.concatenate([np.repeat([1.0, 0.0], size) for size in sizes])
    shift = np.array([apart(area) for area in areas])[group] * np.where(labels == fixed, 1, 0)
    sign = 1.0 if fixed else -1.0

    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        scores = rng.standard_normal(len(labels)) + sign * shift
        figure = measure.finalise(grouped(scores, labels, group))
        return pairs_held(figure, np.array(areas), rng)

    return covers


def _across_one(
    measure: BackgroundPositiveSubgroupNegative, sizes: Sequence[tuple[int, int]], area: float
) -> Draw:
    group = np.repeat(np.arange(len(sizes)), [sum(size) for size in sizes])
    labels = np.concatenate([np.repeat([1.0, 0.0], size) for size in sizes])
    shift = apart(area) * labels

    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        scores = rng.standard_normal(len(labels)) + shift
        return held(measure.finalise(grouped(scores, labels, group)), area)[:1]

    return covers


def _of_units(area: float, count: int, repeat: int, rho: float) -> Draw:
    gap = apart(area)
    unit = np.repeat(np.arange(count), repeat)

    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        chance = rng.beta(2, 2, (UNIT_LOGS, count))[:, unit]
        labels = (rng.random(chance.shape) < chance).astype(float)
        scores = latent(rng, unit, UNIT_LOGS, rho) + gap * labels
        cell = np.minimum((special.ndtr(scores / 2) * POINTS).astype(int), POINTS - 1)
        histogram = by_bucket(on_grid(GRID, cell, labels), cell, labels, unit, BINS)
        figure = Auc().finalise(histogram)
        return held(figure, area, dependent="buckets")

    return covers


def cells() -> list[Cell]:
    """Return areas in every situation, those beyond the stated range too."""
    return [*_inside(), *_units(), *_outside_and_pairs()]


def _inside() -> list[Cell]:
    highest = {(10, 20): 0.9, (20, 200): 0.7, (100, 1_000): 0.9}
    found = [
        Cell(
            "auc, Wilson",
            f"{positives:,} positives, {negatives:,} negatives, area {area:g}",
            _alone(area, positives, negatives),
            conservative=True,
            logs=LOGS if positives < 100 else 10,  # noqa: PLR2004 - memory
            outside=area > most,
        )
        for (positives, negatives), most in highest.items()
        for area in (0.5, 0.7, 0.9, 0.97)
    ]
    situation = "100 positives, 200 negatives, area near 0.8, 5 scores"
    covers = _rounded(0.8, 100, 200, 5)
    return [*found, Cell("auc, Wilson", situation, covers, conservative=True, logs=LOGS)]


def _units() -> list[Cell]:
    return [
        Cell(
            "auc, Wilson, units",
            f"{count} units x {repeat} rows, rho {rho:g}, area {area:g}",
            _of_units(area, count, repeat, rho),
            conservative=True,
            logs=UNIT_LOGS,
        )
        for area in (0.7, 0.9, 0.97)
        for count, repeat, rho in [(30, 10, 0.3), (100, 10, 0.6), (300, 5, 0.3)]
    ]


def _outside_and_pairs() -> list[Cell]:
    small, large = (10, 20), (100, 200)
    found = [
        Cell(
            "bpsn_auc, Wilson",
            f"{first[0]} and {first[1]} of each label, beside {' and '.join(map(str, rest[0]))}, "
            f"{len(rest) + 1} groups, area {area:g}",
            _across_one(BackgroundPositiveSubgroupNegative(), [first, *rest], area),
            conservative=True,
            most=2_000,
            outside=outside,
        )
        for first, rest, area, outside in [
            (small, [large], 0.7, False),
            (small, [large], 0.97, True),
            ((50, 100), [(50, 100)] * 3, 0.7, False),
            ((50, 100), [(50, 100)] * 3, 0.97, False),
        ]
    ]
    for measure in (BackgroundPositiveSubgroupNegative(), Auc()):
        for sizes, areas, outside in [
            ([(20, 50), (50, 200)], [0.7, 0.9], False),
            ([(50, 50), (50, 50)], [0.8, 0.8], False),
            ([small, (100, 500)], [0.9, 0.9], True),
            ([(50, 50), (50, 50)], [0.97, 0.97], True),
        ]:
            situation = " beside ".join(
                f"{p} and {n} of each label, area {area:g}"
                for (p, n), area in zip(sizes, areas, strict=True)
            )
            covers = _across(measure, sizes, areas)
            found.append(
                Cell(f"{measure.name}, difference", situation, covers, most=2_000, outside=outside)
            )
        situation = "50 and 100 of each label, area 0.8"
        covers = _across(measure, [(50, 100)] * 4, [0.8] * 4)
        name = f"{measure.name}, 4 groups, max-T"
        found.append(Cell(name, situation, covers, conservative=True, most=1_000))
    return found
