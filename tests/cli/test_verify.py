"""``evenhand verify``: the answer, the record that changed, and the exit status."""

from __future__ import annotations

import functools
import json

import pytest

import bundles
from evenhand.audits.evidence import write_bundle


@pytest.fixture
def run(evenhand):
    return functools.partial(evenhand, "verify")


@pytest.fixture
def path(tmp_path):
    write_bundle(bundles.bundle(), tmp_path / "x.evidence.zip")
    return tmp_path / "x.evidence.zip"


def test_whole_evidence_exits_with_0(run, path):
    code, out, _ = run(path)
    assert code == 0
    assert out.startswith("ok")
    assert "whoever edits this file can seal it again" in out


def test_json_is_that_of_the_contract(run, path):
    code, out, _ = run(path, "--json")
    document = json.loads(out)
    assert code == 0
    assert {*document} == {"ok", "changed", "signature", "digest"}
    assert (document["ok"], document["changed"], document["signature"]) == (True, [], "absent")


def test_a_changed_byte_exits_with_1_and_is_named(run, path):
    data = bytearray(path.read_bytes())
    data[data.index(b'"estimand":"row"') + 12] ^= 1
    path.write_bytes(bytes(data))
    code, out, _ = run(path, "--json")
    (changed,) = json.loads(out)["changed"]
    assert code == 1
    assert changed["record"] == "findings.json: selection_rate"
    code, out, _ = run(path)
    assert code == 1
    assert "findings.json: selection_rate" in out


def test_a_file_that_is_no_evidence_is_a_usage_error(run, tmp_path):
    (tmp_path / "x").write_text("hello")
    code, _, err = run(tmp_path / "x")
    assert code == 2
    assert "this is no evidence" in err


def test_a_key_without_a_signature_exits_with_1(run, path, tmp_path):
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    key = tmp_path / "public.pem"
    key.write_bytes(
        public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    code, out, _ = run(path, "--key", key, "--json")
    assert code == 1
    document = json.loads(out)
    assert (document["ok"], document["changed"]) == (False, [])
    assert document["signature"] == "absent"
    code, out, _ = run(path, "--key", key)
    assert code == 1
    assert out.startswith("not signed  ")
    assert "changed" not in out


def test_the_help_says_what_a_digest_does_not_prove(run):
    _, out, _ = run("--help")
    assert "not who made it" in " ".join(out.split())


@pytest.mark.parametrize("signed", [True, False])
def test_a_key_that_is_not_there_is_a_usage_error_signed_or_not(run, tmp_path, signed):
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    key = tmp_path / "key.pem"
    private = ed25519.Ed25519PrivateKey.generate()
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, form, plain))
    path = tmp_path / "y.evidence.zip"
    write_bundle(bundles.bundle(), path, key=key if signed else None)
    code, out, _ = run(path, "--key", tmp_path / "no.pem", "--json")
    assert code == 2
    assert json.loads(out)["errors"][0]["what"] == "no such file."
