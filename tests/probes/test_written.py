"""Every kind of probe is read from one notation; what belongs to another kind is refused."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.errors import ModelError, NotationError
from evenhand.models.function import linear
from evenhand.models.spec import Spec
from evenhand.probes.written import probe_of

SPEC = Spec(labels=(0, 1), shape=(3, 3), layout="HW")


def model_of():
    weights = np.vstack([np.zeros(9), np.linspace(-1, 1, 9)])
    return linear(weights, np.zeros(2), SPEC)


def names(probe):
    return [one.name for one in probe.variants]


def test_fractions_stand_in_the_notation_as_people_write_them():
    inside = probe_of("attack.pgd(eps=[8/255, 0.1], steps=7)")
    assert names(inside) == ["linf 8/255", "linf 0.1"]
    assert inside == probe_of("attack.pgd(steps=7)", eps=["8/255", "0.1"])


def test_corruptions_at_each_severity():
    assert names(probe_of("corrupt.fog(severity=[1, 3])")) == ["fog 1", "fog 3"]
    assert names(probe_of("corrupt.fog", severity=2)) == ["fog 2"]
    common = probe_of("corrupt.common")
    assert len(common.variants) == 15 * 5
    assert common.method.name == "corrupt.common"


def test_several_values_are_several_certificates():
    probe = probe_of("certify.smoothing(sigma=[0.25, 0.5], n=200)")
    assert names(probe) == [
        "l2 smoothing(n=200)" if sigma == 0.25 else f"l2 smoothing(sigma={sigma}, n=200)"
        for sigma in (0.25, 0.5)
    ]


def test_certificate_beside_an_attack():
    probe = probe_of("attack.pgd(eps=0.1, certificate=ibp)")
    assert probe == probe_of("attack.pgd", eps=0.1, certificate="certify.ibp")
    assert "certify.ibp" in probe.method.name


@pytest.mark.parametrize(
    ("written", "how", "said"),
    [
        ("corrupt.fog", {"eps": 0.1}, "takes no eps"),
        ("certify.ibp", {"eps": 0.1}, "how far none can"),
        ("certify.ibp", {"severity": 3}, "takes no severity"),
        ("attack.pgd(eps=0.1)", {"severity": 3}, "takes no severity"),
        ("corrupt.fgo", {}, "fog"),
        ("certify.ipb", {}, "ibp"),
        ("corrupt.fog(radius=3)", {}, "radius"),
        ("explore.fog", {}, "no kind of probe 'explore'"),
        ("corrupt.fog(severity=1)", {"severity": 2}, "Say it once"),
        ("corrupt.fog(baseline=net)", {}, "--baseline MODEL"),
        ("attack.pgd(start=maybe, eps=0.1)", {}, "start=maybe is neither true nor false"),
        ("attack.hop(stop=1, eps=0.1)", {}, "stop=1 is neither true nor false"),
        ("certify.smoothing(sigma=[])", {}, "sigma has no value"),
        ("attack.pgd(eps=0.1, certificate=[ibp, smoothing])", {}, "it has 2 certificates"),
    ],
)
def test_what_cannot_be_meant_is_refused(written, how, said):
    with pytest.raises(NotationError, match=said):
        probe_of(written, **how)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("attack.pgd(step=x)", "pgd: step=x is no share"),
        ("attack.square(area=x)", "square: area=x is no share"),
        ("attack.square(area=true)", "square: area=true is no share"),
        ("attack.fgsm(loss=dlrr)", "fgsm: loss=dlrr is none of"),
        ("certify.ibp(halvings=100000)", "from 1 to 60"),
    ],
)
def test_parameters_of_another_type_or_size_are_refused(written, said):
    with pytest.raises(ModelError, match=said):
        probe_of(written, eps=0.1 if written.startswith("attack") else ())


@pytest.mark.parametrize("severity", [0, 6, True, "three", 2.5, 3.0])
def test_severities_are_whole_numbers_from_1_to_5(severity):
    with pytest.raises(ModelError, match="from 1 to 5"):
        probe_of("corrupt.fog", severity=severity)


def test_certificate_of_another_classifier_is_none_beside_an_attack():
    with pytest.raises(ModelError, match="another classifier"):
        probe_of("attack.pgd", eps=0.1, certificate="certify.smoothing").check(model_of())


def test_certificate_by_another_norm_is_refused():
    with pytest.raises(ModelError, match="linf alone"):
        probe_of("attack.pgd", eps=0.1, norm="l2", certificate="certify.ibp").check(model_of())
