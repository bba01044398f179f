"""The world of loans: what is seen, what is hidden, and by how much they differ.

A planted share passes within 4.5 standard errors, which a true one leaves with probability 7e-6.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evenhand.worlds.lending import LendingWorld

BOUND = 4.5
WORLD = LendingWorld({"a": 0.6, "b": 0.3}, {"a": 0.9, "b": 0.8}, {"a": 1.0, "b": 4.0})


def assert_share(hits, truth):
    assert len(hits) > 1_000
    assert abs(hits.mean() - truth) <= BOUND * np.sqrt(truth * (1 - truth) / len(hits))


@pytest.fixture(scope="module")
def rows():
    return WORLD.rows({"a": 20_000, "b": 20_000}, np.random.default_rng(1))


def test_labels_are_seen_only_where_the_prediction_is_positive(rows):
    assert (
        rows.filter(pl.col("prediction") == 0)["label"].null_count() == rows["label"].null_count()
    )
    seen = rows.filter(pl.col("prediction") == 1)
    assert seen["label"].equals(seen["outcome"], check_names=False)


@pytest.mark.parametrize("group", ["a", "b"])
def test_selection_and_repayment_are_those_planted(rows, group):
    part = rows.filter(pl.col("group") == group)
    assert_share(part["prediction"], WORLD.selection_rates[group])
    assert_share(part["label"].drop_nulls(), WORLD.repayment_rates[group])


@pytest.mark.parametrize("group", ["a", "b"])
def test_hidden_truth_is_the_planted_one(rows, group):
    part = rows.filter(pl.col("group") == group)
    truth = {name: values[group] for name, values in WORLD.truth().items()}
    assert_share(part["outcome"], truth["base_rate"])
    repaid, defaulted = (part.filter(pl.col("outcome") == value) for value in (1, 0))
    assert_share(repaid["prediction"], truth["true_positive_rate"])
    assert_share(defaulted["prediction"], truth["false_positive_rate"])
    refused = part.filter(pl.col("prediction") == 0)
    assert_share(refused["outcome"], WORLD.refused_rate(group))


def test_refused_rate_of_a_hand_computed_odds_ratio():
    # Odds of 4 among the accepted, a quarter of that among the refused: 1 to 1.
    assert WORLD.refused_rate("b") == pytest.approx(0.5)
    assert WORLD.refused_rate("a") == pytest.approx(0.9)
    assert WORLD.truth()["selection_rate"] == pytest.approx(WORLD.selection_rates)
    assert WORLD.truth()["positive_predictive_value"] == pytest.approx(WORLD.repayment_rates)
