"""A report as LaTeX tables with booktabs, for papers: one document that compiles as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evenhand.audits.evidence.bundle import Bundle
from evenhand.render.course import about_curves, courses_in, curve_tables
from evenhand.render.format import Format
from evenhand.render.overview import TITLE as SIDE_BY_SIDE
from evenhand.render.overview import Overview, compared_in, overview_of
from evenhand.render.reading import Roles
from evenhand.render.rule import LIMITS, rules_view, sentence
from evenhand.render.section import Block, shown_sections, title_of
from evenhand.render.table import Table, table_of
from evenhand.render.view import notes_of, reading_of, warnings_of
from evenhand.render.wording import summary
from evenhand.stats.estimate import Outcome, Undefined

_HEAD = r"""% The tables need the packages below and the command \evenhandsign.
\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[margin=25mm]{geometry}
\usepackage{booktabs, longtable, array, iftex}
% Signs that pdfLaTeX has no font for are written as their number; other engines set them.
\newcommand{\evenhandsign}[1]{\ifPDFTeX[U+#1]\else\symbol{"#1}\fi}
\setlength{\emergencystretch}{3em}
\begin{document}
"""

_SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_\allowbreak{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "-": r"{-}",
    "*": r"{*}",
    "[": r"{[}",
    "]": r"{]}",
    "\N{EN DASH}": r"\textendash{}",
    "\N{MINUS SIGN}": r"\ensuremath{-}",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{MIDDLE DOT}": r"\textperiodcentered{}",
}
"""What each sign is written as. Brackets and stars stand in braces, where they are no option."""

_PLAIN = re.compile(r"[ -~\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff]")
"""Signs that every engine sets: ASCII and the letters of Latin-1."""


def latex(bundle: Bundle) -> str:
    """Return the report of a bundle as a LaTeX document."""
    parts = [_HEAD, rf"\section*{{{escape(title_of(bundle))}}}"]
    verdict = rf"\textbf{{{bundle.verdict}.}} " if bundle.verdict else ""
    parts.append(rf"\noindent {verdict}{escape(sentence(bundle))}")
    rules, left = rules_view(bundle)
    if rules:
        rows = [_rule(one) for one in rules]
        headings = ("verdict", "rule", "scope", "what must hold", "finding", "units needed")
        widths = ("0.1", "0.11", "0.1", "0.24", "0.25", "0.08")
        parts.append(tabular(headings, rows, names=6, widths=widths, caption="Rules"))
        parts += [escape(left), escape(LIMITS)]
    courses, sections = courses_in(bundle), shown_sections(bundle)
    parts += _side_by_side(overview_of(bundle, sections))
    for section in sections:
        parts += [rf"\subsection*{{{escape(section.measure)}}}", escape(section.about)]
        parts.append(escape(about_curves(section, courses)))
        for one in curve_tables(section, courses):
            table, caption = one.table, f"{section.measure}, {one.title}"
            parts.append(tabular(table.headings, _cells(table), names=table.names, caption=caption))
            said = " ".join((*table.notes, one.said))
            parts.append(rf"{{\footnotesize\noindent {escape(said)}\par}}")
        for title, table in compared_in(section, courses):
            caption = f"{section.measure}, {title}"
            parts.append(tabular(table.headings, _cells(table), names=table.names, caption=caption))
            parts.append(rf"{{\footnotesize\noindent {escape(' '.join(table.notes))}\par}}")
        for block in section.blocks:
            parts += block_of(block, bundle.plan.roles)
    return "\n\n".join(filter(None, parts)) + "\n\n\\end{document}\n"


_COLUMNS = 4
"""Measures that stand beside each other in a table; of more there are several tables."""


def _side_by_side(one: Overview | None) -> list[str]:
    """Return what every variant is worth, as many measures in a table as have room."""
    if one is None:
        return []
    parts = [rf"\subsection*{{{SIDE_BY_SIDE}}}"]
    for table in one.tables(_COLUMNS):
        columns = len(table.headings) - 1
        widths = ("0.24", *(f"{0.62 / columns:.2f}" for _ in range(columns)))
        rows = _cells(table)
        names = len(table.headings)
        parts.append(
            tabular(table.headings, rows, names=names, widths=widths, caption=SIDE_BY_SIDE)
        )
    told = " ".join((*(f"{text}." for text in one.asked), *one.notes))
    return [*parts, rf"{{\footnotesize\noindent {escape(told)}\par}}" if told else ""]


def _rule(one: Mapping[str, Any]) -> tuple[str, ...]:
    told = [one["reason"], *one["undecided"]]
    if one["waiver"]:
        told.append(f"waived {one['waiver']}")
    names = (one["verdict"], one["id"], one["scope"])
    return (
        *map(escape, names),
        _breaking(one["rule"]),
        *map(escape, ("; ".join(told), one["units_needed"])),
    )


FORMAT = Format("latex", ".tex", "Tables for papers, with booktabs.", latex)


def escape(text: object) -> str:
    r"""Return a text that LaTeX sets as it is, whatever signs it has.

    >>> escape("50% of a_b")
    '50\\% of a\\_\\allowbreak{}b'
    """
    line = " ".join(str(text).split())
    return "".join(_SIGNS.get(sign) or _sign(sign) for sign in line)


def code(text: str) -> str:
    r"""Return a notation in letters of one width, with places at which its line may break.

    >>> code("worst(a, by=b)")
    '\\texttt{worst(\\allowbreak{}a, by=\\allowbreak{}b)}'
    """
    return rf"\texttt{{{_breaking(text)}}}"


def _breaking(text: str) -> str:
    return re.sub(r"[(=]", lambda found: rf"{found[0]}\allowbreak{{}}", escape(text))


def _sign(sign: str) -> str:
    return sign if _PLAIN.fullmatch(sign) else rf"\evenhandsign{{{ord(sign):04X}}}"


def block_of(block: Block, roles: Roles) -> list[str]:
    """Return a block: its figures in sentences, and its table."""
    table = table_of(block)
    told = [rf"\paragraph{{{escape(block.title)}}}"]
    if block.is_family:
        told.append(rf"{code(block.lead.key)} {escape(' '.join(block.readings(roles)))}")
    else:
        told += [
            rf"{code(one.key)}: {_figure(one.outcome)}"
            rf"{escape(reading_of(one, block, roles))}"
            for one in block.findings
        ]
    notes = [*(table.notes if table else ()), *notes_of(block)]
    if table is not None:
        caption = f"{block.lead.measure}, {block.title}"
        told.append(tabular(table.headings, _cells(table), names=table.names, caption=caption))
    told += [rf"\textbf{{{escape(text)}}}" for text in warnings_of(block)]
    told.append(rf"{{\footnotesize\noindent {escape('; '.join(notes))}\par}}")
    return told


def _cells(found: Table) -> list[tuple[str, ...]]:
    return [tuple(map(escape, row)) for row in found.rows]


def _figure(outcome: Outcome) -> str:
    return "" if isinstance(outcome, Undefined) else f"{escape(summary(outcome))}. "


def tabular(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    names: int,
    caption: str,
    widths: Sequence[str] = (),
) -> str:
    """Return a table that may run over pages.

    Cells are LaTeX already; columns after the names are set flush right.
    """
    columns = (
        "".join(rf">{{\raggedright\arraybackslash}}p{{{width}\textwidth}}" for width in widths)
        or "l" * names
    )
    columns += "r" * (len(headings) - names)
    lines = [
        r"{\small\sloppy\setlength{\tabcolsep}{4pt}",
        rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}",
        rf"\caption{{{escape(caption)}}}\\",
        r"\toprule",
        " & ".join(map(escape, headings)) + r" \\",
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endlastfoot",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\end{longtable}}",
    ]
    return "\n".join(lines)
