"""What a watcher scrapes, and what is logged: numbers without names, and no secret."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from asked import API, again, client, token
from evenhand.centre.operations.log import AsJson
from evenhand.centre.store.decisions import decide_now
from evenhand.centre.store.evidence import Subject, accept
from evenhand.centre.store.tables import Job
from evenhand.errors import CentreError, Problem
from pushed import evidence


def scraped(asked) -> dict[tuple, float]:
    """All samples of a scrape, by name and labels."""
    answer = asked.get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {
        (one.name, *sorted(one.labels.items())): one.value
        for family in families
        for one in family.samples
    }


def requests(found, **labels) -> float:
    return sum(
        value
        for (name, *own), value in found.items()
        if name == "evenhand_requests_total" and labels.items() <= dict(own).items()
    )


@pytest.fixture
def asked(centre):
    return client(centre)


def test_requests_are_counted_by_route_and_never_by_name(asked):
    asked.post(f"{API}/bundles", content=evidence())
    asked.post(f"{API}/bundles", content=evidence())
    asked.post(f"{API}/bundles", content=b"no evidence")
    asked.get(f"{API}/products/loans/models")
    asked.get("/products/loans")
    asked.get("/secret-name")
    asked.get(f"{API}/products", headers={"Host": "evil.example"})
    found = scraped(asked)
    models = f"{API}/products/{{product}}/models"
    assert requests(found, method="GET", route=models, status="200") == 1
    assert requests(found, route="/products/{product}") == 1
    assert requests(found, route="none", status="404") == 1
    assert requests(found, route="none", status="403") == 1
    assert requests(found) == 7
    assert found["evenhand_request_seconds_count", ("method", "GET"), ("route", models)] == 1
    pushes = {name[1][1]: value for name, value in found.items() if "pushes_total" in name[0]}
    assert pushes == {"new": 1, "known": 1, "refused": 1}
    text = asked.get("/metrics").text
    assert "loans" not in text
    assert "secret" not in text


def test_a_method_that_nobody_knows_makes_no_new_series(asked):
    for number in range(5):
        asked.request(f"MADE{number}", "/healthz")
    assert requests(scraped(asked), method="other") == 5


def test_numbers_of_what_is_held_are_those_of_the_database(centre, asked, clock):
    accept(centre, evidence(), None, by="kim")
    accept(centre, evidence(product="search"), None, by="kim")
    decide_now(centre, Subject("loans", "score", "v1"), by="kim")
    token(centre)
    with centre.database.writing() as session:
        job = {"product_id": 1, "model": "m", "version": "v", "kind": "audit", "body": {}}
        session.add(Job(id="a" * 32, state="queued", created=clock(), by="kim", **job))
    clock.pass_(minutes=5)
    found = scraped(asked)
    assert found["evenhand_evidence_files",] == 2
    assert found["evenhand_evidence_bytes",] == sum(
        len(centre.storage.read(one)) for one in centre.storage.digests()
    )
    assert (found["evenhand_products",], found["evenhand_chain_lines",]) == (2, 9)
    newest = found["evenhand_chain_newest_line_timestamp_seconds",]
    assert clock().timestamp() - newest == 300
    decided = {name[2][1]: value for name, value in found.items() if "decisions" in name[0]}
    assert sum(decided.values()) == 1
    assert found["evenhand_jobs", ("state", "queued")] == 1
    assert found["evenhand_jobs", ("state", "failed")] == 0
    assert found["evenhand_jobs_longest_wait_seconds",] == 300
    ends = found["evenhand_token_expires_timestamp_seconds",]
    assert ends - clock().timestamp() == 90 * 86400 - 300
    assert found["evenhand_up", ("part", "database")] == 1
    assert found["evenhand_up", ("part", "storage")] == 1


def away(*_):
    raise CentreError(Problem("storage", "it is away."))


def test_what_is_away_is_said_and_the_rest_is_told(centre, asked, monkeypatch):
    monkeypatch.setattr(type(centre.storage), "check", away)
    found = scraped(asked)
    assert found["evenhand_up", ("part", "storage")] == 0
    assert found["evenhand_up", ("part", "database")] == 1
    monkeypatch.setattr(type(centre.database), "snapshot", away)
    found = scraped(asked)
    assert found["evenhand_up", ("part", "database")] == 0
    assert ("evenhand_products",) not in found


def test_metrics_are_for_whoever_may_read_of_the_whole_company(centre):
    nobody = client(centre, auth="token")
    assert nobody.get("/metrics", headers={"Accept": "text/plain"}).status_code in {303, 401}
    for product, rights, status in (
        (None, ["read"], 200),
        ("loans", ["read", "admin"], 403),
        (None, ["push"], 403),
    ):
        asked = again(nobody.app, token(centre, product=product, rights=rights))
        assert asked.get("/metrics").status_code == status


def test_a_watcher_with_a_token_may_ask_by_any_name_of_the_machine(centre):
    elsewhere = {"Host": "10.0.0.7:8642"}
    app = client(centre, auth="token").app
    asked = again(app, token(centre))
    assert asked.get("/metrics", headers=elsewhere).status_code == 200
    assert asked.get(f"{API}/products", headers=elsewhere).status_code == 403
    assert client(centre).get("/metrics", headers=elsewhere).status_code == 403


def test_every_answer_carries_the_number_of_its_request(asked):
    assert len(asked.get("/healthz").headers["x-request-id"]) == 16
    given = asked.get("/healthz", headers={"X-Request-ID": "from-the-proxy.7"})
    assert given.headers["x-request-id"] == "from-the-proxy.7"
    forged = asked.get("/healthz", headers={"X-Request-ID": 'x" level="error'})
    assert '"' not in forged.headers["x-request-id"]


@pytest.fixture
def logged(monkeypatch, caplog):
    """The documents that are logged, as whatever collects them reads them."""
    lines, ours = io.StringIO(), logging.getLogger("evenhand")
    handler = logging.StreamHandler(lines)
    handler.setFormatter(AsJson())
    monkeypatch.setattr(ours, "handlers", [handler])
    caplog.set_level(logging.INFO, logger="evenhand.requests")
    return lambda: [json.loads(line) for line in lines.getvalue().splitlines()]


def test_a_request_is_logged_without_what_is_secret_in_it(centre, logged):
    secret = token(centre, person="kim")
    asked = client(centre, auth="token", token=secret)
    asked.get(f"{API}/products/loans?search=eh_secret", headers={"X-Request-ID": "n1"})
    asked.post("/login", data={"token": secret})
    mine = [one for one in logged() if one["logger"] == "evenhand.requests"]
    assert {name: mine[0][name] for name in ("request", "method", "path", "status", "person")} == {
        "request": "n1",
        "method": "GET",
        "path": f"{API}/products/loans",
        "status": 404,
        "person": "kim",
    }
    assert mine[0]["route"] == f"{API}/products/{{product}}"
    assert mine[0]["milliseconds"] >= 0
    whole = json.dumps(logged())
    assert secret not in whole
    assert "eh_secret" not in whole


def test_what_nobody_foresaw_is_logged_with_the_number_of_its_request(centre, logged, monkeypatch):
    asked = client(centre)

    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(type(centre.database), "reading", broken)
    answer = asked.get(f"{API}/products", headers={"X-Request-ID": "n2"})
    assert answer.status_code == 500
    (failed,) = [one for one in logged() if "exception" in one]
    assert "ZeroDivisionError" in failed["exception"]
    assert failed["request"] == "n2"


@pytest.mark.slow
def test_processes_of_one_server_count_together(tmp_path):
    line = """
from evenhand.centre.operations.metrics import Metrics
from evenhand.centre.operations.observer import Seen
from types import SimpleNamespace
import sys
metrics = Metrics(SimpleNamespace())
metrics.note(Seen("1", "GET", {}, 200, 0.1), "/a")
metrics._held = type(metrics._held)()
print(metrics.text().decode() if sys.argv[1:] else "")
"""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for words in ([], [], ["print"]):
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", line, *words],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    assert 'evenhand_requests_total{method="GET",route="/a",status="200"} 3.0' in done.stdout
