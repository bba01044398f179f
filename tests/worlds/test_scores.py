"""The world of scores: its truths by numerical integration, and in the rows.

A planted figure passes within 4.5 standard errors, which a true one leaves with probability 7e-6.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import special

from evenhand.worlds.scores import ScoreWorld

BOUND = 4.5
WORLD = ScoreWorld(
    locations={"a": 0.0, "b": -1.0},
    spreads={"a": 1.0, "b": 1.5},
    slopes={"b": 0.7},
    intercepts={"b": 0.3},
    threshold=0.4,
)
ROWS = 50_000


@pytest.fixture(scope="module", params=["a", "b"])
def part(request):
    """The rows of one group, with its name."""
    rows = WORLD.rows({"a": ROWS, "b": ROWS}, np.random.default_rng(1))
    return request.param, rows.filter(pl.col("group") == request.param)


def assert_mean(values, truth):
    array = np.asarray(values, float)
    assert abs(array.mean() - truth) <= BOUND * array.std() / np.sqrt(len(array))


def test_means_are_those_of_the_truth(part):
    group, rows = part
    truth = {name: values[group] for name, values in WORLD.truth().items()}
    label, score = rows["label"], rows["score"]
    assert_mean(label, truth["base_rate"])
    assert_mean(score, truth["mean_score"])
    assert_mean(label - score, truth["calibration_in_the_large"])
    assert_mean((label - score) ** 2, truth["brier_score"])
    assert_mean(rows["prediction"], truth["selection_rate"])
    assert_mean(rows.filter(label == 1)["prediction"], truth["true_positive_rate"])
    assert_mean(rows.filter(label == 0)["prediction"], truth["false_positive_rate"])


def test_area_under_the_curve_is_the_true_one(part):
    group, rows = part
    label, score = rows["label"].to_numpy(), rows["score"].to_numpy()
    ranks = np.argsort(np.argsort(score)) + 1
    positives, negatives = (label == 1).sum(), (label == 0).sum()
    auc = (ranks[label == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    # Bamber's bound on the variance of an AUC, whatever the distributions.
    error = np.sqrt(auc * (1 - auc) / min(positives, negatives))
    assert abs(auc - WORLD.truth()["auc"][group]) <= BOUND * error


def test_score_equations_of_the_calibration_line_hold(part):
    group, rows = part
    logit = special.logit(rows["score"].to_numpy())
    truth = WORLD.truth()
    slope, intercept = (truth[f"calibration_{name}"][group] for name in ("slope", "intercept"))
    error = rows["label"].to_numpy() - special.expit(intercept + slope * logit)
    assert_mean(error, 0.0)
    assert_mean(error * logit, 0.0)


def test_calibrated_scores_mean_what_they_say():
    truth = ScoreWorld({"a": 0.7}, {"a": 1.3}).truth()
    assert truth["calibration_in_the_large"]["a"] == pytest.approx(0.0, abs=1e-9)
    assert truth["base_rate"]["a"] == pytest.approx(truth["mean_score"]["a"])


def test_integrals_of_a_symmetric_group():
    # By symmetry the base rate is 1/2; the share above 1/2 is too.
    truth = ScoreWorld({"a": 0.0}, {"a": 2.0}).truth()
    assert truth["base_rate"]["a"] == pytest.approx(0.5, abs=1e-9)
    assert truth["selection_rate"]["a"] == pytest.approx(0.5, abs=1e-7)


def test_integrals_agree_with_gauss_hermite_quadrature():
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    weights = weights / weights.sum()
    truth = WORLD.truth()
    logit = -1.0 + 1.5 * nodes
    chance, score = special.expit(0.3 + 0.7 * logit), special.expit(logit)
    assert truth["base_rate"]["b"] == pytest.approx(weights @ chance, abs=1e-9)
    brier = weights @ (chance * (1 - score) ** 2 + (1 - chance) * score**2)
    assert truth["brier_score"]["b"] == pytest.approx(brier, abs=1e-9)
    # The share above the threshold has a closed form.
    cut = (special.logit(0.4) + 1.0) / 1.5
    assert truth["selection_rate"]["b"] == pytest.approx(special.ndtr(-cut), abs=1e-6)


def test_a_slope_of_zero_discriminates_nothing():
    truth = ScoreWorld({"a": 0.0}, {"a": 1.0}, slopes={"a": 0.0}).truth()
    assert truth["auc"]["a"] == pytest.approx(0.5)


def test_predictions_follow_the_threshold(part):
    _, rows = part
    assert ((rows["score"] >= 0.4) == (rows["prediction"] == 1)).all()


def test_rows_of_a_unit_have_the_planted_correlation():
    world = ScoreWorld({"a": 0.5}, {"a": 1.5}, rows_per_unit=2, intra_unit=0.4)
    rows = world.rows({"a": 20_000}, np.random.default_rng(2)).sort("unit")
    pairs = special.logit(rows["score"].to_numpy()).reshape(-1, 2)
    # The standard error of a normal correlation is (1 - r^2) / sqrt(n).
    bound = BOUND * (1 - 0.4**2) / np.sqrt(20_000)
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(0.4, abs=bound)
    assert rows["group"].unique().to_list() == ["a"]
