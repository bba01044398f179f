"""Guesses: tables whose roles are known, odd names, and real files."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evenhand.audits.plan.guess import guess

N = 2000


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def table(rng):
    """A table of loans with plain names."""
    score = rng.random(N).round(4)
    return pl.DataFrame(
        {
            "application_id": np.arange(N),
            "customer_id": np.arange(N) // 4,
            "sex": rng.choice(["f", "m"], N),
            "age": rng.integers(18, 80, N),
            "amount": rng.integers(100, 9000, N),
            "score": score,
            "approved": (score > 0.4).astype(int),
            "repaid": (rng.random(N) < score).astype(int),
        }
    )


def texts(found):
    return {one.part: one.text for one in found.roles}


def groups(found):
    return {one.name: list(one.bins) for one in found.groups}


def test_plain_names_give_every_part(table):
    found = guess(table)
    assert found.kind == "decisions"
    assert texts(found) == {"label": "repaid", "prediction": "approved", "score": "score"}
    assert found.unit.text == "customer_id"
    assert groups(found) == {"sex": [], "age": [25, 45]}
    assert not found.problems


def test_every_part_has_a_reason(table):
    for one in guess(table).parts:
        assert one.why
        assert one.sure in {"likely", "unsure"}


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("yes", "no"),
        ("Ja", "Nein"),
        ("Y", "N"),
        ("approved", "denied"),
        ("High", "Low"),
        ("good", "bad"),
        ("TRUE", "FALSE"),
        (">50K", "<=50K"),
        ("pass", "fail"),
        ("oui", "non"),
        ("1", "0"),
    ],
)
def test_two_words_say_which_is_yes(table, yes, no):
    rows = table.with_columns(
        approved=pl.when(pl.col("approved") == 1).then(pl.lit(yes)).otherwise(pl.lit(no))
    )
    assert texts(guess(rows))["prediction"] == f"approved == '{yes}'"


def test_spellings_of_one_word_are_one_value(table):
    spelt = pl.Series(["yes", "Yes ", "no", "NO"] * (N // 4))
    found = texts(guess(table.with_columns(approved=spelt)))
    assert found["prediction"] in {"approved in ['yes', 'Yes ']", "approved in ['Yes ', 'yes']"}


def test_unclear_values_are_unsure(table):
    rows = table.with_columns(approved=pl.Series(["A", "B"] * (N // 2)))
    (found,) = [one for one in guess(rows).roles if one.part == "prediction"]
    assert found.sure == "unsure"
    assert "check" in found.why


@pytest.mark.parametrize(("values", "yes"), [((1, 2), 1), ((-1, 1), 1)])
def test_codes_of_two_numbers_have_a_yes(table, values, yes):
    rows = table.with_columns(approved=pl.Series([*values] * (N // 2)))
    assert texts(guess(rows))["prediction"] == f"approved == {yes}"


def test_label_and_prediction_are_turned_to_say_the_same(table):
    rows = table.with_columns(default=1 - pl.col("repaid")).drop("repaid")
    assert texts(guess(rows))["label"] == "default == 0"


def test_a_denial_alone_is_turned_into_what_is_good(table):
    rows = table.with_columns(denied=1 - pl.col("approved")).drop("approved", "repaid", "score")
    assert texts(guess(rows)) == {"prediction": "denied == 0"}


def test_a_denial_of_a_bad_outcome_is_not_turned(table):
    rows = table.select("sex", removed="approved", toxic="repaid")
    assert texts(guess(rows)) == {"label": "toxic", "prediction": "removed"}


def test_a_label_that_contradicts_the_prediction_is_marked(table):
    rows = table.select("sex", prediction="approved", label=1 - pl.col("approved"))
    label = guess(rows).role("label")
    assert label.sure == "unsure"
    assert "opposite" in label.why


def test_what_a_threshold_of_a_score_parts_is_the_decision(table):
    rows = table.select("sex", Spalte_3="score", Spalte_7="approved", Spalte_9="repaid")
    found = texts(guess(rows))
    assert found == {"label": "Spalte_9", "prediction": "Spalte_7", "score": "Spalte_3"}


def test_a_prediction_that_is_a_probability_is_a_score_with_a_threshold(table):
    rows = table.select("sex", prediction="score", label="repaid")
    found = guess(rows)
    assert texts(found) == {
        "label": "label",
        "prediction": "prediction >= 0.5",
        "score": "prediction",
    }
    assert found.role("prediction").sure == "unsure"


def test_a_name_that_its_values_belie_is_not_used(table):
    rows = table.with_columns(prediction=pl.lit(1), label=pl.Series([f"t{i}" for i in range(N)]))
    assert texts(guess(rows)) == texts(guess(table))


def test_odd_names_are_quoted_in_expressions(table):
    rows = table.select(
        pl.col("sex").alias("Geschlecht "),
        pl.col("approved").replace_strict({1: "Ja", 0: "Nein"}).alias("Q3: Bewilligt?"),
    )
    found = guess(rows)
    assert texts(found) == {"prediction": "col('Q3: Bewilligt?') == 'Ja'"}
    assert groups(found) == {"Geschlecht": []}


def test_a_keyword_is_quoted_in_expressions(table):
    values = pl.col("repaid").replace_strict({1: "good", 0: "bad"})
    rows = table.select("sex", values.alias("class"))
    assert texts(guess(rows)) == {"label": "col('class') == 'good'"}


def test_several_nameless_columns_are_asked_about(table):
    rows = table.select("sex", Spalte_7="approved", Spalte_9="repaid")
    (problem,) = guess(rows).problems
    assert "could not tell" in problem.what
    assert "'Spalte_7', 'Spalte_9'" in problem.what
    assert "--prediction COLUMN" in problem.hint


def test_nobody_to_compare_is_asked_about(table):
    (problem,) = guess(table.select("approved", "amount")).problems
    assert "who is compared" in problem.what
    assert "--group COLUMN" in problem.hint


def test_what_is_given_is_not_guessed(table):
    found = guess(
        table, roles={"prediction": "score >= 0.7"}, groups=["age: [30]"], unit="application_id"
    )
    assert texts(found)["prediction"] == "score >= 0.7"
    assert groups(found) == {"age": [30]}
    assert found.unit.text == "application_id"
    assert found.unit.sure == "given"


def test_a_given_column_of_words_gets_its_yes(table):
    rows = table.with_columns(
        pl.col("repaid").replace_strict({1: "ja", 0: "nein"}).alias("Spalte 2 ")
    )
    found = guess(rows, roles={"label": "spalte 2"})
    assert texts(found)["label"] == "col('Spalte 2 ') == 'ja'"


def test_bands_of_a_score_are_yes_above_the_lowest(table):
    bands = pl.Series(["Low", "Medium", "High", "Low"] * (N // 4))
    rows = table.select("sex", "repaid", score_text=bands)
    found = guess(rows)
    assert texts(found)["prediction"] == "score_text != 'Low'"
    assert found.role("prediction").sure == "unsure"


def test_numbers_and_their_predictions_are_a_regression(table, rng):
    price = rng.normal(300, 50, N)
    rows = table.select("sex").with_columns(
        price=pl.Series(price), predicted_price=pl.Series(price + rng.normal(0, 9, N))
    )
    found = guess(rows)
    assert found.kind == "regression"
    assert texts(found) == {"label": "price", "prediction": "predicted_price"}


def test_a_plain_decision_beside_numbers_stays_a_decision(table):
    rows = table.with_columns(price=pl.col("score") * 99, predicted_price=pl.col("score") * 98)
    assert guess(rows).kind == "decisions"


def test_ages_with_fractions_are_cut_too(table):
    rows = table.with_columns(age=pl.col("age") + pl.col("score"))
    assert groups(guess(rows))["age"] == [25, 45]


def test_the_same_rows_give_the_same_guess_on_every_engine(table, tmp_path, engine):
    table.write_parquet(tmp_path / "x.parquet")
    found = guess(tmp_path / "x.parquet", engine=engine)
    assert texts(found) == texts(guess(table))
    assert found.unit == guess(table).unit


def test_only_the_first_rows_are_looked_at(table):
    found = guess(pl.concat([table] * 60))
    assert found.sample.rows.height == 100_000
    assert not found.sample.is_whole


def test_ids_that_never_repeat_leave_the_row(table):
    assert guess(table.drop("customer_id")).unit.text == "row"


def test_an_id_with_missing_values_is_no_unit(table):
    rows = table.with_columns(
        customer_id=pl.when(pl.col("customer_id") > 5).then(pl.col("customer_id"))
    )
    found = guess(rows).unit
    assert found.text == "row"
    assert found.others == ("customer_id",)


def test_kilograms_are_no_sampling_weight(table):
    found = guess(table.with_columns(weight=pl.col("amount")))
    assert "weight" not in texts(found)
    assert any("'weight'" in note for note in found.notes)


def test_a_number_that_the_outcome_was_made_of_is_no_score(table):
    rows = table.select("sex", pl.col("score").alias("rate"), label="approved")
    assert texts(guess(rows)) == {"label": "label"}


def test_a_file_with_bars_is_recognised(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("sex|approved\nf|1\nm|0\n")
    (problem,) = guess(path).problems
    assert "'|'" in problem.what


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow"])
def test_every_kind_of_file_gives_the_same_guess(table, tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    write = {"csv": "write_csv", "parquet": "write_parquet", "arrow": "write_ipc"}[ending]
    getattr(table, write)(path)
    assert texts(guess(path)) == texts(guess(table))


def test_no_rows_say_that_nothing_can_be_told(table):
    assert guess(table.head(0)).problems


def test_a_file_like_german_credit_gets_its_roles(rng):
    rows = pl.DataFrame(
        {
            "personal_status_sex": rng.choice(["male single", "female div", "male mar"], N),
            "age": rng.integers(19, 75, N),
            "foreign_worker": rng.choice(["yes", "no"], N),
            "credit_risk": rng.choice(["good", "bad"], N),
        }
    )
    found = guess(rows)
    assert texts(found) == {"label": "credit_risk == 'good'"}
    assert {*groups(found)} == {"personal_status_sex", "age", "foreign_worker"}


KNOWN = {
    "compas_two_years": (
        {"label": "two_year_recid", "prediction": "score_text != 'Low'", "score": "decile_score"},
        {"sex", "race", "age"},
        "row",
    ),
    "adult_1994": (
        {"label": "income_gt_50k", "weight": "fnlwgt"},
        {"sex", "race", "age", "marital_status"},
        "row",
    ),
    "hmda_boston_1990": ({"prediction": "deny == 'no'"}, {"afam", "single"}, "row"),
    "resume_callbacks": (
        {"prediction": "received_callback"},
        {"race", "gender", "job_city"},
        "job_ad_id",
    ),
    "acs_income_test": ({"label": "label_income_gt_50k"}, {"SEX", "RAC1P", "AGEP", "MAR"}, "row"),
    "credit_card_default": ({"label": "default_payment"}, {"SEX", "AGE", "MARRIAGE"}, "row"),
    "bank_marketing": ({"label": "y == 'yes'"}, {"age", "marital"}, "row"),
    "student_math": ({"label": "col('class') == 'High'"}, {"sex", "age"}, "row"),
    "ricci_promotion": ({"prediction": "Promoted == 1", "score": "Combine"}, {"Race"}, "row"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_real_files_get_the_roles_that_their_sources_say(data, name):
    roles, who, unit = KNOWN[name]
    found = guess(data / f"{name}.parquet")
    assert texts(found) == roles
    assert {*groups(found)} == who
    assert found.unit.text == unit
