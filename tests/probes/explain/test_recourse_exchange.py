"""Cheaper recourse beside what was found: by brute force, within its constraints, never dearer."""

from __future__ import annotations

import itertools
import json

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.models.function import FunctionModel, linear
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes.explain import counterfactual
from evenhand.probes.explain.exchange import Exchange, exchanged
from evenhand.probes.explain.recourse import Room
from evenhand.probes.explain.search import Search
from evenhand.probes.explain.tried import Tried
from evenhand.probes.run import most_asked, run
from evenhand.probes.written import probe_of

SAID = np.array(["no", "yes"])
NAMES = ("gain", "hours", "school", "part", "full", "job")
NOT_EXCHANGED = Search(exchange=Exchange(rounds=0))
"""The search as far as it goes without exchanges."""


def people(seed, size=300):
    """People of whom four in five have no gain; hours and schooling whole; a pair of one-hot."""
    rng = np.random.default_rng(seed)
    gain = np.where(rng.uniform(size=size) < 0.8, 0, rng.choice(SEEN, size)).astype(float)
    full = rng.integers(0, 2, size)
    return np.column_stack(
        [
            gain,
            np.clip(np.rint(rng.normal(40, 10, size)), 1, 60),
            np.clip(np.rint(rng.normal(10, 2.5, size)), 1, 16),
            1 - full,
            full,
            rng.integers(0, 3, size),
        ]
    )


SEEN = np.array([594, 1055, 2174, 3103, 3464, 4386, 4687, 5178, 6514, 7298, 8614, 10566, 15024])
_STARTS = np.array([0, 3050, 3120, 4670, 5060, 7075])
_WORTH = np.array([0, 2.2, 0.4, 3.0, 0.9, 4.0])


def score_of(z):
    """A score that hours and schooling raise, and narrow windows of gains: it goes back between."""
    gain = _WORTH[np.searchsorted(_STARTS, z[:, 0], side="right") - 1]
    job = np.where(z[:, 5] == 2, 0.5, 0)
    return gain + 0.06 * (z[:, 1] - 40) + 0.22 * (z[:, 2] - 10) + 0.4 * z[:, 4] + job - 3.3


def decide(z):
    return score_of(z) > 0


def rows_of(x, written="counterfactual", decide=decide, **said):
    """Return rows in the order of x, and what those who are refused become."""
    spec = Spec(labels=("no", "yes"), shape=(x.shape[1],), low=-1e5, high=1e5, output="labels")
    model = FunctionModel(lambda z: SAID[decide(z).astype(int)], spec)
    inputs = inputs_of(x, spec, labels=SAID[decide(x).astype(int)])
    object.__setattr__(inputs, "features", NAMES[: x.shape[1]])
    object.__setattr__(inputs, "values", {"job": ("clerk", "nurse", "smith")})
    probe = probe_of(f"explain.{written}", **said)
    made = run(probe, model, inputs, version="0", believe=True)
    assert made.made.queries <= most_asked(probe.among(inputs), model, len(x))
    rows = pl.DataFrame({"source": inputs.ids}).join(
        made.rows, on="source", how="left", maintain_order="left"
    )
    z = x.copy()
    for place, changes in enumerate(rows["changes"]):
        for name, (_, value) in json.loads(changes or "{}").items():
            at = NAMES.index(name)
            z[place, at] = ("clerk", "nurse", "smith").index(value) if name == "job" else value
    turned = rows["recourse"].to_numpy() == 1
    assert decide(z[turned]).all()
    return rows["recourse_cost"].to_numpy(), z


def cheapest(x, under, most, scale):
    """Return what the cheapest change of at most so many numbers costs, or ``under``.

    By brute force, where it is below: of gains at both ends of every window and all that are seen,
    all hours and all schooling.
    """
    gains = np.unique([*_STARTS, *(_STARTS[1:] - 1), *SEEN])
    lattice = np.array([*itertools.product(gains, range(1, 61), range(1, 17))], float)
    best = under.copy()
    for place, own in enumerate(x):
        off = (lattice - own[:3]) / scale
        price = np.sqrt((off**2).sum(axis=1))
        some = (price < under[place]) & ((off != 0).sum(axis=1) <= most)
        z = np.repeat(own[None], some.sum(), axis=0)
        z[:, :3] = lattice[some]
        best[place] = price[some][decide(z)].min(initial=under[place])
    return best


NUMBERS = {
    "immutable": ("part", "full", "job"),
    "ranges": [("gain", 0, 15_024), ("hours", 1, 60), ("school", 1, 16)],
}


