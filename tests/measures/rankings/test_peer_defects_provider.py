"""What other packages get wrong about providers, each as a case that we must not get wrong.

The peers' formulas are written out where they tell what would have been reported.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.measures.registry import measure_named
from evenhand.notation import parse
from evenhand.stats.ranked_group_fairness import failure_probability, minimum_counts, prefix_test
from naive_lists import Item, finding_of, items, lists_of, of_each
from naive_provider import awrf, clipped, discount
from permuted import listed

HALF = "shares(a, 0.5, b, 0.5)"


def weights(browsing, request):
    (model,) = measure_named(parse(f"exposure(browsing={browsing})")).models
    return model.weights(lists_of([request]), None).tolist()


def test_fairsearchcore_misses_a_requirement_that_begins_at_the_last_position():
    table = minimum_counts(0.5, 0.1, 7)
    assert table.tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert failure_probability(table, 0.5) == 0.09375
    # Without the last requirement, as there, the chance is that of six places.
    assert failure_probability(table[:-1], 0.5) == 0.0625
    assert prefix_test(0.5, 0.1, 100, adjusted=False).failure == pytest.approx(0.34156, abs=5e-6)
    shorter = failure_probability(minimum_counts(0.5, 0.1, 100)[:-1], 0.5)
    assert shorter == pytest.approx(0.33935, abs=5e-6)
    # The list that fails by its last item alone does fail.
    request = listed("mmmfmmm")
    assert of_each("FAIR(of=topic, group=f, p=0.5, adjusted=False)@7", [request]) == [0]


def test_fairranktune_ndkl_has_the_lists_own_groups_as_target_so_an_absent_one_is_perfect():
    (found,) = of_each(f"NDKL(of=topic, target={HALF})", [listed("aaaa")])
    assert found == pytest.approx(math.log(2))
    # Also with a catalogue in which b is, though no list shows it.
    rows = pl.DataFrame({"q": [1, 1, 2], "slot": [1, 2, 1], "by": list("aaa")})
    log = eh.log(
        rows,
        kind="search",
        request="q",
        rank="slot",
        item_groups=["by"],
        catalogue=pl.DataFrame({"by": list("aabb")}),
    )
    groups = eh.estimates(["Skew(of=by, group=b, smoothing=1)", "MinSkew(of=by, smoothing=1)"], log)
    assert groups[0].value == pytest.approx(groups[1].value)
    assert groups[0].value == pytest.approx((math.log(1 / 3) + math.log(1 / 2)) / 2)


def test_fairranktune_awrf_is_no_divergence_and_doubles_with_the_same_list_twice():
    requests = [listed("aab"), listed("ab")]
    once = finding_of(f"AWRF(of=topic, target={HALF})", requests).value
    twice = finding_of(f"AWRF(of=topic, target={HALF})", [*requests, *requests]).value
    assert twice == pytest.approx(once)
    assert 0 <= once <= 1
    # It is about the target: the list that follows it best scores best, whatever it is.
    few, many = (
        of_each(f"AWRF(of=topic, target=shares(a, {a}, b, {b}))", [listed("aaab")])[0]
        for a, b in ((0.5, 0.5), (0.8, 0.2))
    )
    assert many > few


def test_trec_awrf_is_in_nats_where_disjoint_distributions_do_not_score_0():
    request, target = [listed("aaa")], "shares(a, 0, b, 1)"
    assert of_each(f"AWRF(of=topic, target={target})", request) == [0]
    (nats,) = of_each(f"AWRF(of=topic, target={target}, base=nats)", request)
    assert nats == pytest.approx(1 - math.log(2))
    assert round(nats, 3) == 0.307
    says = finding_of(f"AWRF(of=topic, target={HALF}, base=nats)", [listed("aa"), listed("ab")])
    assert says.conventions["divergence"] == "Jensen-Shannon, in nats"


def test_trec_drops_items_of_unknown_group_in_silence():
    requests = [listed("a b "), listed("  "), listed("ab")]
    found = finding_of(f"AWRF(of=topic, target={HALF})", requests)
    assert found.conventions["unknown"] == "items of unknown topic take no part in the shares"
    assert [(one.reason, one.rows) for one in found.excluded] == [
        ("no item of known topic was shown", 1)
    ]
    found = finding_of("exposure_share(of=topic, group=a)", requests)
    assert [(one.reason, one.rows) for one in found.excluded] == [("unknown topic of the item", 4)]
    assert "unknown" in finding_of(f"NDKL(of=topic, target={HALF})", requests).conventions


@pytest.mark.parametrize(
    "browsing", ["log2", "log2_clipped", "rbp(p=0.8)", "geometric(p=0.5)", "cascade(p=0.9)"]
)
def test_rank_fairness_metrics_multiplies_by_the_inverse_of_a_discount(browsing):
    # There lower ranks got more exposure.
    found = weights(browsing, listed("aaaaaa"))
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1] > 0


def test_rank_fairness_metrics_lets_the_item_itself_stop_the_cascade():
    request = items((1, 0.5), (2, 0.25), (3, 1.0))
    found = weights("cascade(p=0.9, stop=1)", request)
    assert found == pytest.approx([1, 0.9 * 0.5, 0.9**2 * 0.5 * 0.75])
    # An item that surely stops has its own exposure, and those below have none.
    assert weights("cascade(p=0.9, stop=1)", items((1, 1.0), (2, 0.5))) == [1, 0]


def test_lenskit_and_trec_clip_the_first_two_ranks_under_the_ordinary_name():
    assert weights("log2", listed("aaa")) == pytest.approx([1, 1 / math.log2(3), 1 / 2])
    assert weights("log2_clipped", listed("aaa")) == pytest.approx([1, 1, 1 / math.log2(3)])
    found = finding_of("exposure_share(of=topic, group=a)", [listed("ab"), listed("abb")])
    assert found.conventions["browsing"] == "log2: 1 / log2(1 + slot)"
    request, half = listed("aab"), {"a": 0.5, "b": 0.5}
    for name, weight in (("log2", discount), ("log2_clipped", clipped)):
        found = of_each(f"AWRF(of=topic, target={HALF}, browsing={name})", [request])
        assert found == pytest.approx([awrf(request, half, weight=weight)])


def test_fairranktune_floors_in_floats():
    assert math.floor(100 * 0.29) == 28
    # The 100 items hold 28 a: one too few, at the last prefix and nowhere before.
    due = [29 * i // 100 for i in range(101)]
    groups = ["a" if due[i] > due[i - 1] else "b" for i in range(1, 100)]
    assert groups.count("a") == 28
    target = "shares(a, 0.29, b, 0.71)"
    lists = [listed([*groups, "b"]), listed([*groups, "a"])]
    found = of_each(f"infeasible_count(of=topic, target={target})", lists)
    short_of_b = sum([*groups, "a"][:i].count("b") < 71 * i // 100 for i in range(1, 101))
    assert found == [short_of_b + 1, short_of_b]


def test_rank_fairness_metrics_knows_two_groups_only():
    requests = [listed("abcd"), listed("dcba"), listed("aabd")]
    target = "shares(a, 0.25, b, 0.25, c, 0.25, d, 0.25)"
    names = ["AWRF", "NDKL", "MaxSkew", "infeasible_index", "infeasible_count"]
    found = [finding_of(f"{name}(of=topic, target={target})", requests) for name in names]
    assert all(one.undefined is None for one in found)
    (first, second, third) = of_each(f"AWRF(of=topic, target={target})", requests)
    assert first == pytest.approx(second)
    assert third < first
    gap = finding_of("ratio(exposure, of=topic)", requests)
    assert {one.group["topic"] for one in gap.groups} == {*"abcd"}


def test_fairdiverse_counts_ranks_from_1_again_within_each_group():
    # Then every group of as many items would have the same exposure.
    request = listed("aabb")
    found = finding_of("exposure_share(of=topic, group=b)", [request, request])
    own = discount(3) + discount(4)
    assert found.value == pytest.approx(own / (1 + discount(2) + own))
    assert found.value < 0.5


def test_librec_auto_calls_exposure_what_does_not_depend_on_the_ranks():
    pairs = {
        "exposure_share(of=topic, group=a)": ("aabb", "bbaa"),
        f"AWRF(of=topic, target={HALF})": ("aabb", "abab"),
        f"NDKL(of=topic, target={HALF})": ("aabb", "abab"),
    }
    for name, orders in pairs.items():
        one, other = (finding_of(name, [listed(o), listed("ab")]).value for o in orders)
        assert one != pytest.approx(other)


def test_librec_auto_asks_for_p_k_at_every_prefix_in_the_name_of_fair():
    # The first item is no f, and 0 < .5 x 1: with p i at every prefix the list has failed already.
    groups = "mfmffmfmmf"
    assert not all(groups[:i].count("f") >= 0.5 * i for i in range(1, 11))
    assert of_each("FAIR(of=topic, group=f, p=0.5)@10", [listed(groups)]) == [1]
    rng = np.random.default_rng(15)
    fair = np.where(rng.random((2000, 10)) < 0.5, "f", "m").tolist()
    passes = np.mean(of_each("FAIR(of=topic, group=f, p=0.5)@10", [listed(row) for row in fair]))
    strictly = np.mean([all(row[:i].count("f") >= 0.5 * i for i in range(1, 11)) for row in fair])
    assert passes > 0.9
    assert strictly < 0.5


def test_fair_pgrank_and_others_divide_by_a_merit_of_0():
    rows = [[Item(1, 1.0, ("a",)), Item(2, 0.0, ("b",))] for _ in range(3)]
    found = finding_of("ratio(exposure_per_relevance, of=topic)", rows)
    assert "nothing is due to such items" in found.undefined


def test_exposure_of_a_cut_list_says_where_it_is_cut():
    requests = [listed("abab"), listed("ba")]
    whole, cut = (finding_of(f"exposure_share(of=topic, group=a){k}", requests) for k in ("", "@1"))
    assert whole.conventions["truncation"] == "whole list"
    assert cut.conventions["truncation"] == "slots 1 to 1"
    assert cut.value == 0.5
