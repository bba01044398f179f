import itertools
import math

import numpy as np
import pytest

from evenhand.errors import RoleError
from evenhand.mitigations.calibrated import Calibrated
from evenhand.mitigations.candidates import NOBODY, Candidates, candidates_of
from evenhand.mitigations.certificate import utility

NAMES = ("a", "b", "c")


def naive_divergence(target, members, alpha):
    """KL of the target and the smoothed shares of a list, by its definition."""
    total = 0.0
    for place, share in enumerate(target):
        if share > 0:
            listed = sum(one[place] for one in members) / len(members)
            total += share * math.log(share / ((1 - alpha) * listed + alpha * share))
    return total


def naive_objective(method, scores, members, target, chosen):
    divergence = naive_divergence(target, [members[one] for one in chosen], method.alpha)
    worth = sum(scores[one] for one in chosen)
    return (1 - method.weight) * worth + method.weight * (math.log(1 / method.alpha) - divergence)


def best_of_all(method, scores, members, target, k):
    sets = itertools.combinations(range(len(scores)), min(k, len(scores)))
    return max(naive_objective(method, scores, members, target, one) for one in sets)


def one_hot(groups):
    return [[float(group == name) for name in NAMES] for group in groups]


@pytest.mark.parametrize("seed", range(40))
def test_with_one_category_each_it_is_the_best_of_all_lists(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 9))
    k = int(rng.integers(1, 5))
    scores = rng.normal(size=n).round(1).tolist()
    groups = [[*NAMES, None][place] for place in rng.integers(0, 4, n)]
    target = rng.dirichlet(np.ones(3)) * (rng.random(3) < 0.8)
    target = target / target.sum() if target.sum() > 0 else np.array([1.0, 0, 0])
    method = Calibrated(float(rng.choice([0.1, 0.5, 0.9, 1.0])), alpha=0.05)
    asked = candidates_of([scores], [groups], NAMES)
    result = method.rerank(asked, k, profiles=target[None, :])
    order = [one for one in result.order[0].tolist() if one != NOBODY]
    assert len({*order}) == len(order) == min(k, n)
    members = one_hot(groups)
    reached = naive_objective(method, scores, members, target, order)
    assert result.objective[0] == pytest.approx(reached, abs=1e-12)
    assert reached == pytest.approx(best_of_all(method, scores, members, target, k), abs=1e-12)
    divergence = naive_divergence(target, [members[one] for one in order], 0.05)
    assert result.divergence[0] == pytest.approx(divergence, abs=1e-12)
    assert result.attained[0] == 1


@pytest.mark.parametrize("seed", range(40))
def test_with_several_categories_it_attains_what_is_certified(seed):
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(3, 9)), int(rng.integers(1, 5))
    scores = rng.random(n) - (0.4 if seed % 2 else 0.0)
    members = rng.dirichlet(np.full(3, 0.3), n)
    target = rng.dirichlet(np.ones(3))
    method = Calibrated(0.8)
    asked = Candidates(scores[None, :], np.full((1, n), -1), NAMES)
    result = method.rerank(asked, k, profiles=target[None], memberships=members[None])
    order = [one for one in result.order[0].tolist() if one != NOBODY]
    reached = naive_objective(method, scores, members, target, order)
    assert result.objective[0] == pytest.approx(reached, abs=1e-12)
    best = best_of_all(method, scores, members, target, k)
    # The share is of what is gained over an empty list, with scores counted from the lowest.
    shift = 0.2 * min(0.0, scores.min()) * len(order)
    assert result.attained[0] >= 1 - 1 / math.e
    assert reached - shift >= result.attained[0] * (best - shift) - 1e-12


def test_without_weight_it_is_top_k():
    asked = candidates_of([[0.2, 0.9, 0.9, 0.1]], [["a", "b", "a", None]], NAMES)
    result = Calibrated(0, {"a": 0.1, "b": 0.1, "c": 0.8}).rerank(asked, 3)
    assert result.order.tolist() == asked.best(3).tolist()
    assert result.divergence.tolist() == result.before.tolist()


