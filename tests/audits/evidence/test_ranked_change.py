"""Changes of figures of ranked lists between two audits of the same requests."""

from __future__ import annotations

import functools

import numpy as np
import polars as pl
import pytest

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.comparison import Change, diff
from evenhand.audits.plan import Located, plan_from
from evenhand.audits.plan.fit import fit
from evenhand.audits.run import run
from evenhand.logs.unit import BUCKETS, CROSSED, integer_hash
from evenhand.stats.interval import critical

ITEMS = 8
NDCG, AWRF, SHARE = "nDCG@4", "AWRF(of=side, target=equal)@4", "exposure_share(of=side, group=b)@4"


def kinds_of_requests(count: int, push: float, seed: int = 3) -> tuple[np.ndarray, ...]:
    """Return relevance, side and slots of items before and after items of side b are pushed up."""
    rng = np.random.default_rng(seed)
    relevance = rng.integers(0, 3, (count, ITEMS))
    side = rng.integers(0, 2, (count, ITEMS))
    score = relevance + rng.normal(size=(count, ITEMS))
    slots = [
        np.argsort(np.argsort(-values, axis=1), axis=1) + 1
        for values in (score, score + push * side)
    ]
    return relevance, side, *slots


def log_of(ids: np.ndarray, relevance: np.ndarray, side: np.ndarray, slot: np.ndarray, **more):
    """Return the rows of requests, one for each item."""
    rows = {"request": ids, **more}
    return pl.DataFrame(
        {
            **{name: np.repeat(values, ITEMS) for name, values in rows.items()},
            "item": np.tile(np.arange(ITEMS), len(ids)),
            "slot": slot.ravel(),
            "relevance": relevance.ravel(),
            "side": np.where(side.ravel() == 1, "b", "a"),
        }
    )


def audited(
    rows: pl.DataFrame,
    *measures: str,
    min_units: int = 1,
    unit: str | list[str] = "request",
    **groups: str,
) -> Bundle:
    """Return the evidence of an audit of ranked lists."""
    content = {
        "evenhand": 1,
        "log": {"source": "lists", "kind": "search"},
        "roles": {"request": "request", "item": "item", "rank": "slot", "relevance": "relevance"},
        "unit": unit,
        "groups": groups,
        "item_groups": {"side": "side"},
        "measures": [*measures],
        "min_units": min_units,
    }
    return run(fit(plan_from(Located("", content, {})), table=rows), version="test")


def one_bucket_each() -> np.ndarray:
    """Return ids of requests of which each bucket of units holds one."""
    ids = np.arange(4_000)
    _, first = np.unique([integer_hash(int(one)) % BUCKETS for one in ids], return_index=True)
    assert len(first) == BUCKETS
    return ids[first]


def ndcg(relevance: np.ndarray, slot: np.ndarray, k: int = 4) -> np.ndarray:
    """Return nDCG with relevance itself as the gain, request by request, from its definition."""
    gain = relevance.astype(float)
    found = (gain / np.log2(1 + slot) * (slot <= k)).sum(axis=1)
    best = -np.sort(-gain, axis=1)[:, :k] @ (1 / np.log2(np.arange(2, k + 2)))
    return found / best


def test_with_a_bucket_for_each_request_the_error_is_that_of_differences_by_request():
    ids = one_bucket_each()
    relevance, side, before, after = kinds_of_requests(len(ids), 0.5)
    bundles = [audited(log_of(ids, relevance, side, slot), NDCG) for slot in (before, after)]
    apart = ndcg(relevance, after) - ndcg(relevance, before)
    error = apart.std(ddof=1) / np.sqrt(len(ids))
    moved = [
        np.zeros(BUCKETS),
        np.zeros(BUCKETS),
    ]
    for column, bundle in zip(moved, bundles, strict=True):
        told = bundle.replicates
        column[told["bucket"].to_numpy()] = told["deviation"].to_numpy()
    squares = np.square(moved[1] - moved[0]).sum() * BUCKETS / (BUCKETS - 1)
    assert np.sqrt(squares) == pytest.approx(error, rel=1e-9)
    (change,) = diff(*bundles).changes
    assert change.difference.value == pytest.approx(apart.mean())
    # Of a t interval there is left that few requests may carry the sum: some 1 % here.
    half = (change.difference.high - change.difference.low) / 2
    assert half == pytest.approx(critical(0.95, BUCKETS - 1) * error, rel=0.03)


