"""Measures of other packages: found, or left out with the reason; nothing stops the rest."""

from __future__ import annotations

import json
import sys
import textwrap

import pytest

from evenhand.cli.main import main
from evenhand.errors import NotationError
from evenhand.measures import registry
from evenhand.measures.registry import measure_named, measures, plugins
from evenhand.notation import parse

MEASURE = """
from evenhand.measures import Sums, measure

@measure(needs=("prediction",), better=None, tags=("fairness",), cites="Nobody 2026", name="{name}")
class Mine(Sums):
    '''Share of rows selected; in [0, 1].'''
    def terms(self, log):
        return {{"rows": 1, "selected": log.prediction == 1}}
    def finalise(self, s):
        return s.share("selected", among="rows", empty="no rows")
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a package with one module and entry points on the path."""
    monkeypatch.syspath_prepend(tmp_path)
    modules = []

    def put(package, source, points, *, group="evenhand.measures", version="1.0"):
        module = package.replace("-", "_")
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        )
        lines = [f"{name} = {module}{target}" for name, target in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]))
        forget()

    yield put
    forget()
    for module in modules:
        sys.modules.pop(module, None)


def forget():
    """Let the registry look again."""
    registry.plugins.cache_clear()
    registry._installed.cache_clear()  # noqa: SLF001 - a process installs nothing while it runs


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["evenhand", *words])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 0
        return capsys.readouterr().out

    return call


def hint_of(name):
    with pytest.raises(NotationError) as caught:
        measure_named(parse(name))
    return caught.value.problems[0].hint


@pytest.mark.parametrize("target", ["", ":Mine"])
def test_a_module_or_a_class_joins_the_registry(install, target):
    install("more-measures", MEASURE.format(name="mine"), {"mine": target})
    assert str(measure_named(parse("mine"))) == "mine"
    assert [*measures()] == sorted(measures())


def test_an_imported_measure_of_ours_is_no_clash(install):
    source = MEASURE + "\nfrom evenhand.measures.decisions.confusion import SelectionRate"
    install("more-measures", source.format(name="mine"), {"mine": ""})
    (plugin,) = plugins()
    assert [cls.name for cls in plugin.classes] == ["mine"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_library_at_all", "ModuleNotFoundError"),
        ("raise RuntimeError('not today')", "not today"),
        ("raise SystemExit(3)", "SystemExit"),
        ("def half(:", "SyntaxError"),
        ("number = 1", "no class decorated"),
    ],
)
def test_a_plugin_that_brings_nothing_is_left_out_and_the_rest_works(install, source, said):
    install("broken-package", source, {"mine": ""})
    install("more-measures", MEASURE.format(name="other"), {"other": ""})
    assert {"accuracy", "other"} <= {*measures()}
    assert "mine" not in measures()
    assert "broken-package 1.0" in hint_of("mine")
    assert said in hint_of("mine")
    assert "evenhand doctor" in hint_of("mine")


def test_a_target_that_is_not_there_is_left_out(install):
    install("broken-package", "", {"mine": ":Absent"})
    assert "AttributeError" in hint_of("mine")


def test_a_name_that_is_ours_stays_ours(install):
    before = measures()["accuracy"]
    install("rival", MEASURE.format(name="accuracy"), {"accuracy": ""})
    assert measures()["accuracy"] is before
    assert "has a measure 'accuracy' of its own" in plugins()[0].reasons


def test_a_name_that_two_packages_claim_is_left_out_of_both(install):
    install("one-package", MEASURE.format(name="mine"), {"mine": ""})
    install("two-package", MEASURE.format(name="mine"), {"mine": ""})
    assert "mine" not in measures()
    assert "one-package 1.0 and two-package 1.0" in hint_of("mine")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('("prediction",)', '"prediction"', "not a tuple of roles"),
        ("better=None", 'better="big"', "better is 'big'"),
        ("cites=", "reads='letters', cites=", "reads is 'letters'"),
        ("def finalise", "def finalised", "does not define finalise"),
        ('("fairness",)', '"fairness"', "not a tuple of pillars"),
    ],
)
def test_a_class_that_is_no_measure_is_left_out(install, old, new, said):
    install("odd-package", MEASURE.format(name="mine").replace(old, new), {"mine": ""})
    assert "mine" not in measures()
    assert said in hint_of("mine")


def test_a_parameter_without_default_is_asked_for(install):
    source = MEASURE.replace("def terms", "cut: float\n    def terms")
    install("more-measures", source.format(name="mine"), {"mine": ""})
    with pytest.raises(NotationError, match="mine needs its parameter 'cut'"):
        measure_named(parse("mine"))
    assert str(measure_named(parse("mine(cut=2)"))) == "mine(cut=2)"


def test_doctor_says_what_each_plugin_brings_or_why_it_does_not(install, run):
    install("broken-package", "raise RuntimeError('not today')", {"mine": ""})
    install("more-measures", MEASURE.format(name="other"), {"other": ""})
    checks = {check["what"]: check for check in json.loads(run("doctor", "--json"))["checks"]}
    assert checks["plug-in other"]["ok"] is True
    assert checks["plug-in other"]["found"] == "more-measures 1.0: other"
    assert checks["plug-in mine"]["ok"] is False
    assert "not today" in checks["plug-in mine"]["hint"]


@pytest.mark.parametrize("what", ["probe", "mitigation"])
def test_doctor_lists_what_this_release_does_not_use_without_loading_it(install, run, what):
    install("early-package", "raise SystemExit", {"mine": ""}, group=f"evenhand.{what}s")
    checks = {check["what"]: check for check in json.loads(run("doctor", "--json"))["checks"]}
    assert checks[f"{what} mine"] == {
        "what": f"{what} mine",
        "ok": False,
        "found": "early-package 1.0: found, not used by this release",
        "hint": f"This release has no {what}s.",
    }


def test_the_list_of_measures_names_the_package_of_a_plugin(install, run):
    install("more-measures", MEASURE.format(name="mine"), {"mine": ""})
    entries = {entry["name"]: entry for entry in json.loads(run("measures", "--json"))["measures"]}
    assert entries["mine"]["package"] == "more-measures 1.0"
    assert entries["accuracy"]["package"] == "evenhand"
    assert "more-measures 1.0" in run("measures")
    assert "package: more-measures 1.0" in run("measures", "mine")
