"""Sums by item over a whole catalogue, against loops over the rows of the log."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import NotationError
from evenhand.measures.rankings.spread import chance, gini
from made_lists import catalogue, log_of_lists, random_lists

WEIGHTS = {
    "log2": lambda slot: 1 / math.log2(1 + slot),
    "rbp(p=0.8)": lambda slot: 0.2 * 0.8 ** (slot - 1),
}


@pytest.fixture(scope="module")
def rows():
    return random_lists(np.random.default_rng(1), 120)


def log_of(rows, items=None, **more):
    known = None if items is None else pl.DataFrame({"doc": [*items]})
    named = {"request": "q", "item": "doc", "rank": "slot"} | more
    return eh.log(rows, kind="search", catalogue=known, **named)


def lists(*requests, names="doc"):
    """Rows of requests, each the items from the top; what stands in brackets was not shown."""
    found = []
    for q, request in enumerate(requests):
        for place, doc in enumerate(request):
            hidden = doc.startswith("(")
            found.append((q, doc.strip("()"), None if hidden else place + 1))
    return pl.DataFrame(
        found, schema={"q": pl.Int64, names: pl.String, "slot": pl.Int64}, orient="row"
    )


def amounts(rows, weight, *, k=None, of="item"):
    """What each item, or group of items, gets in the log, in parts where it has several."""
    found = Counter()
    for row in rows.iter_rows(named=True):
        groups = row[of] if isinstance(row[of], list) else [row[of]]
        shown = row["slot"] is not None and (k is None or row["slot"] <= k)
        for group in groups:
            if group is not None:
                found[group] += weight(row["slot"]) / len(groups) if shown else 0.0
    return found


def padded(found, size):
    assert len(found) <= size
    return sorted([*found.values(), *[0.0] * (size - len(found))])


def slow_gini(values):
    """Mean absolute difference of all pairs over twice the mean."""
    n, total = len(values), sum(values)
    return sum(abs(x - y) for x in values for y in values) / (2 * n * total)


def size_of(of):
    return {"item": len(catalogue()), "tier": 3, "genres": 3}[of]


@pytest.mark.parametrize("k", [None, 5])
@pytest.mark.parametrize("browsing", WEIGHTS)
@pytest.mark.parametrize("of", ["item", "tier", "genres"])
def test_exposure_gini_is_the_mean_difference_over_all_items_of_the_catalogue(
    rows, of, browsing, k
):
    about = "" if of == "item" else f"of={of}, "
    found = eh.estimate(
        f"exposure_gini({about}browsing={browsing}){f'@{k}' if k else ''}", log_of_lists(rows)
    )
    values = padded(amounts(rows, WEIGHTS[browsing], k=k, of=of), size_of(of))
    assert found.value == pytest.approx(slow_gini(values))
    assert found.conventions["catalogue"].startswith(f"{len(values)} ")


@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize("of", ["item", "tier", "genres"])
def test_item_gini_is_that_of_times_shown(rows, of, k):
    about = "" if of == "item" else f"(of={of})"
    found = eh.estimate(f"item_gini{about}{f'@{k}' if k else ''}", log_of_lists(rows))
    values = padded(amounts(rows, lambda _: 1.0, k=k, of=of), size_of(of))
    assert found.value == pytest.approx(slow_gini(values))


@pytest.mark.parametrize("share", [0.01, 0.1, 0.34, 0.5, 0.9])
@pytest.mark.parametrize("of", ["item", "genres"])
def test_top_share_is_what_the_most_exposed_have_an_item_in_part(rows, of, share):
    about = "" if of == "item" else f", of={of}"
    found = eh.estimate(f"top_share(share={share}{about})@7", log_of_lists(rows))
    values = padded(amounts(rows, WEIGHTS["log2"], k=7, of=of), size_of(of))[::-1]
    left, most = share * len(values), 0.0
    for value in values:
        most += value * min(max(left, 0.0), 1.0)
        left -= 1
    assert found.value == pytest.approx(most / sum(values))


@pytest.mark.parametrize("k", [None, 1, 3])
@pytest.mark.parametrize("of", ["item", "tier", "genres"])
def test_coverage_is_the_share_of_the_catalogue_that_was_shown_up_to_k(rows, of, k):
    about = "" if of == "item" else f"(of={of})"
    found = eh.estimate(f"coverage{about}{f'@{k}' if k else ''}", log_of_lists(rows))
    values = padded(amounts(rows, lambda _: 1.0, k=k, of=of), size_of(of))
    assert found.value == pytest.approx(np.mean([value > 0 for value in values]))


@pytest.mark.parametrize("k", [None, 4])
@pytest.mark.parametrize("of", ["item", "tier", "genres"])
def test_amortised_unfairness_is_the_distance_of_sums_over_the_log(rows, of, k):
    about = "" if of == "item" else f"(of={of})"
    found = eh.estimate(f"amortised_unfairness{about}{f'@{k}' if k else ''}", log_of_lists(rows))
    apart, requests = Counter(), 0.0
    for (_,), request in rows.group_by("request"):
        shown = [slot is not None for slot in request["slot"]]
        worth = sum(request["grade"])
        if not any(shown) or not worth:
            continue
        attention = [
            WEIGHTS["log2"](slot) if slot is not None and (k is None or slot <= k) else 0.0
            for slot in request["slot"]
        ]
        total = sum(attention)
        for row, seen in zip(request.iter_rows(named=True), attention, strict=True):
            groups = row[of] if isinstance(row[of], list) else [row[of]]
            for group in groups:
                due = row["grade"] / worth
                apart[group] += ((seen / total if total else 0.0) - due) / len(groups)
        # Items of unknown group are left out, and so are requests that have no others.
        requests += any(one not in (None, []) for one in request[of].to_list())
    assert found.value == pytest.approx(
        sum(abs(value) for group, value in apart.items() if group is not None) / requests, abs=1e-12
    )


@pytest.mark.parametrize(
    "notation", ["exposure_gini@6", "item_gini", "top_share(share=0.2)", "coverage@2"]
)
def test_groups_of_users_are_measured_alone_and_not_compared(rows, notation):
    # A small log has a larger index by chance, so that unlike groups would differ without cause.
    log = log_of_lists(rows)
    with pytest.raises(NotationError, match="larger or smaller by chance in a small one"):
        eh.estimate(f"difference({notation}, by=age)", log)
    alone = log_of_lists(rows.filter(pl.col("age") == "young"))
    where = log_of_lists(rows, where="age == 'young'")
    assert eh.estimate(notation, where).value == pytest.approx(eh.estimate(notation, alone).value)


def test_items_of_the_log_that_the_catalogue_lacks_count_but_for_coverage_and_are_told():
    rows = lists("ab", "ac", "da")
    found = eh.estimates(["item_gini", "coverage"], log_of(rows, items="ab"))
    # a 3, b 1, c 1, d 1, and a catalogue that names two of them.
    assert found[0].value == pytest.approx(slow_gini([1, 1, 1, 3]))
    assert found[1].value == 1
    two = "2 items; 2 of the log are not in it"
    assert [one.conventions["catalogue"] for one in found] == [
        f"{two} and count too",
        f"{two} and do not count",
    ]
    # Of five items one was shown, and three others.
    assert eh.estimate("coverage", log_of(rows, items="bwxyz")).value == pytest.approx(1 / 5)


def test_without_a_catalogue_the_items_are_those_of_the_log_and_it_says_how_many():
    rows = lists(["a", "b", "(c)"], ["a", "(b)"])
    gini_, covered = eh.estimates(["item_gini", "coverage"], log_of(rows))
    assert gini_.value == pytest.approx(slow_gini([0, 1, 2]))
    assert covered.value == pytest.approx(2 / 3)
    assert covered.conventions["catalogue"] == "3 items"


@pytest.mark.parametrize("size", [3, 20])
def test_recbole_counts_the_items_that_training_saw_and_no_others(size):
    # Items that nobody was shown are of the catalogue too: the more there are, the more unequal.
    items = ["a", *map(str, range(1, size))]
    log = log_of(lists("a", "a", "a"), items=items)
    found = eh.estimates(["item_gini", "coverage", "top_share(share=0.5)"], log)
    assert [one.value for one in found] == pytest.approx([1 - 1 / size, 1 / size, 1])


def test_evidently_lets_coverage_ignore_the_cutoff():
    rows = lists("ab", "ac", "ad")
    found = eh.estimates(["coverage@1", "coverage@2", "coverage"], log_of(rows, items="abcde"))
    assert [one.value for one in found] == pytest.approx([1 / 5, 4 / 5, 4 / 5])


def test_poprox_gini_of_a_single_list_is_not_always_0():
    expected = slow_gini([0, 0, 0, *map(WEIGHTS["log2"], (1, 2, 3))])
    one, two = (
        eh.estimate("exposure_gini", log_of(lists(*["abc"] * n), items="abcdef")) for n in (1, 2)
    )
    assert one.value == pytest.approx(expected)
    assert two.value == pytest.approx(expected)
    # A single list has a figure, and tells nothing about the next.
    assert (one.low, one.high) == (0, 1)


def test_gini_is_over_n_as_in_recbole_not_over_n_less_1_as_in_elliot():
    # One of four items has all: 1 - 1/4. Over n - 1 it would be 1 whatever the catalogue.
    found = eh.estimate("item_gini", log_of(lists("a", "a"), items="abcd"))
    assert found.value == pytest.approx(3 / 4)
    assert 4 / 3 * found.value == pytest.approx(1)


def test_gini_grows_with_inequality_where_elliot_prints_one_less_it():
    even, uneven = (
        eh.estimate("item_gini", log_of(lists(*requests), items="abc")).value
        for requests in (("ab", "bc", "ca"), ("ab", "ab", "ac"))
    )
    assert even == 0 < uneven


def test_fairranktune_returns_inside_the_loop_so_only_the_first_ranking_counts():
    # The first list is fair, those after it are not.
    rows = pl.DataFrame(
        {
            "q": [0, 0, 1, 1, 2, 2],
            "doc": [*"ababab"],
            "slot": [1, 2] * 3,
            "worth": [1, 1, 0, 1, 0, 1],
        }
    )
    found = eh.estimate("amortised_unfairness", log_of(rows, relevance="worth"))
    first = 1 / (1 + WEIGHTS["log2"](2))
    a = (first - 1 / 2) + 2 * first
    assert found.value == pytest.approx(2 * a / 3)
    backwards = rows.sort("q", descending=True)
    assert eh.estimate("amortised_unfairness", log_of(backwards, relevance="worth")).value == (
        pytest.approx(found.value)
    )


def test_lists_that_are_unfair_each_may_be_fair_together():
    both = lists("ab", "ba").with_columns(worth=1.0)
    found = eh.estimate("amortised_unfairness", log_of(both, relevance="worth"))
    assert found.value == pytest.approx(0, abs=1e-15)
    same = lists("ab", "ab").with_columns(worth=1.0)
    first = 1 / (1 + WEIGHTS["log2"](2))
    other = eh.estimate("amortised_unfairness", log_of(same, relevance="worth"))
    assert other.value == pytest.approx(2 * (first - 1 / 2))


def test_items_of_unknown_group_make_the_others_no_more_unfair():
    rows = lists(*[["a", *(f"({i})" for i in range(9))]] * 4).with_columns(
        worth=(pl.col("doc") != "a").cast(pl.Int64),
        tier=pl.when(pl.col("doc") == "a").then(pl.lit("x")),
    )
    found = eh.estimate(
        "amortised_unfairness(of=tier)", log_of(rows, relevance="worth", item_groups=["tier"])
    )
    # All attention goes to x, which is worth nothing: 1 per request, however many are unknown.
    assert found.value == pytest.approx(1)


def test_requests_weigh_alike_in_amortised_unfairness_however_long():
    # FairRankTune sums without dividing: more requests are not more unfair.
    once, twice = (lists(*(["abc"] * n)).with_columns(worth=1.0) for n in (2, 4))
    values = [
        eh.estimate("amortised_unfairness", log_of(rows, relevance="worth")).value
        for rows in (once, twice)
    ]
    assert values[0] == pytest.approx(values[1])


@pytest.mark.parametrize("mean", [0.6, 8])
def test_chance_is_that_of_counts_that_are_poisson(mean):
    rng, size = np.random.default_rng(1), 200
    drawn = [slow_gini(rng.poisson(mean, size).tolist()) for _ in range(40)]
    told = float(chance(mean * size, mean * size, size)["chance"].split()[0])
    # The mean of 40 is known to about .0025 here, and five standard errors are allowed.
    assert told == pytest.approx(np.mean(drawn), abs=0.0125)


def test_chance_is_near_that_of_a_fixed_number_of_places_on_few_items():
    rng, size, places = np.random.default_rng(1), 50, 400
    drawn = [
        slow_gini(np.bincount(rng.integers(0, size, places), minlength=size)) for _ in range(100)
    ]
    told = float(chance(places, places, size)["chance"].split()[0])
    assert told == pytest.approx(np.mean(drawn), abs=0.01)


def test_chance_of_weights_that_differ_is_near_what_a_simulation_finds():
    rng, size = np.random.default_rng(2), 40
    weights = np.tile([WEIGHTS["log2"](slot) for slot in range(1, 11)], 20)
    drawn = [
        slow_gini(np.bincount(rng.integers(0, size, len(weights)), weights, size))
        for _ in range(400)
    ]
    told = float(chance(weights.sum(), (weights**2).sum(), size)["chance"].split()[0])
    assert told == pytest.approx(np.mean(drawn), abs=0.02)


def test_a_finding_tells_chance_and_the_least_there_can_be():
    rows = lists("a", "b", "a")
    found = eh.estimate("item_gini", log_of(rows, items=[*"abcdefghij"]))
    # Three places for ten items: at least seven have nothing.
    assert found.conventions["best attainable"].startswith("0.7000")
    chance_of = float(found.conventions["chance"].split()[0])
    assert 0.7 < chance_of < 1
    assert found.conventions["speaks of"].startswith("this catalogue")


def test_an_attribute_that_the_catalogue_lacks_is_refused():
    rows = lists("ab", "ba").with_columns(tier=pl.lit("x"))
    log = log_of(rows, items="ab", item_groups=["tier"])
    with pytest.raises(ValueError, match="catalogue"):
        eh.estimate("exposure_gini(of=tier)", log)


@pytest.mark.parametrize(
    ("notation", "message"),
    [
        ("top_share(share=0)", "between 0 and 1"),
        ("top_share(share=1)", "between 0 and 1"),
        ("top_share(share='x')", "between 0 and 1"),
        ("exposure_gini(of=[tier, genres])", "one attribute"),
        ("difference(exposure_gini, of=tier)", "whole lists|items"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(rows, notation, message):
    with pytest.raises(NotationError, match=message):
        eh.estimate(notation, log_of_lists(rows))


@pytest.mark.parametrize("name", ["exposure_gini", "item_gini", "top_share", "coverage"])
def test_lists_that_show_nothing_have_no_figure(name):
    rows = lists(["(a)", "(b)"], ["(a)"])
    found = eh.estimate(name, log_of(rows))
    assert "nothing was shown" in found.undefined


@pytest.mark.parametrize("name", ["exposure_gini", "item_gini", "top_share", "coverage"])
def test_a_cutoff_above_all_that_was_shown_leaves_no_figure(name):
    rows = lists("ab", "ba").filter(pl.col("slot") > 1)
    found = eh.estimate(f"{name}@1", log_of(rows))
    assert "nothing was shown" in found.undefined


def test_slope_of_gini_is_its_derivative():
    rng = np.random.default_rng(3)
    x = rng.random(12)
    value, slope = gini(x, 15)
    assert value == pytest.approx(slow_gini([0, 0, 0, *x]))
    for place in range(len(x)):
        moved = x.copy()
        moved[place] += 1e-7
        assert slope[place] == pytest.approx((gini(moved, 15)[0] - value) / 1e-7, abs=1e-5)


def test_gini_of_nothing_is_none():
    assert math.isnan(gini(np.zeros(3), 3)[0])


def test_gini_of_items_that_have_as_much_is_0():
    assert gini(np.full(7, 0.3), 7)[0] == pytest.approx(0, abs=1e-15)
