"""P-MMF with a guardrail: orders of a naive controller, shortfall and regret against programs.

Best policies are mixtures of all orders, found by linear programs, of which none is ours.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import block_array, csr_array

from evenhand.errors import RoleError
from evenhand.mitigations.candidates import NOBODY, Candidates, candidates_of
from evenhand.mitigations.controller import State, Sums
from evenhand.mitigations.pmmf import PMMF
from mitigations import naive
from naive_exposure import weight as attention_of

NAMES = ("large", "middle", "small")
TARGETS = {"large": 0.5, "middle": 0.3, "small": 0.2}


def drawn(seed, count, size, *, ragged=False):
    """Requests in which smaller groups have lower scores, some candidates without a group."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(-1, 3, (count, size))
    scores = rng.random((count, size)) * (1 - 0.25 * np.maximum(groups, 0))
    if ragged:
        gone = np.arange(size) >= rng.integers(1, size + 1, count)[:, None]
        scores[gone], groups[gone] = np.nan, -1
    return Candidates(scores, groups, NAMES)


def late(**parameters):
    """A controller after 50 requests that showed hardly any of the small."""
    sums = Sums(np.array([38.0, 11.0, 1.0]), np.zeros(3), 50)
    return PMMF(State(NAMES, {"s": sums}), **{"weight": 0.3, "step": 0.2, **parameters})


def rows(candidates):
    for scores, groups in zip(candidates.scores, candidates.groups, strict=True):
        there = ~np.isnan(scores)
        yield (
            scores[there].tolist(),
            [None if g < 0 else NAMES[g] for g in groups[there]],
        )


def raised_by(controller):
    return dict(zip(NAMES, (controller.prices() / controller.due).tolist(), strict=True))


def figures(scores, groups, order, k, raised):
    """Mean score by attention of k slots, what it is raised by, and each group's attention."""
    whole = sum(map(attention_of, range(1, k + 1)))
    seen = dict.fromkeys(NAMES, 0.0)
    for slot, place in enumerate(order, 1):
        if groups[place]:
            seen[groups[place]] += attention_of(slot) / whole
    by_score = sum(scores[place] * attention_of(slot) for slot, place in enumerate(order, 1))
    return by_score / whole, sum(seen[name] * raised[name] for name in NAMES), seen


@pytest.mark.parametrize("keep", [0.0, 0.9, 0.97, 1.0])
@pytest.mark.parametrize("shape", [(40, 8, 5), (40, 40, 4)])
def test_orders_are_those_of_a_naive_controller_that_keeps_its_share(keep, shape):
    count, size, k = shape
    asked = drawn(1, count, size, ragged=True)
    controller = late(keep=keep, targets=TARGETS)
    reranked = controller.rerank(asked, k)
    raised, bound = raised_by(controller), []
    for place, (scores, groups) in enumerate(rows(asked)):
        order = [one for one in reranked.order[place].tolist() if one != NOBODY]
        factor = reranked.certificate.factor[place]
        largest = naive.fairco_factor(scores, groups, k, raised, keep)
        assert factor == pytest.approx(largest, abs=1e-4)
        assert order == naive.fairco(scores, groups, k, raised, factor)
        best = naive.discounted(scores, naive.best_first(scores)[:k])
        assert naive.discounted(scores, order) >= keep * best * (1 - 1e-11)
        bound.append(largest < 1)
    assert reranked.certificate.guarded.tolist() == bound
    assert reranked.certificate.to_dict()["guarded"] == np.mean(bound)
    assert reranked.certificate.kept.all()
    assert any(bound) == (keep > 0)
    assert not all(bound)


def best_mixture(scores, groups, k, raised, keep):
    """The most of score and raise together over mixtures of orders that keep the floor."""
    found = [
        figures(scores, groups, order, k, raised)[:2]
        for order in itertools.permutations(range(len(scores)), min(k, len(scores)))
    ]
    by_score, by_price = np.array(found).T
    solved = linprog(
        -(by_score + by_price),
        A_ub=[-by_score],
        b_ub=[-keep * by_score.max()],
        A_eq=[np.ones(len(found))],
        b_eq=[1],
    )
    return -solved.fun


