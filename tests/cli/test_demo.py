"""``evenhand demo``: a planted gap is found, and real decisions where they are present."""

from __future__ import annotations

import json
import sys

import pytest

from evenhand.cli.main import main


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["evenhand", "demo", *words])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 0
        return capsys.readouterr().out

    return call


@pytest.fixture
def without_data(monkeypatch, tmp_path):
    monkeypatch.setenv("EVENHAND_DATA", str(tmp_path))


@pytest.mark.usefixtures("without_data")
def test_the_planted_gap_lies_in_its_interval(run):
    document = json.loads(run("--json"))
    (planted,) = document["planted"].values()
    assert planted == pytest.approx(0.1)
    gap = document["simulated"][0]
    assert gap["key"] == "difference(false_positive_rate, by=group)"
    assert gap["low"] <= planted <= gap["high"]
    assert gap["low"] > 0


@pytest.mark.usefixtures("without_data")
def test_what_is_alike_is_not_called_a_gap(run):
    document = json.loads(run("--json"))
    assert document["simulated"][1]["low"] == 0
    assert "no gap is shown" in run()


@pytest.mark.usefixtures("without_data")
def test_units_are_the_creators_and_not_their_videos(run):
    gap = json.loads(run("--json"))["simulated"][0]
    # The rows of a false positive rate are the videos that should have stayed.
    assert gap["units"] == 800
    assert 800 < gap["rows"] < 16_000


@pytest.mark.usefixtures("without_data")
def test_one_seed_gives_one_answer_and_another_seed_another(run):
    first, again, other = run("--json"), run("--json"), run("--json", "--seed", "2")
    assert first == again
    assert first != other


@pytest.mark.usefixtures("without_data")
def test_absent_data_is_said_and_not_an_error(run):
    assert "EVENHAND_DATA names the folder" in run()
    assert "real" not in json.loads(run("--json"))


def test_real_decisions_are_audited_where_present(run, data, monkeypatch):
    monkeypatch.setenv("EVENHAND_DATA", str(data))
    false_positives, false_negatives = json.loads(run("--json"))["real"]
    assert false_positives["value"] == pytest.approx(0.21392, abs=1e-3)
    rates = {group["group"]["race"]: group["value"] for group in false_negatives["groups"]}
    # ProPublica 2016: labelled lower risk, yet did re-offend.
    assert rates == pytest.approx({"African-American": 0.2799, "Caucasian": 0.4772}, abs=1e-3)
