"""Signatures of bundles: an in-toto statement about the manifest in a DSSE envelope, by Ed25519.

A digest tells whether a file changed since its digest was taken; only a signature that is checked
with a key from elsewhere tells who made it.

Source: Secure Systems Lab, DSSE 1.0; in-toto attestation framework, Statement 1; RFC 8032.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evenhand.audits.evidence.bundle import FORMAT
from evenhand.audits.evidence.canonical import canonical, parse
from evenhand.audits.evidence.file import Location
from evenhand.audits.evidence.zipped import MANIFEST, SIGNATURE
from evenhand.errors import (
    BundleError,
    EvenhandError,
    MissingExtraError,
    OutputError,
    Problem,
    reason,
)

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://github.com/evenhand/evenhand/evidence/v1"

Signed = Literal["valid", "absent", "invalid", "unchecked"]
"""``valid`` only where a key was given and the signature is its; ``unchecked`` where there is a
signature of this manifest and no key was given, so that anybody may have made it."""


def statement(digest: str) -> bytes:
    """Return what a signature states: that this is the manifest of a bundle."""
    return canonical(
        {
            "_type": STATEMENT,
            "subject": [{"name": MANIFEST, "digest": {"sha256": digest.removeprefix("sha256:")}}],
            "predicateType": PREDICATE,
            "predicate": {"format": FORMAT},
        },
        SIGNATURE,
    )


def sign(digest: str, key: Location) -> bytes:
    """Return the envelope that signs the digest of a manifest.

    Args:
        digest: ``sha256:`` and 64 hexadecimal digits.
        key: A file with an Ed25519 private key, PEM of PKCS#8, without a passphrase.

    Raises:
        OutputError: The key cannot be read, or is of another kind.
        MissingExtraError: The packages of ``sign`` are not installed.

    """
    _check_extra()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]

    hint = "Make one: openssl genpkey -algorithm ed25519 -out key.pem"
    try:
        private = load_pem_private_key(_read(key, OutputError, hint), None)
    except TypeError as error:
        what = "the key is locked by a passphrase, which is not asked for."
        raise OutputError(Problem(str(key), what, hint)) from error
    except OutputError:
        raise
    except (ValueError, UnsupportedAlgorithm) as error:
        what = "it is no private key in PEM (PKCS#8)."
        raise OutputError(Problem(str(key), what, hint)) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise OutputError(Problem(str(key), "the key is not of the kind Ed25519.", hint))
    envelope = Envelope(statement(digest), PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(private))
    return canonical(envelope.to_dict(), SIGNATURE)


def check(data: bytes, digest: str, public: SSlibKey | None) -> tuple[Signed, str]:
    """Return whether an envelope signs the digest of a manifest, and what it is otherwise.

    Args:
        data: The envelope.
        digest: The digest of the manifest that is there.
        public: The Ed25519 public key of whoever should have signed; None to look only at what
            was signed.

    """
    try:
        content = parse(data, SIGNATURE)
        payload = base64.b64decode(content["payload"], validate=True)
        kind, signatures = content["payloadType"], len(content["signatures"])
    except (EvenhandError, ValueError, KeyError, TypeError):
        return "invalid", "it is no DSSE envelope"
    if kind != PAYLOAD_TYPE or payload != statement(digest) or not signatures:
        return "invalid", "it signs something else than this manifest"
    if public is None:
        return "unchecked", ""
    return ("valid", "") if _signed(content, public) else ("invalid", "it is not of this key")


def _signed(content: Any, public: SSlibKey) -> bool:  # noqa: ANN401 - from JSON
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import Error

    try:
        # The bytes that are verified are those that were compared: Envelope decodes them again.
        Envelope.from_dict(content).verify([public], 1)
    except (Error, ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


def public_key(path: Location) -> SSlibKey:
    """Return the Ed25519 public key of a file.

    Raises:
        BundleError: The file cannot be read, or is no such key.
        MissingExtraError: The packages of ``sign`` are not installed.

    """
    hint = "Take it from the private key: openssl pkey -in key.pem -pubout -out public.pem"
    data = _read(path, BundleError, hint)
    _check_extra()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

    try:
        public = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BundleError(Problem(str(path), "it is no public key in PEM.", hint)) from error
    if not isinstance(public, Ed25519PublicKey):
        raise BundleError(Problem(str(path), "the key is not of the kind Ed25519.", hint))
    return SSlibKey.from_crypto(public)


def _read(path: Location, cause: type[EvenhandError], hint: str) -> bytes:
    """Return the bytes of a key's file."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise cause(Problem(str(path), f"{reason(error)}.", hint)) from error


def _check_extra() -> None:
    try:
        import cryptography
        import securesystemslib.dsse  # noqa: F401 - only whether they are there
    except ImportError as error:
        raise MissingExtraError("sign", where="signature") from error
    _ = cryptography
