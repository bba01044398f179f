"""The zip of a bundle: members stored one after another, and nothing but what follows from them.

Every byte of the file is a function of its members' names and contents, so that `compare` can name
whichever is not as it was written: a header, a checksum, the directory, the comment. Nothing is
compressed, hence no small file becomes a large one.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evenhand.audits.evidence.canonical import digest_of

MANIFEST, PLAN, FINDINGS, RULES = "manifest.json", "plan.yaml", "findings.json", "rules.json"
REPLICATES, ENVIRONMENT = "replicates.parquet", "environment.json"
SIGNATURE = "signature.dsse.json"
REQUIRED = (MANIFEST, PLAN, FINDINGS, RULES, REPLICATES, ENVIRONMENT)

CHART = re.compile(r"charts/[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}\.vl\.json")

MOST_BYTES = 256 * 2**20
MOST_MEMBERS = 5_000

# Version 2.0, no flags, stored, midnight of 1 January 1980: the same on every machine.
_COMMON = struct.pack("<5H", 20, 0, 0, 0, 0x21)
_LOCAL, _ENTRY, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_LOCAL_SIZE, _ENTRY_SIZE, _END_SIZE = 30, 46, 22
_UNIX = struct.pack("<H", 0x0314)
_PLAIN_FILE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Changed:
    """A record of evidence that is not as it was written.

    Attributes:
        record: The member, the finding or verdict in it, or the part of the file.
        expected: What should be there: a digest, or words.
        found: What is there.

    """

    record: str
    expected: str
    found: str


class UnreadableError(ValueError):
    """Bytes that are no zip of stored members; never leaves this package.

    Attributes:
        members: What was found before.

    """

    def __init__(self, what: str, members: Mapping[str, bytes] | None = None) -> None:
        self.members = members or {}
        super().__init__(what)


def allowed(name: str) -> bool:
    """Return whether a member of a bundle may have this name."""
    return name in REQUIRED or name == SIGNATURE or CHART.fullmatch(name) is not None


def pack(members: Mapping[str, bytes], comment: bytes) -> bytes:
    """Return the file of these members."""
    return b"".join(piece for _, piece in pieces(members, comment))


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the members of a file, by its headers or, where one is broken, by its directory.

    Whether they are all that the file holds, `compare` tells.

    Raises:
        UnreadableError: Neither leads through the file, or a name or a size is not allowed.

    """
    try:
        return _by_headers(data)
    except UnreadableError as error:
        try:
            return _by_directory(data)
        except UnreadableError:
            # With the manifest and what must be there, `compare` names the part that is broken.
            if {*error.members} >= {*REQUIRED}:
                return dict(error.members)
            raise error from None


def compare(data: bytes, members: Mapping[str, bytes], comment: bytes) -> list[Changed]:
    """Return every part of a file that is not as `pack` writes it."""
    changed: dict[str, Changed] = {}
    offset = 0
    for record, piece in pieces(members, comment):
        found = data[offset : offset + len(piece)]
        if found != piece:
            changed.setdefault(record, Changed(record, _shown(piece), _shown(found)))
        offset += len(piece)
    if len(data) > offset:
        more = Changed("end of the file", f"{offset:,} bytes", f"{len(data):,} bytes")
        changed[more.record] = more
    return [*changed.values()]


def comment_of(data: bytes) -> bytes:
    """Return the comment of a file; empty where there is none."""
    start = data.rfind(_END)
    return data[start + _END_SIZE :] if start >= 0 else b""


def looks_like_zip(data: bytes) -> bool:
    """Return whether a file begins as a zip does, or has a directory as one has."""
    return data.startswith(_LOCAL) or _END in data[-2_000:]


def checksum(name: str) -> str:
    """Return how the checksum of a member is called."""
    return f"{name} (checksum)"


def _place(name: str) -> tuple[int, str]:
    """Return where a member stands among the others."""
    if name in REQUIRED:
        return REQUIRED.index(name), name
    return len(REQUIRED) + (name == SIGNATURE), name


