"""Corruptions and certificates as logs, beside what the model says when it is asked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import ModelError
from evenhand.models.function import FunctionModel, linear
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes.corrupt.corruption import corrupted
from evenhand.probes.corrupt.registry import corruptions
from evenhand.probes.corrupting import Baseline
from evenhand.probes.explaining import explanations
from evenhand.probes.log import COLUMNS
from evenhand.probes.method import streams_of
from evenhand.probes.run import most_asked, run
from evenhand.probes.written import probe_of

SPEC = Spec(labels=("dark", "light"), shape=(6, 6), layout="HW")


def model_of(threshold=18.0):
    """The image is light where its pixels add up to more than a threshold."""
    return linear(np.vstack([np.zeros(36), np.ones(36)]), np.array([0.0, -threshold]), SPEC)


def inputs_for(size=300):
    rng = np.random.default_rng(7)
    x = np.clip(rng.random((size, 6, 6)) + rng.normal(0, 0.2, (size, 1, 1)), 0, 1)
    labels = np.where(x.sum(axis=(1, 2)) + rng.normal(0, 1, size) > 18, "light", "dark")
    return inputs_of(x, SPEC, labels=labels, ids=[f"i{i}" for i in range(size)])


def test_rows_of_corruptions_are_what_the_model_says_of_each_image_alone():
    inputs = inputs_for(40)
    probe = probe_of("corrupt.brightness(severity=[1, 4])", seed=3)
    rows = run(probe, model_of(), inputs, version="0").rows
    assert {*rows.columns} <= {*COLUMNS}
    corruption = corruptions()["brightness"]
    corruption = corruption() if isinstance(corruption, type) else corruption
    for row in rows.iter_rows(named=True):
        place = int(row["source"][1:])
        one = inputs.take(np.array([place]))
        streams = streams_of(one, 3, "brightness")
        changed = corrupted(corruption, one.x, SPEC, row["severity"], streams)
        said = SPEC.labels[model_of().predict(changed)[0]]
        assert row["corrupted_prediction"] == said
        assert row["corrupted_correct"] == (said == row["label"])
        assert row["robust"] == (row["correct"] and row["corrupted_correct"])
        assert row["variant"] == f"brightness {row['severity']}"


@pytest.mark.parametrize(
    "written",
    [
        "attack.pgd(norm=linf, eps=0.1)",
        "attack.fmn(norm=l2, eps=0.1)",
        "certify.ibp",
        "corrupt.brightness",
        "attribute.gradient",
        "attribute.disagreement(of=[random, gradient])",
        "attribute.importance(of=[random, gradient])",
        *(f"explain.{name}" for name in explanations()),
    ],
)
def test_every_column_that_a_method_writes_is_one_that_a_log_can_have(written):
    columns = {*probe_of(written).method.columns(pl.String())}
    assert "variant" in columns
    assert columns <= COLUMNS


def test_clean_examples_are_asked_about_once_for_all_variants():
    model, inputs = model_of(), inputs_for(100)
    probe = probe_of("corrupt.brightness")
    found = run(probe, model, inputs, version="0", believe=True)
    assert found.made.queries == model.queries <= most_asked(probe, model, 100)
    assert found.rows["queries"].to_list() == [1] * 500


def test_mean_corruption_error_is_that_of_the_rows_and_mce_divides_by_the_baseline():
    inputs, weak = inputs_for(), model_of(19.0)
    baseline = Baseline(weak, weak.fingerprint())
    probe = probe_of("corrupt.common(severity=[2, 5])", baseline=baseline)
    rows = run(probe, model_of(), inputs, version="0").rows
    assert not rows["baseline_error"].is_null().any()
    error = rows.group_by("corruption").agg(
        ours=(~pl.col("corrupted_correct")).mean(),
        theirs=(~pl.col("baseline_correct")).mean(),
        told=pl.col("baseline_error").first(),
    )
    assert error["theirs"].to_list() == pytest.approx(error["told"].to_list())
    log = eh.log(rows, kind="perturbed")
    found = eh.estimate("mean_corruption_error", log)
    assert found.value == pytest.approx(error["ours"].mean())
    assert found.units == 300
    ratio = eh.estimate("mCE(baseline=threshold_19)", log)
    assert ratio.value == pytest.approx((error["ours"] / error["theirs"]).mean())


def test_of_what_nobody_doubts_there_are_no_flags():
    inputs = inputs_for(40)
    found = run(probe_of("corrupt.fog"), model_of(), inputs, version="0", judged=True)
    assert found.made.flags == []


def test_corruptions_of_what_is_no_image_are_refused():
    spec = Spec(labels=(0, 1), shape=(4,))
    model = linear(np.vstack([np.zeros(4), np.ones(4)]), np.zeros(2), spec)
    with pytest.raises(ModelError, match="corruptions are of images"):
        probe_of("corrupt.fog").check(model)


@pytest.mark.parametrize(
    "other", [{"labels": ("a", "b")}, {"low": -1.0}, {"high": 255.0}, {"shape": (36,)}]
)
def test_baseline_of_other_classes_or_inputs_is_refused(other):
    spec = replace(model_of().spec, **other, layout="features" if "shape" in other else "HW")
    other = FunctionModel(lambda x: np.zeros((len(x), 2)), spec)
    probe = probe_of("corrupt.fog", baseline=Baseline(other, "x"))
    with pytest.raises(ModelError, match="others than the model's"):
        probe.check(model_of())


def test_attack_and_certificate_of_a_linear_model_leave_nothing_between_them():
    # The box does not bind, so that both are the closed form.
    spec = Spec(labels=(0, 1), shape=(4,), low=-50.0, high=50.0)
    weights = np.array([1.0, -2.0, 0.5, 1.5])
    model = linear(np.vstack([np.zeros(4), weights]), np.array([0.0, 0.3]), spec)
    x = np.random.default_rng(2).normal(size=(400, 4))
    margin = np.abs(x @ weights + 0.3) / np.abs(weights).sum()
    inputs = inputs_of(x, spec, labels=model.predict(x))
    probe = probe_of("attack.pgd(eps=[0.05, 0.2])", certificate="certify.ibp")
    rows = run(probe, model, inputs, version="0").rows
    for eps in (0.05, 0.2):
        some = rows.filter(eps=eps)
        assert some["certified"].to_list() == (margin >= eps).tolist()
        assert some["robust"].to_list() == some["certified"].to_list()
    radius = rows.filter(eps=0.05)["certified_radius"].to_numpy()
    assert (radius <= margin + 1e-9).all()
    assert radius == pytest.approx(margin, abs=0.01)


def test_smoothing_is_a_log_of_radii():
    spec = Spec(labels=(0, 1), shape=(4,), low=-50.0, high=50.0)
    weights = np.array([1.0, -2.0, 0.5, 1.5])
    model = linear(np.vstack([np.zeros(4), weights]), np.zeros(2), spec)
    x = np.random.default_rng(2).normal(size=(150, 4))
    inputs = inputs_of(x, spec, labels=model.predict(x))
    rows = run(
        probe_of("certify.smoothing(sigma=[0.25, 0.5], n=500)"), model, inputs, version="0"
    ).rows
    assert rows["variant"].n_unique() == 2
    margin = np.abs(x @ weights) / np.linalg.norm(weights)
    for name in rows["variant"].unique():
        some = rows.filter(variant=name)
        radius = some["certified_radius"].to_numpy()
        # alpha is .001 for each example, so that of 150 none is expected to be exceeded.
        assert (np.nan_to_num(radius, nan=0.0) <= margin).all()
        assert not some.filter(pl.col("prediction").is_null())["correct"].any()
        log = eh.log(some, kind="perturbed")
        value = eh.estimate("certified_accuracy(r=0.2)", log).value
        assert value == pytest.approx((some["correct"].to_numpy() & (radius >= 0.2)).mean())
