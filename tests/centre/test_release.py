"""Gates that the centre decides, or what is cached of it; what they prove and what they compare."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import replace

import httpx2
import pytest

import asked
from evenhand.centre.client.cache import MOST, cache_of
from evenhand.centre.client.client import Client
from evenhand.centre.client.connection import Connection
from evenhand.centre.client.release import Release, evidence_at, gate
from evenhand.centre.client.told import suite_of, summary, warnings
from evenhand.centre.decision import CLOCKS
from evenhand.centre.key import DOSSIER_TYPE, ensure_key, public_pem, seal, unseal
from evenhand.centre.store.database import Database
from evenhand.centre.store.evidence import accept
from evenhand.centre.store.migration import upgrade
from evenhand.centre.store.policies import write_policy
from evenhand.centre.subject import Subject
from evenhand.errors import (
    CentreError,
    ConflictError,
    DeniedError,
    MissingExtraError,
    Problem,
    UnreachableError,
)
from evenhand.render import junit, sarif
from pushed import evidence

V1, V2, V3 = (Subject("loans", "score", version) for version in ("v1", "v2", "v3"))
X = "sha256:" + "a" * 64


class Wire:
    """The way to a centre, which can be cut."""

    def __init__(self, centre, auth="none", token=None):
        self.app = asked.client(centre, auth, token)
        self.away = False
        self.paths = []

    def __call__(self, request):
        if self.away:
            raise httpx2.ConnectError("[Errno 111] Connection refused")
        self.paths.append(f"{request.method} {request.url.path}")
        found = self.app.request(
            request.method,
            str(request.url),
            content=request.content,
            headers=dict(request.headers),
        )
        return httpx2.Response(found.status_code, content=found.content, headers=found.headers)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """An empty database, whose tables are made once."""
    path = tmp_path_factory.mktemp("centre") / "centre.db"
    made = Database(f"sqlite:///{path}")
    upgrade(made)
    made.close()
    return path


@pytest.fixture
def database(empty, tmp_path):
    """One kind is enough: what the store does on each is shown elsewhere."""
    return f"sqlite:///{shutil.copy(empty, tmp_path / 'centre.db')}"


@pytest.fixture
def wire(centre):
    return Wire(centre)


@pytest.fixture
def client(wire):
    made = Client(f"http://{asked.HOST}", transport=httpx2.MockTransport(wire))
    made._connection = Connection(made.address, made.connection.http, lambda _: None)  # noqa: SLF001
    return made


@pytest.fixture
def cache(client, tmp_path, monkeypatch):
    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path / "cache"))
    return cache_of(client.address)


@pytest.fixture
def decided(client, cache, clock):
    """Ask for the gate of a version."""

    def ask(subject, *, at_hand=(), on_unreachable=None, **more):
        found = {path: evidence_at(path, subject)[1] for path in at_hand}
        release = Release(subject, at_hand=found, **more)
        return gate(client, cache, release, at=clock(), on_unreachable=on_unreachable)

    return ask


@pytest.fixture
def file(tmp_path, clock):
    """Write evidence to a file."""

    def write(version, name="x", hours=1, **more):
        path = tmp_path / f"{name}-{version}.evidence.zip"
        created = clock() - dt.timedelta(hours=hours)
        path.write_bytes(evidence(version=version, created=created, **more))
        return path

    return write


@pytest.fixture
def known(centre, file):
    """The centre has evidence of v1."""
    accept(centre, file("v1").read_bytes(), V1, by="kim")
    return centre


def let_caches_decide(centre, more=""):
    write_policy(centre, None, f"policy: 1\non_unreachable: cached\n{more}", by="kim")


def envelopes(cache):
    return sorted((cache.folder / "dossiers").rglob("*.json"))


def pending(cache):
    return sorted((cache.folder / "pending").glob("*"))


def refusal(ask, *of, **how):
    with pytest.raises(UnreachableError) as raised:
        ask(*of, **how)
    return str(raised.value)


# While the centre is there


def test_the_centre_decides_and_what_it_signed_is_kept(known, decided, cache):
    answer = decided(V1)
    assert (answer.decision.mode, len(answer.decision.evidence)) == ("online", 1)
    assert answer.notes == ()
    (kept,) = envelopes(cache)
    assert unseal(kept.read_bytes(), cache.trusted())["version"] == "v1"
    assert cache.trusted() == public_pem(known.key)
    assert not pending(cache)


@pytest.mark.usefixtures("known")
def test_evidence_at_hand_that_the_centre_lacks_does_not_count_and_is_said(decided, file):
    path = file("v2")
    answer = decided(V2, at_hand=[path])
    assert answer.decision.verdict == "fail"
    assert answer.unpushed == (path,)
    (said,) = warnings(answer)
    assert f"evenhand push {path} --product loans --model score --version v2" in said
    assert decided(V1, at_hand=[file("v1")]).unpushed == ()


@pytest.mark.usefixtures("known")
def test_what_the_centre_decided_stands_though_it_goes_away_at_once(
    decided, file, monkeypatch, cache
):
    def away(*_):
        raise UnreachableError(Problem("x", "away."))

    monkeypatch.setattr(Client, "audit", away)
    answer = decided(V1, at_hand=[file("v1")])
    assert (answer.decision.mode, answer.unpushed) == ("online", ())
    assert not pending(cache)


def test_evidence_at_hand_must_be_about_what_is_released(file):
    with pytest.raises(ConflictError, match="is about 'v2', and is pushed as 'v3'"):
        evidence_at(file("v2"), V3)
    assert evidence_at(file("v2"), None)[0] == V2


@pytest.mark.usefixtures("known")
def test_a_clock_that_is_off_is_said(clock, client, cache):
    late = clock() + CLOCKS + dt.timedelta(minutes=2)
    answer = gate(client, cache, Release(V1), at=late)
    assert "7 minutes apart" in answer.notes[0]


@pytest.mark.usefixtures("known")
def test_a_cache_that_cannot_be_written_stops_no_gate(decided, tmp_path):
    (tmp_path / "cache").write_text("a file")
    answer = decided(V1)
    assert answer.decision.mode == "online"
    assert "nothing is cached" in answer.notes[0]


@pytest.mark.usefixtures("known")
def test_another_key_than_the_one_of_the_first_time_is_refused(decided, cache, tmp_path):
    decided(V1)
    other = public_pem(ensure_key(tmp_path / "other.pem"))
    cache.pinned.write_text(other)
    with pytest.raises(CentreError) as raised:
        decided(V1)
    assert f"delete {cache.pinned}" in str(raised.value)
    cache.pinned.unlink()
    assert decided(V1).decision


def test_a_key_that_was_brought_along_is_trusted_and_no_other(
    known, cache, tmp_path, client, clock
):
    mine = tmp_path / "public.pem"
    mine.write_text(public_pem(known.key))
    brought = replace(cache, key=mine)
    assert gate(client, brought, Release(V1), at=clock())
    assert not (cache.folder / "centre.pem").exists()
    mine.write_text(public_pem(ensure_key(tmp_path / "other.pem")))
    with pytest.raises(CentreError, match="another key"):
        gate(client, brought, Release(V1), at=clock())
    with pytest.raises(CentreError, match="no such file"):
        gate(client, replace(cache, key=tmp_path / "none.pem"), Release(V1), at=clock())


# While it is away


@pytest.mark.usefixtures("known")
def test_without_a_word_of_the_policy_nothing_decides_in_the_centres_place(decided, wire):
    decided(V1)
    wire.away = True
    assert "on_unreachable: fail in the policy" in refusal(decided, V1)
    assert decided(V1, on_unreachable="cached").decision.mode == "cached"


def test_the_policy_that_is_cached_lets_the_cache_decide_unless_the_pipeline_says_no(
    known, decided, wire
):
    let_caches_decide(known)
    online = decided(V1).decision
    wire.away = True
    answer = decided(V1)
    assert answer.decision.mode == "cached"
    for name in ("verdict", "unwaived", "rules", "conditions", "evidence", "policy"):
        assert getattr(answer.decision, name) == getattr(online, name), name
    assert "--on-unreachable fail" in refusal(decided, V1, on_unreachable="fail")


def test_a_version_that_the_centre_never_heard_of_is_decided_by_evidence_at_hand(
    known, decided, wire, file
):
    let_caches_decide(known)
    decided(V1)
    wire.away = True
    answer = decided(V2, at_hand=[file("v2")], against="v1", artefact=X)
    assert answer.decision.against == "v1"
    (used,) = answer.decision.evidence
    assert used.runs == 1
    told = {one.id: one.verdict for one in answer.decision.conditions}
    assert told["against"] == "pass"
    # Evidence of another version is none of this one.
    assert decided(V3).decision.verdict == "fail"


def test_what_is_held_against_must_be_cached_too(known, decided, wire):
    let_caches_decide(known)
    decided(V1)
    wire.away = True
    assert "nothing is cached of version v0" in refusal(decided, V1, against="v0")


def test_the_dossier_of_a_version_goes_on_telling_what_the_centre_has(known, decided, wire, file):
    let_caches_decide(known)
    accept(known, file("v2", artefact=X).read_bytes(), V2, by="kim")
    decided(V2, against="v1")
    decided(V1)
    wire.away = True
    decision = decided(V2, against="v1").decision
    assert (len(decision.evidence), decision.artefact) == (1, X)


@pytest.mark.usefixtures("known")
def test_without_a_cache_it_says_so(decided, wire):
    wire.away = True
    said = refusal(decided, V1, on_unreachable="cached")
    assert "does not answer" in said
    assert "no dossier is cached" in said


def test_an_edited_dossier_decides_nothing(known, decided, wire, cache):
    let_caches_decide(known)
    decided(V1)
    wire.away = True
    (path,) = envelopes(cache)
    whole = path.read_bytes()
    envelope = json.loads(whole)
    dossier = unseal(whole, cache.trusted())
    dossier["policy"]["text"] = "policy: 1\nmax_age: 9999d\n"
    forged = json.loads(seal(dossier, ensure_key(path.with_suffix(".pem"))))
    edits = {
        "cut": whole[:-10],
        "another payload": json.dumps({**envelope, "payload": forged["payload"]}).encode(),
        "another signer": json.dumps(forged, sort_keys=True, separators=(",", ":")).encode(),
        "no signature": json.dumps({**envelope, "signatures": []}).encode(),
        "another kind": seal(unseal(whole, cache.trusted()), known.key, "application/x"),
        "not JSON": b"policy: 1",
        "empty": b"",
    }
    for name, data in edits.items():
        path.write_bytes(data)
        assert str(path) in refusal(decided, V1), name
    path.write_bytes(whole)
    assert decided(V1).decision.mode == "cached"


def test_a_dossier_of_another_product_put_in_its_place_decides_nothing(known, decided, wire, cache):
    let_caches_decide(known)
    decided(V1)
    wire.away = True
    (path,) = envelopes(cache)
    dossier = unseal(path.read_bytes(), cache.trusted()) | {"product": "cards"}
    path.write_bytes(seal(dossier, known.key, DOSSIER_TYPE))
    assert "it is about cards / score" in refusal(decided, V1)


def test_a_dossier_decides_until_it_expires(known, decided, wire, clock):
    let_caches_decide(known, "cache: 2h\n")
    decided(V1)
    wire.away = True
    clock.pass_(hours=2)
    assert decided(V1).decision.mode == "cached"
    clock.pass_(seconds=1)
    assert "it expired on 2026-11-02 11:00 UTC" in refusal(decided, V1)


def test_a_clock_set_back_does_not_make_a_dossier_hold_longer(known, decided, wire, clock):
    let_caches_decide(known)
    decided(V1)
    wire.away = True
    clock.time -= CLOCKS
    assert decided(V1).decision
    clock.time -= dt.timedelta(seconds=1)
    assert "Set the clock of this machine" in refusal(decided, V1)


def test_an_expired_dossier_of_this_version_is_not_passed_over(known, decided, wire, clock, file):
    """Dropping it would drop what the centre knows against the version."""
    let_caches_decide(known, "cache: 2h\n")
    accept(known, file("v2").read_bytes(), V2, by="kim")
    decided(V2)
    clock.pass_(hours=2)
    decided(V1)
    wire.away = True
    clock.pass_(minutes=1)
    assert "what is cached of version v2: it expired" in refusal(decided, V2)


def test_without_the_packages_that_check_signatures_the_centre_decides_and_no_cache_does(
    known, decided, wire, monkeypatch
):
    let_caches_decide(known)

    def missing():
        raise MissingExtraError("sign", where="the centre's key")

    decided(V1)
    wire.away = True
    with monkeypatch.context() as without:
        without.setattr("evenhand.centre.key._module", missing)
        assert "pip install 'evenhand[sign]'" in refusal(decided, V1)
    # What was kept unchecked is checked when it is used.
    assert decided(V1).decision.mode == "cached"


def test_a_policy_of_a_newer_release_decides_nothing_here(known, decided, wire, cache):
    decided(V1)
    wire.away = True
    (path,) = envelopes(cache)
    dossier = unseal(path.read_bytes(), cache.trusted())
    dossier["policy"]["text"] = "policy: 2\n"
    path.write_bytes(seal(dossier, known.key))
    assert "pip install --upgrade evenhand" in refusal(decided, V1)


@pytest.mark.usefixtures("known")
def test_as_many_dossiers_are_kept_as_were_used_last(cache):
    for number in range(MOST + 3):
        cache.keep(b"x", "loans", "score", f"v{number}", None)
    assert len(envelopes(cache)) == MOST


# When it is back


def test_what_the_cache_decided_is_compared_when_the_centre_is_back(known, decided, wire, cache):
    let_caches_decide(known)
    decided(V1)
    wire.away = True
    first = decided(V1).decision
    second = decided(V1).decision
    wire.away = False
    answer = decided(V1)
    assert {one.id for one in answer.reconciled} == {first.id, second.id}
    assert {one.compared for one in answer.reconciled} == {"same"}
    assert [*warnings(answer)] == []
    assert not pending(cache)
    assert decided(V1).reconciled == ()


def test_evidence_at_hand_is_kept_and_pushed_so_that_the_centre_can_decide_again(
    *, known, decided, wire, cache, file, client
):
    let_caches_decide(known)
    decided(V1)
    wire.away = True
    path = file("v2")
    decided(V2, at_hand=[path])
    path.unlink()
    wire.away = False
    (one,) = decided(V1).reconciled
    assert (one.version, one.compared, one.now) == ("v2", "same", one.verdict)
    assert client.audits(product="loans")
    assert not pending(cache)


def test_evidence_that_the_centre_knew_better_of_makes_a_verdict_differ(
    *, known, decided, wire, clock, file, cache
):
    let_caches_decide(known)
    decided(V1)
    wire.away = True
    decided(V2, at_hand=[file("v2", "mine")])
    # Somebody else's newer audit of v2 reaches the centre first; the cache could not know it.
    accept(known, file("v2", "other", hours=0).read_bytes(), V2, by="lee")
    wire.away = False
    clock.pass_(hours=3)
    answer = decided(V1)
    (one,) = answer.reconciled
    assert one.compared == "differs"
    assert any("DIFFERS" in line for line in warnings(answer))
    assert not pending(cache)


def test_a_verdict_that_the_centre_may_not_be_given_goes_on_waiting(centre, cache, clock, file):
    accept(centre, file("v1").read_bytes(), V1, by="kim")
    let_caches_decide(centre)

    def client_with(*rights):
        way = Wire(centre, "token", asked.token(centre, rights=rights))
        made = Client(
            f"http://{asked.HOST}",
            asked.token(centre, rights=rights),
            transport=httpx2.MockTransport(way),
        )
        made._connection = Connection(made.address, made.connection.http, lambda _: None)  # noqa: SLF001
        return made, way

    pusher, way = client_with("read", "push")
    gate(pusher, cache, Release(V1), at=clock())
    way.away = True
    gate(pusher, cache, Release(V1), at=clock())
    reader, _ = client_with("read")
    with pytest.raises(DeniedError):
        gate(reader, cache, Release(V1), at=clock())
    assert len(pending(cache)) == 1
    way.away = False
    (one,) = gate(pusher, cache, Release(V1), at=clock()).reconciled
    assert one.compared == "same"


def test_verdicts_about_other_products_wait_for_whoever_may_see_these(known, decided, wire, cache):
    let_caches_decide(known)
    decided(V1)
    wire.away = True
    decided(V1)
    (kept,) = pending(cache)
    kept.write_text(kept.read_text().replace('"product": "loans"', '"product": "cards"'))
    wire.away = False
    assert decided(V1).reconciled == ()
    assert pending(cache) == [kept]


@pytest.mark.usefixtures("known")
def test_a_waiting_verdict_that_cannot_be_read_is_named(decided, cache):
    decided(V1)
    (cache.folder / "pending").mkdir()
    (cache.folder / "pending" / "x.json").write_text("{")
    assert "x.json" in decided(V1).notes[0]


# What is told


@pytest.mark.usefixtures("known")
def test_reports_of_a_release_have_conditions_and_rules(decided):
    suite = suite_of(decided(V1, against="v1").decision, "plans/audit.yaml")
    assert suite.title == "loans / score / v1"
    assert [one.id for one in suite.judged][:2] == ["age", "against"]
    assert {one.id for one in suite.judged} >= {"gap", "right"}
    text = junit.written(suite)
    assert 'classname="policy"' in text
    assert 'name="gap"' in text
    run = json.loads(sarif.written(suite))["runs"][0]
    assert run["automationDetails"]["id"] == "evenhand/loans/score/v1"
    assert {one["ruleId"] for one in run["results"]} == {"gap", "right"}
    assert len({one["partialFingerprints"]["evenhand/v1"] for one in run["results"]}) == 2


@pytest.mark.usefixtures("known")
def test_a_condition_that_fails_is_a_failure_with_what_to_do(decided):
    suite = suite_of(decided(V3).decision)
    text = junit.written(suite)
    assert 'failures="1"' in text
    assert "what to do: Push it" in text
    (alert,) = json.loads(sarif.written(suite))["runs"][0]["results"]
    assert (alert["ruleId"], alert["level"]) == ("evidence", "error")


@pytest.mark.usefixtures("known")
def test_the_summary_of_a_step_says_verdict_conditions_rules_and_evidence(decided):
    answer = decided(V1)
    text = summary(answer)
    assert text.startswith(f"## loans / score / v1: {answer.decision.verdict}")
    for part in ("**pass** | age", "gap", "- evidence: ", "- policy: built in", answer.decision.id):
        assert part in text
