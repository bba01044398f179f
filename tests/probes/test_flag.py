"""Flags: what is planted in a network raises its own, and a sound network raises none."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from digits import SPEC, held_out, network, without_torch
from evenhand.models.function import FunctionModel
from evenhand.models.spec import Spec
from evenhand.models.torch import TorchModel
from evenhand.probes.attack.registry import read
from evenhand.probes.flag import judge, most_judged
from evenhand.probes.threat import Threat

torch = pytest.importorskip("torch")

THREAT = Threat("linf", 0.1)


class Masked(torch.nn.Module):
    """A network with something done to its inputs and its outputs."""

    def __init__(self, net, before=lambda x: x, behind=lambda z: z):
        super().__init__()
        self.net, self.before, self.behind = net, before, behind

    def forward(self, x):
        return self.behind(self.net(self.before(x)))


def noisy(z):
    return z + torch.randn(z.shape, generator=GENERATOR)


GENERATOR = torch.Generator().manual_seed(0)

MASKS = {
    "zero_gradients": {"behind": lambda z: z * 1e4},
    "black_box": {"before": lambda x: torch.round(x * 8) / 8},
    "probabilities": {"behind": lambda z: torch.softmax(z, 1)},
    "random_output": {"behind": noisy},
}


def judged(model, attack, count=80, *, threat=THREAT, seed=0, **told):
    x, labels = held_out(count)
    rng = np.random.default_rng(seed)
    return judge(read(attack), model, x, labels, threat, rng=rng, **told)


def raised(trust):
    return {flag.name for flag in trust.flags if flag.raised}


@pytest.mark.parametrize("flag", MASKS)
def test_a_planted_mask_raises_its_flag(flag):
    model = TorchModel(Masked(network(), **MASKS[flag]), SPEC, device="cpu")
    trust = judged(model, "pgd(steps=20)")
    assert trust.verdict == "not reliable"
    assert flag in raised(trust)


def test_a_sound_network_raises_none():
    trust = judged(TorchModel(network(), SPEC, device="cpu"), "pgd(steps=20)")
    assert trust.verdict == "reliable"
    assert {flag.raised for flag in trust.flags} == {False}
    assert trust.examples == 80


@pytest.mark.slow
@pytest.mark.parametrize("flag", MASKS)
def test_a_planted_mask_raises_its_flag_whatever_attacks_it(flag):
    model = TorchModel(Masked(network(), **MASKS[flag]), SPEC, device="cpu")
    assert flag in raised(judged(model, "auto", 40))


NETWORKS = int(os.environ.get("EVENHAND_NETWORKS", "1"))
"""Networks of each kind that are judged; 5 judges all ten, in about three minutes."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(NETWORKS))
@pytest.mark.parametrize("trained", [0.0, 0.2])
def test_sound_networks_raise_none(seed, trained):
    net = network(seed=seed, eps=trained, epochs=25)
    eps = 0.2 if trained else 0.1
    model = TorchModel(net, SPEC, device="cpu")
    trust = judged(model, "auto", 200, threat=Threat("linf", eps), seed=seed)
    assert trust.verdict == "reliable", [flag.text for flag in trust.flags if flag.raised]


@pytest.mark.slow
def test_the_verdict_belongs_to_the_attack():
    x4 = TorchModel(Masked(network(), behind=lambda z: z * 1e4), SPEC, device="cpu")
    by_ce = judged(x4, "pgd(steps=20)")
    by_margin = judged(x4, "pgd(steps=20, loss=margin)")
    assert {"black_box", "unbounded"} <= raised(by_ce)
    assert raised(by_margin) == {"zero_gradients"}


