"""Interval bounds hold everything that a module computes in a box, and are no wider than need be.

The oracle is the module itself: at random places and corners of the box, in its own precision, and
for one layer at the corner that its Jacobian points to.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from evenhand.errors import ModelError
from evenhand.models.function import FunctionModel, linear
from evenhand.models.interval import Box, Rounding, bounds, linear_margins, margins, problems
from evenhand.models.spec import Spec
from evenhand.models.torch import TorchModel

torch = pytest.importorskip("torch")
nn = torch.nn

SINGLE = Rounding(2.0**-24)
DOUBLE = Rounding(2.0**-53)
IMAGE, FLAT = (4, 7, 6), (24,)


def trained(norm):
    """Batch norm that saw data of another mean and spread, with weights of both signs."""
    with torch.no_grad():
        norm.running_mean.uniform_(-2, 2)
        norm.running_var.uniform_(0.1, 3)
        if norm.affine:
            norm.weight.uniform_(-2, 2)
            norm.bias.uniform_(-1, 1)
    return norm


LAYERS = {
    "linear": (lambda: nn.Linear(24, 9), FLAT),
    "linear without bias": (lambda: nn.Linear(24, 9, bias=False), FLAT),
    "linear on rows": (lambda: nn.Linear(6, 3), IMAGE),
    "conv": (lambda: nn.Conv2d(4, 3, 3), IMAGE),
    "conv, stride and padding": (lambda: nn.Conv2d(4, 3, (3, 2), stride=2, padding=(1, 2)), IMAGE),
    "conv, groups": (lambda: nn.Conv2d(4, 6, 3, groups=2, bias=False), IMAGE),
    "conv, dilation": (lambda: nn.Conv2d(4, 2, 2, dilation=2, padding="same"), IMAGE),
    "conv around": (lambda: nn.Conv2d(4, 2, 3, padding=1, padding_mode="circular"), IMAGE),
    "relu": (lambda: nn.ReLU(inplace=True), IMAGE),
    "leaky relu": (lambda: nn.LeakyReLU(0.2), IMAGE),
    "tanh": (nn.Tanh, IMAGE),
    "sigmoid": (nn.Sigmoid, IMAGE),
    "flatten": (nn.Flatten, IMAGE),
    "average": (lambda: nn.AvgPool2d(3, stride=2, padding=1), IMAGE),
    "average of what is there": (
        lambda: nn.AvgPool2d((2, 3), ceil_mode=True, count_include_pad=False, padding=(1, 1)),
        IMAGE,
    ),
    "average by a divisor": (lambda: nn.AvgPool2d(2, divisor_override=3), IMAGE),
    "maximum": (lambda: nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), IMAGE),
    "batch norm": (lambda: trained(nn.BatchNorm2d(4)), IMAGE),
    "batch norm, bare": (lambda: trained(nn.BatchNorm2d(4, affine=False)), IMAGE),
    "batch norm of features": (lambda: trained(nn.BatchNorm1d(24)), FLAT),
    "dropout": (lambda: nn.Dropout(0.9), IMAGE),
    "identity": (nn.Identity, IMAGE),
}
EACH = pytest.mark.parametrize("name", LAYERS)


def made(name, seed=0):
    build, shape = LAYERS[name]
    torch.manual_seed(seed)
    return build().eval(), shape


def boxes(count, shape, seed=1, widest=1.0):
    """Boxes in float32, some of them wide, some hardly wider than a point."""
    rng = np.random.default_rng(seed)
    middle = rng.normal(size=(count, *shape))
    half = rng.random((count, *shape)) * widest * rng.choice([1e-6, 0.1, 1.0], (count, *shape))
    return tuple(torch.tensor(middle + sign * half, dtype=torch.float32) for sign in (-1, 1))


def places(low, high, count, seed=2):
    """Places in boxes: half of them anywhere, half of them corners, in float32."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand((count, *low.shape), generator=generator)
    share[::2] = share[::2].round()
    found = low + share * (high - low)
    return torch.minimum(torch.maximum(found, low), high)


def test_every_known_layer_is_tried_here():
    from evenhand.models.interval import _LAYERS

    assert {type(build()).__name__ for build, _ in LAYERS.values()} == {*_LAYERS}


@EACH
def test_nothing_that_a_layer_computes_leaves_its_bounds(name):
    layer, shape = made(name)
    low, high = boxes(3, shape)
    found = bounds(layer, Box(low.double(), high.double()), SINGLE)
    tried = places(low, high, 3000)
    with torch.no_grad():
        answers = layer(tried.flatten(0, 1).clone()).unflatten(0, tried.shape[:2]).double()
    assert (answers >= found.low).all()
    assert (answers <= found.high).all()


