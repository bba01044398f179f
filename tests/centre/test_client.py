"""The centre from Python: what is sent, what answers mean, and what a token is kept from."""

from __future__ import annotations

import datetime as dt
import json
import socket

import httpx2
import pytest

import bundles
import evenhand as eh
from evenhand.centre.client.address import CENTRE, TOKEN, address_of, named, read_token
from evenhand.centre.client.client import Client, new_run
from evenhand.centre.client.connection import LONGEST_PAUSE, PAUSES, Connection
from evenhand.centre.decision import Decision
from evenhand.centre.protocol import JobRequest, RunRequest
from evenhand.centre.store.centre import open_centre
from evenhand.errors import (
    BundleError,
    CentreError,
    ConflictError,
    DeniedError,
    EvenhandError,
    UnknownError,
    UnreachableError,
)
from pushed import evidence
from served import free_port, serving

ADDRESS = "http://127.0.0.1:8642"
WORD = "eh_x"
PRODUCT = {"name": "loans", "created": "2026-11-02T09:00:00Z", "sequence": 1, "head": "sha256:x"}


class Wire:
    """What a centre is asked, and what it answers."""

    def __init__(self, *answers):
        self.answers = [*answers]
        self.asked = []
        self.pauses = []

    def __call__(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    def client(self, address=ADDRESS, token=None, **how):
        client = Client(address, token, transport=httpx2.MockTransport(self), **how)
        connection = Connection(client.address, client.connection.http, self.pauses.append)
        client._connection = connection  # noqa: SLF001 - time does not pass
        return client


def answer(status=200, document=None, **headers):
    return httpx2.Response(status, json=document, headers=headers)


def problem(status, *said, **headers):
    errors = [{"where": where, "what": what, "hint": "do it"} for where, what in said]
    document = {"type": "urn:x", "title": "x", "status": status, "detail": "x", "errors": errors}
    return answer(status, document, **headers)


REFUSED = httpx2.ConnectError("[Errno 111] Connection refused")
CUT = httpx2.ReadError("cut")


# Where it is


@pytest.mark.parametrize(
    ("text", "url", "local"),
    [
        ("http://127.0.0.1:8642/", "http://127.0.0.1:8642", True),
        (" https://Centre.Example/evenhand/ ", "https://Centre.Example/evenhand", False),
        ("http://[::1]:1", "http://[::1]:1", True),
        ("http://localhost:1", "http://localhost:1", True),
        ("http://127.0.0.1.evil.example", "http://127.0.0.1.evil.example", False),
        ("http://localhost.evil.example", "http://localhost.evil.example", False),
    ],
)
def test_an_address_is_a_scheme_a_host_and_a_folder(text, url, local):
    found = address_of(text)
    assert (found.url, found.local) == (url, local)


def test_one_centre_has_one_folder_however_its_address_is_written():
    names = {
        address_of(text).folder
        for text in (
            "https://centre.example",
            "https://CENTRE.example:443/",
            "https://centre.example/",
        )
    }
    assert len(names) == 1
    assert "/" not in names.pop()
    assert address_of("https://a.example/x").folder != address_of("https://a.example/y").folder


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("centre:8642", "Write it whole"),
        ("", "Write it whole"),
        ("ftp://centre", "Write it whole"),
        ("http://", "Write it whole"),
        ("http://centre:99999", "is no address"),
        ("http://kim:secret@centre", "--token-file"),
        ("http://centre/?x=1", "Name the centre"),
    ],
)
def test_what_is_no_address_is_refused_with_the_way_out(text, said):
    with pytest.raises(EvenhandError) as raised:
        address_of(text)
    assert said in str(raised.value)
    assert "secret" not in str(raised.value)


def test_the_address_comes_from_the_environment_where_none_is_given(monkeypatch):
    monkeypatch.delenv(CENTRE, raising=False)
    with pytest.raises(EvenhandError, match="no centre is named"):
        named(None)
    monkeypatch.setenv(CENTRE, ADDRESS)
    assert named(None) == ADDRESS
    assert named("http://other") == "http://other"


# The token


