"""The API as programs use it: push, look, compare, gate."""

from __future__ import annotations

import base64
import json

import fastapi.routing
import pytest

import bundles
from asked import API, client
from evenhand.audits.evidence.archive import parse_bundle
from evenhand.audits.evidence.comparison import diff
from evenhand.audits.evidence.moves import document_of, levellings
from evenhand.audits.plan.parsed import parse_plan
from evenhand.centre.dossier import Dossier, plan_identity
from evenhand.centre.key import unseal
from evenhand.render.html import html
from pushed import evidence

V1 = f"{API}/products/loans/models/score/versions/v1"


@pytest.fixture
def ask(centre):
    return client(centre)


def push(ask, data=None, **subject):
    answer = ask.post(f"{API}/bundles", content=data or evidence(**subject))
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()["audit"]["bundle"]


def test_routes_are_built_before_the_first_request(ask, monkeypatch):
    # FastAPI builds them at the first one, and two at once were met by each other's warnings.
    monkeypatch.delattr(fastapi.routing, "get_dependant")
    assert ask.get(f"{API}/audits").status_code == 200
    assert ask.get("/login").status_code < 500


def test_what_is_pushed_is_given_back_byte_for_byte(ask):
    data = evidence()
    first = ask.post(f"{API}/bundles", content=data)
    assert (first.status_code, first.json()["new"]) == (201, True)
    bundle = first.json()["audit"]["bundle"]
    assert first.headers["location"] == f"{API}/audits/{bundle}"
    again = ask.post(f"{API}/bundles", content=data)
    assert (again.status_code, again.json()["new"]) == (200, False)
    assert (
        again.json()["audit"] == first.json()["audit"] == ask.get(f"{API}/audits/{bundle}").json()
    )
    file = ask.get(f"{API}/bundles/{bundle}")
    assert file.content == data
    assert file.headers["etag"] == f'"{bundle}"'
    assert "immutable" in file.headers["cache-control"]
    assert file.headers["content-disposition"].startswith("attachment")
    known = ask.get(f"{API}/bundles/{bundle}", headers={"If-None-Match": file.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


def test_every_link_of_an_audit_leads_somewhere(ask):
    bundle = push(ask)
    links = ask.get(f"{API}/audits/{bundle}").json()["links"]
    del links["page"]
    assert {name: ask.get(link).status_code for name, link in links.items()} == dict.fromkeys(
        links, 200
    )


def test_a_bundle_that_names_nothing_is_pushed_as_what_is_said(ask):
    data = evidence(product=None, model=None, version=None)
    refused = ask.post(f"{API}/bundles", content=data)
    assert refused.status_code == 409
    assert [one["where"] for one in refused.json()["errors"]] == ["product", "model", "version"]
    said = {"product": "loans", "model": "score", "version": "v9"}
    told = ask.post(f"{API}/bundles", params=said, content=data).json()["audit"]
    assert {name: told[name] for name in said} == said


def test_findings_are_those_of_the_bundle(ask):
    bundle, whole = push(ask), bundles.bundle()
    listed = ask.get(f"{API}/audits/{bundle}/findings").json()
    assert listed["total"] == len(whole.findings)
    assert [one["key"] for one in listed["items"]] == [one.key for one in whole.findings]
    for position, one in enumerate(whole.findings):
        found = ask.get(f"{API}/audits/{bundle}/findings/{position}").json()
        assert found["whole"] == json.loads(json.dumps(one.to_dict()))
    beyond = ask.get(f"{API}/audits/{bundle}/findings/{len(whole.findings)}")
    assert beyond.status_code == 404


def test_findings_are_found_by_measure_and_verdict(ask):
    push(ask)
    push(ask, version="v2", product="cards")
    found = ask.get(f"{API}/findings", params={"search": "SELECTION"}).json()["items"]
    assert {one["product"] for one in found} == {"loans", "cards"}
    assert all("selection" in one["measure"] for one in found)
    assert ask.get(f"{API}/findings", params={"search": "%"}).json()["total"] == 0
    undecided = ask.get(f"{API}/findings", params={"verdict": "undecided", "product": "cards"})
    assert {(one["verdict"], one["product"]) for one in undecided.json()["items"]} == {
        ("undecided", "cards")
    }


def test_the_report_is_what_show_writes_and_reaches_nothing(ask):
    data = evidence()
    answer = ask.get(f"{API}/audits/{push(ask, data)}/report")
    assert answer.text == html(parse_bundle(data, "x", replicates=False))
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "sandbox allow-scripts" in policy
    assert "same-origin" not in policy


@pytest.mark.slow
def test_two_audits_are_compared_as_diff_does(ask):
    one, other = evidence(), evidence(version="v2")
    answer = ask.get(f"{API}/audits/{push(ask, one)}/diff/{push(ask, other)}")
    audits = parse_bundle(one, "one"), parse_bundle(other, "other")
    expected = document_of(diff(*audits), levellings(*audits))
    assert answer.json() == json.loads(json.dumps(expected))


def test_products_models_and_versions_are_listed_by_what_is_pushed(ask):
    push(ask)
    push(ask, version="v2", artefact=f"sha256:{'a' * 64}")
    push(ask, product="cards", model="limits")
    products = ask.get(f"{API}/products").json()
    assert [one["name"] for one in products["items"]] == ["cards", "loans"]
    assert products["items"][1] == ask.get(f"{API}/products/loans").json()
    states = {one["pillar"]: one["state"] for one in products["items"][1]["standing"]}
    assert (states["fairness"], states["privacy"]) == ("undecided", "never audited")
    assert [
        one["name"] for one in ask.get(f"{API}/products", params={"search": "OAN"}).json()["items"]
    ] == ["loans"]
    asked = {"pillar": "fairness", "state": "undecided"}
    assert ask.get(f"{API}/products", params=asked).json()["total"] == 2
    assert ask.get(f"{API}/products", params={**asked, "pillar": "privacy"}).json()["total"] == 0
    models = ask.get(f"{API}/products/loans/models").json()["items"]
    assert models == [ask.get(f"{API}/products/loans/models/score").json()]
    versions = ask.get(f"{API}/products/loans/models/score/versions").json()["items"]
    assert [(one["name"], one["audits"]) for one in versions] == [("v2", 1), ("v1", 1)]
    assert versions[0]["artefact"] == f"sha256:{'a' * 64}"
    assert versions[1] == ask.get(V1).json()
    audits = ask.get(f"{V1}/audits").json()["items"]
    assert [one["version"] for one in audits] == ["v1"]
    assert ask.get(f"{API}/audits", params={"product": "cards"}).json()["total"] == 1


def test_a_product_is_described_and_what_is_left_out_stays(ask):
    made = ask.put(f"{API}/products/loans", json={"owner": "risk", "title": "Loans"}).json()
    assert (made["owner"], made["title"]) == ("risk", "Loans")
    changed = ask.put(f"{API}/products/loans", json={"owner": "credit"}).json()
    assert (changed["owner"], changed["title"]) == ("credit", "Loans")
    same = ask.put(f"{API}/products/loans", json={"owner": "credit"}).json()
    assert same["sequence"] == changed["sequence"]


def test_a_version_is_bound_to_one_artefact(ask):
    one, other = (f"sha256:{letter * 64}" for letter in "ab")
    assert ask.put(V1, json={"artefact": one}).json()["artefact"] == one
    assert ask.put(V1, json={}).json()["artefact"] == one
    refused = ask.put(V1, json={"artefact": other})
    assert refused.status_code == 409
    assert ask.get(V1).json()["artefact"] == one


def test_runs_are_announced_and_those_without_evidence_show(ask):
    plan = plan_identity(bundles.bundle().plan)
    subject = {"product": "loans", "model": "score", "version": "v1", "plan": plan}
    ids = [letter * 32 for letter in "abcd"]
    for one in ids:
        told = ask.post(f"{API}/runs", json={"id": one, **subject}).json()
        assert told == ask.post(f"{API}/runs", json={"id": one, **subject}).json()
        assert told["state"] == "started"
    other = ask.post(f"{API}/runs", json={"id": ids[0], **subject, "version": "v2"})
    assert other.status_code == 409
    failed = ask.patch(f"{API}/runs/{ids[1]}", json={"state": "failed", "reason": "no rows"})
    assert (failed.json()["state"], failed.json()["reason"]) == ("failed", "no rows")
    lost = {"state": "finished", "bundle": f"sha256:{'0' * 64}"}
    assert ask.patch(f"{API}/runs/{ids[2]}", json=lost).json()["state"] == "unpushed"
    pushed = ask.post(f"{API}/bundles", params={"run": ids[3]}, content=evidence()).json()
    assert pushed["audit"]["run"] == ids[3]
    states = {one["id"]: one["state"] for one in _items(ask, "/products/loans/runs")}
    assert states == dict(zip(ids, ["started", "failed", "unpushed", "finished"], strict=True))
    for run, state in states.items():
        found = ask.get(f"{API}/products/loans/runs", params={"state": state}).json()["items"]
        assert [one["id"] for one in found] == [run]


def _items(ask, path):
    return ask.get(f"{API}{path}").json()["items"]


def test_plans_are_registered_once(ask, clock):
    text = PLAN
    first = ask.put(f"{API}/products/loans/plans/launch", json={"text": text}).json()
    assert first["digest"] == plan_identity(parse_plan(text, "x")[0])
    clock.pass_(days=1)
    assert ask.put(f"{API}/products/loans/plans/launch", json={"text": text}).json() == first
    assert _items(ask, "/products/loans/plans") == [first]
    wrong = ask.put(f"{API}/products/loans/plans/launch", json={"text": "evenhand: 1\nlog: 3"})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["where"].startswith("launch:2")


PLAN = """
evenhand: 1
log: {source: rows.parquet, kind: decisions}
roles: {prediction: approved}
groups: {group: group}
measures: ["difference(selection_rate, by=group)"]
"""


def test_policies_have_versions(ask):
    assert ask.get(f"{API}/policies").json()["version"] == 0
    assert (
        ask.put(f"{API}/policies", json={"text": "policy: 1\nmax_age: 30d\n"}).json()["version"]
        == 1
    )
    push(ask)
    assert ask.get(f"{API}/products/loans/policy").json()["version"] == 1
    assert ask.get(f"{API}/products/loans/policy").json()["product"] is None
    own = {"text": "policy: 1\nmax_age: 5d\n"}
    assert ask.put(f"{API}/products/loans/policy", json=own).json()["product"] == "loans"
    ask.put(f"{API}/products/loans/policy", json={"text": "policy: 1\nmax_age: 6d\n"})
    found = ask.get(f"{API}/products/loans/policy", params={"version": 1}).json()
    assert (found["text"], found["by"]) == (own["text"], "local")
    assert ask.get(f"{API}/products/loans/policy").json()["version"] == 2
    assert ask.get(f"{API}/products/loans/policy", params={"version": 3}).status_code == 404
    wrong = ask.put(f"{API}/policies", json={"text": "policy: 1\nmax_aeg: 30d\n"})
    assert "'max_age'" in wrong.json()["errors"][0]["hint"]


def test_a_gate_is_decided_and_kept(ask):
    push(ask)
    decided = ask.post(f"{V1}/gate", json={})
    assert decided.status_code == 201
    assert decided.json()["verdict"] == "undecided"
    assert ask.get(decided.headers["location"]).json() == decided.json()
    assert _items(ask, "/products/loans/decisions") == [decided.json()]
    last = _items(ask, "/products/loans/chain")[-1]
    assert (last["kind"], last["body"]["decision"]) == ("decision", decided.json()["id"])
    head = ask.get(f"{API}/products/loans/chain/head").json()
    assert head == {"product": "loans", "sequence": last["sequence"], "digest": last["digest"]}
    assert _items(ask, "/chain/heads") == [head]


def test_a_dossier_is_signed_by_the_key_that_the_centre_tells(ask):
    push(ask)
    data = ask.get(f"{V1}/dossier").content
    key = ask.get(f"{API}/").json()["key"]
    dossier = Dossier.model_validate(unseal(data, key))
    assert (dossier.product, len(dossier.evidence)) == ("loans", 1)
    payload = json.loads(base64.b64decode(json.loads(data)["payload"]))
    assert Dossier.model_validate(payload) == dossier


def test_a_decision_of_a_cache_is_compared(ask):
    push(ask)
    cached = {**ask.post(f"{V1}/gate", json={}).json(), "id": "c" * 32, "mode": "cached"}
    assert ask.post(f"{API}/decisions", json=cached).json() == {
        "compared": "same",
        "verdict": "undecided",
    }
    forged = ask.post(f"{API}/decisions", json={**cached, "id": "d" * 32, "mode": "online"})
    assert forged.status_code == 409
    assert ask.get(f"{API}/decisions/{'d' * 32}").status_code == 404


def test_a_job_is_asked_for_watched_and_ended(ask):
    wanted = {"product": "loans", "model": "score", "version": "v1", "plan": "rows/audit.yaml"}
    made = ask.post(f"{API}/jobs", json=wanted)
    assert (made.status_code, made.json()["state"]) == (202, "queued")
    where = made.headers["location"]
    assert ask.get(where).json() == made.json() == _items(ask, "/jobs?product=loans")[0]
    assert [one["text"] for one in ask.get(f"{where}/log").json()["items"]] == [
        "asked for by local"
    ]
    assert ask.post(f"{where}/cancel").json()["state"] == "cancelled"
    assert ask.get(f"{API}/jobs", params={"state": "queued"}).json()["total"] == 0


def test_whether_it_lives_and_is_ready(ask):
    assert ask.get("/healthz").json() == {"status": "ok"}
    ready = {"status": "ready", "database": "ok", "storage": "ok"}
    assert ask.get("/readyz").json() == ready


def test_what_the_centre_is(ask, clock):
    told = ask.get(f"{API}/").json()
    assert (told["person"], told["auth"], told["product"]) == ("local", "none", None)
    assert told["rights"] == ["read", "push", "admin"]
    assert told["time"] == clock().isoformat().replace("+00:00", "Z")
