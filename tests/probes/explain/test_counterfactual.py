"""Recourse: closed forms of linear scores (T3), optimisers, searches, failures that are kept."""

from __future__ import annotations

import itertools
import json

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog, minimize

import evenhand as eh
from evenhand.errors import ModelError
from evenhand.models.function import FunctionModel, linear
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes.explain import recourse
from evenhand.probes.explaining import Explaining
from evenhand.probes.run import most_asked, run
from evenhand.probes.written import probe_of

NAMES = ("age", "pay", "hours")
WEIGHTS = np.array([1.0, -2.0, 0.5])
SPEC = Spec(labels=("no", "yes"), shape=(3,), low=-50.0, high=50.0)
WIDE = tuple((name, -50.0, 50.0) for name in NAMES)


def model_of(bias=-0.5):
    return linear(np.vstack([np.zeros(3), WEIGHTS]), np.array([0.0, bias]), SPEC)


def inputs_for(x=None, size=150, values=None):
    x = np.random.default_rng(1).normal(size=(size, 3)) if x is None else x
    labels = [SPEC.labels[one] for one in (x @ WEIGHTS > 0).astype(int)]
    groups = {"side": np.random.default_rng(2).choice(["left", "right"], len(x))}
    found = inputs_of(x, SPEC, labels=labels, groups=groups)
    object.__setattr__(found, "features", NAMES)
    object.__setattr__(found, "values", values or {})
    return found


def rows_of(written, model=None, inputs=None, **said):
    inputs = inputs_for() if inputs is None else inputs
    probe = probe_of(f"explain.{written}", **said)
    return run(probe, model or model_of(), inputs, version="0", believe=True).rows


def test_cost_of_a_linear_score_is_its_size_by_the_norm_of_the_weights():
    # Of all corners of a cube the deviation is 1; at the last the score is -1. Were they whole
    # numbers, changes would be too.
    x = np.array([*itertools.product((-0.5, 1.5), repeat=3)])
    rows = rows_of("counterfactual", model_of(-0.25), inputs_for(x), ranges=WIDE)
    cost = dict(zip(map(tuple, x.tolist()), rows["recourse_cost"], strict=True))
    assert x[-1] @ WEIGHTS - 0.25 == -1
    assert cost[1.5, 1.5, 1.5] == pytest.approx(0.436436, abs=5e-7)
    score = x @ WEIGHTS - 0.25
    for one, value in zip(x.tolist(), score, strict=True):
        wanted = None if value > 0 else pytest.approx(-value / np.linalg.norm(WEIGHTS), rel=1e-12)
        assert cost[tuple(one)] == wanted


def room_of(rng, cost, size=4):
    return recourse.Room(
        scale=rng.uniform(0.5, 2, size),
        low=-rng.uniform(0, 2, size),
        high=rng.uniform(0, 2, size),
        text=np.zeros(size, dtype=bool),
        whole=np.zeros(size, dtype=bool),
        members=((0,), (1,), (3,)),
        cost=cost,
    )


