"""The docs say what the code does: generated pages are current, and nothing is left out."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

import evenhand
from evenhand.cli.main import commands, verbs
from evenhand.logs.kinds import kinds

ROOT = Path(__file__).parent.parent


def generated() -> dict:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PAGES


@functools.cache
def help_page() -> str:
    return generated()["cli.md"]()


@pytest.mark.parametrize("name", sorted(generated()))
def test_generated_page_is_current(name):
    assert (ROOT / "docs" / name).read_text() == generated()[name](), "run make docs"


@pytest.mark.parametrize("command", commands())
def test_every_command_has_json_and_an_example(command):
    text = help_page().partition(f"## evenhand {command}\n")[2].partition("\n## ")[0]
    assert "--json" in text
    assert "Example" in text


def test_every_verb_of_the_makefile_is_explained():
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    explained = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    assert sorted(phony.split()) == sorted(explained)


def test_every_verb_and_every_python_entry_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    missing = [verb for verb in verbs() if f"evenhand {verb}" not in readme]
    missing += [name for name in evenhand.__all__ if name[0] != "_" and f"eh.{name}(" not in readme]
    assert not missing


def test_every_role_is_a_flag_of_measure():
    source = (ROOT / "src" / "evenhand" / "cli" / "measure.py").read_text()
    (function,) = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == "measure"
    ]
    flags = {argument.arg for argument in function.args.kwonlyargs}
    roles = {role.name for kind in kinds().values() for role in kind.roles}
    # What a probe alone writes is a column of its name; of attributions that is all.
    assert roles - {*kinds()["attributions"].own} <= flags


def test_every_heavy_library_is_an_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    core = " ".join(project["dependencies"])
    for heavy in ("duckdb", "pyspark", "pyarrow", "pandas", "torch", "scikit-learn"):
        assert heavy not in core


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"])
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target