@pytest.mark.parametrize("keep", [0.85, 0.95, 0.99, 1.0])
def test_no_mixture_that_keeps_the_floor_is_better_by_more_than_the_shortfall(keep):
    asked = drawn(2, 40, 6, ragged=True)
    controller = late(keep=keep)
    reranked = controller.rerank(asked, 3)
    raised, worse = raised_by(controller), 0
    for place, (scores, groups) in enumerate(rows(asked)):
        order = [one for one in reranked.order[place].tolist() if one != NOBODY]
        mine = sum(figures(scores, groups, order, 3, raised)[:2])
        missed = best_mixture(scores, groups, 3, raised, keep) - mine
        shortfall = reranked.certificate.shortfall[place]
        assert -1e-9 <= missed <= shortfall + 1e-9
        if reranked.certificate.guarded[place]:
            worse += shortfall > 1e-9
        else:
            assert shortfall == 0
    # Where everything is kept there is no order between which a mixture could choose.
    assert (worse > 0) == (keep < 1)


def hindsight(asked, k, controller):
    """The highest objective of mixtures of orders of each request that keep its floor."""
    whole = dict.fromkeys(NAMES, 0.0)
    score, shares, floors, request = [], [], [], []
    for place, (scores, groups) in enumerate(rows(asked)):
        some = [
            figures(scores, groups, order, k, whole)
            for order in itertools.permutations(range(len(scores)), k)
        ]
        score += [one for one, _, _ in some]
        shares += [[*seen.values()] for _, _, seen in some]
        floors.append(controller.keep * max(one for one, _, _ in some))
        request += [place] * len(some)
    count, score = asked.requests, np.array(score)
    own = csr_array((np.ones(len(score)), (request, np.arange(len(score)))))
    worst = -np.array(shares).T / controller.due[:, None] / count
    solved = linprog(
        -np.append(score / count, controller.weight),
        A_ub=block_array([[worst, np.ones((3, 1))], [-own * score, None]]),
        b_ub=np.append(np.zeros(3), -np.array(floors)),
        A_eq=block_array([[own, csr_array((count, 1))]]),
        b_eq=np.ones(count),
    )
    return -solved.fun


def course(controller, asked, k, at_once=1):
    """The controller after all requests, with what each lacks of the best for its prices."""
    objective, bests, shortfalls = [], [], []
    received = np.zeros(3)
    for first in range(0, asked.requests, at_once):
        batch = Candidates(
            asked.scores[first : first + at_once], asked.groups[first : first + at_once], NAMES
        )
        raised = raised_by(controller)
        reranked = controller.rerank(batch, k)
        shortfalls += reranked.certificate.shortfall.tolist()
        for place, (scores, groups) in enumerate(rows(batch)):
            order = reranked.order[place].tolist()
            mean, _, seen = figures(scores, groups, order, k, raised)
            objective.append(mean)
            received += [*seen.values()]
            bests.append(best_mixture(scores, groups, k, raised, controller.keep))
        controller = controller.after(batch, reranked.order)
    worst = (received / controller.due).min() / asked.requests
    return (
        np.mean(objective) + controller.weight * worst,
        np.mean(bests),
        np.mean(shortfalls),
        controller,
    )


def by_score(asked, k, controller):
    """The objective of orders by score, in which no price has a part."""
    none = dict.fromkeys(NAMES, 0.0)
    found = [
        figures(scores, groups, naive.best_first(scores)[:k], k, none)
        for scores, groups in rows(asked)
    ]
    received = np.mean([[*seen.values()] for _, _, seen in found], axis=0)
    worst = (received / controller.due).min()
    return np.mean([mean for mean, _, _ in found]) + controller.weight * worst


START = PMMF(State.of(NAMES), weight=0.4)


@pytest.mark.slow
@pytest.mark.parametrize(("keep", "at_once"), [(0.0, 1), (0.95, 1), (0.95, 4)])
def test_regret_against_the_best_policy_in_hindsight_is_within_the_bound(keep, at_once):
    # Of every sequence: nothing is above the best, and what is lacking of the best for the prices
    # of the time is within bound and shortfall. So is, in the mean over sequences, what is lacking
    # of the best in hindsight. Of 10 sequences that are not used here that was .013 beyond the
    # shortfall, with a spread of .005; a mean of three is above a bound of .069 by a chance below
    # 1e-6. By score alone it is above.
    controller = replace(START, keep=keep)
    count = 400
    bound = controller.bound(count, at_once=at_once)
    regrets, untouched = [], []
    for seed in range(3):
        asked = drawn(seed, count, 5)
        reached, priced, shortfall, after = course(controller, asked, 2, at_once)
        best = hindsight(asked, 2, controller)
        assert reached <= best + 1e-9
        assert reached >= priced - bound - shortfall - 1e-9
        regrets.append(best - reached - shortfall)
        untouched.append(best - by_score(asked, 2, controller))
        assert after.state.requests == count
    assert np.mean(regrets) <= bound
    if at_once == 1:
        assert np.mean(untouched) > bound


