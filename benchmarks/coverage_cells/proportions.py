"""Coverage of rates and their contrasts: Wilson, Newcombe, MOVER, design effects, max-T.

Rates are drawn within a tenth of the nominal one in each replicate: the coverage of any interval
of a proportion jumps with the exact rate, and a single rate would show the jump, not the method.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from coverage_cells.cell import LEVEL, Cell, Floats

from evenhand.logs.unit import BUCKETS, integer_hash
from evenhand.measures.decisions.f1 import FROM_JACCARD as CURVE
from evenhand.stats import contrast
from evenhand.stats.contrast import pair_differences
from evenhand.stats.estimate import Undefined
from evenhand.stats.proportion import (
    Proportion,
    Proportions,
    clustered,
    independent,
)


def near(rates: Sequence[float], rng: np.random.Generator) -> Floats:
    """Return rates within a tenth of the nominal ones, moved together so that ties stay ties."""
    return np.array(rates) * rng.uniform(0.9, 1.1)


def rows(rates: Floats, sizes: Sequence[int], rng: np.random.Generator) -> Proportions:
    """Return proportions of independent rows."""
    n = np.array(sizes, float)
    successes = rng.binomial(np.array(sizes), rates).astype(float)
    return independent(Proportion(successes, n, n, successes, n))


def units(
    rates: Floats,
    sizes: Sequence[int],
    rng: np.random.Generator,
    *,
    repeat: int,
    rho: float,
    shared: bool = False,
    uneven: bool = False,
) -> Proportions:
    """Return proportions of units with several rows each and intra-unit correlation ``rho``.

    Each unit belongs to one group, or with ``shared`` has rows in every group and one propensity;
    the first group's rate must then be the largest. With ``uneven`` the rows per unit are
    lognormal, so that a few units have many.
    """
    size = 1 / rho - 1
    successes, trials = np.zeros((2, BUCKETS, len(rates)))
    start = 0
    for group, (rate, count) in enumerate(zip(rates, sizes, strict=True)):
        ids = np.arange(start, start + count)
        bucket = integer_hash(ids) % BUCKETS
        if shared:
            if group == 0:
                propensity = rng.beta(size * rate, size * (1 - rate), count)
            own = propensity * rate / rates[0]
        else:
            own = rng.beta(size * rate, size * (1 - rate), count)
            start += count
        many = repeat * rng.lognormal(-0.5, 1.0, count) if uneven else np.full(count, repeat)
        number = np.clip(np.round(many), 1, None).astype(int)
        successes[:, group] += np.bincount(bucket, rng.binomial(number, own), BUCKETS)
        trials[:, group] += np.bincount(bucket, number, BUCKETS)
    return clustered(Proportion(successes, trials, trials, successes, trials))


def mixed(
    rates: Floats, rng: np.random.Generator, *, shapes: Sequence[tuple[int, int, float]]
) -> Proportions:
    """Return proportions of groups whose units, rows per unit and correlations differ."""
    sums = [np.zeros((BUCKETS, len(rates))) for _ in range(2)]
    start = 0
    for group, (count, repeat, rho) in enumerate(shapes):
        bucket = integer_hash(np.arange(start, start + count)) % BUCKETS
        start += count
        size = 1 / rho - 1 if rho else 1e9
        own = rng.beta(size * rates[group], size * (1 - rates[group]), count)
        for total, part in zip(
            sums, (rng.binomial(repeat, own), np.full(count, repeat)), strict=True
        ):
            total[:, group] = np.bincount(bucket, part, BUCKETS)
    successes, trials = sums
    return clustered(Proportion(successes, trials, trials, successes, trials))


def weighted(
    rates: Floats, rng: np.random.Generator, *, sizes: Sequence[int], sigma: float
) -> Proportions:
    """Return proportions of independent rows with lognormal weights."""
    parts = []
    for rate, count in zip(rates, sizes, strict=True):
        weight, outcome = rng.lognormal(0, sigma, count), rng.random(count) < rate
        square = weight * weight
        parts.append([weight @ outcome, weight.sum(), count, square @ outcome, square.sum()])
    return independent(Proportion(*np.array(parts, float).T, weighted=True))


def weighted_units(
    rates: Floats, rng: np.random.Generator, *, sizes: Sequence[int], repeat: int, sigma: float
) -> Proportions:
    """Return proportions of units with several rows and lognormal weights, correlation .1."""
    sums = np.zeros((5, BUCKETS, len(rates)))
    for group, (rate, count) in enumerate(zip(rates, sizes, strict=True)):
        unit = np.repeat(np.arange(count), repeat)
        bucket = integer_hash(unit) % BUCKETS
        outcome = rng.random(len(unit)) < rng.beta(9 * rate, 9 * (1 - rate), count)[unit]
        weight = rng.lognormal(0, sigma, len(unit))
        parts = (weight * outcome, weight, np.ones(len(unit)), weight**2 * outcome, weight**2)
        for total, part in zip(sums, parts, strict=True):
            total[:, group] = np.bincount(bucket, part, BUCKETS)
    return clustered(Proportion(*sums, weighted=True))


def _rate(draw: Callable[..., Proportions], rate: float, **how: object) -> Callable[..., bool]:
    def covers(rng: np.random.Generator) -> bool:
        truth = near([rate], rng)
        low, high = draw(truth, rng=rng, **how).limits(LEVEL)
        return bool(low[0] <= truth[0] <= high[0])

    return covers


def _pairs(
    draw: Callable[..., Proportions], rates: Sequence[float], **how: object
) -> Callable[..., bool]:
    def covers(rng: np.random.Generator) -> bool:
        truth = near(rates, rng)
        found = pair_differences(draw(truth, rng=rng, **how), LEVEL, rng)
        gaps = truth[found.first] - truth[found.second]
        return bool(np.all((found.limits.low <= gaps) & (gaps <= found.limits.high)))

    return covers


def _ratio(
    draw: Callable[..., Proportions], rates: Sequence[float], **how: object
) -> Callable[..., bool]:
    def covers(rng: np.random.Generator) -> bool:
        truth = near(rates, rng)
        found = contrast.ratio(draw(truth, rng=rng, **how), LEVEL, rng)
        if isinstance(found, Undefined):
            return True
        return found.low <= truth.min() / truth.max() <= found.high

    return covers


def _worst(
    draw: Callable[..., Proportions], rates: Sequence[float], **how: object
) -> Callable[..., bool]:
    def covers(rng: np.random.Generator) -> bool:
        truth = near(rates, rng)
        found, _ = contrast.worst(draw(truth, rng=rng, **how), LEVEL, "higher")
        return found.low <= truth.min() <= found.high

    return covers


def cells() -> list[Cell]:
    """Return every method for rates in every situation of its stated range."""
    return [*_of_rates(), *_of_differences(), *_of_many_groups(), *_of_other_contrasts()]


def _of_rates() -> list[Cell]:
    found = [
        Cell("Wilson", f"{n:,} rows, rate {p:.0%}", _rate(rows, p, sizes=[n]))
        for n in (20, 100, 1_000)
        for p in (0.05, 0.2, 0.5)
    ]
    for count in (10, 40, 100, 300):
        for p in (0.02, 0.1, 0.5):
            situation = f"{count} units x 20 rows, rho 0.2, rate {p:.0%}"
            covers = _rate(units, p, sizes=[count], repeat=20, rho=0.2)
            found.append(Cell("Wilson with design effect", situation, covers, conservative=True))
    for count in (100, 300):
        covers = _rate(units, 0.2, sizes=[count], repeat=20, rho=0.2, uneven=True)
        situation = f"{count} units, 1 to 200 rows each, rho 0.2, rate 20%"
        found.append(Cell("Wilson with design effect", situation, covers, conservative=True))
    for count, repeat, p, sigma in [(50, 2, 0.1, 1.5), (100, 2, 0.1, 1.5), (30, 5, 0.1, 1.2)]:
        covers = _rate(weighted_units, p, sizes=[count], repeat=repeat, sigma=sigma)
        situation = (
            f"{count} units x {repeat} rows, rho 0.1, weights of sigma {sigma:g}, rate {p:.0%}"
        )
        found.append(Cell("Wilson with design effect", situation, covers, conservative=True))
    for n, p, sigma in [(100, 0.1, 1.0), (100, 0.3, 1.5), (1_000, 0.1, 1.5)]:
        covers = _rate(weighted, p, sizes=[n], sigma=sigma)
        situation = f"{n:,} rows, lognormal weights, sigma {sigma:g}, rate {p:.0%}"
        found.append(Cell("Wilson, weighted", situation, covers, conservative=True))
    return found


def _of_differences() -> list[Cell]:
    independent_rows = [
        (20, 0.05, 500, 0.10),
        (30, 0.10, 1_000, 0.10),
        (15, 0.90, 200, 0.80),
        (50, 0.50, 50, 0.40),
    ]
    found = [
        Cell(
            "Newcombe",
            f"{n1} rows at {p1:.0%}, {n2} at {p2:.0%}",
            _pairs(rows, [p1, p2], sizes=[n1, n2]),
        )
        for n1, p1, n2, p2 in independent_rows
    ]
    for count, p, q in [(20, 0.3, 0.3), (100, 0.1, 0.2), (300, 0.1, 0.2), (300, 0.3, 0.4)]:
        how = {"sizes": [count // 2, count // 2], "repeat": 20, "rho": 0.2}
        situation = f"{count} units x 20 rows, rho 0.2, {p:.0%} and {q:.0%}"
        method = "MOVER with design effect"
        found.append(Cell(method, situation, _pairs(units, [p, q], **how), conservative=True))
    for shapes in [
        ((5_000, 1, 0.0), (30, 20, 0.3)),
        ((1_000, 2, 0.05), (30, 20, 0.3)),
        ((300, 20, 0.05), (300, 20, 0.4)),
        ((200, 5, 0.1), (10, 20, 0.2)),
    ]:
        situation = " beside ".join(f"{n:,} units x {m} rows, rho {r:g}" for n, m, r in shapes)
        method = "MOVER with design effect"
        covers = _pairs(mixed, [0.3, 0.3], shapes=shapes)
        found.append(Cell(method, f"{situation}, both 30%", covers, conservative=True))
    for shapes, p in [
        (((500, 1, 0.0), (60, 20, 0.2)), 0.05),
        (((500, 1, 0.0), (60, 20, 0.4)), 0.10),
    ]:
        situation = " beside ".join(f"{n:,} units x {m} rows, rho {r:g}" for n, m, r in shapes)
        covers = _pairs(mixed, [p, p], shapes=shapes)
        name = "MOVER with design effect"
        found.append(Cell(name, f"{situation}, both {p:.0%}", covers, conservative=True))
    for count in (5, 40, 300):
        how = {"sizes": [count, count], "repeat": 10, "rho": 0.2, "shared": True}
        situation = f"{count} units in both groups x 10 rows, rho 0.2, 30% and 20%"
        method = "MOVER with design effect"
        found.append(Cell(method, situation, _pairs(units, [0.3, 0.2], **how), conservative=True))
    return found


def _of_many_groups() -> list[Cell]:
    found = [
        Cell(
            "Newcombe, max-T",
            f"{len(rates)} groups of {n} rows, {rates[0]:.0%} to {rates[-1]:.0%}",
            _pairs(rows, rates, sizes=[n] * len(rates)),
            conservative=True,
            most=8_000 // len(rates),
        )
        for rates, n in [([0.3] * 4, 100), ([0.1, 0.2, 0.3, 0.4], 200), ([0.3] * 8, 100)]
    ]
    how = {"sizes": [75] * 4, "repeat": 20, "rho": 0.2}
    covers = _pairs(units, [0.3] * 4, **how)
    situation = "4 groups of 75 units x 20 rows, rho 0.2, all 30%"
    name = "MOVER with design effect, max-T"
    return [*found, Cell(name, situation, covers, conservative=True, most=2_000)]


def _f1(
    rates: Floats, rng: np.random.Generator, *, sizes: Sequence[int], base: float = 0.3
) -> Proportions:
    """Return F1 of groups with these true positive rates, a false positive rate of 10 %."""
    parts = []
    for rate, count in zip(rates, sizes, strict=True):
        cells = [base * rate, base * (1 - rate), (1 - base) * 0.1, (1 - base) * 0.9]
        hits, misses, alarms, _ = rng.multinomial(count, cells)
        parts.append([hits, hits + misses + alarms])
    successes, trials = np.array(parts, float).T
    return replace(
        independent(Proportion(successes, trials, trials, successes, trials)), curve=CURVE
    )


def _f1_difference(rates: Sequence[float], sizes: Sequence[int]) -> Callable[..., bool]:
    def covers(rng: np.random.Generator) -> bool:
        found = pair_differences(_f1(np.array(rates), rng, sizes=sizes), LEVEL, rng)
        share = 0.3 * np.array(rates) / (0.3 + 0.7 * 0.1)
        gap = float(np.subtract(*CURVE.value(share)))
        return bool(found.limits.low[0] <= gap <= found.limits.high[0])

    return covers


def _to_overall(size: int, share: float, first: float, rest: float) -> Callable[..., bool]:
    def covers(rng: np.random.Generator) -> bool:
        count = int(rng.binomial(size, share))
        pair = rows(np.array([first, rest]), [count, size - count], rng)
        own = count / size
        variance = own * (1 - own) / size
        found = contrast.to_overall(pair, own, variance, LEVEL, rng)
        return found.low <= (1 - share) * (first - rest) <= found.high

    return covers


def _of_other_contrasts() -> list[Cell]:
    clusters = {"sizes": [150, 150], "repeat": 20, "rho": 0.2}
    unlike = {"shapes": ((1_000, 2, 0.05), (30, 20, 0.3))}
    found = [
        Cell(
            "ratio, MOVER-R",
            situation,
            _ratio(draw, rates, **how),
            conservative=True,
            most=8_000 // len(rates),
        )
        for situation, draw, rates, how in [
            ("100 rows at 20%, 100 at 40%", rows, [0.2, 0.4], {"sizes": [100, 100]}),
            ("50 rows at 10%, 1,000 at 30%", rows, [0.1, 0.3], {"sizes": [50, 1_000]}),
            ("100 rows at 30%, 100 at 30%", rows, [0.3, 0.3], {"sizes": [100, 100]}),
            ("4 groups of 200 rows, 10% to 40%", rows, [0.1, 0.2, 0.3, 0.4], {"sizes": [200] * 4}),
            ("150 units x 20 rows, rho 0.2, 10% and 20%", units, [0.1, 0.2], clusters),
            ("units unlike in number and rho, 20% and 30%", mixed, [0.2, 0.3], unlike),
        ]
    ]
    found += [
        Cell("F1, MOVER", f"{n} and {m} rows, true positive rates 60% and 80%", covers)
        for n, m in [(100, 100), (50, 1_000)]
        for covers in [_f1_difference([0.6, 0.8], [n, m])]
    ]
    found += [
        Cell("to_overall", f"{n} rows in random groups, share {w:.0%}, {p:.0%} and {q:.0%}", covers)
        for n, w, p, q in [(100, 0.5, 0.9, 0.1), (1_000, 0.5, 0.8, 0.2), (200, 0.3, 0.7, 0.2)]
        for covers in [_to_overall(n, w, p, q)]
    ]
    found += [
        Cell("worst, Sidak", situation, _worst(draw, rates, **how), conservative=True)
        for situation, draw, rates, how in [
            ("4 groups of 100 rows, all 30%", rows, [0.3] * 4, {"sizes": [100] * 4}),
            ("4 groups of 200 rows, 10% to 40%", rows, [0.1, 0.2, 0.3, 0.4], {"sizes": [200] * 4}),
            ("150 units x 20 rows, rho 0.2, 10% and 20%", units, [0.1, 0.2], clusters),
        ]
    ]
    return found
