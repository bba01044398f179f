"""Crossed worlds: exact rates whatever the units carry, and the planted dependence.

Several logs give one mean each; their own spread is the standard error, since rows that share
units are dependent. A true figure is 5 of them away with probability 1.3e-5 (t with 39 degrees),
any of these sixty with less than 1e-3; the seeds are fixed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from evenhand.worlds.crossed import CrossedWorld, DyadicWorld

LOGS = 40
BOUND = 5.0

CROSSED = CrossedWorld(
    {"a": 0.8, "b": 0.6}, {"a": 0.1, "b": 0.2}, {"a": 0.3, "b": 0.5}, user_share=0.2, item_share=0.3
)
DYADIC = DyadicWorld({"a": 0.9, "b": 0.8}, {"a": 0.05, "b": 0.2}, genuine=0.4, subject_share=0.5)


def assert_truth(draw, truth):
    """Rates by group over several logs agree with the truth."""
    shares = {
        "base_rate": ("label", pl.lit(value=True)),
        "selection_rate": ("prediction", pl.lit(value=True)),
        "true_positive_rate": ("prediction", pl.col("label") == 1),
        "false_positive_rate": ("prediction", pl.col("label") == 0),
        "positive_predictive_value": ("label", pl.col("prediction") == 1),
    }
    sums = [
        pl.col(column).filter(among).sum().alias(name) for name, (column, among) in shares.items()
    ] + [
        pl.col("label").filter(among).len().alias(f"{name}_of")
        for name, (_, among) in shares.items()
    ]
    logs = (draw(np.random.default_rng(seed)) for seed in range(LOGS))
    found = pl.concat(log.group_by("group").agg(sums) for log in logs)
    for name in shares:
        for group, value in truth[name].items():
            part = found.filter(pl.col("group") == group)
            hits, of = part[name].to_numpy(), part[f"{name}_of"].to_numpy()
            # Linearised: the ratio of sums is free of the bias of a mean of ratios.
            gap = (hits - value * of) / of.mean()
            assert abs(gap.mean()) <= BOUND * gap.std(ddof=1) / np.sqrt(LOGS), (name, group)


@pytest.mark.parametrize("grouped", ["user", "item"])
def test_rates_of_crossed_units_are_those_planted(grouped):
    world = replace(CROSSED, grouped=grouped)
    assert_truth(lambda rng: world.rows({"a": 100, "b": 100}, 150, 4_000, rng), world.truth())


def test_popular_items_keep_the_rates():
    world = replace(CROSSED, popularity=0.8)
    assert_truth(lambda rng: world.rows({"a": 100, "b": 100}, 150, 4_000, rng), world.truth())


def test_group_is_a_property_of_the_unit_that_has_it():
    for grouped in ("user", "item"):
        rows = replace(CROSSED, grouped=grouped).rows(
            {"a": 10, "b": 20}, 15, 2_000, np.random.default_rng(1)
        )
        units = rows.select(grouped, "group").unique()
        assert dict(units["group"].value_counts().iter_rows()) == {"a": 10, "b": 20}
        other = "item" if grouped == "user" else "user"
        assert rows[other].n_unique() == 15


@pytest.mark.parametrize(("unit", "share"), [("user", 0.2), ("item", 0.3)])
def test_rows_of_one_unit_depend_on_each_other_as_planted(unit, share):
    # At a rate of 1/2, labels of latent correlation r agree with probability 1/2 + asin(r) / pi.
    world = CrossedWorld({"a": 0.5}, {"a": 0.5}, {"a": 0.5}, user_share=0.2, item_share=0.3)
    agreements = []
    for seed in range(LOGS):
        rows = world.rows({"a": 400}, 400, 8_000, np.random.default_rng(seed))
        other = "item" if unit == "user" else "user"
        label = rows.sort(unit)["label"].to_numpy()
        ids, others = (rows.sort(unit)[name].to_numpy() for name in (unit, other))
        pair = (ids[1:] == ids[:-1]) & (others[1:] != others[:-1])
        agreements.append((label[1:] == label[:-1])[pair].mean())
    error = np.std(agreements, ddof=1) / np.sqrt(LOGS)
    assert abs(np.mean(agreements) - 0.5 - np.arcsin(share) / np.pi) <= BOUND * error


def test_popular_items_have_more_rows():
    rows = replace(CROSSED, popularity=1.0).rows({"a": 50}, 100, 5_000, np.random.default_rng(2))
    counts = np.bincount(rows["item"].to_numpy(), minlength=50)
    assert counts[0] > 5 * counts[20]


def test_certain_rates_are_certain():
    world = CrossedWorld({"a": 1.0}, {"a": 0.0}, {"a": 0.5}, user_share=0.5)
    rows = world.rows({"a": 10}, 10, 500, np.random.default_rng(3))
    assert rows["label"].equals(rows["prediction"], check_names=False)


def test_rates_of_pairs_are_those_planted():
    assert_truth(lambda rng: DYADIC.rows({"a": 150, "b": 100}, 4_000, rng), DYADIC.truth())


def test_a_genuine_pair_is_one_subject_and_others_are_two_of_one_group():
    rows = DYADIC.rows({"a": 5, "b": 2}, 3_000, np.random.default_rng(4))
    assert ((rows["subject_a"] == rows["subject_b"]) == (rows["label"] == 1)).all()
    groups = dict(rows.select("subject_a", "group").unique().iter_rows())
    assert rows["subject_b"].replace_strict(groups).equals(rows["group"], check_names=False)
    assert sorted(groups.values()) == ["a"] * 5 + ["b"] * 2
    pairs = rows.filter((pl.col("label") == 0) & (pl.col("group") == "a"))
    assert pairs.select("subject_a", "subject_b").n_unique() == 5 * 4


def test_pairs_that_share_a_subject_depend_on_each_other_as_planted():
    # Each of two subjects carries a quarter of the variance: pairs that share one correlate .25.
    world = DyadicWorld({"a": 0.5}, {"a": 0.5}, genuine=0.0, subject_share=0.5)
    agreements = []
    for seed in range(LOGS):
        rows = world.rows({"a": 400}, 8_000, np.random.default_rng(seed)).sort("subject_a")
        a, b, y = (rows[name].to_numpy() for name in ("subject_a", "subject_b", "prediction"))
        pair = (a[1:] == a[:-1]) & (b[1:] != b[:-1])
        agreements.append((y[1:] == y[:-1])[pair].mean())
    error = np.std(agreements, ddof=1) / np.sqrt(LOGS)
    assert abs(np.mean(agreements) - 0.5 - np.arcsin(0.25) / np.pi) <= BOUND * error
