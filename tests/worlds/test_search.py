"""The world of search results: what is planted is in the rows, and truths are borne out by logs.

A planted figure passes within 5 standard errors where they are known (a true one fails with
probability 6e-7), and within 6 where they are estimated from at least 20 runs (9e-6, t with 19
degrees). There are fewer than 60 such comparisons; the seeds are fixed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from evenhand.errors import RoleError
from evenhand.worlds.ranked import log_discount
from evenhand.worlds.search import Search

KNOWN, ESTIMATED, RUNS = 5.0, 6.0, 24
WORLD = Search(queries=400, rankings=3)
WEIGHTS = 0.5 ** np.arange(20)


@pytest.fixture(scope="module")
def log():
    return WORLD.simulate(1)


@pytest.fixture(scope="module")
def truth():
    return WORLD.truth(runs=RUNS)


def assert_truth(value, true):
    assert abs(value - true.value) <= ESTIMATED * true.error


def assert_mean_of_logs(values, true):
    """One value a log agrees with a Monte Carlo truth: both vary."""
    error = np.hypot(np.std(values, ddof=1) / np.sqrt(len(values)), true.error)
    assert abs(np.mean(values) - true.value) <= ESTIMATED * error


def shares_of_authors(log):
    """Membership of each row's document, one column a group, and the unknown."""
    groups = pl.col("author_groups")
    return log.with_columns(
        *(
            (groups.list.count_matches(g) / groups.list.len()).fill_nan(0).alias(g)
            for g in WORLD.author_groups
        ),
        (groups.list.len() == 0).cast(float).alias("unknown"),
    )


def test_positions_run_from_one_without_ties_and_no_document_repeats(log):
    assert log.select("ranking_id", "doc_id").is_duplicated().sum() == 0
    positions = log.drop_nulls("position").group_by("ranking_id").agg("position")["position"]
    assert positions.list.sort().to_list() == [list(range(1, 21))] * 1_200
    assert log["position"].null_count() == 1_200 * 10
    assert log.select("query_id", "ranking_id").n_unique() == 1_200
    assert log.select("doc_id", "query_id", "grade", "locale", "score").n_unique() == 12_000


def test_propensity_follows_from_the_scores_of_those_not_yet_placed(log):
    for (_,), rows in log.head(3_000).group_by("ranking_id"):
        weight = np.exp(rows["score"].to_numpy())
        left = np.array([weight[i:].sum() for i in range(len(weight))])
        assert rows["propensity"].drop_nulls().to_numpy() == pytest.approx((weight / left)[:20])


def test_first_places_are_as_frequent_as_the_propensities_say():
    log = Search(queries=1, rankings=20_000, documents=5, slots=2).simulate(2)
    weight = log.group_by("doc_id").agg(pl.col("score").first().exp(), pl.len().alias("n"))
    first = log.filter(pl.col("position") == 1)["doc_id"].value_counts()
    both = weight.join(first, on="doc_id")
    p = (both["score"] / both["score"].sum()).to_numpy()
    assert (np.abs(both["count"] / 20_000 - p) <= KNOWN * np.sqrt(p * (1 - p) / 20_000)).all()


def test_grades_and_authors_are_as_frequent_as_planted(log):
    documents = log.unique("doc_id")
    n = len(documents)
    authors = documents["author_groups"].explode(empty_as_null=False)
    found = [
        *((documents["grade"] == g, p) for g, p in enumerate(WORLD.grades)),
        *(
            (documents["author_groups"].list.len() == c, p)
            for c, p in enumerate(WORLD.author_counts)
        ),
        *((authors == g, p) for g, p in WORLD.author_groups.items()),
    ]
    assert documents["author_groups"].null_count() == 0
    for hits, p in found:
        assert abs(hits.mean() - p) <= KNOWN * np.sqrt(p * (1 - p) / min(n, len(hits)))


def test_penalty_is_in_proportion_to_the_share_of_authors(log):
    plain = replace(WORLD, penalty={}).simulate(1)
    keys = ["ranking_id", "doc_id"]
    both = shares_of_authors(log).join(plain, on=keys, validate="1:1")
    off = both["score_right"] - both["score"] - 0.7 * both["south"]
    assert off.abs().max() < 1e-12