def test_a_token_goes_encrypted_or_to_this_machine_or_not_at_all():
    for safe in (
        "https://centre.example",
        "http://127.0.0.1:1",
        "http://[::1]",
        "http://localhost",
    ):
        assert address_of(safe, WORD).token == WORD
    with pytest.raises(DeniedError, match=r"everybody on the way.*\n.*https://centre\.example, or"):
        address_of("http://centre.example:80", WORD)
    assert address_of("http://centre.example", WORD, insecure=True).token == WORD
    assert address_of("http://centre.example").token is None


def test_a_token_is_shown_nowhere(tmp_path):
    assert "eh_secret" not in repr(address_of(ADDRESS, "eh_secret"))
    file = tmp_path / "token"
    file.write_text("eh_secret and more")
    with pytest.raises(EvenhandError) as raised:
        read_token(file)
    assert "eh_secret" not in str(raised.value)


def test_a_token_is_read_from_a_file_or_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv(TOKEN, raising=False)
    assert read_token(None) is None
    monkeypatch.setenv(TOKEN, " eh_env\n")
    assert read_token(None) == "eh_env"
    file = tmp_path / "token"
    file.write_text("eh_file\n")
    assert read_token(file) == "eh_file"
    with pytest.raises(EvenhandError, match="no such file"):
        read_token(tmp_path / "none")
    for wrong in (b"", b"\xff\xfe", b"a\r\nX: y", "é".encode()):
        file.write_bytes(wrong)
        with pytest.raises(EvenhandError, match="this is no token"):
            read_token(file)


def test_a_token_is_sent_and_not_sent_on():
    away = answer(307, None, location="https://evil.example/api/v1/")
    wire = Wire(away)
    with pytest.raises(CentreError, match=r"it sends to https://evil\.example"):
        wire.client(token=WORD).about()
    (request,) = wire.asked
    assert request.headers["authorization"] == f"Bearer {WORD}"
    assert request.url.host == "127.0.0.1"


def test_what_is_meant_for_this_machine_goes_through_no_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("all_proxy", "http://proxy.example:3128")
    http = Client(ADDRESS).connection.http
    assert not http.trust_env
    assert Client("https://centre.example").connection.http.trust_env


# What answers mean


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, DeniedError),
        (403, DeniedError),
        (404, UnknownError),
        (409, ConflictError),
        (413, EvenhandError),
        (422, EvenhandError),
        (429, CentreError),
        (500, CentreError),
        (502, UnreachableError),
        (503, UnreachableError),
        (504, UnreachableError),
    ],
)
def test_a_problem_is_raised_as_what_it_is_with_all_that_it_says(status, kind):
    wire = Wire(problem(status, ("model", "none."), ("version", "none.")))
    with pytest.raises(EvenhandError) as raised:
        wire.client().product("loans")
    assert type(raised.value) is kind
    assert [(one.where, one.what, one.hint) for one in raised.value.problems] == [
        ("model", "none.", "do it"),
        ("version", "none.", "do it"),
    ]


@pytest.mark.parametrize(
    "other",
    [
        httpx2.Response(200, html="<title>Log in</title>"),
        httpx2.Response(404, text="nothing here"),
        answer(200, {"evenhand": "0.1"}),
        answer(200, [1]),
        httpx2.Response(200, content=b"\xff"),
        answer(500, {"errors": "none"}),
    ],
)
def test_something_else_that_answers_is_said_to_be_no_centre(other):
    with pytest.raises(CentreError, match="what answers is no centre") as raised:
        Wire(other).client().about()
    assert type(raised.value) is CentreError


def test_a_page_of_an_absent_centre_without_problems_is_a_centre_that_is_away():
    with pytest.raises(UnreachableError, match="502 Bad Gateway"):
        Wire(httpx2.Response(502, html="<h1>proxy</h1>")).client().about()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx2.ConnectTimeout("x"), "no connection in time"),
        (httpx2.ReadTimeout("x"), "no answer in time"),
        (CUT, "cut"),
        (httpx2.RemoteProtocolError("Server disconnected."), "Server disconnected"),
        (httpx2.DecodingError("bad gzip"), "bad gzip"),
    ],
)
def test_a_centre_that_does_not_answer_is_away_and_why_is_said(error, said):
    with pytest.raises(UnreachableError) as raised:
        Wire(error).client().about()
    (one,) = raised.value.problems
    assert one.where == ADDRESS
    assert said in one.what
    assert one.hint == f"See whether it runs: curl {ADDRESS}/healthz"


