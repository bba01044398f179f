"""Permutation importance beside its definition and closed forms; nothing hangs on blocks."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import ModelError, NotationError
from evenhand.models.function import FunctionModel, linear
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes.explain.feature import grouped, remarks
from evenhand.probes.explaining import Explaining
from evenhand.probes.run import most_asked, run
from evenhand.probes.written import probe_of

NAMES = ("a", "b", "c", "d")
SPEC = Spec(labels=("no", "yes"), shape=(4,), low=-100.0, high=100.0)
WEIGHTS = np.array([1.0, -2.0, 0.0, 1.5])


def model_of(spec=SPEC):
    return linear(np.vstack([np.zeros(4), WEIGHTS]), np.array([0.0, 0.3]), spec)


def inputs_for(size=300, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(size, 4))
    label = np.where(x @ WEIGHTS + rng.normal(size=size) > 0, "yes", "no")
    groups = {"side": rng.choice(["left", "right"], size)}
    found = inputs_of(x, SPEC, labels=label, ids=[f"id-{i}" for i in range(size)], groups=groups)
    object.__setattr__(found, "features", NAMES)
    return found


def rows_of(written, inputs=None, model=None, seed=1, **how):
    inputs = inputs_for() if inputs is None else inputs
    return run(probe_of(written, seed=seed), model or model_of(), inputs, version="0", **how).rows


def log_loss(logit, label):
    return np.log1p(np.exp(-logit if label else logit))


def test_rows_are_those_of_the_definition():
    inputs = inputs_for(40)
    rows = rows_of("explain.permutation(repeats=3)", inputs)
    assert rows["variant"].unique(maintain_order=True).to_list() == [*NAMES]
    table = probe_of("explain.permutation").among(inputs).method.table
    orders = [table.order(repeat) for repeat in range(3)]
    logits = inputs.x @ WEIGHTS + 0.3
    for row in rows.iter_rows(named=True):
        i, at = int(row["source"][3:]), NAMES.index(row["variant"])
        label = inputs.labels[i]
        errors, logs = [], []
        for order in orders:
            x = inputs.x[i].copy()
            x[at] = inputs.x[order[i], at]
            logit = x @ WEIGHTS + 0.3
            errors.append(float((logit > 0) != label) - float((logits[i] > 0) != label))
            logs.append(log_loss(logit, label) - log_loss(logits[i], label))
        assert row["error_rise"] == pytest.approx(np.mean(errors))
        assert row["log_loss_rise"] == pytest.approx(np.mean(logs))
        assert row["correct"] == ((logits[i] > 0) == label)


def test_feature_without_weight_has_importance_0_exactly():
    rows = rows_of("explain.permutation").filter(variant="c")
    assert rows["error_rise"].abs().max() == 0
    assert rows["log_loss_rise"].abs().max() < 1e-12


def test_importance_of_one_sign_is_its_closed_form():
    # Of f = sign(x) = y a value of another example errs where it has the other sign.
    rng = np.random.default_rng(3)
    x = np.where(rng.random((400, 1)) < 0.25, 1.0, -1.0)
    spec = Spec(labels=(0, 1), shape=(1,), low=-1.0)
    model = linear(np.array([[0.0], [5.0]]), np.zeros(2), spec)
    inputs = inputs_of(x, spec, labels=(x[:, 0] > 0).astype(int))
    rows = rows_of("explain.permutation(repeats=200)", inputs, model)
    share = float((x > 0).mean())
    for sign, other in ((1, 1 - share), (-1, share)):
        some = rows["error_rise"].to_numpy()[x[:, 0] == sign]
        # 200 repeats of 100 examples or more: five standard errors, counted as if independent.
        assert some.mean() == pytest.approx(other, abs=5 * 0.5 / np.sqrt(200 * 100))


@pytest.mark.parametrize("block", [7, 100])
def test_rows_are_the_same_however_blocks_fall(block, monkeypatch):
    whole = rows_of("explain.permutation(repeats=2)")
    monkeypatch.setattr(Explaining, "block", block)
    assert (
        rows_of("explain.permutation(repeats=2)")
        .sort("source", "variant")
        .equals(whole.sort("source", "variant"))
    )


def test_stopped_probe_goes_on_from_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(Explaining, "block", 100)
    written, folder = "explain.permutation(repeats=2)", tmp_path / "x.parts"
    with pytest.raises(ModelError, match="max_queries"):
        rows_of(written, folder=folder, max_queries=4_300, believe=True)
    model = model_of()
    found = run(probe_of(written), model, inputs_for(), version="0", folder=folder)
    assert 0 < found.resumed < 3
    assert found.rows.equals(rows_of(written))
    # Other values to put in are another question.
    other = run(probe_of(written, seed=2), model, inputs_for(), version="0", folder=folder)
    assert other.resumed == 0


def test_it_costs_what_is_said_at_most():
    model, inputs = model_of(), inputs_for()
    probe = probe_of("explain.permutation").among(inputs)
    most = most_asked(probe, model, len(inputs))
    found = run(probe, model, inputs, version="0")
    assert found.made.queries == model.queries <= most
    each = found.rows.group_by("source").agg(pl.col("queries").sum())["queries"]
    # What the model says of an example as it is was asked before, and is remembered.
    assert {*each} == {4 * 5}


def test_group_is_permuted_together_so_that_duplicates_cannot_hide():
    inputs = inputs_for()
    x = inputs.x.copy()
    x[:, 2] = x[:, 1]
    weights = np.array([1.0, -1.0, -1.0, 1.5])
    model = linear(np.vstack([np.zeros(4), weights]), np.array([0.0, 0.3]), SPEC)
    twin = inputs_of(x, SPEC, labels=[SPEC.labels[one] for one in inputs.labels])
    object.__setattr__(twin, "features", NAMES)
    together = rows_of("explain.permutation(groups=[[b, c]])", twin, model)
    assert together["variant"].unique(maintain_order=True).to_list() == ["a", "b+c", "d"]
    # As the one feature that both are: ids differ from places, and the table is the same.
    single = rows_of(
        "explain.permutation",
        inputs_of(inputs.x, SPEC, labels=[SPEC.labels[one] for one in inputs.labels]),
    )
    np.testing.assert_allclose(
        together.filter(variant="b+c")["log_loss_rise"],
        single.filter(variant="x1")["log_loss_rise"],
        atol=1e-12,
    )


def test_constant_duplicated_one_hot_and_related_features_are_named():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 200)
    one = rng.normal(size=200)
    x = np.column_stack(
        [*(kind == value for value in range(3)), one, 2 - 3 * one, one + 0.1, np.ones(200)]
    ).astype(float)
    x[:, 5] += 0.2 * rng.normal(size=200)
    names = ("race_a", "race_b", "race_c", "pay", "tax", "rent", "year")
    told = " ".join(remarks(x, grouped(names), names))
    assert "constant: year" in told
    assert "duplicated: pay and tax" in told
    assert "one-hot: of race_a, race_b, race_c" in told
    assert "strongly related: pay and rent" in told
    groups = ("race_*", ("pay", "tax", "rent"))
    assert (
        remarks(x, grouped(names, groups), names) == remarks(x, grouped(names, groups), names)[:1]
    )
    assert grouped(names, groups).names == ("race_*", "pay+tax+rent", "year")


def test_text_is_compared_by_its_values_and_not_by_the_order_of_their_names():
    rng = np.random.default_rng(0)
    level = rng.integers(0, 5, 300)
    # Places in the alphabet say nothing: the same values in another order are the same still.
    school = np.array([3, 0, 4, 1, 2])[level]
    near = np.minimum(level + (rng.random(300) < 0.05), 4)
    x = np.column_stack([level, school, near, rng.integers(0, 2, 300)]).astype(float)
    names = ("level", "school", "town", "sex")
    told = " ".join(remarks(x, grouped(names), names, ("school", "town")))
    assert "duplicated: level and school" in told
    assert "town" not in told
    assert "strongly related: level and town" in " ".join(remarks(x, grouped(names), names))


def test_one_pattern_may_stand_alone_as_groups():
    assert grouped(["x0", "x1", "y"], "x*").names == ("x*", "y")
    rows = rows_of("explain.permutation(groups='[ab]')")
    assert rows["variant"].unique(maintain_order=True).to_list() == ["[ab]", "c", "d"]


@pytest.mark.parametrize("written", ["permutation", "ale", "counterfactual"])
def test_answers_that_do_not_repeat_are_told_of(written):
    spec = dataclasses.replace(SPEC, stochastic=True)
    for model, said in ((model_of(spec), True), (model_of(), False)):
        found = run(probe_of(f"explain.{written}"), model, inputs_for(), version="0", believe=True)
        assert ("do not repeat" in " ".join(found.made.probe["notes"])) is said


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ("[[a, z]]", "no feature 'z'"),
        ("[[a]]", "two features or more"),
        ("[[a, b], [b, c]]", "'b' is in 'a\\+b' too"),
        ("['q*']", "0 features are called so"),
    ],
)
def test_group_that_is_none_is_refused(groups, said):
    with pytest.raises(ModelError, match=said):
        rows_of(f"explain.permutation(groups={groups})")


def test_features_and_groups_that_are_called_alike_are_refused():
    with pytest.raises(ModelError, match="are called 'a'"):
        grouped(["a", "a", "b"])
    with pytest.raises(ModelError, match=r"are called 'a\+b'"):
        grouped(["a", "b", "a+b"], (("a", "b"),))


def test_what_is_no_number_of_repeats_and_no_explanation_is_refused():
    with pytest.raises(ModelError, match="repeats=0"):
        probe_of("explain.permutation(repeats=0)")
    with pytest.raises(NotationError, match="permutation"):
        probe_of("explain.permutatoin")
    with pytest.raises(NotationError, match="takes no eps"):
        probe_of("explain.permutation", eps=0.1)


def test_images_are_refused():
    spec = Spec(labels=(0, 1), shape=(2, 2), layout="HW")
    model = linear(np.vstack([np.zeros(4), np.ones(4)]), np.zeros(2), spec)
    inputs = inputs_of(np.random.default_rng(0).random((9, 2, 2)), spec, labels=[0, 1, 1] * 3)
    with pytest.raises(ModelError, match=r"attribute\.common"):
        rows_of("explain.permutation", inputs, model)


def test_model_of_classes_alone_has_no_log_loss():
    spec = Spec(labels=("no", "yes"), shape=(4,), low=-100.0, high=100.0, output="labels")
    said = np.array(["no", "yes"])
    model = FunctionModel(lambda x: said[(x @ WEIGHTS + 0.3 > 0).astype(int)], spec)
    rows = rows_of("explain.permutation", model=model)
    assert rows["log_loss_rise"].null_count() == len(rows)
    assert rows["error_rise"].equals(rows_of("explain.permutation")["error_rise"])


def test_figures_and_their_difference_come_from_the_engine():
    inputs = inputs_for()
    rows = rows_of("explain.permutation", inputs, groups=["side"])
    log = eh.log(rows.filter(variant="b"), kind="attributions", groups=["side"])
    found = eh.estimate("permutation_importance", log)
    assert found.value == pytest.approx(rows.filter(variant="b")["error_rise"].mean())
    assert found.units == 300
    means = dict(rows.filter(variant="b").group_by("side").agg(pl.col("error_rise").mean()).rows())
    gap = eh.estimate("difference(permutation_importance, by=side)", log).value
    assert gap == pytest.approx(max(means.values()) - min(means.values()))


@pytest.mark.slow
def test_interval_covers_the_importance_with_these_values_as_they_are():
    # f = sign(x) = y: with a share q of positive values put in, a new example errs with chance
    # p (1 - q) + (1 - p) q. Of 200 intervals of 95 % fewer than 180 cover by chance below .3 %.
    spec = Spec(labels=(0, 1), shape=(1,), low=-1.0)
    model = linear(np.array([[0.0], [5.0]]), np.zeros(2), spec)
    covered = 0
    for seed in range(200):
        x = np.where(np.random.default_rng([11, seed]).random((150, 1)) < 0.25, 1.0, -1.0)
        inputs = inputs_of(x, spec, labels=(x[:, 0] > 0).astype(int))
        log = eh.log(rows_of("explain.permutation", inputs, model, seed), kind="attributions")
        found = eh.estimate("permutation_importance", log)
        share = float((x > 0).mean())
        covered += found.low <= 0.25 * (1 - share) + 0.75 * share <= found.high
    assert covered >= 180
