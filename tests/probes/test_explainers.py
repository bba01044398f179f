"""Several attributions beside one background: closed forms, all orders, and Shapley values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from evenhand.errors import EvenhandError, ModelError, NotationError
from evenhand.models.function import FunctionModel, linear, sklearn
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.notation import parse
from evenhand.probes.attribute.attribution import scores_of
from evenhand.probes.attribute.baseline import Row
from evenhand.probes.attribute.registry import attributions_named
from evenhand.probes.run import most_asked, run
from evenhand.probes.written import probe_of

SIZE, COUNT = 5, 40

TOLD = (
    *("gradient_x_input", "integrated_gradients(steps=3)", "occlusion", "kernel_shap"),
    *("lime(ridge=0)", "shap"),
)
"""Attributions that are told against an input, and are exact of linear scores."""

AGREED = ("feature_agreement", "sign_agreement", "rank_correlation", "pairwise_rank_agreement")


def one(text):
    (found,) = attributions_named(parse(text))
    return found


def streams(count):
    return tuple(np.random.default_rng([0, i]) for i in range(count))


def made(classes=3, count=COUNT):
    """A linear model, its weights for the class of each example, and examples."""
    rng = np.random.default_rng(classes)
    weights = rng.normal(size=(classes, SIZE))
    model = linear(weights, rng.normal(size=classes), Spec(tuple(range(classes)), (SIZE,)))
    x = rng.uniform(0.1, 0.9, (count, SIZE))
    codes = model.predict(x)
    slope = weights[codes] - (weights[1 - codes] if classes == 2 else 0)
    return model, inputs_of(x, model.spec, labels=codes), slope


def curved(x):
    """A score in which features meet, two and three at a time."""
    return np.sin(3 * x[:, 0]) + x[:, 0] * x[:, 1] - 2 * x[:, 1] * x[:, 2] * x[:, 3] + x[:, 4] ** 2


def curving():
    def scores(x):
        return np.stack([np.zeros(len(x)), curved(x) - 1], axis=1)

    return FunctionModel(scores, Spec((0, 1), (SIZE,)))


def by_all_orders(score, x, background):
    """The mean rise of each feature over all orders and all rows of a background."""
    found = np.zeros(SIZE)
    orders = [*itertools.permutations(range(SIZE))]
    for order, row in itertools.product(orders, background):
        now = row.copy()
        for place in order:
            before = score(now[None])[0]
            now[place] = x[place]
            found[place] += score(now[None])[0] - before
    return found / (len(orders) * len(background))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize("name", TOLD)
def test_of_a_linear_score_all_agree_on_the_weight_times_the_way_from_the_background(
    name, rows, classes
):
    model, inputs, slope = made(classes)
    background = np.random.default_rng(9).random((rows, SIZE))
    found = one(name).beside(model, inputs.x, model.predict(inputs.x), streams(COUNT), background)
    np.testing.assert_allclose(found, slope * (inputs.x - background.mean(axis=0)), atol=1e-9)


def test_shap_is_the_mean_over_all_orders_of_the_class_that_is_predicted():
    model = curving()
    rng = np.random.default_rng(2)
    x, background = rng.random((6, SIZE)), rng.random((3, SIZE))
    codes = model.predict(x)
    assert {*codes.tolist()} == {0, 1}
    found = one("shap").beside(model, x, codes, streams(6), background)
    for parts, example, code in zip(found, x, codes, strict=True):
        wanted = by_all_orders(curved, example, background) * (1 if code else -1)
        np.testing.assert_allclose(parts, wanted, atol=1e-12)
    kernel = one("kernel_shap").beside(model, x, codes, streams(6), background)
    np.testing.assert_allclose(kernel, found, atol=1e-9)


@pytest.mark.parametrize("name", ["shap", "kernel_shap(samples=6)"])
def test_parts_add_up_to_the_score_above_the_mean_of_the_background(name):
    model = curving()
    rng = np.random.default_rng(4)
    x, background = rng.random((9, SIZE)), rng.random((4, SIZE))
    codes = model.predict(x)
    found = one(name).beside(model, x, codes, streams(9), background)
    base = [scores_of(model, background, np.full(4, code)).mean() for code in codes]
    np.testing.assert_allclose(found.sum(axis=1), scores_of(model, x, codes) - base, atol=1e-10)


def test_slopes_and_controls_are_as_they_are():
    model, inputs, slope = made()
    codes = model.predict(inputs.x)
    background = np.random.default_rng(9).random((4, SIZE))
    found = one("gradient").beside(model, inputs.x, codes, streams(COUNT), background)
    np.testing.assert_allclose(found, slope)
    drawn = [
        maps(model, inputs.x, codes, streams(COUNT), *more)
        for maps, more in ((one("random").maps, ()), (one("random").beside, (background,)))
    ]
    np.testing.assert_array_equal(*drawn)


def test_a_row_is_a_baseline_of_tables_of_its_width_alone():
    by = type(one("occlusion"))(baseline=Row((0.5, 0.5)))
    for spec, wrong in ((Spec((0, 1), (2,)), 0), (Spec((0, 1), (3,)), 1)):
        model = linear(np.ones((2, spec.size)), np.zeros(2), spec)
        assert len(by.problems(model)) == wrong


def rows_of(written, model, inputs, seed=1):
    return run(probe_of(written, seed=seed), model, inputs, version="0", believe=True)


def test_a_disagreement_beside_a_background_of_a_linear_score_is_none():
    model, inputs, _ = made()
    of = ", ".join(TOLD)
    found = rows_of(f"attribute.disagreement(of=[{of}], background=12)", model, inputs)
    assert found.rows["variant"].n_unique() == 15
    for name in AGREED:
        assert found.rows[name].to_list() == pytest.approx([1] * len(found.rows))
    # Against baselines of their own, low and the middle of the range, they are not the same.
    apart = rows_of("attribute.disagreement(of=[gradient_x_input, occlusion])", model, inputs)
    assert apart.rows["rank_correlation"].mean() < 0.95


def test_parts_are_those_of_explain_shap_of_the_logit_with_the_same_seed():
    ensemble = pytest.importorskip("sklearn.ensemble")
    pytest.importorskip("shap")
    rng = np.random.default_rng(4)
    x = rng.normal(size=(200, SIZE))
    y = (curved(x) + 0.3 * rng.normal(size=200) > 1).astype(int)
    trees = ensemble.HistGradientBoostingClassifier(max_iter=8, max_depth=3, random_state=0)
    spec = Spec(labels=(0, 1), shape=(SIZE,), low=-100.0, high=100.0)
    model, inputs = sklearn(trees.fit(x, y), spec), inputs_of(x[:60], spec, labels=y[:60])
    wanted = rows_of("explain.shap(link=logit, background=15)", model, inputs, seed=3).rows
    own = "attribute.importance(of=[shap, kernel_shap], background=15)"
    found = rows_of(own, model, inputs, seed=3)
    sign = np.where(model.predict(inputs.x) == 1, 1.0, -1.0)
    assert {*sign.tolist()} == {1.0, -1.0}
    for by in ("shap", "kernel_shap"):
        for place in range(SIZE):
            parts = found.rows.filter(variant=f"{by}: x{place}")["attribution"].to_numpy()
            exact = wanted.filter(variant=f"x{place}")["attribution"].to_numpy()
            np.testing.assert_allclose(parts, sign * exact, atol=1e-7)
    notes = " ".join(found.made.probe["notes"])
    assert "the logarithm of the probability of the class that the model predicts" in notes
    assert "against 15 of 60 examples, drawn by seed 3" in notes
    assert "a background of 15 is small" in notes


def test_where_trees_cannot_be_read_the_error_is_of_this_method(monkeypatch):
    ensemble = pytest.importorskip("sklearn.ensemble")
    shap = pytest.importorskip("shap")
    x = np.random.default_rng(4).random((60, SIZE))
    trees = ensemble.GradientBoostingClassifier(n_estimators=3).fit(x, curved(x) > 1)
    model = sklearn(trees, Spec(labels=(False, True), shape=(SIZE,)))

    def failing(*_, **__):
        raise ValueError("it is too new")

    monkeypatch.setattr(shap, "TreeExplainer", failing)
    with pytest.raises(ModelError, match=r"^attribute\.shap: .* it is too new") as error:
        one("shap").beside(model, x[:2], model.predict(x[:2]), streams(2), x[:3])
    assert [problem.hint for problem in error.value.problems] == [
        "Name attribute.kernel_shap, which is exact too where it draws no coalitions."
    ]


@pytest.mark.parametrize("name", ["shap", "occlusion", "kernel_shap", "lime(samples=9)"])
@pytest.mark.parametrize("written", ["", ", background=10", ", background=90"])
def test_it_costs_no_more_than_is_said(name, written):
    model = curving()
    x = np.random.default_rng(6).random((20, SIZE))
    inputs = inputs_of(x, model.spec, labels=(curved(x) > 0).astype(int))
    probe = probe_of(f"attribute.importance(of={name}{written})")
    found = run(probe, model, inputs, version="0", believe=True)
    assert found.made.queries == model.queries <= most_asked(probe.among(inputs), model, 20)
    # Of fewer rows than the background is to have all are taken.
    most = probe.among(inputs).method.explainers.most(model)
    assert 0 < found.rows["queries"].sum() <= 20 * most
    assert most <= 20 * probe_of(f"attribute.importance(of={name})").method.explainers.most(model)


def test_an_example_has_the_same_parts_alone_and_among_others():
    model = curving()
    rng = np.random.default_rng(6)
    x, background = rng.random((8, SIZE)), rng.random((10, SIZE))
    codes = model.predict(x)
    for name in ("shap", "lime(samples=9)", "kernel_shap(samples=6)"):
        whole = one(name).beside(model, x, codes, streams(8), background)
        alone = one(name).beside(model, x[5:6], codes[5:6], streams(8)[5:6], background)
        np.testing.assert_allclose(alone, whole[5:6], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("of=[shap, occlusion], background=9", "background=9 is no number of rows from 10"),
        ("of=[shap, occlusion], background=lots", "background=lots is no number of rows"),
        ("of=[shap, occlusion(baseline=low)], background=20", "a baseline of its own"),
        ("of=[shap(exact=15), occlusion]", "exact=15 is no number of columns"),
        ("of=[shap(baseline=high), occlusion]", "baseline high is none of"),
        ("of=[shap, occlusion], backgroud=20", "Did you mean 'background'"),
    ],
)
def test_a_background_that_cannot_be_meant_is_refused(written, said):
    for name in ("disagreement", "importance"):
        with pytest.raises(EvenhandError, match=said):
            probe_of(f"attribute.{name}({written})")


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(NotationError) as error:
        probe_of("attribute.importance(of=[shaap, lime(smaples=3)], background=2, tpo=1)")
    assert len(error.value.problems) == 4


def test_what_does_not_suit_the_model_or_the_inputs_is_refused_before_it_is_asked():
    wide = FunctionModel(
        lambda x: np.stack([np.zeros(len(x)), (x**2).sum(axis=1)], 1), Spec((0, 1), (9,))
    )
    with pytest.raises(ModelError, match="9 columns have 2\\^9 coalitions, and exact=8"):
        probe_of("attribute.importance(of=shap)").check(wide)
    probe_of("attribute.importance(of=shap(exact=9))").check(wide)
    image = linear(np.ones((2, 16)), np.zeros(2), Spec((0, 1), (4, 4), layout="HW"))
    with pytest.raises(ModelError) as error:
        probe_of("attribute.importance(of=[shap, occlusion], background=20)").check(image)
    told = " ".join(problem.what for problem in error.value.problems)
    for said in ("of columns of tables", "a background is of rows of a table", "no features"):
        assert said in told
    model, inputs, _ = made(count=9)
    with pytest.raises(ModelError, match="of 9 examples no background can be drawn"):
        probe_of("attribute.importance(of=shap, background=20)").among(inputs).check(model)
    with pytest.raises(ModelError, match="told against no input"):
        probe_of("attribute.disagreement(of=[gradient, random], background=20)").check(model)


def test_importance_is_the_mean_size_of_parts_of_each_method_and_feature():
    model, inputs, slope = made()
    found = rows_of("attribute.importance(of=[gradient, shap], background=10)", model, inputs)
    rows = found.rows
    assert len(rows) == 2 * SIZE * COUNT
    assert rows["variant"].unique(maintain_order=True).to_list() == [
        f"{by}: x{place}" for by in ("gradient", "shap") for place in range(SIZE)
    ]
    for place in range(SIZE):
        told = rows.filter(variant=f"gradient: x{place}")
        assert told["attribution"].to_list() == pytest.approx(slope[:, place].tolist())
        assert told["explanation"].unique().to_list() == ["gradient"]