@pytest.mark.parametrize("seed", range(12))
def test_least_norm_within_ranges_is_that_of_an_optimiser(seed):
    rng = np.random.default_rng(seed)
    room, slope, x = room_of(rng, "l2"), rng.normal(size=4), np.zeros((1, 4))
    score = np.array([-rng.uniform(0.1, 2.0)])
    found, price = recourse.linear(slope, score, x, room)
    free = np.array([True, True, False, True])
    bounds = [
        (lo, hi) if may else (0, 0) for lo, hi, may in zip(room.low, room.high, free, strict=True)
    ]
    most = sum(max(w * lo, w * hi) for w, (lo, hi) in zip(slope, bounds, strict=True))
    if most < -score[0]:
        assert np.isnan(price[0])
        return
    best = minimize(
        lambda d: ((d / room.scale) ** 2).sum(),
        np.zeros(4),
        jac=lambda d: 2 * d / room.scale**2,
        bounds=bounds,
        constraints={"type": "ineq", "fun": lambda d: slope @ d + score[0], "jac": lambda _: slope},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert slope @ found[0] == pytest.approx(-score[0])
    assert (found >= room.low - 1e-12).all()
    assert (found <= room.high + 1e-12).all()
    assert price[0] == pytest.approx(np.sqrt(best.fun), abs=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_least_sum_within_ranges_is_that_of_a_linear_program(seed):
    rng = np.random.default_rng(100 + seed)
    room, slope, x = room_of(rng, "l1"), rng.normal(size=4), np.zeros((1, 4))
    score = np.array([-rng.uniform(0.1, 2.0)])
    _, price = recourse.linear(slope, score, x, room)
    ends = [(0, hi) if may else (0, 0) for hi, may in zip(room.high, (1, 1, 0, 1), strict=True)]
    ends += [(0, -lo) if may else (0, 0) for lo, may in zip(room.low, (1, 1, 0, 1), strict=True)]
    each = np.concatenate([1 / room.scale] * 2)
    best = linprog(each, A_ub=-np.concatenate([slope, -slope])[None], b_ub=score, bounds=ends)
    if not best.success:
        assert np.isnan(price[0])
        return
    assert price[0] == pytest.approx(best.fun)


@pytest.mark.parametrize("cost", ["l2", "l1"])
@pytest.mark.parametrize("seed", range(8))
def test_columns_outside_of_their_ranges_stay_or_enter_and_the_cheapest_is_taken(seed, cost):
    rng = np.random.default_rng(200 + seed)
    room, slope = room_of(rng, cost), rng.normal(size=4)
    x, score = np.array([[-3.0, 3.5, 0.0, 0.1]]), np.array([-0.7])
    found, price = recourse.linear(slope, score, x, room)
    # Over a grid of whatever may be changed: outside there is what stands, and nothing else.
    ways = [
        np.unique([*np.linspace(low, high, 121), own]) - own
        for own, low, high in zip(x[0], room.low, room.high, strict=True)
    ]
    ways[2] = np.zeros(1)
    d = np.stack(np.meshgrid(*ways, indexing="ij"), axis=-1).reshape(-1, 4)
    d = d[d @ slope >= 0.7]
    if not len(d):
        assert np.isnan(price[0])
        return
    off = np.abs(d / room.scale)
    least = (np.sqrt((off**2).sum(axis=1)) if cost == "l2" else off.sum(axis=1)).min()
    assert least - 0.1 < price[0] < least + 1e-9
    assert ((found[0] - x[0]) @ slope) >= 0.7 - 1e-9
    inside = (found[0] >= room.low - 1e-12) & (found[0] <= room.high + 1e-12)
    assert (inside | (found[0] == x[0])).all()


@pytest.mark.parametrize("cost", ["l2", "l1"])
@pytest.mark.parametrize("closed", [True, False])
def test_who_is_outside_a_range_does_not_move_to_where_it_is_still_left(closed, cost):
    inputs = inputs_for(np.random.default_rng(5).normal(size=(150, 3)) * 4)
    rows = rows_of(
        f"counterfactual(cost={cost})",
        model_of() if closed else hidden(),
        inputs,
        ranges=[("age", 1.0, 3.0), ("pay", -2.5, -0.5)],
    )
    moved = {"age": 0, "pay": 0}
    for changes in rows["changes"].drop_nulls():
        for name, (_, value) in json.loads(changes).items():
            if name in moved:
                low, high = {"age": (1.0, 3.0), "pay": (-2.5, -0.5)}[name]
                assert low <= value <= high
                moved[name] += 1
    assert min(moved.values()) > 5


def test_what_is_immutable_stays_and_failures_are_counted_and_not_dropped():
    inputs = inputs_for()
    rows = rows_of("counterfactual(immutable=[age, pay])", inputs=inputs)
    asked = rows.filter(pl.col("recourse").is_not_null())
    unfavourable = inputs.x @ WEIGHTS - 0.5 <= 0
    assert len(asked) == unfavourable.sum()
    reach = inputs.x @ WEIGHTS - 0.5 + WEIGHTS[2] * (inputs.x[:, 2].max() - inputs.x[:, 2])
    clear = np.abs(reach[unfavourable]) > 1e-6
    assert (asked["recourse"].to_numpy() == (reach[unfavourable] > 0))[clear].all()
    assert asked["recourse_cost"].is_null().equals(asked["recourse"] == 0)
    assert all([*json.loads(one)] == ["hours"] for one in asked["changes"].drop_nulls())
    log = eh.log(rows, kind="attributions")
    assert eh.estimate("no_recourse", log).value == pytest.approx(1 - asked["recourse"].mean())
    cost = eh.estimate("mean_recourse_cost", log).value
    assert cost == pytest.approx(asked["recourse_cost"].mean())
    assert 0 < asked["recourse"].mean() < 1


def hidden():
    """The linear model, of which nobody sees that it is one."""
    return FunctionModel(lambda x: np.column_stack([np.zeros(len(x)), x @ WEIGHTS - 0.5]), SPEC)


@pytest.mark.parametrize("cost", ["l1", "l2"])
def test_search_is_never_cheaper_than_the_closed_form_and_mostly_near_it(cost):
    exact = rows_of(f"counterfactual(cost={cost})")
    found = rows_of(f"counterfactual(cost={cost})", hidden())
    both = exact.join(found, on="source").filter(pl.col("recourse_cost").is_not_null())
    assert both["recourse"].equals(both["recourse_right"], check_names=False)
    ratio = (both["recourse_cost_right"] / both["recourse_cost"]).to_numpy()
    assert ratio.min() > 1 - 1e-6
    assert np.median(ratio) < 1.5


def test_search_over_few_values_finds_the_cheapest_single_change():
    # Favourable is a pay of 3 or more, or an age of 9: one change each.
    rng = np.random.default_rng(0)
    x = np.column_stack(
        [rng.integers(0, 10, 200), rng.integers(0, 5, 200), rng.integers(0, 4, 200)]
    )
    x = x.astype(float)
    spec = Spec(labels=("no", "yes"), shape=(3,), low=-50.0, high=50.0, output="labels")
    said = np.array(["no", "yes"])
    model = FunctionModel(lambda z: said[((z[:, 1] >= 3) | (z[:, 0] >= 9)).astype(int)], spec)
    rows = rows_of("counterfactual", model, inputs_for(x))
    scale = x.std(axis=0)
    for row, one in zip(rows.iter_rows(named=True), x, strict=True):
        if one[1] >= 3 or one[0] >= 9:
            assert row["recourse"] is None
            continue
        wanted = min((3 - one[1]) / scale[1], (9 - one[0]) / scale[0])
        assert row["recourse_cost"] == pytest.approx(wanted)
        assert json.loads(row["changes"]) in ({"pay": [one[1], 3]}, {"age": [one[0], 9]})


def test_change_of_text_costs_1_and_is_told_in_words():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(0, 3, 90), rng.normal(size=90), rng.normal(size=90)])
    model = FunctionModel(
        lambda z: np.column_stack([np.zeros(len(z)), np.where(np.rint(z[:, 0]) == 2, 1.0, -1.0)]),
        SPEC,
    )
    inputs = inputs_for(x, values={"age": ("young", "grown", "old")})
    rows = rows_of("counterfactual", model, inputs).filter(pl.col("recourse").is_not_null())
    assert {*rows["recourse_cost"]} == {1.0}
    assert {*rows["changes"]} == {'{"age": ["young", "old"]}', '{"age": ["grown", "old"]}'}


