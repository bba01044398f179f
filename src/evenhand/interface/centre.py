"""The centre that others run, as Python asks it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evenhand.centre.client import Client


def connect(
    address: str | None = None,
    *,
    token: str | None = None,
    token_file: str | Path | None = None,
    insecure: bool = False,
) -> Client:
    """Return a centre that others run: its products, evidence, gates and jobs.

    Args:
        address: Its address, such as ``http://127.0.0.1:8642``; None for ``EVENHAND_CENTRE``.
        token: What it lets in by; None for that of the file, or of ``EVENHAND_TOKEN``.
        token_file: A file with the token.
        insecure: Whether the token may be sent unencrypted to another machine.

    Raises:
        EvenhandError: No centre is named, or the token cannot be read.
        DeniedError: The token would be sent unencrypted to another machine.

    """
    from evenhand.centre.client.address import address_of, named, read_token
    from evenhand.centre.client.client import Client

    given = token or read_token(None if token_file is None else Path(token_file))
    return Client(address_of(named(address), given, insecure=insecure))
