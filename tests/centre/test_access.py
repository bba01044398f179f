"""Who is let in: without a login on loopback, elsewhere by tokens; and which page may send."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select

from asked import API, HOST, again, client, page, token
from evenhand.centre.api.access import CSRF_HEADER, Access
from evenhand.centre.api.app import create_app
from evenhand.centre.api.login import Tries
from evenhand.centre.store.sessions import issue_once
from evenhand.centre.store.tables import Audit, Session, Token
from evenhand.centre.store.tokens import revoke
from pushed import evidence

PUSH = f"{API}/bundles"


@pytest.fixture
def local(centre):
    """A client of a centre where nobody logs in."""
    return client(centre)


def begun(centre, app):
    """Return a browser that used the one-time address, and the CSRF token of its session."""
    browser = again(app)
    assert browser.get("/", params={"once": issue_once(centre)}).status_code == 303
    with centre.database.reading() as session:
        csrf = session.scalars(select(Session.csrf).order_by(Session.created.desc())).first()
    return browser, csrf


# Without a login


def test_a_program_on_this_machine_reads_and_pushes(local):
    assert local.post(PUSH, content=evidence()).status_code == 201
    assert local.get(f"{API}/products").json()["total"] == 1


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8642", "127.0.0.1", "127.0.0.1:80", "localhost:8642.", ""],
)
def test_another_host_is_not_answered(local, host):
    answer = local.get(f"{API}/products", headers={"Host": host})
    assert answer.status_code == 403
    assert "items" not in answer.text


ELSEWHERE = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Origin": "http://127.0.0.1:8642.evil.example"},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
    {"Sec-Fetch-Site": "cross-site", "Origin": f"http://{HOST}"},
]


def test_a_host_that_looks_like_a_path_changes_nothing(centre):
    for auth in ("none", "token"):
        app = create_app(centre, Access(auth, frozenset({HOST} if auth == "none" else ())))
        for host in ("x/static/?", "x/healthz?", "x/login#", "x\\static", "x static", "x@healthz"):
            answer = again(app).get(f"{API}/products", headers={"Host": host})
            assert answer.status_code == (403 if auth == "none" else 401), (auth, host)


def test_a_page_of_another_site_sends_nothing(centre, local):
    browser, csrf = begun(centre, local.app)
    for said in ELSEWHERE:
        for one in (local, browser):
            answer = one.post(PUSH, content=evidence(), headers={**said, CSRF_HEADER: csrf})
            assert answer.status_code == 403, said
    with centre.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Audit)) == 0


def test_a_page_of_the_centre_needs_a_session_and_its_token(centre, local):
    refused = local.post(PUSH, content=evidence(), headers=page())
    assert refused.status_code == 403
    assert "evenhand serve printed" in refused.text
    browser, csrf = begun(centre, local.app)
    for given in ({}, {CSRF_HEADER: "x"}, {CSRF_HEADER: ""}):
        answer = browser.post(PUSH, content=evidence(), headers={**page(), **given})
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (403, "form")
    sent = browser.post(PUSH, content=evidence(), headers={**page(), CSRF_HEADER: csrf})
    assert sent.status_code == 201


def test_a_session_needs_its_token_whoever_sends(centre, local):
    browser, _ = begun(centre, local.app)
    assert browser.post(PUSH, content=evidence()).status_code == 403


def test_the_token_of_another_session_is_no_good(centre, local, clock):
    _, other = begun(centre, local.app)
    clock.pass_(seconds=1)
    browser, own = begun(centre, local.app)
    assert own != other
    given = {**page(), CSRF_HEADER: other}
    assert browser.post(PUSH, content=evidence(), headers=given).status_code == 403


def test_a_form_brings_its_token_as_a_field(centre, local):
    browser, csrf = begun(centre, local.app)
    for field in ("x", csrf):
        answer = browser.post("/logout", data={"csrf": field}, headers=page())
        assert answer.status_code == (303 if field == csrf else 403)
    assert browser.post("/logout", data={"csrf": csrf}, headers=page()).status_code == 403


def test_the_one_time_address_works_once(centre, local):
    secret = issue_once(centre)
    first, second = again(local.app), again(local.app)
    assert first.get("/", params={"once": secret}).headers["location"] == "/"
    assert second.get("/", params={"once": secret}).status_code == 403
    assert not second.cookies
    # Whoever it let in may follow it again.
    assert first.get("/", params={"once": secret}).status_code == 303
    assert again(local.app).get("/", params={"once": "x"}).status_code == 403
    assert again(local.app).get("/", params={"once": ""}).status_code == 403


def test_the_one_time_address_ends_and_is_no_session_itself(centre, local, clock):
    secret = issue_once(centre)
    cookie = {local.app.state.access.cookie_name: secret}
    thief = again(local.app)
    thief.cookies.update(cookie)
    given = {**page(), CSRF_HEADER: ""}
    assert thief.post(PUSH, content=evidence(), headers=given).status_code == 403
    clock.pass_(hours=25)
    assert again(local.app).get("/", params={"once": secret}).status_code == 403


def test_nobody_approves_where_nobody_logs_in(centre, local):
    local.post(PUSH, content=evidence())
    wanted = {"model": "score", "rule": "gap", "owner": "lee", "reason": "x"}
    made = local.post(
        f"{API}/products/loans/waivers", json={**wanted, "expires": "2026-12-01"}
    ).json()
    browser, csrf = begun(centre, local.app)
    for one, headers in ((local, {}), (browser, {**page(), CSRF_HEADER: csrf})):
        where = f"{API}/waivers/{made['id']}/answer"
        answer = one.post(where, json={"approved": True}, headers=headers)
        assert answer.status_code == 403
        assert "--auth token" in answer.json()["errors"][0]["hint"]


def test_a_session_of_the_time_without_login_is_none_with_it(centre, local):
    browser, _ = begun(centre, local.app)
    later = client(centre, "token")
    later.cookies.update(browser.cookies)
    assert later.get(f"{API}/products").status_code == 401
    assert later.get("/").headers["location"] == "/login"


# By tokens


def test_a_token_lets_its_person_in_by_name(centre):
    ask = client(centre, "token", token(centre, "kim", rights=("push", "read")))
    made = ask.post(PUSH, content=evidence()).json()["audit"]
    assert made["pushed_by"] == "kim"
    told = ask.get(f"{API}/").json()
    assert (told["person"], told["rights"], told["auth"]) == ("kim", ["read", "push"], "token")


def test_what_is_no_token_lets_nobody_in(centre):
    ask = client(centre, "token")
    for given in (
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer eh_x",
        "Basic eh_x",
        "eh_x",
        "Bearer \xff",
    ):
        headers = {} if given is None else {"Authorization": given.encode("latin-1")}
        answer = ask.get(f"{API}/products", headers=headers)
        assert answer.status_code == 401, given
        assert answer.headers["www-authenticate"] == 'Bearer realm="evenhand"'


def test_unknown_expired_and_revoked_tokens_are_told_alike(centre, clock):
    texts = [token(centre), token(centre), "eh_unknown"]
    app = client(centre, "token").app
    with centre.database.reading() as session:
        ids = [*session.scalars(select(Token.id).order_by(Token.id))]
    revoke(centre, ids[0])
    valid = again(app, texts[1]).get(f"{API}/products")
    clock.pass_(days=91)
    answers = [again(app, one).get(f"{API}/products") for one in texts]
    assert valid.status_code == 200
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


def test_rights_are_needed_one_by_one(centre):
    app = client(centre, "token").app
    again(app, token(centre)).post(PUSH, content=evidence())
    tries = {
        "read": lambda ask: ask.get(f"{API}/products"),
        "push": lambda ask: ask.post(PUSH, content=evidence()),
        "approve": lambda ask: ask.post(f"{API}/waivers/9/answer", json={"approved": True}),
        "admin": lambda ask: ask.put(f"{API}/products/loans", json={}),
    }
    for right in tries:
        ask = again(app, token(centre, rights=(right,)))
        for other, attempt in tries.items():
            answer = attempt(ask)
            assert (answer.status_code == 403) is (other != right), (right, other, answer.text)


def test_the_administrator_of_a_product_is_none_of_the_company(centre):
    ask = client(centre, "token", token(centre, product="loans"))
    refused = ask.put(f"{API}/policies", json={"text": "policy: 1\n"})
    assert refused.status_code == 403
    assert "not for the whole company" in refused.text
    assert ask.put(f"{API}/products/cards", json={}).status_code == 403
    assert ask.put(f"{API}/products/loans", json={}).status_code == 200


def test_evidence_of_another_product_is_not_pushed_by_its_plan_either(centre):
    app = client(centre, "token").app
    ask = again(app, token(centre, product="loans"))
    assert ask.post(PUSH, content=evidence(product="cards")).status_code == 409
    assert ask.post(f"{PUSH}?product=cards", content=evidence(product="cards")).status_code == 403
    # Without a name in it, it is pushed as the only thing that it may be.
    unnamed = evidence(product=None)
    assert ask.post(PUSH, content=unnamed).json()["audit"]["product"] == "loans"


def test_a_waiver_is_approved_by_neither_who_asked_nor_who_owns_it(centre):
    app = client(centre, "token").app
    people = {name: again(app, token(centre, name)) for name in ("kim", "lee", "max")}
    people["kim"].post(PUSH, content=evidence())
    wanted = {"model": "score", "rule": "gap", "owner": "lee", "reason": "x"}
    made = people["kim"].post(
        f"{API}/products/loans/waivers", json={**wanted, "expires": "2026-12-01"}
    )
    assert (made.status_code, made.json()["requester"]) == (201, "kim")
    where = f"{API}/waivers/{made.json()['id']}/answer"
    statuses = {
        name: ask.post(where, json={"approved": True}).status_code for name, ask in people.items()
    }
    assert statuses == {"kim": 403, "lee": 403, "max": 200}
    (told,) = people["kim"].get(f"{API}/products/loans/waivers").json()["items"]
    assert (told["state"], told["approver"]) == ("approved", "max")


def test_use_of_a_token_is_noted_once_a_minute(centre, clock):
    ask = client(centre, "token", token(centre))

    def used():
        ask.get(f"{API}/products")
        with centre.database.reading() as session:
            return session.scalar(select(Token.used))

    first = used()
    assert first == clock()
    clock.pass_(seconds=30)
    assert used() == first
    clock.pass_(seconds=31)
    assert used() == clock()


# Browsers with a login


def logged_in(centre, text, **access):
    browser = client(centre, "token", **access)
    origin = page(f"{'https' if access.get('https') else 'http'}://{HOST}")
    answer = browser.post("/login", data={"token": text, "next": "/jobs"}, headers=origin)
    return browser, answer


def test_a_token_begins_a_session(centre):
    browser, answer = logged_in(centre, token(centre))
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert part in cookie
    assert "Secure" not in cookie
    assert browser.get(f"{API}/products").status_code == 200
    refused = browser.post(PUSH, content=evidence(), headers=page())
    assert refused.status_code == 403


def test_over_https_the_cookie_is_the_hosts_own(centre):
    _, answer = logged_in(centre, token(centre), https=True)
    assert re.match(r"__Host-evenhand=.*; HttpOnly; .*; Secure", answer.headers["set-cookie"])


def test_over_https_a_page_that_came_without_it_sends_nothing(centre):
    browser = client(centre, "token", https=True)
    answer = browser.post("/login", data={"token": token(centre)}, headers=page())
    assert answer.status_code == 403


def test_neither_token_nor_session_is_kept_as_it_is(centre):
    text = token(centre)
    browser, _ = logged_in(centre, text)
    secrets = [text, *browser.cookies.values()]
    with centre.database.reading() as session:
        kept = repr(
            [[vars(one) for one in session.scalars(select(table))] for table in (Token, Session)]
        )
    for secret in secrets:
        assert secret not in kept


def test_leaving_ends_the_session_for_good(centre):
    browser, _ = logged_in(centre, token(centre))
    cookies = dict(browser.cookies)
    with centre.database.reading() as session:
        csrf = session.scalar(select(Session.csrf))
    answer = browser.post("/logout", data={"csrf": csrf}, headers=page())
    assert answer.status_code == 303
    browser.cookies.update(cookies)
    assert browser.get(f"{API}/products").status_code == 401


def test_a_session_ends_with_its_token_and_by_itself(centre, clock):
    browser, _ = logged_in(centre, token(centre))
    assert browser.get(f"{API}/products").status_code == 200
    revoke(centre, 1)
    assert browser.get(f"{API}/products").status_code == 401
    other, _ = logged_in(centre, token(centre))
    clock.pass_(hours=13)
    assert other.get(f"{API}/products").status_code == 401


def test_a_login_that_fails_leads_back_and_lets_nobody_in(centre):
    browser, answer = logged_in(centre, "eh_wrong")
    assert answer.headers["location"] == "/login?failed=1&next=%2Fjobs"
    assert "set-cookie" not in answer.headers
    assert browser.get(f"{API}/products").status_code == 401


def test_a_login_leads_to_no_other_site(centre):
    browser = client(centre, "token")
    for where in ("//evil.example", "https://evil.example", "/\\evil", "/a\nb", ""):
        data = {"token": token(centre), "next": where}
        answer = browser.post("/login", data=data, headers=page())
        assert answer.headers["location"] == "/", where


def test_a_page_of_another_site_logs_nobody_in(centre):
    browser = client(centre, "token")
    evil = page("http://evil.example")
    answer = browser.post("/login", data={"token": token(centre)}, headers=evil)
    assert (answer.status_code, dict(browser.cookies)) == (403, {})


def test_after_many_tries_a_login_must_wait(centre, monkeypatch):
    monkeypatch.setattr(Tries, "most", 3)
    browser, text = client(centre, "token"), token(centre)
    for _ in range(3):
        assert browser.post("/login", data={"token": "eh_x"}).status_code == 303
    answer = browser.post("/login", data={"token": text})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 61
    # Programs, which may share an address with whoever guesses, go on.
    assert again(browser.app, text).get(f"{API}/products").status_code == 200


def test_tries_are_forgotten_and_not_kept_without_end(monkeypatch):
    tries = Tries()
    for number in range(Tries.addresses + 10):
        tries.failed(f"{number}")
    assert len(tries._failed) == Tries.addresses  # noqa: SLF001 - what is kept
    for _ in range(Tries.most):
        tries.failed("a")
    assert tries.wait("a") > 0
    monkeypatch.setattr(Tries, "seconds", 0.0)
    assert tries.wait("a") == 0


def test_pages_send_whoever_is_not_logged_in_to_the_login(centre):
    browser = client(centre, "token")
    assert browser.get("/").headers["location"] == "/login"
    asked = browser.get("/products/a b?x=1")
    assert (asked.status_code, asked.headers["location"]) == (
        303,
        "/login?next=/products/a%20b%3Fx%3D1",
    )
    assert browser.post("/products/loans/waivers").status_code == 401


def test_a_one_time_address_is_none_where_people_log_in(centre):
    browser = client(centre, "token")
    answer = browser.get("/", params={"once": issue_once(centre)})
    assert answer.headers["location"].startswith("/login")
    assert not browser.cookies


def test_rights_are_those_of_the_token_at_once(centre):
    ask = client(centre, "token", token(centre, rights=("read",)))
    assert ask.get(f"{API}/products").status_code == 200
    with centre.database.writing() as session:
        session.scalars(select(Token)).one().rights = ["push"]
    assert ask.get(f"{API}/products").status_code == 403


def test_how_it_lets_in_is_a_value():
    access = Access("token", https=True)
    assert access.cookie_name == "__Host-evenhand"
    assert Access("none", cookie="evenhand-1").cookie_name == "evenhand-1"
    hosts = ("127.0.0.1", "127.0.0.1:9", "localhost:1", "[::1]", "[::1]:8642", "evil", "evil:1", "")
    assert [Access("none").answers(host) for host in hosts] == [True] * 5 + [False] * 3
    assert Access("token").answers("evil")
    assert not Access("token", frozenset({"a"})).answers("evil")
