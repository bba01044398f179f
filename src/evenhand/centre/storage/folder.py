"""Files in a folder: written beside their place, made durable, and put there at once."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from evenhand.centre.storage.storage import missing, place_of, whole
from evenhand.errors import CentreError, Problem, reason


class FolderStorage:
    """Files below a folder, which is made where it is not there."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        with self._told():
            self.folder.mkdir(parents=True, exist_ok=True)

    def put(self, digest: str, data: bytes) -> None:
        """Keep a file, as `Storage.put`."""
        target = self.folder / place_of(digest)
        if target.exists():
            return
        part = target.with_name(f".{secrets.token_hex(12)}.part")
        with self._told():
            new = not target.parent.exists()
            target.parent.mkdir(exist_ok=True)
            try:
                with part.open("xb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                part.replace(target)
            finally:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
            _sync(target.parent)
            if new:
                _sync(self.folder)

    def read(self, digest: str) -> bytes:
        """Return a file, as `Storage.read`."""
        with self._told():
            try:
                data = (self.folder / place_of(digest)).read_bytes()
            except FileNotFoundError:
                # Where the folder itself is gone, a disk may not be mounted.
                if self.folder.is_dir():
                    raise missing(digest) from None
                raise
        return whole(digest, data)

    def digests(self) -> Iterator[str]:
        """Yield the digests of all files."""
        for path in sorted(self.folder.glob("??/*.evidence.zip")):
            yield f"sha256:{path.name.removesuffix('.evidence.zip')}"

    def check(self) -> None:
        """Write and delete a small file, as `Storage.check`."""
        part = self.folder / f".{secrets.token_hex(12)}.part"
        with self._told():
            try:
                part.write_bytes(b"evenhand")
            finally:
                part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = f"files cannot be kept or read here: {reason(error)}."
            raise CentreError(Problem(f"storage {self.folder}", what)) from error


def _sync(folder: Path) -> None:
    """Make the names in a folder durable, where the system lets one do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
