"""Mean effects of a model that are alike for everybody: known, with an interval of no width."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.stats.estimate import Undefined

COLUMNS = {"mean_local_effect": "local_effect", "mean_partial_effect": "partial_effect"}


def log_of(column, values, sex):
    rows = pl.DataFrame({"source": np.arange(len(values)), "variant": "age", "sex": sex})
    return eh.log(rows.with_columns(pl.Series(column, values)), kind="attributions", groups=["sex"])


@pytest.mark.parametrize("measure", COLUMNS)
def test_what_is_alike_for_everybody_is_known_and_so_is_its_difference(measure):
    values = np.repeat([0.25, 0.75], 40)
    log = log_of(COLUMNS[measure], values, np.repeat(["f", "m"], 40))
    found = eh.estimate(f"difference({measure}, by=sex)", log)
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)
    for group, value in zip(found.groups, (0.25, 0.75), strict=True):
        assert (group.outcome.value, group.outcome.low, group.outcome.high) == (value,) * 3
        assert group.outcome.method == "none: all rows have the same value"
    whole = eh.estimate(measure, log)
    assert whole.low < whole.value == 0.5 < whole.high


@pytest.mark.parametrize("measure", COLUMNS)
def test_of_groups_of_which_one_is_alike_the_other_alone_makes_the_interval(measure):
    rng = np.random.default_rng(0)
    values = np.concatenate([np.full(40, 0.25), rng.normal(1, 0.5, 40)])
    log = log_of(COLUMNS[measure], values, np.repeat(["f", "m"], 40))
    found = eh.estimate(f"pairs({measure}, by=sex)", log)
    alone = eh.estimate(measure, log_of(COLUMNS[measure], values[40:], ["m"] * 40))
    # One group's degrees of freedom, and its distances, are all there is.
    assert found.low == pytest.approx(0.25 - alone.high)
    assert found.high == pytest.approx(0.25 - alone.low)


@pytest.mark.parametrize("measure", COLUMNS)
def test_one_example_alone_tells_nothing_of_the_next(measure):
    log = log_of(COLUMNS[measure], [0.25], ["f"])
    assert isinstance(eh.estimates([measure], log)[0].outcome, Undefined)


def test_other_means_of_rows_that_are_alike_stay_undefined():
    log = log_of("attribution", np.full(40, 0.25), ["f"] * 40)
    (found,) = eh.estimates(["mean_attribution"], log)
    assert "same value" in found.undefined
