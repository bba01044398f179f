"""Interval bounds between what is known in closed form and every attack that there is.

The sandwich: what is proved at eps must survive every attack at eps, example by example. It judges
the certificate and the attacks against each other: an attack that leaves the ball fails it too.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from digits import SPEC, held_out, network
from evenhand.errors import ModelError
from evenhand.models.function import FunctionModel, linear
from evenhand.models.interval import Box, Rounding, margins
from evenhand.models.logits import with_logits
from evenhand.models.spec import Spec
from evenhand.models.torch import TorchModel
from evenhand.probes.attack.registry import attacks
from evenhand.probes.attack.registry import read as attack
from evenhand.probes.certify.ibp import IntervalBounds
from evenhand.probes.threat import Threat

ATTACKS = {
    "fgsm": "fgsm",
    "pgd": "pgd(steps=20, restarts=2, loss=margin)",
    "apgd": "apgd(steps=20, restarts=2)",
    "fmn": "fmn(steps=30)",
    "square": "square(queries=150)",
    "hop": "hop(steps=2, probes=30)",
    "noise": "noise(queries=50)",
    "auto": "auto(steps=15, targets=3, queries=100)",
}


def torch_linear(weights, bias, spec):
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(*weights.T.shape)).double()
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor(weights))
        net[1].bias.copy_(torch.tensor(bias))
    return TorchModel(net, spec, device="cpu")


LIBRARIES = pytest.mark.parametrize("made", [linear, torch_linear], ids=["numpy", "torch"])


@LIBRARIES
@pytest.mark.parametrize("classes", [2, 4])
def test_of_a_linear_model_the_radius_is_the_margin(made, classes):
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=(classes, 20)), rng.normal(size=classes)
    model = made(weights, bias, Spec(tuple(range(classes)), (20,), low=-50, high=50))
    x = rng.normal(size=(30, 20))
    codes, scores = model.predict(x), x @ weights.T + bias
    exact = np.full((30, classes), np.inf)
    for i, j in np.ndindex(30, classes):
        if j != codes[i]:
            way = np.abs(weights[j] - weights[codes[i]]).sum()
            exact[i, j] = (scores[i, codes[i]] - scores[i, j]) / way
    found = IntervalBounds(halvings=50).certify(model, x, [])
    np.testing.assert_allclose(found.radius, exact.min(axis=1), atol=1e-6)
    assert (found.radius <= exact.min(axis=1)).all()
    np.testing.assert_array_equal(found.prediction, codes)


@LIBRARIES
def test_where_the_range_cuts_the_ball_all_corners_say_the_same(made):
    rng = np.random.default_rng(1)
    weights, bias = rng.normal(size=(3, 8)), rng.normal(size=3)
    spec = Spec((0, 1, 2), (8,))
    model, x = made(weights, bias, spec), rng.random((60, 8))
    x[::4] = x[::4].round()
    codes = model.predict(x)
    found = IntervalBounds(halvings=40).certify(model, x, [])
    corners = np.array([*itertools.product([-1, 1], repeat=8)])
    bound = 0
    for one, code, radius in zip(x, codes, found.radius, strict=True):
        for by, holds in ((-1e-9, True), (1e-9, False)):
            if radius + by >= 1:
                continue
            ends = np.clip(one + (radius + by) * corners, 0, 1)
            scores = ends @ weights.T + bias
            assert (scores.argmax(axis=1) == code).all() == holds
        bound += bool(((one - radius < 0) | (one + radius > 1)).any())
    assert bound > 30
    # Some classes cannot be left at all: then all that was tried is proved.
    assert (found.radius > 1 - 1e-9).any() or found.radius.max() < 1


NETS = {"standard": 0.0, "adversarially trained": 0.1}


@pytest.fixture(scope="module", params=NETS)
def digits(request):
    """A network's model, 50 digits with their labels, and what is certified of them."""
    pytest.importorskip("torch")
    model = TorchModel(network(eps=NETS[request.param]), SPEC, device="cpu")
    x, labels = held_out(50)
    return model, x, labels, IntervalBounds().certify(model, x, [])


def test_every_attack_is_in_the_sandwich():
    assert {*ATTACKS} == {*attacks()}


@pytest.mark.slow
def test_what_is_verified_survives_every_attack(digits):
    model, x, labels, found = digits
    for eps in (0.004, 0.01, 0.02, 0.03):
        verified = (found.prediction == labels) & (found.radius >= eps)
        assert verified.any()
        robust = {}
        for name, text in ATTACKS.items():
            got = attack(text).run(model, x, labels, Threat("linf", eps), np.random.default_rng(0))
            robust[name] = ~got.broken
            assert not (verified & got.broken).any(), (name, eps)
            assert verified.sum() <= robust[name].sum()
        assert robust["auto"].sum() <= min(one.sum() for one in robust.values())


@pytest.mark.slow
def test_no_smallest_change_is_within_the_radius(digits):
    model, x, labels, found = digits
    got = attack("fmn(steps=100)").run(
        model, x, labels, Threat("linf", 0.5), np.random.default_rng(0)
    )
    right = found.prediction == labels
    assert (got.broken & right).sum() > 40
    assert (got.distance > found.radius)[got.broken & right].all()


