"""GitHub Flavored Markdown of text that is none: marks in names of groups are only text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_MARKS = re.compile(r"([\\`*_\[\]|<>~#])")
_SPACE = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")


def plain(text: str) -> str:
    r"""Return text on one line in which Markdown and HTML see no marks.

    >>> print(plain("a|b *c*"))
    a\|b \*c\*
    >>> print(plain("<b>\n@team & co"))
    &lt;b&gt; &#64;team &amp; co
    """
    one_line = _SPACE.sub(" ", text).strip().replace("&", "&amp;")
    escaped = _MARKS.sub(lambda found: _ENTITIES.get(found[1], f"\\{found[1]}"), one_line)
    # A name such as @team would notify people where a summary is read as a comment.
    return re.sub(r"(?<!\w)@", "&#64;", escaped)


_ENTITIES = {"<": "&lt;", ">": "&gt;"}


def code(text: object) -> str:
    r"""Return a text as code that also stands in a table, whatever it has of backticks and bars.

    >>> code("a `b`"), code("a|b")
    ('`` a `b` ``', '`a\\|b`')
    """
    line = " ".join(str(text).split()).replace("|", "\\|")
    longest = max(map(len, re.findall(r"`+", line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}" if longest else f"{fence}{line}{fence}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0) -> str:
    """Return a table; its cells are Markdown already.

    Args:
        headings: The heading of each column.
        rows: The cells of each row.
        numbers: How many columns, counted from the last, are numbers and stand to the right.

    """
    sides = ["---"] * (len(headings) - numbers) + ["---:"] * numbers
    lines = [headings, sides, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bullets(lines: Iterable[str]) -> str:
    """Return a list; its lines are Markdown already."""
    return "\n".join(f"- {line}" for line in lines)
