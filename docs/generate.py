"""Write the pages that are generated from the code: ``make docs``. A test keeps them current."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from evenhand.audits.evidence.document import FINDINGS, RULES
from evenhand.audits.plan.plan import FORMAT, AuditPlan
from evenhand.cli.main import app, verbs
from evenhand.measures.registry import own

HERE = Path(__file__).parent


def measures_page() -> str:
    """Return the table of measures and the definition of each."""
    lines = [
        "# Measures",
        "",
        "Written by `make docs` from the docstrings in `src/evenhand/measures/`.",
        "",
        "| measure | needs | better | pillars | source |",
        "|---|---|---|---|---|",
    ]
    for name, cls in sorted(own().items()):
        needs, tags = ", ".join(cls.needs), ", ".join(cls.tags)
        better = cls.better or "neither"
        lines.append(f"| [`{name}`](#{name}) | {needs} | {better} | {tags} | {cls.cites} |")
    for name, cls in sorted(own().items()):
        text, _, example = (inspect.getdoc(cls) or "").partition(">>>")
        shown = ["```python", f">>>{example}".strip(), "```"]
        lines += ["", f"## {name}", "", text.strip(), "", *shown]
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """Return the help text of every verb."""
    lines = ["# The command line", "", "Written by `make docs` from the help texts."]
    environment = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    for verb in verbs():
        result = CliRunner().invoke(app, [verb, "--help"], env=environment, prog_name="evenhand")
        shown = "\n".join(line.rstrip() for line in result.output.strip().splitlines())
        lines += ["", f"## evenhand {verb}", "", "```", shown, "```"]
    return "\n".join(lines) + "\n"


def schema_page(name: str, schema: dict[str, Any]) -> str:
    """Return a published JSON Schema."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Evenhand {name}, format {FORMAT}",
    }
    return json.dumps({**schema, **head}, indent=2) + "\n"


PAGES = {
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
