"""Searched recourse by brute force: heaped columns, decisions that go back and forth, pairs."""

from __future__ import annotations

import itertools
import json

import numpy as np
import polars as pl
import pytest

from evenhand.models.function import FunctionModel, linear
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes.run import most_asked, run
from evenhand.probes.written import probe_of

SAID = np.array(["no", "yes"])


def found_of(decide, x, high=1e5, written="counterfactual", model=None, **said):
    """Return costs of those who are refused, NaN of others, inf without, and what they become."""
    spec = Spec(labels=("no", "yes"), shape=(x.shape[1],), low=-1e5, high=high, output="labels")
    model = model or FunctionModel(lambda z: SAID[decide(z).astype(int)], spec)
    inputs = inputs_of(x, model.spec, labels=SAID[decide(x).astype(int)])
    names = tuple(f"x{place}" for place in range(x.shape[1]))
    object.__setattr__(inputs, "features", names)
    probe = probe_of(f"explain.{written}", **said)
    made = run(probe, model, inputs, version="0", believe=True)
    assert made.made.queries <= most_asked(probe.among(inputs), model, len(x))
    rows = pl.DataFrame({"source": inputs.ids}).join(
        made.rows, on="source", how="left", maintain_order="left"
    )
    z = x.copy()
    for place, changes in enumerate(rows["changes"]):
        for name, (_, value) in json.loads(changes or "{}").items():
            z[place, names.index(name)] = value
    turned = rows["recourse"].to_numpy() == 1
    assert decide(z[turned]).all()
    assert rows["recourse"].is_null().to_numpy().tolist() == decide(x).tolist()
    cost = rows["recourse_cost"].to_numpy().copy()
    cost[rows["recourse"].to_numpy() == 0] = np.inf
    off = np.sqrt((((z - x) / x.std(axis=0)) ** 2).sum(axis=1))
    assert cost[turned] == pytest.approx(off[turned])
    return cost, z


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("distinct", [40, 400])
def test_no_change_of_one_feature_is_cheaper_where_a_column_is_heaped_and_decisions_go_back(
    seed, distinct
):
    # Four of five have a gain of 0; three windows of gains and three of hours turn the decision,
    # none in between. A window of gains holds a twelfth of those that are seen, and begins
    # anywhere between two of them.
    rng = np.random.default_rng(seed)
    seen = np.sort(rng.choice(np.arange(200, 99_999), distinct, replace=False)).astype(float)
    gain = np.concatenate([np.zeros(1600), rng.permutation(np.resize(seen, 400))])
    hours = rng.integers(1, 61, 2000).astype(float)
    x = np.column_stack([gain, hours, rng.normal(size=2000)])
    width = distinct // 12
    first = np.array([2, 5, 9]) * width + rng.integers(0, width, 3)
    starts = seen[first - 1] + rng.uniform(0, 1, 3) * (seen[first] - seen[first - 1])
    late = rng.choice(np.arange(5, 56, 5), 3, replace=False)

    def decide(z):
        within = (z[:, [0]] >= starts) & (z[:, [0]] <= seen[first + width])
        return within.any(axis=1) | np.isin(z[:, 1], late)

    cost, _ = found_of(decide, x)
    refused = ~decide(x)
    scale = x.std(axis=0)
    # Every whole number of either feature: a decision hangs on one feature at a time.
    gains = np.arange(0.0, 100_000.0)
    gains = gains[decide(np.column_stack([gains, np.full((100_000, 2), 0.5)]))]
    place = np.searchsorted(gains, x[:, 0])
    below, above = gains[np.maximum(place - 1, 0)], gains[np.minimum(place, len(gains) - 1)]
    best = np.minimum(np.abs(below - x[:, 0]), np.abs(above - x[:, 0])) / scale[0]
    best = np.minimum(best, np.abs(late - x[:, [1]]).min(axis=1) / scale[1])
    # Between two gains that are seen the boundary is halved six times, to whole numbers.
    gaps = np.diff(seen)[np.concatenate([first - 1, first + width])]
    tolerance = (gaps.max() / 64 + 1) / scale[0]
    assert refused.sum() > 1000
    assert (cost[refused] <= best[refused] + tolerance).all()
    assert (cost[refused] >= best[refused] - 1e-12).all()


