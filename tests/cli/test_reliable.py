"""``evenhand audit --reliable``: a pass by an attack that is doubted is no pass."""

from __future__ import annotations

import pytest

import probed

RULE = ("--rule", "robust_accuracy >= 0.3")


@pytest.mark.parametrize(
    ("flags", "asks", "status"),
    [
        ([probed.trust("linf 0.1")], ["--reliable"], 0),
        ([probed.trust("linf 0.1", raised=True)], ["--reliable"], 3),
        (None, ["--reliable"], 3),
        (None, [], 0),
    ],
)
def test_the_status_of_the_gate_rests_on_the_attack(evenhand, tmp_path, flags, asks, status):
    log = probed.log(tmp_path / "a.parquet", ["linf 0.1"], flags)
    asked = ["--measure", "robust_accuracy", *RULE, "--gate", *asks]
    found, text, _ = evenhand("audit", str(log), "--kind", "perturbed", *asked)
    assert found == status
    assert ("By its figure alone it would pass" in " ".join(text.split())) == (status == 3)


def test_without_a_rule_there_is_nothing_that_could_ask(evenhand, tmp_path):
    log = probed.log(tmp_path / "a.parquet", ["linf 0.1"])
    status, _, error = evenhand("audit", str(log), "--kind", "perturbed", "--reliable")
    assert status == 2
    assert "--reliable: it is about rules, and there are none" in " ".join(error.split())


def test_rows_that_come_from_no_attack_cannot_ask(evenhand, plan):
    path = plan()
    path.write_text(path.read_text().replace("{id: gap,", "{id: gap, reliable: true,"))
    status, out, error = evenhand("check", path)
    assert status == 2
    told = " ".join(f"{out} {error}".split())
    assert "audit.yaml:10 gate[0].reliable: rows of kind 'decisions' come from no attack" in told