@pytest.mark.slow
def test_groups_have_flags_of_their_own():
    # Only images whose first row is dark are masked: their gradient is lost.
    class Half(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network()

        def forward(self, x):
            dark = x[:, 0, 0].sum(dim=1) < 1.0
            return torch.where(dark[:, None], self.net(torch.round(x * 8) / 8), self.net(x))

    x, _ = held_out(150)
    # No change within reach of this threat takes a clear image into the mask.
    groups = np.where(x[:, 0, 0].sum(axis=1) < 1.0 + 8 * 0.08, "masked", "clear")
    trust = judged(
        TorchModel(Half(), SPEC, device="cpu"),
        "pgd(steps=20)",
        150,
        threat=Threat("linf", 0.08),
        groups=groups.tolist(),
    )
    told = {one["group"]: one for one in trust.as_json()["groups"]}
    assert told["masked"]["verdict"] == "not reliable"
    assert "zero_gradients" in told["masked"]["raised"]
    assert told["clear"]["verdict"] == "reliable"


def test_one_step_that_beats_many_is_told():
    # Twenty steps so short that they go nowhere.
    trust = judged(TorchModel(network(), SPEC, device="cpu"), "pgd(step=0.001, start=false)")
    assert "one_step" in raised(trust)
    assert "unbounded" in raised(trust)


def test_more_effort_that_finds_more_is_told():
    trust = judged(
        TorchModel(network(), SPEC, device="cpu"), "pgd(steps=3, step=0.15, start=false)"
    )
    assert "effort" in raised(trust)


def test_random_changes_that_find_more_are_told():
    # Six queries of a search by scores, on a network that falls to noise.
    trust = judged(
        TorchModel(network(), SPEC, device="cpu"), "square(queries=1)", threat=Threat("linf", 0.4)
    )
    assert "noise" in raised(trust)


def test_declared_randomness_is_told():
    spec = Spec(SPEC.labels, SPEC.shape, layout="CHW", stochastic=True)
    trust = judged(TorchModel(network(), spec, device="cpu"), "fgsm", 20)
    assert "random_output" in raised(trust)


def test_without_gradients_some_flags_are_not_judged_and_it_is_said():
    trust = judged(without_torch(network()), "square(queries=50)", 20)
    unknown = {flag.name: flag.text for flag in trust.flags if flag.raised is None}
    assert {*unknown} == {"zero_gradients", "black_box", "one_step"}
    assert {*unknown.values()} == {"not judged: no attack of the set uses gradients."}


def stubborn(offers):
    """A model that nothing breaks, so that everything is tried to the end."""
    spec = Spec(tuple(range(5)), (6,), output="labels" if offers == "decisions" else "logits")
    if offers == "decisions":
        return FunctionModel(lambda x: np.zeros(len(x), int), spec)
    if offers == "scores":
        return FunctionModel(lambda x: np.tile(np.eye(5)[0], (len(x), 1)), spec)
    net = torch.nn.Linear(6, 5)
    with torch.no_grad():
        net.weight.zero_()
        net.bias.copy_(torch.arange(5.0).flip(0))
    return TorchModel(net, spec, device="cpu")


@pytest.mark.parametrize(
    ("attack", "offers"),
    [
        ("fgsm", "vjp"),
        ("pgd(steps=5, restarts=2, loss=margin, targets=2)", "vjp"),
        ("apgd(steps=8)", "vjp"),
        ("fmn(steps=30)", "vjp"),
        ("square(queries=30)", "vjp"),
        ("square(queries=30)", "scores"),
        ("hop(steps=2, probes=10)", "decisions"),
        ("auto(steps=10, queries=1500)", "vjp"),
        ("auto(steps=10, queries=60)", "scores"),
        ("auto", "decisions"),
    ],
)
def test_what_it_can_cost_is_told_beforehand(attack, offers):
    model = stubborn(offers)
    x = np.random.default_rng(0).random((8, 6)).astype(np.float32)
    judge(
        read(attack), model, x, np.zeros(8, int), Threat("linf", 0.1), rng=np.random.default_rng(0)
    )
    each = model.queries / 8
    # Hop gives up where it finds no way into a wrong class.
    least = 0.0 if "decisions" in offers or attack.startswith("auto(steps=10, queries=60") else 0.85
    assert least * most_judged(read(attack), model) <= each <= most_judged(read(attack), model)


def test_more_effort_goes_to_those_that_came_nearest():
    # Of 120 on a line the nearest 50 are left, and one more step breaks the nearest of them alone.
    spec = Spec((0, 1), (1,), low=0, high=10)
    net = torch.nn.Linear(1, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[1.0], [0.0]]))
        net.bias.copy_(torch.tensor([0.0, 1.0]))
    x = 1 + np.linspace(0.12, 5, 120, dtype=np.float32)[:, None]
    model = TorchModel(net, spec, device="cpu")
    attack = read("pgd(steps=1, step=0.5, start=false)")
    labels = np.zeros(120, int)
    told = judge(attack, model, x, labels, Threat("linf", 0.2), rng=np.random.default_rng(0))
    (effort,) = (flag for flag in told.flags if flag.name == "effort")
    # Half of eps is reached by one step, all of it by two.
    assert effort.count == int(((x[:, 0] - 1 > 0.1) & (x[:, 0] - 1 < 0.2)).sum())


def test_same_seed_same_trust_and_it_can_be_kept():
    model = TorchModel(network(), SPEC, device="cpu")
    one, other = (judged(model, "pgd(steps=5)", size=30) for _ in range(2))
    assert one == other
    told = json.loads(json.dumps(one.as_json()))
    assert told["examples"] == 30
    assert {flag["name"] for flag in told["flags"]} >= {"effort", "noise", "black_box"}
