"""A walk through every way into the centre, by everybody who must not be let in.

A way that is added is walked too: whoever adds one says here what it is asked with, if it needs
more than names in its address.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import func, select

import bundles
from asked import API, EVERY_RIGHT, again, client, token
from evenhand.centre.api.guard import METRICS, PUBLIC
from evenhand.centre.api.openapi import ways
from evenhand.centre.dossier import plan_identity
from evenhand.centre.store.tables import Base, Token
from evenhand.centre.store.tokens import revoke
from pushed import evidence

MARK = "zq7"
"""It is in every name of the product that is walked, and in nothing else."""

THEIRS = {
    "product": f"otter-{MARK}",
    "model": f"lynx-{MARK}",
    "version": f"finch-{MARK}",
    "name": f"launch-{MARK}",
    "position": "0",
}

ABSENT = {
    "product": "otter-none",
    "model": "lynx-none",
    "version": "finch-none",
    "name": "launch-none",
    "position": "0",
    "bundle": f"sha256:{'0' * 64}",
    "other": f"sha256:{'1' * 64}",
    "run": "e" * 32,
    "decision": "b" * 32,
    "job": "f" * 32,
    "waiver": "999999",
}

PLAN = """
evenhand: 1
log: {source: rows.parquet, kind: decisions}
roles: {prediction: approved}
groups: {group: group}
measures: ["difference(selection_rate, by=group)"]
"""

QUERIES = {
    f"{API}/audits": "?product={product}",
    f"{API}/findings": "?product={product}",
    f"{API}/jobs": "?product={product}",
    f"{API}/products": "?search={product}",
    f"{API}/bundles": "?product={product}",
    "/": "?search={product}",
    "/search": "?q={product}",
    "/compare": "?before={bundle}&after={other}",
}
"""What is asked for beside, where a way is asked with more than names in its address."""

JSON = {
    ("PUT", f"{API}/products/{{product}}"): {"owner": "risk"},
    ("PUT", f"{API}/products/{{product}}/models/{{model}}/versions/{{version}}"): {},
    ("PUT", f"{API}/products/{{product}}/plans/{{name}}"): {"text": PLAN},
    ("PUT", f"{API}/policies"): {"text": "policy: 1\n"},
    ("PUT", f"{API}/products/{{product}}/policy"): {"text": "policy: 1\n"},
    ("POST", f"{API}/runs"): {
        "id": "d" * 32,
        "product": "{product}",
        "model": "{model}",
        "version": "{version}",
        "plan": f"sha256:{'0' * 64}",
    },
    ("PATCH", f"{API}/runs/{{run}}"): {"state": "failed"},
    ("POST", f"{API}/products/{{product}}/waivers"): {
        "model": "{model}",
        "rule": "gap",
        "owner": "lee",
        "reason": "x",
        "expires": "2026-12-01",
    },
    ("POST", f"{API}/waivers/{{waiver}}/answer"): {"approved": True},
    ("POST", f"{API}/products/{{product}}/models/{{model}}/versions/{{version}}/gate"): {},
    ("POST", f"{API}/jobs"): {
        "product": "{product}",
        "model": "{model}",
        "version": "{version}",
        "plan": "rows/audit.yaml",
    },
    ("POST", f"{API}/jobs/{{job}}/cancel"): {},
}
"""What is sent to the ways of the API that take a document."""

FORMS = {
    "/login": {"token": "eh_unknown"},
    "/logout": {},
    "/products/{product}/models/{model}/versions/{version}/gate": {},
    "/jobs/{job}/cancel": {},
    "/policies": {"text": "policy: 1\n"},
    "/products/{product}/policy": {"text": "policy: 1\n"},
    "/products/{product}/waivers": {
        "model": "{model}",
        "rule": "gap",
        "owner": "lee",
        "reason": "x",
        "expires": "2026-12-01",
    },
    "/waivers/{waiver}/answer": {"approved": "yes"},
    "/start/audit": {
        "file": "{product}.parquet",
        "text": PLAN,
        "product": "{product}",
        "model": "{model}",
        "version": "{version}",
    },
}
"""What is sent to the ways of pages that take a form."""


@pytest.fixture
def app(centre):
    return client(centre, "token").app


@pytest.fixture
def theirs(centre, app):
    """Names of a product with something of everything, all with the mark."""
    owner = again(app, token(centre, f"hazel-{MARK}"))
    Path(centre.roots[0]).mkdir()
    found = dict(THEIRS)
    subject = {name: found[name] for name in ("product", "model", "version")}
    bundle = owner.post(f"{API}/bundles", content=evidence(**subject)).json()["audit"]["bundle"]
    other = {**subject, "version": f"wren-{MARK}"}
    found |= {
        "bundle": bundle,
        "other": owner.post(f"{API}/bundles", content=evidence(**other)).json()["audit"]["bundle"],
        "run": "a" * 32,
    }
    plan = plan_identity(bundles.bundle().plan)
    owner.post(f"{API}/runs", json={"id": found["run"], **subject, "plan": plan})
    where = f"{API}/products/{found['product']}"
    version = f"{where}/models/{found['model']}/versions/{found['version']}"
    found["decision"] = owner.post(f"{version}/gate", json={}).json()["id"]
    owner.put(f"{where}/plans/{found['name']}", json={"text": PLAN})
    owner.put(f"{where}/policy", json={"text": f"policy: 1 # {MARK}\n"})
    waiver = {"model": found["model"], "rule": "gap", "owner": f"ash-{MARK}", "reason": MARK}
    made = owner.post(f"{where}/waivers", json={**waiver, "expires": "2026-12-01"}).json()
    job = owner.post(f"{API}/jobs", json={**subject, "plan": f"{MARK}.yaml"}).json()
    return {**found, "waiver": str(made["id"]), "job": job["id"]}


def filled(text, values):
    return re.sub(r"\{(\w+)(?::path)?\}", lambda found: values[found[1]], text)


def ask(one, way, values):
    """Ask by one way, about what is named."""
    url = filled(way.path + QUERIES.get(way.path, ""), values)
    if way.method in {"GET", "HEAD"}:
        return one.request(way.method, url)
    if way.path == f"{API}/bundles":
        names = {name: values[name] for name in ("product", "model", "version")}
        return one.post(url, content=evidence(**names))
    if way.path == f"{API}/decisions":
        return one.post(url, json=decision(values))
    if way.path.startswith(API):
        sent = json.loads(
            re.sub(r'"\{(\w+)\}"', lambda found: f'"{values[found[1]]}"', _dumped(way))
        )
        return one.request(way.method, url, json=sent)
    fields = {name: filled(text, values) for name, text in FORMS[way.path].items()}
    return one.request(way.method, url, data=fields)


def _dumped(way):
    return json.dumps(JSON[way.method, way.path])


def decision(values):
    """Return a decision as a cache makes it."""
    return {
        "id": "c" * 32,
        **{name: values[name] for name in ("product", "model", "version")},
        "artefact": None,
        "against": None,
        "verdict": "pass",
        "unwaived": "pass",
        "rules": [],
        "conditions": [],
        "evidence": [],
        "regressions": [],
        "policy": {
            "product": None,
            "version": 0,
            "digest": f"sha256:{'0' * 64}",
            "text": "policy: 1\n",
        },
        "mode": "cached",
        "at": "2026-11-02T09:00:00Z",
    }


def counts(centre):
    """Return how many rows there are of everything but sessions, and what chains end with."""
    with centre.database.reading() as session:
        rows = {
            name: session.scalar(select(func.count()).select_from(table))
            for name, table in Base.metadata.tables.items()
            if name != "session"
        }
        product = Base.metadata.tables["product"]
        return rows, session.execute(select(product.c.name, product.c.head)).all()


def test_every_way_says_who_may_go_it(app):
    public = {way.path for way in ways(app) if way.public}
    assert public == {*PUBLIC, "/static", "/static/evenhand.css", "/static/evenhand.js"}
    for way in ways(app):
        assert (way.right is None) is way.public, way
        changes = way.method not in {"GET", "HEAD"}
        if way.path.startswith(API) and changes:
            assert way.right in {"push", "approve", "admin"}, way


@pytest.mark.slow
def test_nobody_is_let_in_without_a_token_that_holds(centre, app, theirs, clock):
    texts = {"revoked": token(centre), "expired": token(centre), "unknown": "eh_unknown"}
    with centre.database.reading() as session:
        ids = [*session.scalars(select(Token.id).order_by(Token.id.desc()).limit(2))]
    revoke(centre, ids[1])
    clock.pass_(days=100)
    strangers = {
        "nobody": again(app),
        "a broken session": again(app),
        **{name: again(app, text) for name, text in texts.items()},
    }
    strangers["a broken session"].cookies.set("evenhand", "x")
    before = counts(centre)
    for way in ways(app):
        told = set()
        for name, one in strangers.items():
            answer = ask(one, way, theirs)
            assert MARK not in answer.text.replace(theirs["product"], ""), (name, way)
            if way.public:
                continue
            if way.method == "GET" and not way.path.startswith("/api/"):
                assert answer.status_code == 303, (name, way)
                assert answer.headers["location"].startswith("/login"), (name, way)
            else:
                assert answer.status_code == 401, (name, way)
                told.add(answer.text)
        assert len(told) <= 1, way
    assert counts(centre) == before


@pytest.mark.slow
def test_what_is_anothers_is_answered_as_what_is_not_there(centre, app, theirs):
    stranger = again(app, token(centre, "sly", product="mine"))
    before = counts(centre)
    for way in ways(app):
        if way.public or (way.path, way.method) in OWN:
            continue
        hidden, absent = ask(stranger, way, theirs), ask(stranger, way, ABSENT)
        assert hidden.status_code == absent.status_code, way
        told, expected = plain(hidden, theirs), plain(absent, ABSENT)
        assert told == expected, way
        assert MARK not in told, way
        if way.right != "read":
            assert hidden.status_code in {403, 404, 422}, way
    assert counts(centre) == before


OWN = {("/logout", "POST"), (f"{API}/", "GET"), ("/start/audit", "POST")}
"""Ways that are about whoever asks; and one that finds no file, whoever asks."""


def plain(answer, values):
    """Return what an answer tells but for the names that were asked about."""
    text = answer.text.replace(f"waiver {values['waiver']}", "waiver <waiver>")
    text = text.replace(f"/waivers/{values['waiver']}/", "/waivers/<waiver>/")
    names = [name for name in values if name not in {"position", "waiver"}]
    for name in sorted(names, key=lambda one: -len(values[one])):
        value = values[name]
        # Messages name digests by how they begin.
        for shown in (value, value[:19] if value.startswith("sha256:") else value):
            text = text.replace(shown, f"<{name}>")
    return re.sub(r"<(bundle|other)>", "<evidence>", text)


@pytest.mark.slow
def test_each_right_is_needed(centre, app, theirs):
    tokens = {
        right: again(app, token(centre, rights=[one for one in EVERY_RIGHT if one != right]))
        for right in EVERY_RIGHT
    }
    before = counts(centre)
    for way in ways(app):
        if way.right in tokens:
            answer = ask(tokens[way.right], way, theirs)
            assert answer.status_code == 403, way
            assert MARK not in answer.text.replace(theirs["product"], ""), way
    assert counts(centre) == before


@pytest.mark.slow
def test_whoever_may_is_let_in_everywhere(centre, app, theirs):
    """Else the others prove nothing: the names and documents above must be right."""
    for product in (None, theirs["product"]):
        insider = again(app, token(centre, "max", product=product))
        for way in ways(app):
            if way.public or way.path == "/logout":
                continue
            answer = ask(insider, way, theirs)
            company = product is not None and "{product}" not in way.path
            company = company and (way.right == "admin" or way.path == METRICS)
            allowed = {403} if company else {200, 201, 202, 303, 409}
            if way.path in {"/start/audit", "/start/plan"}:
                allowed = {404, 422}
            assert answer.status_code in allowed, (way, answer.text)
