"""Files in an object store: Amazon S3 and what speaks its language, Google Cloud, Azure."""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

from evenhand.centre.storage.storage import missing, place_of, whole
from evenhand.errors import CentreError, MissingExtraError, Problem, first_line, listed

_SCHEMES = ("s3", "gs", "az")
"""Of the addresses that the library opens, those of stores that keep what is put."""

_TRIES = 3
_TRY_FOR = dt.timedelta(seconds=10)
"""For how long a failed request is repeated: somebody waits for the answer."""


class ObjectStorage:
    """Files below an address such as ``s3://bucket/prefix``.

    Credentials and the endpoint are taken from the environment, as by the store's own tools
    (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT``, ...).
    """

    def __init__(self, address: str) -> None:
        try:
            import obstore.store
        except ImportError as error:
            raise MissingExtraError("objects", where="--storage") from error
        url = urlsplit(address)
        if url.scheme not in _SCHEMES or not url.hostname or "@" in url.netloc:
            what = "this is no address of a bucket."
            known = listed(f"{scheme}://bucket/prefix" for scheme in _SCHEMES)
            hint = f"Write a folder, or {known}; credentials are taken from the environment."
            # What stands before the host may be a password.
            where = f"{url.scheme}://{url.netloc.rpartition('@')[2]}"
            raise CentreError(Problem(f"storage {where}", what, hint))
        self.address = address
        with self._told():
            self._store = obstore.store.from_url(
                address, retry_config={"max_retries": _TRIES, "retry_timeout": _TRY_FOR}
            )

    def put(self, digest: str, data: bytes) -> None:
        """Keep a file, as `Storage.put`."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with self._told(), contextlib.suppress(AlreadyExistsError):
            obstore.put(self._store, place_of(digest), data, mode="create")

    def read(self, digest: str) -> bytes:
        """Return a file, as `Storage.read`."""
        import obstore
        from obstore.exceptions import NotFoundError

        with self._told():
            try:
                data = bytes(obstore.get(self._store, place_of(digest)).bytes())
            except (NotFoundError, FileNotFoundError):
                raise missing(digest) from None
        return whole(digest, data)

    def digests(self) -> Iterator[str]:
        """Yield the digests of all files."""
        import obstore

        with self._told():
            for some in obstore.list(self._store):
                for one in some:
                    name = one["path"].rpartition("/")[2]
                    if name.endswith(".evidence.zip"):
                        yield f"sha256:{name.removesuffix('.evidence.zip')}"

    def check(self) -> None:
        """Write and delete a small file, as `Storage.check`."""
        import obstore

        name = f"check/{secrets.token_hex(12)}"
        with self._told():
            obstore.put(self._store, name, b"evenhand")
            obstore.delete(self._store, name)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except CentreError:
            raise
        except (BaseError, OSError, ValueError) as error:
            what = f"files cannot be kept or read here: {first_line(error)}."
            raise CentreError(Problem(f"storage {self.address}", what)) from error
