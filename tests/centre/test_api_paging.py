"""Lists in parts: together they are the whole, whatever is added between."""

from __future__ import annotations

import base64
import json

import pytest

from asked import API, client
from pushed import evidence


@pytest.fixture
def ask(centre, clock):
    """A client of a centre with some of everything."""
    found = client(centre)
    for number in range(7):
        clock.pass_(seconds=number % 2)
        found.post(f"{API}/bundles", content=evidence(version=f"v{number}"))
        found.put(f"{API}/products/p{number}", json={"owner": "risk"})
        run = {"id": f"{number:032x}", "product": "loans", "model": "score", "version": "v1"}
        found.post(f"{API}/runs", json={**run, "plan": f"sha256:{'0' * 64}"})
        job = {"product": "loans", "model": "score", "version": "v1", "plan": "x.yaml"}
        found.post(f"{API}/jobs", json=job)
        found.post(f"{API}/products/loans/models/score/versions/v1/gate", json={})
    return found


LISTS = [
    "/products",
    "/audits",
    "/findings",
    "/jobs",
    "/chain/heads",
    "/products/loans/chain",
    "/products/loans/runs",
    "/products/loans/decisions",
    "/products/loans/models/score/versions",
]


def parts(ask, path, limit):
    items, after = [], None
    while True:
        asked = {"limit": limit} if after is None else {"limit": limit, "after": after}
        answer = ask.get(f"{API}{path}", params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= limit
        items += page["items"]
        after = page["next"]
        if after is None:
            return items, page["total"]


def test_parts_are_the_whole(ask):
    for path in LISTS:
        whole, total = parts(ask, path, 200)
        assert len(whole) == total >= 7, path
        for limit in (1, 3):
            assert parts(ask, path, limit)[0] == whole, path


def test_what_is_added_between_two_parts_is_neither_repeated_nor_in_the_way(ask):
    first = ask.get(f"{API}/audits", params={"limit": 4}).json()
    ask.post(f"{API}/bundles", content=evidence(version="v99"))
    rest = ask.get(f"{API}/audits", params={"after": first["next"]}).json()
    seen = [one["version"] for one in first["items"] + rest["items"]]
    assert seen == [f"v{number}" for number in reversed(range(7))]


def test_a_cursor_that_was_not_given_is_refused(ask):
    def cursor(*keys):
        return base64.urlsafe_b64encode(json.dumps(keys).encode()).decode()

    # Of one name too many, of no such kind, or of nothing that can be read.
    wrong = ["x", "%00", "é", cursor(), cursor(None), cursor("1", "2"), cursor(10**30), cursor(1.5)]
    wrong += [cursor("a\x00"), cursor("\ud800"), cursor(*[True]), cursor([[]]), "[" * 900]
    for path in LISTS:
        for one in wrong:
            answer = ask.get(f"{API}{path}", params={"after": one})
            assert answer.status_code == 422, (path, one, answer.text)
            assert answer.json()["errors"][0]["where"].endswith("after")


def test_a_limit_is_from_1_to_200(ask):
    for limit in (0, -1, 201, "x"):
        assert ask.get(f"{API}/products", params={"limit": limit}).status_code == 422
