"""Whether evidence is as it was written, and by whom: offline, by the file alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evenhand.audits.evidence.bundle import FORMAT
from evenhand.audits.evidence.canonical import digest_of
from evenhand.audits.evidence.file import Location, read_whole
from evenhand.audits.evidence.manifest import (
    UPGRADE,
    changes,
    comment_with,
    read_manifest,
    version_in,
)
from evenhand.audits.evidence.signature import Signed, check, public_key
from evenhand.audits.evidence.zipped import (
    MANIFEST,
    SIGNATURE,
    Changed,
    UnreadableError,
    checksum,
    comment_of,
    compare,
    looks_like_zip,
    unpack,
)
from evenhand.errors import BundleError, Problem


@dataclass(frozen=True, slots=True)
class Verification:
    """What can be told of a bundle from its file.

    Attributes:
        ok: Whether it is as it was written, and signed by the key that was given, if one was.
        changed: What is not as it was written; nothing where only a signature is missing.
        signature: What is known of its signature.
        digest: The digest of its manifest, which stands for the whole; None where there is none.

    """

    ok: bool
    changed: tuple[Changed, ...]
    signature: Signed
    digest: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return what ``evenhand verify --json`` prints."""
        return {
            "ok": self.ok,
            "changed": [asdict(one) for one in self.changed],
            "signature": self.signature,
            "digest": self.digest,
        }


def verify(path: Location, key: Location | None = None) -> Verification:
    """Return whether evidence is as it was written, and signed by a key.

    Args:
        path: The file.
        key: A file with the Ed25519 public key of whoever should have signed it, in PEM.

    Raises:
        BundleError: There is no such file or key, it is no evidence, or a newer release wrote it.
        MissingExtraError: A key is given and the packages of ``sign`` are not installed.

    """
    public = None if key is None else public_key(key)
    found = look(read_whole(path), Path(path).name)
    changed = [*found.changed]
    signed: Signed = "absent"
    envelope = found.members.get(SIGNATURE)
    if envelope is not None:
        signed, why = check(envelope, found.digest or "", public)
        if signed == "invalid" and not any(one.record.startswith(SIGNATURE) for one in changed):
            wanted = "a signature of this manifest" + (" by the key" if public else "")
            changed.append(Changed(SIGNATURE, wanted, why))
    # Evidence that nobody signed has not changed; it is only not what was asked for.
    missed = public is not None and signed == "absent"
    return Verification(not changed and not missed, tuple(changed), signed, found.digest)


@dataclass(frozen=True, slots=True)
class Look:
    """The members of a file, what of it changed, and the digest of its manifest."""

    members: Mapping[str, bytes]
    changed: tuple[Changed, ...]
    digest: str | None


def look(data: bytes, name: str) -> Look:
    """Return the members of a file and what of it is not as it was written."""
    if not looks_like_zip(data):
        hint = "Name a file that evenhand audit wrote, usually NAME.evidence.zip."
        raise BundleError(Problem(name, "this is no evidence.", hint))
    comment = comment_of(data)
    _check_version(data, comment, name)
    try:
        members = unpack(data)
    except UnreadableError as error:
        return Look({}, (Changed("file", "stored members, whole", str(error)),), None)
    manifest = members.get(MANIFEST)
    if manifest is None:
        return Look(members, (Changed(MANIFEST, "a manifest", "none"),), None)
    digest = digest_of(manifest)
    parts = {one.record: one for one in compare(data, members, comment_with(digest))}
    changed: list[Changed] = []
    if checksum(MANIFEST) in parts:
        # Damaged by its own checksum: what it says of the members counts for nothing.
        parts.pop("comment", None)
        told = comment.decode("ascii", "replace").rpartition(" ")[2]
        changed.append(Changed(MANIFEST, told, digest))
    else:
        try:
            changed += changes(read_manifest(manifest), members)
        except BundleError as error:
            problem = error.problems[0]
            # An upgrade is a command to type; other hints are given with the whole refusal.
            way_out = f" ({UPGRADE})" if problem.hint == UPGRADE else ""
            what = f"{problem.what.rstrip('.')}{way_out}"
            changed.append(Changed(MANIFEST, f"a manifest of format {FORMAT}", what))
    said = {one.record.partition(": ")[0] for one in changed}
    for record, one in parts.items():
        member = record.removesuffix(" (checksum)")
        if member not in said:
            changed.append(Changed(member, one.expected, one.found))
    return Look(members, tuple(changed), digest)


def _check_version(data: bytes, comment: bytes, name: str) -> None:
    """Check that no newer release wrote this, by the two places that say so.

    Raises:
        BundleError: One did. One place alone may have been damaged.

    """
    told = re.search(rb'"format":([0-9]{1,6})[,}]', data[:4_096])
    version = version_in(comment)
    if told is not None and version == int(told[1]) and version > FORMAT:
        what = f"this evidence has format {version}; this release reads up to {FORMAT}."
        raise BundleError(Problem(name, what, UPGRADE))
