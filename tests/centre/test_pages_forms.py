"""Forms of pages: what they change, and what they refuse, with words beside the field."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from sqlalchemy import select

import bundles
from asked import again, client, page, token
from evenhand.centre.store.evidence import Subject, accept
from evenhand.centre.store.jobs import enqueue
from evenhand.centre.store.policies import policy_record
from evenhand.centre.store.sessions import issue_once
from evenhand.centre.store.tables import Decision, Job, Waiver
from evenhand.centre.store.waivers import request_waiver
from markup import Page
from pushed import evidence

VERSION = "/products/loans/models/score/versions/v1"


@pytest.fixture
def database(tmp_path) -> str:
    """Forms call what is tested on both databases; here one is enough."""
    return f"sqlite:///{tmp_path / 'centre.db'}"


@pytest.fixture
def filled(centre):
    accept(centre, evidence(), None, by="ci")
    return centre


@pytest.fixture
def browser(filled):
    made = client(filled)
    made.get(f"/?once={issue_once(filled)}")
    return made


def send(browser, address, where=None, **fields):
    """Fill in a form that stands on a page, and send it as a browser does."""
    shown = browser.get(where or address)
    assert shown.status_code == 200, shown.text
    secret = re.search('name="csrf" value="([^"]+)"', shown.text)
    assert secret, "no form"
    fields = {"csrf": secret[1], **fields}
    return browser.post(address, data=fields, headers=page())


def test_a_policy_is_put_in_force(browser, filled):
    text = "policy: 1\r\nmax_age: 30d\r\n"
    answer = send(browser, "/policies", text=text)
    assert (answer.status_code, answer.headers["location"]) == (303, "/policies")
    with filled.database.reading() as session:
        record = policy_record(session, None)
    assert (record.version, record.text) == (1, "policy: 1\nmax_age: 30d\n")
    assert "Evidence is at most 30 days old." in Page(browser.get("/policies").text).texts
    own = send(browser, "/products/loans/policy", text="policy: 1\nmost_runs: 1\n")
    assert own.status_code == 303
    shown = Page(browser.get("/products/loans").text)
    assert "A plan is run at most once for one version." in shown.texts
    assert "Version 1 of this product's own" in shown.texts
    first = Page(browser.get("/policies?version=1").text)
    assert "Version 1" in first.texts
    assert browser.get("/policies?version=9").status_code == 404


def test_a_policy_that_is_none_is_refused_with_lines_and_kept_in_the_form(browser, filled):
    text = "policy: 1\nmax_age: soon\nrequires: []\n"
    answer = send(browser, "/policies", text=text)
    assert answer.status_code == 422
    found = Page(answer.text)
    assert found.faults() == []
    assert "policy.yaml:2 max_age" in found.texts
    assert "policy.yaml:3 requires" in found.texts
    assert "requires: []" in answer.text
    with filled.database.reading() as session:
        assert policy_record(session, None).version == 0


def test_a_form_of_another_session_changes_nothing(browser, filled):
    for fields in ({}, {"csrf": ""}, {"csrf": "x" * 43}):
        answer = browser.post("/policies", data={"text": "policy: 1\n", **fields}, headers=page())
        assert answer.status_code == 403
        assert "Load the page again" in answer.text
    with filled.database.reading() as session:
        assert policy_record(session, None).version == 0


def test_a_version_is_decided_about(browser, filled):
    answer = send(browser, f"{VERSION}/gate", where=VERSION, against="")
    assert (answer.status_code, answer.headers["location"]) == (303, VERSION)
    with filled.database.reading() as session:
        (row,) = session.scalars(select(Decision))
    assert (row.by, row.against) == ("local", None)
    shown = Page(browser.get(VERSION).text)
    assert row.verdict.capitalize() in shown.texts
    wrong = VERSION.replace("v1", "v9")
    assert send(browser, f"{wrong}/gate", where=VERSION).status_code == 404


def test_a_waiver_is_asked_for_and_answered_by_somebody_else(filled):
    address = "/products/loans/waivers"
    app = client(filled, "token").app
    lea, max_ = (logged_in(filled, app, name) for name in ("lea", "max"))
    fields = {"model": "score", "rule": "gap", "owner": "kim", "reason": "a newer one comes"}
    answer = send(lea, address, **fields, expires="2026-12-01")
    assert answer.status_code == 303
    assert "Approve" not in lea.get(address).text
    kim = logged_in(filled, app, "Kim")
    assert "neither asked for it nor owns it" in kim.get(address).text
    assert send(kim, "/waivers/1/answer", where=address, approved="yes").status_code == 403
    assert "Approve" in max_.get(address).text
    answer = send(max_, "/waivers/1/answer", where=address, approved="yes")
    assert (answer.status_code, answer.headers["location"]) == (303, address)
    with filled.database.reading() as session:
        (waiver,) = session.scalars(select(Waiver))
    assert (waiver.state, waiver.approver, waiver.requester) == ("approved", "max", "lea")
    assert send(max_, "/waivers/1/answer", where=address, approved="no").status_code == 409
    assert "Approved" in Page(max_.get(address).text).texts


def logged_in(centre, app, name, **fields):
    made = again(app)
    text = token(centre, person=name, **fields)
    assert made.post("/login", data={"token": text}, headers=page()).status_code == 303
    return made


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"reason": " "}, "it is empty"),
        ({"expires": "soon"}, "this is no day"),
        ({"expires": "2030-01-01"}, "the policy allows"),
        ({"model": "nope"}, "has no such model"),
    ],
)
def test_a_waiver_that_cannot_be_is_refused_and_kept_in_the_form(browser, filled, fields, told):
    given = {
        "model": "score",
        "rule": "gap",
        "owner": "kim",
        "reason": "<b>",
        "expires": "2026-12-01",
    }
    answer = send(browser, "/products/loans/waivers", **{**given, **fields})
    assert answer.status_code == 422
    assert told in answer.text
    assert 'value="kim"' in answer.text
    assert Page(answer.text).faults() == []
    with filled.database.reading() as session:
        assert not [*session.scalars(select(Waiver))]


def test_where_nobody_logs_in_nobody_can_approve(browser, filled):
    request_waiver(
        filled,
        "loans",
        model="score",
        rule="gap",
        owner="kim",
        reason="x",
        expires=dt.date(2026, 12, 1),
        requester="lea",
    )
    shown = browser.get("/products/loans/waivers")
    assert "nobody can approve" in shown.text
    answer = send(browser, "/waivers/1/answer", where="/products/loans/waivers", approved="yes")
    assert answer.status_code == 403


def test_a_job_that_waits_is_cancelled(browser, filled):
    job = enqueue(filled, Subject("loans", "score", "v2"), {"text": "evenhand: 1\n"}, by="lea")
    address = f"/jobs/{job.id}"
    assert "Waits for a worker" in browser.get(address).text
    answer = send(browser, f"{address}/cancel", where=address)
    assert (answer.status_code, answer.headers["location"]) == (303, address)
    found = Page(browser.get(address).text)
    assert "Cancelled" in found.texts
    assert "cancelled by local" in found.texts
    assert not [one for one in found.all("form") if one.get("method") == "post"]


@pytest.fixture
def rows(tmp_path):
    folder = tmp_path / "rows"
    (folder / "deep").mkdir(parents=True)
    bundles.rows_of().write_csv(folder / "deep" / "loans.csv")
    (folder / "notes.txt").write_text("x")
    outside = tmp_path / "secret.csv"
    outside.write_text("a,b\n1,2\n")
    (folder / "link.csv").symlink_to(outside)
    return folder


@pytest.mark.usefixtures("rows")
def test_files_below_the_roots_are_listed_and_no_others(browser):
    found = Page(browser.get("/start").text)
    assert found.faults() == []
    assert [one for one in found.texts if one.endswith((".csv", ".txt"))] == ["deep/loans.csv"]


@pytest.mark.slow
def test_a_file_is_audited_from_a_plan_that_is_drafted_and_edited(browser, filled, rows):
    file = str(rows / "deep" / "loans.csv")
    (link,) = [one for one in Page(browser.get("/start").text).links if "/start/plan" in one]
    answer = browser.get(link)
    shown = Page(answer.text)
    assert (answer.status_code, shown.faults()) == (200, [])
    assert {"label", "prediction", "group"} <= {*shown.texts}
    (text,) = re.findall('<textarea id="text"[^>]*>(.*?)</textarea>', answer.text, re.DOTALL)
    assert "source: loans.csv" in text
    about = {"file": file, "product": "loans", "model": "score", "version": "v2"}
    wrong = send(browser, "/start/audit", where=link, **about, text="evenhand: 1\nlog: {}\n")
    assert (wrong.status_code, Page(wrong.text).faults()) == (422, [])
    assert "plan:2 log.source" in wrong.text
    empty = send(browser, "/start/audit", where=link, **{**about, "model": " "}, text=bundles.PLAN)
    assert "it is empty" in empty.text
    far = bundles.PLAN.replace("loans.parquet", "/etc/passwd")
    out = send(browser, "/start/audit", where=link, **about, text=far)
    assert "lies outside of what this worker may read" in out.text
    good = bundles.PLAN.replace("loans.parquet", "loans.csv").replace("\n", "\r\n")
    answer = send(browser, "/start/audit", where=link, **about, text=good)
    assert answer.status_code == 303, answer.text
    with filled.database.reading() as session:
        (job,) = session.scalars(select(Job))
    assert answer.headers["location"] == f"/jobs/{job.id}"
    assert job.body["folder"] == str(rows / "deep")
    assert "\r" not in job.body["text"]


@pytest.mark.slow
def test_a_column_that_could_not_be_told_can_be_said(browser, rows):
    (rows / "odd.csv").write_text("a,b,c\n" + "x,1,2\ny,2,1\n" * 40)
    address = f"/start/plan?file={rows / 'odd.csv'}"
    unknown = browser.get(address)
    assert unknown.status_code == 422
    assert "Say group: COLUMN" in Page(unknown.text).text
    assert not re.search("<textarea", unknown.text)
    said = browser.get(f"{address}&prediction=b&group=a")
    assert said.status_code == 200, said.text
    assert "prediction: " in said.text


def test_no_other_file_is_looked_at(browser, rows, tmp_path):
    for file in (
        tmp_path / "secret.csv",
        rows / "link.csv",
        rows / ".." / "secret.csv",
        rows / "notes.txt",
        rows / "nope.csv",
        rows,
        "deep/loans.csv",
        "",
        "s3://bucket/x.parquet",
    ):
        answer = browser.get("/start/plan", params={"file": str(file)})
        assert answer.status_code == 422, file
        assert "there is no such data file below the roots" in answer.text, file
