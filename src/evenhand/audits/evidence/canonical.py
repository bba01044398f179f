"""Canonical JSON: one value, one text (RFC 8785), so that a digest of the text is one of the value.

A document is read only in this form: that alone refuses repeated keys, white space, NaN and
numbers that another reader would take for something else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import rfc8785

from evenhand.errors import BundleError, OutputError, Problem

_EXACT = 2**53
"""From here on JSON, whose numbers are 64-bit floats, does not tell all whole numbers apart."""


def canonical(value: object, name: str) -> bytes:
    """Return the one text of a value.

    Args:
        value: Mappings, sequences and plain values.
        name: What it is, for messages.

    Raises:
        OutputError: It holds a number that JSON cannot keep, or text that is no Unicode.

    """
    try:
        return _written(value)
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        what = f"it cannot be kept as canonical JSON: {_said(error)}."
        raise OutputError(Problem(name, what)) from error


def parse(data: bytes, name: str, *, again: bool = False) -> Any:  # noqa: ANN401 - any JSON
    """Return the value of a canonical text.

    Args:
        data: The text.
        name: What it is, for messages.
        again: Whether these bytes were read before, so that they are canonical.

    Raises:
        BundleError: It is no canonical JSON.

    """
    try:
        if again:
            return json.loads(data, parse_int=_number)
        reading = _Reading()
        value = json.loads(
            data.decode("utf-8"),
            parse_int=reading.whole,
            parse_float=reading.fraction,
            object_pairs_hook=reading.mapping,
        )
        if reading.canonical and _TOKENS.fullmatch(data):
            return value
        # Not shown to be canonical at a glance: written again, it is the same or it is not.
        written = _written(value)
    except (ValueError, RecursionError, OverflowError) as error:
        raise BundleError(Problem(name, f"it is not JSON: {_said(error)}.", AGAIN)) from error
    if written != data:
        what = "it is not canonical JSON (RFC 8785), the only form that is read."
        raise BundleError(Problem(name, what, AGAIN))
    return value


AGAIN = "Get the file again from whoever wrote it, or repeat the audit: evenhand audit PLAN."


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of bytes.

    >>> digest_of(b"")[:19]
    'sha256:e3b0c44298fc'
    """
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


_TOKENS = re.compile(
    rb"""(?: [][{},:] | true | false | null | -?+[0-9][0-9.e+-]*+
    | "(?: [^"\\\x00-\x1f]++ | \\["\\bfnrt] | \\u00(?: 0[0-7bef] | 1[0-9a-f]) )*+" )*+""",
    re.VERBOSE,
)
"""No white space, and strings as canonical JSON writes them; which tokens follow, JSON says."""


class _Reading:
    """What of a text is not shown to be canonical while it is read: numbers, and order of keys.

    It is four times faster than writing the text again, and in doubt says no.
    """

    def __init__(self) -> None:
        self.canonical = True
        self._shapes = set[tuple[str, ...]]()

    def whole(self, text: str) -> int | float:
        value = _number(text)
        if str(value) != text:
            self._compare(value, text)
        return value

    def fraction(self, text: str) -> float:
        value = float(text)
        # Where Python writes no exponent and some fraction, JSON writes the same shortest digits.
        if repr(value) != text or text.endswith(".0") or "e" in text:
            self._compare(value, text)
        return value

    def mapping(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        keys = tuple(found)
        if len(keys) != len(pairs) or keys not in self._shapes:
            # UTF-16 orders as code points do, but for letters that few keys have.
            in_order = [*keys] == sorted(keys) and "".join(keys).isascii()
            self.canonical = self.canonical and in_order and len(keys) == len(pairs)
            self._shapes.add(keys)
        return found

    def _compare(self, value: float, text: str) -> None:
        try:
            same = _written(value) == text.encode()
        except (ValueError, OverflowError):
            same = False
        self.canonical = self.canonical and same


def _written(value: object) -> bytes:
    return rfc8785.dumps(_exact(value))


def _exact(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return the value with whole numbers beyond 2^53 as the floats that they are in JSON."""
    if isinstance(value, bool | str | float) or value is None:
        return value
    if isinstance(value, int):
        if abs(value) < _EXACT:
            return value
        near = float(value)
        if int(near) != value:
            raise ValueError(f"JSON does not keep the number {str(value)[:30]} exactly")
        return near
    if isinstance(value, Mapping):
        return {key: _exact(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(inner) for inner in value]
    raise TypeError(f"JSON has no {type(value).__name__}")


def _number(text: str) -> int | float:
    """Return a whole number, as the float that it is in JSON from 2^53 on."""
    return int(text) if len(text) < len(str(_EXACT)) else _large(float(text))


def _large(value: float) -> int | float:
    return int(value) if abs(value) < _EXACT else value


def _said(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start:,} is no UTF-8"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
