"""Files in a folder and in an object store: put once, read whole, or said why not."""

from __future__ import annotations

import threading
from urllib.parse import urlsplit

import pytest

pytest.importorskip("obstore")

from evenhand.audits.evidence.canonical import digest_of
from evenhand.centre.storage.objects import ObjectStorage
from evenhand.centre.storage.storage import open_storage, place_of
from evenhand.errors import CentreError
from store import served

ONE, OTHER = b"some evidence", b"other evidence"


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """The folder behind a bucket of an object store."""
    folder = tmp_path / "bucket"
    folder.mkdir()
    with served(folder, monkeypatch):
        yield folder


@pytest.fixture(params=["folder", "objects"])
def kept(request, tmp_path):
    """A storage, and where its files are on this machine."""
    if request.param == "folder":
        return open_storage(str(tmp_path / "files")), tmp_path / "files"
    folder = request.getfixturevalue("bucket")
    return open_storage("s3://evidence/centre/a"), folder / "centre" / "a"


def put(storage, data):
    storage.put(digest_of(data), data)
    return digest_of(data)


def test_what_is_put_is_read_and_listed(kept):
    storage, folder = kept
    storage.check()
    found = {put(storage, ONE), put(storage, OTHER)}
    assert {*storage.digests()} == found
    assert storage.read(digest_of(ONE)) == ONE
    assert (folder / place_of(digest_of(ONE))).read_bytes() == ONE


def test_a_file_that_is_there_is_never_written_again(kept):
    storage, folder = kept
    digest = put(storage, ONE)
    before = (folder / place_of(digest)).stat().st_mtime_ns
    storage.put(digest, ONE)
    assert (folder / place_of(digest)).stat().st_mtime_ns == before
    assert [*storage.digests()] == [digest]


def test_many_that_put_one_file_at_once_all_succeed(kept):
    storage, _ = kept
    failed = []

    def keep():
        try:
            put(storage, ONE * 100_000)
        except CentreError as error:
            failed.append(error)

    threads = [threading.Thread(target=keep) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failed
    assert storage.read(digest_of(ONE * 100_000)) == ONE * 100_000


def test_a_damaged_file_is_not_given(kept):
    storage, folder = kept
    digest = put(storage, ONE)
    (folder / place_of(digest)).write_bytes(OTHER)
    with pytest.raises(CentreError, match="the file is damaged"):
        storage.read(digest)


def test_a_file_that_is_not_there_is_named(kept):
    storage, _ = kept
    digest = digest_of(ONE)
    with pytest.raises(CentreError, match=digest[:19]):
        storage.read(digest)


def test_other_files_in_the_place_are_left_alone(kept):
    storage, folder = kept
    storage.check()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.txt").write_text("evidence of the centre")
    assert [*storage.digests()] == []


@pytest.mark.slow
def test_a_store_that_is_away_is_said_to_be(bucket, monkeypatch):
    del bucket
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    storage = ObjectStorage("s3://evidence/centre")
    for attempt in (
        storage.check,
        lambda: put(storage, ONE),
        lambda: storage.read(digest_of(ONE)),
        lambda: [*storage.digests()],
    ):
        with pytest.raises(CentreError, match="cannot be kept or read here") as error:
            attempt()
        assert "psst" not in str(error.value)


@pytest.mark.parametrize("address", ["memory:///", "http://example.org/x", "ftp://x/y", "s3://"])
def test_places_that_keep_nothing_are_refused(address):
    with pytest.raises(CentreError, match=r"s3://|no bucket"):
        open_storage(address)


def test_an_address_with_a_secret_in_it_is_not_repeated():
    with pytest.raises(CentreError) as error:
        open_storage("ftp://user:psst@example.org/x")
    assert "psst" not in str(error.value)
    assert urlsplit("ftp://user:psst@example.org/x").password == "psst"  # noqa: S105
