"""Randomised smoothing: of a linear model everything is known, of the binomial too.

For two classes, noise of deviation sigma leaves a linear model right with probability
Phi(margin / sigma), where the margin is the distance to the boundary by l2; so that the radius by
the exact probability is the margin, and an estimated one may exceed it with a chance of alpha.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special
from scipy.stats import beta, binom, norm  # noqa: TID251 - the oracles, in a test only

import evenhand as eh
import made_models
from digits import SPEC, held_out, images, network
from evenhand.models.function import FunctionModel, linear
from evenhand.models.http import HttpModel, Way
from evenhand.models.spec import Spec
from evenhand.models.torch import TorchModel
from evenhand.probes.certify import smoothing
from evenhand.probes.certify.certificate import ABSTAINS
from evenhand.probes.certify.smoothing import Smoothing, at_least, radius_of


def streams(count, seed=1):
    return [np.random.default_rng([seed, place]) for place in range(count)]


def chances(n, p):
    """The binomial, term by term."""
    hits = np.arange(n + 1)
    ways = special.gammaln(n + 1) - special.gammaln(hits + 1) - special.gammaln(n - hits + 1)
    return np.exp(ways + hits * np.log(p) + (n - hits) * np.log1p(-p))


def binary(count=40, size=12, seed=0, **told):
    """A linear model of two classes, inputs, their classes and distances to the boundary by l2."""
    rng = np.random.default_rng(seed)
    way, bias = rng.normal(size=size), 0.1
    told = {"low": -3, "high": 3, **told}
    spec = Spec((0, 1), (size,), **told)
    model = linear(np.stack([np.zeros(size), way]), np.array([0.0, bias]), spec)
    x = rng.normal(size=(count, size))
    ahead = (x @ way + bias) / np.linalg.norm(way)
    return model, x, (ahead > 0).astype(int), np.abs(ahead), way / np.linalg.norm(way)


def test_the_bound_is_where_so_many_hits_have_a_chance_of_alpha():
    n, alpha = 30, 0.001
    least = at_least(np.arange(n + 1), n, alpha)
    assert least[0] == 0
    for hits in range(1, n + 1):
        p = least[hits]
        tail = sum(math.comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(hits, n + 1))
        assert tail == pytest.approx(alpha, rel=1e-9)


def test_of_hits_alone_the_bound_is_a_root_of_alpha():
    for n in (20, 10_000, 100_000):
        assert at_least(np.array([n]), n, 0.001)[0] == pytest.approx(0.001 ** (1 / n), rel=1e-12)


@pytest.mark.parametrize("n", [20, 100, 1000])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_the_bound_covers_whatever_the_probability(n, alpha):
    hits = np.arange(n + 1)
    least = at_least(hits, n, alpha)
    # Coverage is worst where the probability is hardly below one of the bounds.
    worst = [p for bound in least[1 :: max(1, n // 50)] for p in (bound - 1e-9, bound + 1e-9)]
    covered = [chances(n, p)[least <= p].sum() for p in (*worst, 0.01, 0.5, 0.9, 0.999)]
    assert min(covered) >= 1 - alpha - 1e-6
    assert min(covered) == pytest.approx(1 - alpha, abs=1e-6)


def test_the_radius_by_the_exact_probability_is_the_margin():
    for sigma in (0.12, 0.25, 0.5, 1.0):
        margin = sigma * np.linspace(0.01, 4, 200)
        exact = special.ndtr(margin / sigma)
        np.testing.assert_allclose(radius_of(exact, sigma), margin, atol=1e-10)


@pytest.mark.parametrize("n", [100, 1000])
def test_an_estimated_radius_exceeds_the_margin_with_a_chance_of_alpha_at_most(n):
    sigma, alpha = 0.25, 0.001
    estimated = radius_of(at_least(np.arange(n + 1), n, alpha), sigma)
    exceeding = [
        chances(n, special.ndtr(margin / sigma))[estimated > margin].sum()
        for margin in np.linspace(0.001, 3.5 * sigma, 300)
    ]
    assert max(exceeding) <= alpha * (1 + 1e-9)
    assert max(exceeding) > alpha / 2


@pytest.mark.parametrize("units", [{}, {"low": 0, "high": 255, "mean": (100.0,), "std": (50.0,)}])
def test_of_a_linear_model_the_radius_is_hardly_below_the_margin(units):
    model, x, labels, margin, _ = binary(**units)
    sigma = 0.25
    if units:
        # The same in units of 1/50, of which 100 is the middle.
        x, margin, sigma = 100 + 50 * x, 50 * margin, 50 * sigma
    found = Smoothing(sigma, n=4000, alpha=1e-6).certify(model, x, streams(40))
    sure = found.prediction != ABSTAINS
    # By chance one in 25,000 seeds has a radius that is too large.
    assert (found.radius[sure] < margin[sure]).all()
    np.testing.assert_array_equal(found.prediction[sure], labels[sure])
    clear = (margin > 0.5 * sigma) & (margin < 2 * sigma)
    assert clear.sum() >= 10
    assert (found.radius[clear] > margin[clear] - 0.25 * sigma).all()
    assert (margin[~sure] < 0.15 * sigma).all()


def test_copies_have_the_deviation_that_was_said_and_are_not_cut():
    seen = []

    def noting(x):
        seen.append(x.copy())
        return np.stack([x[:, 0], -x[:, 0]], axis=1)

    model = FunctionModel(noting, Spec((0, 1), (50,), low=0, high=1))
    x = np.zeros((1, 50))
    Smoothing(0.3, n=4000, n0=10).certify(model, x, streams(1))
    noise = np.concatenate(seen)
    # 200,000 numbers: five standard errors of the mean, and of the deviation.
    assert abs(noise.mean()) < 5 * 0.3 / math.sqrt(noise.size)
    assert abs(noise.std() - 0.3) < 5 * 0.3 / math.sqrt(2 * noise.size)
    assert (noise < 0).mean() == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(noise.size))


def test_copies_that_choose_a_class_do_not_bound_its_probability():
    asked = []

    def turning(x):
        """Give class 1 to the first ten copies, class 0 to all others."""
        first = np.arange(len(asked), len(asked) + len(x)) < 10
        asked.extend(map(bytes, np.asarray(x)))
        return np.stack([~first, first], axis=1).astype(float)

    model = FunctionModel(turning, Spec((0, 1), (3,)))
    found = Smoothing(n=20, n0=10, alpha=0.01).certify(model, np.zeros((1, 3)), streams(1))
    assert len(asked) == len({*asked}) == 30
    # None of the fresh copies is of the class that was chosen.
    assert found.prediction[0] == ABSTAINS


def test_too_few_hits_abstain_and_that_is_never_right():
    model = FunctionModel(
        lambda x: np.stack([x[:, 0], 1 - x[:, 0]], axis=1), Spec((0, 1), (2,)), "coin"
    )
    x = np.full((5, 2), 0.5)
    found = Smoothing(n=1000).certify(model, x, streams(5))
    assert (found.prediction == ABSTAINS).all()
    assert np.isnan(found.radius).all()
    for label in range(2):
        assert not (found.prediction == label).any()


def test_in_the_log_abstaining_is_wrong_at_every_radius():
    model = linear(np.array([[5.0, 0.0], [0.0, 0.0]]), np.array([-2.5, 0.0]), Spec((0, 1), (2,)))
    x, labels = np.full((40, 2), 0.5), np.arange(40) % 2
    x[:8, 0] = labels[:8] == 0
    log = eh.probe(model, x, "certify.smoothing(sigma=0.05, n=200)", labels=labels)
    assert eh.estimate("certified_accuracy(r=0)", log).value == 8 / 40
    assert eh.estimate("certified_accuracy(r=0.08)", log).value == 8 / 40
    assert eh.estimate("certified_accuracy(r=1)", log).value == 0


def test_no_radius_exceeds_the_ceiling_that_is_told():
    model = FunctionModel(lambda x: np.tile([0.0, 1.0], (len(x), 1)), Spec((0, 1), (2,)), "one")
    for sigma, said in ((0.25, "0.8,"), (0.5, "1.6,")):
        certificate = Smoothing(sigma)
        found = certificate.certify(model, np.zeros((2, 2)), streams(2))
        ceiling = sigma * special.ndtri(0.001 ** (1 / 10_000))
        np.testing.assert_allclose(found.radius, ceiling, rtol=1e-12)
        whose, most = certificate.notes(model)
        assert f"no radius above {said}" in most
        assert "not one itself" in whose
        assert "confidence 0.999" in whose


def test_decisions_alone_are_refused_with_the_reason():
    model = FunctionModel(lambda x: x[:, 0] > 0, Spec((False, True), (3,), output="labels"))
    (problem,) = Smoothing().problems(model)
    assert "noise leaves the range" in problem.what
    assert Smoothing().problems(binary()[0]) == []


def test_probabilities_decide_as_logits_do():
    model, x, *_ = binary()

    def softmax(x):
        grown = np.exp(model.function(x))
        return grown / grown.sum(axis=1, keepdims=True)

    spec = Spec((0, 1), (12,), low=-3, high=3, output="probabilities")
    one, other = (
        Smoothing(n=500).certify(each, x, streams(40))
        for each in (model, FunctionModel(softmax, spec))
    )
    np.testing.assert_array_equal(one.radius, other.radius)


def test_whoever_runs_the_model_certifies_the_same(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from evenhand.models.onnx import OnnxModel

    (weights, bias), x = made_models.weights(), made_models.images(6)

    def scores(x):
        return np.asarray(x).reshape(len(x), -1) @ weights.T + bias

    spec, endpoint = made_models.image_spec(), made_models.Endpoint(scores, "npy")
    graph = made_models.graph(tmp_path / "linear.onnx")
    with made_models.served(endpoint):
        models = (
            linear(weights, bias, spec),
            OnnxModel(graph, spec),
            HttpModel(endpoint.address, spec, Way(form="npy", batch=256)),
        )
        one, *others = (Smoothing(n=500).certify(each, x, streams(6)) for each in models)
    assert np.isfinite(one.radius).sum() > 2
    for other in others:
        same(one, other)


def test_queries_are_counted():
    model, x, *_ = binary(7)
    certificate = Smoothing(n=300, n0=20)
    found = certificate.certify(model, x, streams(7))
    assert (found.queries == 320).all()
    assert model.queries == found.queries.sum() == 7 * certificate.most(model)


def test_nothing_to_certify():
    model, x, *_ = binary()
    found = Smoothing().certify(model, x[:0], [])
    assert len(found.prediction) == len(found.radius) == len(found.queries) == 0


def same(one, other):
    np.testing.assert_array_equal(one.prediction, other.prediction)
    np.testing.assert_array_equal(one.radius, other.radius)


@pytest.mark.parametrize("of", ["linear", pytest.param("torch", marks=pytest.mark.slow)])
def test_neighbours_order_and_parts_change_nothing(of):
    if of == "torch":
        pytest.importorskip("torch")
        model, (x, _) = TorchModel(network(), SPEC, device="cpu"), held_out(9)
    else:
        model, x, *_ = binary(9)
    certificate = Smoothing(n=400, n0=50)
    whole = certificate.certify(model, x, streams(9))
    assert len({*whole.radius.tolist()}) > 3
    for size in (1, 4):
        parts = [
            certificate.certify(model, x[i : i + size], streams(9)[i : i + size])
            for i in range(0, 9, size)
        ]
        joined = [np.concatenate([getattr(part, name) for part in parts]) for name in NAMES]
        np.testing.assert_array_equal(joined[0], whole.prediction)
        np.testing.assert_array_equal(joined[1], whole.radius)
    turned = certificate.certify(model, x[::-1], streams(9)[::-1])
    np.testing.assert_array_equal(turned.radius[::-1], whole.radius)
    same(whole, certificate.certify(model, x, streams(9)))


NAMES = ("prediction", "radius")


def test_copies_do_not_hang_on_how_many_are_held(monkeypatch):
    model, x, *_ = binary(5)
    whole = Smoothing(n=400).certify(model, x, streams(5))
    monkeypatch.setattr(smoothing, "_NUMBERS", 12 * 7)
    same(whole, Smoothing(n=400).certify(model, x, streams(5)))


def test_progress_grows_to_the_whole():
    model, x, *_ = binary(4)
    told = []
    Smoothing(n=20).certify(model, x, streams(4), progress=lambda _, share: told.append(share))
    assert told == [0.25, 0.5, 0.75, 1.0]


def test_certified_is_at_most_attacked_where_the_attack_is_exact():
    """The smoothed classifier of a linear model is the model, and its attack is a step along w."""
    model, x, labels, margin, way = binary(60, seed=3)
    labels[::7] = 1 - labels[::7]
    found = Smoothing(0.5, n=3000, alpha=1e-6).certify(model, x, streams(60))
    for r in (0.0, 0.1, 0.25, 0.5, 1.0, 1.5):
        certified = (found.prediction == labels) & (found.radius >= r)
        sign = np.where(labels == 1, 1, -1)[:, None]
        attacked = model.predict(np.clip(x - sign * r * way, -3, 3)) == labels
        # Of 60 radii at 1e-6 one is too large in 17,000 seeds.
        assert not (certified & ~attacked).any()
        assert certified.sum() <= attacked.sum()
    assert (margin > 0.5).any()


@pytest.fixture(scope="module")
def noisy():
    """Networks that were trained on noisy digits, by the deviation of the noise."""
    torch = pytest.importorskip("torch")
    known = {}

    def trained(sigma):
        if sigma not in known:
            x, y = (torch.as_tensor(part[:-300]) for part in images())
            with torch.random.fork_rng():
                torch.manual_seed(0)
                net = torch.nn.Sequential(
                    torch.nn.Conv2d(1, 8, 3, padding=1),
                    torch.nn.ReLU(),
                    torch.nn.MaxPool2d(2),
                    torch.nn.Conv2d(8, 16, 3, padding=1),
                    torch.nn.ReLU(),
                    torch.nn.Flatten(),
                    torch.nn.Linear(256, 10),
                )
                optimiser = torch.optim.Adam(net.parameters(), 3e-3)
                for _ in range(12):
                    for some in torch.randperm(len(x)).split(64):
                        near = x[some] + sigma * torch.randn_like(x[some])
                        optimiser.zero_grad()
                        torch.nn.functional.cross_entropy(net(near), y[some]).backward()
                        optimiser.step()
            known[sigma] = net.eval()
        return known[sigma]

    return trained


def smooth_attack(net, x, labels, *, sigma, eps, steps=8, copies=32):
    """Steps by l2 against the mean softmax over fixed noise (Salman et al. 2019), in plain torch.

    Nothing keeps it in the range of the inputs: the certificate does not, either.
    """
    import torch

    noise = sigma * torch.randn((copies, *x.shape), generator=torch.Generator().manual_seed(5))
    given, near = torch.as_tensor(x), torch.as_tensor(x).clone()
    for _ in range(steps):
        near.requires_grad_()
        mean = net((near + noise).flatten(0, 1)).softmax(1).unflatten(0, (copies, len(x))).mean(0)
        loss = -mean[torch.arange(len(x)), torch.as_tensor(labels)].log().sum()
        (slope,) = torch.autograd.grad(loss, near)
        step = slope / slope.flatten(1).norm(dim=1).clip(1e-12).reshape(-1, 1, 1, 1)
        change = near.detach() + 2.5 * eps / steps * step - given
        length = change.flatten(1).norm(dim=1).clip(1e-12)
        near = given + change * (eps / length).clip(max=1).reshape(-1, 1, 1, 1)
    return near.detach().numpy()


@pytest.mark.slow
def test_what_is_certified_resists_an_attack_on_the_smoothed_classifier(noisy):
    """Behind an attack within its radius a certified class still has at least half of the copies.

    Where its probability is 1/2 or more, less than 1/2 - 2.5 / sqrt(n) of n copies are of it with a
    chance below 3e-7 each. That the attack finds something is shown by an eps beyond the radii.
    """
    import torch

    sigma, n = 0.25, 2000
    net = noisy(sigma)
    model, (x, labels) = TorchModel(net, SPEC, device="cpu"), held_out(30)
    found = Smoothing(sigma, n=n, alpha=1e-5).certify(model, x, streams(30))
    right = found.prediction == labels
    draws = torch.Generator().manual_seed(9)

    def share(some, eps):
        """Of fresh copies of attacked examples, which share is of the certified class."""
        near = smooth_attack(net, x[some], found.prediction[some], sigma=sigma, eps=eps)
        got = np.empty(len(near))
        for place, one in enumerate(near):
            copies = torch.as_tensor(one) + sigma * torch.randn((n, 1, 8, 8), generator=draws)
            with torch.no_grad():
                said = net(copies).argmax(1).numpy()
            got[place] = (said == found.prediction[some][place]).mean()
        return got

    for r in (0.1, 0.25, 0.4):
        certified = np.flatnonzero(right & (found.radius >= r))
        assert len(certified) >= 5
        assert (share(certified, r) >= 1 / 2 - 2.5 / math.sqrt(n)).all()
        whole = np.flatnonzero(right)
        attacked = (share(whole, r) > 1 / 2).sum()
        assert len(certified) <= attacked
    assert (share(np.flatnonzero(right), 1.5) < 1 / 2).mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.25, 0.5])
def test_radii_of_digits_lie_where_draws_of_others_say_that_they_may(noisy, sigma):
    """Beside 10,000 draws of torch's own generator for each of 40 digits.

    A radius is above that by the true chance in at most one of 1,000 digits, so that four of 40 are
    with chance 1e-7. The bounds of the true chance fail with chance 1e-6 for each digit and side,
    and a count of hits below its 1e-6 quantile too: false alarms have a chance below 2e-4 in all.
    """
    torch = pytest.importorskip("torch")
    net, n, alpha, rare = noisy(sigma), 10_000, 0.001, 1e-6
    x, _ = held_out(40)
    found = Smoothing(sigma, n=n, alpha=alpha).certify(
        TorchModel(net, SPEC, device="cpu"), x, streams(40)
    )
    generator = torch.Generator().manual_seed(7)
    above = checked = 0
    for place, image in enumerate(torch.as_tensor(x)):
        noise = sigma * torch.randn((n, *image.shape), generator=generator)
        with torch.no_grad():
            counts = np.bincount(net(image + noise).argmax(1).numpy(), minlength=10)
        likeliest = int(counts.argmax())
        hits = int(counts[likeliest])
        low = beta.ppf(rare, hits, n - hits + 1)
        high = 1.0 if hits == n else beta.ppf(1 - rare, hits + 1, n - hits)
        fewest = binom.ppf(rare, n, low)
        least = sigma * norm.ppf(beta.ppf(alpha, fewest, n - fewest + 1))
        if low > 0.8:
            # So clear a class is chosen by 100 draws but for a chance of 1e-10.
            assert found.prediction[place] == likeliest
            assert found.radius[place] >= least
            checked += 1
        if found.prediction[place] == likeliest:
            above += found.radius[place] > sigma * norm.ppf(high)
    # Of enough digits that the lower end is looked at.
    assert checked >= 5
    assert above <= 3
    ceiling = sigma * norm.ppf(alpha ** (1 / n))
    assert np.nanmax(found.radius) <= ceiling + 1e-12
