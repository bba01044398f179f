"""Worlds of decisions have the truths that were planted, and hide what they should.

A planted figure passes within 4.5 standard errors, which a true one leaves with probability 7e-6;
a few hundred checks in this folder fail by chance with less than 0.3 %, and the seeds are fixed.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evenhand.worlds.decisions import DecisionWorld, confusion_truth, hide_groups, hide_labels

BOUND = 4.5


def assert_share(hits, truth):
    """Independent hits have this probability."""
    assert len(hits) > 1_000
    error = np.sqrt(truth * (1 - truth) / len(hits))
    assert abs(float(hits.mean()) - truth) <= BOUND * error


def world(**options):
    return DecisionWorld(
        {"a": 0.8, "b": 0.6}, {"a": 0.1, "b": 0.2}, {"a": 0.25, "b": 0.4}, **options
    )


def of_group(rows, group):
    return rows.filter(pl.col("group") == group)


@pytest.mark.parametrize("group", ["a", "b"])
def test_rates_of_independent_rows_are_those_planted(group):
    rows = of_group(world().rows({"a": 20_000, "b": 20_000}, np.random.default_rng(1)), group)
    truth = {name: values[group] for name, values in world().truth().items()}
    positive, negative = (rows.filter(pl.col("label") == value) for value in (1, 0))
    selected = rows.filter(pl.col("prediction") == 1)
    assert_share(rows["label"], truth["base_rate"])
    assert_share(rows["prediction"], truth["selection_rate"])
    assert_share(rows["label"] == rows["prediction"], truth["accuracy"])
    assert_share(positive["prediction"], truth["true_positive_rate"])
    assert_share(negative["prediction"], truth["false_positive_rate"])
    assert_share(selected["label"], truth["positive_predictive_value"])


def test_clustered_units_keep_the_rates():
    clustered = world(rows_per_unit=20, intra_unit=0.3)
    rows = clustered.rows({"a": 5_000, "b": 5_000}, np.random.default_rng(2))
    by_unit = rows.group_by("unit", "group").agg(pl.col("label", "prediction").mean())
    for group, truth in clustered.truth()["selection_rate"].items():
        means = of_group(by_unit, group)["prediction"].to_numpy()
        error = means.std(ddof=1) / np.sqrt(len(means))
        assert abs(means.mean() - truth) <= BOUND * error


def test_tiny_groups_have_the_units_asked_for():
    rows = world(rows_per_unit=3).rows({"a": 200, "b": 2}, np.random.default_rng(3))
    assert of_group(rows, "b")["unit"].n_unique() == 2
    assert len(of_group(rows, "b")) == 6


def test_truth_of_a_hand_computed_table():
    # Of 100: 40 positive of which 30 found, 60 negative of which 15 selected.
    truth = confusion_truth({"a": 0.75}, {"a": 0.25}, {"a": 0.4})
    expected = {
        "base_rate": 40 / 100,
        "selection_rate": 45 / 100,
        "accuracy": 75 / 100,
        "true_positive_rate": 30 / 40,
        "false_negative_rate": 10 / 40,
        "false_positive_rate": 15 / 60,
        "true_negative_rate": 45 / 60,
        "positive_predictive_value": 30 / 45,
        "negative_predictive_value": 45 / 55,
        "false_discovery_rate": 15 / 45,
        "false_omission_rate": 10 / 55,
        "f1": 60 / 85,
    }
    assert {name: values["a"] for name, values in truth.items()} == pytest.approx(expected)


def test_truth_lacks_a_figure_that_is_not_defined():
    truth = confusion_truth({"a": 0.5, "b": 0.5}, {"a": 0.5, "b": 0.5}, {"a": 0.0, "b": 0.5})
    assert truth["true_positive_rate"] == {"b": 0.5}
    assert truth["false_positive_rate"] == {"a": 0.5, "b": 0.5}


def test_labels_are_hidden_where_the_prediction_is_negative():
    rows = pl.DataFrame({"label": [1, 0, 1], "prediction": [1, 0, 0]})
    assert hide_labels(rows)["label"].to_list() == [1, None, None]
    assert hide_labels(rows, pl.col("label") == 0)["label"].to_list() == [1, None, 1]


def test_groups_go_missing_completely_at_random():
    rows = world().rows({"a": 10_000, "b": 10_000}, np.random.default_rng(4))
    hidden = hide_groups(rows, 0.2, np.random.default_rng(5))
    for label in (0, 1):
        assert_share(hidden.filter(pl.col("label") == label)["group"].is_null(), 0.2)
    seen = hidden["group"].is_not_null()
    assert hidden.filter(seen).equals(rows.filter(seen))


def test_groups_go_missing_by_outcome():
    rows = world().rows({"a": 10_000, "b": 10_000}, np.random.default_rng(6))
    hidden = hide_groups(rows, {1: 0.4}, np.random.default_rng(7), given="prediction")
    refused, accepted = (hidden.filter(pl.col("prediction") == value) for value in (0, 1))
    assert refused["group"].null_count() == 0
    assert_share(accepted["group"].is_null(), 0.4)


@pytest.mark.parametrize(("share", "nulls"), [(0.0, 0), (1.0, 100)])
def test_no_group_or_every_group_goes_missing(share, nulls):
    rows = world().rows({"a": 100}, np.random.default_rng(8))
    assert hide_groups(rows, share, np.random.default_rng(9))["group"].null_count() == nulls
