"""Modules whose parameters are drawn anew: all of them, and nothing else anywhere."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from evenhand.errors import ModelError
from evenhand.models.logits import with_logits
from evenhand.models.model import Randomisable
from evenhand.models.redrawn import drawn_anew, layers_of
from evenhand.models.torch import TorchModel
from made_models import image_spec, images, network

torch = pytest.importorskip("torch")


class Odd(torch.nn.Module):
    """Parameters that no layer draws, one that is used twice, a buffer and a false friend."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.arange(16.0))
        self.layer = torch.nn.Linear(16, 16)
        self.tied = self.layer
        self.norm = torch.nn.BatchNorm1d(16)
        self.register_buffer("shift", torch.arange(16.0))

    def reset_parameters(self, how):
        raise AssertionError(how)

    def forward(self, x):
        return self.tied(self.norm(self.layer(x.flatten(1) * self.scale + self.shift)))


def test_every_parameter_is_another_and_norms_forget_what_they_saw():
    module = Odd()
    module.norm.weight.data = torch.arange(16.0)
    module.norm.running_mean += 3
    found = drawn_anew(module, 1, "odd")
    learned = dict(module.named_parameters())
    assert {*learned} == {name for name, _ in found.named_parameters()}
    for name, value in found.named_parameters():
        # A bias of zeros stays one of zeros: drawing it anew gives the same.
        assert not torch.equal(value, learned[name]) or name == "norm.bias"
    assert torch.equal(found.shift, module.shift)
    assert torch.equal(found.norm.running_mean, torch.zeros(16))
    assert torch.equal(module.norm.running_mean, torch.full((16,), 3.0))
    assert sorted(found.scale.tolist()) == sorted(module.scale.tolist())
    assert found.tied is found.layer


def test_neither_the_module_nor_any_generator_is_touched():
    module = network().train()
    before = copy.deepcopy(module.state_dict())
    state, grads = torch.get_rng_state(), [p.requires_grad for p in module.parameters()]
    one = TorchModel(module, image_spec(), device="cpu")
    one.randomised(3).predict(images(4))
    assert torch.equal(torch.get_rng_state(), state)
    assert module.training
    assert [p.requires_grad for p in module.parameters()] == grads
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_state_of_the_generators_does_not_matter():
    module = network()
    with torch.random.fork_rng():
        torch.manual_seed(5)
        one = drawn_anew(module, 1, "net").state_dict()
        torch.manual_seed(6)
        other = drawn_anew(module, 1, "net").state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_module_that_cannot_be_copied_says_so():
    class Stubborn(torch.nn.Linear):
        def __deepcopy__(self, memo):
            raise RuntimeError("I hold a socket")

    with pytest.raises(ModelError, match="I hold a socket") as caught:
        drawn_anew(Stubborn(2, 2), 1, "stubborn")
    assert "randomisations=0" in str(caught.value)


def test_a_module_without_parameters_has_none_to_draw():
    model = TorchModel(torch.nn.Flatten(), image_spec(labels=tuple(range(16))))
    assert "randomised" not in model.offers


def test_logarithms_of_probabilities_are_drawn_anew_as_the_model_is():
    module = torch.nn.Sequential(network(), torch.nn.Softmax(1))
    model = TorchModel(module, image_spec(output="probabilities"))
    logs = with_logits(model)
    assert isinstance(logs, Randomisable)
    x = images(3)
    found, wanted = (one.randomised(4) for one in (logs, model))
    np.testing.assert_allclose(
        found.numpy(found.scores(found.array(x))),
        np.log(wanted.numpy(wanted.scores(wanted.array(x)))),
        rtol=1e-5,
    )


class Backwards(torch.nn.Module):
    """Layers that are used in another order than they stand in, and one that is never used."""

    def __init__(self):
        super().__init__()
        self.last, self.norm = torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(4)
        self.unused, self.first = torch.nn.Linear(2, 2), torch.nn.Linear(16, 4)
        self.bend = torch.nn.ReLU()

    def forward(self, x):
        return self.last(self.bend(self.norm(self.first(x.flatten(1)))))


def test_layers_are_in_the_order_in_which_they_are_used_the_last_first():
    module = Backwards()
    model = TorchModel(module, image_spec())
    assert model.layers() == ("last", "norm", "first")
    assert with_logits(model).layers() == model.layers()
    # It was asked about one input, once.
    assert model.queries == 1
    assert layers_of(module.eval(), lambda: module(torch.zeros(1, 16))) == model.layers()
    assert all(not vars(part)["_forward_pre_hooks"] for part in module.modules())


def test_only_the_layers_that_are_named_are_drawn_and_alike_whichever_others_are():
    module = Backwards()
    with torch.no_grad():
        module.norm.running_mean += 3
        module.norm.bias += 1
    learned = module.state_dict()
    everything = drawn_anew(module, 1, "net").state_dict()
    for layers in ((), ("last",), ("last", "norm"), ("first",)):
        found = drawn_anew(module, 1, "net", layers).state_dict()
        for name, value in found.items():
            wanted = everything if name.split(".")[0] in layers else learned
            assert torch.equal(value, wanted[name]), (layers, name)
    assert not torch.equal(everything["norm.running_mean"], learned["norm.running_mean"])
