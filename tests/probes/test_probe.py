"""What a probe is: read from notation, checked against a model, with its cost."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.errors import ModelError, NotationError
from evenhand.models.function import FunctionModel, linear
from evenhand.models.spec import Spec
from evenhand.probes.written import probe_of

SPEC = Spec(labels=(0, 1), shape=(3,))


def weights():
    return linear(np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 0.5]]), np.array([0.0, 0.1]), SPEC)


def test_eps_and_norm_are_read_inside_the_attack_or_beside_it():
    inside = probe_of("attack.pgd(eps=0.1, norm=l2, steps=7)")
    assert inside == probe_of("pgd(steps=7)", eps=0.1, norm="l2")
    (variant,) = inside.variants
    assert (variant.name, variant.what.norm, variant.what.eps) == ("l2 0.1", "l2", 0.1)


def test_fractions_keep_the_name_by_which_people_know_them():
    probe = probe_of("attack.pgd", eps=["8/255", "4 / 255"], norm=["linf", "l2"])
    assert [one.name for one in probe.variants] == [
        *("linf 8/255", "linf 4/255", "l2 8/255", "l2 4/255")
    ]
    assert probe.variants[0].what.eps == 8 / 255


def test_same_threat_written_twice_is_one_variant():
    assert len(probe_of("attack.pgd", eps=["0.1", "1/10", 0.1]).variants) == 1


def test_several_eps_inside_the_notation():
    assert [one.name for one in probe_of("attack.pgd(eps=[0.1, 0.2])").variants] == [
        *("linf 0.1", "linf 0.2")
    ]


@pytest.mark.parametrize(
    ("written", "how", "said"),
    [
        ("attack.pgd", {}, "There is no eps"),
        ("attack.pgd(eps=0.1)", {"eps": 0.2}, "Say it once"),
        ("attack.pdg", {"eps": 0.1}, "Did you mean 'pgd'"),
        ("attack.pgd(step_count=3)", {"eps": 0.1}, "no parameter 'step_count'"),
        ("attack.pgd(", {"eps": 0.1}, "does not parse"),
    ],
)
def test_what_cannot_be_meant_is_refused(written, how, said):
    with pytest.raises(NotationError, match=said):
        probe_of(written, **how)


def test_every_wrong_eps_is_told_at_once():
    with pytest.raises(ModelError) as caught:
        probe_of("attack.pgd", eps=["a", "-1", "1/0"])
    assert len(caught.value.problems) == 3


def test_unknown_norm_is_refused():
    with pytest.raises(ModelError, match="There are: linf, l2"):
        probe_of("attack.pgd", eps=0.1, norm="l7")


def test_seed_below_zero_is_refused():
    with pytest.raises(ModelError, match="whole number from 0"):
        probe_of("attack.pgd", eps=0.1, seed=-1)


def test_model_without_gradients_is_refused_and_the_alternative_named():
    model = FunctionModel(lambda x: np.c_[x[:, 0], x[:, 1]], SPEC)
    with pytest.raises(ModelError, match=r"attack\.square"):
        probe_of("attack.pgd", eps=0.1).check(model)


def test_eps_in_the_units_of_another_range_is_refused_with_all_else():
    model = FunctionModel(lambda x: np.c_[x[:, 0], x[:, 1]], SPEC)
    with pytest.raises(ModelError) as caught:
        probe_of("attack.pgd", eps=[8, 0.1]).check(model)
    assert [problem.where for problem in caught.value.problems] == ["attack.pgd", "eps"]


def test_cost_is_the_most_that_examples_can_ask():
    probe = probe_of("attack.pgd(steps=10)", eps=[0.1, 0.2])
    model = weights()
    most = probe.most(model, 50)
    rng = np.random.default_rng(0)
    x = rng.random((50, 3))
    labels = model.predict(x)
    before = model.queries
    for variant in probe.variants:
        model.predict(x)
        probe.method.attack.run(model, x, labels, variant.what, np.random.default_rng(1))
    assert 0 < model.queries - before <= most
