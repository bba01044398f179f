import itertools

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from evenhand.errors import RoleError
from evenhand.mitigations.candidates import NOBODY, Candidates, candidates_of
from evenhand.mitigations.certificate import utility
from evenhand.mitigations.welfare import Welfare
from naive_exposure import weight as attention_of


def one_catalogue(scores):
    rows, width = scores.shape
    return Candidates(scores, np.broadcast_to(np.arange(width), (rows, width)), tuple(range(width)))


def psi(value, power, smoothing):
    moved = value + smoothing
    return np.log(moved) if power == 0 else moved**power / power


def naive_welfare(method, scores, mixtures, k):
    """Return welfare of mixtures of rankings of one catalogue, by its definition."""
    users, items = scores.shape
    whole = sum(attention_of(slot) for slot in range(1, k + 1))
    gained, shown = [0.0] * users, [0.0] * items
    for user, (orders, weights) in enumerate(mixtures):
        for order, chance in zip(orders, weights, strict=True):
            for slot, item in enumerate(order, 1):
                gained[user] += chance * attention_of(slot) * scores[user, item] / whole
                shown[item] += chance * attention_of(slot)
    level = [one * items / (users * whole) for one in shown]
    args = method.power, method.smoothing
    first = np.mean([psi(one, *args) for one in gained])
    return (1 - method.weight) * first + method.weight * np.mean([psi(x, *args) for x in level])


@pytest.mark.parametrize("power", [1.0, 0.5, 0.0, -1.0])
def test_without_weight_it_is_top_k(power):
    asked = one_catalogue(np.random.default_rng(0).random((7, 9)))
    policy = Welfare(weight=0, power=power).fit(asked, 4)
    assert policy.draw(asked).order.tolist() == asked.best(4).tolist()
    assert policy.gap == 0


def test_weight_alone_shows_all_alike():
    asked = one_catalogue(np.random.default_rng(0).random((20, 5)))
    policy = Welfare(weight=1, power=0.5, steps=500).fit(asked, 2)
    assert policy.level == pytest.approx(np.ones(5), abs=0.03)
    assert policy.objective[-1] <= 2 * np.sqrt(1.1)  # psi(1), which none exceeds
    assert policy.objective[-1] + policy.gap >= 2 * np.sqrt(1.1)