@pytest.mark.slow
def test_corners_and_places_of_certified_balls_keep_the_class(digits):
    model, x, _, found = digits
    rng = np.random.default_rng(0)
    for place in range(0, 50, 5):
        some, radius = x[place], found.radius[place]
        share = rng.uniform(-1, 1, (2000, *some.shape))
        share[::2] = np.sign(share[::2])
        near = np.clip(some.astype(np.float64) + radius * share, 0, 1).astype(np.float32)
        assert (model.predict(near) == found.prediction[place]).all()


@pytest.mark.slow
def test_the_radius_was_proved_and_the_next_one_was_not(digits):
    model, x, _, found = digits
    finest = 2.0**-20

    def ahead(eps):
        eps = eps.reshape(-1, 1, 1, 1)
        ends = [np.clip(x.astype(float) + sign * eps, 0, 1).astype(x.dtype) for sign in (-1, 1)]
        return (model.margins(*ends, found.prediction) > 0).all(axis=1)

    some = found.radius > 0
    assert some.mean() > 0.9
    assert ahead(found.radius)[some].all()
    assert not ahead(found.radius + finest).any()
    np.testing.assert_array_equal(found.radius, np.round(found.radius / finest) * finest)


@pytest.mark.slow
def test_batches_and_parts_change_nothing(digits):
    model, x, _, whole = digits
    small = TorchModel(model.module, SPEC, device="cpu", batch=7)
    halves = [IntervalBounds().certify(model, x[some], []) for some in (slice(20), slice(20, 50))]
    radius = np.concatenate([half.radius for half in halves])
    np.testing.assert_array_equal(radius, whole.radius)
    again = IntervalBounds().certify(small, x, [])
    np.testing.assert_array_equal(again.radius, whole.radius)
    np.testing.assert_array_equal(again.prediction, whole.prediction)


@pytest.mark.slow
def test_queries_are_counted(digits):
    model, x, *_ = digits
    before = model.queries
    found = IntervalBounds(halvings=4).certify(model, x[:6], [])
    assert (found.queries == 9).all()
    assert model.queries - before == 54


def flipping():
    """Scores (x + 1e8) - 1e8 - 10 against 0: float32 knows numbers of that size by eights."""
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Linear(1, 2))
    with torch.no_grad():
        net[0].weight.fill_(1)
        net[0].bias.fill_(1e8)
        net[1].weight.copy_(torch.tensor([[0.0], [1.0]]))
        net[1].bias.copy_(torch.tensor([0.0, -1e8 - 8]))
    return net.eval()


def test_rounding_that_flips_a_class_is_no_hole():
    """Source of the trap: Jia and Rinard 2021."""
    torch = pytest.importorskip("torch")
    net = flipping()
    model = TorchModel(net, Spec((0, 1), (1,), low=0, high=100), device="cpu")
    x, near = np.array([[14.0]], np.float32), np.array([[11.0]], np.float32)
    # By the formula the second class is ahead above 8; computed, it is above 12.
    assert model.predict(x)[0] == 1
    assert model.predict(near)[0] == 0
    box = Box(torch.tensor(near).double(), torch.tensor(x).double())
    assert (margins(net, box, torch.tensor([1]), Rounding(0.0)) > 0).all()
    found = IntervalBounds().certify(model, x, [])
    assert found.prediction[0] == 1
    assert found.radius[0] == 0


def test_the_class_is_the_models_own_though_it_is_wrong():
    model = linear(np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([0.0, -1.0]), Spec((0, 1), (2,)))
    found = IntervalBounds(halvings=30).certify(model, np.array([[0.9, 0.5], [0.1, 0.3]]), [])
    np.testing.assert_array_equal(found.prediction, [1, 0])
    np.testing.assert_allclose(found.radius, [0.2, 0.3], atol=1e-8)


def test_what_never_changes_is_certified_to_the_finest():
    model = linear(np.zeros((2, 3)), np.array([0.0, 1.0]), Spec((0, 1), (3,), low=0, high=255))
    found = IntervalBounds(halvings=8).certify(model, np.full((2, 3), 100.0), [])
    assert (found.radius == 255 * (1 - 2.0**-8)).all()
    (note,) = IntervalBounds(halvings=8).notes(model)
    assert "radii are found to 1" in note
    assert "linear model itself" in note


def test_nothing_to_certify():
    model = linear(np.eye(2), np.zeros(2), Spec((0, 1), (2,)))
    found = IntervalBounds().certify(model, np.empty((0, 2)), [])
    assert len(found.prediction) == len(found.radius) == len(found.queries) == 0


def test_what_shows_no_layers_is_refused():
    spec = Spec((0, 1), (2,), output="probabilities")
    chances = with_logits(FunctionModel(lambda x: x, spec, "chances"))
    for model, said in (
        (FunctionModel(lambda x: x, Spec((0, 1), (2,))), "no linear model"),
        (chances, "chances does not show"),
    ):
        (problem,) = IntervalBounds().problems(model)
        assert said in problem.what
        assert "certify.smoothing" in problem.hint
    with pytest.raises(ModelError, match="does not show"):
        IntervalBounds().certify(chances, np.zeros((1, 2)), [])


def test_layers_that_are_not_known_are_problems():
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10), torch.nn.Softplus())
    (problem,) = IntervalBounds().problems(TorchModel(net, SPEC, device="cpu"))
    assert problem.where == "Sequential, layer 2 (Softplus)"