@pytest.mark.parametrize("seed", range(4))
def test_no_change_of_two_features_is_cheaper_where_values_are_few(seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 8, size=(300, 3)).astype(float)
    table = rng.uniform(size=(8, 8, 8)) < 0.02

    def decide(z):
        return table[tuple(np.clip(z, 0, 7).astype(int).T)]

    cost, _ = found_of(decide, x)
    lattice = np.array([*itertools.product(range(8), repeat=3)], float)
    lattice = lattice[decide(lattice)]
    for one, own in zip(cost, x, strict=True):
        if np.isnan(one):
            continue
        price = np.sqrt((((lattice - own) / x.std(axis=0)) ** 2).sum(axis=1))
        few = (lattice != own).sum(axis=1) < 3
        assert price.min() - 1e-12 <= one <= price[few].min(initial=np.inf) + 1e-12


@pytest.mark.parametrize("seed", range(6))
def test_whole_numbers_of_a_linear_score_are_at_most_a_step_dearer_than_the_closed_form(seed):
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.integers(0, 6, (300, 2)), rng.normal(size=300)]).astype(float)
    weights = np.array([1.0, 0.7, 0.3]) * rng.choice([-1, 1], 3)
    bias = -np.quantile(x @ weights, 0.9)
    spec = Spec(labels=("no", "yes"), shape=(3,), low=-1e3, high=1e3)
    model = linear(np.vstack([np.zeros(3), weights]), np.array([0.0, bias]), spec)

    def decide(z):
        return z @ weights + bias > 0

    cost, z = found_of(decide, x, model=model)
    assert (z[:, :2] == np.rint(z[:, :2])).all()
    scale, low, high = x.std(axis=0), x[:, 2].min(), x[:, 2].max()
    lattice = np.array([*itertools.product(range(6), repeat=2)], float)
    refused = np.flatnonzero(~decide(x))
    for place in refused:
        # Whatever whole numbers become, the third does what is left, as far as it may.
        left = -(lattice @ weights[:2] + weights[2] * x[place, 2] + bias)
        third = x[place, 2] + np.maximum(left, 0) / weights[2]
        off = np.column_stack([lattice - x[place, :2], third - x[place, 2]]) / scale
        price = np.sqrt((off**2).sum(axis=1))[(third >= low - 1e-9) & (third <= high + 1e-9)]
        best = price.min(initial=np.inf)
        assert np.isinf(cost[place]) == np.isinf(best)
        if np.isfinite(best):
            step = np.sqrt((1 / scale[:2] ** 2).sum())
            assert best - 1e-6 <= cost[place] <= best + step
    assert np.isfinite(cost[refused]).sum() > 0
    assert np.isnan(cost[decide(x)]).all()


@pytest.mark.parametrize("closed", [True, False])
def test_whole_numbers_end_at_the_last_inside_a_range(closed):
    x = np.array([[0.0, 0.5], [1.0, 0.1], [2.0, 0.7], [3.0, 0.2], [0.0, 0.9]])
    spec = Spec(labels=("no", "yes"), shape=(2,), low=-10, high=10)
    bias = -3.5
    model = linear(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([0.0, bias]), spec)
    if not closed:
        model = FunctionModel(lambda z: np.column_stack([0 * z[:, 0], z[:, 0] + bias]), spec)

    def decide(z):
        return z[:, 0] + bias > 0

    cost, z = found_of(decide, x, model=model, ranges=[("x0", -0.5, 4.5)], immutable=("x1",))
    assert np.isfinite(cost).all()
    assert (z[:, 0] == 4).all()
    cost, _ = found_of(decide, x, model=model, ranges=[("x0", -0.5, 3.9)], immutable=("x1",))
    assert np.isinf(cost).all()


def test_group_of_columns_whose_range_nobody_lies_in_stays_and_others_turn_the_decision():
    part = np.arange(20) % 2
    x = np.column_stack([part, 1 - part, np.arange(20)]).astype(float)

    def decide(z):
        return z[:, 2] >= 15

    written = "counterfactual(groups=[[x0, x1]])"
    cost, z = found_of(decide, x, written=written, ranges=[("x0", 0.2, 0.5)])
    assert (z[:, :2] == x[:, :2]).all()
    assert cost == pytest.approx(
        np.where(decide(x), np.nan, (15 - x[:, 2]) / x[:, 2].std()), nan_ok=True
    )
