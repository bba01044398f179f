"""Randomisation layer by layer: from the last layer down, and one layer alone."""

from __future__ import annotations

import copy

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats  # noqa: TID251 - the oracle of ranks

from digits import SPEC, held_out, network, without_torch
from evenhand.errors import ModelError, NotationError
from evenhand.models.inputs import inputs_of
from evenhand.models.torch import TorchModel
from evenhand.probes.attribute.attribution import gradients
from evenhand.probes.run import most_asked, run
from evenhand.probes.written import probe_of

torch = pytest.importorskip("torch")


def digits(count=12):
    x, y = held_out(count)
    return inputs_of(x, SPEC, labels=[SPEC.labels[code] for code in y])


def probed(written, model=None, inputs=None):
    model = TorchModel(network(), SPEC) if model is None else model
    inputs = digits() if inputs is None else inputs
    probe, before = probe_of(f"attribute.{written}"), model.queries
    found = run(probe, model, inputs, version="0")
    # One more is asked for the order of the layers, before the probe begins.
    assert model.queries - before <= most_asked(probe, model, len(inputs)) + 1
    return found.rows


@pytest.mark.parametrize(
    ("written", "drawn"),
    [("cascade=1", "6"), ("cascade=2", "62"), ("independent=2", "2"), ("independent=3", "0")],
)
def test_likeness_is_to_maps_of_networks_whose_layers_were_put_in_by_hand(written, drawn):
    model, inputs = TorchModel(network(), SPEC), digits(5)
    rows = probed(f"gradient({written}, randomisations=3)", model, inputs)
    codes = model.predict(inputs.x)
    maps = np.abs(gradients(model, inputs.x, codes))
    each = []
    for seed in np.random.default_rng([1, 3]).integers(2**31, size=3):
        blank, module = model.randomised(int(seed)).module, copy.deepcopy(model.module)
        for name in drawn:
            module[int(name)] = blank[int(name)]
        found = np.abs(gradients(TorchModel(module, SPEC), inputs.x, codes))
        each.append(
            [
                stats.spearmanr(*map(np.ravel, pair)).statistic
                for pair in zip(maps, found, strict=True)
            ]
        )
    np.testing.assert_allclose(rows["randomisation"], np.mean(each, axis=0), atol=1e-6)


def test_a_cascade_down_to_the_first_layer_is_of_all_layers():
    plain = probed("gradient(randomisations=2)")
    down = probed("gradient(randomisations=2, cascade=3)")
    assert down["variant"].unique().to_list() == ["gradient mean cascade 3"]
    assert_frame_equal(down.drop("variant"), plain.drop("variant"), abs_tol=1e-5)


def test_several_depths_are_variants_that_share_everything_else():
    written = "gradient(randomisations=2, cascade=[1, 3], independent=2, fill=[mean, blur])"
    rows = probed(written)
    names = [
        f"gradient {fill} {depth}"
        for fill in ("mean", "blur")
        for depth in ("cascade 1", "cascade 3", "independent 2")
    ]
    assert rows["variant"].unique(maintain_order=True).to_list() == names
    alone = pl.concat(
        probed(f"gradient(randomisations=2, {depth}, fill={fill})")
        for fill in ("mean", "blur")
        for depth in ("cascade=1", "cascade=3", "independent=2")
    )
    assert_frame_equal(rows.drop("queries"), alone.drop("queries"), abs_tol=1e-5)
    # Each depth is asked about once, whatever the fill: two maps of each of two networks.
    costs = rows.group_by("variant", maintain_order=True).agg(pl.col("queries").first())
    assert costs["queries"].to_list()[1:] == [8, 8, costs["queries"][3], 0, 0]


def test_no_measure_is_asked_twice_of_what_depths_share():
    probe = probe_of("attribute.gradient(cascade=[1, 2])")
    asked = [(str(term), part) for term, part in probe.method.measured(SPEC, {})]
    of_second = [term for term, part in asked if part == "variant == 'gradient mean cascade 2'"]
    assert of_second == ["randomisation_excess"]
    assert len(asked) > len({term for term, _ in asked}) == len(asked) - 1


@pytest.mark.parametrize("how", ["cascade", "independent"])
def test_layers_that_there_are_not_are_refused_with_those_that_there_are(how):
    model = TorchModel(network(), SPEC)
    (problem,) = probe_of(f"attribute.gradient({how}=[3, 4])").method.problems(model)
    assert "has 3 layers with parameters, and no 4." in problem.what
    assert problem.hint == "From the last one: 6, 2, 0."
    assert model.queries == 1


@pytest.mark.parametrize("layer", ["0", "-1", "half", "1.5", "true"])
@pytest.mark.parametrize("how", ["cascade", "independent"])
def test_what_is_no_layer_is_refused(how, layer):
    with pytest.raises(ModelError, match="is no layer"):
        probe_of(f"attribute.gradient({how}={layer})")


def test_layers_of_no_network_and_of_no_attribution_are_refused():
    with pytest.raises(ModelError, match="no network is drawn"):
        probe_of("attribute.gradient(cascade=1, randomisations=0)")
    with pytest.raises(NotationError, match="It is for attributions"):
        probe_of("attack.fgsm", eps=0.1, cascade=1)


def test_a_model_that_cannot_be_drawn_anew_has_no_layers_and_a_note():
    model = without_torch(network())
    found = run(probe_of("attribute.occlusion(cascade=9)"), model, digits(), version="0")
    assert found.rows["randomisation"].is_null().all()
    assert any("cannot be drawn anew" in note for note in found.made.probe["notes"])
