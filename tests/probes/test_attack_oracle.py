"""Attacks beside those of other libraries, on the same network from the same start."""

from __future__ import annotations

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


@pytest.mark.slow
def test_all_in_turn_find_what_one_restart_of_pgd_does_not():
    """On adversarially trained digits the union is at least 3 points below PGD-100."""
    x, labels = held_out(200)
    threat, gaps = Threat("linf", 0.2), []
    for seed in (0, 1):
        net = network(seed=seed, eps=0.2, epochs=25)
        pgd = ours("pgd(steps=100)", net, x, labels, threat=threat, seed=seed)
        union = ours("auto(queries=2000)", net, x, labels, threat=threat, seed=seed)
        gaps.append(union.broken.mean() - pgd.broken.mean())
    assert np.mean(gaps) >= 0.03


@pytest.mark.slow
def test_apgd_is_as_strong_as_that_of_torchattacks():
    torchattacks = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    (x, labels), net = held_out(200), network(eps=0.2, epochs=25)
    attack = torchattacks.APGD(net, norm="Linf", eps=0.2, steps=100, n_restarts=1, seed=0)
    near = attack(torch.tensor(x), torch.tensor(labels))
    broken = (net(near).argmax(1).numpy() != labels).mean()
    found = ours("apgd", net, x, labels, threat=Threat("linf", 0.2)).broken.mean()
    assert found >= broken - 0.01
