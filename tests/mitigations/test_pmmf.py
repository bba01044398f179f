import math

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from evenhand.errors import RoleError, StateMergeError
from evenhand.mitigations.candidates import NOBODY, Candidates, candidates_of
from evenhand.mitigations.controller import State
from evenhand.mitigations.pmmf import PMMF, onto_simplex
from naive_exposure import weight as attention_of

NAMES = ("large", "middle", "small")
SIZES = (6, 3, 1)


def requests(rng, count):
    """Return requests whose candidates of small groups have lower scores."""
    groups = np.repeat(np.arange(3), SIZES)
    scores = rng.random((count, 10)) * (1 - 0.25 * groups)
    return Candidates(scores, np.tile(groups, (count, 1)), NAMES)


def one(asked, row):
    return Candidates(asked.scores[[row]], asked.groups[[row]], asked.names)


def course(controller, asked, k):
    """Return the controller after all requests, prices before each, what each was shown."""
    prices, orders = [], []
    for row in range(asked.requests):
        single = one(asked, row)
        prices.append(controller.prices())
        orders.append(controller.rerank(single, k).order)
        controller = controller.after(single, orders[-1])
    return controller, np.array(prices), np.concatenate(orders)


def naive_shares(asked, orders):
    """Return the share of attention of each group in each request, and its mean score."""
    slots = orders.shape[1]
    weights = [attention_of(slot) / sum(map(attention_of, range(1, slots + 1)))
               for slot in range(1, slots + 1)]  # fmt: skip
    shares, means = np.zeros((len(orders), len(asked.names))), np.zeros(len(orders))
    for row, order in enumerate(orders.tolist()):
        for slot, place in enumerate(order):
            shares[row, asked.groups[row, place]] += weights[slot]
            means[row] += weights[slot] * asked.scores[row, place]
    return shares, means


def objective(shares, means, due, weight):
    return means.mean() + weight * (shares.mean(axis=0) / due).min()


@pytest.mark.parametrize("seed", range(3))
def test_worst_group_rises_at_some_cost(seed):
    asked = requests(np.random.default_rng(seed), 800)
    controller, _, orders = course(PMMF(State.of(NAMES), weight=0.5), asked, 3)
    due = np.full(3, 1 / 3)
    before, plain = naive_shares(asked, asked.best(3))
    after, means = naive_shares(asked, orders)
    worst = (after.mean(axis=0) / due).min()
    assert worst > 2 * (before.mean(axis=0) / due).min()
    assert means.mean() < plain.mean()
    assert objective(after, means, due, 0.5) > objective(before, plain, due, 0.5)
    assert controller.worst == pytest.approx(worst)


@pytest.mark.parametrize("step", [None, 0.02, 0.5])
@pytest.mark.parametrize("targets", [None, {"large": 0.6, "middle": 0.3, "small": 0.1}])
def test_prices_have_no_more_regret_than_stated(step, targets):
    # For any sequence: what prices cost, less the least that fixed prices would have cost.
    weight, count = 0.5, 600
    asked = requests(np.random.default_rng(7), count)
    start = PMMF(State.of(NAMES), weight=weight, targets=targets, step=step)
    _, prices, orders = course(start, asked, 3)
    due = np.array([*targets.values()]) if targets else np.full(3, 1 / 3)
    gradients = naive_shares(asked, orders)[0] / due
    assert prices.min() >= 0
    assert prices.sum(axis=1) == pytest.approx(np.full(count, weight))
    for rounds in (1, 10, 100, count):
        paid = (prices[:rounds] * gradients[:rounds]).sum()
        least = weight * gradients[:rounds].sum(axis=0).min()
        assert paid - least <= rounds * start.bound(rounds) + 1e-12


@pytest.mark.slow
def test_it_comes_near_the_best_policy_in_hindsight():
    # Two groups have one price: the dual is a function of one number, and bounds every policy.
    rng = np.random.default_rng(3)
    count, weight, k = 3000, 0.4, 2
    groups = np.array([0, 0, 0, 0, 1, 1])
    scores = rng.random((count, 6)) * np.where(groups == 1, 0.6, 1.0)
    asked = Candidates(scores, np.tile(groups, (count, 1)), ("a", "b"))
    due = np.array([0.5, 0.5])
    attention = np.array([1.0, 1 / math.log2(3)])
    attention /= attention.sum()

    def dual(price):
        raised = scores + np.array([price, weight - price])[groups] / 0.5
        return (-np.sort(-raised, axis=1)[:, :k] @ attention).mean()

    best = minimize_scalar(dual, bounds=(0, weight), method="bounded").fun
    start = PMMF(State.of(("a", "b")), weight=weight)
    _, _, orders = course(start, asked, k)
    shares, means = naive_shares(asked, orders)
    reached = objective(shares, means, due, weight)
    assert reached <= best + 1e-6
    assert reached >= best - start.bound(count)
    untouched = objective(*naive_shares(asked, asked.best(k)), due, weight)
    assert best - reached < 0.1 * (best - untouched)


