"""Write the pages that are generated from the code: ``make docs``. A test keeps them current."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from evenhand.audits.evidence.document import FINDINGS, RULES
from evenhand.audits.plan.plan import FORMAT, AuditPlan
from evenhand.cli.main import app, commands
from evenhand.measures.measure import Measure
from evenhand.measures.ranking import Ranking
from evenhand.measures.registry import own

HERE = Path(__file__).parent


def measures_page() -> str:
    """Return the tables of measures, of rows and of ranked lists, and the definition of each."""
    ordered = sorted(own().items(), key=lambda one: one[0].casefold())
    lists = [(name, cls) for name, cls in ordered if issubclass(cls, Ranking)]
    rows = [(name, cls) for name, cls in ordered if not issubclass(cls, Ranking)]
    lines = [
        "# Measures",
        "",
        "Written by `make docs` from the docstrings in `src/evenhand/measures/`.",
        "",
        "Each is shown with its parameters and their defaults. Those in brackets have none and may",
        "be left out, others with `...` may not. `@k` counts slots 1 to k; without it all count.",
        "",
        "## Of rows: decisions, scores, amounts",
        "",
        *_table(rows),
        "",
        "## Of ranked lists",
        "",
        "By the questions that they answer in [ranked lists](rankings.md#measures-by-question).",
        "",
        *_table(lists),
    ]
    for name, cls in ordered:
        text, _, example = (inspect.getdoc(cls) or "").partition(">>>")
        shown = ["```python", f">>>{example}".strip(), "```"]
        lines += ["", f"## {name}", "", _written(name, cls), "", text.strip(), "", *shown]
    return "\n".join(lines) + "\n"


def _table(of: Sequence[tuple[str, type[Measure]]]) -> list[str]:
    lines = ["| measure | needs | better | pillars | source |", "|---|---|---|---|---|"]
    for name, cls in of:
        needs, tags = ", ".join(cls.needs), ", ".join(cls.tags)
        better = cls.better or "neither"
        # Anchors of headings are in lower case.
        lines.append(f"| [`{name}`](#{name.lower()}) | {needs} | {better} | {tags} | {cls.cites} |")
    return lines


def _written(name: str, cls: type[Measure]) -> str:
    """Return how a measure is written, with its parameters and their defaults."""
    given, cut = [], ""
    for one in dataclasses.fields(cls):  # type: ignore[arg-type]
        if one.name == "k":
            cut = "@k"
        elif one.default is dataclasses.MISSING:
            given.append(f"{one.name}=...")
        elif one.default not in {None, ""}:
            given.append(f"{one.name}={one.default}")
        else:
            given.append(f"[{one.name}=...]")
    inside = f"({', '.join(given)})" if given else ""
    return f"`{name}{inside}{cut}`"


def cli_page() -> str:
    """Return the help text of every command."""
    lines = ["# The command line", "", "Written by `make docs` from the help texts."]
    environment = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    for command in commands():
        words = [*command.split(), "--help"]
        result = CliRunner().invoke(app, words, env=environment, prog_name="evenhand")
        shown = "\n".join(line.rstrip() for line in result.output.strip().splitlines())
        lines += ["", f"## evenhand {command}", "", "```", shown, "```"]
    return "\n".join(lines) + "\n"


def schema_page(name: str, schema: dict[str, Any]) -> str:
    """Return a published JSON Schema."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Evenhand {name}, format {FORMAT}",
    }
    return json.dumps({**schema, **head}, indent=2) + "\n"


def api_page() -> str:
    """Return the page about the API: its head as it stands, and the routes with their rights."""
    from evenhand.centre.api.access import Access
    from evenhand.centre.api.app import create_app
    from evenhand.centre.api.openapi import ways

    head, mark, _ = (HERE / "api.md").read_text(encoding="utf-8").partition(_ROUTES)
    # Nothing is asked of the centre.
    app = create_app(None, Access("none"))  # type: ignore[arg-type]
    lines = ["", "", "| | route | right | |", "|---|---|---|---|"]
    for way in ways(app):
        if way.listed:
            said = way.said.replace("``", "`").replace("|", "\\|")
            lines.append(f"| {way.method} | `{way.path}` | {way.right or 'public'} | {said} |")
    return head + mark + "\n".join(lines) + "\n"


_ROUTES = "<!-- What follows is written by `make docs` from the routes themselves. -->"

PAGES = {
    "api.md": api_page,
    "measures.md": measures_page,
    "cli.md": cli_page,
    "schema/audit-plan.json": lambda: schema_page("audit plan", AuditPlan.model_json_schema()),
    "schema/findings.json": lambda: schema_page("findings", FINDINGS.json_schema()),
    "schema/rules.json": lambda: schema_page("verdicts", RULES.json_schema()),
}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (HERE / name).parent.mkdir(exist_ok=True)
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
