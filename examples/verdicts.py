"""Run every example and write its verdict into the table of README.md.

EVENHAND_DATA=/path/to/data python examples/verdicts.py
"""  # noqa: INP001 - a folder of examples is no package

from __future__ import annotations

import math
from pathlib import Path

import evenhand
from evenhand.audits.plan.file import open_plan
from evenhand.audits.run import run

FOLDER = Path(__file__).parent
START, END = "<!-- verdicts -->\n", "<!-- end of verdicts -->\n"


def table() -> str:
    """Return the verdicts of all examples as a Markdown table, a row for every rule and scope."""
    lines = [
        "| example | gate | rule | scope | verdict | pass for |",
        "|---|---|---|---|---|---|",
    ]
    for plan in sorted(FOLDER.glob("*.yaml")):
        bundle = run(open_plan(plan), version=evenhand.__version__)
        for place, rule in enumerate(bundle.rules):
            first = (f"[{plan.stem}]({plan.name})", f"**{bundle.verdict}**")
            name, verdict = ("", "") if place else first
            share = (
                "" if rule.pass_share is None else f"{math.floor(1000 * rule.pass_share) / 10:g} %"
            )
            cells = (name, verdict, f"`{rule.rule}`", rule.scope, rule.verdict, share)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def written(text: str) -> str:
    """Return a page with the table between its marks."""
    before, _, rest = text.partition(START)
    return before + START + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    readme = FOLDER / "README.md"
    readme.write_text(written(readme.read_text()))
