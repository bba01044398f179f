"""Headers of every answer: pages load only what is the centre's own, and nobody frames them."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

_ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

_HSTS = "max-age=31536000"

STATIC = "/static/"


def secure(headers: MutableHeaders, path: str, *, https: bool) -> None:
    """Add what is missing to the headers of an answer; a route may have said otherwise."""
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    # What a person may see is nothing for a cache that others use too.
    headers.setdefault("Cache-Control", "no-cache" if path.startswith(STATIC) else "no-store")
    if https:
        headers.setdefault("Strict-Transport-Security", _HSTS)
