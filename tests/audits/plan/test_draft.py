"""Drafts: each parses, fits its log, and says what was guessed."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evenhand.audits.plan import parse_plan
from evenhand.audits.plan.draft import draft
from evenhand.audits.plan.fit import fit
from evenhand.audits.plan.guess import guess
from evenhand.audits.run import run

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


@pytest.fixture
def lending():
    """A log of loans with outcomes for the approved alone."""
    rng = np.random.default_rng(2)
    approved = rng.random(20_000) < 0.5
    repaid = (rng.random(20_000) < 0.8).astype(int)
    return pl.DataFrame(
        {
            "sex": rng.choice(["f", "m"], 20_000),
            "approved": approved.astype(int),
            "repaid": [
                int(one) if seen else None for one, seen in zip(repaid, approved, strict=True)
            ],
        }
    )


def test_rules_of_a_log_without_labels_of_the_rejected_can_be_decided(lending):
    bundle = run(fitted(lending), version="test")
    assert {rule.verdict for rule in bundle.rules} == {"pass"}


def test_measures_that_need_labels_never_seen_are_drafted_as_bounds_alone(lending):
    measures = [one.measure for one in fitted(lending).plan.measures]
    assert "difference(positive_predictive_value, by=sex)" in measures
    assert "difference(bounds(true_positive_rate, missing=odds(2)), by=sex)" in measures
    assert "difference(true_positive_rate, by=sex)" not in measures


def test_a_draft_says_how_many_labels_are_missing_and_where_they_were_seen(lending):
    missing = lending["repaid"].null_count()
    told = f"missing for {missing:,} of 20,000 rows, seen only where approved is 1"
    text = " ".join(draft(guess(lending), "x.csv").replace("#", " ").split())
    assert text.count(told) > 1


def test_labels_missing_here_and_there_leave_no_measure_of_them_without_bounds(lending):
    place = pl.int_range(pl.len()) % 9
    some = pl.when(place == 0).then(None).otherwise((place > 1).cast(int))
    found = guess(lending.with_columns(repaid=some))
    assert found.unlabelled.among == ()
    assert "seen only" not in found.unlabelled.about
    assert not any("predictive" in line for line in draft(found, "x.csv").splitlines())


def test_missing_labels_beside_a_score_alone_leave_the_score(lending):
    rng = np.random.default_rng(3)
    scored = lending.drop("approved").with_columns(score=rng.random(lending.height))
    plan = fitted(scored, kind="decisions", roles={"label": "repaid"}).plan
    assert not any(text in str(plan.gate) for text in ("auc", "true_positive"))
