"""What other packages get wrong when they re-rank, each as a case that we must not get wrong.

The peers' formulas are written out where they tell what would have been done. Their mistakes in
measures are in tests/measures/rankings/test_peer_defects_provider.py and _consumer.py.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from evenhand.errors import RoleError
from evenhand.mitigations.candidates import NOBODY, Candidates, candidates_of
from evenhand.mitigations.certificate import discounts
from evenhand.mitigations.controller import State
from evenhand.mitigations.deterministic import DetCons, DetConstSort, DetGreedy, DetRelaxed
from evenhand.mitigations.fair_topk import FAStarIR
from evenhand.mitigations.fairco import FairCo
from evenhand.mitigations.linear_program import FairnessOfExposure
from evenhand.mitigations.pmmf import PMMF
from evenhand.mitigations.registry import read
from evenhand.mitigations.welfare import Welfare
from mitigations.naive import best_first, discounted

HALVES = {"f": 0.5, "m": 0.5}
DETERMINISTIC = (DetGreedy, DetCons, DetRelaxed, DetConstSort)
OF_PREFIXES = {
    "fa_star_ir": FAStarIR("f", 0.4),
    **{kind.__name__: kind(HALVES) for kind in DETERMINISTIC},
}
EVERY = {
    **OF_PREFIXES,
    "fairness_of_exposure": FairnessOfExposure(),
    "calibrated": read("calibrated(weight=0.5)", HALVES),
    "welfare": Welfare(weight=0.5, steps=20),
    "fairco": FairCo(State.of(("f", "m"))),
    "pmmf": PMMF(State.of(("f", "m")), weight=0.5),
}
BY_ORDER = {name: one for name, one in EVERY.items() if name != "welfare"}
"""Those that ask of scores only which is higher, or how much, and not that they are amounts."""


def made(seed, requests=4, size=12, names=("f", "m")):
    rng = np.random.default_rng(seed)
    scores = rng.random((requests, size))
    return Candidates(scores, rng.integers(0, len(names), (requests, size)), names)


# fairsearchcore


def test_fairsearchcore_leaves_a_requirement_at_the_last_position_out_of_the_failure_probability():
    # p = .5, alpha = .1, k = 7, not adjusted: m = 0 0 0 1 1 1 2, and the 2 begins at the last.
    fair = FAStarIR("f", 0.5, adjusted=False)
    test = fair.test(7)
    assert test.minimum == (0, 0, 0, 1, 1, 1, 2)
    assert test.failure == 0.09375
    # The order keeps it, and one that breaks it there alone is seen to.
    asked = candidates_of([[9, 8, 7, 6, 5, 4, 3, 2]], [[*"mmmmmmff"]])
    found = fair.rerank(asked, 7)
    assert [asked.names[code] for code in asked.groups_at(found.order)[0]].count("f") == 2
    one = candidates_of([[9, 8, 7, 6, 5, 4, 3]], [[*"mmmfmmm"]])
    assert fair.rerank(one, 7).certificate.violated.tolist() == [1]


def test_fairsearchcore_has_a_hash_that_is_a_float_of_numpy():
    # There `hash` raises TypeError on today's NumPy, and with it every set and every dict.
    tests = {FAStarIR("f", np.float64(0.4)): 1, FAStarIR("f", 0.4): 2}
    assert [*tests.values()] == [2]
    assert isinstance(hash(FAStarIR("f", np.float64(0.4), alpha=np.float64(0.1))), int)


# FairRankTune


@pytest.mark.parametrize("kind", DETERMINISTIC)
def test_fairranktune_floors_p_k_in_floats(kind):
    assert math.floor(100 * 0.29) == 28
    # Whoever scores worst, 29 of 100 must be f, not 28.
    groups = ["m"] * 100 + ["f"] * 100
    asked = candidates_of([np.linspace(1, 0, 200).tolist()], [groups])
    found = kind({"f": 0.29, "m": 0.71}).rerank(asked, 100)
    assert (found.order[0] >= 100).sum() == 29
    assert found.certificate.violated.tolist() == [0]


@pytest.mark.parametrize("kind", DETERMINISTIC)
def test_fairranktune_lets_an_exhausted_group_go_on_raising_its_minimum(kind):
    # One f of eight: there its minimum rises on, and crowds out what others are due.
    target = {"f": Fraction(1, 2), "g": Fraction(1, 4), "m": Fraction(1, 4)}
    groups = [*"fmmmmgmg"]
    asked = candidates_of([[8, 7, 6, 5, 4, 3, 2, 1]], [groups])
    found = kind({name: float(share) for name, share in target.items()}).rerank(asked, 8)
    shown = [groups[place] for place in found.order[0]]
    for size in range(1, 9):
        for name in "gm":
            assert shown[:size].count(name) >= math.floor(target[name] * size)
    assert sorted(found.order[0].tolist()) == [*range(8)]
    (reason,) = found.certificate.reasons.values()
    assert reason.startswith("group 'f' runs out: 1 candidate has it")
    assert "'g'" not in reason
    assert "'m'" not in reason


@pytest.mark.parametrize("name", EVERY)
def test_fairranktune_returns_inside_the_loop_so_only_the_first_request_counts(name):
    asked = made(1)
    found = EVERY[name].rerank(asked, 5)
    assert (found.order != NOBODY).all()
    assert found.certificate.utility.shape == (4,)
    assert (found.certificate.utility > 0).all()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: FAStarIR("f", 1.2),
        lambda: FAStarIR("f", 0.4, alpha=-0.1),
        lambda: Welfare(weight=1.5),
        lambda: FairnessOfExposure(tolerance=2.0),
        lambda: PMMF(State.of(("f", "m")), weight=-1.0),
        lambda: FairCo(State.of(("f", "m")), keep=1.5),
        lambda: DetGreedy({"f": 0.5, "m": 0.6}).rerank(made(1), 3),
    ],
)
def test_fairranktune_asserts_a_text_where_it_means_to_check_a_range(wrong):
    with pytest.raises(RoleError):
        wrong()


def test_fairranktune_takes_the_lists_own_groups_for_the_target_so_an_absent_one_is_fine():
    # A group that is wholly absent from a request is not fine: nothing else is held against it.
    asked = candidates_of([[4, 3, 2, 1], [4, 3, 2, 1]], [[*"mmmm"], [*"mfmf"]])
    found = DetGreedy(HALVES).rerank(asked, 4).certificate
    assert found.violated.tolist() == [3, 0]
    assert found.reasons[0].startswith("group 'f' runs out: 0 candidates have it")


# FairDiverse


@pytest.mark.parametrize("name", EVERY)
def test_fairdiverse_sorts_the_reranked_list_by_score_again_so_order_is_invisible(name):
    asked = made(2)
    # All f score worse than all m.
    asked = Candidates(asked.scores + asked.groups, asked.groups, asked.names)
    found = EVERY[name].rerank(asked, 12)
    told, by_score = found.certificate.utility, found.certificate.best
    if name != "fairness_of_exposure":
        # Of an order that is drawn the certificate tells the mean over draws.
        by_hand = [
            discounted(scores, order)
            for scores, order in zip(asked.scores.tolist(), found.order.tolist(), strict=True)
        ]
        assert told == pytest.approx(by_hand)
    # All candidates are shown: sorted by score again every list would be worth as much.
    best = [discounted(scores, best_first(scores)) for scores in asked.scores.tolist()]
    assert (told <= np.array(best) + 1e-9).all()
    assert (by_score <= np.array(best) + 1e-9).all()
    if name not in {"fairco", "pmmf"}:
        # Those have seen nothing yet.
        assert (told < np.array(best) - 1e-6).any()


def test_fairdiverse_counts_ranks_from_1_again_within_each_group():
    # So counted, two groups of as many candidates have as much exposure in any order.
    asked = candidates_of([[0.9, 0.8, 0.3, 0.2]], [[*"mmff"]])
    found = FairnessOfExposure(tolerance=1.0).rerank(asked, 4)
    slots = discounts(4)
    assert found.exposure[0].tolist() == pytest.approx([slots[2:].mean(), slots[:2].mean()])
    alike = FairnessOfExposure().rerank(asked, 4)
    assert alike.exposure[0].tolist() == pytest.approx([slots.mean()] * 2)


@pytest.mark.parametrize("name", EVERY)
def test_fairdiverse_counts_what_the_mask_leaves_out(name):
    # The same requests, in a table that is twice as wide: what is masked has groups, and no score.
    asked = made(3, size=6)
    wide = Candidates(
        np.hstack([asked.scores, np.full((4, 6), np.nan)]),
        np.hstack([asked.groups, np.zeros((4, 6), np.int64)]),
        asked.names,
    )
    found, wanted = EVERY[name].rerank(wide, 4), EVERY[name].rerank(asked, 4)
    assert found.order.tolist() == wanted.order.tolist()
    assert found.certificate.utility == pytest.approx(wanted.certificate.utility)
    assert found.certificate.violated.tolist() == wanted.certificate.violated.tolist()


def test_fairdiverse_takes_one_unseeded_draw_for_the_expectation():
    # TaxRank there. Of ours that draw means over draws are told, and a request has its own draw.
    asked = made(4, requests=1, size=5)
    found = FairnessOfExposure().rerank(asked, 5)
    (mixture,) = found.mixtures
    assert len(mixture.weights) > 1
    of_each = [discounted(asked.scores[0].tolist(), order) for order in mixture.orders.tolist()]
    assert found.certificate.utility[0] == pytest.approx(mixture.weights @ of_each)
    exposure = np.zeros(2)
    for order, weight in zip(mixture.orders.tolist(), mixture.weights, strict=True):
        for slot, place in enumerate(order):
            exposure[asked.groups[0, place]] += weight * discounts(5)[slot]
    counts = np.bincount(asked.groups[0], minlength=2)
    assert found.exposure[0] == pytest.approx(exposure / counts)
    # The guarantee is of the mean: hardly any single draw keeps it.
    assert found.exposure[0, 0] == pytest.approx(found.exposure[0, 1])
    again = FairnessOfExposure().rerank(asked, 5)
    assert again.order.tolist() == found.order.tolist()
    drawn = {
        tuple(FairnessOfExposure(seed=seed).rerank(asked, 5).order[0].tolist())
        for seed in range(40)
    }
    assert len(drawn) > 1


def test_fairdiverse_has_cpfair_greedy_on_items_alone_so_users_may_lose_without_a_bound():
    # One request has little to gain. Of two that must give way, two-sided welfare spares it.
    asked = candidates_of([[1.0, 0.95, 0.9, 0.9], [0.12, 0.11, 0.01, 0.0]], [[*"aabb"], [*"aabb"]])
    both = Welfare(weight=0.5, power=-1.0, smoothing=0.05, steps=400).fit(asked, 2)
    items = Welfare(weight=1.0, power=-1.0, smoothing=0.05, steps=400).fit(asked, 2)
    top = Welfare(weight=0.0, steps=1).fit(asked, 2)
    kept, alone = both.gained / top.gained, items.gained / top.gained
    assert kept[1] > alone[1] + 0.1
    # And items gain: the worse group has more than by score, where it has nothing.
    assert top.level.tolist() == pytest.approx([2.0, 0.0])
    assert both.level[1] > 0.3


# CPFair's notebook


@pytest.mark.parametrize("copies", [2, 5])
def test_cpfair_adds_up_utilities_so_a_group_counts_by_its_size(copies):
    # Welfare is a mean over users and over candidates: more of the same change nothing.
    asked = made(5, requests=3)
    often = Candidates(
        np.tile(asked.scores, (copies, 1)), np.tile(asked.groups, (copies, 1)), asked.names
    )
    one = Welfare(weight=0.5, steps=30).fit(asked, 4)
    many = Welfare(weight=0.5, steps=30).fit(often, 4)
    assert many.level == pytest.approx(one.level, rel=1e-6)
    assert many.gained == pytest.approx(np.tile(one.gained, copies), rel=1e-6)
    assert many.objective[-1] == pytest.approx(one.objective[-1], rel=1e-9)


@pytest.mark.parametrize("name", EVERY)
def test_cpfair_takes_utility_without_a_discount(name):
    asked = made(6, requests=1)
    found = EVERY[name].rerank(asked, 12)
    # Without a discount every order of all candidates would be worth the sum of their scores.
    assert found.certificate.utility[0] < asked.scores.sum() - 1


@pytest.mark.parametrize("first", ["f", "m"])
def test_cpfair_takes_a_signed_difference_so_who_is_behind_depends_on_the_order_of_groups(first):
    names = (first, "m" if first == "f" else "f")
    groups = [["m", "f"]] * 4
    asked = candidates_of([[0.9, 0.1]] * 4, groups, names)
    shown = np.zeros((4, 1), np.int64)
    for start in (
        FairCo(State.of(names), gain=1.0).after(asked, shown, merit=np.full((4, 2), 0.5)),
        PMMF(State.of(names), weight=2.0).after(asked, shown),
    ):
        assert start.rerank(asked, 1).order.tolist() == [[1]] * 4


# librec-auto


def test_librec_auto_asks_for_p_k_at_every_prefix_in_the_name_of_fair():
    # ceil(p i) of p = .5 asks for f in the first slot. FA*IR's test asks for none of the first 3.
    asked = candidates_of([[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]], [[*"mmmmmfffff"]])
    fair = FAStarIR("f", 0.5)
    found = fair.rerank(asked, 10)
    assert found.order[0, :4].tolist() == [0, 1, 2, 3]
    assert fair.test(10).minimum == (0, 0, 0, 0, 1, 1, 1, 2, 2, 3)
    assert all(least < 0.5 * size for size, least in enumerate(fair.test(10).minimum, 1))


def test_librec_auto_has_an_exposure_of_scores_without_ranks():
    # Scores on another scale are the same ranks, and the same exposure.
    asked = candidates_of([[0.9, 0.8, 0.7, 0.1]], [[*"mmff"]])
    other = candidates_of([[90.0, 80.0, 70.0, 10.0]], [[*"mmff"]])
    by_rank = FairnessOfExposure(tolerance=0.2).rerank(asked, 4).exposure
    assert FairnessOfExposure(tolerance=0.2).rerank(other, 4).exposure == pytest.approx(by_rank)


def test_librec_auto_runs_one_round_of_fairrec():
    # The part of ours: P-MMF goes on. Groups are shared out over all requests and all slots.
    controller = PMMF(State.of(("f", "m")), weight=1.0)
    asked = candidates_of([[0.9, 0.8, 0.3, 0.2]], [[*"mmff"]], ("f", "m"))
    slots = []
    for _ in range(200):
        order = controller.rerank(asked, 2).order
        slots.append(asked.groups_at(order)[0].tolist())
        controller = controller.after(asked, order)
    shown = np.array(slots)
    # Both slots, and the second half of the requests, show both groups.
    assert {*shown[100:, 0].tolist()} == {*shown[100:, 1].tolist()} == {0, 1}
    assert controller.worst > 0.8


# FairRec


@pytest.mark.parametrize("name", BY_ORDER)
def test_fairrec_is_wrong_for_scores_of_0_and_below(name):
    asked = made(7, requests=3)
    below = Candidates(asked.scores - 0.5, asked.groups, asked.names)
    all_below = Candidates(asked.scores - 2.0, asked.groups, asked.names)
    assert (below.scores < 0).any()
    assert (below.scores > 0).any()
    # Draws hang on the scores unless requests have names.
    keys = {"keys": range(3)} if name == "fairness_of_exposure" else {}
    orders = EVERY[name].rerank(asked, 6, **keys).order.tolist()
    assert EVERY[name].rerank(below, 6, **keys).order.tolist() == orders
    assert EVERY[name].rerank(all_below, 6, **keys).order.tolist() == orders


@pytest.mark.parametrize("name", EVERY)
def test_fairrec_is_wrong_where_all_scores_are_0(name):
    asked = Candidates(np.zeros((2, 6)), np.tile([0, 1], (2, 3)), ("f", "m"))
    found = EVERY[name].rerank(asked, 4)
    for order in found.order.tolist():
        assert len({*order} - {NOBODY}) == 4
    assert found.certificate.utility.tolist() == [0, 0]


def test_welfare_says_that_scores_below_0_are_no_amounts():
    with pytest.raises(RoleError, match="are below 0"):
        EVERY["welfare"].rerank(Candidates(-np.ones((1, 2)), np.zeros((1, 2), int), ("f",)), 1)


@pytest.mark.parametrize("name", [name for name in EVERY if name != "fairness_of_exposure"])
def test_fairrec_looks_through_all_candidates_for_every_pick(name):
    # 200,000 candidates: looking through a list for each pick of each would take hours.
    rng = np.random.default_rng(8)
    size = 200_000
    asked = Candidates(rng.random((1, size)), rng.integers(0, 2, (1, size)), ("f", "m"))
    found = EVERY[name].rerank(asked, 25)
    assert len({*found.order[0].tolist()}) == 25