def test_found_changes_turn_the_decision_and_rows_do_not_hang_on_blocks(monkeypatch):
    whole = rows_of("counterfactual", hidden())
    monkeypatch.setattr(Explaining, "block", 11)
    assert rows_of("counterfactual", hidden()).drop("queries").equals(whole.drop("queries"))


def test_of_two_decisions_either_can_be_wanted():
    rows = rows_of("counterfactual(favourable=no)")
    inputs = inputs_for()
    assert (rows["recourse"].is_not_null() == (inputs.x @ WEIGHTS - 0.5 > 0)).all()


@pytest.mark.parametrize("model", [model_of, hidden])
def test_it_costs_what_is_said_at_most(model):
    made, inputs = model(), inputs_for()
    probe = probe_of("explain.counterfactual").among(inputs)
    most = most_asked(probe, made, len(inputs))
    found = run(probe, made, inputs, version="0", believe=True)
    assert found.made.queries == made.queries <= most


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"immutable": "agee"}, "no feature 'agee'"),
        ({"immutable": NAMES}, "no feature is left"),
        ({"ranges": [("agee", 0, 1)]}, "no feature 'agee'"),
        ({"ranges": [("age", 2, 1)]}, "is no range"),
        ({"ranges": [("age", -60, 1), ("pay", 0, 70)]}, r"say --range -60 70;"),
        ({"ranges": [("age", 0, 70.1234567891)]}, r"say --range -50 70.1234567891;"),
    ],
)
def test_features_and_ranges_that_are_none_are_refused(said, why):
    with pytest.raises(ModelError, match=why):
        rows_of("counterfactual", **said)


