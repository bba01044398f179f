"""``evenhand verify``: whether evidence is as it was written, and by whom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import flags
from evenhand.cli.output import FAIL, show


def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Evidence.", show_default=False)],
    *,
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="PUBLIC.pem", help="Ed25519 public key of whoever should have signed."
        ),
    ] = None,
    as_json: flags.AsJson = False,
) -> None:
    """Say whether evidence is as it was written, and name each record that is not.

    That a file verifies shows that it is whole, not who made it: whoever edits it can seal it
    again. Compare the digest with one kept elsewhere, or give the signer's public key.

    Exit status: 0 as it was written (and signed by the key, if one is given), 1 not, 2 usage.

    [bold]Example[/bold]

      evenhand verify v7.evidence.zip --key auditor.pem
    """
    from evenhand.audits.evidence.verification import verify as verified
    from evenhand.render import verification

    found = verified(bundle, key)
    show(verification.text(found), found.to_dict(), as_json=as_json)
    if not found.ok:
        raise typer.Exit(FAIL)