def pieces(members: Mapping[str, bytes], comment: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the bytes of a file piece by piece, each with what it is."""
    offset, entries = 0, []
    for name in sorted(members, key=_place):
        data, written = members[name], name.encode("ascii")
        check = struct.pack("<L", zlib.crc32(data))
        sizes = struct.pack("<2L2H", len(data), len(data), len(written), 0)
        yield f"{name} (header)", _LOCAL + _COMMON
        yield checksum(name), check
        yield f"{name} (header)", sizes + written
        yield name, data
        where = struct.pack("<3H2L", 0, 0, 0, _PLAIN_FILE, offset) + written
        entries += [
            (f"{name} (directory)", _ENTRY + _UNIX + _COMMON),
            (checksum(name), check),
            (f"{name} (directory)", sizes + where),
        ]
        offset += _LOCAL_SIZE + len(written) + len(data)
    yield from entries
    size = sum(len(piece) for _, piece in entries)
    count = len(members)
    yield "end record", _END + struct.pack("<4H2LH", 0, 0, count, count, size, offset, len(comment))
    yield "comment", comment


def _by_headers(data: bytes) -> dict[str, bytes]:
    """Return the members as their headers follow each other."""
    members: dict[str, bytes] = {}
    offset = 0
    while data.startswith(_LOCAL, offset):
        if len(data) < offset + _LOCAL_SIZE:
            raise UnreadableError(f"it is cut short in the header{_after(members)}")
        fields = struct.unpack_from("<4s5H3L2H", data, offset)
        if fields[3] != 0 or fields[7] != fields[8] or fields[10] != 0:
            start = offset + _LOCAL_SIZE
            raise UnreadableError(_packed_again(data[start : start + fields[9]]))
        _add(members, data, offset, size=fields[8], name_size=fields[9])
        offset += _LOCAL_SIZE + fields[9] + fields[8]
    if not data.startswith(_ENTRY, offset):
        what = f"no member and no directory{_after(members) or ' at its start'}"
        raise UnreadableError(what, members)
    return members


def _by_directory(data: bytes) -> dict[str, bytes]:
    """Return the members that the directory at the end names."""
    end = data.rfind(_END)
    if end < 0 or len(data) < end + _END_SIZE:
        raise UnreadableError("it has no directory")
    count, _, offset = struct.unpack_from("<H2L", data, end + 10)
    members: dict[str, bytes] = {}
    for _ in range(count):
        if not data.startswith(_ENTRY, offset) or len(data) < offset + _ENTRY_SIZE:
            raise UnreadableError(f"its directory breaks off{_after(members)}")
        size, name_size, more, remark = struct.unpack_from("<L3H", data, offset + 24)
        (start,) = struct.unpack_from("<L", data, offset + 42)
        name = data[offset + _ENTRY_SIZE : offset + _ENTRY_SIZE + name_size]
        method, inside = struct.unpack_from("<H8xL", data, offset + 10)
        if method != 0 and inside != size:
            raise UnreadableError(_packed_again(name))
        _add(members, data, start, size=size, name_size=name_size, name=name)
        offset += _ENTRY_SIZE + name_size + more + remark
    return members


def _add(
    members: dict[str, bytes],
    data: bytes,
    offset: int,
    *,
    size: int,
    name_size: int,
    name: bytes | None = None,
) -> None:
    """Add the member whose header is at this offset, if it may be there."""
    start = offset + _LOCAL_SIZE
    text = (data[start : start + name_size] if name is None else name).decode("latin-1")
    if not allowed(text):
        raise UnreadableError(f"{text[:80]!r} is no member of a bundle")
    if text in members:
        raise UnreadableError(f"{text} is there twice")
    if len(members) >= MOST_MEMBERS:
        raise UnreadableError(f"it has more than {MOST_MEMBERS:,} members")
    found = data[start + name_size : start + name_size + size]
    if len(found) < size:
        raise UnreadableError(f"{text} is cut short: {len(found):,} of {size:,} bytes")
    members[text] = found


def _packed_again(name: bytes) -> str:
    text = name.decode("latin-1")
    said = text if allowed(text) else "a member"
    return f"{said} is compressed or not plain: another tool seems to have packed it again"


def _after(members: Mapping[str, bytes]) -> str:
    return f" after {[*members][-1]}" if members else ""


_SHORT = 80


def _shown(piece: bytes) -> str:
    """Return bytes as people can compare them: text, hexadecimal, or a digest of what is long."""
    if not piece:
        return "nothing"
    if len(piece) > _SHORT + len("evenhand"):
        return digest_of(piece)
    return piece.decode() if piece.isascii() and piece.decode().isprintable() else piece.hex(" ", 4)
