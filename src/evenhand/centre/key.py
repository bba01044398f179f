"""The centre's key: it signs what clients cache, so that nobody can edit a policy offline."""

from __future__ import annotations

import base64
import contextlib
import os
from pathlib import Path
from typing import Any

from evenhand.audits.evidence.canonical import canonical, parse
from evenhand.errors import (
    BundleError,
    CentreError,
    EvenhandError,
    MissingExtraError,
    Problem,
    reason,
)

DOSSIER_TYPE = "application/vnd.evenhand.dossier+json"


def ensure_key(path: Path) -> Path:
    """Return the file of a key, made for this centre where there is none; readable by its owner.

    Raises:
        CentreError: It cannot be made or read.
        MissingExtraError: The packages of ``sign`` are not installed.

    """
    if path.exists():
        _private(path)
        return path
    private = _module().Ed25519PrivateKey.generate()
    data = private.private_bytes(*_pem_of_private())
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        # Of two servers that start at once, one key stays.
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
        part.unlink()
    except OSError as error:
        what = f"the key cannot be written: {reason(error)}."
        raise CentreError(Problem(str(path), what)) from error
    return path


def public_pem(path: Path) -> str:
    """Return the public part of the key in a file, in PEM: what clients check with."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = _private(path).public_key()
    text: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


def seal(document: dict[str, Any], path: Path, kind: str = DOSSIER_TYPE) -> bytes:
    """Return a document in a DSSE envelope, signed by the key in a file."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]

    envelope = Envelope(canonical(document, kind), kind, {})
    envelope.sign(CryptoSigner(_private(path)))
    return canonical(envelope.to_dict(), kind)


def unseal(data: bytes, pem: str, kind: str = DOSSIER_TYPE) -> dict[str, Any]:
    """Return the document in an envelope, after checking who signed it.

    Raises:
        BundleError: It is no envelope, of another kind, or not signed by this key.
        MissingExtraError: The packages of ``sign`` are not installed.

    """
    _module()
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import Error
    from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

    try:
        content = parse(data, "envelope")
        public = SSlibKey.from_crypto(load_pem_public_key(pem.encode()))
        Envelope.from_dict(content).verify([public], 1)
        if content["payloadType"] != kind:
            raise BundleError(Problem("envelope", f"it holds no {kind}."))
        found: dict[str, Any] = parse(base64.b64decode(content["payload"]), "envelope")
    except EvenhandError:
        raise
    except (Error, ValueError, KeyError, TypeError, AttributeError) as error:
        what = "it is not signed by the centre's key."
        raise BundleError(Problem("envelope", what, "Fetch it again from the centre.")) from error
    return found


def _private(path: Path) -> Any:  # noqa: ANN401 - of an extra
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        found = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise CentreError(
            Problem(str(path), f"the key cannot be read: {reason(error)}.")
        ) from error
    except (ValueError, TypeError) as error:
        what = "it is no Ed25519 private key in PEM without a passphrase."
        raise CentreError(Problem(str(path), what)) from error
    if not isinstance(found, _module().Ed25519PrivateKey):
        raise CentreError(Problem(str(path), "the key is not of the kind Ed25519."))
    return found


def _pem_of_private() -> tuple[Any, Any, Any]:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()


def _module() -> Any:  # noqa: ANN401 - of an extra
    try:
        import securesystemslib.dsse  # noqa: F401 - whether it is there
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise MissingExtraError("sign", where="the centre's key") from error
    return ed25519
