"""Canonical JSON: one value, one text (RFC 8785), so that a digest of the text is one of the value.

A document is read only in this form: that alone refuses repeated keys, white space, NaN and
numbers that another reader would take for something else.
"""

from __future__ import annotations

import hashlib
import json
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


def parse(data: bytes, name: str) -> Any:  # noqa: ANN401 - any JSON
    """Return the value of a canonical text.

    Raises:
        BundleError: It is no canonical JSON.

    """
    try:
        value = json.loads(data.decode("utf-8"), parse_int=_number)
        again = _written(value)
    except (ValueError, RecursionError, OverflowError) as error:
        raise BundleError(Problem(name, f"it is not JSON: {_said(error)}.", AGAIN)) from error
    if again != data:
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
