"""``evenhand push``: evidence goes to the centre."""

import json

import pytest

import asked
import evenhand as eh
from pushed import evidence

pytestmark = pytest.mark.slow


@pytest.fixture
def file(tmp_path):
    def write(name="x", **subject):
        path = tmp_path / f"{name}.evidence.zip"
        path.write_bytes(evidence(**subject))
        return path

    return write


def test_evidence_is_pushed_once_and_its_page_is_said(evenhand, read, served, file):
    path = file()
    status, text, _ = evenhand("push", path, "--to", served.address)
    assert status == 0
    assert text.startswith("pushed  loans / score / v1, ")
    status, document = read("push", path, "--to", served.address)
    assert status == 0
    (one,) = document["pushed"]
    assert (one["file"], one["new"], one["product"]) == (str(path), False, "loans")
    assert one["page"] == f"{served.address}/audits/{one['bundle']}"
    with eh.connect(served.address) as client:
        assert client.bundle(one["bundle"]) == path.read_bytes()


def test_what_evidence_does_not_say_is_said_by_flags(evenhand, read, served, file, monkeypatch):
    monkeypatch.setenv("EVENHAND_CENTRE", served.address)
    path = file(version=None)
    status, document = read("push", path)
    assert status == 2
    assert document["errors"][0]["hint"] == "Say which: --version NAME."
    assert evenhand("push", path, "--version", "v9")[0] == 0
    status, document = read("push", file(), "--product", "cards")
    assert status == 2
    assert "is about 'loans', and is pushed as 'cards'" in document["errors"][0]["what"]


def test_every_file_is_verified_before_any_is_sent(read, served, file, tmp_path):
    good, bad = file(), tmp_path / "bad.evidence.zip"
    bad.write_bytes(good.read_bytes()[:-100])
    states = tmp_path / "day.states"
    states.write_bytes(b"x")
    files = (good, bad, states, tmp_path / "none.zip")
    status, document = read("push", *files, "--to", served.address)
    assert status == 2
    said = json.dumps(document["errors"])
    assert all(name in said for name in ("bad.evidence.zip", "never pushed", "no such file"))
    with eh.connect(served.address) as client:
        assert not [*client.products()]


def test_what_is_pushed_stands_beside_what_is_refused(read, evenhand, served, file):
    assert evenhand("push", file(version=None), "--version", "v1", "--to", served.address)[0] == 0
    nameless, other = file(version=None), file("other", version="v2")
    names = ("--version", "v2", "--to", served.address)
    status, document = read("push", nameless, other, *names)
    assert status == 2
    assert [one["version"] for one in document["pushed"]] == ["v2"]
    assert str(nameless) in document["errors"][0]["where"]
    status, text, error = evenhand("push", nameless, other, *names)
    assert status == 2
    assert text.startswith("there already")
    assert "another version" in error


def test_a_centre_that_is_away_is_no_usage_error(evenhand, read, served, file):
    served.stop()
    status, _, error = evenhand("push", file(), "--to", served.address)
    assert status == 4
    assert "nothing listens there" in error
    assert read("push", file(), "--to", served.address)[1]["pushed"] == []


def test_without_a_centre_it_says_how_to_name_one(evenhand, served, file):
    del served
    status, _, error = evenhand("push", file())
    assert status == 2
    assert "EVENHAND_CENTRE=URL" in error


def test_a_token_lets_in(evenhand, served, file, tmp_path, monkeypatch):
    served.stop()
    served.start(auth="token")
    path, to = file(), ("--to", served.address)
    status, _, error = evenhand("push", path, *to)
    assert status == 2
    assert "no token" in error
    token = tmp_path / "token"
    token.write_text(asked.token(served.centre, rights=("read",)))
    assert "lacks the right to push" in evenhand("push", path, *to, "--token-file", token)[2]
    monkeypatch.setenv("EVENHAND_TOKEN", asked.token(served.centre))
    assert evenhand("push", path, *to)[0] == 0
    with eh.connect(served.address) as client:
        assert [one.pushed_by for one in client.audits()] == ["kim"]


def test_one_run_ends_with_one_file(evenhand, served, file):
    status, _, error = evenhand(
        *("push", file(), file("y"), "--run", "0" * 32, "--to", served.address)
    )
    assert status == 2
    assert "one file" in error
