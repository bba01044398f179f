"""What goes wrong is said in one shape: where, what, hint; with nothing of the inside."""

from __future__ import annotations

import json

import pytest

from asked import API, HOST, again, client
from evenhand.centre.api.header import CONTENT_SECURITY_POLICY
from evenhand.errors import CentreError, Problem
from pushed import evidence

SHAPE = {"type", "title", "status", "detail", "errors"}


@pytest.fixture
def ask(centre):
    return client(centre)


CASES = [
    ("GET", "/products/none", None, 404),
    ("GET", "/nothing", None, 404),
    ("DELETE", "/products", None, 405),
    ("GET", "/audits/x", None, 422),
    ("GET", f"/audits/sha256:{'0' * 64}", None, 404),
    ("PUT", "/products/loans", '{"owner": 3}', 422),
    ("PUT", "/products/loans", '{"own": "x"}', 422),
    ("PUT", "/products/loans", "{", 422),
    ("PUT", "/products/loans", "[" * 100_000, 400),
    ("PUT", "/products/loans", '{"title": "\\ud800"}', 422),
    ("PUT", "/products/loans", '{"title": "\\u0000"}', 422),
    ("PUT", "/products/a%00b", "{}", 422),
    ("PUT", "/products/..%2f..%2fetc", "{}", 404),
    ("PUT", "/products/a b ", "{}", 409),
    ("PUT", "/policies", '{"text": "policy: 2"}', 422),
    ("POST", "/bundles", "no zip", 422),
    ("POST", "/bundles?run=x", "no zip", 422),
    ("POST", "/waivers/1/answer", '{"approved": true}', 403),
    ("GET", "/policies?version=99999999999999999999", None, 422),
    ("GET", "/findings?search=%00", None, 422),
]


def test_a_problem_has_one_shape(ask):
    for method, path, body, status in CASES:
        kind = {"Content-Type": "application/json"}
        answer = ask.request(method, f"{API}{path}", content=body, headers=kind)
        told = answer.json()
        assert (answer.status_code, told["status"]) == (status, status), (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert told.keys() == SHAPE
        assert told["errors"]
        for one in told["errors"]:
            assert one.keys() == {"where", "what", "hint"}
            assert one["where"]
            assert one["what"].endswith(".")
        assert "Traceback" not in answer.text


def test_all_problems_of_a_body_are_told_at_once(ask):
    told = ask.post(f"{API}/runs", json={"id": "x", "product": ""}).json()
    assert [one["where"] for one in told["errors"]] == [
        f"body.{name}" for name in ("id", "product", "model", "version", "plan")
    ]


def test_what_nobody_foresaw_is_told_to_the_log_alone(ask, centre, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(type(centre.database), "reading", fail)
    answer = ask.get(f"{API}/products")
    assert (answer.status_code, answer.json().keys()) == (500, SHAPE)
    assert "secret" not in answer.text
    assert "a secret of the inside" in caplog.text
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY


def test_what_the_centre_stands_on_is_away(ask, centre, monkeypatch):
    def away(*_):
        raise CentreError(Problem("storage x", "files cannot be kept here: the disk is full."))

    monkeypatch.setattr(type(centre.storage), "put", away)
    monkeypatch.setattr(type(centre.storage), "check", away)
    answer = ask.post(f"{API}/bundles", content=evidence())
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "the disk is full" in answer.json()["detail"]
    ready = ask.get("/readyz")
    assert (ready.status_code, ready.json()["storage"]) == (503, "away")
    assert ready.json()["database"] == "ok"
    assert "disk" not in ready.text


def test_a_body_that_is_too_large_is_not_read_on(ask):
    def pieces():
        for _ in range(300):
            yield bytes(2**20)

    for path in ("/runs", "/bundles"):
        kind = {"Content-Type": "application/json"}
        answer = ask.post(f"{API}{path}", content=pieces(), headers=kind)
        assert answer.status_code == 413
        assert answer.json()["status"] == 413


def test_a_body_that_says_it_is_too_large_is_refused_unread(ask):
    told = {"Content-Length": str(10 * 2**30)}
    answer = ask.post(f"{API}/bundles", content=b"x", headers=told)
    assert (answer.status_code, answer.json()["title"]) == (413, "Too large")


EVERY = (
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "cache-control",
)


def test_every_answer_has_the_headers_that_keep_pages_apart(ask):
    paths = ["/healthz", "/nothing", f"{API}/products", f"{API}/nothing", f"{API}/openapi.json"]
    for path in paths:
        headers = ask.get(path).headers
        assert set(EVERY) <= set(headers), path
        assert "access-control-allow-origin" not in headers
    assert ask.get("/healthz", headers={"Host": "10.0.0.1"}).status_code == 200
    evil = {"Host": "evil.example"}
    assert set(EVERY) <= set(ask.get(f"{API}/products", headers=evil).headers)
    headers = ask.options(f"{API}/products", headers={"Origin": "http://evil.example"}).headers
    assert "access-control-allow-origin" not in headers


def test_over_https_browsers_are_told_to_stay_there(centre):
    ask = client(centre, "token", https=True)
    assert "strict-transport-security" in ask.get("/healthz").headers
    assert "strict-transport-security" not in client(centre).get("/healthz").headers


def test_the_document_of_the_api_is_given_and_names_every_failure(ask):
    document = ask.get(f"{API}/openapi.json").json()
    assert document["info"]["title"] == "Evenhand centre"
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert {"4XX", "5XX"} <= operation["responses"].keys(), (method, path)
            assert operation["description"], (method, path)
    text = json.dumps(document)
    assert "HTTPValidationError" not in text
    assert "http://" not in text


def test_pages_are_told_in_words(centre):
    answer = again(client(centre).app).get("/nothing/here")
    assert answer.status_code == 404
    assert not answer.headers["content-type"].startswith("application/")
    assert HOST not in answer.text