@EACH
def test_bounds_of_one_layer_are_reached_at_a_corner(name):
    layer, shape = made(name)
    layer = layer.double()
    low, high = (end.double() for end in boxes(1, shape))
    found = bounds(layer, Box(low, high), DOUBLE)
    middle = ((low + high) / 2).requires_grad_()
    out = layer(middle.clone()).flatten()
    for place in range(0, len(out), 3):
        (slope,) = torch.autograd.grad(out[place], middle, retain_graph=True)
        # Where nothing is known of a slope the layer never falls.
        top = torch.where(slope >= 0, high, low)
        bottom = torch.where(slope >= 0, low, high)
        ends = [layer(corner.clone()).flatten()[place].item() for corner in (bottom, top)]
        assert ends[0] == pytest.approx(found.low.flatten()[place].item(), abs=1e-12)
        assert ends[1] == pytest.approx(found.high.flatten()[place].item(), abs=1e-12)


def deep(seed=0):
    """Every kind of layer, some of them twice in one place, with a net inside a net."""
    torch.manual_seed(seed)
    active = nn.ReLU()
    return nn.Sequential(
        nn.Conv2d(4, 8, 3, padding=1),
        trained(nn.BatchNorm2d(8)),
        active,
        nn.Sequential(nn.Conv2d(8, 8, 3, groups=4), active, nn.Dropout(0.5), nn.AvgPool2d(2)),
        nn.LeakyReLU(0.1, inplace=True),
        nn.Flatten(),
        nn.Linear(32, 12),
        nn.Tanh(),
        nn.Sequential(nn.Linear(12, 6), nn.Sigmoid()),
        nn.Linear(6, 3),
        nn.Identity(),
    ).eval()


@pytest.mark.parametrize("last", [True, False], ids=["merged", "not merged"])
def test_nothing_in_a_box_is_nearer_to_another_class_than_its_margin(last):
    net = deep() if last else deep()[:-2]
    classes = 3 if last else 6
    low, high = boxes(4, IMAGE, widest=0.3)
    codes = torch.tensor([0, 1, 2, 1])
    found = margins(net, Box(low.double(), high.double()), codes, SINGLE)
    with torch.no_grad():
        tried = places(low, high, 2000)
        scores = net(tried.flatten(0, 1)).reshape(2000, 4, classes).double()
    ahead = scores.gather(2, codes[None, :, None].expand(2000, 4, 1)) - scores
    assert torch.isinf(found[torch.arange(4), codes]).all()
    rest = ~torch.isinf(found)
    assert (ahead[:, rest] >= found[rest]).all()
    # Bounds of a point are those of its scores.
    point = margins(net, Box(low.double(), low.double()), codes, SINGLE)
    with torch.no_grad():
        there = net(low).double()
    exact = there.gather(1, codes[:, None]) - there
    torch.testing.assert_close(point[rest], exact[rest], atol=1e-2, rtol=0)


def test_merged_margins_are_never_worse_than_those_of_scores():
    net, (low, high) = deep(), boxes(4, IMAGE, widest=0.3)
    box, codes = Box(low.double(), high.double()), torch.tensor([0, 1, 2, 1])
    apart = bounds(net, box, DOUBLE)
    far = apart.low.gather(1, codes[:, None]) - apart.high
    merged = margins(net, box, codes, DOUBLE)
    assert (merged >= far - 1e-9).all()
    assert (merged[~torch.isinf(merged)] > far[~torch.isinf(merged)] + 1e-6).any()


def test_linear_margins_are_the_least_over_all_corners():
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(4, 7)), rng.normal(size=4)
    low = rng.normal(size=(5, 7))
    high, codes = low + rng.random((5, 7)), rng.integers(0, 4, 5)
    found = linear_margins(weight, bias, Box(low, high), codes, DOUBLE)
    corners = np.array([*itertools.product([0, 1], repeat=7)])
    for i, code in enumerate(codes):
        scores = np.where(corners, high[i], low[i]) @ weight.T + bias
        least = (scores[:, [code]] - scores).min(axis=0)
        least[code] = np.inf
        np.testing.assert_allclose(found[i], least, atol=1e-12)


def test_rounding_of_long_sums_is_counted():
    torch.manual_seed(0)
    layer, x = nn.Linear(3000, 500), torch.rand(1, 3000)
    with torch.no_grad():
        answers = layer(x).double()
    point = Box(x.double(), x.double())
    for rounding, holds in ((SINGLE, True), (Rounding(0.0), False)):
        found = bounds(layer, point, rounding)
        inside = (answers >= found.low - 1e-12) & (answers <= found.high + 1e-12)
        assert bool(inside.all()) == holds


def model(net, **told):
    return TorchModel(net, Spec((0, 1, 2), IMAGE, low=-5, high=5, layout="CHW", **told))


def ask(one, count=0):
    none = np.zeros((count, *one.spec.shape), np.float32)
    return one.margins(none, none, np.zeros(count, np.int64))


class Doubled(nn.Sequential):
    def forward(self, x):
        return 2 * super().forward(x)


class Reversed(nn.Sequential):
    def __iter__(self):
        return iter([*super().__iter__()][::-1])


class Stubborn(nn.Sequential):
    def train(self, *_):
        return super().train()


