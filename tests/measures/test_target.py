"""Targets: the shares that are written, or that a log or a catalogue has, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import NotationError, ValueInLogError
from evenhand.measures.registry import measure_named
from evenhand.measures.target import Target, target_from
from evenhand.notation import parse
from naive_lists import UNKNOWN, in_order, items, lists_of, random_requests
from naive_provider import candidates

NAMES = ("a", "b", "c")
WRITTEN = [
    "catalogue",
    "candidates",
    "relevant",
    "equal",
    "shares(a, 0.5, b, 0.5)",
    "shares('a b', 0.25, b, 0.75, c, 0)",
    "mean(catalogue, relevant)",
    "mean(equal, shares(a, 0.1, b, 0.9), candidates)",
]


def target(written) -> Target:
    """Return the target that a measure's notation names."""
    found = measure_named(parse(f"AWRF(of=topic, target={written})")).aim
    assert found is not None
    return found


def shares(written, requests, catalogue=None, names=NAMES):
    lists = replace(lists_of(requests), catalogue={"topic": catalogue or {}})
    return target(written).shares(lists, "topic", names)


def relevances(request):
    """The shares of groups in the relevance of a request's items, as a loop finds them."""
    worth = dict.fromkeys(NAMES, 0.0)
    for item in in_order(request):
        for name in item.groups:
            worth[name] += (item.relevance or 0.0) / len(item.groups)
    total = sum(worth.values())
    return [worth[name] / total if total else np.nan for name in NAMES]


@pytest.mark.parametrize("soft", [False, True])
def test_candidates_are_the_items_of_the_request_shown_or_not(soft):
    requests = random_requests(np.random.default_rng(1), 60, soft=soft)
    expected = [
        [float(of[name]) if of else np.nan for name in NAMES]
        for of in (
            {**dict.fromkeys(NAMES, 0), **candidates(r)} if candidates(r) else {} for r in requests
        )
    ]
    np.testing.assert_allclose(shares("candidates", requests), expected)


@pytest.mark.parametrize("soft", [False, True])
def test_relevant_is_by_relevance_and_nothing_where_there_is_none(soft):
    requests = random_requests(np.random.default_rng(2), 60, soft=soft, unknown=0.2)
    np.testing.assert_allclose(shares("relevant", requests), [relevances(r) for r in requests])


def test_catalogue_leaves_unknown_out_and_adds_up_to_1():
    found = shares("catalogue", [items((1, 1), groups=["a"])], {"a": 0.3, "b": 0.1, UNKNOWN: 0.6})
    assert found.tolist() == [[pytest.approx(0.75), pytest.approx(0.25), 0]]


def test_equal_is_over_the_groups_that_the_catalogue_has():
    found = shares("equal", [items((1, 1), groups=["c"])], {"a": 0.9, "b": 0.1, UNKNOWN: 0.2})
    assert found.tolist() == [[0.5, 0.5, 0]]


def test_equal_without_a_catalogue_is_over_the_groups_of_the_log():
    rows = pl.DataFrame({"q": [1, 1, 2, 2], "slot": [1, 2, 1, 2], "by": ["a", "a", "a", "b"]})
    log = eh.log(rows, kind="search", request="q", rank="slot", item_groups=["by"])
    equal, halves = eh.estimates(
        [f"AWRF(of=by, target={one})" for one in ("equal", "shares(a, 0.5, b, 0.5)")], log
    )
    assert equal.value == pytest.approx(halves.value)
    assert equal.conventions["target"] == "equal"


def test_written_shares_are_as_they_are_written():
    found = shares("shares(a, 0.2, c, 0.8)", [items((1, 1), groups=["a"])])
    assert found.tolist() == [[0.2, 0, 0.8]]
    assert target("shares(a, 0.2, c, 0.8)").groups(lists_of([items((1, 1))]), "topic") == ("a", "c")


def test_items_of_unknown_group_need_no_share():
    found = shares("shares(a, 1, c, 0)", [items((1, 1), (2, 1), groups=["a", ()])])
    assert found.tolist() == [[1, 0, 0]]


