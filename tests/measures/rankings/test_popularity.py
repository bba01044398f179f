"""Popularity against a loop, by hand, and by groups of users."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from naive_lists import (
    assert_agree,
    finding_of,
    items,
    list_popularity,
    of_each,
    random_requests,
    relevant,
)


def test_list_popularity_by_hand():
    request = items((1, 0), (2, 0), (5, 0), (None, 0), bought=[9, 3, 0, 50])
    assert of_each("ARP(popularity=bought)", [request]) == [4]
    assert of_each("ARP(popularity=bought)@2", [request]) == [6]


@pytest.mark.parametrize("k", [3, None])
def test_list_popularity_is_what_a_loop_finds(k):
    requests = random_requests(np.random.default_rng(19), 80)
    notation = "ARP(popularity=bought)" + ("" if k is None else f"@{k}")
    assert_agree(notation, lambda r: list_popularity(r, k=k), requests)


def test_popularity_that_is_not_known_is_not_0():
    requests = [items((1, 0), (2, 0), bought=[9, None]), items((1, 0), bought=[9])]
    finding = finding_of("ARP(popularity=bought)", requests)
    assert "'bought' of a shown item is missing for 1 of 2 rows" in finding.undefined


def test_popularity_comes_from_a_side_table(tmp_path):
    pl.DataFrame({"item": ["x", "y"], "bought": [7, 1]}).write_parquet(tmp_path / "items.parquet")
    rows = pl.DataFrame({"q": [1, 1, 2], "slot": [1, 2, 1], "item": ["x", "y", "y"]})
    log = eh.log(
        rows,
        kind="search",
        request="q",
        rank="slot",
        item="item",
        tables=[{"source": str(tmp_path / "items.parquet"), "key": "item", "columns": ["bought"]}],
    )
    assert eh.estimate("ARP(popularity=bought)", log).value == 2.5


@pytest.mark.parametrize("k", [3, None])
def test_lift_is_what_a_loop_finds(k):
    requests = random_requests(np.random.default_rng(20), 80)
    kept = [
        (listed, np.mean([i.numbers["bought"] for i in request if relevant(i)]))
        for request in requests
        if any(map(relevant, request)) and (listed := list_popularity(request, k=k)) is not None
    ]
    listed, liked = np.mean(kept, axis=0)
    finding = finding_of(
        "popularity_lift(popularity=bought)" + ("" if k is None else f"@{k}"), requests
    )
    assert finding.value == pytest.approx((listed - liked) / liked)
    assert finding.rows == len(kept)
    assert sum(part.rows for part in finding.excluded) == len(requests) - len(kept)


def test_lift_of_each_group_of_users_is_of_its_own_means():
    rows = pl.DataFrame(
        {
            "q": [1, 1, 2, 2, 3, 3],
            "slot": [1, None, 1, None, 1, None],
            "liked": [0, 1] * 3,
            "bought": [9, 3, 4, 4, 8, 4],
            "who": [*"nnmmmm"],
        }
    )
    log = eh.log(rows, kind="search", request="q", rank="slot", relevance="liked", groups=["who"])
    finding = eh.estimate("difference(popularity_lift(popularity=bought), by=who)", log)
    by = {one.group["who"]: one.outcome for one in finding.groups}
    assert by["m"].value == pytest.approx((4 + 8) / (4 + 4) - 1)


def test_profile_may_be_a_column_of_the_user():
    rows = pl.DataFrame(
        {"q": [1, 1, 2], "slot": [1, 2, 1], "bought": [8, 2, 3], "usual": [2.0, 2.0, 3.0]}
    )
    log = eh.log(rows, kind="search", request="q", rank="slot")
    finding = eh.estimate("popularity_lift(popularity=bought, profile=usual)", log)
    assert finding.value == pytest.approx((5 + 3) / (2 + 3) - 1)
    assert finding.conventions["profile"] == "'usual' of the request's user"


def test_lift_over_profiles_of_popularity_0_is_undefined():
    requests = [items((1, 1), bought=[0]), items((1, 1), bought=[0])]
    finding = finding_of("popularity_lift(popularity=bought)", requests)
    assert finding.undefined == "the items of all profiles have popularity 0"