def test_changes_that_are_much_cheaper_are_met_where_coarse_grids_pass_them_by(monkeypatch):
    x = [people(seed) for seed in range(3)]
    after = [rows_of(one, **NUMBERS)[0] for one in x]
    monkeypatch.setattr(counterfactual, "_SEARCH", NOT_EXCHANGED)
    before = [rows_of(one, **NUMBERS)[0] for one in x]
    much = np.zeros((2, 2))
    for own, *costs in zip(x, before, after, strict=True):
        refused = ~decide(own)
        told = [cost[refused] for cost in costs]
        for place, most in enumerate((2, 3)):
            best = cheapest(own[refused], told[0], most, own[:, :3].std(axis=0))
            much[place] += [(cost > 1.1 * best).mean() / len(x) for cost in told]
        assert (told[1] >= best - 1e-12).all()
    # Shares of those who are refused for whom something over 10 % cheaper is there: by two numbers,
    # by three.
    assert (much[:, 0] > 0.1).all()
    assert (much[:, 1] < 0.5 * much[:, 0]).all()


@pytest.mark.parametrize("cost", ["l2", "l1"])
@pytest.mark.parametrize("seed", range(3))
def test_nobody_is_told_more_than_without_exchanges_and_some_less(seed, cost, monkeypatch):
    x = people(seed)
    after, _ = rows_of(x, f"counterfactual(cost={cost})")
    monkeypatch.setattr(counterfactual, "_SEARCH", NOT_EXCHANGED)
    before, _ = rows_of(x, f"counterfactual(cost={cost})")
    refused = ~decide(x)
    assert (after <= before)[refused].all()
    assert (after < before - 1e-9)[refused].mean() > 0.05
    assert np.isnan(after[~refused]).all()


@pytest.mark.parametrize("cost", ["l2", "l1"])
@pytest.mark.parametrize("seed", range(3))
def test_changes_that_took_the_place_of_others_keep_what_is_told(seed, cost, monkeypatch):
    x = people(seed)
    # Nobody works more than 40 hours, so that a range from there lets hours rise only.
    x[:, 1] = np.minimum(x[:, 1], 40)
    said = {
        "immutable": ("school",),
        "ranges": [("hours", 40, 55), ("gain", 0, 9_000)],
    }
    written = f"counterfactual(cost={cost}, groups=[[part, full]])"
    _, z = rows_of(x, written, **said)
    monkeypatch.setattr(counterfactual, "_SEARCH", NOT_EXCHANGED)
    _, before = rows_of(x, written, **said)
    theirs = (z != before).any(axis=1)
    assert theirs.sum() > 5
    x, z = x[theirs], z[theirs]
    assert (z[:, 2] == x[:, 2]).all()
    assert (z[:, :5] == np.rint(z[:, :5])).all()
    assert (z[:, 3] + z[:, 4] == 1).all()
    moved = z[:, 1] != x[:, 1]
    assert moved.any()
    assert (z[moved, 1] > x[moved, 1]).all()
    assert ((z[moved, 1] >= 40) & (z[moved, 1] <= 55)).all()
    gains = z[:, 0] != x[:, 0]
    assert ((z[gains, 0] >= 0) & (z[gains, 0] <= 9_000)).all()


def test_cost_of_a_linear_score_is_its_size_by_the_norm_by_group_and_a_search_comes_near(
    monkeypatch,
):
    weights, bias = np.array([1.0, -2.0, 0.5]), -1.0
    corners = np.array([*itertools.product((-0.5, 1.5), repeat=3)])
    x = np.concatenate([corners, np.random.default_rng(0).uniform(-0.5, 1.5, (192, 3))])
    score, spread = x @ weights + bias, x.std(axis=0)
    side = np.where(np.arange(len(x)) % 3 == 0, "left", "right")
    spec = Spec(labels=("no", "yes"), shape=(3,), low=-50, high=50)
    closed = linear(np.vstack([np.zeros(3), weights]), np.array([0.0, bias]), spec)
    hidden = FunctionModel(lambda z: np.column_stack([0 * z[:, 0], z @ weights + bias]), spec)

    def costs(model):
        inputs = inputs_of(x, spec, labels=SAID[(score > 0).astype(int)], groups={"side": side})
        object.__setattr__(inputs, "features", NAMES[:3])
        wide = [(name, -50.0, 50.0) for name in NAMES[:3]]
        probe = probe_of("explain.counterfactual", ranges=wide)
        found = run(probe, model, inputs, groups=("side",), version="0", believe=True).rows
        means = [
            eh.estimate("mean_recourse_cost", eh.log(its, kind="attributions")).value
            for _, its in sorted(found.group_by("side"))
        ]
        order = pl.DataFrame({"source": inputs.ids})
        found = order.join(found, on="source", how="left", maintain_order="left")
        return found["recourse_cost"].to_numpy(), means

    exact = np.where(score > 0, np.nan, -score / np.linalg.norm(weights * spread))
    cost, means = costs(closed)
    assert cost == pytest.approx(exact, nan_ok=True)
    assert means == pytest.approx([np.nanmean(exact[side == one]) for one in ("left", "right")])
    after, _ = costs(hidden)
    monkeypatch.setattr(counterfactual, "_SEARCH", NOT_EXCHANGED)
    before, _ = costs(hidden)
    refused = score <= 0
    assert (after >= exact * (1 - 1e-6))[refused].all()
    over = [np.mean((told / exact)[refused] - 1) for told in (before, after)]
    assert over[1] < over[0] / 2