def test_a_group_that_the_target_does_not_name_is_an_error_that_says_which():
    requests = [items((1, 1), (2, 1), (3, 1), groups=["a", "b", "c"])]
    with pytest.raises(ValueInLogError, match="names no share for b, c") as caught:
        shares("shares(a, 0.4, d, 0.6)", requests)
    assert "It names a, d; give every group its share, or 0." in str(caught.value)


def test_mean_is_of_the_targets_and_nothing_where_one_is_nothing():
    requests = random_requests(np.random.default_rng(3), 60)
    catalogue = {"a": 0.5, "b": 0.3, "c": 0.2}
    found = shares("mean(catalogue, relevant)", requests, catalogue)
    parts = [shares(one, requests, catalogue) for one in ("catalogue", "relevant")]
    np.testing.assert_allclose(found, (parts[0] + parts[1]) / 2)
    assert np.isnan(found).any()
    assert np.nansum(found, axis=1)[~np.isnan(found[:, 0])] == pytest.approx(1)


@pytest.mark.parametrize(
    ("written", "reads", "needs", "knows"),
    [
        ("catalogue", False, True, True),
        ("candidates", False, False, False),
        ("relevant", True, False, False),
        ("equal", False, False, True),
        ("shares(a, 1, b, 0)", False, False, False),
        ("mean(catalogue, relevant)", True, True, True),
        ("mean(equal, candidates)", False, False, True),
    ],
)
def test_a_target_says_what_it_is_made_of(written, reads, needs, knows):
    found = target(written)
    assert (found.reads_relevance, found.needs_catalogue) == (reads, needs)
    assert found.from_catalogue == knows


def test_a_target_by_relevance_needs_the_role():
    rows = pl.DataFrame({"q": [1, 1], "slot": [1, 2], "by": ["a", "b"]})
    log = eh.log(rows, kind="search", request="q", rank="slot", item_groups=["by"])
    for written in ("relevant", "mean(equal, relevant)"):
        with pytest.raises(NotationError, match="needs role 'relevance'"):
            eh.estimate(f"AWRF(of=by, target={written})", log)


@pytest.mark.parametrize("written", WRITTEN)
def test_a_target_is_what_its_notation_writes(written):
    notation = f"AWRF(of=topic, target={written})"
    measure = measure_named(parse(notation))
    assert measure_named(parse(str(measure))) == measure
    assert measure.aim == target(written)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("equal", "equal"),
        ("shares(a, 0.5, 'b c', 0.5)", "a 0.5, b c 0.5"),
        ("mean(catalogue, relevant)", "mean of catalogue and relevant"),
    ],
)
def test_a_finding_says_what_the_target_is(written, says):
    measure = measure_named(parse(f"AWRF(of=topic, target={written})"))
    assert measure.conventions()["target"] == says


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("parity", "'parity' is no target. Targets: catalogue, candidates, relevant, equal"),
        ("3", "is no target"),
        ("equal@5", "is no target"),
        ("equal(a)", "is no target"),
        ("shares(a, 0.5)", "here to 0.5"),
        ("shares(a, 0.5, b)", "is no target"),
        ("shares(a=0.5, b=0.5)", "is no target"),
        ("shares(a, 0.5, b, 0.4)", "add up to 1, here to 0.9"),
        ("shares(a, 0.5, b, 0.6)", "add up to 1, here to 1.1"),
        ("shares(a, 1.5, b, -0.5)", "at least 0, not -0.5"),
        ("shares(a, 0.5, a, 0.5)", "every group once"),
        ("shares(a, 0.3333333, b, 0.6666666)", "here to 0.9999999"),
        ("shares(a, 'x', b, 0.5)", "shares are written"),
        ("shares(a, True, b, 0)", "shares are written"),
        ("shares(1, 0.5, b, 0.5)", "shares are written"),
        ("mean(catalogue)", "is no target"),
        ("mean(catalogue, parity)", "'parity' is no target"),
        ("mean(equal, shares(a, 0.5, b, 0.4))", "here to 0.9"),
    ],
)
def test_what_is_no_target_is_refused_with_the_reason(written, message):
    with pytest.raises(NotationError, match=message):
        measure_named(parse(f"AWRF(of=topic, target={written})"))


def test_shares_add_up_to_1_within_the_rounding_of_floats():
    assert isinstance(target_from(parse("shares(a, 0.1, b, 0.2, c, 0.7)")), Target)