@pytest.mark.parametrize("power", [0.5, 0.0, -1.0])
def test_two_items_and_one_slot_have_a_closed_form(power):
    method = Welfare(weight=0.4, power=power, steps=300)
    worse = 0.3

    def welfare(share):
        shown = (psi(2 * share, power, 0.1) + psi(2 - 2 * share, power, 0.1)) / 2
        return 0.6 * psi(share + worse * (1 - share), power, 0.1) + 0.4 * shown

    best = minimize_scalar(lambda share: -welfare(share), bounds=(0, 1), method="bounded")
    policy = method.fit(one_catalogue(np.array([[1.0, worse]])), 1)
    assert policy.objective[-1] == pytest.approx(-best.fun, abs=1e-4)
    assert policy.level[0] / 2 == pytest.approx(best.x, abs=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_gap_holds_the_optimum_over_all_mixtures_of_rankings(seed):
    rng = np.random.default_rng(seed)
    users, items, k = 2, 3, 2
    scores = rng.random((users, items))
    method = Welfare(weight=0.5, steps=60)
    orders = list(itertools.permutations(range(items), k))
    count = len(orders)

    def lost(free):
        parts = free.reshape(users, count)
        return -naive_welfare(method, scores, [(orders, one) for one in parts], k)

    best = minimize(
        lost,
        np.full(users * count, 1 / count),
        bounds=[(0, 1)] * (users * count),
        constraints=[
            {"type": "eq", "fun": lambda free, u=u: free[u * count : (u + 1) * count].sum() - 1}
            for u in range(users)
        ],
    )
    policy = method.fit(one_catalogue(scores), k)
    assert policy.objective[-1] <= -best.fun + 1e-6
    assert policy.objective[-1] + policy.gap >= -best.fun - 1e-6
    assert policy.gap < 0.02


def test_rankings_that_are_not_stored_are_those_that_were_averaged():
    scores = np.random.default_rng(2).random((5, 8))
    method = Welfare(weight=0.6, power=-0.5, steps=40)
    asked = one_catalogue(scores)
    policy = method.fit(asked, 3)
    mixtures = policy.mixtures(asked)
    assert policy.weights.sum() == pytest.approx(1)
    listed = [(one.orders.tolist(), one.weights) for one in mixtures]
    welfare = naive_welfare(method, scores, listed, 3)
    assert welfare == pytest.approx(policy.objective[-1], abs=1e-9)


def test_gap_falls_as_steps_are_added():
    asked = one_catalogue(np.random.default_rng(3).random((40, 20)))
    few = Welfare(weight=0.7, steps=20).fit(asked, 5)
    many = Welfare(weight=0.7, steps=200).fit(asked, 5)
    assert many.gap < few.gap / 4  # as 1/T it would be a tenth
    assert many.gaps[:21] == pytest.approx(few.gaps)
    assert (np.diff(many.objective) > -1e-12).all()


def test_tolerance_ends_it():
    asked = one_catalogue(np.random.default_rng(3).random((10, 6)))
    policy = Welfare(weight=0.5, steps=5000, tolerance=0.01).fit(asked, 2)
    assert policy.gaps[-1] <= 0.01
    assert (policy.gaps[:-1] > 0.01).all()


def test_a_request_is_drawn_the_same_alone_and_among_others():
    rng = np.random.default_rng(4)
    asked = one_catalogue(rng.random((30, 12)))
    policy = Welfare(weight=0.8, steps=25, seed=9).fit(asked, 4)
    together = policy.draw(asked)
    assert (together.order != asked.best(4)).any()
    for row in (0, 7, 29):
        alone = Candidates(asked.scores[[row]], asked.groups[[row]], asked.names)
        assert policy.draw(alone).order[0].tolist() == together.order[row].tolist()


def test_draws_follow_the_policy():
    # Exposure of the first item over 3,000 draws: five standard errors, false once in 1.7 million.
    asked = one_catalogue(np.tile([[1.0, 0.5]], (3000, 1)))
    policy = Welfare(weight=0.5, steps=30).fit(asked, 1)
    first = (policy.draw(asked, keys=range(3000)).order[:, 0] == 0).mean()
    chance = policy.level[0] / 2
    assert 0.5 < chance < 0.95
    assert abs(first - chance) < 5 * np.sqrt(chance * (1 - chance) / 3000)


def test_groups_of_items_count_by_their_candidates():
    # In random order three of four candidates of a get three quarters: that is level 1.
    asked = candidates_of([[0.9, 0.8, 0.7, 0.1]] * 3, [["a", "a", "a", "b"]] * 3)
    before = Welfare(weight=0).fit(asked, 1)
    assert before.level == pytest.approx([4 / 3, 0])
    after = Welfare(weight=1, steps=300).fit(asked, 1)
    assert after.level == pytest.approx([1, 1], abs=0.05)


def test_who_has_no_group_takes_part_by_score():
    asked = candidates_of([[0.9, 0.8, 0.2], [0.5]], [[None, "a", "b"], [None]], ["a", "b", "c"])
    policy = Welfare(weight=0.5, steps=50).fit(asked, 2)
    result = policy.draw(asked)
    assert np.isnan(policy.level[2])
    assert result.order[1].tolist() == [0, NOBODY]
    assert result.certificate.utility.tolist() == utility(asked, result.order).tolist()
    assert (result.certificate.lost >= 0).all()
    assert "within" in result.certificate.guarantee


def test_requests_without_candidates_stay_empty():
    asked = candidates_of([[], []], [[], []], ["a"])
    policy = Welfare(weight=0.5, steps=3).fit(asked, 2)
    assert policy.draw(asked).order.tolist() == [[NOBODY] * 2] * 2
    assert policy.gap == 0


def test_refuses_scores_below_zero_and_wrong_parameters():
    with pytest.raises(RoleError, match="scores from 0"):
        Welfare(weight=0.5).fit(candidates_of([[-1.0]], [["a"]]), 1)
    with pytest.raises(RoleError, match="no requests"):
        Welfare(weight=0.5).fit(candidates_of([], [], ["a"]), 1)
    with pytest.raises(RoleError) as raised:
        Welfare(weight=2, power=3, smoothing=0, steps=0)
    told = [one.where for one in raised.value.problems]
    assert told == ["weight", "power", "smoothing", "steps"]
