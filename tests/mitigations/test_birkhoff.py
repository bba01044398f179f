import itertools

import numpy as np
import pytest

from evenhand.errors import RoleError
from evenhand.mitigations.birkhoff import Mixture, birkhoff


def doubly_stochastic(rng, n, *, rankings):
    weights = rng.dirichlet(np.ones(rankings))
    return sum(w * np.eye(n)[rng.permutation(n)] for w in weights)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 12])
@pytest.mark.parametrize("slots", ["all", "half"])
def test_mixture_reproduces_placements_with_few_rankings(n, slots):
    rng = np.random.default_rng(n)
    k = n if slots == "all" else (n + 1) // 2
    for rankings in (1, 3, 60):
        asked = doubly_stochastic(rng, n, rankings=rankings)[:, :k]
        mixture = birkhoff(asked)
        assert abs(mixture.placements(n) - asked).max() < 1e-9
        assert len(mixture.weights) <= (n - 1) ** 2 + 1
        assert mixture.weights.sum() == pytest.approx(1, abs=1e-12)
        assert (mixture.weights > 0).all()
        for order in mixture.orders.tolist():
            assert len({*order}) == k
            assert {*order} <= {*range(n)}


def test_mixture_of_uniform_placements_is_as_short_as_can_be():
    # Each ranking uses n of the n^2 entries, which are alike: n rankings, no fewer.
    assert len(birkhoff(np.full((7, 7), 1 / 7)).weights) == 7


def test_exposure_of_a_mixture_is_its_mean_over_rankings():
    attention = np.array([1.0, 0.6, 0.2])
    orders = np.array(list(itertools.permutations(range(3))))
    mixture = Mixture(orders, np.full(6, 1 / 6))
    assert mixture.exposure(attention, 4) == pytest.approx([0.6, 0.6, 0.6, 0])


def test_draws_follow_the_weights_exactly():
    mixture = Mixture(np.array([[0, 1], [1, 0]]), np.array([0.25, 0.75]))
    first = [mixture.drawn(number)[0] for number in (np.arange(1000) + 0.5) / 1000]
    assert first.count(0) == 250


def test_a_ranking_of_no_chance_is_never_drawn():
    mixture = Mixture(np.array([[0, 1], [1, 0]]), np.array([0.0, 1.0]))
    assert mixture.drawn(0.0).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("placements", "said"),
    [
        (np.ones((2, 3)) / 3, "their shape is"),
        (np.array([[1.5, -0.5], [-0.5, 1.5]]), "below 0"),
        (np.array([[0.5, 0.5], [0.4, 0.5]]), "not filled exactly once"),
        (np.array([[1.0, 1.0], [0.0, 0.0]]), "shown more than once"),
    ],
)
def test_refuses_what_is_no_mixture(placements, said):
    with pytest.raises(RoleError, match=said):
        birkhoff(placements)
