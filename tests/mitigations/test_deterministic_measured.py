"""Certificates beside the measures: what re-rankers say they kept is what an audit finds."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.mitigations.candidates import NOBODY, candidates_of
from evenhand.mitigations.deterministic import DetConstSort, DetGreedy
from evenhand.mitigations.fair_topk import FAStarIR
from made_candidates import random_request

TARGET = {"a": 0.2, "b": 0.3, "c": 0.5}
WRITTEN = "shares(a, 0.2, b, 0.3, c, 0.5)"


def measured(notation, requests, order):
    """The figure of the slots that an order fills."""
    rows = [
        {"q": row, "slot": slot, "by": requests[row][1][place]}
        for row, places in enumerate(order.tolist())
        for slot, place in enumerate(places, start=1)
        if place != NOBODY
    ]
    frame = pl.DataFrame(rows, schema={"q": pl.Int64, "slot": pl.Int64, "by": pl.String})
    log = eh.log(frame, kind="search", request="q", rank="slot", item_groups=["by"])
    return eh.estimate(notation, log).value


def some_requests(names):
    rng = np.random.default_rng(11)
    found = [random_request(rng, names, 25, unknown=True) for _ in range(150)]
    # A request that shows nobody of known group is in no figure.
    return [one for one in found if sum(group is not None for group in one[1]) > 12]


@pytest.mark.parametrize("kind", [DetGreedy, DetConstSort])
def test_prefixes_that_break_are_the_infeasible_index(kind):
    requests = some_requests("abc")
    found = kind(TARGET).rerank(candidates_of(*zip(*requests, strict=True), "abc"), 10)
    figure = measured(f"infeasible_index(of=by, target={WRITTEN})@10", requests, found.order)
    assert figure == pytest.approx(found.certificate.violated.mean())
    assert figure > 0


def test_orders_that_are_kept_are_those_that_pass_fair():
    requests = some_requests("ab")
    method = FAStarIR("a", 0.6)
    found = method.rerank(candidates_of(*zip(*requests, strict=True), "ab"), 10)
    figure = measured("FAIR(of=by, group=a, p=0.6)@10", requests, found.order)
    assert figure == pytest.approx(found.certificate.kept.mean())
    assert 0.2 < figure < 1
