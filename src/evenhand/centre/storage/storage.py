"""What the centre asks of a place for files; each file is named by the SHA-256 of its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from evenhand.audits.evidence.canonical import digest_of
from evenhand.errors import CentreError, Problem


class Storage(Protocol):
    """A place for files, where one that was put is never changed."""

    def put(self, digest: str, data: bytes) -> None:
        """Keep a file; putting it again changes nothing. It is on the disk when this returns.

        Raises:
            CentreError: It cannot be kept.

        """

    def read(self, digest: str) -> bytes:
        """Return a file.

        Raises:
            CentreError: It is not there, or cannot be read.

        """

    def digests(self) -> Iterator[str]:
        """Yield the digests of all files."""

    def check(self) -> None:
        """Ask whether files can be kept.

        Raises:
            CentreError: They cannot.

        """


def open_storage(address: str) -> Storage:
    """Return the storage at an address: a folder, or ``s3://``, ``gs://`` or ``az://``.

    Raises:
        CentreError: It is no place that keeps files.
        MissingExtraError: The packages of ``objects`` are not installed.

    """
    if "://" in address and not address.startswith("file://"):
        from evenhand.centre.storage.objects import ObjectStorage

        return ObjectStorage(address)
    from evenhand.centre.storage.folder import FolderStorage

    return FolderStorage(address.removeprefix("file://"))


def place_of(digest: str) -> str:
    """Return where a file is kept, below the root.

    >>> place_of("sha256:" + "ab" * 32)[:11]
    'ab/abababab'
    """
    name = digest.removeprefix("sha256:")
    return f"{name[:2]}/{name}.evidence.zip"


def missing(digest: str) -> CentreError:
    """Return what to raise where a file is not in its place, though the place answers."""
    what = "the file is not there."
    return CentreError(Problem(f"evidence {digest[:19]}", what, "Restore it from a backup."))


def whole(digest: str, data: bytes) -> bytes:
    """Return bytes that were kept, if they are still those that were put.

    Raises:
        CentreError: They are not.

    """
    found = digest_of(data)
    if found != digest:
        what = f"the file is damaged: its digest is {found}."
        raise CentreError(Problem(f"evidence {digest[:19]}", what, "Restore it from a backup."))
    return data
