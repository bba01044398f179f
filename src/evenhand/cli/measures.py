"""``evenhand measures``: what can be measured, or one measure explained."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from evenhand.cli import flags
from evenhand.cli.output import show


def measures(
    name: Annotated[
        str | None, typer.Argument(help="The measure to explain.", show_default=False)
    ] = None,
    *,
    as_json: flags.AsJson = False,
) -> None:
    """List the measures and contrasts, or explain one.

    [bold]Example[/bold]

      evenhand measures true_positive_rate
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from evenhand.audits.contrasts import contrasts as known_contrasts
    from evenhand.audits.question import ALIASES, ALIASES_OF_ITEMS
    from evenhand.measures import registry
    from evenhand.measures.plugin import owners
    from evenhand.notation import Term, parse

    known, packages = registry.measures(), owners(registry.plugins())
    if name is not None:
        # A bare name is explained also where its parameters must be given.
        term = parse(name)
        if term.name in known_contrasts():
            contrast = known_contrasts()[term.name]
            said = {
                "name": contrast.name,
                "definition": inspect.getdoc(type(contrast)) or "",
                "convention": contrast.convention,
                "example": contrast.example,
            }
            show(Text("\n".join(map(str, said.values()))), said, as_json=as_json)
            return
        bare = known.get(term.name) if term == Term(term.name) else None
        chosen = bare or type(registry.measure_named(term))
        entry = _entry(chosen, packages)
        body = inspect.getdoc(chosen) or ""
        facts = [
            f"{key}: {', '.join(value) if isinstance(value, list) else value or 'neither'}"
            for key, value in entry.items()
            if key not in {"name", "summary"}
        ]
        shown = Group(
            Text(chosen.name, style="bold"), Text(body), Text(), Text("\n".join(facts), "dim")
        )
        show(shown, entry | {"definition": body}, as_json=as_json)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("measure", "needs", "better", "what it is"):
        # Few measures need much, and what they are is what is looked for.
        table.add_column(heading, max_width=_NEEDS if heading == "needs" else None)
    if packages:
        table.add_column("package")
    entries = [_entry(cls, packages) for cls in known.values()]
    for entry in entries:
        needs, better = ", ".join(entry["needs"]), entry["better"] or "neither"
        table.add_row(
            *(entry["name"], needs, better, Text(entry["summary"])),
            *([entry["package"]] if packages else []),
        )
    contrasts = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("contrast", "what it is"):
        contrasts.add_column(heading)
    conventions = {one.example: one.convention for one in known_contrasts().values()}
    for example, convention in conventions.items():
        contrasts.add_row(example, convention)
    for alias, expansion in ALIASES.items():
        contrasts.add_row(f"{alias}(by=GROUP)", f"stands for {expansion.format(by='GROUP')}")
    of_items = {
        alias: f"{contrast}({name}, of={{of}})"
        for alias, (contrast, name) in ALIASES_OF_ITEMS.items()
    }
    for alias, expansion in of_items.items():
        contrasts.add_row(f"{alias}(of=GROUP)", f"stands for {expansion.format(of='GROUP')}")
    aliases = {**ALIASES, **of_items}
    document = {"measures": entries, "contrasts": conventions, "aliases": aliases}
    show(Group(table, Text(), contrasts), document, as_json=as_json)


_NEEDS = 30
"""Characters of a line of roles."""


def _entry(cls: Any, packages: Mapping[str, str]) -> dict[str, Any]:  # noqa: ANN401 - a class
    return {
        "name": cls.name,
        "summary": (inspect.getdoc(cls) or "").partition("\n")[0],
        "needs": list(cls.needs),
        "better": cls.better,
        "tags": list(cls.tags),
        "cites": cls.cites,
        "package": packages.get(cls.name, "evenhand"),
    }
