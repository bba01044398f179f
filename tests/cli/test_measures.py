"""``evenhand measures``: every measure is listed and can be explained."""

from __future__ import annotations

import json
import sys

import pytest

from evenhand.cli.main import main
from evenhand.measures import registry


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["evenhand", "measures", *words])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return call


def test_the_list_names_every_measure_with_its_first_sentence(run):
    code, out, _ = run()
    assert code == 0
    for name in registry.measures():
        assert name in out
    assert "TP / (TP + FN)" in out


def test_the_list_says_how_to_compare_groups(run):
    assert "difference(selection_rate, by=group)" in run()[1]


def test_the_list_as_json_has_every_key_of_every_measure(run):
    code, out, _ = run("--json")
    assert code == 0
    entries = json.loads(out)["measures"]
    assert [entry["name"] for entry in entries] == [*registry.measures()]
    for entry in entries:
        assert set(entry) == {"name", "summary", "needs", "better", "tags", "cites", "package"}
        assert entry["summary"].endswith(".")
        assert entry["needs"]


def test_one_measure_is_explained_with_its_definition_and_citation(run):
    code, out, _ = run("true_positive_rate")
    assert code == 0
    assert "equal opportunity" in out
    assert "needs: label, prediction" in out
    assert "better: higher" in out
    assert "cites: Hardt et al. 2016" in out


def test_a_measure_without_a_direction_says_so(run):
    assert "better: neither" in run("selection_rate")[1]


def test_one_measure_as_json_has_its_definition(run):
    document = json.loads(run("selection_rate", "--json")[1])
    assert document["name"] == "selection_rate"
    assert document["needs"] == ["prediction"]
    assert document["better"] is None
    assert "demographic parity" in document["definition"]


def test_an_unknown_measure_is_suggested_and_exits_with_2(run):
    code, out, err = run("selction_rate")
    assert (code, out) == (2, "")
    assert "there is no measure 'selction_rate'" in err
    assert "Did you mean 'selection_rate'" in err


def test_an_error_as_json_has_the_shape_of_errors(run):
    code, out, err = run("selction_rate", "--json")
    assert (code, err) == (2, "")
    (error,) = json.loads(out)["errors"]
    assert set(error) == {"where", "what", "hint"}


def test_what_does_not_parse_exits_with_2(run):
    code, _, err = run("accuracy(")
    assert code == 2
    assert "does not parse" in err
