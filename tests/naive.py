"""Every measure again, naively, over rows that have its roles: the oracle of the registry test."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import statsmodels.api as sm


@dataclass(frozen=True)
class Row:
    """One row; weight counts it as so many."""

    label: int
    prediction: int
    weight: float
    score: float = 0.5
    target: float = 0.0
    guess: float = 0.0
    neighbours: float = 0.0
    correct: int = 1
    robust: int = 1
    minimal_norm: float | None = None
    certified_radius: float | None = None
    corrupted_correct: int = 1
    baseline_error: float = 1.0
    baseline_relative_error: float = 1.0
    card: Mapping[str, float] = field(default_factory=dict)


Rows = Sequence[Row]
Condition = Callable[[Row], bool]
Answer = tuple[float | None, int]
"""The figure, None where it is undefined, and the number of rows in its denominator."""


def _share(of: Condition, among: Condition):
    return _mean(lambda row: float(of(row)), among)


def _mean(number: Callable[[Row], float], among: Condition = lambda _: True):
    def value(rows: Rows, _outside: Rows) -> Answer:
        trials = [row for row in rows if among(row)]
        total = sum(row.weight for row in trials)
        mean = sum(row.weight * number(row) for row in trials) / total if total else None
        return mean, len(trials)

    return value


def _of_counts(function: Callable[[Rows], float | None]):
    def value(rows: Rows, _outside: Rows) -> Answer:
        return function([row for row in rows if row.weight]), len(rows)

    return value


def _recall(rows: Rows, label: int) -> float | None:
    members = [row for row in rows if row.label == label]
    total = sum(row.weight for row in members)
    return sum(row.weight for row in members if row.prediction == label) / total if total else None


def _balanced_accuracy(rows: Rows) -> float | None:
    recalls = [_recall(rows, label) for label in (0, 1)]
    return None if None in recalls else sum(recalls) / 2


def _matthews(rows: Rows) -> float | None:
    weights = [row.weight for row in rows]
    if len(rows) < 2:
        return None
    covariance = np.cov(
        [r.label for r in rows], [r.prediction for r in rows], aweights=weights, ddof=0
    )
    scale = math.sqrt(covariance[0, 0] * covariance[1, 1])
    return float(covariance[0, 1] / scale) if scale > 1e-12 else None


def _f1(rows: Rows, _outside: Rows) -> Answer:
    hits = sum(r.weight for r in rows if r.label == 1 and r.prediction == 1)
    misses = sum(r.weight for r in rows if r.label != r.prediction)
    relevant = sum(r.label == 1 or r.prediction == 1 for r in rows)
    return (2 * hits / (2 * hits + misses) if hits + misses else None), relevant


def _benefits(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    benefits = np.array([row.prediction - row.label + 1.0 for row in rows])
    return benefits, np.array([row.weight for row in rows])


def _entropy(rows: Rows) -> float | None:
    if not rows:
        return None
    benefits, weights = _benefits(rows)
    mean = np.average(benefits, weights=weights)
    return float(np.average((benefits / mean) ** 2 - 1, weights=weights) / 2) if mean else None


def _theil(rows: Rows) -> float | None:
    if not rows:
        return None
    benefits, weights = _benefits(rows)
    relative = benefits / np.average(benefits, weights=weights)
    parts = [x * math.log(x) if x else 0.0 for x in relative]
    return float(np.average(parts, weights=weights))


def _atkinson(rows: Rows) -> float | None:
    if not rows:
        return None
    benefits, weights = _benefits(rows)
    mean = np.average(benefits, weights=weights)
    return float(1 - np.average(np.sqrt(benefits), weights=weights) ** 2 / mean)


def _gini(rows: Rows) -> float | None:
    if not rows:
        return None
    benefits, weights = _benefits(rows)
    gaps = np.abs(benefits[:, None] - benefits) * np.outer(weights, weights)
    mean = np.average(benefits, weights=weights)
    return float(gaps.sum() / weights.sum() ** 2 / 2 / mean)


def _area(*, positives_outside: bool = False, negatives_outside: bool = False):
    def value(rows: Rows, outside: Rows) -> Answer:
        positives = [r for r in (outside if positives_outside else rows) if r.label == 1]
        negatives = [r for r in (outside if negatives_outside else rows) if r.label == 0]
        pairs = [*itertools.product(positives, negatives)]
        total = sum(p.weight * n.weight for p, n in pairs)
        beaten = sum(
            p.weight * n.weight * ((p.score > n.score) + (p.score == n.score) / 2) for p, n in pairs
        )
        return (beaten / total if total else None), len(rows)

    return value


def _ecce(rows: Rows) -> float | None:
    if not rows:
        return None
    total = sum(row.weight for row in rows)
    path = [0.0]
    for score in sorted({row.score for row in rows}):
        step = sum(r.weight * (r.label - r.score) for r in rows if r.score == score)
        path.append(path[-1] + step / total)
    return max(path) - min(path)


def _slope(rows: Rows) -> float | None:
    logits = [math.log(row.score / (1 - row.score)) for row in rows]
    design = sm.add_constant(np.array(logits), has_constant="add")
    weights = [row.weight for row in rows]
    family = sm.families.Binomial()
    fit = sm.GLM([r.label for r in rows], design, family=family, freq_weights=weights).fit(
        tol=1e-14
    )
    return float(fit.params[1])


def _squared_calibration_error(rows: Rows) -> float | None:
    total, value = sum(row.weight for row in rows), 0.0
    # Kish's number of rows: weights of any scale count alike.
    scale = total / sum(row.weight**2 for row in rows)
    total *= scale
    for score in {row.score for row in rows}:
        members = [row for row in rows if row.score == score]
        n = scale * sum(row.weight for row in members)
        rate = scale * sum(row.weight * row.label for row in members) / n
        value += n / total * ((rate - score) ** 2 - rate * (1 - rate) / (n - 1))
    return value


def _r2(rows: Rows) -> float | None:
    weights = [row.weight for row in rows]
    if not rows:
        return None
    mean = np.average([row.target for row in rows], weights=weights)
    left = sum(r.weight * (r.guess - r.target) ** 2 for r in rows)
    return 1 - left / sum(r.weight * (r.target - mean) ** 2 for r in rows)


def _root_mean_square(rows: Rows) -> float | None:
    squares = [(row.guess - row.target) ** 2 for row in rows]
    return math.sqrt(np.average(squares, weights=[row.weight for row in rows])) if rows else None


def _median_norm(rows: Rows) -> float | None:
    """Return the least distance that halves the weight, in the middle where it does so exactly."""

    def norm(row: Row) -> float:
        far = math.inf if row.minimal_norm is None else row.minimal_norm
        return far if row.correct else 0.0

    half = sum(row.weight for row in rows) / 2
    norms = sorted({norm(row) for row in rows})
    at_most = [sum(row.weight for row in rows if norm(row) <= value) for value in norms]
    low = next((n for n, w in zip(norms, at_most, strict=True) if w >= half), math.inf)
    high = next((n for n, w in zip(norms, at_most, strict=True) if w > half), math.inf)
    return (low + high) / 2 if math.isfinite(high) else None


def _faithful(row: Row) -> float:
    comes = row.card["insertion"] > row.card["insertion_random"]
    return float(comes and row.card["deletion"] < row.card["deletion_random"])


def _turned(row: Row) -> float:
    cost = row.card["recourse_cost"]
    return row.card["recourse"] if cost is not None and cost <= 0.25 else 0.0


def _gain(above: str, below: str):
    return _mean(lambda row: row.card[above] - row.card[below])


def _of_card(name: str):
    return _mean(lambda row: row.card[name])


REFERENCE = {
    "accuracy_within": _mean(
        lambda r: float(r.correct and (r.minimal_norm is None or r.minimal_norm > 0.25))
    ),
    "accuracy": _share(lambda r: r.label == r.prediction, lambda _: True),
    "atkinson_index": _of_counts(_atkinson),
    "attack_success_rate": _share(lambda r: r.robust == 0, lambda r: r.correct == 1),
    "auc": _area(),
    "balanced_accuracy": _of_counts(_balanced_accuracy),
    "base_rate": _share(lambda r: r.label == 1, lambda _: True),
    "bnsp_auc": _area(negatives_outside=True),
    "bpsn_auc": _area(positives_outside=True),
    "brier_score": _mean(lambda r: (r.score - r.label) ** 2),
    "calibration_in_the_large": _mean(lambda r: r.label - r.score),
    "calibration_slope": _of_counts(_slope),
    "certified_accuracy": _mean(
        lambda r: float(r.correct and r.certified_radius is not None and r.certified_radius >= 0.25)
    ),
    "completeness": _mean(lambda r: float(r.card["completeness_error"] <= 0.25)),
    "clean_accuracy": _share(lambda r: r.correct == 1, lambda _: True),
    "consistency": _mean(lambda r: 1 - abs(r.prediction - r.neighbours)),
    "corruption_error": _share(lambda r: r.corrupted_correct == 0, lambda _: True),
    "deletion_gain": _gain("deletion_random", "deletion"),
    "deletion_gain_over_edges": _gain("deletion_edges", "deletion"),
    "ecce": _of_counts(_ecce),
    "f1": _f1,
    "faithful_share": _mean(_faithful),
    "false_discovery_rate": _share(lambda r: r.label == 0, lambda r: r.prediction == 1),
    "false_negative_rate": _share(lambda r: r.prediction == 0, lambda r: r.label == 1),
    "false_omission_rate": _share(lambda r: r.label == 1, lambda r: r.prediction == 0),
    "false_positive_rate": _share(lambda r: r.prediction == 1, lambda r: r.label == 0),
    "feature_agreement": _of_card("feature_agreement"),
    "feature_agreement_excess": _gain("feature_agreement", "feature_agreement_random"),
    "generalized_entropy": _of_counts(_entropy),
    "generalized_false_negative_rate": _mean(lambda r: 1 - r.score, lambda r: r.label == 1),
    "generalized_false_positive_rate": _mean(lambda r: r.score, lambda r: r.label == 0),
    "gini_index": _of_counts(_gini),
    "infidelity": _of_card("infidelity"),
    "insertion_gain": _gain("insertion", "insertion_random"),
    "insertion_gain_over_edges": _gain("insertion", "insertion_edges"),
    "log_loss_importance": _of_card("log_loss_rise"),
    "log_loss": _mean(lambda r: -math.log(r.score if r.label else 1 - r.score)),
    "mae": _mean(lambda r: abs(r.guess - r.target)),
    "matthews_correlation": _of_counts(_matthews),
    "mCE": _mean(lambda r: (1 - r.corrupted_correct) / r.baseline_error),
    "max_sensitivity": _of_card("max_sensitivity"),
    "mean_absolute_attribution": _mean(lambda r: abs(r.card["attribution"])),
    "mean_attribution": _of_card("attribution"),
    "mean_corruption_error": _mean(lambda r: 1 - r.corrupted_correct),
    "mean_explained_score": _of_card("explained_score"),
    "mean_error": _mean(lambda r: r.guess - r.target),
    "mean_score": _mean(lambda r: r.score),
    "mse": _mean(lambda r: (r.guess - r.target) ** 2),
    "median_minimal_norm": _of_counts(_median_norm),
    "mean_local_effect": _of_card("local_effect"),
    "mean_partial_effect": _of_card("partial_effect"),
    "mean_recourse_cost": _of_card("recourse_cost"),
    "negative_predictive_value": _share(lambda r: r.label == 0, lambda r: r.prediction == 0),
    "no_recourse": _mean(lambda r: 1 - r.card["recourse"]),
    "pairwise_rank_agreement": _of_card("pairwise_rank_agreement"),
    "permutation_importance": _of_card("error_rise"),
    "positive_predictive_value": _share(lambda r: r.label == 1, lambda r: r.prediction == 1),
    "r2": _of_counts(_r2),
    "randomisation_excess": _gain("randomisation", "randomisation_null"),
    "recourse_within": _mean(_turned),
    "rank_agreement": _of_card("rank_agreement"),
    "rank_correlation": _of_card("rank_correlation"),
    "relative_sensitivity": _of_card("relative_sensitivity"),
    "relative_mCE": _mean(lambda r: (r.correct - r.corrupted_correct) / r.baseline_relative_error),
    "robust_accuracy": _share(lambda r: r.robust == 1, lambda _: True),
    "robustness_drop": _mean(lambda r: r.correct - r.robust),
    "rmse": _of_counts(_root_mean_square),
    "scaled_infidelity": _of_card("scaled_infidelity"),
    "seed_stability": _of_card("seed_stability"),
    "selection_rate": _share(lambda r: r.prediction == 1, lambda _: True),
    "sign_agreement": _of_card("sign_agreement"),
    "sign_agreement_excess": _gain("sign_agreement", "sign_agreement_random"),
    "signed_rank_agreement": _of_card("signed_rank_agreement"),
    "squared_calibration_error": _of_counts(_squared_calibration_error),
    "theil_index": _of_counts(_theil),
    "true_negative_rate": _share(lambda r: r.prediction == 0, lambda r: r.label == 0),
    "true_positive_rate": _share(lambda r: r.prediction == 1, lambda r: r.label == 1),
}
