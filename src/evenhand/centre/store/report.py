"""Reports of audits, as ``evenhand show --html`` writes them, kept for a while."""

from __future__ import annotations

from evenhand.centre.store.centre import Centre
from evenhand.centre.store.opened import Shelf, opened

_SHELF: Shelf[bytes] = Shelf(32 * 2**20)
"""Room for so many bytes: a report has at most two million."""


def report_of(centre: Centre, bundle: str) -> bytes:
    """Return the report of a bundle that was accepted: one page that opens anywhere.

    Args:
        centre: The centre.
        bundle: SHA-256 of its file.

    Raises:
        CentreError: Its file cannot be read.

    """

    def make() -> tuple[bytes, int]:
        from evenhand.render.html import html

        page = html(opened(centre, bundle)).encode()
        return page, len(page)

    return _SHELF.get(bundle, make)