def test_weight_alone_is_calibrated_where_it_can_be():
    asked = candidates_of([np.linspace(1, 0, 20)], [["a"] * 10 + ["b"] * 10])
    result = Calibrated(1, {"a": 0.7, "b": 0.3}).rerank(asked, 10)
    shown = asked.groups_at(result.order)[0]
    assert np.bincount(shown).tolist() == [7, 3]
    assert result.divergence[0] == pytest.approx(0, abs=1e-12)
    assert result.before[0] > 0.1


def test_a_list_of_another_category_diverges_most():
    asked = candidates_of([[1.0]], [["a"]], ["a", "b"])
    result = Calibrated(0.5, {"a": 0.0, "b": 1.0}).rerank(asked, 1)
    assert result.divergence[0] == pytest.approx(math.log(100))
    assert result.objective[0] == pytest.approx(0.5)


def test_more_weight_never_diverges_more():
    rng = np.random.default_rng(2)
    asked = candidates_of(rng.random((30, 12)), rng.choice(NAMES, (30, 12)), NAMES)
    profiles = rng.dirichlet(np.ones(3), 30)
    found = [Calibrated(w).rerank(asked, 5, profiles=profiles) for w in (0, 0.2, 0.5, 0.9, 1)]
    for less, more in itertools.pairwise(found):
        assert (more.divergence <= less.divergence + 1e-12).all()
        assert (asked.scores_at(more.order).sum(axis=1)
                <= asked.scores_at(less.order).sum(axis=1) + 1e-12).all()  # fmt: skip


def test_a_request_is_the_same_alone_and_among_others():
    rng = np.random.default_rng(3)
    sizes = (5, 0, 12, 2)
    scores = [rng.random(size).tolist() for size in sizes]
    groups = [rng.choice(NAMES, size).tolist() for size in sizes]
    method = Calibrated(0.6, {"a": 0.5, "b": 0.25, "c": 0.25})
    together = method.rerank(candidates_of(scores, groups, NAMES), 4)
    for row in range(4):
        alone = method.rerank(candidates_of([scores[row]], [groups[row]], NAMES), 4)
        assert alone.order[0].tolist() == together.order[row].tolist()
        assert alone.divergence[0] == together.divergence[row]


def test_certificate_is_of_the_order_alone():
    asked = candidates_of([[0.9, 0.5, 0.4]], [["a", "a", "b"]])
    result = Calibrated(0.9, {"a": 0.5, "b": 0.5}).rerank(asked, 2)
    assert result.order.tolist() == [[0, 2]]
    assert result.certificate.utility == pytest.approx(utility(asked, result.order))
    assert result.certificate.lost[0] == pytest.approx(0.1 / math.log2(3))
    assert "no list has more" in result.certificate.guarantee
    soft = np.array([[[1, 0], [0.5, 0.5], [0, 1]]])
    several = Calibrated(0.9, {"a": 0.5, "b": 0.5}).rerank(asked, 2, memberships=soft)
    assert "1 - 1/e" in several.certificate.guarantee


def test_refuses_what_means_nothing():
    with pytest.raises(RoleError) as raised:
        Calibrated(2, alpha=0)
    assert [one.where for one in raised.value.problems] == ["weight", "alpha"]
    asked = candidates_of([[1.0, 2.0]], [["a", "b"]])
    with pytest.raises(RoleError, match="there is none"):
        Calibrated(0.5).rerank(asked, 1)
    with pytest.raises(RoleError, match="there are two"):
        Calibrated(0.5, {"a": 1, "b": 0}).rerank(asked, 1, profiles=np.array([[1.0, 0]]))
    with pytest.raises(RoleError, match="shares add up to"):
        Calibrated(0.5, {"a": 0.5, "b": 0.4}).rerank(asked, 1)
    with pytest.raises(RoleError, match="requests and categories"):
        Calibrated(0.5).rerank(asked, 1, profiles=np.array([[1.0]]))
    with pytest.raises(RoleError, match="the first of request 0"):
        Calibrated(0.5).rerank(asked, 1, profiles=np.array([[0.9, 0.2]]))
    profile = np.array([[0.5, 0.5]])
    with pytest.raises(RoleError, match="candidates and categories"):
        Calibrated(0.5).rerank(asked, 1, profiles=profile, memberships=np.zeros((1, 2, 3)))
    with pytest.raises(RoleError, match="above 1 in sum"):
        Calibrated(0.5).rerank(asked, 1, profiles=profile, memberships=np.ones((1, 2, 2)))
