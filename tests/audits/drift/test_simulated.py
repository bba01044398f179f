"""The joint test in simulations: correlations alone, no drift, and units that repeat."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evenhand.audits.drift import find_drift
from evenhand.audits.drift.joint import joint_drift

pytest.importorskip("sklearn")
pytestmark = pytest.mark.slow


def pair_of_features(rng, correlation, n=2000):
    both = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], n)
    return pl.DataFrame({"x": both[:, 0], "y": both[:, 1]})


def test_a_correlation_that_was_not_there_is_found_jointly_and_by_no_feature():
    areas, single = [], 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        found = find_drift(pair_of_features(rng, 0.0), pair_of_features(rng, 0.5), seed=seed)
        areas.append(found.joint[0].auc.value)
        assert found.drifted(found.joint[0])
        single += min(one.test.p_value for one in found.features) * 2 <= 0.05
    assert np.mean(areas) == pytest.approx(0.609, abs=0.012)
    assert min(areas) > 0.57
    assert single <= 1


def test_without_drift_the_area_is_one_half():
    areas = []
    for seed in range(10):
        rng = np.random.default_rng(100 + seed)
        found = find_drift(pair_of_features(rng, 0.5), pair_of_features(rng, 0.5), seed=seed)
        areas.append(found.joint[0].auc.value)
    assert np.mean(areas) == pytest.approx(0.5, abs=0.015)
    assert max(areas) < 0.54


@pytest.fixture
def few_trees(monkeypatch):
    """Let the classifier have a fifth of its trees: what it learns decides power, not the level."""
    monkeypatch.setattr("evenhand.audits.drift.joint._TREES", 20)


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("rows", [1, 5])
def test_the_joint_test_keeps_its_level_and_its_interval_covers(rows):
    runs, alarms, covered = 150, 0, 0
    for seed in range(runs):
        rng = np.random.default_rng([seed, rows])
        unit = np.repeat(np.arange(160), rows)
        features = np.repeat(rng.normal(size=(160, 3)), rows, axis=0)
        features = features + 0.1 * rng.normal(size=features.shape)
        found = joint_drift(
            features,
            unit >= 80,
            unit,
            group=None,
            level=0.95,
            replicates=999,
            rng=rng,
            repeated=rows > 1,
        )
        alarms += found.test.p_value <= 0.05
        covered += found.auc.low <= 0.5 <= found.auc.high
    # .05 over 150 runs: 16 or more have a chance below 1e-3; .95: 133 or fewer.
    assert alarms <= 15
    assert covered >= 133


@pytest.mark.usefixtures("few_trees")
def test_whole_runs_without_drift_raise_no_more_alarms_than_they_say():
    runs, alarms = 60, 0
    for seed in range(runs):
        rng = np.random.default_rng([seed, 3])
        before, now = (
            pl.DataFrame(
                {
                    "number": rng.normal(size=100),
                    "count": rng.poisson(2, 100),
                    "name": rng.choice(["a", "b", "c"], 100),
                    "sex": rng.choice(["f", "m"], 100),
                }
            )
            for _ in range(2)
        )
        alarms += find_drift(before, now, group="sex", seed=seed).alarm
    # .05 over 60 runs: 9 or more have a chance of 4e-3.
    assert alarms <= 8
