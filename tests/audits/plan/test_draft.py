"""Drafts: each parses, fits its log, and says what was guessed."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evenhand.audits.plan import parse_plan
from evenhand.audits.plan.draft import draft
from evenhand.audits.plan.fit import fit
from evenhand.audits.plan.guess import guess

N = 400
ODD = [
    "plain",
    "with space",
    " both ends ",
    "colon: here",
    "hash # here",
    "it's",
    'say "yes"',
    "[list]",
    "{map}",
    "yes",
    "null",
    "class",
    "1st",
    "Größe",
    "a\\b",
    "comma, comma",
    "- dash",
    "*star",
    "&and",
    "%percent",
    "emoji 🙂",
    "tab\there",
]


@pytest.fixture
def table():
    rng = np.random.default_rng(5)
    return pl.DataFrame(
        {
            "sex": rng.choice(["f", "m"], N),
            "age": rng.integers(18, 80, N),
            "score": rng.random(N).round(3),
            "approved": rng.choice(["yes", "no"], N),
            "repaid": rng.integers(0, 2, N),
            "price": rng.normal(100, 20, N),
            "predicted_price": rng.normal(100, 20, N),
        }
    )


def fitted(table, **given):
    text = draft(guess(table, **given), "x.csv")
    plan, located = parse_plan(text)
    return fit(plan, located, table=table)


def rules(table, **given):
    return [rule.rule for rule in fitted(table, **given).plan.gate]


def test_outcome_and_decision_give_rules_about_errors(table):
    found = rules(table.select("sex", "approved", "repaid"))
    assert found == [
        "difference(true_positive_rate, by=sex) <= 0.05",
        "difference(false_positive_rate, by=sex) <= 0.05",
    ]


def test_a_decision_alone_gives_four_fifths(table):
    assert rules(table.select("sex", "approved")) == ["ratio(selection_rate, by=sex) >= 0.8"]


def test_an_outcome_alone_gives_a_rule_about_it(table):
    assert rules(table.select("sex", "repaid")) == ["difference(base_rate, by=sex) <= 0.05"]


def test_numbers_give_a_rule_in_their_own_scale(table):
    (found,) = rules(table.select("sex", "price", "predicted_price"))
    assert found == "difference(mean_error, by=sex) <= 2"


def test_a_score_of_no_known_scale_gives_no_rule(table):
    rows = table.select("sex", points=pl.col("price"))
    assert rules(rows, roles={"score": "points"}) == []


def test_the_plan_says_certainty_and_the_smallest_group(table):
    plan = fitted(table).plan
    assert plan.min_units == 30
    assert {rule.certainty for rule in plan.gate} == {0.95}
    assert all(rule.why for rule in plan.gate)


def test_reasons_and_alternatives_are_comments(table):
    text = draft(guess(table.drop("predicted_price")), "x.csv")
    assert "# Likely. 'approved' in its name" in text
    assert "Read every line." in text


def test_no_line_is_long(table):
    assert max(map(len, draft(guess(table), "x.csv").splitlines())) <= 100


@pytest.mark.parametrize("name", ODD)
def test_a_group_of_any_name_can_be_read_back(table, name):
    rows = table.select("approved", pl.col("sex").alias(name))
    found = fitted(rows, groups=[name])
    assert [group.expression.text for group in found.log.groups.values()] == [name]


@pytest.mark.parametrize("name", ODD)
def test_a_role_of_any_name_can_be_read_back(table, name):
    for values in (pl.col("repaid"), pl.col("approved")):
        rows = table.select("sex", values.alias(name))
        found = fitted(rows, roles={"prediction": name})
        assert found.log.roles["prediction"].columns(found.log.schema) == [name]


@pytest.mark.parametrize("name", [name for name in ODD if name != "[list]"])
def test_a_unit_of_any_name_can_be_read_back(table, name):
    rows = table.select("sex", "approved", pl.Series(name, np.arange(N) // 4))
    assert fitted(rows, unit=name).plan.unit == [name]


def test_bins_are_kept(table):
    found = fitted(table, groups=["age: [30, 50.5]"])
    assert found.log.groups["age"].bins == (30, 50.5)


def test_rules_whose_names_are_alike_have_their_own_ids(table):
    rows = table.select("approved", ä="sex", ö="sex")
    plan = fitted(rows, groups=["ä", "ö"]).plan
    assert len({rule.id for rule in plan.gate}) == 2


@pytest.mark.parametrize(
    "name",
    [
        "compas_two_years",
        "adult_1994",
        "hmda_boston_1990",
        "resume_callbacks",
        "credit_card_default",
        "bank_marketing",
        "student_math",
        "ricci_promotion",
    ],
)
def test_a_draft_of_real_data_fits_it(data, name):
    path = (data / f"{name}.parquet").resolve()
    plan, located = parse_plan(draft(guess(path), str(path)))
    assert fit(plan, located).limits
