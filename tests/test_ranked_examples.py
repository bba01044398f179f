"""The audits of real ranked lists: what the plans measure, recomputed without the package."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import evenhand
from evenhand.audits.plan.file import open_plan

FOLDER = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def _folders(monkeypatch, data, prepared):
    monkeypatch.setenv("EVENHAND_DATA", str(data.resolve()))
    monkeypatch.setenv("EVENHAND_LISTS", str(prepared))


def found(plan: str, *notations: str):
    return evenhand.estimates([*notations], open_plan(FOLDER / f"{plan}.yaml").log)


def of_group(finding, name: str) -> float:
    (value,) = [g.outcome.value for g in finding.groups if [*g.group.values()] == [name]]
    return value


def discount(slot: int) -> float:
    return 1 / math.log2(1 + slot)


def ndcg(rows, k: int) -> float | None:
    """nDCG of (slot or None, relevance); None without a relevant item."""
    best = sorted((relevance for _, relevance in rows), reverse=True)[:k]
    ideal = sum(gain * discount(place) for place, gain in enumerate(best, 1))
    gained = sum(gain * discount(slot) for slot, gain in rows if slot is not None and slot <= k)
    return gained / ideal if ideal else None


def by_request(frame: pl.DataFrame, request: str, slot: str) -> dict:
    lists = defaultdict(list)
    for key, place, relevance in frame.select(request, slot, "relevance").iter_rows():
        lists[key].append((place, relevance))
    return lists


def mean(values) -> float:
    values = [value for value in values if value is not None]
    return sum(values) / len(values)


# Coat


@pytest.fixture
def coats(prepared) -> pl.DataFrame:
    return pl.read_parquet(prepared / "coat_lists.parquet")


def test_coats_are_ranked_for_everybody_without_a_look_at_their_ratings(data, coats):
    ratings = pl.read_parquet(data / "coat_ratings.parquet")
    test = ratings.filter(pl.col("split") == "test")
    assert coats.height == test.height == 4640
    assert coats.join(test, ["user_id", "item_id", "rating"], how="anti").is_empty()
    shown = coats.filter(pl.col("slot").is_not_null())
    assert (
        shown.group_by("user_id").agg(pl.col("slot").sort())["slot"].to_list()
        == [[*range(1, 9)]] * 290
    )
    assert (coats["relevance"] == (coats["rating"] >= 4).cast(pl.Int64)).all()


def test_coats_for_men_and_women_have_the_quality_that_is_said(data, coats):
    (finding,) = found("coat", "difference(nDCG@8, by=gender)")
    gender = dict(
        pl.read_parquet(data / "coat_users.parquet").select("user_id", "gender").iter_rows()
    )
    value = {user: ndcg(rows, 8) for user, rows in by_request(coats, "user_id", "slot").items()}
    for group in ("men", "women"):
        wanted = mean(value[user] for user in value if gender[user] == group)
        assert of_group(finding, group) == pytest.approx(wanted, abs=1e-12)
    assert sum(one is None for one in value.values()) == sum(e.rows for e in finding.excluded) == 53


def test_coats_share_exposure_as_is_said(data, coats):
    shares, coverage = found("coat", "shares(exposure@8, of=target)", "coverage@8")
    target = dict(
        pl.read_parquet(data / "coat_items.parquet").select("item_id", "gender").iter_rows()
    )
    exposure: dict[str, float] = defaultdict(float)
    shown = coats.drop_nulls("slot")
    for item, slot in shown.select("item_id", "slot").iter_rows():
        exposure[target[item]] += discount(slot)
    total = sum(exposure.values())
    for group in ("men", "women"):
        assert of_group(shares, group) == pytest.approx(exposure[group] / total, abs=1e-12)
    assert coverage.value == pytest.approx(shown["item_id"].n_unique() / 300)


def test_women_and_men_like_coats_of_their_own_side_more(data, coats):
    users = pl.read_parquet(data / "coat_users.parquet").select("user_id", "gender")
    items = pl.read_parquet(data / "coat_items.parquet").select("item_id", target="gender")
    rates = (
        coats.join(users, "user_id")
        .join(items, "item_id")
        .group_by("gender", "target")
        .agg(pl.col("relevance").mean())
    )
    liked = {(gender, target): round(100 * rate) for gender, target, rate in rates.iter_rows()}
    assert liked == {
        ("women", "women"): 23,
        ("women", "men"): 13,
        ("men", "women"): 16,
        ("men", "men"): 22,
    }


# MovieLens


@pytest.fixture
def films(prepared) -> pl.DataFrame:
    return pl.read_parquet(prepared / "movielens_lists.parquet")


def test_films_are_split_by_time_and_popularity_is_of_training_alone(data, prepared, films):
    ratings = pl.read_parquet(data / "movielens_small_ratings.parquet")
    table = pl.read_parquet(prepared / "movielens_films.parquet")
    assert table.height == 9742
    # Training has a fifth less, rounded down for each person.
    sizes = ratings.group_by("user_id").len()["len"].to_list()
    assert table["popularity"].sum() == sum(math.ceil(0.8 * size - 1e-9) for size in sizes)
    time = pl.col("timestamp").str.strip_chars().cast(pl.Int64)
    timed = ratings.with_columns(time.alias("time"))
    # Whatever is relevant was rated no earlier than four fifths of what its user rated.
    hits = films.filter(pl.col("relevance") == 1).join(timed, ["user_id", "item_id"])
    assert hits.height == films["relevance"].sum()
    earliest = timed.group_by("user_id").agg(bound=pl.col("time").sort().quantile(0.79, "lower"))
    assert (hits.join(earliest, "user_id")["time"] >= hits.join(earliest, "user_id")["bound"]).all()


def test_ease_is_the_model_that_its_definition_says(examples):
    model = examples.module("movielens_recommender")
    liked = (np.random.default_rng(1).random((7, 11)) < 0.4).astype(float)
    inverse = np.linalg.inv(liked.T @ liked + model.PENALTY * np.eye(11))
    weights = np.eye(11) - inverse / np.diag(inverse)
    assert np.diag(weights) == pytest.approx(np.zeros(11))
    assert model.scores(liked) == pytest.approx(liked @ weights)


def test_films_have_the_quality_and_the_coverage_that_is_said(films):
    quality, recall, coverage = found("movielens", "nDCG@20", "R@20", "coverage@20")
    lists = by_request(films, "user_id", "slot")
    assert quality.value == pytest.approx(mean(ndcg(rows, 20) for rows in lists.values()))
    hits = [
        sum(worth for slot, worth in rows if slot) / sum(worth for _, worth in rows)
        for rows in lists.values()
        if any(worth for _, worth in rows)
    ]
    assert recall.value == pytest.approx(mean(hits))
    assert coverage.value == pytest.approx(films.drop_nulls("slot")["item_id"].n_unique() / 9742)


def test_lists_are_more_popular_than_what_people_with_niche_taste_like(data, prepared, films):
    lift = "popularity_lift(popularity=popularity, profile=taste)@20"
    (finding,) = found("movielens", f"difference({lift}, by=mainstream)")
    popularity = dict(
        pl.read_parquet(prepared / "movielens_films.parquet")
        .select("item_id", "popularity")
        .iter_rows()
    )
    train = pl.read_parquet(data / "movielens_small_ratings.parquet").join(
        films.filter(pl.col("relevance") == 1), ["user_id", "item_id"], how="anti"
    )
    users = pl.read_parquet(prepared / "movielens_users.parquet")
    assert {*films["user_id"]} <= {*train["user_id"]} == {*users["user_id"]}
    shown: dict[int, list[float]] = defaultdict(list)
    for user, item in films.drop_nulls("slot").select("user_id", "item_id").iter_rows():
        shown[user].append(popularity[item])
    for group in ("niche", "mixed", "popular"):
        there = users.filter(pl.col("mainstream") == group).select("user_id", "taste")
        lists = mean(sum(shown[user]) / 20 for user, _ in there.iter_rows())
        likes = mean(there["taste"])
        assert of_group(finding, group) == pytest.approx(lists / likes - 1)


def test_genres_share_the_exposure_of_their_films(data, films):
    (finding,) = found("movielens", "shares(exposure@20, of=genre, target=catalogue)")
    genres = {
        item: text.split("|")
        for item, text in pl.read_parquet(data / "movielens_small_movies.parquet")
        .select("item_id", "genres")
        .iter_rows()
        if not text.startswith("(")
    }
    exposure: dict[str, float] = defaultdict(float)
    for item, slot in films.drop_nulls("slot").select("item_id", "slot").iter_rows():
        for genre in genres.get(item, ()):
            exposure[genre] += discount(slot) / len(genres[item])
    total = sum(exposure.values())
    for genre in ("Comedy", "Drama", "Documentary"):
        assert of_group(finding, genre) == pytest.approx(exposure[genre] / total, abs=1e-12)
    of_films: dict[str, float] = defaultdict(float)
    for several in genres.values():
        for genre in several:
            of_films[genre] += 1 / len(several)
    comedies = of_films["Comedy"] / sum(of_films.values())
    assert f"Comedy {100 * comedies:.1f}%" in finding.conventions["target"]


# XING


@pytest.fixture
def profiles(data) -> dict[int, list[tuple[int, str]]]:
    frame = pl.read_parquet(data / "xing_rankings.parquet")
    lists = defaultdict(list)
    for query, rank, sex in frame.select("query_number", "rank", "sex").iter_rows():
        if sex != "mf":
            lists[query].append((rank, sex))
    return lists


def test_women_have_the_exposure_that_is_said(profiles):
    ratio, share = found("xing", "ratio(exposure@10, of=sex)", "exposure_share(of=sex, group=f)@10")
    exposure, number = defaultdict(float), defaultdict(int)
    for rows in profiles.values():
        for rank, sex in rows:
            number[sex] += 1
            exposure[sex] += discount(rank) if rank <= 10 else 0
    assert (number["f"], number["m"]) == (767, 1469)
    one, other = exposure["f"] / number["f"], exposure["m"] / number["m"]
    assert ratio.value == pytest.approx(one / other)
    assert share.value == pytest.approx(exposure["f"] / (exposure["f"] + exposure["m"]))


def test_lists_of_ten_pass_the_test_of_a_third_women_as_is_said(profiles):
    (finding,) = found("xing", "FAIR(of=sex, group=f, p=0.3)@10")
    # The fewest women among i people: the smallest number with a binomial tail above .1. Those
    # are 0 up to six and 1 from seven on; a coin fails at the seventh with .7^7 = .082.
    assert 0.7**6 > 0.1 > 0.7**7
    assert 0.7**10 + 10 * 0.3 * 0.7**9 > 0.1
    passed = 0
    for rows in profiles.values():
        first = [sex for rank, sex in sorted(rows) if rank <= 10]
        passed += "f" in first[:7]
    assert finding.value == pytest.approx(passed / 57)


def test_exposure_is_as_far_from_equal_as_is_said(profiles):
    (finding,) = found("xing", "AWRF(of=sex, target=equal)@10")

    def divergence(share: float) -> float:
        """Jensen-Shannon divergence of (share, 1 - share) from halves, in bits."""

        def entropy(p: float) -> float:
            return -sum(q * math.log2(q) for q in (p, 1 - p) if q > 0)

        return entropy((share + 0.5) / 2) - (entropy(share) + 1) / 2

    values = []
    for rows in profiles.values():
        total = sum(discount(rank) for rank, _ in rows if rank <= 10)
        women = sum(discount(rank) for rank, sex in rows if rank <= 10 and sex == "f")
        values.append(1 - divergence(women / total))
    assert finding.value == pytest.approx(mean(values))


# TREC 2020


def test_documents_of_no_known_author_are_unknown_and_counted(data):
    (finding,) = found("trec2020", "ratio(exposure@5, of=economy)")
    results = pl.read_parquet(data / "trec_fair2020_eval.parquet")
    known = dict(pl.read_parquet(data / "trec_fair2020_doc_levels.parquet").iter_rows())
    documents = {*results["doc_id"]}
    assert (len(documents), len(documents - {*known})) == (4027, 1975)
    rows = sum(not known.get(document) for document in results["doc_id"])
    assert [e.rows for e in finding.excluded if "unknown" in e.reason] == [rows] == [2207]


def test_authors_have_the_exposure_for_their_clicks_that_is_said(data):
    (finding,) = found("trec2020", "ratio(exposure_per_relevance@5, of=economy)")
    results = pl.read_parquet(data / "trec_fair2020_eval.parquet")
    known = dict(pl.read_parquet(data / "trec_fair2020_doc_levels.parquet").iter_rows())
    exposure, merit = defaultdict(float), defaultdict(float)
    for document, slot, clicked in results.select("doc_id", "position", "relevance").iter_rows():
        authors = known.get(document) or []
        for group in authors:
            exposure[group] += (discount(slot) if slot <= 5 else 0) / len(authors)
            merit[group] += clicked / len(authors)
    for group in ("Advanced", "Developing"):
        assert of_group(finding, group) == pytest.approx(exposure[group] / merit[group])


def test_results_of_search_have_the_quality_that_is_said(data):
    (finding,) = found("trec2020", "nDCG@5")
    lists = by_request(pl.read_parquet(data / "trec_fair2020_eval.parquet"), "qid", "position")
    assert finding.value == pytest.approx(mean(ndcg(rows, 5) for rows in lists.values()))
    assert finding.conventions["ideal"] == "shown"
