"""Grad-CAM, layers and DeepLIFT by Captum: what they are, and where they are refused."""

from __future__ import annotations

import copy
import sys

import numpy as np
import pytest

from carded import carded
from digits import SPEC, held_out, network, without_torch
from evenhand.errors import ModelError
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.models.torch import TorchModel
from evenhand.notation import parse
from evenhand.probes.attribute.attribution import pixels, scores_of
from evenhand.probes.attribute.registry import attributions_named
from evenhand.probes.card.completeness import completeness_error

torch = pytest.importorskip("torch")
pytest.importorskip("captum")

NAMES = ("deep_lift", "grad_cam", "guided_backprop", "layer_integrated_gradients")


def one(text):
    (found,) = attributions_named(parse(text))
    return found


def plain(seed=0):
    """A network whose modules DeepLIFT has rules for, each of them used once."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3),
            torch.nn.BatchNorm2d(4),
            torch.nn.ReLU(),
            torch.nn.Conv2d(4, 4, 3, stride=2),
            torch.nn.Sigmoid(),
            torch.nn.Flatten(),
            torch.nn.Linear(16, 10),
        )


def made(net=None, count=6, spec=SPEC):
    model = TorchModel(plain() if net is None else net, spec)
    x = held_out(count)[0].reshape(count, *spec.shape)
    return model, x, model.predict(x)


def layers(*parts):
    """A network of a table of 64 columns."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 20), *parts)


def test_grad_cam_is_channels_times_their_mean_slopes():
    model, x, codes = made()
    maps = one("grad_cam").maps(model, x, codes, ())
    net = model.module.eval()
    hidden = net[:4](model.array(x)).detach().requires_grad_()
    scores = net[4:](hidden)[torch.arange(6), torch.as_tensor(codes)]
    (slopes,) = torch.autograd.grad(scores.sum(), hidden)
    wanted = (slopes.mean(dim=(2, 3), keepdim=True) * hidden).sum(dim=1, keepdim=True).relu()
    wide = torch.nn.functional.interpolate(wanted, (8, 8), mode="bilinear")
    np.testing.assert_allclose(maps, wide.detach().numpy(), atol=1e-6)


def test_channels_share_what_lies_over_their_pixel():
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.Flatten(), torch.nn.Linear(18, 2))
    spec = Spec((0, 1), (2, 4, 5), layout="CHW")
    model, x = TorchModel(net, spec), np.random.default_rng(0).random((3, 2, 4, 5))
    codes = model.predict(x)
    for name in ("grad_cam", "layer_integrated_gradients(steps=4)"):
        maps = one(name).maps(model, x, codes, ())
        assert maps.shape == x.shape
        np.testing.assert_array_equal(maps[:, 0], maps[:, 1])


@pytest.mark.parametrize("layer", ["", "0", "2"])
def test_parts_of_a_layer_add_up(layer):
    model, x, codes = made()
    by = one(f"layer_integrated_gradients(layer='{layer}', steps=512)")
    maps = by.maps(model, x, codes, ())
    error = completeness_error(model, x, by.reference(x, SPEC), codes, maps)
    assert np.median(error) < 0.02
    # All pixels of a place of the layer have the same part.
    assert len(np.unique(maps[0].round(12))) <= {"": 4, "0": 36, "2": 36}[layer]


def test_deep_lift_of_a_layer_without_bends_is_weights_times_the_way():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    model, x, codes = made(net)
    maps = one("deep_lift(baseline=mean)").maps(model, x, codes, ())
    weights = net[1].weight.detach().numpy()[codes].reshape(x.shape)
    wanted = weights * (x - x.mean(axis=(2, 3), keepdims=True))
    np.testing.assert_allclose(maps, wanted, atol=1e-6)


def test_deep_lift_adds_up_where_it_is_not_refused():
    model, x, codes = made()
    by = one("deep_lift")
    assert by.problems(model) == []
    maps = by.maps(model, x, codes, ())
    assert completeness_error(model, x, by.reference(x, SPEC), codes, maps).max() < 1e-4