def test_range_of_what_never_changes_is_refused():
    x = inputs_for().x.copy()
    x[:, 0] = 2.0
    with pytest.raises(ModelError, match="age never changes"):
        rows_of("counterfactual", inputs=inputs_for(x), ranges=[("age", 0, 4)])


@pytest.mark.parametrize("said", [{}, {"ranges": [("age", -3, 3)]}])
def test_one_example_tells_no_ranges_and_no_costs(said):
    every = inputs_for()
    alone = every.take(slice(0, 1))
    with pytest.raises(ModelError, match="by how examples differ, and there is one"):
        rows_of("counterfactual", inputs=alone, **said)


@pytest.mark.parametrize("ends", [(20.0, 30.0), (-30.0, -20.0)])
def test_range_that_holds_no_value_that_is_seen_is_entered_at_its_ends(ends):
    rows = rows_of("counterfactual", hidden(), ranges=[("age", *ends)], immutable=("pay", "hours"))
    asked = rows.filter(pl.col("recourse").is_not_null())
    # Age raises the score: by 20 it turns every decision, below it turns none.
    assert asked["recourse"].unique().to_list() == [float(ends[0] > 0)]
    into = [json.loads(one)["age"][1] for one in asked["changes"].drop_nulls()]
    assert into == [20.0] * (len(asked) if ends[0] > 0 else 0)


def test_closed_form_of_whole_numbers_is_said_to_round_them_and_one_hot_columns_are_named():
    rng = np.random.default_rng(3)
    side = rng.integers(0, 2, 150)
    x = np.column_stack([rng.normal(size=150), side, 1 - side]).astype(float)
    inputs = inputs_for(x)
    object.__setattr__(inputs, "features", ("age", "side_a", "side_b"))
    probe = probe_of("explain.counterfactual")
    notes = " ".join(run(probe, model_of(), inputs, version="0").made.probe["notes"])
    assert "costs are at most these" in notes
    assert "rounded to the next that turns the decision (side_a, side_b)" in notes
    assert "bounded on neither side" in notes
    assert "one-hot: of side_a, side_b" in notes
    exact = " ".join(run(probe, model_of(), inputs_for(), version="0").made.probe["notes"])
    assert "costs are exact: the closed form" in exact