def test_a_port_that_nothing_listens_on_and_a_name_that_nobody_knows_are_told_in_words():
    with Client(f"http://127.0.0.1:{free_port()}") as client:
        object.__setattr__(client.connection, "pause", lambda _: None)
        with pytest.raises(UnreachableError, match="nothing listens there"):
            client.about()


def test_a_listener_that_never_answers_is_away_in_time():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        with Client(f"http://127.0.0.1:{port}", timeout=0.1) as client:
            object.__setattr__(client.connection, "pause", lambda _: None)
            with pytest.raises(UnreachableError, match="no answer in time"):
                client.about()


# Again


def test_what_may_be_repeated_is_tried_again():
    for trouble in (REFUSED, CUT, problem(503, ("database", "away."))):
        wire = Wire(trouble, answer(200, PRODUCT))
        assert wire.client().product("loans").name == "loans"
        assert wire.pauses == [PAUSES[0]]


def test_a_centre_that_stays_away_is_given_up():
    wire = Wire(CUT)
    with pytest.raises(UnreachableError):
        wire.client().product("loans")
    assert wire.pauses == [*PAUSES]
    assert len(wire.asked) == len(PAUSES) + 1


def test_what_would_count_twice_is_sent_again_only_where_it_was_not_sent():
    wire = Wire(CUT)
    with pytest.raises(UnreachableError):
        wire.client().gate("loans", "score", "v1")
    assert len(wire.asked) == 1
    wire = Wire(REFUSED)
    with pytest.raises(UnreachableError):
        wire.client().gate("loans", "score", "v1")
    assert len(wire.asked) == len(PAUSES) + 1


def test_no_refusal_is_repeated():
    wire = Wire(problem(409, ("run", "ended.")))
    with pytest.raises(ConflictError):
        wire.client().end_run("0" * 32, "failed")
    assert len(wire.asked) == 1


def test_a_centre_says_how_long_to_wait_within_reason():
    busy = problem(503, ("x", "busy."), **{"retry-after": "2"})
    endless = problem(503, ("x", "busy."), **{"retry-after": "9999"})
    wire = Wire(busy, endless, answer(200, PRODUCT))
    wire.client().product("loans")
    assert wire.pauses == [2.0, LONGEST_PAUSE]


# Lists and names


def test_a_list_is_read_part_after_part_as_it_is_looped_over():
    def part(request):
        after = request.url.params.get("after")
        number = int(after or 0)
        items = [PRODUCT | {"name": f"p{number}"}]
        return answer(
            200, {"items": items, "total": 3, "next": str(number + 1) if number < 2 else None}
        )

    wire = Wire(part)
    products = wire.client().products(search="p")
    assert not wire.asked
    assert next(products).name == "p0"
    assert len(wire.asked) == 1
    assert [one.name for one in products] == ["p1", "p2"]
    assert {request.url.params["search"] for request in wire.asked} == {"p"}


def test_a_list_that_goes_in_a_circle_ends():
    wire = Wire(answer(200, {"items": [PRODUCT], "total": 9, "next": "same"}))
    assert len([*wire.client().products()]) == 2


@pytest.mark.parametrize("name", ["a b", "a/b", "..", "a?b#c", "ä", "a%2Fb"])
def test_a_name_leads_nowhere_else(name):
    wire = Wire(answer(200, PRODUCT))
    wire.client("http://127.0.0.1:1/base").product(name)
    path = wire.asked[0].url.raw_path.decode()
    assert path.startswith("/base/api/v1/products/")
    assert "/" not in path.removeprefix("/base/api/v1/products/")
    assert not {"?", "#"} & {*path}


