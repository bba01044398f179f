"""The sections of `docs/parity.md`: rows of real data, and what is compared on them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl
from peers import comparison
from peers.comparison import Row

DATA = Path(os.environ.get("EVENHAND_DATA", "../shared/data"))


@dataclass(frozen=True)
class Case:
    """One section of the page: rows, who is compared, and what.

    Attributes:
        title: Heading of the section.
        about: What the columns are.
        table: Columns ``label``, ``prediction``, where there is one ``score``, and the group.
        by: The group attribute.
        reference: The group that peers call privileged, reference or majority.
        compared: The figures.
        kind: The product kind of our log.
        classes: The classes of label and prediction, where they are not yes or no.

    """

    title: str
    about: str
    table: pl.DataFrame
    by: str
    reference: str
    compared: tuple[Row, ...]
    kind: str = "decisions"
    classes: tuple[str, ...] = ()


def _least_squares(
    train: pl.DataFrame, test: pl.DataFrame, columns: list[str], y: str
) -> pl.Series:
    """Return the predictions of ordinary least squares, which are the same on every run."""

    def design(table: pl.DataFrame) -> np.ndarray:
        features = table.select(columns).to_numpy().astype(float)
        return np.column_stack([np.ones(table.height), features])

    weights, *_ = np.linalg.lstsq(design(train), train[y].cast(pl.Float64).to_numpy())
    return pl.Series(design(test) @ weights).round(6)


def _compas() -> pl.DataFrame:
    return pl.read_parquet(DATA / "compas_two_years.parquet").select(
        "race",
        "sex",
        "c_charge_degree",
        label=pl.col("two_year_recid"),
        prediction=(pl.col("score_text") != "Low").cast(pl.Int64),
        score=(pl.col("decile_score") - 0.5) / 10,
    )


def _adult() -> pl.DataFrame:
    everyone = pl.read_parquet(DATA / "adult_1994.parquet")
    train, test = (everyone.filter(split=part) for part in ("train", "test"))
    features = ["education_num", "age", "hours_per_week", "capital_gain"]
    score = _least_squares(train, test, features, "income_gt_50k").clip(0.01, 0.99)
    return test.select(
        "sex",
        "race",
        label=pl.col("income_gt_50k").cast(pl.Int64),
        prediction=(score >= 0.5).cast(pl.Int64),  # noqa: PLR2004  the middle
        score=score,
    )


def _communities() -> pl.DataFrame:
    towns = pl.read_parquet(DATA / "communities_crime.parquet")
    train, test = towns.filter(pl.col("fold") <= 5), towns.filter(pl.col("fold") > 5)  # noqa: PLR2004  halves
    features = ["PctUnemployed", "medIncome", "PctFam2Par"]
    return test.select(
        share_black=pl.when(pl.col("Black") == 1).then(pl.lit("high")).otherwise(pl.lit("low")),
        label=pl.col("ViolentCrimesPerPop"),
        prediction=_least_squares(train, test, features, "ViolentCrimesPerPop"),
    )


def _pupils() -> pl.DataFrame:
    def band(grade: str) -> pl.Expr:
        low, middle = pl.col(grade) < 10, pl.col(grade) < 14  # noqa: PLR2004  of 20; 10 passes
        return (
            pl.when(low)
            .then(pl.lit("low"))
            .when(middle)
            .then(pl.lit("middle"))
            .otherwise(pl.lit("high"))
        )

    pupils = pl.read_parquet(DATA / "student_math.parquet")
    return pupils.select("sex", label=band("G2"), prediction=band("G1"))


def cases() -> list[Case]:
    """Return the sections of the page."""
    compas, adult = _compas(), _adult()
    two = compas.filter(pl.col("race").is_in(["African-American", "Caucasian"]))
    few = compas.filter(sex="Male", c_charge_degree="M")
    decision = "Label: re-arrested within two years. Prediction: medium or high risk."
    score = (
        "Score: the middle of the decile, because a score of 1 that is wrong has an infinite log "
        "loss, which scikit-learn clips and ours is not."
    )
    income = "Label: income above 50,000. Score: least squares on the training part. Prediction:"
    pair = ("African-American", "Caucasian")
    return [
        Case(
            "COMPAS, two races",
            f"{decision} {score} Reference: Caucasian.",
            two,
            "race",
            "Caucasian",
            tuple(
                chain(
                    comparison.of_rows("race"),
                    comparison.contrasts("race"),
                    comparison.two_groups("race", *pair),
                    comparison.disparities("race", pair[0]),
                    comparison.rates(*pair),
                )
            ),
        ),
        Case(
            "COMPAS, all six races",
            f"{decision} {score} Reference: Caucasian.",
            compas,
            "race",
            "Caucasian",
            tuple(
                chain(
                    comparison.contrasts("race"),
                    comparison.disparities("race", "Asian", "Hispanic"),
                )
            ),
        ),
        Case(
            "COMPAS, men charged with a misdemeanour",
            f"{decision} Reference: Asian, twelve men of whom none was re-arrested and none "
            "selected.",
            few,
            "race",
            "Asian",
            tuple(comparison.empty_group("race", "Asian", "Caucasian")),
        ),
        Case(
            "Adult by sex",
            f"{income} score of at least .5. Test part. Reference: Male.",
            adult,
            "sex",
            "Male",
            tuple(
                chain(
                    comparison.of_rows("sex"),
                    comparison.contrasts("sex"),
                    comparison.two_groups("sex", "Female", "Male"),
                )
            ),
        ),
        Case(
            "Adult by race",
            f"{income} score of at least .5. Test part. Reference: White.",
            adult,
            "race",
            "White",
            tuple(
                chain(
                    comparison.contrasts("race"),
                    comparison.disparities("race", "Black"),
                )
            ),
        ),
        Case(
            "Communities and Crime",
            "Label: violent crimes per inhabitant, scaled. Prediction: least squares on three "
            "columns, fitted on folds 1 to 5, for folds 6 to 10.",
            _communities(),
            "share_black",
            "low",
            tuple(comparison.errors("share_black")),
            kind="regression",
        ),
        Case(
            "Pupils, three bands of grades",
            "Label: band of the second period's grade. Prediction: band of the first period's.",
            _pupils(),
            "sex",
            "M",
            tuple(comparison.classes()),
            classes=("low", "middle", "high"),
        ),
    ]
