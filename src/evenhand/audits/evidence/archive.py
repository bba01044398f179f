"""Bundles written to files, and read from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.canonical import AGAIN, digest_of, parse
from evenhand.audits.evidence.content import bundle_of, members_of
from evenhand.audits.evidence.document import read_findings
from evenhand.audits.evidence.file import Location, check_targets, read_whole, write_whole
from evenhand.audits.evidence.manifest import comment_with
from evenhand.audits.evidence.signature import sign
from evenhand.audits.evidence.verification import Look, look
from evenhand.audits.evidence.zipped import (
    FINDINGS,
    MANIFEST,
    MOST_BYTES,
    MOST_MEMBERS,
    SIGNATURE,
    Changed,
    UnreadableError,
    pack,
    unpack,
)
from evenhand.audits.finding import Finding
from evenhand.errors import BundleError, OutputError, Problem


def write_bundle(
    bundle: Bundle, path: Location, *, force: bool = False, key: Location | None = None
) -> str:
    """Write a bundle to a file, whole or not at all.

    Args:
        bundle: The evidence.
        path: The file, usually ``NAME.evidence.zip``.
        force: Whether a file that is there is replaced.
        key: A file with an Ed25519 private key that signs it; None for no signature.

    Returns:
        The digest of its manifest, which stands for everything in it.

    Raises:
        OutputError: It cannot be written.
        MissingExtraError: A key is given and the packages of ``sign`` are not installed.

    """
    check_targets([path], force=force)
    data, digest = packed(bundle, path, key=key)
    write_whole(data, path, force=force)
    return digest


def packed(bundle: Bundle, path: Location, *, key: Location | None = None) -> tuple[bytes, str]:
    """Return the bytes of a bundle's file, and the digest of its manifest.

    Args:
        bundle: The evidence.
        path: The file that they will be in, for messages.
        key: A file with an Ed25519 private key that signs it; None for no signature.

    Raises:
        OutputError: It is larger than what is read again.
        MissingExtraError: A key is given and the packages of ``sign`` are not installed.

    """
    members = members_of(bundle)
    digest = digest_of(members[MANIFEST])
    if key is not None:
        members[SIGNATURE] = sign(digest, key)
    data = pack(members, comment_with(digest))
    if len(data) > MOST_BYTES or len(members) > MOST_MEMBERS:
        most = f"{MOST_BYTES // 2**20} MiB in {MOST_MEMBERS:,} members"
        what = f"it would have {len(data):,} bytes in {len(members):,} members"
        hint = "Measure less in one plan."
        raise OutputError(Problem(str(path), f"{what}; at most {most} are read.", hint))
    return data, digest


def check_signing(key: Location | None, out: Location | None) -> None:
    """Check that a key can sign evidence that will be written, before any work is done.

    Raises:
        OutputError: No evidence will be written, or the key cannot sign.
        MissingExtraError: The packages of ``sign`` are not installed.

    """
    if key is None:
        return
    if out is None:
        hint = "Write it too: --out x.evidence.zip (out=...)."
        raise OutputError(Problem("sign", "only evidence that is written can be signed.", hint))
    sign(digest_of(b""), key)


def read_bundle(path: Location, *, check: bool = True, replicates: bool = True) -> Bundle:
    """Return the bundle of a file.

    Args:
        path: The file.
        replicates: Whether replicates are read, which only `diff` needs. Without them nothing of
            the file reaches the Parquet reader, which files sealed on purpose can stop.
        check: Whether evidence that changed since it was written is refused; its signature is not
            looked at here.

    Raises:
        BundleError: It is no evidence, changed, or was written by a newer release.

    """
    return parse_bundle(read_whole(path), str(path), check=check, replicates=replicates)


def parse_bundle(data: bytes, path: str, *, check: bool = True, replicates: bool = True) -> Bundle:
    """Return the bundle of a file's bytes; as `read_bundle`.

    Args:
        data: The bytes.
        path: What they are called, for messages.
        check: As there.
        replicates: As there.

    """
    return bundle_in(look(data, Path(path).name), path, check=check, replicates=replicates)


def bundle_in(found: Look, path: str, *, check: bool = True, replicates: bool = True) -> Bundle:
    """Return the bundle of a file that was looked at; as `read_bundle`.

    Args:
        found: What was found in it.
        path: What it is called, for messages.
        check: As there.
        replicates: As there.

    """
    name = Path(path).name
    if (check and found.changed) or not found.members:
        raise BundleError(_refusal(found.changed, path))
    try:
        return bundle_of(found.members, replicates=replicates)
    except BundleError as error:
        raise BundleError(
            [Problem(f"{name}: {one.where}", one.what, one.hint) for one in error.problems]
        ) from error


def bundle_again(
    data: bytes, path: str, *, replicates: bool = False, findings: bool = True
) -> Bundle:
    """Return the bundle of bytes that `parse_bundle` has read before, without its charts.

    Nothing is checked that cannot have changed: whoever keeps files by their SHA-256 knows that
    these are the same bytes.

    Args:
        data: The bytes.
        path: What they are called, for messages.
        replicates: Whether replicates are read.
        findings: Whether findings are read.

    Raises:
        BundleError: They are no evidence after all.

    """
    try:
        return bundle_of(unpack(data), replicates=replicates, findings=findings, again=True)
    except UnreadableError as error:
        raise BundleError(Problem(path, f"it is no evidence: {error}.")) from error


def findings_again(
    data: bytes, path: str, wanted: Callable[[Mapping[str, Any]], bool], level: float
) -> dict[int, Finding]:
    """Return some findings of bytes that `parse_bundle` has read before, by their position.

    Args:
        data: The bytes.
        path: What they are called, for messages.
        wanted: Whether a finding is wanted, by its record.
        level: The level of the plan.

    Raises:
        BundleError: They are no evidence after all.

    """
    try:
        records = parse(unpack(data)[FINDINGS], FINDINGS, again=True)
    except (UnreadableError, KeyError) as error:
        raise BundleError(Problem(path, f"it is no evidence: {error}.")) from error
    chosen = {place: record for place, record in enumerate(records) if wanted(record)}
    return dict(zip(chosen, read_findings([*chosen.values()], level), strict=True))


_NAMED = 20


def _refusal(changed: tuple[Changed, ...], path: str) -> list[Problem]:
    """Return the problems of evidence that changed."""
    name = Path(path).name
    said = [(one.record, f"expected {one.expected}, found {one.found}.") for one in changed]
    if len(said) > _NAMED:
        said[_NAMED:] = [("and", f"{len(said) - _NAMED} more records changed.")]
    hint = f"See what changed: evenhand verify {path}. {AGAIN}"
    return [
        Problem(f"{name}: {record}", what, hint if place == len(said) else "")
        for place, (record, what) in enumerate(said, start=1)
    ]
