"""Shapley values beside their definition, closed forms (T2), another library, and their error."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import ModelError
from evenhand.models.function import FunctionModel, linear, sklearn
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes.explain import shapley
from evenhand.probes.explaining import Explaining
from evenhand.probes.run import most_asked, run
from evenhand.probes.written import probe_of

SPEC = Spec(labels=("no", "yes"), shape=(4,), low=-100.0, high=100.0)
WEIGHTS = np.array([1.0, -2.0, 0.5, 1.5])
ALONE = ((0,), (1,), (2,), (3,))


def nothing(_share):
    """Tell nobody."""


def curved(x):
    """A score that no feature makes alone."""
    return np.tanh(x[:, 0] * x[:, 1]) + x[:, 2] * (x[:, 3] > 0) + x[:, 0]


def waves(x):
    """A score that four features make together: orders and their reverses do not agree on it."""
    return np.sin(2 * x @ WEIGHTS)


def model_of():
    return linear(np.vstack([np.zeros(4), WEIGHTS]), np.array([0.0, 0.3]), SPEC)


def curved_model():
    return FunctionModel(lambda x: np.column_stack([np.zeros(len(x)), curved(x)]), SPEC)


def inputs_for(size=60, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(size, 4))
    x[:, 3] += np.arange(size) % 2
    label = np.where(x @ WEIGHTS + rng.normal(size=size) > 0, "yes", "no")
    groups = {"side": ["left", "right"] * (size // 2)}
    return inputs_of(x, SPEC, labels=label, groups=groups)


def parts_of(found, name="attribution"):
    rows = found if isinstance(found, pl.DataFrame) else found.rows
    wide = rows.pivot("variant", index="source", values=name, maintain_order=True)
    return wide.drop("source").to_numpy()


def probed(written, model=None, inputs=None, **how):
    inputs = inputs_for() if inputs is None else inputs
    return run(probe_of(written), model or model_of(), inputs, version="0", believe=True, **how)


def background_of(written, inputs):
    table = probe_of(written).among(inputs).method.table
    return inputs.x[table.drawn(probe_of(written).method.explanation.background)]


def naive(score, x, background):
    """The mean rise over all orders and all of the background, by the definition."""
    size, found = len(x), np.zeros(len(x))
    orders = [*itertools.permutations(range(size))]
    for order, b in itertools.product(orders, background):
        z = b.copy()
        for feature in order:
            before = score(z[None])[0]
            z[feature] = x[feature]
            found[feature] += score(z[None])[0] - before
    return found / (len(orders) * len(background))


def test_parts_of_a_linear_score_are_weights_times_the_way_from_the_mean():
    inputs = inputs_for()
    written = "explain.shap(background=25)"
    found = probed(written, inputs=inputs)
    wanted = WEIGHTS * (inputs.x - background_of(written, inputs).mean(axis=0))
    np.testing.assert_allclose(parts_of(found), wanted, rtol=0, atol=1e-15)
    # Of the first class they are those of the second, turned round.
    other = probed("explain.shap(background=25, target=no)", inputs=inputs)
    np.testing.assert_allclose(parts_of(other), -wanted, rtol=0, atol=1e-15)


def test_gap_is_weights_times_the_difference_of_means_and_parts_sum_to_it_exactly():
    inputs = inputs_for()
    rows = probed("explain.shap", inputs=inputs, groups=["side"]).rows
    left = np.array(inputs.table["side"]) == "left"
    difference = inputs.x[left].mean(axis=0) - inputs.x[~left].mean(axis=0)
    parts = []
    for place, name in enumerate(["x0", "x1", "x2", "x3"]):
        log = eh.log(rows.filter(variant=name), kind="attributions", groups=["side"])
        (pair,) = eh.estimates(["pairs(mean_attribution, by=side)"], log)
        parts.append(pair.outcome.value)
        assert parts[-1] == pytest.approx(WEIGHTS[place] * difference[place], abs=1e-14)
    score = inputs.x @ WEIGHTS + 0.3
    assert sum(parts) == pytest.approx(score[left].mean() - score[~left].mean(), abs=1e-14)


@pytest.mark.parametrize("members", [ALONE, ((0, 2), (1,), (3,))])
def test_all_coalitions_give_the_closed_form_of_a_linear_score(members):
    x, background = inputs_for().x[:5], inputs_for(seed=2).x[:7]
    found = shapley.enumerated(lambda z: z @ WEIGHTS, x, background, members, tell=nothing)
    wanted = shapley.linear(WEIGHTS, x, background, members)
    np.testing.assert_allclose(found, wanted, atol=1e-14)


def test_all_coalitions_give_the_mean_over_all_orders():
    x, background = inputs_for().x[:3], inputs_for(seed=2).x[:5]
    found = shapley.enumerated(waves, x, background, ALONE, tell=nothing)
    for i in range(3):
        np.testing.assert_allclose(found[i], naive(waves, x[i], background), atol=1e-13)


def test_an_order_with_its_reverse_is_exact_where_features_meet_in_pairs():
    x, background = inputs_for().x[:9], inputs_for(seed=2).x[:5]
    exact = shapley.enumerated(curved, x, background, ALONE, tell=nothing)
    streams = [np.random.default_rng([7, i]) for i in range(len(x))]
    found = shapley.sampled(curved, x, background, ALONE, rounds=2, streams=streams, tell=nothing)
    np.testing.assert_allclose(found.parts, exact, atol=1e-13)
    assert found.error.max() < 1e-13


def test_random_orders_add_up_and_stay_within_their_standard_error():
    x, background = inputs_for().x[:40], inputs_for(seed=2).x[:10]
    exact = shapley.enumerated(waves, x, background, ALONE, tell=nothing)
    streams = [np.random.default_rng([5, i]) for i in range(len(x))]
    found = shapley.sampled(waves, x, background, ALONE, rounds=12, streams=streams, tell=nothing)
    total = waves(x) - waves(background).mean()
    np.testing.assert_allclose(found.parts.sum(axis=1), total, atol=1e-12)
    moved = found.error > 1e-12
    errors = (found.parts - exact)[moved] / found.error[moved]
    np.testing.assert_allclose(found.parts[~moved], exact[~moved], atol=1e-12)
    # Mean squares of 100 or more t-values of about 110 degrees: sd below .2, five of them.
    assert moved.sum() >= 100
    assert 0.5 < np.mean(errors**2) < 2.0


def test_one_round_tells_an_error_that_is_not_too_small():
    x, background = inputs_for().x[:40], inputs_for(seed=2).x[:20]
    exact = shapley.enumerated(waves, x, background, ALONE, tell=nothing)
    streams = [np.random.default_rng([6, i]) for i in range(len(x))]
    found = shapley.sampled(waves, x, background, ALONE, rounds=1, streams=streams, tell=nothing)
    assert np.mean((found.parts - exact) ** 2) < np.mean(found.error**2)


@pytest.mark.parametrize("way", ["enumerate", "sample"])
def test_rows_add_up_to_the_score_above_the_base(way):
    found = probed(f"explain.shap(way={way}, background=12)", curved_model())
    inputs = inputs_for()
    rows = found.rows.filter(variant="x0")
    np.testing.assert_allclose(rows["explained_score"], curved(inputs.x))
    background = background_of("explain.shap(background=12)", inputs)
    np.testing.assert_allclose(rows["base_score"], curved(background).mean())
    total = rows["explained_score"] - rows["base_score"]
    np.testing.assert_allclose(parts_of(found).sum(axis=1), total, atol=1e-12)
    errors = found.rows["attribution_error"]
    assert errors.null_count() == (len(errors) if way == "enumerate" else 0)


@pytest.mark.parametrize("way", ["enumerate", "sample", "auto"])
def test_rows_are_the_same_however_blocks_fall(way, monkeypatch):
    written = f"explain.shap(way={way}, background=10)"
    whole = probed(written, curved_model()).rows.sort("source", "variant")
    monkeypatch.setattr(Explaining, "block", 7)
    found = probed(written, curved_model()).rows.sort("source", "variant")
    np.testing.assert_allclose(found["attribution"], whole["attribution"], atol=1e-12)


@pytest.mark.parametrize("written", ["shap", "shap(way=enumerate)", "shap(way=sample, rounds=2)"])
def test_it_costs_what_is_said_at_most(written):
    model, inputs = model_of(), inputs_for()
    probe = probe_of(f"explain.{written}").among(inputs)
    most = most_asked(probe, model, len(inputs))
    found = run(probe, model, inputs, version="0", believe=True)
    assert found.made.queries == model.queries <= most


def trees(kind, size=200):
    ensemble = pytest.importorskip("sklearn.ensemble")
    pytest.importorskip("shap")
    rng = np.random.default_rng(4)
    x = rng.normal(size=(size, 4))
    y = (curved(x) + 0.3 * rng.normal(size=size) > 0).astype(int)
    options = {} if kind.startswith("Hist") else {"n_estimators": 8}
    if kind.startswith("Hist"):
        options = {"max_iter": 8}
    estimator = getattr(ensemble, kind)(random_state=0, max_depth=3, **options).fit(x, y)
    spec = Spec(labels=(0, 1), shape=(4,), low=-100.0, high=100.0)
    return sklearn(estimator, spec), inputs_of(x[:30], spec, labels=y[:30])


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        ("RandomForestClassifier", "probability"),
        ("GradientBoostingClassifier", "logit"),
        ("HistGradientBoostingClassifier", "logit"),
    ],
)
def test_parts_of_trees_are_those_of_all_coalitions(kind, link):
    model, inputs = trees(kind)
    found = probed(f"explain.shap(link={link}, background=15)", model, inputs)
    assert "by the shap library" in " ".join(found.made.probe["notes"])
    exact = probed(f"explain.shap(link={link}, background=15, way=enumerate)", model, inputs)
    np.testing.assert_allclose(parts_of(found), parts_of(exact), atol=3e-8)
    first = found.rows.filter(variant="x0")
    total = (first["explained_score"] - first["base_score"]).to_numpy()
    np.testing.assert_allclose(parts_of(found).sum(axis=1), total, atol=3e-8)


def test_whole_background_is_used_and_not_a_hundred_of_it():
    model, _ = trees("GradientBoostingClassifier", 400)
    x = np.random.default_rng(8).normal(size=(300, 4))
    inputs = inputs_of(x, model.spec, labels=np.zeros(300, int))
    rows = probed("explain.shap(background=300, link=logit)", model, inputs).rows
    logit = np.log(model.scores(x)[:, 1] / model.scores(x)[:, 0])
    np.testing.assert_allclose(rows["base_score"], logit.mean())
    np.testing.assert_allclose(parts_of(rows).sum(axis=1) + logit.mean(), logit, atol=3e-8)


def test_chance_of_boosted_trees_is_no_sum_of_trees_and_is_said_so():
    model, inputs = trees("GradientBoostingClassifier")
    with pytest.raises(ModelError, match="adds up its trees to a logit"):
        probed("explain.shap(way=trees)", model, inputs)
    notes = probed("explain.shap(exact=2, background=10)", model, inputs).made.probe["notes"]
    assert "way=trees" in " ".join(notes)


def boosted(options):
    ensemble = pytest.importorskip("sklearn.ensemble")
    pytest.importorskip("shap")
    rng = np.random.default_rng(4)
    x = np.column_stack([rng.normal(size=(200, 3)), rng.integers(0, 4, 200)])
    y = (curved(x) + 0.3 * rng.normal(size=200) > 0).astype(int)
    if "categorical_features" in options:
        options = {"max_iter": 8, **options}
        estimator = ensemble.HistGradientBoostingClassifier(random_state=0, **options)
    else:
        options = {"n_estimators": 8, **options}
        estimator = ensemble.GradientBoostingClassifier(random_state=0, **options)
    spec = Spec(labels=(0, 1), shape=(4,), low=-100.0, high=100.0)
    return sklearn(estimator.fit(x, y), spec), inputs_of(x[:30], spec, labels=y[:30])


@pytest.mark.parametrize(
    "options",
    [{"loss": "exponential"}, {"init": "zero"}, {"categorical_features": [3]}],
    ids=lambda one: next(iter(one)),
)
def test_trees_that_the_library_does_not_read_are_asked(options):
    model, inputs = boosted(options)
    found = probed("explain.shap(link=logit, background=10)", model, inputs)
    notes = " ".join(found.made.probe["notes"])
    assert "of all coalitions" in notes
    first = found.rows.filter(variant="x0")
    total = (first["explained_score"] - first["base_score"]).to_numpy()
    np.testing.assert_allclose(parts_of(found).sum(axis=1), total, atol=1e-9)
    with pytest.raises(ModelError, match="which the shap library does not read"):
        probed("explain.shap(link=logit, way=trees)", model, inputs)


def test_error_of_one_round_is_said_to_be_at_most():
    def notes(rounds):
        written = f"explain.shap(way=sample, background=10, rounds={rounds})"
        return " ".join(probed(written, curved_model()).made.probe["notes"])

    assert "of 1 random order for each" in notes(1)
    assert "of 2 random orders for each" in notes(2)
    assert "is at most that" in notes(1)
    assert "at most" not in notes(2)


def test_answers_that_change_are_refused():
    rng = np.random.default_rng(0)
    model = FunctionModel(lambda x: np.column_stack([np.zeros(len(x)), rng.random(len(x))]), SPEC)
    with pytest.raises(ModelError, match="miss their score"):
        probed("explain.shap(way=sample)", model)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("shap(background=3)", "too small"),
        ("shap(link=log)", "link=log"),
        ("shap(way=magic)", "way=magic"),
        ("shap(exact=40)", "exact=40"),
        ("shap(rounds=0)", "rounds=0"),
    ],
)
def test_parameters_that_cannot_be_meant_are_refused(written, said):
    with pytest.raises(ModelError, match=said):
        probe_of(f"explain.{written}")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("shap(target=maybe)", "no class 'maybe'"),
        ("shap(way=closed_form)", "no linear score"),
        ("shap(way=trees)", "not of trees"),
    ],
)
def test_what_a_model_does_not_fit_is_refused_before_it_is_asked(written, said):
    model = curved_model()
    with pytest.raises(ModelError, match=said):
        probed(f"explain.{written}", model)


def test_of_more_than_two_classes_one_is_named_and_logits_are_its_own():
    spec = Spec(labels=("a", "b", "c"), shape=(4,), low=-100.0, high=100.0)
    weights = np.random.default_rng(0).normal(size=(3, 4))
    model = linear(weights, np.zeros(3), spec)
    x = inputs_for().x
    inputs = inputs_of(x, spec, labels=[spec.labels[one] for one in model.predict(x)])
    with pytest.raises(ModelError, match="which of 3 classes"):
        probed("explain.shap", model, inputs)
    found = parts_of(probed("explain.shap(target=c)", model, inputs))
    background = background_of("explain.shap", inputs)
    np.testing.assert_allclose(found, weights[2] * (x - background.mean(axis=0)), atol=1e-14)
    chances = probed("explain.shap(target=c, link=probability, background=10)", model, inputs)
    assert chances.rows["explained_score"].is_between(0, 1).all()


def test_size_of_parts_is_a_mean_of_absolute_values():
    rows = probed("explain.shap").rows.filter(variant="x1")
    log = eh.log(rows, kind="attributions")
    found = [
        eh.estimate(one, log).value for one in ("mean_attribution", "mean_absolute_attribution")
    ]
    assert found == pytest.approx([rows["attribution"].mean(), rows["attribution"].abs().mean()])
    assert rows.select(pl.col("attribution").min()).item() < 0