@pytest.mark.parametrize("at_once", [1, 3, 8, 50])
def test_prices_of_batches_have_no_more_regret_than_stated(at_once):
    # Whatever is shown: here always the group whose price is highest, or lowest, in turns.
    start = PMMF(State.of(NAMES), weight=0.5, targets=TARGETS)
    asked = Candidates(np.ones((at_once, 3)), np.tile(np.arange(3), (at_once, 1)), NAMES)
    for picked in (np.argmax, np.argmin, lambda prices: 0 if prices[0] > 0.2 else 2):
        controller, paid, received, count = start, 0.0, np.zeros(3), 0
        while count < 400:
            prices = controller.prices()
            group = int(picked(prices))
            controller = controller.after(asked, np.full((at_once, 1), group))
            paid += at_once * prices[group] / controller.due[group]
            received[group] += at_once
            count += at_once
            least = 0.5 * (received / controller.due).min()
            assert paid - least <= count * start.bound(count, at_once=at_once) + 1e-9


def test_batches_are_held_to_a_weaker_bound_than_single_requests():
    assert START.bound(100, at_once=5) > START.bound(100)
    told = START.rerank(drawn(1, 20, 5), 2).certificate
    assert told.bound == START.bound(20, at_once=20)
    assert "at most 20 at a time" in told.guarantee


def test_the_certificate_says_where_the_guardrail_bound_and_what_is_promised():
    asked = drawn(3, 30, 8)
    controller = late(keep=0.97)
    certificate = controller.rerank(asked, 4).certificate
    told = certificate.to_dict()
    assert told["kept"] == 30
    assert told["requests_before"] == 50
    assert told["worst"] == controller.worst == pytest.approx(0.06)
    assert told["lost"] == pytest.approx(told["best"] - told["utility"])
    assert 0 < told["guarded"] < 1
    assert 0 < told["shortfall"] == certificate.shortfall.mean()
    assert told["guarantee"].startswith("utility of at least 0.97 of the top-k by score; ")
    free = late().rerank(asked, 4).certificate
    assert "shortfall" not in free.guarantee
    assert not free.guarded.any()
    assert free.to_dict()["shortfall"] == 0


def test_a_guardrail_of_everything_leaves_the_order_by_score():
    asked = drawn(4, 25, 9)
    order = late(keep=1.0, weight=5.0).rerank(asked, 4).order
    assert order.tolist() == asked.best(4).tolist()


def test_a_request_comes_out_the_same_alone_and_among_others():
    asked = drawn(5, 30, 50)
    controller = late(keep=0.95)
    together = controller.rerank(asked, 5)
    for place in range(30):
        single = Candidates(asked.scores[[place]], asked.groups[[place]], NAMES)
        alone = controller.rerank(single, 5)
        assert alone.order.tolist() == together.order[[place]].tolist()
        assert alone.certificate.factor[0] == together.certificate.factor[place]


@pytest.mark.parametrize("shape", [(0, 4), (2, 0), (2, 1)])
@pytest.mark.parametrize("k", [1, 3])
def test_nothing_to_rank_is_ranked_as_nothing(shape, k):
    asked = Candidates(np.ones(shape), np.zeros(shape, np.int64), NAMES)
    reranked = late(keep=0.9).rerank(asked, k)
    assert (reranked.order != NOBODY).sum() == shape[0] * min(shape[1], k)
    assert (reranked.certificate.shortfall == 0).all()
    assert late().after(asked, reranked.order).state.requests == 50 + shape[0]


def test_shares_of_nothing_and_orders_that_were_not_shown_are_refused():
    with pytest.raises(RoleError, match="keep of PMMF"):
        late(keep=1.5)
    asked = candidates_of([[-1.0, -2.0]], [["small", "large"]], NAMES)
    assert late().rerank(asked, 2).order.shape == (1, 2)
    with pytest.raises(RoleError, match="Shift"):
        late(keep=0.9).rerank(asked, 2)
    with pytest.raises(RoleError, match="twice"):
        late().after(asked, np.array([[1, 1]]))
    with pytest.raises(RoleError, match="1 requests"):
        late().after(asked, np.array([0, 1]))