EVERY = (
    NDCG,
    AWRF,
    SHARE,
    "FAIR(of=side, group=b, p=0.6)@8",
    "Skew(of=side, group=b, target=equal, smoothing=1)@4",
    "NDKL(of=side, target=equal)@8",
    "shares(exposure@4, of=side)",
    "ratio(exposure@4, of=side)",
    f"difference({NDCG}, by=kind)",
    f"worst({NDCG}, by=kind)",
    "top_share(share=0.2)@4",
    "exposure_gini@4",
)


@functools.cache
def with_kinds(push: float, min_units: int) -> tuple[Bundle, Bundle]:
    """Return two audits of 120 requests of two kinds, before and after."""
    relevance, side, before, after = kinds_of_requests(120, push)
    kind = np.where(np.arange(120) % 3 == 0, "rare", "usual")
    one, other = (
        audited(
            log_of(np.arange(120), relevance, side, slot, kind=kind),
            *EVERY,
            min_units=min_units,
            kind="kind",
        )
        for slot in (before, after)
    )
    return one, other


@pytest.mark.parametrize("min_units", [1, 5, 10])
def test_a_ranking_that_stayed_has_surely_changed_nothing(min_units):
    one, _ = with_kinds(0.4, min_units)
    for change in diff(one, one).changes:
        gap = change.difference
        assert gap.paired, change.name
        assert gap.value == 0
        assert gap.low <= 0 <= gap.high
        if not change.key.startswith(("difference", "worst")) or change.group:
            assert (gap.low, gap.high) == (0, 0), change.name


def test_where_every_request_has_the_same_figure_both_times_others_may_still_differ():
    measure = "FAIR(of=side, group=b, p=0.1)@4"
    relevance, side, before, after = kinds_of_requests(60, 0.4)
    bundles = [audited(log_of(np.arange(60), relevance, side, s), measure) for s in (before, after)]
    (change,) = diff(*bundles).changes
    assert (change.before, change.after) == (1, 1)
    assert change.difference.low < 0 < change.difference.high


@pytest.mark.parametrize("min_units", [1, 5, 10])
def test_every_figure_of_lists_is_paired_and_known_better_so(min_units):
    one, other = with_kinds(0.2, min_units)
    found = diff(one, other).changes
    alone = diff(one.__class__(**{**vars(one), "replicates": one.replicates[:0]}), other).changes
    assert all(change.difference.paired for change in found)
    assert not any(change.difference.paired for change in alone)

    def widths(changes: tuple[Change, ...]) -> np.ndarray:
        return np.array([one.difference.high - one.difference.low for one in changes])

    ratio = widths(found) / widths(alone)
    assert np.median(ratio) < 0.6
    assert (ratio < 1.1).all()


def test_a_share_moves_by_what_shares_move_by_and_not_by_mean_exposure():
    one, other = with_kinds(0.2, 1)
    by_key = {(c.key, *(c.group or {}).values()): c.difference for c in diff(one, other).changes}
    of_group = by_key["shares(exposure@4, of=side, target=candidates)", "b"]
    # exposure_share is the same number, as a measure of its own.
    as_measure = by_key[(SHARE,)]
    np.testing.assert_allclose(
        [of_group.value, of_group.low, of_group.high],
        [as_measure.value, as_measure.low, as_measure.high],
        rtol=0.02,
    )


def test_a_group_of_too_few_units_is_not_paired_and_the_others_are():
    relevance, side, before, after = kinds_of_requests(120, 0.3)
    kind = np.where(np.arange(120) % 10 == 0, "rare", "usual")
    one, other = (
        audited(
            log_of(np.arange(120), relevance, side, slot, kind=kind),
            NDCG,
            f"difference({NDCG}, by=kind)",
            min_units=10,
            kind="kind",
        )
        for slot in (before, after)
    )
    comparison = diff(one, other)
    paired = {(c.group or {}).get("kind", c.key): c.difference.paired for c in comparison.changes}
    assert paired == {
        # Less the usual ones it would tell of the rare ones, by more sums than these allow.
        NDCG: False,
        f"difference({NDCG}, by=kind)": False,
        "rare": False,
        "usual": True,
    }
    assert "3 of 4 changes" in comparison.pairing


def test_sums_of_replicates_have_on_average_as_many_units_as_a_group_that_is_shown():
    for min_units, most in ((1, 120), (5, 24), (10, 12), (30, 4)):
        told = with_kinds(0.2, min_units)[0].replicates
        assert told["buckets"].max() <= most