class Functional(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = torch.nn.Linear(64, 20), torch.nn.Linear(20, 10)

    def forward(self, x):
        return self.last(torch.relu(self.first(x.flatten(1))))


class Reused(Functional):
    def __init__(self):
        super().__init__()
        self.middle, self.bend = torch.nn.Linear(20, 20), torch.nn.ReLU()

    def forward(self, x):
        return self.last(self.bend(self.middle(self.bend(self.first(x.flatten(1))))))


class Idle(Functional):
    def __init__(self):
        super().__init__()
        self.idle = torch.nn.Softmax(1)

    def forward(self, x):
        return self.last(torch.softmax(self.first(x.flatten(1)), 1))


def test_deep_lift_does_not_blame_a_module_that_is_never_called():
    torch.manual_seed(0)
    model, _, _ = made(Idle())
    (problem,) = one("deep_lift").problems(model)
    assert "Softmax" not in str(problem)
    assert "no module stands for" in str(problem)


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (network, "MaxPool2d '4'"),
        (Functional, "no module stands for"),
        (Reused, "ReLU 'bend', which is used 2 times"),
        (lambda: layers(torch.nn.LayerNorm(20), torch.nn.Linear(20, 10)), "LayerNorm '2'"),
        (lambda: layers(torch.nn.GELU(), torch.nn.Linear(20, 10)), "GELU '2'"),
        (lambda: layers(torch.nn.Softmax(1), torch.nn.Linear(20, 10)), "Softmax '2'"),
    ],
)
def test_deep_lift_is_refused_with_the_reason_where_parts_do_not_add_up(net, reason):
    torch.manual_seed(0)
    model, x, codes = made(net())
    before = {name: {*vars(part)} for name, part in model.module.named_modules()}
    (problem,) = one("deep_lift").problems(model)
    assert reason in str(problem)
    assert "attribute.integrated_gradients" in str(problem)
    with pytest.raises(ModelError, match="What breaks it"):
        one("deep_lift").maps(model, x, codes, ())
    # Nothing is left behind in the module.
    for name, part in model.module.named_modules():
        assert {*vars(part)} == before[name]
        assert not vars(part)["_forward_hooks"]
        assert not vars(part)["_forward_pre_hooks"]


@pytest.mark.parametrize("name", NAMES)
def test_the_module_is_as_it_was_and_what_it_was_asked_is_counted(name):
    model, x, codes = made(plain().train())
    before = copy.deepcopy(model.module.state_dict())
    by, asked = one(name), model.queries
    by.maps(model, x, codes, ())
    assert 0 < model.queries - asked <= len(x) * by.most(model)
    assert model.module.training
    assert all(value.requires_grad for value in model.module.parameters())
    assert all(value.grad is None for value in model.module.parameters())
    for key, value in model.module.state_dict().items():
        assert torch.equal(value, before[key])


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_explained_alike_alone_and_among_others(name):
    model, x, codes = made(count=300)
    maps = one(name).maps(model, x, codes, ())
    alone = one(name).maps(model, x[280:281], codes[280:281], ())
    np.testing.assert_allclose(alone, maps[280:281], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_card_has_every_number_of_it(name):
    model, x, codes = made()
    card, maps = carded(one(name), model, inputs_of(x, SPEC), codes, randomisations=2)
    assert maps.shape == x.shape
    # Neither what places of a layer add nor a sum over a layer are slopes by pixels.
    no_slopes = {"infidelity", "scaled_infidelity"}
    unknown = {
        "grad_cam": {"completeness_error", *no_slopes},
        "guided_backprop": {"completeness_error"},
        "layer_integrated_gradients": no_slopes,
    }.get(name, set()) | {"seed_stability"}
    assert {column for column, values in card.items() if np.isnan(values).all()} == unknown


def test_probabilities_are_explained_by_their_logarithm():
    from evenhand.models.logits import with_logits

    net = torch.nn.Sequential(plain(), torch.nn.Softmax(1))
    spec = Spec(SPEC.labels, SPEC.shape, layout="CHW", output="probabilities")
    model = with_logits(TorchModel(net, spec))
    x = held_out(4)[0]
    codes = model.predict(x)
    by = one("layer_integrated_gradients(steps=256)")
    maps = by.maps(model, x, codes, ())
    change = scores_of(model, x, codes) - scores_of(model, 0 * x, codes)
    np.testing.assert_allclose(pixels(maps, SPEC).sum(axis=1), change, rtol=0.02, atol=0.005)


@pytest.mark.parametrize("name", NAMES)
def test_models_that_are_no_module_of_torch_are_refused(name):
    (problem,) = one(name).problems(without_torch(network()))
    assert "layers that can be looked at" in str(problem)
    assert "attribute.kernel_shap" in str(problem)


@pytest.mark.parametrize("name", NAMES)
def test_without_captum_the_extra_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    (problem,) = one(name).problems(made()[0])
    assert "evenhand[explain]" in str(problem)


@pytest.mark.parametrize("name", ["grad_cam", "layer_integrated_gradients"])
def test_layers_that_are_not_there_or_have_no_place_are_refused(name):
    model, x, codes = made()
    (problem,) = one(f"{name}(layer='9')").problems(model)
    assert "no layer '9'" in str(problem)
    with pytest.raises(ModelError, match="no channels with height and width"):
        one(f"{name}(layer='6')").maps(model, x, codes, ())
    flat = TorchModel(layers(torch.nn.Linear(20, 10)), Spec(SPEC.labels, (64,)))
    said = str(one(name).problems(flat))
    assert "this is a table" in said
    assert "no convolution" in said
