"""The manifest: digests of everything in a bundle, of its inputs and of each of its records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from evenhand.audits.evidence.bundle import FORMAT, Bundle
from evenhand.audits.evidence.canonical import canonical, digest_of, parse
from evenhand.audits.evidence.document import checked, identity
from evenhand.audits.evidence.zipped import FINDINGS, MANIFEST, RULES, SIGNATURE, Changed
from evenhand.audits.plan.plan import AuditPlan
from evenhand.errors import BundleError, Problem

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0)]

RECORDS = (FINDINGS, RULES)
"""Members that are lists of records, each of which has a digest of its own."""

_COMMENT = re.compile(rb"evenhand-evidence ([0-9]{1,6}) (sha256:[0-9a-f]{64})")


class _Part(BaseModel):
    """A part of a manifest; what later versions add is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Member(_Part):
    """A member of the bundle."""

    sha256: Digest
    bytes: Size


class InputRecord(_Part):
    """A file that was read."""

    name: str
    bytes: Size | None
    sha256: Digest | None
    table: bool = False


class Units(_Part):
    """What is independent, and the digest of the set of units."""

    unit: str
    sha256: Digest | None


class PlanRecord(_Part):
    """The plan, whatever its spelling."""

    sha256: Digest


class Record(_Part):
    """A finding or a verdict."""

    record: str
    sha256: Digest


class Manifest(_Part):
    """What a bundle is made of."""

    format: Annotated[int, Field(ge=1)]
    evenhand: str
    created: str
    members: dict[str, Member]
    inputs: list[InputRecord]
    units: Units
    plan: PlanRecord
    records: dict[str, list[Record]]


_MANIFEST = TypeAdapter(Manifest)


def manifest_of(
    bundle: Bundle, plan: AuditPlan, members: Mapping[str, bytes], documents: Mapping[str, Any]
) -> bytes:
    """Return the manifest of a bundle.

    Args:
        bundle: The bundle.
        plan: Its plan, as it is kept.
        members: All other members but the signature.
        documents: The lists of records among them, by member.

    """
    content = {
        "format": FORMAT,
        "evenhand": bundle.version,
        "created": bundle.created.isoformat(),
        "members": {
            name: {"sha256": digest_of(data), "bytes": len(data)} for name, data in members.items()
        },
        "inputs": [
            # A name, never a path: a folder tells who made it and where.
            {"name": _file(one.name), "bytes": one.bytes, "sha256": one.sha256}
            | ({"table": True} if one.table else {})
            for one in bundle.inputs
        ],
        "units": dict(bundle.units),
        "plan": {"sha256": f"sha256:{plan.digest}"},
        "records": {
            name: [
                {"record": record, "sha256": digest}
                for record, digest in digests(documents[name]).items()
            ]
            for name in RECORDS
        },
    }
    return canonical(content, MANIFEST)


def read_manifest(data: bytes, *, again: bool = False) -> Manifest:
    """Return a manifest.

    Args:
        data: The member.
        again: Whether these bytes were read before; then digests of records are left out.

    Raises:
        BundleError: It is none.

    """
    content = parse(data, MANIFEST, again=again)
    if again:
        content = {**content, "records": {}}
    found = checked(_MANIFEST, content, MANIFEST)
    if found.format != FORMAT:
        what = f"it has format {found.format}; this release reads {FORMAT}."
        raise BundleError(Problem(MANIFEST, what, UPGRADE))
    return found


UPGRADE = "pip install --upgrade evenhand"


def comment_with(digest: str, version: int = FORMAT) -> bytes:
    """Return the comment of a file whose manifest has this digest."""
    return f"evenhand-evidence {version} {digest}".encode("ascii")


def version_in(comment: bytes) -> int | None:
    """Return the version of the format that a comment names; None where it is none of ours."""
    found = _COMMENT.fullmatch(comment)
    return None if found is None else int(found[1])


def named(records: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return records by what they are known by; repeated names are numbered.

    >>> [*named([{"id": "gap"}, {"id": "gap"}])]
    ['gap', 'gap (2)']
    """
    found: dict[str, Mapping[str, Any]] = {}
    for record in records:
        name = first = identity(record)
        count = 1
        while name in found:
            count += 1
            name = f"{first} ({count})"
        found[name] = record
    return found


def digests(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the digest of every record by what it is known by."""
    return {name: digest_of(canonical(one, name)) for name, one in named(records).items()}


def changes(manifest: Manifest, members: Mapping[str, bytes]) -> Iterator[Changed]:
    """Yield the members that are not as the manifest says, or the records in them."""
    here = {name: data for name, data in members.items() if name not in {MANIFEST, SIGNATURE}}
    for name in [*manifest.members, *(name for name in here if name not in manifest.members)]:
        expected = manifest.members[name].sha256 if name in manifest.members else "no such member"
        found = digest_of(here[name]) if name in here else "nothing"
        if found == expected:
            continue
        records = manifest.records.get(name)
        inner = [] if records is None or name not in here else _records(name, records, here[name])
        yield from inner or [Changed(name, expected, found)]


def _records(name: str, expected: Sequence[Record], data: bytes) -> list[Changed]:
    """Return the records of a member that changed; none where it is no list of records."""
    try:
        content = parse(data, name)
        found = digests(content)
    except (BundleError, AttributeError, TypeError):
        return []
    known = {one.record: one.sha256 for one in expected}
    return [
        Changed(f"{name}: {record}", known.get(record, "nothing"), found.get(record, "nothing"))
        for record in {**known, **found}
        if known.get(record) != found.get(record)
    ]


def _file(name: str) -> str:
    return re.split(r"[/\\]", name)[-1]
