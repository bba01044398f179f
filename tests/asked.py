"""Asking a centre over HTTP, in the process of the test."""

from __future__ import annotations

from starlette.testclient import TestClient

from evenhand.centre.api.access import Access
from evenhand.centre.api.app import create_app
from evenhand.centre.store.tokens import issue

HOST = "127.0.0.1:8642"

API = "/api/v1"

EVERY_RIGHT = ("read", "push", "approve", "admin")


def client(centre, auth: str = "none", token: str | None = None, **access) -> TestClient:
    """Return a client of a centre; where people log in, with a token."""
    app = create_app(centre, Access(auth, frozenset({HOST}), **access))
    return again(app, token)


def again(app, token: str | None = None) -> TestClient:
    """Return another client of the same application, without the cookies of the first."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    scheme = "https" if app.state.access.https else "http"
    return TestClient(app, base_url=f"{scheme}://{HOST}", headers=headers, follow_redirects=False)


def token(centre, person: str = "kim", product: str | None = None, rights=EVERY_RIGHT) -> str:
    """Return a new token."""
    return issue(centre, person=person, product=product, rights=rights)


def page(host: str = f"http://{HOST}") -> dict[str, str]:
    """Return the headers by which a browser says which page sends something."""
    return {"Origin": host}
