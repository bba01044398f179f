"""What can be told of evidence from its file, for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evenhand.audits.evidence.verification import Verification

_SIGNATURE = {
    "valid": "valid, by this key",
    "absent": "none: whoever edits this file can seal it again, so keep its digest elsewhere",
    "invalid": "invalid",
    "unchecked": "there, but by whom is not checked: give the signer's public key with --key",
}


def text(found: Verification) -> RenderableType:
    """Return the answer, what changed, the state of the signature, and the digest."""
    said = "as it was signed" if found.signature == "valid" else "as it was sealed"
    if not found.ok:
        said = f"not as it was written: {len(found.changed)} of its records"
    answer = "ok" if found.ok else "changed"
    if not found.ok and not found.changed:
        answer, said = "not signed", "as it was sealed, but nobody signed it"
    parts: list[RenderableType] = [
        Text.assemble((answer, "bold green" if found.ok else "bold red"), f"  {said}")
    ]
    if found.changed:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in ("record", "expected", "found"):
            table.add_column(heading, overflow="fold")
        for one in found.changed:
            table.add_row(*(Text(part) for part in (one.record, one.expected, one.found)))
        parts.append(Padding(table, (1, 0, 1, 2)))
    parts.append(Text(f"signature  {_SIGNATURE[found.signature]}"))
    parts.append(Text(f"digest     {found.digest or 'none'}"))
    return Group(*parts)
