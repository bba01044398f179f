"""Mean effects that are alike for everybody, which are known, and those that few rows make."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats  # noqa: TID251 - an oracle

import evenhand as eh
from evenhand.measures.attributions.effect import ALIKE
from evenhand.stats.estimate import Estimate, Undefined

COLUMNS = {"mean_local_effect": "local_effect", "mean_partial_effect": "partial_effect"}


def log_of(column, values, sex):
    rows = pl.DataFrame({"source": np.arange(len(values)), "variant": "age", "sex": sex})
    return eh.log(rows.with_columns(pl.Series(column, values)), kind="attributions", groups=["sex"])


@pytest.mark.parametrize("measure", COLUMNS)
def test_what_is_alike_for_everybody_is_known_and_so_is_its_difference(measure):
    log = log_of(COLUMNS[measure], np.full(100, 0.25), np.repeat(["f", "m"], [30, 70]))
    found = eh.estimate(f"difference({measure}, by=sex)", log)
    assert (found.value, found.low, found.high) == (0, 0, 0)
    for group in found.groups:
        assert (group.outcome.value, group.outcome.low, group.outcome.high) == (0.25,) * 3
        assert group.outcome.method == "none: all rows have the same value"
    whole = eh.estimate(measure, log)
    assert (whole.low, whole.value, whole.high) == (0.25,) * 3


@pytest.mark.parametrize("measure", COLUMNS)
def test_fewer_than_100_may_be_alike_by_chance(measure):
    log = log_of(COLUMNS[measure], np.full(99, 0.25), np.repeat(["f", "m"], [30, 69]))
    for found in eh.estimates([measure, f"difference({measure}, by=sex)"], log):
        assert "100 rows" in found.undefined


@pytest.mark.parametrize("measure", COLUMNS)
def test_a_group_that_is_alike_beside_others_is_so_by_chance(measure):
    rng = np.random.default_rng(0)
    values = np.concatenate([np.full(200, 0.25), rng.normal(1, 0.5, 200)])
    log = log_of(COLUMNS[measure], values, np.repeat(["f", "m"], 200))
    (found,) = eh.estimates([f"difference({measure}, by=sex)"], log)
    women, men = found.groups
    assert ALIKE in women.outcome.reason
    # Three more as far off as those that are far, by the rule of three, beside what was seen.
    every, own = values, values[200:]
    size = np.sqrt(stats.moment(every, 4) / stats.moment(every, 2))
    error = np.hypot(own.std(ddof=1) / np.sqrt(200), 1.5 * size / 200)
    off = stats.t.ppf(0.975, 199) * error
    assert men.outcome.low == pytest.approx(own.mean() - off)
    assert men.outcome.high == pytest.approx(own.mean() + off)
    assert men.outcome.method == "t with room for rare rows"
    assert "only one group" in found.undefined


def test_alike_by_chance_is_no_difference():
    # Three in a hundred scores rise by one, in both groups: with 40 women none does in 30 % of
    # logs. At most 5 % of 200 may differ; with 10 % as the limit a right rule fails once in 1,000.
    rng = np.random.default_rng(0)
    sex = np.repeat(["f", "m"], [40, 1500])
    apart = 0
    for _ in range(200):
        log = log_of("local_effect", (rng.random(1540) < 0.03).astype(float), sex)
        (found,) = eh.estimates(["difference(mean_local_effect, by=sex)"], log)
        apart += isinstance(found.outcome, Estimate) and found.outcome.low > 0
    assert apart / 200 <= 0.1


def test_of_few_who_change_and_then_by_much_groups_seldom_differ_by_chance():
    # One in ten changes, by an exponential number, in both groups; t limits would say of 14 % of
    # logs that 25 women differ from 200 men, these of fewer than 1 %. A rate of 1 % is above 5 % of
    # 200 once in 10,000 times.
    rng = np.random.default_rng(5)
    sex = np.repeat(["f", "m"], [25, 200])
    apart = 0
    for _ in range(200):
        values = np.where(rng.random(225) < 0.1, rng.exponential(size=225), 0.0)
        log = log_of("local_effect", values, sex)
        (found,) = eh.estimates(["difference(mean_local_effect, by=sex)"], log)
        apart += isinstance(found.outcome, Estimate) and found.outcome.low > 0
    assert apart / 200 <= 0.05


def test_weights_that_are_all_two_change_nothing():
    rng = np.random.default_rng(2)
    values = np.where(rng.random(300) < 0.1, rng.exponential(size=300), 0.0)
    rows = pl.DataFrame({"source": np.arange(300), "variant": "age", "local_effect": values})
    (plain,) = eh.estimates(["mean_local_effect"], eh.log(rows, kind="attributions"))
    twice = eh.log(rows.with_columns(weight=2.0), kind="attributions", weight="weight")
    (weighed,) = eh.estimates(["mean_local_effect"], twice)
    assert weighed.outcome == plain.outcome


@pytest.mark.parametrize("measure", COLUMNS)
def test_one_example_alone_tells_nothing_of_the_next(measure):
    log = log_of(COLUMNS[measure], [0.25], ["f"])
    assert isinstance(eh.estimates([measure], log)[0].outcome, Undefined)


def test_other_means_of_rows_that_are_alike_stay_undefined():
    log = log_of("attribution", np.full(40, 0.25), ["f"] * 40)
    (found,) = eh.estimates(["mean_attribution"], log)
    assert "same value" in found.undefined
