"""What the store keeps beside evidence: runs, plans, policies, waivers, decisions, tokens."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

import bundles
from evenhand.centre.decision import decide
from evenhand.centre.dossier import evidence_of, plan_identity
from evenhand.centre.key import public_pem, unseal
from evenhand.centre.store.chain import check
from evenhand.centre.store.decisions import decide_now, reconcile
from evenhand.centre.store.dossiers import dossier_of, sealed
from evenhand.centre.store.evidence import Subject, accept
from evenhand.centre.store.plans import register_plan
from evenhand.centre.store.policies import policy_record, write_policy
from evenhand.centre.store.registry import product_named
from evenhand.centre.store.runs import end_run, run_records, start_run
from evenhand.centre.store.tables import Entry
from evenhand.centre.store.tokens import issue, revoke, token_of
from evenhand.centre.store.waivers import answer_waiver, request_waiver
from evenhand.errors import BundleError, ConflictError, DeniedError, PlanError, UnknownError
from pushed import evidence

LOANS = Subject("loans", "score", "v1")
PLAN = plan_identity(bundles.bundle().plan)
RUN, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def pushed(centre):
    """A centre with evidence of one version."""
    accept(centre, evidence(), LOANS, by="kim")
    return centre


def kinds(centre, product="loans"):
    with centre.database.reading() as session:
        row = product_named(session, product)
        assert not [*check(session, row)]
        query = select(Entry.kind).where(Entry.product_id == row.id).order_by(Entry.sequence)
        return [*session.scalars(query)]


def test_a_run_is_listed_before_it_ends_and_ends_with_its_evidence(centre):
    start_run(centre, LOANS, id=RUN, plan=PLAN, by="kim")
    start_run(centre, LOANS, id=RUN, plan=PLAN, by="kim")
    with centre.database.reading() as session:
        version = dossier_of(centre, session, LOANS).runs
    assert [(one.state, one.pushed) for one in version] == [("started", False)]
    accepted = accept(centre, evidence(), LOANS, by="kim", run=RUN)
    with centre.database.reading() as session:
        (run,) = run_records(session, accepted.audit.version_id)
    assert (run.state, run.pushed, run.bundle) == ("finished", True, accepted.audit.bundle)
    assert accepted.audit.run_id == RUN


def test_a_run_that_wrote_what_nobody_pushed_is_unpushed(centre):
    start_run(centre, LOANS, id=RUN, plan=PLAN, by="kim")
    run = end_run(centre, RUN, state="finished", bundle="sha256:" + "0" * 64, by="kim")
    with centre.database.reading() as session:
        (told,) = run_records(session, run.version_id)
    assert (told.state, told.pushed) == ("finished", False)


def test_a_run_ends_once(centre):
    start_run(centre, LOANS, id=RUN, plan=PLAN, by="kim")
    end_run(centre, RUN, state="failed", reason="no such file", by="kim")
    end_run(centre, RUN, state="failed", reason="no such file", by="kim")
    with pytest.raises(ConflictError, match="has ended as failed"):
        end_run(centre, RUN, state="finished", by="kim")
    assert kinds(centre).count("run failed") == 1


def test_the_gate_says_which_of_all_runs_it_used(pushed):
    start_run(pushed, LOANS, id=RUN, plan=PLAN, by="kim")
    end_run(pushed, RUN, state="failed", reason="x", by="kim")
    start_run(pushed, LOANS, id=OTHER, plan=PLAN, by="kim")
    decision = decide_now(pushed, LOANS, by="kim")
    (used,) = decision.evidence
    assert (used.runs, sorted(used.others)) == (3, ["failed", "no end"])


def test_a_registered_plan_keeps_its_first_day(centre, clock):
    first = register_plan(centre, "loans", "release", bundles.PLAN, by="kim")
    clock.pass_(days=3)
    again = register_plan(centre, "loans", "release", bundles.PLAN, by="lee")
    assert (again.registered, first.digest) == (first.registered, PLAN)
    other = bundles.PLAN.replace("<= 0.2", "<= 0.3")
    assert register_plan(centre, "loans", "release", other, by="lee").digest != PLAN


def test_a_policy_of_a_product_goes_before_that_of_the_company(pushed):
    with pushed.database.reading() as session:
        assert policy_record(session, product_named(session, "loans")).version == 0
    write_policy(pushed, None, "policy: 1\nmax_age: 30d\n", by="kim")
    write_policy(pushed, None, "policy: 1\nmax_age: 30d\n", by="kim")
    with pushed.database.reading() as session:
        told = policy_record(session, product_named(session, "loans"))
    assert (told.product, told.version) == (None, 1)
    write_policy(pushed, "loans", "policy: 1\nmax_age: 10d\n", by="kim")
    with pushed.database.reading() as session:
        told = policy_record(session, product_named(session, "loans"))
    assert (told.product, told.version) == ("loans", 1)
    with pytest.raises(PlanError, match=r"policy\.yaml:2"):
        write_policy(pushed, "loans", "policy: 1\nmax_agee: 10d\n", by="kim")


def test_a_waiver_needs_somebody_who_neither_asked_nor_owns_it(pushed):
    asked = request_waiver(
        pushed,
        "loans",
        model="score",
        rule="gap",
        owner="Lee",
        reason="known, fixed in v2",
        expires=dt.date(2026, 12, 1),
        requester="kim",
    )
    for nobody in ("kim", "lee"):
        with pytest.raises(DeniedError):
            answer_waiver(pushed, asked.id, approver=nobody, approved=True)
    assert decide_now(pushed, LOANS, by="kim").rules[0]["waiver"] is None
    answer_waiver(pushed, asked.id, approver="ada", approved=True)
    decision = decide_now(pushed, LOANS, by="kim")
    waived = {rule["id"]: rule["waiver"] for rule in decision.rules if rule["verdict"] != "pass"}
    assert {name for name, waiver in waived.items() if waiver} <= {"gap"}
    with pytest.raises(ConflictError, match="approved already"):
        answer_waiver(pushed, asked.id, approver="ada", approved=False)
    with pytest.raises(ConflictError, match="the policy allows 90 days"):
        request_waiver(
            pushed,
            "loans",
            model="score",
            rule="gap",
            owner="lee",
            reason="x",
            expires=dt.date(2027, 12, 1),
            requester="kim",
        )


def test_a_decision_from_a_cache_is_compared(pushed, clock):
    with pushed.database.reading() as session:
        dossier = dossier_of(pushed, session, LOANS)
    cached = decide(dossier, at=clock(), mode="cached")
    clock.pass_(hours=3)
    assert reconcile(pushed, cached, by="kim").compared == "same"
    assert reconcile(pushed, cached, by="kim").compared == "same"
    assert kinds(pushed).count("decision") == 1
    local = evidence_of(bundles.bundle(), "sha256:" + "1" * 64)
    newer = local.model_copy(update={"audited": clock() - dt.timedelta(hours=4)})
    unpushed = decide(dossier, at=clock(), at_hand=[newer], mode="cached")
    assert reconcile(pushed, unpushed, by="kim").compared == "unpushed"


def test_a_dossier_is_signed_by_the_centre(pushed):
    with pushed.database.reading() as session:
        dossier = dossier_of(pushed, session, LOANS)
    envelope, pem = sealed(pushed, dossier), public_pem(pushed.key)
    assert unseal(envelope, pem) == dossier.model_dump(mode="json")
    edited = bytearray(envelope)
    place = envelope.index(b'"payload":"') + 20
    edited[place] ^= 1
    with pytest.raises(BundleError):
        unseal(bytes(edited), pem)


def test_a_token_lets_in_until_it_ends(centre, clock):
    text = issue(centre, person="kim", product="loans", rights=["read", "push"], days=10)
    with centre.database.reading() as session:
        token = token_of(session, text, clock())
        assert (token.person, token.rights) == ("kim", ["read", "push"])
        assert text not in str(vars(token))
        assert token_of(session, text + "x", clock()) is None
        assert token_of(session, text, clock() + dt.timedelta(days=10)) is None
    revoke(centre, token.id)
    with centre.database.reading() as session:
        assert token_of(session, text, clock()) is None
    with pytest.raises(ConflictError, match="is no right"):
        issue(centre, person="kim", product=None, rights=["everything"])


def test_a_gate_of_an_unknown_model_says_so(pushed):
    with pytest.raises(UnknownError, match="Did you mean 'score'"):
        decide_now(pushed, Subject("loans", "scores", "v1"), by="kim")
