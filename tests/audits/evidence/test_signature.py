"""Signatures tell who made a bundle, and only with a key from elsewhere."""

from __future__ import annotations

import base64
import json
import sys

import pytest
import rfc8785

import bundles
from evenhand.audits.evidence import read_bundle, verify, write_bundle
from evenhand.audits.evidence.canonical import digest_of
from evenhand.audits.evidence.manifest import comment_with
from evenhand.audits.evidence.signature import PAYLOAD_TYPE, PREDICATE, STATEMENT
from evenhand.audits.evidence.zipped import pack, unpack
from evenhand.errors import BundleError, MissingExtraError, OutputError

pytest.importorskip("securesystemslib.dsse")
serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")


def _pair(folder, name, seed):
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    files = folder / f"{name}.pem", folder / f"{name}.public.pem"
    files[0].write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    files[1].write_bytes(
        private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return files


@pytest.fixture
def keys(tmp_path):
    return _pair(tmp_path, "auditor", 1)


@pytest.fixture
def signed(tmp_path, keys):
    path = tmp_path / "s.evidence.zip"
    write_bundle(bundles.bundle(), path, key=keys[0])
    return path


def _members(path):
    return dict(unpack(path.read_bytes()))


def _put(path, members):
    path.write_bytes(pack(members, comment_with(digest_of(members["manifest.json"]))))


def test_a_signature_is_valid_with_its_key(signed, keys):
    found = verify(signed, keys[1])
    assert (found.ok, found.signature) == (True, "valid")


def test_a_signature_without_a_key_is_not_called_valid(signed):
    found = verify(signed)
    assert (found.ok, found.signature) == (True, "unchecked")


def test_another_key_does_not_accept_it(signed, tmp_path):
    _, other = _pair(tmp_path, "other", 2)
    found = verify(signed, other)
    assert (found.ok, found.signature) == (False, "invalid")
    assert [one.record for one in found.changed] == ["signature.dsse.json"]


def test_a_signature_taken_off_is_missed_where_a_key_is_given(signed, keys):
    members = _members(signed)
    del members["signature.dsse.json"]
    _put(signed, members)
    found = verify(signed, keys[1])
    assert (found.ok, found.signature) == (False, "absent")
    assert verify(signed).ok


@pytest.mark.parametrize("with_key", [True, False])
def test_evidence_sealed_again_without_the_key_is_not_what_was_signed(signed, keys, with_key):
    members = _members(signed)
    manifest = json.loads(members["manifest.json"])
    manifest["created"] = "2027-01-01T00:00:00+00:00"
    members["manifest.json"] = rfc8785.dumps(manifest)
    _put(signed, members)
    found = verify(signed, keys[1] if with_key else None)
    assert (found.ok, found.signature) == (False, "invalid")


def test_a_changed_signature_is_invalid(signed, keys):
    members = _members(signed)
    envelope = json.loads(members["signature.dsse.json"])
    envelope["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()
    members["signature.dsse.json"] = rfc8785.dumps(envelope)
    _put(signed, members)
    assert verify(signed, keys[1]).signature == "invalid"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"3",
        b'{"payload":1,"payloadType":2,"signatures":3}',
        b'{"payload":"!","payloadType":"x","signatures":[]}',
    ],
)
def test_nonsense_is_no_signature(data, signed, keys):
    members = _members(signed) | {"signature.dsse.json": data}
    _put(signed, members)
    assert verify(signed, keys[1]).signature == "invalid"
    assert verify(signed).signature == "invalid"


@pytest.mark.parametrize(
    "signatures",
    [[], [{}], [3], [{"keyid": 1, "sig": 2}], [{"keyid": "a", "sig": "!"}], {"a": 1}, ["x", "x"]],
)
def test_signatures_of_another_form_are_invalid(signatures, signed, keys):
    members = _members(signed)
    envelope = json.loads(members["signature.dsse.json"]) | {"signatures": signatures}
    members["signature.dsse.json"] = rfc8785.dumps(envelope)
    _put(signed, members)
    assert verify(signed, keys[1]).signature == "invalid"


def test_the_envelope_is_dsse_with_an_in_toto_statement(signed, keys):
    members = _members(signed)
    envelope = json.loads(members["signature.dsse.json"])
    payload = base64.b64decode(envelope["payload"])
    hexadecimal = digest_of(members["manifest.json"]).removeprefix("sha256:")
    assert json.loads(payload) == {
        "_type": STATEMENT,
        "subject": [{"name": "manifest.json", "digest": {"sha256": hexadecimal}}],
        "predicateType": PREDICATE,
        "predicate": {"format": 1},
    }
    # DSSE's pre-authentication encoding, checked by the cryptography library alone.
    kind = PAYLOAD_TYPE.encode()
    said = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    public = serialization.load_pem_public_key(keys[1].read_bytes())
    public.verify(base64.b64decode(envelope["signatures"][0]["sig"]), said)


def test_a_signature_changes_neither_digest_nor_bundle(signed, tmp_path):
    plain = tmp_path / "plain.zip"
    assert write_bundle(bundles.bundle(), plain) == verify(signed).digest
    assert read_bundle(signed).to_dict() == read_bundle(plain).to_dict()


def test_keys_that_are_none_are_refused_and_nothing_is_written(tmp_path, keys):
    from cryptography.hazmat.primitives.asymmetric import ec

    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    locked = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    key, path = tmp_path / "key.pem", tmp_path / "x.zip"
    for content, said in (
        (b"no key", "no private key"),
        (keys[1].read_bytes(), "no private key"),
        (curve, "not of the kind Ed25519"),
        (locked, "passphrase"),
    ):
        key.write_bytes(content)
        with pytest.raises(OutputError, match=said):
            write_bundle(bundles.bundle(), path, key=key)
        assert not path.exists()


def test_a_public_key_that_is_none_is_refused(signed, keys, tmp_path):
    for wrong, said in (
        (keys[0], "no public key"),
        (tmp_path / "none.pem", "no such file"),
        (tmp_path, "it is a folder"),
    ):
        with pytest.raises(BundleError, match=said):
            verify(signed, wrong)


def test_without_the_extra_the_line_that_adds_it_is_named(tmp_path, keys, monkeypatch):
    monkeypatch.setitem(sys.modules, "securesystemslib.dsse", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'evenhand\[sign\]'"):
        write_bundle(bundles.bundle(), tmp_path / "x.zip", key=keys[0])


def test_without_the_extra_an_unsigned_bundle_verifies(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "securesystemslib.dsse", None)
    write_bundle(bundles.bundle(), tmp_path / "x.zip")
    assert verify(tmp_path / "x.zip").ok
