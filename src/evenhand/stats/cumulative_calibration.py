"""The cumulative calibration error; under calibration it is the range of a Brownian motion.

Histograms are as in `evenhand.stats.calibration`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from evenhand.stats.figure import Figures
from evenhand.stats.influence import quotient
from evenhand.stats.interval import Floats, Limits

_SWITCH = 1.7
"""Width at which both series of Brownian motion's range need fewer than ten terms."""

_TERMS = np.arange(1.0, 13.0)


@dataclass(frozen=True)
class CumulativeError:
    """The cumulative calibration error, arrays of shape (...).

    Attributes:
        value: Range of the cumulative error, >= 0; nan where there are no rows.
        scale: Standard deviation of the cumulative error's end point under calibration.
        p_value: Chance under calibration of so wide a range; nan with weights.

    """

    value: Floats
    scale: Floats
    p_value: Floats


def cumulative_calibration_error(
    scores: Floats, positives: Floats, negatives: Floats, *, weighted: bool = False
) -> CumulativeError:
    """Return ECCE: the range of C_k, the mean over all rows of (label - score) up to score k.

    It is the largest miscalibration, in the large and in either direction, of any interval of
    scores. The value is biased upwards: calibrated scores have a mean of 1.6 scales. All rows of
    one score enter together, C_0 = 0 before the first. The p-value takes C_k for Brownian motion;
    with few distinct scores the true path has fewer points and a smaller range, which makes the
    p-value conservative. It needs rows that are independent.

    Args:
        scores: Distinct scores in ascending order, shape (m,), each in [0, 1].
        positives: Numbers, or sums of weights, of label 1 at each score, shape (..., m).
        negatives: The same of label 0.
        weighted: Whether they are sums of weights: then there is no p-value.

    Source: Arrieta-Ibarra, Gujral, Tannen, Tygert and Xu 2022 (ECCE-R).

    """
    size = positives + negatives
    total = size.sum(axis=-1, keepdims=True)
    path = quotient(np.cumsum(positives - size * scores, axis=-1), total)
    value = np.maximum(path.max(axis=-1), 0.0) - np.minimum(path.min(axis=-1), 0.0)
    noise = (size * np.maximum(scores * (1 - scores), 0.0)).sum(axis=-1)
    scale = quotient(np.sqrt(noise), total[..., 0])
    # Scores of 0 and 1 leave no noise: any error at all then refutes calibration.
    width = np.where(value > 0, np.inf, np.where(np.isnan(value), np.nan, 0.0))
    width = np.divide(value, scale, out=width, where=scale > 0)
    refused = weighted | (size * ((scores < 0) | (scores > 1))).any(axis=-1)
    p_value = np.where(refused, np.nan, brownian_range_survival(width))
    return CumulativeError(value, scale, p_value)


def brownian_range_survival(width: Floats) -> Floats:
    """Return the chance that standard Brownian motion on [0, 1] has a range above ``width``.

    The range is its maximum minus its minimum, both at least as far out as 0; its mean is
    2 sqrt(2 / pi). Wide ranges use Feller's series, 8 sum (-1)^(k-1) k Phi(-k r), narrow ones the
    series of the heat equation, 8 sum over odd j of (1 / (pi j)^2 + 1 / r^2)
    exp(-(pi j / r)^2 / 2) for the chance of no more than r.

    Source: Feller 1951.

    >>> brownian_range_survival(np.array([0.0, 1.0, 2.2414])).round(4)
    array([1.    , 0.9366, 0.0999])
    """
    r = np.asarray(width, dtype=float)[..., None]
    sign = np.where(_TERMS % 2 == 1, 1.0, -1.0)
    wide = (8 * sign * _TERMS * special.ndtr(-_TERMS * np.maximum(r, _SWITCH))).sum(axis=-1)
    odd = np.pi * (2 * _TERMS - 1)
    near = np.clip(r, 1e-3, _SWITCH)
    narrow = (8 * (1 / odd**2 + 1 / near**2) * np.exp(-((odd / near) ** 2) / 2)).sum(axis=-1)
    value: Floats = np.where(r[..., 0] > _SWITCH, wide, 1 - narrow)
    return np.where(np.isnan(r[..., 0]), np.nan, np.clip(value, 0.0, 1.0))


def brownian_range_quantile(tail: Floats) -> Floats:
    """Return the width that the range of Brownian motion exceeds with chance ``tail``."""
    low, high = np.zeros_like(tail), np.full_like(tail, 40.0)
    for _ in range(60):
        middle = (low + high) / 2
        above = brownian_range_survival(middle) > tail
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high


@dataclass(frozen=True)
class BrownianRange(Figures):
    """Ranges of cumulative sums, each off by no more than the range of a Brownian motion.

    Attributes:
        estimate: The ranges, shape (K,).
        scale: Standard deviations of the end points, shape (K,).
        rows: Numbers of rows, shape (K,).

    """

    estimate: Floats
    scale: Floats
    rows: Floats
    df: Floats
    correlation: Floats
    method: str

    @property
    def value(self) -> Floats:
        """The ranges."""
        return self.estimate

    @property
    def within(self) -> tuple[float, float]:
        """The smallest and the largest range of errors of probabilities."""
        return 0.0, 1.0

    def limits_at(self, crit: Floats, index: np.ndarray | None = None) -> Limits:
        """Return limits at the chance that a normal quantile stands for."""
        chosen = np.arange(len(self.estimate)) if index is None else index
        tail = 2 * special.ndtr(-np.broadcast_to(crit, chosen.shape).astype(np.float64))
        reach = self.scale[chosen] * brownian_range_quantile(tail)
        value = self.estimate[chosen]
        # Rows that are all sure and right leave room for a share of rows that are not (Wilson).
        square = np.square(np.broadcast_to(crit, chosen.shape).astype(np.float64))
        reach = np.maximum(reach, square / (self.rows[chosen] + square) * (self.scale[chosen] == 0))
        return Limits(np.maximum(value - reach, 0.0), np.minimum(value + reach, 1.0))

    def variances(self, level: float) -> tuple[Floats, Floats]:  # noqa: ARG002 - as in the base
        """Return the ranges and the variances of the end points."""
        return self.estimate, np.maximum(np.square(self.scale), np.finfo(float).tiny)
