"""The background of Shapley values: what it moves, and how far its halves say that it does."""

from __future__ import annotations

import numpy as np
import pytest

import evenhand as eh
from evenhand.models.function import FunctionModel, linear
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes.explain import shapley
from evenhand.probes.run import run
from evenhand.probes.written import probe_of

SPEC = Spec(labels=("no", "yes"), shape=(4,), low=-100.0, high=100.0)
WEIGHTS = np.array([1.0, -2.0, 0.5, 1.5])
ALONE = ((0,), (1,), (2,), (3,))


def nothing(_share):
    """Tell nobody."""


def waves(x):
    """A score that four features make together."""
    return np.sin(2 * x @ WEIGHTS)


def model_of(weights=WEIGHTS):
    return linear(np.vstack([np.zeros(4), weights]), np.array([0.0, 0.3]), SPEC)


def waving():
    return FunctionModel(lambda x: np.column_stack([np.zeros(len(x)), waves(x)]), SPEC)


def x_of(size, seed):
    return np.random.default_rng(seed).normal(size=(size, 4))


def rows_of(written, model, x, seed=1):
    inputs = inputs_of(
        x, SPEC, labels=["no", "yes"] * (len(x) // 2), groups={"side": ["a", "b"] * (len(x) // 2)}
    )
    probe = probe_of(written, seed=seed)
    return run(probe, model, inputs, version="0", believe=True, groups=["side"]).rows


@pytest.mark.parametrize("count", [10, 11])
def test_shift_is_half_of_what_one_half_of_the_background_says_above_the_other(count):
    x, background = x_of(6, 0), x_of(count, 1)
    found = shapley.enumerated_by_halves(waves, x, background, ALONE, tell=nothing)
    first = shapley.halves(count)
    assert abs(int(first.sum()) - count / 2) <= 0.5
    one, other = (
        shapley.enumerated(waves, x, background[half], ALONE, tell=nothing)
        for half in (first, ~first)
    )
    np.testing.assert_allclose(found.shift, (one - other) / 2, atol=1e-13)
    share = first.mean()
    np.testing.assert_allclose(found.parts, share * one + (1 - share) * other, atol=1e-13)


def test_shift_of_sampled_orders_is_that_of_all_coalitions_where_features_meet_in_pairs():
    x, background = x_of(6, 0), x_of(11, 1)

    def paired(z):
        return np.tanh(z[:, 0] * z[:, 1]) + z[:, 2] * (z[:, 3] > 0)

    streams = [np.random.default_rng(place) for place in range(len(x))]
    found = shapley.sampled(paired, x, background, ALONE, rounds=2, streams=streams, tell=nothing)
    exact = shapley.enumerated_by_halves(paired, x, background, ALONE, tell=nothing)
    np.testing.assert_allclose(found.shift, exact.shift, atol=1e-13)


def test_shifts_of_a_gap_are_as_large_as_other_backgrounds_move_it():
    # 30 backgrounds of 10 of 2,000, four features: mean squares of 120 numbers that are not quite
    # independent, each with a relative standard error of about .15: a factor of 2 is five of them.
    everybody = x_of(2000, 2)
    x = everybody[:40] + (np.arange(40) % 2)[:, None] * 0.3
    parts, shifts = [], []
    for seed in range(30):
        drawn = np.random.default_rng(seed).choice(2000, 10, replace=False)
        found = shapley.enumerated_by_halves(waves, x, everybody[drawn], ALONE, tell=nothing)
        parts.append(found.parts[::2].mean(axis=0) - found.parts[1::2].mean(axis=0))
        shifts.append(found.shift[::2].mean(axis=0) - found.shift[1::2].mean(axis=0))
    variance = np.var(parts, axis=0, ddof=1).mean()
    assert variance / 2 < np.square(shifts).mean() < 2 * variance


@pytest.mark.parametrize("way", ["enumerate", "sample", "closed_form"])
def test_what_never_changes_or_is_not_read_has_parts_of_exactly_0(way):
    x = x_of(60, 0)
    x[:, 0] = 0.1
    weights = np.array([3.7, 0.0, 1.1, -0.3])
    rows = rows_of(f"explain.shap(way={way}, background=30)", model_of(weights), x)
    for name in ("x0", "x1"):
        assert not rows.filter(variant=name)["attribution"].to_numpy().any()
    for name in ("x2", "x3"):
        assert (rows.filter(variant=name)["attribution"].abs() > 1e-6).all()
    assert rows.filter(variant="x0")["background_shift"].unique().to_list() == [0]


def test_the_level_moves_with_the_seed_and_a_gap_of_a_linear_score_does_not():
    levels, gaps = [], []
    for seed in (1, 2):
        rows = rows_of("explain.gap(background=10)", model_of(), x_of(60, 0), seed)
        log = eh.log(rows.filter(variant="x1"), kind="attributions", groups=["side"])
        levels.append(eh.estimate("mean_attribution", log).value)
        (pair,) = eh.estimates(["pairs(mean_attribution, by=side)"], log)
        gaps.append(pair.value)
        shift = rows.filter(variant="x1")["background_shift"]
        assert shift.max() - shift.min() < 1e-12
    # Weight 2 times the difference of means of two draws of 10: a standard error of about .9.
    assert abs(levels[0] - levels[1]) > 0.1
    assert gaps[0] == pytest.approx(gaps[1], abs=1e-12)


def test_shifts_of_trees_come_from_two_halves_that_add_up():
    ensemble = pytest.importorskip("sklearn.ensemble")
    pytest.importorskip("shap")
    from evenhand.models.function import sklearn

    x = x_of(200, 4)
    trees = ensemble.RandomForestClassifier(n_estimators=5, max_depth=3, random_state=0)
    model = sklearn(trees.fit(x, (waves(x) > 0).astype(int)), SPEC)
    written = "explain.shap(background=15, link=probability{})"
    found = rows_of(written.format(""), model, x[:20])
    exact = rows_of(written.format(", way=enumerate"), model, x[:20])
    for name in ("attribution", "background_shift"):
        np.testing.assert_allclose(found[name], exact[name], atol=3e-8)


def test_the_level_of_parts_is_said_to_be_that_of_the_background():
    inputs = inputs_of(x_of(60, 0), SPEC, labels=["no", "yes"] * 30)
    found = run(probe_of("explain.shap"), waving(), inputs, version="0", believe=True)
    told = " ".join(found.made.probe["notes"])
    assert "is that of the background that was drawn: another seed moves it" in told
