"""Partial dependence beside scikit-learn's, closed forms, and a case in which it is wrong."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evenhand.errors import ModelError
from evenhand.models.function import FunctionModel, sklearn
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes.explain import ale
from evenhand.probes.explain.curve import filled, grid
from evenhand.probes.explain.feature import related
from evenhand.probes.explain.pdp import curve_of
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


def inputs_for(size=300, seed=0):
    x = np.random.default_rng(seed).normal(size=(size, 3))
    # Few values, which are asked about as they are.
    x[:, 2] = np.round(x[:, 2])
    return inputs_of(x, SPEC, labels=np.where(added(x) > 0, "yes", "no"))


def rows_of(score=added, written="pdp", inputs=None, model=None):
    found = inputs_for() if inputs is None else inputs
    asked = model or model_of(score)
    return run(probe_of(f"explain.{written}"), asked, found, version="0", believe=True).rows


@pytest.mark.parametrize("place", [0, 1, 2])
def test_means_are_those_of_scikit_learn_at_the_same_points(place):
    ensemble = pytest.importorskip("sklearn.ensemble")
    inspection = pytest.importorskip("sklearn.inspection")
    inputs = inputs_for()
    fitted = ensemble.HistGradientBoostingClassifier(max_iter=20).fit(inputs.x, inputs.labels)
    spec = Spec(labels=(0, 1), shape=(3,), low=-50.0, high=50.0, output="probabilities")
    same = inputs_of(inputs.x, spec, labels=inputs.labels)
    rows = rows_of(inputs=same, model=sklearn(fitted, spec)).filter(variant=f"x{place}")
    points = rows["moved_to"].unique().sort().to_numpy()
    told = inspection.partial_dependence(
        fitted,
        inputs.x,
        [place],
        method="brute",
        response_method="predict_proba",
        custom_values={place: points},
        kind="both",
    )
    found = rows.sort("moved_to", "source")["moved_score"].to_numpy().reshape(len(points), -1)
    np.testing.assert_allclose(found, told["individual"][0].T, atol=1e-12)
    curve = curve_of(rows, f"x{place}")
    average = told["average"][0]
    np.testing.assert_allclose(curve.value, average - average.mean(), atol=1e-12)


@pytest.mark.parametrize(("place", "own"), [(0, np.sin), (1, np.square), (2, lambda z: -0.5 * z)])
def test_curve_of_an_additive_score_is_its_own_function_and_no_interval_is_needed(place, own):
    curve = curve_of(rows_of(), f"x{place}")
    wanted = own(curve.at) - own(curve.at).mean()
    np.testing.assert_allclose(curve.value, wanted, atol=1e-12)
    np.testing.assert_allclose(curve.high, curve.low, atol=1e-12)


def test_points_are_quantiles_and_of_few_values_those():
    rows, x = rows_of(), inputs_for().x
    first = rows.filter(variant="x0")["moved_to"].unique().sort().to_numpy()
    assert len(first) == 10
    assert {*first} <= {*x[:, 0]}
    assert (first[0], first[-1]) == (x[:, 0].min(), x[:, 0].max())
    third = rows.filter(variant="x2")["moved_to"].unique().sort().to_list()
    assert third == sorted({*x[:, 2]})
    assert len(third) < 10


def test_interval_is_a_t_interval_of_what_examples_differ_in_with_room_for_rare_ones():
    stats = pytest.importorskip("scipy.stats")
    rows = rows_of(met).filter(variant="x0")
    curve = curve_of(rows, "x0")
    inputs = inputs_for()
    for place, at in enumerate(curve.at):
        effect = (at - curve.at.mean()) * inputs.x[:, 1]
        size = np.sqrt(stats.moment(effect, 4) / stats.moment(effect, 2))
        error = np.hypot(stats.sem(effect), 1.5 * size / len(effect))
        off = stats.t.ppf(0.975, len(effect) - 1) * error
        assert curve.low[place] == pytest.approx(effect.mean() - off, abs=1e-10)
        assert curve.high[place] == pytest.approx(effect.mean() + off, abs=1e-10)


def test_where_features_go_together_it_tells_of_nobody_and_accumulated_effects_do_not():
    # Apley and Zhu 2020: two features that are nearly one, and a model that says anything where
    # nobody is. Its slope in each is 1 wherever anybody is.
    rng = np.random.default_rng(4)
    first = rng.uniform(0, 1, 500)
    x = np.column_stack([first, first + rng.uniform(-0.02, 0.02, 500), np.zeros(500)])
    inputs = inputs_of(x, SPEC, labels=np.where(x[:, 0] > 0.5, "yes", "no"))

    def extrapolating(x):
        return x[:, 0] + x[:, 1] + 10 * (np.abs(x[:, 0] - x[:, 1]) > 0.2)

    right = ale.curve_of(rows_of(extrapolating, "ale", inputs), "x0")
    np.testing.assert_allclose(np.diff(right.value), np.diff(right.at), atol=1e-12)
    wrong = curve_of(rows_of(extrapolating, "pdp", inputs), "x0")
    away = [(np.abs(at - x[:, 1]) > 0.2).mean() for at in wrong.at]
    wanted = wrong.at + 10 * np.array(away)
    np.testing.assert_allclose(wrong.value, wanted - wanted.mean(), atol=1e-12)
    # The score rises by 1 from one end to the other; partial dependence falls on the way by more.
    assert wrong.value[len(wrong.at) // 2] < wrong.value[0] - 1
    said = probe_of("explain.pdp").among(inputs).method.notes(model_of(extrapolating))
    assert any("x0 and x1 (1.00)" in note and "read explain.ale" in note for note in said)


def test_rows_by_group_are_those_of_brute_force():
    inputs, rows = inputs_for(), rows_of(met)
    side = np.arange(300) % 2 == 0
    own = rows.filter((pl.col("variant") == "x1") & (pl.col("source") % 2 == 0))
    points = own["moved_to"].unique().sort().to_list()
    scores = []
    for at in points:
        moved = inputs.x[side].copy()
        moved[:, 1] = at
        scores.append(met(moved))
    effect = np.array(scores) - np.mean(scores, axis=0)
    means = own.group_by("moved_to").agg(pl.col("partial_effect").mean()).sort("moved_to")
    np.testing.assert_allclose(means["partial_effect"], effect.mean(axis=1), atol=1e-12)


def test_rows_are_the_same_however_blocks_fall(monkeypatch):
    whole = rows_of(met).sort("source", "variant", "moved_to")
    monkeypatch.setattr(Explaining, "block", 33)
    assert rows_of(met).sort("source", "variant", "moved_to").equals(whole)


def test_it_costs_what_is_said_at_most():
    model, inputs = model_of(added), inputs_for()
    probe = probe_of("explain.pdp").among(inputs)
    most = most_asked(probe, model, len(inputs))
    found = run(probe, model, inputs, version="0", believe=True)
    assert found.made.queries == model.queries <= most


def table(**columns):
    """Inputs of named features, of which some are text."""
    x = np.column_stack([*columns.values()])
    found = inputs_of(x, SPEC, labels=["no", "yes"] * (len(x) // 2))
    object.__setattr__(found, "features", tuple(columns))
    return found


def test_text_and_constant_features_have_no_curve_and_a_row_that_says_nothing():
    inputs = table(age=np.arange(80.0) / 10, year=np.ones(80), sex=np.arange(80) % 2)
    object.__setattr__(inputs, "values", {"sex": ("f", "m")})
    rows = rows_of(inputs=inputs)
    assert len(rows) == 80 * (10 + 1 + 1)
    assert curve_of(rows, "year") is None
    assert curve_of(rows, "sex") is None
    assert rows.filter(pl.col("variant") != "age")["partial_effect"].null_count() == 160
    notes = probe_of("explain.pdp").among(inputs).method.notes(model_of(added))
    assert any("text has no order, so no curve: sex" in note for note in notes)
    assert any("constant: year" in note for note in notes)


def test_what_a_number_is_most_strongly_related_to_is_told_text_too():
    rng = np.random.default_rng(8)
    size = 4000
    age, text = rng.normal(size=size), rng.integers(0, 3, size)
    # Of the variance of pay .8 is of age and .2 noise; of hours .36 lies between values of text.
    pay = np.sqrt(0.8) * age + np.sqrt(0.2) * rng.normal(size=size)
    level = np.array([-1.0, 0.0, 1.0]) * np.sqrt(1.5)
    hours = 0.6 * level[text] + 0.8 * rng.normal(size=size)
    x = np.column_stack([age, pay, hours, text, np.ones(size)])
    names = ("age", "pay", "hours", "job", "year")
    found = related(x, names, ["job"], 0.5)
    assert [one[:2] for one in found] == [("age", "pay"), ("hours", "job")]
    # Standard errors of 4,000 examples are below .01.
    assert found[0][2] == pytest.approx(0.8**0.5, abs=0.03)
    assert found[1][2] == pytest.approx(0.6, abs=0.03)
    assert not related(x, names, ["job"], 0.97)
    # Text of as many values as examples tells nothing by chance.
    many = np.column_stack([age, np.arange(size) // 2])
    assert not related(many, ("age", "id"), ["id"], 0.3)


@pytest.mark.parametrize("written", ["pdp", "ale"])
def test_where_no_feature_has_a_curve_the_probe_is_refused(written):
    inputs = table(year=np.ones(80), month=np.ones(80), sex=np.arange(80) % 2)
    object.__setattr__(inputs, "values", {"sex": ("f", "m")})
    with pytest.raises(ModelError, match="no feature has a curve"):
        rows_of(written=written, inputs=inputs)


@pytest.mark.parametrize(
    "written",
    ["pdp(points=1)", "pdp(points=2.5)", "pdp(link=log)", "pdp(groups=[[x0, x1]])", "ale(least=0)"],
)
def test_parameters_that_cannot_be_meant_are_refused(written):
    with pytest.raises(ModelError, match=rf"explain\.{written[:3]}"):
        probe_of(f"explain.{written}")


def test_a_class_that_there_is_not_and_images_are_refused():
    with pytest.raises(ModelError, match="there is no class 'maybe'"):
        rows_of(written="pdp(target=maybe)")
    shape = (1, 2, 2)
    spec = Spec(labels=("no", "yes"), shape=shape, layout="CHW", low=0.0, high=1.0)
    images = inputs_of(np.zeros((4, *shape)), spec, labels=["no", "yes"] * 2)
    model = FunctionModel(lambda x: np.zeros((len(x), 2)), spec)
    with pytest.raises(ModelError, match="these inputs are images"):
        rows_of(inputs=images, model=model)


def test_bins_of_few_examples_are_put_together():
    values = np.concatenate([np.zeros(200), np.arange(1.0, 101)])
    ends = grid(values, 11)
    assert len(ends) == 11
    kept = filled(ends, values, 30)
    counts = np.histogram(values, kept)[0]
    assert {*kept} <= {*ends}
    assert (kept[0], kept[-1]) == (0.0, 100.0)
    assert counts.min() >= 29
    assert filled(ends, values, 1).tolist() == ends.tolist()
    assert filled(ends, values, 1000).tolist() == [0.0, 100.0]
