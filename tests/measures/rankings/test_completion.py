"""Completion and skips against a loop, and by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import ValueInLogError
from naive_lists import finding_of, items, random_requests, within


def rate(requests, holds, *, k=None, reached=False):
    """The share of shown, or reached, items of which something holds."""
    counted = [
        holds(i.numbers["part"])
        for request in requests
        for i in within(request, k)
        if not reached or i.numbers["reached"]
    ]
    return np.mean(counted)


def test_completion_rate_by_hand():
    requests = [
        items((1, 0), (2, 0), (None, 0), part=[1.0, 0.5, 0.0], reached=[1, 1, 0]),
        items((1, 0), (3, 0), part=[1.0, 0.0], reached=[1, 0]),
    ]
    assert finding_of("completion_rate(column=part)", requests).value == 2 / 4
    assert finding_of("completion_rate(column=part)@2", requests).value == pytest.approx(2 / 3)
    reached = finding_of("completion_rate(column=part, reached=reached)", requests)
    assert reached.value == pytest.approx(2 / 3)
    assert reached.rows == 3
    assert {(part.reason, part.rows) for part in reached.excluded} == {
        ("not shown", 1),
        ("not reached", 1),
    }
    assert finding_of("completion_rate(column=part, least=0.5)", requests).value == 3 / 4


@pytest.mark.parametrize("k", [1, 4, None])
@pytest.mark.parametrize("reached", [False, True])
def test_completion_and_skips_are_what_a_loop_counts(k, reached):
    requests = random_requests(np.random.default_rng(16), 60)
    among, cut = ", reached=reached" if reached else "", "" if k is None else f"@{k}"
    completed = finding_of(f"completion_rate(column=part{among}, least=0.5){cut}", requests)
    assert completed.value == pytest.approx(
        rate(requests, lambda x: x >= 0.5, k=k, reached=reached)
    )
    skipped = finding_of(f"skip_rate(column=part{among}, below=0.1){cut}", requests)
    assert skipped.value == pytest.approx(rate(requests, lambda x: x < 0.1, k=k, reached=reached))


def test_skip_rate_takes_yes_and_no():
    rows = pl.DataFrame({"q": [1, 1, 2], "slot": [1, 2, 1], "skipped": [True, False, False]})
    log = eh.log(rows, kind="search", request="q", rank="slot")
    assert eh.estimate("skip_rate(column=skipped)", log).value == pytest.approx(1 / 3)


def test_share_watched_is_no_skip():
    with pytest.raises(ValueInLogError, match=r"skip_rate takes 0 or 1, here 0.5"):
        finding_of("skip_rate(column=part)", [items((1, 0), part=[0.5])])


def test_outcome_of_an_item_that_counts_is_needed():
    requests = [items((1, 0), (2, 0), part=[1, None], reached=[1, 0]), items((1, 0), part=[0])]
    requests[1][0].numbers["reached"] = 1
    finding = finding_of("completion_rate(column=part)", requests)
    assert "'part' of a shown item is missing for 1 of 3 rows" in finding.undefined
    reached = finding_of("completion_rate(column=part, reached=reached)", requests)
    assert reached.value == 0.5


def test_whether_a_shown_item_was_reached_is_needed():
    requests = [items((1, 0), (2, 0), part=[1, 0], reached=[1, None])]
    finding = finding_of("completion_rate(column=part, reached=reached)", requests)
    assert "'reached' of a shown item is missing" in finding.undefined


def test_nothing_shown_has_no_rate():
    finding = finding_of("completion_rate(column=part)", [items((None, 0), part=[0.0])])
    assert finding.undefined


@pytest.mark.parametrize("soft", [False, True])
def test_completion_is_compared_by_groups_of_items(soft):
    topics = [("a", "b") if soft else "a", "a", "b", "b"]
    request = items((1, 0), (2, 0), (3, 0), (4, 0), part=[1, 0, 1, 1], groups=topics)
    finding = finding_of("difference(completion_rate(column=part), of=topic)", [request] * 1)
    by = {next(iter(one.group.values())): one.outcome.value for one in finding.groups}
    if soft:
        assert by == pytest.approx({"a": 0.5 / 1.5, "b": 2.5 / 2.5})
    else:
        assert by == {"a": 0.5, "b": 1.0}
