"""What pages ask of the tables, on both databases: history, figures over time, search."""

from __future__ import annotations

import datetime as dt

import pytest

import bundles
from evenhand.centre.policy import parse_policy
from evenhand.centre.store import history
from evenhand.centre.store.decisions import decide_now
from evenhand.centre.store.evidence import Subject, accept
from evenhand.centre.store.findings import Figure, figures_of, findings_of, over_time
from evenhand.centre.store.opened import Shelf, opened
from evenhand.centre.store.plans import register_plan
from evenhand.centre.store.registry import model_named, product_named, version_named
from evenhand.centre.store.runs import end_run, start_run
from evenhand.centre.store.search import search
from evenhand.centre.store.tables import Audit, Decision, Run
from pushed import evidence

DAY = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
LOANS = Subject("loans", "score", "v2")


@pytest.fixture
def filled(centre):
    """A centre with two versions of one model, and another product."""
    for days, version in ((30, "v1"), (20, "v2"), (10, "v2")):
        created = DAY - dt.timedelta(days=days)
        accept(centre, evidence(version=version, created=created), None, by="ci")
    accept(centre, evidence(product="cards", model="limit"), None, by="ci")
    return centre


def test_history_is_told_newest_first(filled):
    decide_now(filled, LOANS, against="v1", by="ci")
    with filled.database.reading() as session:
        product = product_named(session, "loans")
        (model,) = history.models_of(session, product)
        assert (model.name, model.newest, model.versions, model.audits) == ("score", "v2", 2, 3)
        audits = history.audits_of(session, Audit.product_id == product.id)
        assert [one.version for one in audits] == ["v2", "v2", "v1"]
        assert audits == sorted(audits, key=lambda one: one.audit.audited, reverse=True)
        rest = history.audits_of(session, Audit.product_id == product.id, start=2)
        assert [one.version for one in rest] == ["v1"]
        found = model_named(session, product, "score")
        assert [(v.name, many) for v, many in history.versions_of(session, found)] == [
            ("v2", 2),
            ("v1", 1),
        ]
        (decision,) = history.decisions_of(session, Decision.product_id == product.id)
        assert (decision.version, decision.against) == ("v2", "v1")
        last = history.last_decision(session, version_named(session, found, "v2"))
        assert last is not None
        assert last.id == decision.id


def test_runs_that_did_not_end_well_come_first(filled):
    plan = f"sha256:{'c' * 64}"
    ends = {"a" * 32: "failed", "b" * 32: None, "c" * 32: "finished", "d" * 32: "finished"}
    with filled.database.reading() as session:
        product = product_named(session, "loans").id
        pushed = history.audits_of(session, Audit.product_id == product)[0].audit.bundle
    for id_, state in ends.items():
        start_run(filled, LOANS, id=id_, plan=plan, by="ci")
        if state:
            bundle = {"c": pushed, "d": f"sha256:{'0' * 64}"}.get(id_[0])
            end_run(filled, id_, state=state, bundle=bundle, by="ci")
    with filled.database.reading() as session:
        found = history.runs_of(session, Run.product_id == product)
    assert found.counts == {"failed": 1, "started": 1, "finished": 1, "unpushed": 1}
    assert (found.total, found.repeated) == (4, 1)
    assert [line.state for line in found.lines][-1] == "finished"
    assert {line.times for line in found.lines} == {4}


def test_a_required_plan_is_missing_until_its_evidence_is_there(filled):
    def missing():
        with filled.database.reading() as session:
            product = product_named(session, "loans")
            models = history.models_of(session, product)
            return history.missing_of(session, product, policy, models)

    policy = parse_policy("policy: 1\nrequire: [fair]\n")
    (one,) = missing()
    assert (one.plan, one.version, one.registered) == ("fair", "v2", False)
    other = bundles.PLAN.replace("0.2", "0.3")
    register_plan(filled, "loans", "fair", other, by="lea")
    assert [one.registered for one in missing()] == [True]
    register_plan(filled, "loans", "fair", bundles.PLAN, by="lea")
    assert missing() == []


