"""Where a centre is, and the token that it lets in by: what goes where is decided here.

A token is worth what its person may do. It is read from a file or from the environment, since a
command line is seen by everybody on the machine, and it is sent encrypted or not at all.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from evenhand.errors import DeniedError, EvenhandError, Problem, reason

CENTRE, TOKEN = "EVENHAND_CENTRE", "EVENHAND_TOKEN"
"""Variables that name the centre, and hold the token, where no flag does."""

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """A centre, and how it is spoken to.

    Attributes:
        url: Its address, without a slash at the end.
        local: Whether it is this machine, so that nothing leaves it.
        folder: A name for what is kept of it, the same however its address is written.
        token: What it lets in by; None for nothing.

    """

    url: str
    local: bool
    folder: str
    token: str | None = field(default=None, repr=False)


def address_of(text: str, token: str | None = None, *, insecure: bool = False) -> Address:
    """Return the centre at an address.

    Args:
        text: Its address, such as ``http://127.0.0.1:8642`` or ``https://centre.example/evenhand``.
        token: What it lets in by.
        insecure: Whether the token may be sent for everybody on the way to read.

    Raises:
        EvenhandError: It is no address of a centre.
        DeniedError: The token would be sent for everybody on the way to read.

    """
    where, shown = "the centre's address", text.strip()
    try:
        parts = urlsplit(shown)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise EvenhandError(Problem(where, f"'{shown[:80]}' is no address: {error}.")) from error
    if parts.scheme not in _PORTS or not host:
        hint = "Write it whole: http://127.0.0.1:8642 or https://centre.example."
        raise EvenhandError(Problem(where, f"'{shown[:80]}' is no address of a centre.", hint))
    if parts.username is not None or parts.password is not None:
        hint = f"Leave it out, and give a token: --token-file FILE, or {TOKEN}."
        raise EvenhandError(Problem(where, "a name or password stands in it.", hint))
    if parts.query or parts.fragment:
        what = "it goes on with ? or #, which no address of a centre does."
        raise EvenhandError(Problem(where, what, "Name the centre, not one of its pages."))
    url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    local = _is_local(host)
    if token is not None and parts.scheme == "http" and not local and not insecure:
        what = f"the token would go to {host} for everybody on the way to read."
        hint = f"Use https://{host}, or --insecure where the way is safe."
        raise DeniedError(Problem(url, what, hint))
    place = f"{host}:{port or _PORTS[parts.scheme]}{parts.path.rstrip('/')}"
    return Address(url, local, quote(place, safe=""), token)


def named(text: str | None) -> str:
    """Return the address that is given, else that of the environment.

    Raises:
        EvenhandError: None is.

    """
    found = text or os.environ.get(CENTRE, "")
    if not found.strip():
        hint = f"Name it: --to URL or --from URL, or set {CENTRE}=URL."
        raise EvenhandError(Problem("the centre's address", "no centre is named.", hint))
    return found


def read_token(path: Path | None) -> str | None:
    """Return the token of a file, else that of the environment; None where there is none.

    Raises:
        EvenhandError: The file cannot be read, or what is there is no token.

    """
    where = TOKEN if path is None else str(path)
    if path is None:
        text = os.environ.get(TOKEN, "").strip()
        if not text:
            return None
    else:
        try:
            text = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise EvenhandError(Problem(where, f"it cannot be read: {reason(error)}.")) from error
        except UnicodeDecodeError as error:
            raise EvenhandError(Problem(where, "this is no token.", _ISSUED)) from error
    # It is not shown: a message ends up in logs.
    if not text.isascii() or not text.isprintable() or " " in text or not text:
        raise EvenhandError(Problem(where, "this is no token: one word of plain signs.", _ISSUED))
    return text


_ISSUED = "Whoever runs the centre issues tokens: evenhand centre token issue."


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
