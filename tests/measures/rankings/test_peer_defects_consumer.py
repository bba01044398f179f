"""Mistakes that other tools make with what users get, each shown not to be made here."""

from __future__ import annotations

import math

import polars as pl
import pytest

import evenhand as eh
from naive_lists import finding_of, items, of_each


def scored(slots, scores, worth):
    """Return a log of one request with the scores that the model gave before re-ranking."""
    rows = pl.DataFrame({"q": 1, "slot": slots, "score": scores, "worth": worth})
    return eh.log(rows, kind="search", request="q", rank="slot", score="score", relevance="worth")


@pytest.mark.parametrize("notation", ["nDCG", "nDCG@2", "RBP", "RR", "AP(ideal=shown)", "P@1"])
def test_order_is_that_of_the_slots_not_of_the_scores(notation):
    # FairDiverse sorts the re-ranked list by the model's scores again before it evaluates.
    scores, worth = [0.9, 0.8, 0.1], [1.0, 0.0, 0.0]
    kept = eh.estimate(notation, scored([1, 2, 3], scores, worth)).value
    reranked = eh.estimate(notation, scored([3, 2, 1], scores, worth)).value
    assert reranked < kept


def test_gains_are_relevance_not_scores():
    # FairDiverse takes the model's scores for gains, so that any list sorted by them is perfect.
    log = scored([1, 2], [0.9, 0.1], [0.0, 1.0])
    assert eh.estimate("nDCG", log).value == pytest.approx(1 / math.log2(3))


def test_hit_at_a_lower_slot_is_worth_less():
    # CPFair's notebook sums gains without a discount.
    at_first, at_fourth = items((1, 1), (4, 0)), items((1, 0), (4, 1))
    for notation in ("nDCG@5", "RBP@5", "RR@5", "AP(ideal=shown)@5"):
        high, low = of_each(notation, [at_first, at_fourth])
        assert high > low > 0


def test_ideal_is_that_of_each_request():
    # CPFair's notebook divides every user's gain by one constant.
    assert of_each("nDCG@10", [items((1, 1)), items((1, 1), (2, 1)), items((1, 4))]) == [1, 1, 1]


@pytest.mark.parametrize(
    "notation", ["nDCG@5", "P@5", "RR", "Success@1", "RBP", "watch_time(column=seconds)"]
)
def test_figure_of_a_group_of_users_does_not_grow_with_the_group(notation):
    # CPFair's notebook compares sums over users, so that the larger group wins.
    rows = pl.DataFrame(
        {
            "q": range(8),
            "slot": [1, 2] * 4,
            "worth": 1.0,
            "seconds": [9.0, 3.0] * 4,
            "who": ["few"] * 2 + ["many"] * 6,
        }
    )
    log = eh.log(rows, kind="search", request="q", rank="slot", relevance="worth", groups=["who"])
    finding = eh.estimate(f"difference({notation}, by=who)", log)
    few, many = (one.outcome.value for one in finding.groups)
    assert few == pytest.approx(many)
    assert finding.value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    "notation", ["nDCG@5", "P@5", "RR", "Success@5", "RBP", "AP", "R@5", "R(ideal=shown)@5"]
)
def test_want_of_a_relevant_item_is_no_failure(notation):
    # TorchMetrics and trec_eval answer 0.0 where no document is relevant, as for the worst list.
    nothing = items((1, 0), (2, 0), (None, 0))
    assert of_each(notation, [nothing]) == [None]
    finding = finding_of(notation, [items((1, 1), (None, 0)), nothing])
    alone = finding_of(notation, [items((1, 1), (None, 0))])
    assert finding.value == alone.value
    assert [part.rows for part in finding.excluded] == [1]
    assert finding_of(notation, [nothing]).undefined


@pytest.mark.parametrize("notation", ["RR", "P@2", "nDCG@2", "RBP"])
def test_unjudged_is_not_irrelevant(notation):
    # trec_eval takes every document without a judgement for one that is not relevant.
    finding = finding_of(notation, [items((1, None), (2, 1)), items((1, 1))])
    assert "relevance of a shown item is missing" in finding.undefined


def test_single_item_is_neither_diverse_nor_uniform():
    # A diversity, or Gini, of one item is a constant whatever the system does.
    finding = finding_of("diversity(of=topic)", [items((1, 0), groups=["a"])])
    assert finding.undefined


def test_popularity_respects_the_cutoff():
    # Evidently's popularity bias took coverage over all items, whatever k was.
    request = items((1, 0), (2, 0), bought=[10, 0])
    assert of_each("ARP(popularity=bought)@1", [request]) == [10]
    assert of_each("ARP(popularity=bought)@2", [request]) == [5]


def test_items_that_training_never_saw_are_not_silently_dropped():
    # RecBole's tail percentage counts only items that were seen in training.
    requests = [items((1, 0), (2, 0), (3, 0), groups=["tail", "head", ()])]
    finding = finding_of("APLT(of=topic, tail=tail)", requests)
    assert "1 of them were shown" in finding.conventions["unknown"]
    assert finding_of("ARP(popularity=bought)", [items((1, 0), (2, 0), bought=[3, None])]).undefined
