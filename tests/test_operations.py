"""What whoever runs a centre is told to write: every command exists, and nothing is secret."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from evenhand.cli.main import app

ROOT = Path(__file__).parent.parent
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


_BLOCK = re.MULTILINE | re.DOTALL
_MISUSED = typer.BadParameter.__bases__[0]


def told(page: str) -> list[list[str]]:
    """The words of every command in the code of a page."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / page).read_text(), _BLOCK)
    code = "\n".join(text for language, text in blocks if not language)
    lines = code.replace("\\\n", " ").splitlines()
    found = [shlex.split(line, comments=True) for line in lines if line.startswith("evenhand ")]
    return [words[1 : words.index(">") if ">" in words else None] for words in found]


def parse(words: list[str]) -> None:
    """Read a command line as the command does, and run nothing."""
    command = typer.main.get_command(app)
    context = command.make_context("evenhand", [*words])
    while hasattr(command, "commands"):
        name, command, words = command.resolve_command(context, words)
        context = command.make_context(name, [*words], parent=context)


@pytest.mark.parametrize("page", ["docs/operations.md", "docs/centre.md"])
def test_every_command_that_a_page_tells_is_one(page):
    commands = told(page)
    assert len(commands) > 4
    for words in commands:
        try:
            parse(words)
        except _MISUSED as error:
            pytest.fail(f"{page}: evenhand {shlex.join(words)}: {error}")


def test_a_command_that_does_not_exist_is_found():
    for words in (["centre", "tokens"], ["centre", "check", "--fast"], ["serve", "--port", "x"]):
        with pytest.raises(_MISUSED):
            parse(words)


@pytest.mark.parametrize("service", ["centre", "worker"])
def test_services_run_commands_that_exist(service):
    words = [
        re.sub(r"\$\{.*\}", "https://x.example", one)
        for one in COMPOSE["services"][service]["command"]
    ]
    parse(words)


def test_the_image_runs_a_command_that_exists_and_not_as_root():
    parse(yaml.safe_load(re.search(r"^CMD (.*)", DOCKERFILE, re.MULTILINE)[1]))
    (user,) = re.findall(r"^USER (\d+)", DOCKERFILE, re.MULTILINE)
    assert int(user) > 0


def test_no_password_stands_in_what_is_deployed():
    for name, service in COMPOSE["services"].items():
        assert not [key for key in service["environment"] if re.search("PASSWORD$", key)], name
        assert "database_password" in service["secrets"]
    assert ":" not in COMPOSE["x-evenhand"]["environment"]["EVENHAND_DATABASE"].split("//")[1]


def test_only_this_machine_reaches_what_speaks_no_tls():
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_alerts_are_about_metrics_that_exist():
    source = "".join(
        (ROOT / "src/evenhand/centre/operations" / name).read_text()
        for name in ("metrics.py", "holding.py")
    )
    rules = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text())["groups"][0]["rules"]
    page = (ROOT / "docs" / "operations.md").read_text()
    names = {one for rule in rules for one in re.findall(r"evenhand_\w+", rule["expr"])}
    assert len(names) > 4
    for name in names:
        stem = re.sub(r"_(total|bucket|timestamp_seconds)$", "", name)
        assert stem in source or stem.removeprefix("evenhand_") in source, name
        assert re.sub("_bucket$", "", name) in page, name
