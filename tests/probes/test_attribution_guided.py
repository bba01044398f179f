"""Guided backpropagation: what it is, and where Captum would give another map in silence."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from digits import SPEC, held_out, network
from evenhand.models.logits import with_logits
from evenhand.models.spec import Spec
from evenhand.models.torch import TorchModel
from evenhand.probes.attribute.attribution import gradients
from evenhand.probes.attribute.guided_backprop import GuidedBackprop

torch = pytest.importorskip("torch")
captum = pytest.importorskip("captum.attr")

BY = GuidedBackprop()


def two_layers(classes=4):
    """A network of a table of six columns whose two ReLUs are one module, used twice."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Twice(classes)


class Twice(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.first, self.second = torch.nn.Linear(6, 9), torch.nn.Linear(9, 7)
        self.last, self.bend = torch.nn.Linear(7, classes), torch.nn.ReLU()

    def forward(self, x):
        return self.last(self.bend(self.second(self.bend(self.first(x)))))


def by_hand(net, x, top):
    """The slope by the rule of Springenberg et al., written out, of sums by weights of scores."""
    (w, a), (v, b), (u, _) = (
        (part.weight.detach().double().numpy(), part.bias.detach().double().numpy())
        for part in (net.first, net.second, net.last)
    )
    found = np.empty(x.shape)
    for i, row in enumerate(x):
        first = w @ row + a
        second = v @ np.maximum(first, 0) + b
        back = top[i] @ u
        back = np.where((second > 0) & (back > 0), back, 0) @ v
        found[i] = np.where((first > 0) & (back > 0), back, 0) @ w
    return found


def test_it_is_the_rule_written_out_also_of_a_module_that_is_used_twice():
    net, x = two_layers(), np.random.default_rng(0).random((40, 6))
    model = TorchModel(net, Spec(tuple(range(4)), (6,)))
    assert BY.problems(model) == []
    codes = np.arange(40) % 4
    found = BY.maps(model, x, codes, ())
    np.testing.assert_allclose(found, by_hand(net, x, np.eye(4)[codes]), atol=1e-6)
    # Which the plain slope is not.
    assert np.abs(found - gradients(model, x, codes)).max() > 0.01


def test_of_two_classes_it_is_of_what_one_is_above_the_other():
    net, x = two_layers(2), np.random.default_rng(0).random((20, 6))
    model, codes = TorchModel(net, Spec((0, 1), (6,))), np.arange(20) % 2
    top = np.array([[1.0, -1.0], [-1.0, 1.0]])[codes]
    np.testing.assert_allclose(BY.maps(model, x, codes, ()), by_hand(net, x, top), atol=1e-6)


def test_of_probabilities_it_is_of_their_logarithm_and_its_clip_is_no_rectifier():
    net = torch.nn.Sequential(two_layers(), torch.nn.Softmax(1))
    model = with_logits(TorchModel(net, Spec(tuple(range(4)), (6,), output="probabilities")))
    x = np.random.default_rng(0).random((20, 6))
    codes = model.predict(x)
    assert BY.problems(model) == []
    # The slope of log p is that of its class less that of all classes by their chances.
    chances = np.exp(model.numpy(model.scores(model.array(x))))
    top = np.eye(4)[codes] - chances
    np.testing.assert_allclose(BY.maps(model, x, codes, ()), by_hand(net[0], x, top), atol=1e-6)


def test_it_is_captums():
    model, x = TorchModel(network(), SPEC), held_out(300)[0]
    codes = model.predict(x)
    by = captum.GuidedBackprop(model.module)
    with pytest.warns(UserWarning, match="backward hooks"):
        wanted = by.attribute(torch.as_tensor(x).requires_grad_(), torch.as_tensor(codes))
    np.testing.assert_allclose(BY.maps(model, x, codes, ()), wanted.detach().numpy(), atol=1e-6)


class Bent(torch.nn.Module):
    """Two layers with something between them; the last has a ReLU of its own."""

    def __init__(self, bend, *, last=True):
        super().__init__()
        self.first, self.second = torch.nn.Linear(64, 20), torch.nn.Linear(20, 10)
        self.bend, self.last = bend, torch.nn.ReLU() if last else torch.nn.Identity()

    def forward(self, x):
        return self.last(self.second(self.bend(self.first(x.flatten(1)))))


class Residual(torch.nn.Module):
    def __init__(self, *, before):
        super().__init__()
        self.first, self.middle = torch.nn.Linear(64, 20), torch.nn.Linear(20, 20)
        self.last, self.bend = torch.nn.Linear(20, 10), torch.nn.ReLU()
        self.norm = torch.nn.Identity() if before else torch.nn.LayerNorm(20)

    def forward(self, x):
        hidden = self.first(x.flatten(1))
        return self.last(hidden + self.middle(self.bend(self.norm(hidden))))


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (lambda: Bent(torch.relu), "a ReLU that no module stands for"),
        (lambda: Bent(torch.nn.functional.relu), "a ReLU that no module stands for"),
        (lambda: Bent(functools.partial(torch.clamp, min=0)), "a Clamp, and"),
        (lambda: Bent(lambda x: torch.maximum(x, torch.zeros_like(x))), "a Maximum, and"),
        (lambda: Bent(lambda x: torch.where(x > 0, x, 0.0)), "a Where, and"),
        (lambda: Bent(torch.nn.GELU()), "a Gelu, and"),
        (lambda: Bent(torch.nn.LeakyReLU()), "a LeakyRelu, and"),
        (lambda: Bent(torch.nn.PReLU()), "a PreluKernel, and"),
        (lambda: Bent(torch.nn.ReLU6()), "a Hardtanh, and"),
        (lambda: Bent(torch.nn.Tanh(), last=False), "it is the plain gradient"),
        (lambda: Residual(before=True), "what goes into ReLU 'bend' goes elsewhere too"),
    ],
)
def test_it_is_refused_with_the_reason_where_another_map_would_come_of_it(net, reason):
    torch.manual_seed(0)
    model = TorchModel(net(), SPEC)
    asked = model.queries
    (problem,) = BY.problems(model)
    assert reason in str(problem)
    assert "attribute.gradient" in str(problem)
    assert model.queries == asked + 1
    for part in model.module.modules():
        assert not vars(part)["_forward_hooks"]


def test_captum_indeed_errs_where_what_goes_into_a_relu_goes_elsewhere_too():
    torch.manual_seed(0)
    net, x = Residual(before=True).eval(), torch.rand(5, 64, requires_grad=True)
    with pytest.warns(UserWarning, match="backward hooks"):
        found = captum.GuidedBackprop(net).attribute(x, 0)
    back = net.last.weight[0].expand(5, 20)
    through = back @ net.middle.weight
    wanted = (back + through * ((net.first(x) > 0) & (through > 0))) @ net.first.weight
    assert (found - wanted).abs().max() > 0.01


def test_a_relu_after_a_norm_beside_a_way_around_it_and_one_in_place_are_explained():
    torch.manual_seed(0)
    for net in (Residual(before=False), Bent(torch.nn.ReLU(inplace=True)), network()):
        assert BY.problems(TorchModel(net, SPEC)) == []


def test_what_follows_a_relu_in_place_is_no_reason_to_refuse_it():
    class Added(Bent):
        def forward(self, x):
            hidden = self.bend(self.first(x.flatten(1)))
            hidden += 1.0
            return self.second(hidden)

    assert BY.problems(TorchModel(Added(torch.nn.ReLU()), SPEC)) == []
