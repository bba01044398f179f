"""Attacks beside those of other libraries, on the same network from the same start."""

from __future__ import annotations

import functools
import os
import warnings

import numpy as np
import pytest

from digits import SPEC, held_out, network
from evenhand.models.torch import TorchModel
from evenhand.probes.attack.registry import read
from evenhand.probes.threat import Threat

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def foolbox():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("foolbox")


def ours(attack, net, x, labels, *, threat, seed=0):
    model = TorchModel(net, SPEC, device="cpu")
    return read(attack).run(model, x, labels, threat, np.random.default_rng(seed))


def theirs(foolbox, attack, net, x, labels, *, eps):
    model = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
    _, near, broken = attack(model, torch.tensor(x), torch.tensor(labels), epsilons=eps)
    return near.numpy(), broken.numpy()


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.05), ("linf", 0.1), ("l2", 0.5)])
def test_pgd_finds_at_least_what_foolbox_finds(foolbox, norm, eps):
    (x, labels), net = held_out(150), network()
    kind = foolbox.attacks.LinfPGD if norm == "linf" else foolbox.attacks.L2PGD
    attack = kind(steps=20, abs_stepsize=2.5 * eps / 20, random_start=False)
    _, broken = theirs(foolbox, attack, net, x, labels, eps=eps)
    found = ours("pgd(steps=20, start=false)", net, x, labels, threat=Threat(norm, eps))
    assert 0.1 < broken.mean() < 0.9
    # Theirs looks at the last iterate alone; an example that left it again is ours only.
    assert not (broken & ~found.broken).any()
    assert found.broken.sum() - broken.sum() <= 0.02 * len(x)


def test_one_step_is_that_of_foolbox(foolbox):
    (x, labels), net = held_out(150), network()
    attack = foolbox.attacks.LinfFastGradientAttack()
    _, broken = theirs(foolbox, attack, net, x, labels, eps=0.1)
    found = ours("fgsm", net, x, labels, threat=Threat("linf", 0.1))
    np.testing.assert_array_equal(found.broken, broken)


@pytest.mark.parametrize(("norm", "name"), [("l2", "DDNAttack"), ("linf", "LInfFMNAttack")])
def test_smallest_changes_are_as_small_as_those_of_foolbox(foolbox, norm, name):
    (x, labels), net = held_out(100), network()
    attack = getattr(foolbox.attacks, name)(steps=100)
    near, broken = theirs(foolbox, attack, net, x, labels, eps=None)
    threat = Threat(norm, 1.0 if norm == "linf" else 7.9)
    found = ours("fmn", net, x, labels, threat=threat)
    assert broken.all()
    assert found.broken.all()
    assert np.median(found.distance) <= 1.05 * np.median(threat.distance(near, x))


NETWORKS = int(os.environ.get("EVENHAND_NETWORKS", "1"))
"""Adversarially trained networks, each from a seed of its own; CI looks at the first of 5."""

TRAINED = Threat("linf", 0.2)


def resisting(broken):
    """Percent that resist."""
    return 100 * (1 - np.mean(broken))


@functools.cache
def trained(seed):
    """A network trained on PGD at linf 0.2, what of 150 images resists here, and what they are."""
    (x, labels), net = held_out(150), network(seed=seed, eps=0.2, epochs=25)
    found = {
        name: resisting(ours(attack, net, x, labels, threat=TRAINED, seed=seed).broken)
        for name, attack in {"pgd": "pgd(steps=100)", "union": "auto(queries=500)"}.items()
    }
    return net, x, labels, found


@pytest.mark.slow
def test_all_in_turn_find_what_one_restart_of_pgd_does_not():
    """Where networks are trained on PGD the union is at least 3 points below PGD-100."""
    found = [trained(seed)[3] for seed in range(NETWORKS)]
    assert np.mean([one["pgd"] - one["union"] for one in found]) >= 3


@pytest.mark.slow
def test_all_in_turn_find_no_less_than_pgd_of_foolbox(foolbox):
    eps = TRAINED.eps
    for seed in range(NETWORKS):
        net, x, labels, found = trained(seed)
        attack = foolbox.attacks.LinfPGD(steps=100, abs_stepsize=2.5 * eps / 100)
        torch.manual_seed(seed)
        _, broken = theirs(foolbox, attack, net, x, labels, eps=eps)
        assert found["union"] <= resisting(broken)


@pytest.fixture(scope="module")
def torchattacks():
    return pytest.importorskip("torchattacks", reason="torchattacks is not installed")


@pytest.mark.slow
def test_all_in_turn_are_as_strong_as_those_of_torchattacks(torchattacks):
    """The mean is at most 1 point above that of their ensemble of as many steps and queries."""
    gaps = []
    for seed in range(NETWORKS):
        net, x, labels, found = trained(seed)
        shared = {"norm": "Linf", "eps": TRAINED.eps, "n_restarts": 1, "seed": seed}
        attack = torchattacks.MultiAttack(
            [
                torchattacks.APGD(net, steps=100, **shared),
                torchattacks.APGDT(net, steps=100, n_classes=10, **shared),
                torchattacks.Square(net, n_queries=500, **shared),
            ]
        )
        near = attack(torch.tensor(x), torch.tensor(labels)).detach()
        broken = net(near).argmax(1).numpy() != labels
        assert TRAINED.holds(near.numpy(), x, SPEC).all()
        gaps.append(found["union"] - resisting(broken))
    assert np.mean(gaps) <= 1


@pytest.mark.slow
def test_apgd_is_as_strong_as_that_of_torchattacks(torchattacks):
    """Both begin at random, so that means of four beginnings on 300 images are compared."""
    gaps = []
    for seed in range(NETWORKS):
        (x, labels), net = held_out(300), trained(seed)[0]
        for start in range(4):
            attack = torchattacks.APGD(net, eps=TRAINED.eps, steps=100, n_restarts=1, seed=start)
            near = attack(torch.tensor(x), torch.tensor(labels)).detach()
            broken = net(near).argmax(1).numpy() != labels
            found = ours("apgd", net, x, labels, threat=TRAINED, seed=start)
            gaps.append(resisting(found.broken) - resisting(broken))
    assert np.mean(gaps) <= 1
