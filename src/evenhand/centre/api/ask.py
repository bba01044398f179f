"""What every route asks: the centre, and names in the address."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from evenhand.centre.store.centre import Centre


def centre_of(request: Request) -> Centre:
    """Return the centre."""
    found: Centre = request.app.state.centre
    return found


async def _here(request: Request) -> Centre:
    # Not a plain function: those are run in another thread, and so is what waits for them.
    return centre_of(request)


Here = Annotated[Centre, Depends(_here)]

SHA256 = r"^sha256:[0-9a-f]{64}$"
ID = r"^[0-9a-f]{32}$"

InPath = Annotated[str, Path(min_length=1, max_length=200)]
"""A name; what cannot be one is not there."""

Bundle = Annotated[str, Path(pattern=SHA256, description="SHA-256 of the evidence's file.")]
Id = Annotated[str, Path(pattern=ID)]

Search = Annotated[str | None, Query(max_length=200, description="Part of a name.")]
Name = Annotated[str | None, Query(min_length=1, max_length=100)]
