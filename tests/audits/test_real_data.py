"""Published and recomputed figures of real data sets, on every engine."""

from __future__ import annotations

import polars as pl
import pytest

import evenhand as eh


@pytest.fixture
def compas(data, engine):
    return eh.log(
        data / "compas_two_years.parquet",
        kind="decisions",
        label="two_year_recid",
        prediction="score_text != 'Low'",
        where="race in ['African-American', 'Caucasian']",
        engine=engine,
    )


# ProPublica's rates (2016) and Newcombe's interval of the difference, from the raw counts.
@pytest.mark.parametrize(
    ("measure", "black", "white", "difference"),
    [
        ("selection_rate", 2174 / 3696, 854 / 2454, (0.24020, 0.21534, 0.26458)),
        ("false_positive_rate", 805 / 1795, 349 / 1488, (0.21392, 0.18205, 0.24502)),
        ("true_positive_rate", 1369 / 1901, 505 / 966, (0.19737, 0.15986, 0.23456)),
        ("false_negative_rate", 532 / 1901, 461 / 966, (0.19737, 0.15986, 0.23456)),
    ],
)
def test_compas_rates_and_differences(compas, measure, black, white, difference):
    found = eh.estimate(f"difference({measure}, by=race)", compas)
    assert [group.outcome.value for group in found.groups] == [black, white]
    assert (found.value, found.low, found.high) == pytest.approx(difference, abs=1e-5)
    assert found.estimate.method == "Newcombe"


def test_compas_wilson_interval_of_one_group(compas):
    found = eh.estimate("difference(false_positive_rate, by=race)", compas)
    outcome = found.groups[0].outcome
    assert (outcome.low, outcome.high) == pytest.approx((0.42559, 0.47156), abs=1e-5)


def test_compas_id_as_unit_gives_the_same_interval_and_says_why(data, engine):
    log = eh.log(
        data / "compas_two_years.parquet",
        kind="decisions",
        label="two_year_recid",
        prediction="score_text != 'Low'",
        where="race in ['African-American', 'Caucasian']",
        unit="id",
        engine=engine,
    )
    found = eh.estimate("difference(false_positive_rate, by=race)", log)
    assert (found.low, found.high) == pytest.approx((0.18205, 0.24502), abs=1e-5)
    assert "no value of 'id' repeats" in found.conventions["unit"]


def test_adult_income_by_sex(data, engine):
    log = eh.log(
        data / "adult_1994.parquet", kind="decisions", label="income_gt_50k", engine=engine
    )
    found = eh.estimate("difference(base_rate, by=sex)", log)
    assert [group.outcome.value for group in found.groups] == [1769 / 16192, 9918 / 32650]
    assert found.value == pytest.approx(0.194516, abs=1e-6)


def test_acs_income_by_sex(data, engine):
    log = eh.log(
        data / "acs_income_test.parquet",
        kind="decisions",
        label="label_income_gt_50k",
        engine=engine,
    )
    found = eh.estimate("difference(base_rate, by=SEX)", log)
    assert found.rows == 332_900
    assert [group.group for group in found.groups] == [{"SEX": "1"}, {"SEX": "2"}]
    values = [group.outcome.value for group in found.groups]
    assert values == pytest.approx([0.4426, 0.2892], abs=5e-5)


def test_hmda_denials_and_resume_callbacks(data, engine):
    denials = eh.log(
        data / "hmda_boston_1990.parquet",
        kind="decisions",
        prediction="deny == 'yes'",
        engine=engine,
    )
    found = eh.estimate("difference(selection_rate, by=afam)", denials)
    values = [group.outcome.value for group in found.groups]
    assert values == pytest.approx([0.0926016658500735, 0.2831858407079646])
    callbacks = eh.log(
        data / "resume_callbacks.parquet",
        kind="decisions",
        prediction="received_callback",
        unit="job_ad_id",
        engine=engine,
    )
    called = eh.estimate("difference(selection_rate, by=race)", callbacks)
    assert called.value == pytest.approx(0.09650924024640657 - 0.06447638603696099)
    # The same advertisements got both kinds of name: the units pair the groups.
    assert (
        called.units == pl.read_parquet(data / "resume_callbacks.parquet")["job_ad_id"].n_unique()
    )
