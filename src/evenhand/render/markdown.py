"""A report as Markdown, for pull requests, model cards and wikis."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from evenhand.audit.evidence.bundle import Bundle
from evenhand.render.format import Format
from evenhand.render.numeral import interval_of, value_of
from evenhand.render.reading import Roles
from evenhand.render.section import Block, sections_of, sentence, title_of
from evenhand.render.table import Table, table_of
from evenhand.render.view import notes_of, reading_of, rules_view
from evenhand.stats.estimate import Undefined

SYMBOLS = {"pass": "\N{CHECK MARK}", "fail": "\N{MULTIPLICATION X}", "undecided": "?"}
"""A sign for each verdict, which is read without its colour."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~^$-])")


def markdown(bundle: Bundle) -> str:
    """Return the report of a bundle as Markdown."""
    rules, left = rules_view(bundle)
    parts = [f"# {escape(title_of(bundle))}", _verdict(bundle)]
    if rules:
        parts += [_rules(rules), *filter(None, [escape(left)])]
    parts.append("## Findings")
    for section in sections_of(bundle):
        parts += [f"### {escape(section.measure)}", escape(section.about)]
        if section.counted:
            parts.append(f"Here: {escape(section.counted)}.")
        for block in section.blocks:
            parts += block_of(block, bundle.plan.roles)
    made = f"Evenhand {bundle.version}, {bundle.created:%Y-%m-%d %H:%M} UTC, plan"
    parts += ["---", f"{escape(made)} {code(f'sha256:{bundle.plan.digest}')}"]
    return "\n\n".join(filter(None, parts)) + "\n"


FORMAT = Format("markdown", ".md", "For pull requests, model cards and wikis.", markdown)


def escape(text: object) -> str:
    """Return a text that Markdown shows as it is: on one line, no markup, no HTML.

    >>> escape("<b>*a|b*")
    '&lt;b&gt;\\\\*a\\\\|b\\\\*'
    """
    line = " ".join(str(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", line)


def code(text: object) -> str:
    r"""Return a text as code that also stands in a table, whatever it has of backticks and bars.

    >>> code("a `b`"), code("a|b")
    ('`` a `b` ``', '`a\\|b`')
    """
    line = " ".join(str(text).split()).replace("|", "\\|")
    longest = max(map(len, re.findall(r"`+", line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}" if longest else f"{fence}{line}{fence}"


def block_of(block: Block, roles: Roles) -> list[str]:
    """Return a block of findings."""
    rules = f" (rule {', '.join(block.rules)})" if block.rules else ""
    parts = [f"#### {escape(block.title + rules)}"]
    if block.is_family:
        parts += [code(block.lead.key), escape(" ".join(block.readings(roles)))]
    else:
        for one in block.findings:
            shown = "" if isinstance(one.outcome, Undefined) else _figure(one.outcome)
            parts.append(f"{code(one.key)}{shown}  \n{escape(reading_of(one, block, roles))}")
    table = table_of(block)
    if table is not None:
        parts += [grid(table.headings, table.rows, names=table.names), *_notes(table)]
    parts.append("\n".join(f"- {escape(note)}" for note in notes_of(block)))
    return parts


def _figure(outcome: Any) -> str:  # noqa: ANN401 - an outcome that is defined
    return f" **{escape(value_of(outcome))}** {escape(interval_of(outcome))}"


def _notes(table: Table) -> Iterable[str]:
    return [escape(note) for note in table.notes]


def grid(headings: Sequence[str], rows: Iterable[Sequence[str]], *, names: int) -> str:
    """Return a table; columns after the names are set flush right."""
    lines = [
        "| " + " | ".join(map(escape, headings)) + " |",
        "|" + "|".join("---" if i < names else "---:" for i in range(len(headings))) + "|",
    ]
    lines += ["| " + " | ".join(map(escape, row)) + " |" for row in rows]
    return "\n".join(lines)


def _verdict(bundle: Bundle) -> str:
    if bundle.verdict is None:
        return escape(sentence(bundle))
    mark = f"{SYMBOLS[bundle.verdict]} {bundle.verdict}"
    return f"**{escape(mark)}.** {escape(sentence(bundle))}"


def _rules(rules: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| verdict | rule | scope | finding | certainty | units that pass | units needed |",
        "|---|---|---|---|---:|---:|---:|",
    ]
    for one in rules:
        told = [escape(one["reason"]), *map(escape, one["undecided"])]
        if one["why"]:
            told.append(escape(f"Why this limit: {one['why']}"))
        if one["waiver"] is not None:
            waiver = one["waiver"]
            told.append(
                escape(f"Waived until {waiver.expires} by {waiver.owner}: {waiver.reason}")
            )
        cells = [
            escape(f"{SYMBOLS[one['verdict']]} {one['verdict']}"),
            f"**{escape(one['id'])}** {code(one['rule'])}",
            escape(one["scope"]),
            "<br>".join(told),
            *(escape(one[name]) for name in ("certainty", "pass_share", "units_needed")),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
