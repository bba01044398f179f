"""Rankings drawn with known probabilities, and true figures with their Monte Carlo errors.

A ranking is drawn slot by slot, each item with a probability in proportion to ``exp(score)`` among
those not yet placed: the model of Luce (1959) and Plackett (1975). Sorting by the score plus
standard Gumbel noise draws from exactly this model (Yellott 1977), a whole table at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ranked:
    """Drawn rankings, one a row.

    Attributes:
        order: Column of the item in each slot, best first.
        propensity: P(the slot's item | the items placed before it), in (0, 1].

    """

    order: np.ndarray
    propensity: np.ndarray


def rank(scores: np.ndarray, rng: np.random.Generator) -> Ranked:
    """Draw one whole ranking of every row of scores, which are log-weights."""
    order = np.argsort(-(scores + rng.gumbel(size=scores.shape)), axis=1)
    placed = np.take_along_axis(scores, order, axis=1)
    weight = np.exp(placed - placed.max(axis=1, keepdims=True))
    # Summed from the last slot up: taking the placed away from the total would cancel.
    left = np.cumsum(weight[:, ::-1], axis=1)[:, ::-1]
    return Ranked(order, weight / left)


def ndcg(gains: np.ndarray, k: int) -> np.ndarray:
    """Return nDCG@k of every row of gains, in ranked order, all candidates included.

    The discount is ``1 / log2(1 + slot)`` (Järvelin and Kekäläinen 2002) and the ideal sorts all
    columns; a row without gain is NaN, since it has no ideal.
    """
    k = min(k, gains.shape[1])
    discount = log_discount(k)
    ideal = -np.sort(-gains, axis=1)[:, :k] @ discount
    with np.errstate(invalid="ignore"):
        value: np.ndarray = (gains[:, :k] @ discount) / ideal
    return value


def log_discount(slots: int) -> np.ndarray:
    """Return ``1 / log2(1 + slot)`` for slots 1 to ``slots``."""
    discount: np.ndarray = 1 / np.log2(np.arange(2, slots + 2))
    return discount


@dataclass(frozen=True)
class MonteCarlo:
    """A true value as the mean of independent runs of the model.

    Attributes:
        value: The estimate of the true value.
        error: Its standard error; 0 where every run must give the same value.
        runs: Number of runs: the error has ``runs - 1`` degrees of freedom.

    """

    value: float
    error: float
    runs: int

    @classmethod
    def ratio(cls, parts: np.ndarray, wholes: np.ndarray) -> MonteCarlo:
        """Return the ratio of expectations, with one part and one whole a run.

        The error is linearised; the bias, of order 1 / rows of all runs, is left.
        """
        value = float(parts.sum() / wholes.sum()) if wholes.sum() > 0 else math.nan
        return cls(value, _error((parts - value * wholes) / wholes.mean()), len(parts))

    @classmethod
    def gap(cls, parts: Mapping[str, np.ndarray], wholes: Mapping[str, np.ndarray]) -> MonteCarlo:
        """Return the largest less the smallest of the groups' ratios.

        The error is that of the signed difference of these two groups.
        """
        values = {group: parts[group].sum() / wholes[group].sum() for group in parts}
        high, low = max(values, key=lambda g: values[g]), min(values, key=lambda g: values[g])
        deviation = [
            (parts[group] - values[group] * wholes[group]) / wholes[group].mean()
            for group in (high, low)
        ]
        error = _error(deviation[0] - deviation[1])
        return cls(float(values[high] - values[low]), error, len(deviation[0]))


@dataclass(frozen=True)
class Shown:
    """How much of every slot a group of items holds, for the browsing weights a reader chooses.

    Attributes:
        groups: The groups; the last may be ``unknown``.
        by_run: Mean membership, an array of runs x groups x slots; 1 in sum over the groups.

    """

    groups: tuple[str, ...]
    by_run: np.ndarray

    def exposure_share(self, weights: Sequence[float] | np.ndarray) -> dict[str, MonteCarlo]:
        """Return each group's share of the exposure: ``sum_i w_i P(slot i is g) / sum_i w_i``.

        Args:
            weights: Browsing weight of each slot, >= 0, such as the reach of a feed or
                ``log_discount``. Only their proportions matter; slots that are not named weigh 0.

        """
        weight = np.zeros(self.by_run.shape[2])
        weight[: len(weights)] = weights
        runs = self.by_run @ (weight / weight.sum())
        whole = np.ones(len(runs))
        return {group: MonteCarlo.ratio(runs[:, i], whole) for i, group in enumerate(self.groups)}


def by_group(groups: Iterable[str], parts: np.ndarray, wholes: np.ndarray) -> dict[str, MonteCarlo]:
    """Return each group's ratio of sums; parts and wholes are runs x groups."""
    return {group: MonteCarlo.ratio(parts[:, i], wholes[:, i]) for i, group in enumerate(groups)}


def share_by_group(groups: Iterable[str], parts: np.ndarray) -> dict[str, MonteCarlo]:
    """Return each group's share of the sum over all groups; parts are runs x groups."""
    names = tuple(groups)
    whole = np.repeat(parts.sum(axis=1, keepdims=True), len(names), axis=1)
    return by_group(names, parts, whole)


def gap_of_groups(groups: Iterable[str], parts: np.ndarray, wholes: np.ndarray) -> MonteCarlo:
    """Return the gap over the groups that have rows; parts and wholes are runs x groups."""
    seen = {group: i for i, group in enumerate(groups) if wholes[:, i].sum() > 0}
    return MonteCarlo.gap(
        {group: parts[:, i] for group, i in seen.items()},
        {group: wholes[:, i] for group, i in seen.items()},
    )


def draw_groups(shares: Mapping[str, float], count: int, rng: np.random.Generator) -> np.ndarray:
    """Return group codes, drawn in proportion to the shares."""
    weight = np.array(list(shares.values()), dtype=float)
    return rng.choice(len(weight), count, p=weight / weight.sum())


def _error(deviations: np.ndarray) -> float:
    if len(deviations) < 2:  # noqa: PLR2004 - a single run does not vary
        return math.nan
    return float(deviations.std(ddof=1) / math.sqrt(len(deviations)))
