"""``evenhand doctor``: what works here, and the line that adds what does not."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from importlib.metadata import PackageNotFoundError

import pytest

import evenhand
from evenhand.cli import doctor
from evenhand.cli.main import main


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["evenhand", "doctor", *words])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 0
        return capsys.readouterr().out

    return call


def _checks(run):
    return {check["what"]: check for check in json.loads(run("--json"))["checks"]}


def _hide(monkeypatch, package):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == package else found(name, *rest),
    )


def test_each_check_says_what_was_found(run):
    checks = _checks(run)
    for check in checks.values():
        assert set(check) == {"what", "ok", "found", "hint"}
        assert check["ok"] or check["hint"]
    assert {"engine polars", "engine duckdb", "engine spark", "kinds", "measures"} <= {*checks}
    assert checks["evenhand"]["found"].startswith(evenhand.__version__)
    assert (
        checks["kinds"]["found"]
        == "attributions, decisions, perturbed, recommendation, regression, search"
    )


def test_the_text_has_a_line_for_each_check(run):
    names = [*_checks(run)]
    lines = run().splitlines()
    assert len(lines) == len(names)
    for name, line in zip(names, lines, strict=True):
        assert line.split()[0] in {"ok", "--"}
        assert name in line


@pytest.mark.parametrize(("engine", "package"), [("duckdb", "duckdb"), ("spark", "pyspark")])
def test_an_engine_that_is_missing_comes_with_the_line_that_installs_it(
    run, monkeypatch, engine, package
):
    _hide(monkeypatch, package)
    check = _checks(run)[f"engine {engine}"]
    assert check["ok"] is False
    assert check["found"] == "not installed"
    assert check["hint"] == f"pip install 'evenhand[{engine}]'"


def test_the_line_that_installs_an_engine_is_printed_whole(run, monkeypatch):
    # Square brackets are markup to the library that prints tables.
    _hide(monkeypatch, "duckdb")
    assert "pip install 'evenhand[duckdb]'" in run()


def test_what_models_need_comes_with_the_line_that_installs_it(run, monkeypatch):
    def absent(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(doctor, "version", absent)
    monkeypatch.setattr("evenhand.logs.backend.installed", lambda _engine: False)
    checks = _checks(run)
    for what, extra in (
        ("torch models", "torch"),
        ("ONNX models", "onnx"),
        ("image files", "images"),
        ("attributions", "explain"),
        ("Shapley of trees", "explain"),
    ):
        assert checks[what]["ok"] is False
        assert checks[what]["hint"] == f"pip install 'evenhand[{extra}]'"


def test_where_modules_are_asked_is_told_and_what_is_wrong_with_it(run, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setenv("EVENHAND_DEVICE", "cpu")
    assert _checks(run)["torch device"]["found"] == "cpu"
    monkeypatch.setenv("EVENHAND_DEVICE", "elsewhere")
    check = _checks(run)["torch device"]
    assert check["ok"] is False
    assert "EVENHAND_DEVICE" in check["hint"]
    _hide(monkeypatch, "torch")
    assert "torch device" not in _checks(run)


def test_torch_that_is_broken_is_told_beside_all_else(run, monkeypatch):
    pytest.importorskip("torch")

    def broken(_said):
        raise OSError("libcudart.so.12: cannot open shared object file")

    monkeypatch.setattr("evenhand.models.device.device_of", broken)
    checks = _checks(run)
    assert checks["torch device"]["ok"] is False
    assert "libcudart" in checks["torch device"]["found"]
    assert checks["evenhand"]["ok"]


def test_spark_without_java_says_so(run, monkeypatch):
    pytest.importorskip("pyspark")
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    check = _checks(run)["engine spark"]
    assert check["ok"] is False
    assert "no Java" in check["found"]
    assert check["hint"] == "Install Java 17 or newer."
