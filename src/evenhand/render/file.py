"""Rendered text in files: whole or not at all, as evidence is written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from evenhand.audits.evidence.archive import check_signing, packed
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.file import Location, check_targets, write_all, write_whole
from evenhand.errors import OutputError, Problem, reason
from evenhand.render.gallery import pictures_beside
from evenhand.render.html import html as report

__all__ = ["add_text", "check_audit", "check_targets", "write_audit", "write_text"]


def write_text(path: Location, text: str, *, force: bool) -> None:
    """Write a text as UTF-8.

    Raises:
        OutputError: It is there already, or cannot be written.

    """
    write_whole(text.encode(), path, force=force)


def add_text(path: Location, text: str) -> None:
    """Add a text to the end of a file.

    Raises:
        OutputError: It cannot be written.

    """
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        what = f"it cannot be written: {reason(error)}."
        raise OutputError(Problem(str(path), what)) from error


def check_audit(
    out: Location | None, html: Location | None, *, key: Location | None, force: bool
) -> None:
    """Check that evidence, report and signature can be written, before any work is done.

    Args:
        out: Where the evidence goes; None for nowhere.
        html: Where the report goes; None for nowhere.
        key: A file with an Ed25519 private key that signs the evidence; None for no signature.
        force: Whether files that are there are replaced.

    Raises:
        OutputError: With everything that stands in the way.
        MissingExtraError: A key is given and the packages of ``sign`` are not installed.

    """
    check_signing(key, out)
    check_targets([target for target in (out, html) if target is not None], force=force)


def write_audit(
    bundle: Bundle,
    out: Location | None,
    html: Location | None,
    *,
    key: Location | None,
    force: bool,
    logs: Iterable[str] = (),
) -> None:
    """Write evidence and report so that both are there, whole, or neither; as `check_audit`.

    Args:
        bundle: The evidence.
        out: Where it goes; None for nowhere.
        html: Where the report goes; None for nowhere.
        key: A file with an Ed25519 private key that signs the evidence; None for no signature.
        force: Whether files that are there are replaced.
        logs: Logs of probes; of the pictures that lie beside them the report shows some.

    """
    files: dict[Location, bytes] = {}
    if out is not None:
        files[out], _ = packed(bundle, out, key=key)
    if html is not None:
        files[html] = report(bundle, pictures_beside(logs)).encode()
    write_all(files, force=force)
