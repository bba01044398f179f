"""Names on one line that can be read: no sign that is not seen, and no more than people read."""

from __future__ import annotations

_LONGEST = 90
_JOINERS = "\u200c\u200d"
"""Signs without a width that some scripts and emoji need."""


def legible(text: str) -> str:
    r"""Return a text on one line, with signs that cannot be seen replaced by one that can.

    A control character has no place in a picture, and one that turns the direction of writing
    could make a name look like another.

    >>> legible("a\x1b[31mb\nc") == "a\N{REPLACEMENT CHARACTER}[31mb c"
    True
    """
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(map(_seen, line))


def cut(text: str, longest: int = _LONGEST) -> str:
    """Return a legible text, without its middle where it is too long.

    >>> cut("a" * 50 + "b" * 50, 9)
    'aaaa…bbbb'
    """
    line = legible(text)
    if len(line) <= longest:
        return line
    half = (longest - 1) // 2
    return f"{line[:half]}\N{HORIZONTAL ELLIPSIS}{line[-half:]}"


def sized(count: int) -> str:
    """Return a number of bytes as people read it.

    >>> sized(1_234_567)
    '1.2 MB'
    """
    size, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:  # noqa: PLR2004 - SI prefixes
        size /= 1000
        units.pop(0)
    return f"{size:.1f} {units[0]}" if units[0] != "bytes" else f"{count} bytes"


def visible(value: str) -> str:
    r"""Return a value of a group so that it is seen: one of spaces alone too, and ends of lines.

    >>> visible(""), visible("   "), visible("a\nb")
    ('"" (blank)', '" " (blank, 3 spaces)', 'a\\nb')
    """
    if value.strip():
        return "".join(_ENDS.get(sign, sign) for sign in value)
    spaces = f", {len(value):,} spaces" if len(value) > 1 else ""
    return f'"{value[:1] and " "}" (blank{spaces})'


_ENDS = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v", "\f": r"\f"}


def _seen(sign: str) -> str:
    return sign if sign.isprintable() or sign in _JOINERS else "\N{REPLACEMENT CHARACTER}"
