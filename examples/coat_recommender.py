"""Train a small recommender on Coat, and write the lists that examples/coat.yaml audits.

EVENHAND_DATA=/path/to/data python examples/coat_recommender.py FOLDER

Ratings are factorised: a rating is the mean, what the user adds, what the coat adds, and the
product of two vectors, fitted by alternating least squares to the ratings that people gave to coats
they had picked themselves (split train). No rating of split test is seen. For each user the 16
coats of split test are ranked: these were drawn uniformly, and the user rated every one of them,
whatever the model thinks of it. So relevance is known for all candidates, and what is measured of
the lists has no bias of selection. The first 8 are shown; the other 8 have no slot.
"""  # noqa: INP001 - a folder of examples is no package

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import polars as pl

FACTORS, PENALTY, ROUNDS, SEED = 4, 4.0, 20, 1
"""Set beforehand, and not by how the lists look."""

SHOWN = 8
LIKED = 4
"""The least rating of a coat that is liked, of 1 to 5."""


def predicted(train: pl.DataFrame, users: int, items: int) -> np.ndarray:
    """Return the rating expected of every user and item."""
    user, item = train["user_id"].to_numpy(), train["item_id"].to_numpy()
    known = np.zeros((users, items), dtype=bool)
    known[user, item] = True
    rating = np.zeros((users, items))
    rating[user, item] = train["rating"].to_numpy() - train["rating"].mean()
    rng = np.random.default_rng(SEED)
    # Ones beside a vector are for what the other side adds whoever meets it.
    of_user = np.column_stack([np.ones(users), np.zeros(users), np.zeros((users, FACTORS))])
    of_item = np.column_stack(
        [np.zeros(items), np.ones(items), 0.1 * rng.standard_normal((items, FACTORS))]
    )
    for _ in range(ROUNDS):
        _fit(of_user, of_item, rating, known, constant=0)
        _fit(of_item, of_user, rating.T, known.T, constant=1)
    mean: float = train["rating"].mean()  # type: ignore[assignment]
    found: np.ndarray = mean + of_user @ of_item.T
    return found


def _fit(
    own: np.ndarray, other: np.ndarray, rating: np.ndarray, known: np.ndarray, *, constant: int
) -> None:
    """Fit the vectors of one side, all but the constant, by least squares with a penalty."""
    free = np.arange(own.shape[1]) != constant
    penalty = PENALTY * np.eye(int(free.sum()))
    for row in range(len(own)):
        met = other[known[row]]
        rest = rating[row, known[row]] - met[:, constant]
        x = met[:, free]
        own[row, free] = np.linalg.solve(x.T @ x + penalty, x.T @ rest)


def lists(data: Path) -> pl.DataFrame:
    """Return one row per user and candidate: its slot, or none, and its rating."""
    ratings = pl.read_parquet(data / "coat_ratings.parquet")
    users, items = ratings["user_id"].n_unique(), ratings["item_id"].n_unique()  # ids from 0 on
    expected = predicted(ratings.filter(pl.col("split") == "train"), users, items)
    test = ratings.filter(pl.col("split") == "test").select("user_id", "item_id", "rating")
    score = expected[test["user_id"].to_numpy(), test["item_id"].to_numpy()]
    slot = pl.col("score").rank("ordinal", descending=True).over("user_id").cast(pl.Int64)
    return (
        test.with_columns(score=score)
        .with_columns(slot=slot, relevance=(pl.col("rating") >= LIKED).cast(pl.Int64))
        .with_columns(slot=pl.when(pl.col("slot") <= SHOWN).then("slot"))
        .sort("user_id", "score", descending=[False, True])
    )


def write(data: Path, folder: Path) -> None:
    """Write the lists, and the table of coats, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lists(data).write_parquet(folder / "coat_lists.parquet")
    # The users' table has a column of this name too: whom a coat is made for is another thing.
    coats = pl.read_parquet(data / "coat_items.parquet").rename({"gender": "target_gender"})
    coats.select("item_id", "target_gender", "jackettype").write_parquet(
        folder / "coat_catalogue.parquet"
    )


if __name__ == "__main__":
    write(Path(os.environ["EVENHAND_DATA"]), Path(sys.argv[1]))
