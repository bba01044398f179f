"""Train a small recommender on MovieLens, and write the lists that examples/movielens.yaml audits.

EVENHAND_DATA=/path/to/data python examples/movielens_recommender.py FOLDER

Split: the last fifth of each user's ratings, by time, is the test; what came before is training.
So nobody is recommended to from their own future, but the ratings of others may be later than the
time of a list. Popularity, taste and activity are those of training alone.

Model: EASE (Steck 2019), a linear model of which films are liked together, in closed form. With X
users by films, 1 where a film was liked (rated 4 or more), G = X'X + penalty I and P = G^-1, the
score of films is X (I - P diag(1 / diag P)). There are fewer users than films, so all of it comes
from the inverse of K = XX' + penalty I: X P = K^-1 X, diag P = (1 - diag(X' K^-1 X)) / penalty.

Lists: the 20 films of highest score that the user has not rated in training. A film that was liked
in the test is relevant; where it is not in the list it has a row without a slot. What the user has
not rated has relevance 0: nobody knows whether they would have liked it. Three users liked nothing
in training; there is nothing to make a list from, and they get none.
"""  # noqa: INP001 - a folder of examples is no package

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import polars as pl

PENALTY = 100.0
"""Set beforehand, and not by how the lists look."""

SHOWN = 20
LIKED = 4.0
"""The least rating of a film that is liked, of 0.5 to 5."""

FIFTHS = ("fifth 1", "fifth 2", "fifth 3", "fifth 4", "fifth 5")
"""Films from the most to the least rated, each with a fifth of all ratings."""


def split(ratings: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the ratings to learn from, and the last fifth of each user's."""
    # One time ends in a space.
    time = pl.col("timestamp").str.strip_chars().cast(pl.Int64)
    place = pl.int_range(pl.len()).over("user_id") / pl.len().over("user_id")
    placed = ratings.sort("user_id", time, "item_id").with_columns(late=place >= 0.8)  # noqa: PLR2004 - a fifth
    return placed.filter(~pl.col("late")), placed.filter("late")


def scores(liked: np.ndarray) -> np.ndarray:
    """Return EASE's scores of users and films, from what was liked."""
    inner = np.linalg.solve(liked @ liked.T + PENALTY * np.eye(len(liked)), liked)
    diagonal = (1 - np.einsum("uf,uf->f", liked, inner)) / PENALTY
    found: np.ndarray = liked - inner / diagonal
    return found


def catalogue(movies: pl.DataFrame, train: pl.DataFrame) -> pl.DataFrame:
    """Return every film with its genres, and how often it was rated in training."""
    films = movies.join(train.group_by("item_id").agg(popularity=pl.len()), "item_id", how="left")
    films = films.with_columns(pl.col("popularity").fill_null(0)).sort(
        "popularity", "item_id", descending=[True, False]
    )
    before = (pl.col("popularity").cum_sum() - pl.col("popularity")) / pl.col("popularity").sum()
    fifth = (before * 5).floor().clip(0, 4).cast(pl.Int64).replace_strict(dict(enumerate(FIFTHS)))
    genre = pl.when(pl.col("genres") == "(no genres listed)").then(
        pl.lit([], dtype=pl.List(pl.String))
    )
    return films.select(
        "item_id",
        genre=genre.otherwise(pl.col("genres").str.split("|")),
        popularity=pl.col("popularity").cast(pl.Float64),
        fifth=fifth,
    )


def viewers(train: pl.DataFrame, films: pl.DataFrame) -> pl.DataFrame:
    """Return every user with thirds of activity and of how popular is what they liked."""
    liked = pl.col("popularity").filter(pl.col("rating") >= LIKED).mean()
    users = (
        train.join(films, "item_id")
        .group_by("user_id")
        .agg(ratings=pl.len(), taste=liked)
        .sort("user_id")
    )

    def third(column: str, names: tuple[str, str, str]) -> pl.Expr:
        part = (pl.col(column).rank("ordinal") - 1) * 3 // pl.col(column).count()
        return part.cast(pl.Int64).replace_strict(dict(enumerate(names)), return_dtype=pl.String)

    return users.with_columns(
        activity=third("ratings", ("few ratings", "some ratings", "many ratings")),
        mainstream=third("taste", ("niche", "mixed", "popular")),
    )


def lists(train: pl.DataFrame, test: pl.DataFrame) -> pl.DataFrame:
    """Return one row per user and film that is in the list, or was liked in the test."""
    learnt = train.filter(pl.col("rating") >= LIKED)
    users = learnt["user_id"].unique().sort()
    films = pl.concat([train["item_id"], test["item_id"]]).unique().sort()

    def places(rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        return users.search_sorted(rows["user_id"]).to_numpy(), films.search_sorted(
            rows["item_id"]
        ).to_numpy()

    liked, hits = np.zeros((2, len(users), len(films)))
    train, test = (rows.filter(pl.col("user_id").is_in(users.implode())) for rows in (train, test))
    liked[places(learnt)] = 1
    hits[places(test.filter(pl.col("rating") >= LIKED))] = 1
    score = scores(liked)
    score[places(train)] = -np.inf
    order = np.argsort(-score, axis=1, kind="stable")
    slot = np.empty(order.shape, dtype=np.int64)
    np.put_along_axis(slot, order, np.arange(1, len(films) + 1)[None], axis=1)
    user, film = np.nonzero((slot <= SHOWN) | (hits > 0))
    found = pl.DataFrame(
        {
            "user_id": users.gather(user),
            "item_id": films.gather(film),
            "slot": slot[user, film],
            "score": score[user, film],
            "relevance": hits[user, film].astype(np.int64),
        }
    )
    return found.with_columns(slot=pl.when(pl.col("slot") <= SHOWN).then("slot")).sort(
        "user_id", "slot", "item_id", nulls_last=True
    )


def write(data: Path, folder: Path) -> None:
    """Write the lists, and the tables of films and users, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    train, test = split(pl.read_parquet(data / "movielens_small_ratings.parquet"))
    films = catalogue(pl.read_parquet(data / "movielens_small_movies.parquet"), train)
    lists(train, test).write_parquet(folder / "movielens_lists.parquet")
    films.write_parquet(folder / "movielens_films.parquet")
    viewers(train, films).write_parquet(folder / "movielens_users.parquet")


if __name__ == "__main__":
    write(Path(os.environ["EVENHAND_DATA"]), Path(sys.argv[1]))