def test_findings_of_an_audit_are_those_of_its_bundle(filled):
    whole = bundles.bundle()
    with filled.database.reading() as session:
        audit = history.audits_of(session, Audit.model_id == 1)[0].audit
        listed = findings_of(session, audit)
        assert listed.found == len(whole.findings)
        assert {one.key for one in listed.findings} == {one.key for one in whole.findings}
        ruled = [one.verdict is not None for one in listed.findings]
        assert ruled == sorted(ruled, reverse=True)
        pairs = findings_of(session, audit, search="PAIRS(", most=2)
        assert (len(pairs.findings), pairs.found) == (2, 3)
        rest = findings_of(session, audit, search="PAIRS(", start=2)
        assert {one.about for one in (*pairs.findings, *rest.findings)} == {
            "a - b",
            "a - c",
            "b - c",
        }
        none = findings_of(session, audit, search="100%_")
        assert none.found == 0
        sliced = findings_of(session, audit, search="label == 1")
        assert [one.slice for one in sliced.findings] == ["label == 1"]


def test_a_figure_is_followed_through_its_audits(filled):
    key = "difference(selection_rate, by=group)"
    with filled.database.reading() as session:
        product = product_named(session, "loans")
        figures = figures_of(session, product)
        assert figures[0].key in {rule.key for rule in bundles.bundle().rules}
        assert len(figures) == len({*figures}) == len(bundles.bundle().findings)
        points = over_time(session, product, Figure("score", key, "", None))
        assert [one.version for one in points] == ["v1", "v2", "v2"]
        value = next(one.value for one in bundles.bundle().findings if one.key == key)
        assert {one.finding.value for one in points} == {value}
        assert [one.audited for one in points] == sorted(one.audited for one in points)
        assert over_time(session, product, Figure("score", key, "", "label == 1")) == []
        assert len(over_time(session, product, Figure("score", key, "", None), most=2)) == 2


def test_search_finds_names_digests_and_figures(filled):
    with filled.database.reading() as session:
        audit = history.audits_of(session, Audit.model_id == 1)[0].audit
        assert [one.product for one in search(session, "OAN").products] == ["loans"]
        assert [one.model for one in search(session, "limit").models] == ["limit"]
        assert {one.version for one in search(session, "v2").versions} == {"v2"}
        for digest in (audit.bundle, audit.bundle[7:20], audit.manifest):
            assert [one.audit.id for one in search(session, digest).files] == [audit.id]
        rates = search(session, "selection_rate").figures
        assert {one.finding.measure for one in rates} == {"selection_rate"}
        key = "ratio(selection_rate, by=group)"
        assert {one.finding.key for one in search(session, key).figures} == {key}
        # Where no measure has the name, keys and groups are looked through.
        assert {one.finding.about for one in search(session, "a - c").figures} == {"a - c"}
        for wild in ("%", "_", "zzz", "' OR 1=1"):
            assert search(session, wild).products == (), wild
        assert search(session, "zzz").none


def test_search_tells_nothing_of_other_products(filled):
    with filled.database.reading() as session:
        other = history.audits_of(session, Audit.model_id == 1)[0].audit.bundle
        for text in ("loans", "score", "v1", other, "selection_rate", "a - b"):
            found = search(session, text, only="cards")
            told = [
                *(one.product for one in (*found.products, *found.models, *found.versions)),
                *(hit.product for hit in found.figures),
            ]
            assert {*told} <= {"cards"}, text
            assert found.files == (), text


def test_a_bundle_is_parsed_once_while_there_is_room(filled, monkeypatch):
    from evenhand.centre.store import opened as module

    monkeypatch.setattr(module, "_SHELF", Shelf(1000))
    with filled.database.reading() as session:
        names = [one.audit.bundle for one in history.audits_of(session, Audit.id > 0)]
    first = opened(filled, names[0])
    assert opened(filled, names[0]) is first
    for name in names:
        opened(filled, name)
    monkeypatch.setattr(module, "_SHELF", Shelf(1))
    assert opened(filled, names[0]) is not opened(filled, names[0])


def test_a_shelf_leaves_out_what_was_not_asked_for_longest():
    shelf: Shelf[str] = Shelf(3)
    made = []

    def make(name, size=1):
        def once():
            made.append(name)
            return name, size

        return shelf.get(name, once)

    for name in ("a", "b", "c", "a", "d", "a", "b"):
        assert make(name) == name
    assert made == ["a", "b", "c", "d", "b"]
    make("large", 4)
    make("a")
    assert made[-1] == "large"
