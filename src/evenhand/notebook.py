"""How findings and bundles show themselves in a notebook: a slot that the renderers fill.

An object of a low layer cannot import the layer that draws it. So it asks this slot, which
`evenhand` fills when it is imported; nothing is patched, and with no renderer a notebook shows
the plain text. See docs/report.md.
"""

from __future__ import annotations

from collections.abc import Callable

Renderer = Callable[[object], str]

_renderers: list[Renderer] = []


def show_with(renderer: Renderer) -> None:
    """Let this function turn findings and bundles into HTML."""
    _renderers[:] = [renderer]


def as_html(what: object) -> str | None:
    """Return the object as a piece of HTML; None where nothing draws it."""
    return _renderers[0](what) if _renderers else None
