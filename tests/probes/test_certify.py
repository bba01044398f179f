"""Certificates are found and read by name."""

from __future__ import annotations

import pytest

from evenhand.errors import ModelError, NotationError
from evenhand.notation import parse
from evenhand.probes.certify.registry import certificate_named, certificates, read


def test_there_are_two():
    assert {name: (one.norm, one.same) for name, one in certificates().items()} == {
        "ibp": ("linf", True),
        "smoothing": ("l2", False),
    }


@pytest.mark.parametrize(
    "text", ["certify.ibp", "certify.ibp(halvings=12)", "certify.smoothing(sigma=0.5, n=1000)"]
)
def test_notation_comes_back(text):
    assert str(read(text)) == text
    assert certificate_named(parse(text.removeprefix("certify."))) == read(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("certify.smoothin", "Did you mean 'smoothing'"),
        ("smoothing(sigmaa=3)", "Did you mean 'sigma'"),
        ("ibp(eps=0.1)", "what a certificate finds out"),
        ("smoothing(norm=l2)", "a norm of its own"),
        ("smoothing(0.25)", "given by name"),
        ("ibp@3", "no cutoff"),
    ],
)
def test_what_cannot_be_read(text, said):
    with pytest.raises(NotationError, match=said):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        "smoothing(sigma=0)",
        "smoothing(sigma=wide)",
        "smoothing(sigma=true)",
        "smoothing(n=0)",
        "smoothing(n=2.5)",
        "smoothing(n0=0)",
        "smoothing(alpha=0)",
        "smoothing(alpha=0.7)",
        "smoothing(n=9)",
        "ibp(halvings=0)",
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(text):
    with pytest.raises(ModelError):
        read(text)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ModelError) as refused:
        read("smoothing(sigma=-1, n0=0, alpha=2)")
    assert len(refused.value.problems) == 3