def test_penalty_lowers_the_share_of_its_group_and_without_it_all_are_shown_alike(truth):
    shown, plain = (
        part.exposure_share(log_discount(20)) for part in (truth.shown, truth.unpenalised)
    )
    assert plain["south"].value - shown["south"].value > ESTIMATED * shown["south"].error
    for group, share in truth.documents.items():
        assert_truth(share, plain[group])
        assert_truth(share, truth.merit[group])
    assert sum(truth.documents.values()) == pytest.approx(1)
    assert sum(share.value for share in shown.values()) == pytest.approx(1)


def test_noise_lowers_ndcg_of_its_locale_alone(truth):
    en, fr, mt = (truth.ndcg[name] for name in ("en", "fr", "mt"))
    assert en.value - mt.value > ESTIMATED * np.hypot(en.error, mt.error)
    assert abs(en.value - fr.value) <= ESTIMATED * np.hypot(en.error, fr.error)
    assert truth.ndcg_gap.value == pytest.approx(max(en.value, fr.value) - mt.value)


@pytest.mark.parametrize("gain", ["linear", "exponential"])
def test_logs_bear_out_the_truth(gain):
    truth = WORLD.truth(runs=RUNS, gain=gain, seed=3)
    shares, utilities, products = [], [], []
    for seed in range(RUNS):
        log = WORLD.simulate(seed)
        rows = shares_of_authors(log.drop_nulls("position"))
        weight = log_discount(20)[rows["position"].to_numpy() - 1]
        shares.append(rows["south"].to_numpy() @ weight / weight.sum())
        utilities.append(ndcg_of_log(log.filter(pl.col("locale") == "en"), gain))
        products.append(disparity_of_log(log))
    assert_mean_of_logs(shares, truth.shown.exposure_share(log_discount(20))["south"])
    assert_mean_of_logs(utilities, truth.ndcg["en"])
    assert_mean_of_logs(products, truth.per_document.disparity(WEIGHTS))


def ndcg_of_log(log, gain):
    """Mean nDCG@10 of rankings, with the ideal over all candidates."""
    grade = log["grade"].to_numpy().reshape(-1, 30)  # rows are in ranked order
    gains = grade if gain == "linear" else 2.0**grade - 1
    ideal = np.sort(gains, axis=1)[:, ::-1][:, :10] @ log_discount(10)
    some = ideal > 0
    return (gains[some, :10] @ log_discount(10) / ideal[some]).mean()


def disparity_of_log(log):
    """Mean product of the exposures of two rankings of a query."""
    exposure = np.zeros((WORLD.queries * 3, 30))
    rows = log.drop_nulls("position")
    place = rows["doc_id"].to_numpy() % 30
    exposure[rows["ranking_id"].to_numpy(), place] = WEIGHTS[rows["position"].to_numpy() - 1]
    a, b, c = exposure.reshape(-1, 3, 30).transpose(1, 0, 2)
    return ((a * b + b * c + a * c) / 3).sum(axis=1).mean()


def test_disparity_of_a_random_order_is_the_closed_form():
    # Each of four documents has an expected exposure of (1 + 1/2 + 1/4 + 1/8) / 4.
    world = Search(
        queries=500, documents=4, slots=4, sharpness=0.0, penalty={}, author_counts=(0.0, 1.0)
    )
    truth, weights, exposure = world.truth(runs=RUNS), 0.5 ** np.arange(4), 1.875 / 4
    assert_truth(4 * exposure**2, truth.per_document.disparity(weights))
    # With one author each, a group has a binomial number of the documents.
    p = np.array(list(world.author_groups.values()))
    squares = (4 * p * (1 - p) + 16 * p**2).sum()
    assert_truth(squares * exposure**2, truth.per_group.disparity(weights))


def test_the_same_seed_gives_the_same_log_and_another_does_not(log):
    assert_frame_equal(WORLD.simulate(1), log)
    assert not WORLD.simulate(2).equals(log)


def test_a_world_that_plants_something_nowhere_is_refused_with_all_reasons():
    with pytest.raises(RoleError) as raised:
        Search(penalty={"east": 1.0}, noise_of={"de": 1.0}, slots=40)
    assert [problem.where.split()[0] for problem in raised.value.problems] == [
        "penalty",
        "noise_of",
        "sizes",
    ]
