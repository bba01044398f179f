"""Evidence read in a process of its own: the same as here, and refused alike."""

from __future__ import annotations

import pytest

pytest.importorskip("sqlalchemy")

from evenhand.centre.store.evidence import read_file
from evenhand.centre.store.reading import read_elsewhere
from evenhand.errors import BundleError
from pushed import evidence


def problems(read, data: bytes):
    with pytest.raises(BundleError) as caught:
        read(data)
    return caught.value.problems


def test_evidence_is_read_elsewhere_as_here():
    data = evidence(owner="kim", artefact="sha256:" + "a" * 64)
    assert read_elsewhere(data) == read_file(data)


@pytest.mark.parametrize("way", ["cut", "edited", "empty", "no zip"])
def test_what_is_no_evidence_is_refused_elsewhere_as_here(way):
    data = bytearray(evidence())
    match way:
        case "cut":
            del data[len(data) // 2 :]
        case "edited":
            data[len(data) // 3] ^= 1
        case "empty":
            data.clear()
        case "no zip":
            data = bytearray(b"PK\x03\x04" + b"\xff" * 1000)
    assert problems(read_elsewhere, bytes(data)) == problems(read_file, bytes(data))