class Named(nn.Sequential):
    """Gathers layers and runs them as they stand."""

    def __init__(self):
        super().__init__(*deep())


def hooked():
    net = deep()
    net[6].register_forward_hook(lambda _module, _given, out: out + 1)
    return net


def replaced():
    net = deep()
    net[7].forward = torch.sin
    return net


def parametrised():
    net = deep()
    nn.utils.parametrizations.weight_norm(net[6])
    return net


REFUSED = {
    "unknown": (lambda: nn.Sequential(nn.Flatten(), nn.GELU()), r"layer 1 \(GELU\): bounds of it"),
    "nested": (
        lambda: nn.Sequential(nn.Sequential(nn.Flatten(), nn.Softmax(1))),
        r"layer 0\.1 \(Softmax\)",
    ),
    "code": (lambda: nn.Sequential(Doubled(deep())), r"layer 0 \(Doubled\): its forward\(\) is"),
    "order": (lambda: Reversed(deep()), "Reversed: its forward"),
    "hook": (hooked, r"layer 6 \(Linear\): it has hooks"),
    "own forward": (replaced, r"layer 7 \(Tanh\): it has hooks, or a forward"),
    "parametrised": (parametrised, r"layer 6 \(ParametrizedLinear\)"),
    "training": (lambda: Stubborn(*deep()), r"layer 1 \(BatchNorm2d\): it stays in training"),
    "batch statistics": (
        lambda: nn.Sequential(nn.BatchNorm2d(4, track_running_stats=False)),
        r"layer 0 \(BatchNorm2d\): it has no running statistics",
    ),
    "falls": (lambda: nn.Sequential(nn.LeakyReLU(-0.1)), "its slope below 0 is negative"),
    "places": (lambda: nn.Sequential(nn.MaxPool2d(2, return_indices=True)), "places"),
    "divisor": (lambda: nn.Sequential(nn.AvgPool2d(2, divisor_override=-1)), "negative number"),
    "half": (lambda: deep().half(), "torch.float16; bounds are known of float32"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_refused_by_the_name_of_its_layer(name):
    build, said = REFUSED[name]
    one = model(build())
    assert one.offers >= {"scores", "vjp"}
    assert "bounds" not in one.offers
    with pytest.raises(ModelError, match=said):
        ask(one)


def test_all_layers_that_are_not_known_are_named_at_once():
    net = nn.Sequential(nn.GELU(), nn.Linear(6, 6), nn.SiLU())
    assert len(problems(net.eval(), "net")) == 2


def test_probabilities_are_refused():
    with pytest.raises(ModelError, match="bounds are of logits"):
        ask(model(deep(), output="probabilities"))
    spec = Spec((0, 1), (3,), output="scores")
    one = FunctionModel(lambda x: x[:, :2], spec, weights=(np.eye(2, 3), np.zeros(2)))
    assert "bounds" not in one.offers
    with pytest.raises(ModelError, match="no linear model that gives logits"):
        ask(one)


def test_a_sequence_of_ones_own_is_a_sequence():
    assert "bounds" in model(Named()).offers


def test_a_module_in_training_is_bounded_as_it_is_asked_in_evaluation():
    net = deep()
    still = ask(model(net), 3)
    net.train()
    one = model(net)
    np.testing.assert_array_equal(ask(one, 3), still)
    assert one.module.training
    assert one.module[3][2].training
    assert one.queries == 6


def test_two_batches_are_one():
    low, high = (end.numpy() for end in boxes(9, IMAGE))
    codes = np.arange(9) % 3
    spec = Spec((0, 1, 2), IMAGE, low=-5, high=5, layout="CHW")
    one, other = (
        TorchModel(deep(), spec, batch=batch).margins(low, high, codes) for batch in (256, 4)
    )
    np.testing.assert_allclose(one, other, rtol=1e-12)
    assert one.dtype == np.float64


@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_normalisation_is_inside(library):
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, 8)), rng.normal(size=3)
    told = {"low": 0, "high": 255, "layout": "CHW", "mean": (100.0, 120.0), "std": (50.0, 60.0)}
    spec = Spec((0, 1, 2), (2, 2, 2), **told)
    net = nn.Sequential(nn.Flatten(), nn.Linear(8, 3)).double()
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor(weight))
        net[1].bias.copy_(torch.tensor(bias))
    one = TorchModel(net, spec) if library == "torch" else linear(weight, bias, spec)
    low = rng.uniform(0, 200, (6, 2, 2, 2))
    high, codes = low + 30, rng.integers(0, 3, 6)
    found = one.margins(low, high, codes)
    corners = np.array([*itertools.product([0, 1], repeat=8)]).reshape(-1, 2, 2, 2)
    for i, code in enumerate(codes):
        scores = one.numpy(one.scores(one.array(np.where(corners, high[i], low[i]))))
        least = (scores[:, [code]] - scores).min(axis=0)
        least[code] = np.inf
        np.testing.assert_allclose(found[i], least, atol=1e-9)
        assert (found[i] <= least).all()