def test_where_rows_have_two_units_lists_and_rows_are_both_paired():
    relevance, side, before, after = kinds_of_requests(150, 0.2)
    one, other = (
        audited(
            log_of(np.arange(150), relevance, side, slot),
            NDCG,
            "exposure_gini@4",
            "shares(exposure@4, of=side)",
            unit=["request", "item"],
        )
        for slot in (before, after)
    )
    told = one.replicates.group_by("measure").agg(pl.col("buckets").first())
    # 150 requests; sums by item are kept for 32 buckets; of 8 items there are 8 x 8 pairs.
    assert dict(told.iter_rows()) == {
        NDCG: BUCKETS,
        "exposure_gini@4": CROSSED,
        "shares(exposure@4, of=side, target=candidates)": 64,
    }
    apart = one.__class__(**{**vars(one), "replicates": one.replicates[:0]})
    found, alone, still = diff(one, other), diff(apart, other), diff(one, one)
    for mine, wide, none in zip(found.changes, alone.changes, still.changes, strict=True):
        gap = mine.difference
        assert gap.paired
        assert gap.high - gap.low < 0.8 * (wide.difference.high - wide.difference.low)
        assert (none.difference.low, none.difference.high) == (0, 0)


def test_audits_of_other_requests_are_not_paired_by_a_few_sums():
    relevance, side, before, after = kinds_of_requests(121, 0.2)
    for min_units, paired in ((1, True), (10, False)):
        one = audited(
            log_of(np.arange(120), relevance[:120], side[:120], before[:120]),
            NDCG,
            min_units=min_units,
        )
        other = audited(
            log_of(np.arange(1, 121), relevance[1:], side[1:], after[1:]), NDCG, min_units=min_units
        )
        comparison = diff(one, other)
        assert comparison.pairing.startswith("of different sets of units")
        assert comparison.changes[0].difference.paired is paired


DRAWS, REQUESTS, TYPES = 150, 120, 400


@functools.cache
def in_draws(push: float, min_units: int) -> dict[str, tuple[float, float, float]]:
    """Return how often a change is covered, and its mean width paired and alone, by measure."""
    types = kinds_of_requests(TYPES, push)
    chosen = np.random.default_rng(9).integers(0, TYPES, DRAWS * REQUESTS)
    draw = np.repeat([f"d{one}" for one in range(DRAWS)], REQUESTS)
    one, other, *whole = (
        audited(
            log_of(np.arange(len(chosen)), types[0][chosen], types[1][chosen], slot, draw=draw),
            *(f"worst({one}, by=draw)" for one in (NDCG, AWRF)),
            f"relative_std({SHARE}, by=draw)",
            min_units=min_units,
            draw="draw",
        )
        for slot in (types[2][chosen], types[3][chosen])
    )
    # What is drawn from is known, so is the true change.
    whole = [
        audited(log_of(np.arange(TYPES), types[0], types[1], slot), NDCG, AWRF, SHARE)
        for slot in types[2:]
    ]
    truth = {change.key: change.difference.value for change in diff(*whole).changes}
    alone = diff(one.__class__(**{**vars(one), "replicates": one.replicates[:0]}), other)
    found = {}
    for measure, value in truth.items():
        paired, unpaired = (
            [
                (change.difference.low, change.difference.high)
                for change in comparison.changes
                if change.group is not None and f"({measure}," in change.key
            ]
            for comparison in (diff(one, other), alone)
        )
        assert len(paired) == DRAWS
        low, high = np.array(paired).T
        wide = np.diff(np.array(unpaired)).mean()
        found[measure] = (((low <= value) & (value <= high)).mean(), (high - low).mean(), wide)
    return found


# Of 150 draws fewer than .90 hold a true change at a coverage of .95 with probability .004.
@pytest.mark.slow
@pytest.mark.parametrize("min_units", [1, 10, 30])
@pytest.mark.parametrize("push", [0.1, 1.0])
@pytest.mark.parametrize("measure", [NDCG, AWRF, SHARE])
def test_the_change_is_covered_and_a_small_one_known_better_than_from_other_requests(
    measure, push, min_units
):
    covered, paired, alone = in_draws(push, min_units)[measure]
    assert covered >= 0.9
    assert paired < (0.6 if push < 1 else 1) * alone
