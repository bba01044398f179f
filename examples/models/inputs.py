"""Inputs of the models beside this file: digits, numbers, people, applications; with groups.

    python examples/models/inputs.py FOLDER

Writes ``digits.parquet`` (scikit-learn's digits), and from the data that ``EVENHAND_DATA`` names
``mnist.parquet``, ``adult.parquet``, ``people.parquet``, ``acs.parquet`` and ``hmda.parquet``. Each
holds the examples that the models were not trained on, and only those.
"""  # noqa: INP001 - a folder of examples is no package

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import polars as pl

THICKNESS = ("thin", "medium", "thick")

NUMBERS = ("age", "education_num", "capital_gain", "capital_loss", "hours_per_week")
"""What the model of incomes reads of a person, each from 0 to 1."""

_MOST = {
    "age": 90,
    "education_num": 16,
    "capital_gain": 99_999,
    "capital_loss": 4_356,
    "hours_per_week": 99,
}

TEXT = ("workclass", "marital_status", "occupation", "relationship", "race", "sex")
"""What the model of people reads beside the numbers, each as it is written."""

CENSUS = {"AGEP": 99, "SCHL": 24, "WKHP": 99, "COW": 9, "MAR": 5}
"""What the model of the census of 2018 reads of a person, with the largest value of each."""

CREDIT = {"pirat": 3.0, "hirat": 3.0, "lvrat": 2.0, "chist": 6, "mhist": 4, "unemp": 11.0}
"""What the model of mortgages reads of an application, with the largest value of each."""

TRAINED = 6_000
"""Images of MNIST's test set that the model learns from; it is asked about others."""

_ASKED_DIGITS, _ASKED_IMAGES, _ASKED_PEOPLE = 797, 1_000, 2_000


def thickness(images: np.ndarray) -> pl.Series:
    """Return the tertile of the ink in each image: a mean of its pixels, whatever it shows."""
    ink = images.reshape(len(images), -1).mean(axis=1)
    place = np.searchsorted(np.quantile(ink, [1 / 3, 2 / 3]), ink)
    return pl.Series([THICKNESS[i] for i in place])


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's digits from 0 to 1 in a seeded order, and what they show."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] / 16).astype(np.float32).reshape(-1, 8, 8), y[order]


def mnist() -> pl.DataFrame:
    """Return the 10,000 images of MNIST's test set."""
    return pl.read_parquet(Path(os.environ["EVENHAND_DATA"]) / "mnist_t10k.parquet")


def adult(split: str) -> pl.DataFrame:
    """Return people of the census of 1994 with the numbers that the model reads."""
    numbers = [(pl.col(name) / _MOST[name]).clip(0, 1).alias(name) for name in NUMBERS]
    return people(split).with_columns(numbers)


def people(split: str) -> pl.DataFrame:
    """Return people of the census of 1994 as they are, in years, hours and dollars."""
    found = pl.read_parquet(Path(os.environ["EVENHAND_DATA"]) / "adult_1994.parquet")
    return found.with_row_index("person").filter(pl.col("split") == split)


def census() -> pl.DataFrame:
    """Return 20,000 people of the census of 2018, drawn by a seed, half of them to learn from."""
    people = pl.read_parquet(Path(os.environ["EVENHAND_DATA"]) / "acs_income_test.parquet")
    return _halved(people, CENSUS, 20_000)


def credit() -> pl.DataFrame:
    """Return applications for a mortgage in Boston in 1990, half of them to learn from."""
    found = pl.read_parquet(Path(os.environ["EVENHAND_DATA"]) / "hmda_boston_1990.parquet")
    approved = found.with_columns(approved=pl.col("deny") == "no")
    return _halved(approved, CREDIT, len(found))


def _halved(table: pl.DataFrame, most: dict[str, float], count: int) -> pl.DataFrame:
    """Return rows in a seeded order, what is read from 0 to 1, and whether they are learnt from."""
    order = np.random.default_rng(2).permutation(len(table))[:count]
    scaled = [
        (pl.col(name) / largest).clip(0, 1).cast(pl.Float64).alias(name)
        for name, largest in most.items()
    ]
    chosen = table.with_row_index("row")[order].with_columns(scaled)
    return chosen.with_columns(learnt=pl.int_range(pl.len()) < count // 2)


def _digits() -> pl.DataFrame:
    x, y = digits()
    asked = x[-_ASKED_DIGITS:]
    return pl.DataFrame(
        {
            "image_id": np.arange(len(asked)),
            "label": y[-_ASKED_DIGITS:],
            "image": asked.reshape(len(asked), -1).tolist(),
            "thickness": thickness(asked),
        }
    )


def _mnist() -> pl.DataFrame:
    asked = mnist()[TRAINED : TRAINED + _ASKED_IMAGES]
    images = np.stack([np.frombuffer(one, np.uint8) for one in asked["pixels"]])
    return asked.rename({"index": "image_id", "pixels": "image"}).with_columns(
        thickness=thickness(images)
    )


def _adult() -> pl.DataFrame:
    return _asked(adult("test")).select("person", *NUMBERS, "income_gt_50k", "sex", "race")


def _people() -> pl.DataFrame:
    return _asked(people("test")).select("person", *NUMBERS, *TEXT, "income_gt_50k")


def _asked(test: pl.DataFrame) -> pl.DataFrame:
    chosen = np.random.default_rng(1).permutation(len(test))[:_ASKED_PEOPLE]
    return test[np.sort(chosen)]


def _acs() -> pl.DataFrame:
    asked = census().filter(~pl.col("learnt"))[:_ASKED_PEOPLE]
    sex = pl.col("SEX").replace_strict({1: "male", 2: "female"}).alias("sex")
    return asked.select("row", *CENSUS, pl.col("label_income_gt_50k").alias("income_gt_50k"), sex)


def _hmda() -> pl.DataFrame:
    asked = credit().filter(~pl.col("learnt"))
    black = pl.col("afam").alias("black")
    return asked.select("row", *CREDIT, "approved", black, "single")


def main(folder: str) -> None:
    """Write the inputs into a folder."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    _digits().write_parquet(target / "digits.parquet")
    if "EVENHAND_DATA" in os.environ:
        _mnist().write_parquet(target / "mnist.parquet")
        _adult().write_parquet(target / "adult.parquet")
        _people().write_parquet(target / "people.parquet")
        _acs().write_parquet(target / "acs.parquet")
        _hmda().write_parquet(target / "hmda.parquet")
    else:
        sys.stderr.write("EVENHAND_DATA names no folder: digits alone are written\n")


if __name__ == "__main__":
    main(sys.argv[1])
