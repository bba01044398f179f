"""Accumulated local effects beside the closed form of additive scores, and their definition."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evenhand.errors import ModelError
from evenhand.models.function import FunctionModel
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes.explain.ale import curve_of
from evenhand.probes.explaining import Explaining
from evenhand.probes.run import most_asked, run
from evenhand.probes.written import probe_of

SPEC = Spec(labels=("no", "yes"), shape=(3,), low=-50.0, high=50.0)


def added(x):
    """A score that features make one by one."""
    return np.sin(x[:, 0]) + x[:, 1] ** 2 - 0.5 * x[:, 2]


def met(x):
    """A score that two features make together."""
    return x[:, 0] * x[:, 1] + x[:, 2]


def model_of(score):
    return FunctionModel(lambda x: np.column_stack([np.zeros(len(x)), score(x)]), SPEC)


def inputs_for(size=400, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(size, 3))
    # Correlated, where partial dependence would look at people who do not exist.
    x[:, 1] = 0.9 * x[:, 0] + 0.4 * x[:, 1]
    return inputs_of(x, SPEC, labels=np.where(added(x) > 0, "yes", "no"))


def rows_of(score=added, written="ale", inputs=None):
    probe = probe_of(f"explain.{written}")
    found = inputs_for() if inputs is None else inputs
    return run(probe, model_of(score), found, version="0", believe=True).rows


@pytest.mark.parametrize(("place", "own"), [(0, np.sin), (1, np.square), (2, lambda z: -0.5 * z)])
def test_curve_of_an_additive_score_is_its_own_function_and_no_interval_is_needed(place, own):
    inputs = inputs_for(800)
    curve = curve_of(rows_of(written="ale(bins=7)", inputs=inputs), f"x{place}")
    values = np.sort(inputs.x[:, place])
    assert (curve.at[0], curve.at[-1]) == (values[0], values[-1])
    steps = np.diff(own(curve.at))
    np.testing.assert_allclose(np.diff(curve.value), steps, atol=1e-12)
    # Centred: over the examples the mean of the ends of their bins is 0.
    middle = (curve.value[1:] + curve.value[:-1]) / 2
    assert curve.count @ middle == pytest.approx(0, abs=1e-10)
    np.testing.assert_allclose(curve.low, curve.value, atol=1e-9)
    assert curve.count.sum() == 800
    assert np.ptp(curve.count) <= 2


def test_bins_whose_few_examples_are_alike_leave_the_curve_without_limits():
    curve = curve_of(rows_of(written="ale(bins=7)"), "x0")
    assert np.isfinite(curve.value).all()
    assert np.isnan(curve.low).all()
    assert np.isnan(curve.high).all()


def test_rows_are_those_of_the_definition():
    inputs = inputs_for(60)
    rows = rows_of(met, "ale(bins=4, least=1)", inputs).filter(variant="x0")
    ends = np.unique(
        np.quantile(inputs.x[:, 0], np.linspace(0, 1, 5), method="closest_observation")
    )
    for row, x in zip(rows.iter_rows(named=True), inputs.x, strict=True):
        k = max(1, next(k for k, end in enumerate(ends) if x[0] <= end))
        assert (row["ale_bin"], row["ale_low"], row["ale_high"]) == (k, ends[k - 1], ends[k])
        assert row["local_effect"] == pytest.approx((ends[k] - ends[k - 1]) * x[1])


def test_intervals_cover_the_curve_of_many():
    # With the bins as they are; 95 % of 300 draws at one point: five standard errors are 6 %.
    whole = inputs_for(20_000, seed=9)
    truth = curve_of(rows_of(met, "ale(bins=4)", whole), "x0")
    rng = np.random.default_rng(1)
    rows = rows_of(met, "ale(bins=4)", whole).filter(variant="x0")
    hits = 0
    for _ in range(300):
        some = rows[rng.integers(0, len(rows), 400)]
        curve = curve_of(some, "x0")
        hits += curve.low[-1] <= truth.value[-1] <= curve.high[-1]
    assert hits / 300 > 0.89


def test_value_that_most_people_have_does_not_move_them_over_all_others():
    x = inputs_for().x.copy()
    x[:, 0] = np.where(np.arange(400) % 10 == 0, np.arange(400) / 10.0, 0.0)
    gain = inputs_of(x, SPEC, labels=np.where(added(x) > 0, "yes", "no"))
    curve = curve_of(rows_of(written="ale(bins=5, least=1)", inputs=gain), "x0")
    assert len(curve.at) == 6
    assert curve.at[0] == 0
    assert curve.at[1] == 1.0
    np.testing.assert_allclose(np.diff(curve.value), np.diff(np.sin(curve.at)), atol=1e-12)


def test_text_and_constant_features_have_no_curve():
    inputs = inputs_for(80)
    x = inputs.x.copy()
    x[:, 1], x[:, 2] = 1.0, np.arange(80) % 2
    fixed = inputs_of(x, SPEC, labels=[SPEC.labels[one] for one in inputs.labels])
    object.__setattr__(fixed, "features", ("age", "year", "sex"))
    object.__setattr__(fixed, "values", {"sex": ("f", "m")})
    rows = rows_of(inputs=fixed)
    assert curve_of(rows, "year") is None
    assert curve_of(rows, "sex") is None
    assert curve_of(rows, "age") is not None
    assert rows.filter(pl.col("variant") != "age")["local_effect"].null_count() == 160


def test_rows_are_the_same_however_blocks_fall(monkeypatch):
    whole = rows_of(met).sort("source", "variant")
    monkeypatch.setattr(Explaining, "block", 33)
    assert rows_of(met).sort("source", "variant").equals(whole)


def test_it_costs_what_is_said_at_most():
    model, inputs = model_of(added), inputs_for()
    probe = probe_of("explain.ale").among(inputs)
    most = most_asked(probe, model, len(inputs))
    found = run(probe, model, inputs, version="0", believe=True)
    assert found.made.queries == model.queries <= most


@pytest.mark.parametrize("written", ["ale(bins=1)", "ale(link=log)", "ale(groups=[[x0, x1]])"])
def test_parameters_that_cannot_be_meant_are_refused(written):
    with pytest.raises(ModelError, match=r"explain\.ale"):
        probe_of(f"explain.{written}")
