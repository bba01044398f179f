"""Canonical JSON: exactly those texts are read that another library writes."""

from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from evenhand.audits.evidence.canonical import canonical, parse
from evenhand.errors import BundleError

NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text() | st.sampled_from(
    ["\x00", "\x1f", "\x7f", "\b\f\n\r\t", '"\\/', "€", "\U0001f600"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)

MARKS = rb'{}[]:,"\ 0123456789.+-eE' + b"abfnrtu\n\t\x00\x7f"


@given(VALUES)
def test_what_another_library_writes_is_read(value):
    text = rfc8785.dumps(value)
    found = parse(text, "x")
    assert rfc8785.dumps(found) == text
    assert canonical(found, "x") == text


@given(VALUES, st.integers(0, 200), st.sampled_from([*MARKS]), st.sampled_from("+-="))
@example({"a": 1}, 1, ord(" "), "+")
@example({"a": 1.5}, 8, ord("0"), "+")
@example([-1], 2, ord("0"), "=")
def test_an_edited_text_is_read_only_where_the_other_library_would_write_it(value, at, mark, how):
    text = bytearray(rfc8785.dumps(value))
    place = at % (len(text) + 1)
    if how == "+":
        text.insert(place, mark)
    elif place < len(text):
        text[place : place + 1] = bytes([mark]) if how == "=" else b""
    assert is_read(bytes(text)) == is_written(bytes(text))


@given(VALUES, st.sampled_from([{"indent": 1}, {"sort_keys": False}, {"ensure_ascii": True}]))
def test_what_json_itself_writes_is_read_only_where_it_is_canonical(value, how):
    text = json.dumps(value, **{"separators": (",", ":"), "ensure_ascii": False, **how})
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return
    assert is_read(data) == is_written(data)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"b":1,"a":1}',
        '{"a":1,"b":{"c":1,"c":2}}',
        '{"\ue000":1,"\U00010000":1}',
        '{"\\u0061":1}',
        '"\\u000a"',
        '"\\u001F"',
        '"\\/"',
        "1.0",
        "1e5",
        "1E400",
        "0.10",
        "-0",
        "-0.0",
        "1e-07",
        "9007199254740993",
        "100000000000000000000000",
        "NaN",
        "[1 ]",
        " 1",
        "1\n",
    ],
)
def test_another_writing_of_a_value_is_refused(text):
    with pytest.raises(BundleError):
        parse(text.encode(), "x")


@pytest.mark.parametrize(
    "text",
    ['{"\U00010000":1,"\ue000":1}', '"\\u001f\x7f\\n"', "1e-7", "1e+21", "100000000000000000000"],
)
def test_the_one_writing_of_a_value_is_read(text):
    assert rfc8785.dumps(parse(text.encode(), "x")).decode() == text


def test_a_large_text_is_read():
    text = rfc8785.dumps([{"key": f"{one}\n", "value": one / 7} for one in range(100_000)])
    assert len(parse(text, "x")) == 100_000


def is_read(data: bytes) -> bool:
    try:
        parse(data, "x")
    except BundleError:
        return False
    return True


def is_written(data: bytes) -> bool:
    """Return whether the other library writes the value of a text as this text."""
    try:
        value = json.loads(data.decode())
        return rfc8785.dumps(floats(value)) == data
    except (ValueError, OverflowError):
        return False


def floats(value):
    """Return a value whose whole numbers beyond 2^53 are the floats that JSON has for them."""
    match value:
        case bool():
            return value
        case int() if abs(value) >= 2**53:
            return float(value)
        case list():
            return [floats(one) for one in value]
        case dict():
            return {key: floats(one) for key, one in value.items()}
    return value
