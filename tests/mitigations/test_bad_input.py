"""Bad input to every re-ranker: what cannot be is named, what can be is ranked as it should."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evenhand.errors import RoleError
from evenhand.mitigations.candidates import NOBODY, Candidates, candidates_of
from evenhand.mitigations.controller import State
from evenhand.mitigations.fairco import FairCo
from evenhand.mitigations.pmmf import PMMF
from evenhand.mitigations.registry import read, rerankers
from mitigations.naive import best_first, discounted, floor_of, short_prefixes, table_of

NAMES = ("f", "m")
HALVES = {"f": 0.5, "m": 0.5}

NOTATIONS = {
    "fa_star_ir": "fa_star_ir(protected=f, p=0.6)",
    "multinomial_fa_star_ir": "multinomial_fa_star_ir(unprotected=m)",
    "det_greedy": "det_greedy",
    "det_cons": "det_cons",
    "det_relaxed": "det_relaxed",
    "det_const_sort": "det_const_sort",
    "fairness_of_exposure": "fairness_of_exposure",
    "calibrated": "calibrated(weight=0.5)",
    "welfare": "welfare(weight=0.5)",
}
CONTROLLERS = ("fairco", "pmmf")
MINIMA = ("fa_star_ir", "det_greedy", "det_cons", "det_relaxed", "det_const_sort")
EVERY = (*NOTATIONS, *CONTROLLERS)
ONE_ORDER = tuple(name for name in EVERY if name not in {"fairness_of_exposure", "welfare"})
"""Those that draw no order."""


def made(name, targets=HALVES):
    """Return a re-ranker; controllers have seen requests in which the group f got little."""
    if name == "fairco":
        state = State.of(NAMES)
        controller = FairCo(state, gain=0.1)
    elif name == "pmmf":
        controller = PMMF(State.of(NAMES), weight=0.5, targets=targets)
    else:
        return read(NOTATIONS[name], targets)
    seen = candidates_of([[0.9, 0.1]] * 4, [["m", "f"]] * 4, NAMES)
    order = np.array([[0]] * 4)
    if name == "pmmf":
        return controller.after(seen, order)
    return controller.after(seen, order, merit=np.full((4, 2), 0.5))


def of(scores, groups):
    return candidates_of(scores, groups, NAMES)


def shown(order):
    return [[place for place in row if place != NOBODY] for row in order.tolist()]


def test_every_reranker_is_among_those_that_are_asked():
    assert {*rerankers()} == {*NOTATIONS}


@pytest.mark.parametrize("name", MINIMA)
@pytest.mark.parametrize("there", [0, 1, 2])
def test_a_group_with_too_few_candidates_for_p_k_is_named_and_prefixes_are_counted(name, there):
    groups = ["m"] * 12 + ["f"] * there
    asked = of([np.linspace(1, 0.1, len(groups)).tolist()], [groups])
    reranker = made(name)
    found = reranker.rerank(asked, 12)
    fair = name == "fa_star_ir"
    least = table_of("f", reranker.test(12).minimum) if fair else floor_of(HALVES)
    short = short_prefixes(groups, found.order[0].tolist(), least)
    assert found.certificate.violated.tolist() == [len(short)]
    assert len(short) > 0
    # All of the group stand before the first prefix that comes short.
    above = [groups[place] for place in found.order[0, : short[0]].tolist()]
    assert above.count("f") == there
    (reason,) = found.certificate.reasons.values()
    assert reason.startswith("group 'f' runs out: ")
    has = "1 candidate has it" if there == 1 else f"{there} candidates have it"
    assert has in reason
    assert reason.endswith(f"due among the first {short[0]}")


@pytest.mark.parametrize("name", EVERY)
def test_candidates_that_all_lack_a_group_are_ranked_by_score(name):
    scores = [0.2, 0.9, 0.4, 0.7]
    found = made(name).rerank(of([scores], [[None] * 4]), 3)
    assert found.order.tolist() == [best_first(scores)[:3]]
    assert found.certificate.violated.tolist() == [0]


@pytest.mark.parametrize("name", [n for n in EVERY if n not in {"welfare", "pmmf"}])
@pytest.mark.parametrize("seed", range(5))
def test_a_candidate_without_a_group_is_not_dropped_for_a_worse_one(name, seed):
    rng = np.random.default_rng(seed)
    scores = rng.permutation(12) / 12
    # The best two have no group: whoever balances f and m has no reason to move them out. Welfare
    # and P-MMF have one: they also gain by showing more of f and m together.
    groups = np.where(scores >= 10 / 12, None, rng.choice(["f", "m"], 12)).tolist()
    found = made(name).rerank(of([scores.tolist()], [groups]), 8)
    assert {*best_first(scores.tolist())[:2]} <= {*found.order[0].tolist()}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("k", [3, 4, 6])
def test_ties_keep_the_order_they_are_given_in(name, k):
    found = made(name).rerank(of([[0.5] * 6], [["m", "f", "m", "f", "m", "f"]]), k)
    orders = found.order
    if name == "fairness_of_exposure":
        orders = found.mixtures[0].orders
    for order in orders.tolist():
        women = [place for place in order if place % 2]
        men = [place for place in order if not place % 2]
        assert women == [1, 3, 5][: len(women)]
        assert men == [0, 2, 4][: len(men)]


@pytest.mark.parametrize("name", EVERY)
def test_tied_requests_come_out_alike(name):
    reranker = made(name)
    asked = of([[0.5] * 4] * 3, [["m", "f", "m", "f"]] * 3)
    found = reranker.rerank(asked, 3).order
    assert (found == found[0]).all()
    assert (reranker.rerank(asked, 3).order == found).all()


@pytest.mark.parametrize("name", EVERY)
def test_fewer_candidates_than_slots_are_all_shown_once_and_the_rest_is_empty(name):
    asked = of([[0.9, 0.8], [0.3], []], [["m", "f"], ["f"], []])
    found = made(name).rerank(asked, 30)
    assert found.order.shape == (3, 30)
    assert [sorted(row) for row in shown(found.order)] == [[0, 1], [0], []]
    # What is empty stands last.
    assert (found.order[:, 2:] == NOBODY).all()
    assert found.order[1, 1] == NOBODY
    utility = [
        discounted([0.9, 0.8], shown(found.order)[0]) if name in ONE_ORDER else None,
        0.3,
        0.0,
    ]
    for told, by_hand in zip(found.certificate.utility, utility, strict=True):
        assert by_hand is None or told == pytest.approx(by_hand)


@pytest.mark.parametrize("name", EVERY)
def test_requests_without_candidates_are_left_empty(name):
    nobody = Candidates(np.empty((3, 0)), np.empty((3, 0), np.int64), NAMES)
    found = made(name).rerank(nobody, 2)
    assert found.order.tolist() == [[NOBODY, NOBODY]] * 3
    assert found.certificate.utility.tolist() == [0, 0, 0]
    assert found.certificate.to_dict()["requests"] == 3


@pytest.mark.parametrize("name", [name for name in EVERY if name != "welfare"])
def test_no_requests_have_no_orders(name):
    found = made(name).rerank(Candidates(np.empty((0, 4)), np.empty((0, 4), np.int64), NAMES), 2)
    assert found.order.shape == (0, 2)
    assert found.certificate.to_dict()["utility"] is None


def test_welfare_of_no_requests_is_refused_with_the_reason():
    nothing = Candidates(np.empty((0, 4)), np.empty((0, 4), np.int64), NAMES)
    with pytest.raises(RoleError, match="there are no requests"):
        made("welfare").rerank(nothing, 2)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, None, "3"])
@pytest.mark.parametrize("name", EVERY)
def test_what_is_no_number_of_slots_is_refused(name, k):
    with pytest.raises(RoleError, match="is no number of slots"):
        made(name).rerank(of([[0.9, 0.8]], [["m", "f"]]), k)


@pytest.mark.parametrize("name", EVERY)
def test_a_number_of_slots_may_be_one_of_numpy(name):
    asked = of([[0.9, 0.8, 0.7]], [["m", "f", "m"]])
    whole = made(name).rerank(asked, 2).order
    assert (made(name).rerank(asked, np.int64(2)).order == whole).all()


@pytest.mark.parametrize("name", EVERY)
def test_a_group_that_is_named_where_nobody_is_does_not_count(name):
    scores = np.array([[0.9, 0.8, 0.7, 0.6, math.nan, math.nan], [0.9, 0.2, 0.1, 0.3, 0.4, 0.5]])
    groups = np.array([[1, 1, 1, 0, 0, 0], [1, 0, 1, 0, 1, 0]])
    told = made(name).rerank(Candidates(scores, groups, NAMES), 3)
    blank = np.where(np.isnan(scores), -1, groups)
    wanted = made(name).rerank(Candidates(scores, blank, NAMES), 3)
    assert told.order.tolist() == wanted.order.tolist()
    assert told.certificate.to_dict() == wanted.certificate.to_dict()


TARGETED = ("det_greedy", "det_cons", "det_relaxed", "det_const_sort", "calibrated", "pmmf")


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ({"f": 0.5, "m": 0.4}, ["shares add up to 0.9"]),
        ({"f": 0.5, "m": 0.6}, ["shares add up to 1.1"]),
        ({"f": 0.5}, ["there is none for ['m']", "shares add up to 0.5"]),
        ({"f": 0.5, "m": 0.5, "x": 0.1}, ["no candidates of ['x']", "shares add up to 1.1"]),
        ({"f": -0.5, "m": 1.5}, ["those of ['f', 'm'] are no shares"]),
        ({"f": math.nan, "m": 0.5}, ["those of ['f'] are no shares"]),
        ({"f": "half", "m": 0.5}, ["those of ['f'] are no shares"]),
    ],
)
@pytest.mark.parametrize("name", TARGETED)
def test_targets_that_are_no_shares_of_the_groups_are_refused(name, targets, said):
    asked = of([[0.9, 0.8, 0.7]], [["m", "f", "m"]])
    with pytest.raises(RoleError) as error:
        made(name, targets).rerank(asked, 2)
    assert all(text in str(error.value) for text in said), str(error.value)


def test_targets_that_add_up_but_for_rounding_are_taken():
    shares = {"f": 0.5 + 1e-12, "m": 0.5}
    assert sum(shares.values()) != 1
    asked = of([[0.9, 0.8, 0.7]], [["m", "f", "m"]])
    assert made("det_greedy", shares).rerank(asked, 2).certificate.kept.all()


def test_missing_and_infinite_scores_are_refused_with_their_number():
    with pytest.raises(RoleError, match="a candidate of request 1 has no score"):
        of([[0.9], [0.8, math.nan]], [["m"], ["f", "m"]])
    with pytest.raises(RoleError, match="2 of 3 are infinite"):
        of([[0.9, math.inf, -math.inf]], [["m", "f", "m"]])
    with pytest.raises(RoleError, match="has a gap before some"):
        Candidates(np.array([[0.9, math.nan, 0.8]]), np.array([[0, 1, 1]]), NAMES)
    with pytest.raises(RoleError, match="a code names no group"):
        Candidates(np.array([[0.9, 0.8]]), np.array([[0, 2]]), NAMES)


def test_a_group_without_a_name_is_refused():
    with pytest.raises(RoleError, match=r"there are candidates of \['x'\], and no such groups"):
        of([[0.9, 0.8]], [["m", "x"]])