ROOM = Room(
    scale=np.array([8000.0, 10.0, 2.5, 1.0]),
    low=np.array([0.0, 1.0, 1.0, 0.0]),
    high=np.array([15_000.0, 60.0, 16.0, 2.0]),
    text=np.array([False, False, False, True]),
    whole=np.ones(4, dtype=bool),
    members=((0,), (1,), (2,), (3,)),
    cost="l2",
)
VALUES = [
    Tried(np.array([[0.0], [3103], [7298], [15_000]]), np.array([0.0, 3103, 7298, 15_000])),
    *(Tried(np.arange(1.0, 1 + most)[:, None], np.arange(1.0, 1 + most)) for most in (60, 16)),
    Tried(np.array([[0.0], [1.0], [2.0]]), np.empty(0)),
]


def exchanged_by(decided, own, change, **how):
    """Return what an exchange makes of one change, nothing being made shorter."""
    return exchanged(
        decided,
        np.array([own]),
        np.array([change]),
        VALUES,
        room=ROOM,
        how=Exchange(**how),
        shorter=lambda _, z: z,
    )[0]


def test_window_of_values_on_the_way_is_met_where_hours_turn_it_too():
    # Gains of 3,050 to 3,119 turn the decision with more hours, 7,298 turns it alone: .91.
    own, change = [0.0, 40, 10, 0], [7298.0, 40, 10, 0]

    def decided(z):
        window = (z[:, 0] >= 3050) & (z[:, 0] < 3120) & (z[:, 1] > 40)
        return window | (z[:, 0] >= 7298)

    found = exchanged_by(decided, own, change)
    assert found[0] == 3103
    assert found[1] > 40
    assert decided(found[None]).all()
    assert (found == np.rint(found)).all()
    assert ROOM.price(np.array(own), found) < ROOM.price(np.array(own), np.array(change))


def test_text_goes_back_for_two_numbers_and_a_number_for_text():
    own = [0.0, 40, 10, 0]

    def both(z):
        return (z[:, 3] == 1) | ((z[:, 1] >= 42) & (z[:, 2] >= 11))

    found = exchanged_by(both, own, [0.0, 40, 10, 1])
    assert found[3] == 0
    assert found[1] >= 42
    assert found[2] >= 11

    def word(z):
        return (z[:, 3] == 1) | (z[:, 0] >= 15_000)

    assert exchanged_by(word, own, [15_000.0, 40, 10, 0]).tolist() == [0, 40, 10, 1]


def test_change_stays_where_nothing_cheaper_turns_the_decision():
    change = [7298.0, 40, 10, 0]
    assert exchanged_by(lambda z: z[:, 0] >= 7298, [0.0, 40, 10, 0], change).tolist() == change


OWN, CHANGE = [0.0, 40, 10, 0], [7298.0, 40, 10, 0]
ON_THE_WAY = 2
"""Queries of 3,103, the one gain of the grid on the way: all others at once, up and down."""


def asked_of(asked):
    """Return what is asked where gains of 7,298 alone turn the decision."""
    count = 0

    def decided(z):
        nonlocal count
        count += len(z)
        return z[:, 0] >= 7298

    assert exchanged_by(decided, OWN, CHANGE, asked=asked).tolist() == CHANGE
    return count


def test_what_is_seen_on_the_way_costs_two_queries_where_all_others_turn_nothing():
    # Gains go back to nothing and stand at three shares of their way; there hours and schooling go
    # up and down, and both in four ways. Another job is dearer than the change.
    assert 0 < asked_of(1_000) <= 4 * (4 + 4) + ON_THE_WAY


def test_no_more_is_asked_in_a_round_than_there_is_room_for():
    assert asked_of(1) == 1 * 4 + ON_THE_WAY < asked_of(1_000)
