"""Whatever fits the document of the API, or nearly does, is answered as the document says."""

from __future__ import annotations

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

import bundles
from asked import API, HOST, again, client, token
from evenhand.centre.dossier import plan_identity
from pushed import evidence

EXAMPLES = 12


@schemathesis.serializer("application/zip")
def as_bytes(_, value):
    """Return the body of a push: a file of evidence where it would be a text, else what it is."""
    return evidence() if isinstance(value, str) and len(value) % 2 else str(value).encode()


KNOWN = {"product": "loans", "model": "score", "version": "v1", "name": "launch"}

CONFORM = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "allow_header_conformance",
    "unsupported_method",
)
"""What every answer is checked for; whether values are sound is more than a schema can say."""


@pytest.fixture
def known(centre):
    """An application that has something of everything, a token, and the names of it."""
    text = token(centre)
    app = client(centre, "token").app
    ask = again(app, text)
    ids = [
        ask.post(f"{API}/bundles", content=evidence(version=version)).json()["audit"]["bundle"]
        for version in ("v1", "v2")
    ]
    subject = {"product": "loans", "model": "score", "version": "v1"}
    run = {"id": "a" * 32, **subject, "plan": plan_identity(bundles.bundle().plan)}
    ask.post(f"{API}/runs", json=run)
    gate = ask.post(f"{API}/products/loans/models/score/versions/v1/gate", json={}).json()
    job = ask.post(f"{API}/jobs", json={**subject, "plan": "audit.yaml"}).json()
    waiver = {"model": "score", "rule": "gap", "owner": "lee", "reason": "x"}
    made = ask.post(f"{API}/products/loans/waivers", json={**waiver, "expires": "2026-12-01"})
    found = {"run": "a" * 32, "decision": gate["id"], "job": job["id"], "position": 0}
    found |= {"bundle": ids[0], "other": ids[1], "waiver": made.json()["id"], **KNOWN}
    return app, text, found


@pytest.mark.slow
def test_answers_are_as_the_document_says(known):
    app, text, names = known
    load_all_checks()
    checks = CHECKS.get_by_names(CONFORM)
    headers = {"Authorization": f"Bearer {text}", "Host": HOST}
    untupled(app.openapi())
    schema = schemathesis.openapi.from_asgi(f"{API}/openapi.json", app, headers=headers)
    asked = statuses = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            seen = tried(operation, mode, names, checks, headers)
            asked += len(seen)
            statuses += sum(200 <= one < 300 for one in seen)
    assert asked > 500
    assert statuses > 100, "hardly anything was found: the names are wrong"


def untupled(node):
    """Write a pair of days as a list of two: Schemathesis takes what pairs become for no schema."""
    if isinstance(node, dict):
        if "prefixItems" in node:
            node["items"] = node.pop("prefixItems")[0]
        for one in node.values():
            untupled(one)
    elif isinstance(node, list):
        for one in node:
            untupled(one)


def tried(operation, mode, names, checks, headers):
    """Ask by one operation, about what is there and about anything else."""
    seen = []

    @hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[*hypothesis.HealthCheck],
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), there=strategies.booleans())
    def ask(case, there):
        if there and case.path_parameters:
            case.path_parameters.update(
                {name: names[name] for name in case.path_parameters if name in names}
            )
        # A process that compares takes a while to start.
        response = case.call(headers=headers, timeout=120)
        seen.append(response.status_code)
        case.validate_response(response, checks=checks)

    try:
        ask()
    except hypothesis.errors.Unsatisfiable:
        # Nothing can be wrong where nothing is asked.
        assert mode == GenerationMode.NEGATIVE
    return seen
