"""Coverage of means: errors, scores, losses; skewed, heavy-tailed, weighted, in units, compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from coverage_cells.cell import Cell, Draw, Floats
from coverage_cells.simulated import LOGS, PAIRS, beside, held, pairs_held, term_sums
from numpy.typing import NDArray
from scipy import special

from evenhand.measures.measure import Sums, TermSums
from evenhand.measures.regression.error import (
    MeanAbsoluteError,
    MeanError,
    MeanSquaredError,
    RootMeanSquaredError,
)
from evenhand.measures.scores.mean_score import GeneralizedFalsePositiveRate, MeanScore
from evenhand.measures.scores.probability_error import BrierScore, CalibrationInTheLarge, LogLoss

SIZES = (20, 50, 200, 1_000)
NORMAL = "normal"


@dataclass(frozen=True)
class Errors:
    """A distribution of errors of predicted numbers.

    Attributes:
        draw: Draws errors of a shape.
        mean: Their mean.
        absolute: Their mean absolute value.
        square: Their mean square.

    """

    draw: Callable[[np.random.Generator, tuple[int, ...]], Floats]
    mean: float
    absolute: float
    square: float


ERRORS = {
    "normal": Errors(lambda rng, shape: rng.standard_normal(shape), 0, (2 / np.pi) ** 0.5, 1),
    "t with 5 df": Errors(
        lambda rng, shape: rng.standard_t(5, shape), 0, 8 * 5**0.5 / (3 * np.pi * 2), 5 / 3
    ),
    "exponential": Errors(lambda rng, shape: rng.standard_exponential(shape), 1, 1, 2),
    "lognormal": Errors(
        lambda rng, shape: rng.lognormal(size=shape), np.exp(0.5), np.exp(0.5), np.exp(2)
    ),
}


def errors(measure: Sums, values: Floats, **how: Floats | NDArray[np.intp] | None) -> TermSums:
    """Return what a measure of errors sums, for errors of shape (logs, rows)."""
    match measure:
        case MeanError():
            amounts = {"error": values}
        case MeanAbsoluteError():
            amounts = {"absolute error": np.abs(values)}
        case _:
            amounts = {"squared error": values**2}
    return term_sums({"rows": np.ones_like(values)}, amounts, **how)  # type: ignore[arg-type]


def probabilities(
    measure: Sums, scores: Floats, labels: Floats, **how: NDArray[np.intp] | None
) -> TermSums:
    """Return what a measure of scores sums, for rows of shape (logs, rows)."""
    terms = {"rows": np.ones_like(scores)}
    match measure:
        case MeanScore():
            amounts = {"score": scores}
        case BrierScore():
            amounts = {"squared error": (scores - labels) ** 2}
        case LogLoss():
            given = np.where(labels == 1, scores, 1 - scores)
            amounts = {"surprise": -np.log(given), "impossible": np.zeros_like(scores)}
        case CalibrationInTheLarge():
            amounts = {"label minus score": labels - scores}
        case _:
            terms = {"negatives": 1 - labels}
            amounts = {"score of negatives": scores * (1 - labels)}
    return term_sums(terms, amounts, **how)  # type: ignore[arg-type]


def truth_of_scores(measure: Sums, a: float, b: float) -> float:
    """Return a figure of scores from Beta(a, b) that are calibrated."""
    mean, size = a / (a + b), a + b
    match measure:
        case MeanScore():
            return mean
        case BrierScore():
            return mean * (1 - mean) * size / (size + 1)
        case LogLoss():
            at = special.digamma(size + 1)
            parts = (
                mean * (special.digamma(a + 1) - at),
                (1 - mean) * (special.digamma(b + 1) - at),
            )
            return float(-sum(parts))
        case GeneralizedFalsePositiveRate():
            return mean * b / (size + 1) / (1 - mean)
    return 0.0


def latent(rng: np.random.Generator, unit: NDArray[np.intp], logs: int, rho: float) -> Floats:
    """Return standard normals of shape (logs, rows), correlated ``rho`` within a unit."""
    of_unit = rng.standard_normal((logs, unit.max() + 1))[:, unit]
    own = rng.standard_normal((logs, len(unit)))
    values: Floats = np.sqrt(rho) * of_unit + np.sqrt(1 - rho) * own
    return values


def truth_of_errors(measure: Sums, kind: str) -> float:
    """Return a figure of errors of a distribution."""
    match measure:
        case MeanError():
            return ERRORS[kind].mean
        case MeanAbsoluteError():
            return ERRORS[kind].absolute
        case RootMeanSquaredError():
            return ERRORS[kind].square ** 0.5
    return ERRORS[kind].square


def _of_errors(measure: Sums, kind: str, n: int) -> Draw:
    truth = truth_of_errors(measure, kind)

    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        return held(measure.finalise(errors(measure, ERRORS[kind].draw(rng, (LOGS, n)))), truth)

    return covers


def _of_scores(measure: Sums, a: float, b: float, n: int) -> Draw:
    truth = truth_of_scores(measure, a, b)

    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        scores = rng.beta(a, b, (LOGS, n))
        labels = (rng.random((LOGS, n)) < scores).astype(float)
        return held(measure.finalise(probabilities(measure, scores, labels)), truth)

    return covers


def _of_units(measure: Sums, count: int, repeat: int, rho: float, *, uneven: bool = False) -> Draw:
    beta = (2.0, 3.0)

    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        number = np.full(count, repeat)
        if uneven:
            number = np.clip(np.round(repeat * rng.lognormal(-0.5, 1.0, count)), 1, None).astype(
                int
            )
        unit = np.repeat(np.arange(count), number)
        shared = latent(rng, unit, LOGS, rho)
        if isinstance(measure, MeanAbsoluteError):
            return held(
                measure.finalise(errors(measure, shared, unit=unit)),
                truth_of_errors(measure, NORMAL),
                dependent="buckets",
            )
        scores = rng.beta(*beta, shared.shape)
        labels = (special.ndtr(shared) < scores).astype(float)
        figure = measure.finalise(probabilities(measure, scores, labels, unit=unit))
        return held(figure, truth_of_scores(measure, *beta), dependent="buckets")

    return covers


def _weighted(measure: Sums, kind: str, n: int, sigma: float) -> Draw:
    truth = truth_of_errors(measure, kind)

    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        weight = rng.lognormal(0, sigma, (LOGS, n))
        values = ERRORS[kind].draw(rng, (LOGS, n))
        return held(measure.finalise(errors(measure, values, weight=weight)), truth)

    return covers


def _pairs_of_errors(
    measure: Sums, kind: str, sizes: Sequence[int], scales: Sequence[float]
) -> Draw:
    power = 2 if isinstance(measure, MeanSquaredError) else 1
    truths = np.array(scales) ** power * truth_of_errors(measure, kind)

    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        groups = [
            errors(measure, scale * ERRORS[kind].draw(rng, (PAIRS, n)))
            for n, scale in zip(sizes, scales, strict=True)
        ]
        return pairs_held(measure.finalise(beside(groups)), truths, rng)

    return covers


def _pairs_of_scores(
    measure: Sums, shapes: Sequence[tuple[float, float]], sizes: Sequence[int]
) -> Draw:
    truths = np.array([truth_of_scores(measure, *shape) for shape in shapes])

    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        groups = []
        for (a, b), n in zip(shapes, sizes, strict=True):
            scores = rng.beta(a, b, (PAIRS, n))
            groups.append(
                probabilities(measure, scores, (rng.random((PAIRS, n)) < scores).astype(float))
            )
        return pairs_held(measure.finalise(beside(groups)), truths, rng)

    return covers


def cells() -> list[Cell]:
    """Return means in every situation, those beyond the stated range too."""
    return [*_errors(), *_scores(), *_units(), *_pairs()]


def _errors() -> list[Cell]:
    # The fewest rows from which each mean is in the stated range; none up to 1,000 where absent.
    least = {
        MeanError(): {NORMAL: 20, "t with 5 df": 20, "exponential": 200},
        MeanAbsoluteError(): {NORMAL: 20, "t with 5 df": 20, "exponential": 20, "lognormal": 1_000},
        MeanSquaredError(): {NORMAL: 20, "exponential": 1_000},
        RootMeanSquaredError(): {NORMAL: 50, "exponential": 1_000},
    }
    scale = {MeanError(): "t"}
    found = [
        Cell(
            f"{measure.name}, {scale.get(measure, 't on the log scale')}",
            f"{n:,} rows, {kind} errors",
            _of_errors(measure, kind, n),
            logs=LOGS,
            outside=n < least[measure].get(kind, np.inf),
        )
        for measure in least
        for kind in ERRORS
        for n in SIZES
    ]
    found += [
        Cell(
            "mae, t on the log scale",
            f"{n:,} rows, normal errors, lognormal weights, sigma {sigma:g}",
            _weighted(MeanAbsoluteError(), NORMAL, n, sigma),
            logs=LOGS,
        )
        for n, sigma in [(50, 0.5), (200, 1.0), (1_000, 1.5)]
    ]
    return found


def _scores() -> list[Cell]:
    least = {
        MeanScore(): ("t", 20, 200),
        BrierScore(): ("Wilson", 20, 200),
        LogLoss(): ("t on the log scale", 20, 200),
        CalibrationInTheLarge(): ("Wilson", 20, 200),
        GeneralizedFalsePositiveRate(): ("Wilson", 20, 50),
    }
    return [
        Cell(
            f"{measure.name}, {scale}",
            f"{n:,} rows, calibrated scores Beta({a:g}, {b:g})",
            _of_scores(measure, a, b, n),
            logs=LOGS,
            outside=n < fewest,
        )
        for measure, (scale, *fewest_of_shape) in least.items()
        for (a, b), fewest in zip([(2.0, 3.0), (0.5, 5.0)], fewest_of_shape, strict=True)
        for n in (20, 50, 200)
    ]


def _units() -> list[Cell]:
    names = {
        MeanAbsoluteError(): "mae, t on the log scale",
        BrierScore(): "brier_score, Wilson",
        CalibrationInTheLarge(): "calibration_in_the_large, Wilson",
    }
    return [
        Cell(
            f"{name}, units",
            f"{count} units{f', 1 to {10 * repeat} rows each' if uneven else f' x {repeat} rows'}, "
            f"rho {rho:g}",
            _of_units(measure, count, repeat, rho, uneven=uneven),
            conservative=True,
            logs=LOGS,
        )
        for measure, name in names.items()
        for count, repeat, rho, uneven in [
            (30, 10, 0.3, False),
            (100, 10, 0.3, False),
            (300, 10, 0.3, False),
            (300, 10, 0.3, True),
        ]
    ]


def _pairs() -> list[Cell]:
    found = [
        Cell(
            f"{measure.name}, difference",
            f"{' and '.join(f'{n:,}' for n in sizes)} rows, {kind} errors of scale "
            f"{' and '.join(f'{scale:g}' for scale in scales)}",
            _pairs_of_errors(measure, kind, sizes, scales),
            logs=PAIRS,
            outside=outside,
        )
        for measure, kind, sizes, scales, outside in [
            (MeanAbsoluteError(), NORMAL, (50, 50), (1, 2), False),
            (MeanAbsoluteError(), "exponential", (50, 200), (1, 1), False),
            (MeanSquaredError(), NORMAL, (50, 50), (1, 2), False),
            (MeanSquaredError(), "exponential", (200, 200), (1, 2), True),
            (MeanSquaredError(), "lognormal", (200, 1_000), (1, 1), True),
        ]
    ]
    even, rare = (2.0, 3.0), (0.5, 5.0)
    found += [
        Cell(
            f"{measure.name}, difference",
            "50 rows, scores Beta(2, 3), and 200 rows, Beta(0.5, 5)",
            _pairs_of_scores(measure, [even, rare], [50, 200]),
            logs=PAIRS,
        )
        for measure in (MeanScore(), BrierScore(), LogLoss())
    ]
    found += [
        Cell(
            f"{measure.name}, 4 groups, max-T",
            "200 rows each, scores Beta(2, 3)",
            _pairs_of_scores(measure, [even] * 4, [200] * 4),
            logs=PAIRS,
            most=1_000,
        )
        for measure in (MeanScore(), BrierScore())
    ]
    return found