def test_bound_falls_as_the_root_of_requests():
    start = PMMF(State.of(NAMES), weight=1)
    assert start.bound(400) == pytest.approx(start.bound(100) / 2)
    # The step by default has the least bound.
    for step in (0.5, 2):
        other = PMMF(State.of(NAMES), weight=1, step=step * start._first())  # noqa: SLF001
        assert other.bound(100) > start.bound(100)


def test_first_request_and_no_weight_are_by_score():
    asked = requests(np.random.default_rng(0), 20)
    assert PMMF(State.of(NAMES), weight=9).rerank(asked, 4).order.tolist() == asked.best(4).tolist()
    controller, _, orders = course(PMMF(State.of(NAMES), weight=0), asked, 4)
    assert orders.tolist() == asked.best(4).tolist()
    assert controller.bound(1) == 0


def test_prices_fall_on_the_group_that_is_worst_off():
    asked = candidates_of([[0.9, 0.5, 0.1]], [["large", "large", "middle"]], NAMES)
    controller = PMMF(State.of(NAMES), weight=1, step=5.0)
    for _ in range(4):
        controller = controller.after(asked, np.array([[0, 1, 2]]))
    assert controller.prices().tolist() == [0, 0, 1]
    assert controller.worst == 0


def test_states_of_two_servers_merge_to_what_one_would_know():
    asked = requests(np.random.default_rng(1), 60)
    left = PMMF(State.of(NAMES), weight=1, server="left")
    right = PMMF(State.of(NAMES), weight=1, server="right")
    alone = PMMF(State.of(NAMES), weight=1)
    for row in range(60):
        single = one(asked, row)
        alone = alone.after(single, asked.best(3)[[row]])
        if row % 2:
            left = left.after(single, asked.best(3)[[row]])
        else:
            right = right.after(single, asked.best(3)[[row]])
    merged = left.merge(right.state)
    assert merged.prices().tolist() == right.merge(left.state, left.state).prices().tolist()
    assert merged.prices() == pytest.approx(alone.prices())
    assert merged.rollback(State.from_json(left.state.to_json())).prices() == pytest.approx(
        left.prices()
    )
    with pytest.raises(StateMergeError):
        left.merge(State.of(["other"]))


def test_who_has_no_group_keeps_its_score_and_counts_for_none():
    asked = candidates_of([[0.9, 0.8], [0.4]], [[None, "small"], [None]], NAMES)
    controller = PMMF(State.of(NAMES), weight=0)
    order = controller.rerank(asked, 2).order
    assert order.tolist() == [[0, 1], [0, NOBODY]]
    after = controller.after(asked, order)
    second = attention_of(2) / (attention_of(1) + attention_of(2))
    assert after.state.total.received == pytest.approx([0, 0, second])
    assert after.state.requests == 2


@pytest.mark.parametrize("seed", range(10))
def test_projection_is_the_nearest_point(seed):
    rng = np.random.default_rng(seed)
    values, total = rng.normal(size=5), float(rng.uniform(0.1, 3))
    nearest = minimize(
        lambda free: ((free - values) ** 2).sum(),
        np.full(5, total / 5),
        bounds=[(0, None)] * 5,
        constraints={"type": "eq", "fun": lambda free: free.sum() - total},
        tol=1e-12,
    )
    assert onto_simplex(values, total) == pytest.approx(nearest.x, abs=1e-5)


def test_refuses_what_means_nothing():
    with pytest.raises(RoleError) as raised:
        PMMF(State.of([]), weight=-1, targets={"a": 0.0}, step=0)
    told = [problem.where.split()[0] for problem in raised.value.problems]
    assert told == ["weight", "step", "state", "targets"]
    with pytest.raises(RoleError, match="add up to"):
        PMMF(State.of(["a", "b"]), weight=1, targets={"a": 0.5, "b": 0.4})
    asked = candidates_of([[1.0]], [["a"]])
    with pytest.raises(RoleError, match="does not know"):
        PMMF(State.of(["b"]), weight=1).rerank(asked, 1)
    with pytest.raises(RoleError, match="no candidate holds"):
        PMMF(State.of(["a"]), weight=1).after(asked, np.array([[3]]))
