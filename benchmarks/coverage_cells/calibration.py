"""Coverage of calibration over the range of scores: slope, squared error, cumulative error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from coverage_cells.cell import Cell, Draw, Floats
from coverage_cells.means import latent
from coverage_cells.simulated import by_bucket, held, on_grid
from numpy.typing import NDArray
from scipy import special

from evenhand.measures.scores.calibration import (
    CalibrationSlope,
    CumulativeCalibrationError,
    SquaredCalibrationError,
)

LOGS = 25
UNIT_LOGS = 10
POINTS = 240
GRID = (np.arange(POINTS) + 0.5) / POINTS
TEN = (np.arange(10) + 0.5) / 10

Chance = Callable[[Floats], Floats]
Measure = CalibrationSlope | SquaredCalibrationError | CumulativeCalibrationError


def line(slope: float, intercept: float = 0.0) -> Chance:
    """Return the chance of label 1 at a score, a logistic regression on its logit."""
    return lambda scores: special.expit(intercept + slope * special.logit(scores))


def squared_error(grid: Floats, chance: Chance, bins: int) -> float:
    """Return the squared error of scores spread evenly over a grid, in bins of equal mass."""
    gaps = (chance(grid) - grid).reshape(bins, -1).mean(axis=1)
    return float(np.square(gaps).mean())


def cumulative_error(grid: Floats, chance: Chance) -> float:
    """Return the range of the cumulative error of scores spread evenly over a grid."""
    path = np.concatenate(([0.0], np.cumsum(chance(grid) - grid) / len(grid)))
    return float(np.ptp(path))


def _of_rows(measure: Measure, grid: Floats, chance: Chance, n: int, truth: float) -> Draw:
    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        cell = rng.integers(0, len(grid), (LOGS, n))
        labels = (rng.random(cell.shape) < chance(grid)[cell]).astype(float)
        return held(measure.finalise(on_grid(grid, cell, labels)), truth)

    return covers


def _of_units(
    measure: Measure, chance: Chance, truth: float, *, count: int, repeat: int, rho: float
) -> Draw:
    unit = np.repeat(np.arange(count), repeat)

    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        cell = rng.integers(0, POINTS, (UNIT_LOGS, len(unit)))
        uniform = special.ndtr(latent(rng, unit, UNIT_LOGS, rho))
        labels = (uniform < chance(GRID)[cell]).astype(float)
        histogram = by_bucket(on_grid(GRID, cell, labels), cell, labels, unit, POINTS // 2)
        return held(measure.finalise(histogram), truth, dependent="buckets")

    return covers


def cells() -> list[Cell]:
    """Return calibration in every situation, those beyond the stated range too."""
    return [*_rows(), *_units()]


def _rows() -> list[Cell]:
    found = [
        Cell(
            "calibration_slope, t",
            f"{n:,} rows, slope {slope:g}, intercept {intercept:g}",
            _of_rows(CalibrationSlope(), GRID, line(slope, intercept), n, slope),
            logs=LOGS,
        )
        for n, slope, intercept in [
            (50, 1, 0),
            (200, 0.5, 0),
            (200, 2, 0),
            (200, 1, -2),
            (1_000, 1, 0),
        ]
    ]
    curves = {"calibrated": line(1), "slope 0.5": line(0.5), "intercept 1": line(1, 1)}
    for points, (grid, bins) in {"10 scores": (TEN, 10), "240 scores": (GRID, 15)}.items():
        for about, chance in curves.items():
            for n in (100, 200, 1_000):
                truth = squared_error(grid, chance, bins)
                covers = _of_rows(SquaredCalibrationError(), grid, chance, n, truth)
                situation = f"{n:,} rows, {points}, {about}"
                name = "squared_calibration_error, t"
                found.append(Cell(name, situation, covers, conservative=True, logs=LOGS))
    for about, chance in curves.items():
        for n in (20, 200, 1_000):
            truth = cumulative_error(GRID, chance)
            covers = _of_rows(CumulativeCalibrationError(), GRID, chance, n, truth)
            name = "ecce, range of Brownian motion"
            found.append(Cell(name, f"{n:,} rows, {about}", covers, conservative=True, logs=LOGS))
    return found


def _units() -> list[Cell]:
    found = []
    for slope in (1, 0.5):
        chance = line(slope)
        for measure, name, truth in [
            (CalibrationSlope(), "calibration_slope, t, units", slope),
            (
                SquaredCalibrationError(),
                "squared_calibration_error, t, units",
                squared_error(GRID, chance, 15),
            ),
            (
                CumulativeCalibrationError(),
                "ecce, range of Brownian motion, units",
                cumulative_error(GRID, chance),
            ),
        ]:
            for count, repeat in [(30, 10), (300, 5)]:
                covers = _of_units(measure, chance, truth, count=count, repeat=repeat, rho=0.3)
                situation = f"{count} units x {repeat} rows, rho 0.3, slope {slope:g}"
                found.append(Cell(name, situation, covers, conservative=True, logs=UNIT_LOGS))
    return found