@pytest.mark.parametrize(
    "written", ["(cost=linf)", "(ranges=[[age, 1]])", "(ranges=[age, low, high])"]
)
def test_parameters_that_cannot_be_meant_are_refused(written):
    with pytest.raises(ModelError, match=r"explain\.counterfactual"):
        probe_of(f"explain.counterfactual{written}")


def test_what_the_model_does_not_read_stays_anyway_and_is_said_so():
    rows = run(
        probe_of("explain.counterfactual", immutable="side"), model_of(), inputs_for(), version="0"
    )
    assert "not read by the model, so that they stay anyway: side" in rows.made.probe["notes"]


def test_values_that_the_log_tells_turn_the_decision_to_the_last_digit():
    inputs = inputs_for()
    for model in (model_of(), hidden()):
        rows = rows_of("counterfactual", model, inputs).filter(pl.col("recourse") == 1)
        x = dict(zip(inputs.ids.tolist(), inputs.x, strict=True))
        z = np.stack([x[one] for one in rows["source"]])
        for place, changes in enumerate(rows["changes"]):
            for name, (before, after) in json.loads(changes).items():
                assert z[place, NAMES.index(name)] == before
                z[place, NAMES.index(name)] = after
        assert (model.predict(z) == 1).all()


def test_of_three_decisions_the_one_that_is_wanted_is_reached_from_both_others():
    spec = Spec(labels=("low", "mid", "high"), shape=(3,), low=-50.0, high=50.0, output="labels")
    said = np.array(spec.labels)
    model = FunctionModel(lambda x: said[np.digitize(x[:, 0], [-0.5, 0.5])], spec)
    inputs = inputs_for()
    object.__setattr__(inputs, "labels", np.zeros(len(inputs.x), np.int64))
    rows = rows_of("counterfactual(favourable=mid)", model, inputs)
    own = np.digitize(inputs.x[:, 0], [-0.5, 0.5])
    assert (rows["recourse"].is_null().to_numpy() == (own == 1)).all()
    assert {*own} == {0, 1, 2}
    for row, age in zip(rows.iter_rows(named=True), inputs.x[:, 0], strict=True):
        if row["recourse"] is None:
            continue
        ((name, (before, after)),) = json.loads(row["changes"]).items()
        assert (name, before) == ("age", age)
        assert -0.5 <= after < 0.5
        # By halves six times: a 64th of the way to a value that is seen is what is missed at most.
        least = min(abs(age + 0.5), abs(age - 0.5)) / inputs.x[:, 0].std()
        assert least <= row["recourse_cost"] < least + 0.1


def test_changes_of_single_precision_are_what_the_model_was_asked_about():
    rng = np.random.default_rng(3)
    # The end of a range that single precision rounds up to a threshold, which it does not reach.
    edges = np.array([np.float32(1.7), 0.4, -0.3], np.float64)
    assert edges[0] > 1.7

    def scores(x):
        above = (np.asarray(x, np.float64) >= edges).sum(axis=1)
        return np.stack([np.full(len(x), 1.5), above], axis=1)

    x = rng.uniform(-2, 2, (120, 3)).astype(np.float32)
    model = FunctionModel(scores, SPEC)
    ranges = (("age", -1.9, 1.7), ("pay", -1.7, 1.9))
    rows = rows_of("counterfactual", model, inputs_for(x), ranges=ranges, immutable="hours")
    told = 0
    for row, one in zip(rows.iter_rows(named=True), x.astype(np.float64), strict=True):
        if row["changes"] is None:
            continue
        told += 1
        there = one.copy()
        for name, (before, value) in json.loads(row["changes"]).items():
            assert before == one[NAMES.index(name)]
            assert ranges[NAMES.index(name)][1] <= value <= ranges[NAMES.index(name)][2]
            there[NAMES.index(name)] = value
        assert model.predict(there[None]) == 1
        cost = np.linalg.norm((there - one) / x.astype(np.float64).std(axis=0))
        assert row["recourse_cost"] == pytest.approx(cost, rel=1e-12)
    assert told > 20