def test_evidence_is_sent_as_its_bytes():
    wire = Wire(problem(422, ("bundle", "no evidence.")))
    with pytest.raises(EvenhandError, match="no evidence"):
        wire.client().push(b"PK", product="loans", run=None)
    (request,) = wire.asked
    assert request.content == b"PK"
    assert request.headers["content-type"] == "application/zip"
    assert dict(request.url.params) == {"product": "loans"}


# A centre that is there


@pytest.fixture
def served(tmp_path):
    centre = open_centre(
        database=f"sqlite:///{tmp_path / 'centre.db'}",
        storage=str(tmp_path / "evidence"),
        key=tmp_path / "centre.pem",
        roots=(str(tmp_path),),
    )
    with serving(centre) as address, eh.connect(address) as client:
        yield client
    centre.database.close()


@pytest.mark.slow
def test_every_document_of_a_real_centre_is_read(served, tmp_path):
    data = evidence()
    file = tmp_path / "x.evidence.zip"
    file.write_bytes(data)
    about = served.about()
    assert about.auth == "none"
    run = new_run()
    plan = "sha256:" + "1" * 64
    asked = RunRequest(id=run, product="loans", model="score", version="v1", plan=plan)
    assert served.start_run(asked).state == "started"
    assert served.start_run(asked).id == run
    pushed = served.push(file, run=run)
    assert pushed.new
    assert not served.push(data, product="loans", model="score", version="v1").new
    bundle = pushed.audit.bundle
    assert served.bundle(bundle) == data
    assert served.audit(bundle) == pushed.audit
    assert "<html" in served.report(bundle)
    assert [one.state for one in served.runs("loans", model="score")] == ["finished"]
    assert [one.name for one in served.products(search="loa")] == ["loans"]
    assert served.product("loans").head
    assert [one.name for one in served.models("loans")] == ["score"]
    assert [one.name for one in served.versions("loans", "score")] == ["v1"]
    artefact = "sha256:" + "a" * 64
    assert served.bind("loans", "score", "v1", artefact).artefact == artefact
    assert [one.bundle for one in served.audits(product="loans")] == [bundle]
    assert len([*served.findings(bundle)]) == pushed.audit.findings
    assert len([*served.findings(product="loans")]) == pushed.audit.findings
    decision = served.gate("loans", "score", "v1")
    assert isinstance(decision, Decision)
    assert json.loads(served.dossier("loans", "score", "v1"))["payloadType"].endswith(
        "dossier+json"
    )
    assert served.policy().version == 0
    assert served.write_policy("policy: 1\nmax_age: 5d\n", "loans").version == 1
    assert served.policy("loans").text == "policy: 1\nmax_age: 5d\n"
    text = bundles.PLAN
    assert served.register_plan("loans", "release", text).name == "release"
    assert [one.name for one in served.plans("loans")] == ["release"]
    waiver = served.request_waiver(
        "loans",
        model="score",
        rule="gap",
        owner="lee",
        reason="known",
        expires=dt.datetime.now(dt.UTC).date() + dt.timedelta(days=3),
    )
    assert [one.id for one in served.waivers("loans")] == [waiver.id]
    with pytest.raises(DeniedError, match="nothing can be approved"):
        served.answer_waiver(waiver.id, approved=True)
    job = served.start_job(JobRequest(product="loans", model="score", version="v1", text=text))
    assert served.job(job.id).state == "queued"
    assert [one.id for one in served.jobs(product="loans")] == [job.id]
    assert served.cancel(job.id).id == job.id
    assert isinstance([*served.log(job.id)], list)
    assert {one.kind for one in served.chain("loans")} >= {"evidence", "decision"}


@pytest.mark.slow
def test_a_real_centre_says_what_is_wrong(served):
    with pytest.raises(EvenhandError) as raised:
        served.push(b"no evidence")
    assert not isinstance(raised.value, CentreError | BundleError)
    with pytest.raises(UnknownError, match="no such product"):
        served.product("nothing")
    with pytest.raises(ConflictError, match="is pushed as"):
        served.push(evidence(), product="cards")
    with pytest.raises(UnknownError):
        served.product("..")
    with pytest.raises(EvenhandError, match="policy"):
        served.write_policy("policy: 9")
