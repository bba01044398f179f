"""Run every example and write its verdict into the table of README.md.

EVENHAND_DATA=/path/to/data python examples/verdicts.py
"""  # noqa: INP001 - a folder of examples is no package

from __future__ import annotations

import importlib.util
import math
import os
import tempfile
from pathlib import Path
from types import ModuleType

import evenhand
from evenhand.audits.plan.file import open_plan
from evenhand.audits.run import run

FOLDER = Path(__file__).parent
PREPARED = ("coat_recommender", "movielens_recommender", "trec_tables")
START, END = "<!-- verdicts -->\n", "<!-- end of verdicts -->\n"


def module(name: str) -> ModuleType:
    """Return an example that prepares data."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(name)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def prepare(data: Path, folder: Path) -> None:
    """Write what the plans read besides the data: lists of recommenders, tables of new names."""
    for name in PREPARED:
        module(name).write(data, folder)


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
    with tempfile.TemporaryDirectory() as lists:
        os.environ["EVENHAND_LISTS"] = lists
        prepare(Path(os.environ["EVENHAND_DATA"]), Path(lists))
        readme.write_text(written(readme.read_text()))
