"""``evenhand audit --to``: announced before rows are read, pushed at the end."""

import json
import shlex

import pytest

import evenhand as eh
from evenhand.centre.dossier import plan_identity
from evenhand.errors import StoppedError

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(served):
    """The runs that the centre knows, the last first, and what it has of evidence."""

    def ask():
        with eh.connect(served.address) as client:
            return [*client.runs("lending")], [*client.audits()]

    return ask


def test_a_run_is_announced_and_ends_with_its_evidence(read, plan, served, runs):
    path = plan()
    status, document = read("audit", path, "--to", served.address)
    assert status == 0
    (run,), (audit,) = runs()
    assert run.state == "finished"
    assert (run.bundle, audit.run) == (audit.bundle, run.id)
    assert document["pushed"]["bundle"] == audit.bundle
    assert run.started <= audit.received
    # What was announced is what was audited.
    assert run.plan == audit.plan


def test_rows_are_read_after_the_centre_was_told(evenhand, plan, served, runs, monkeypatch):
    states = []

    def count_rows(*_, **__):
        states.append([one.state for one in runs()[0]])
        raise StoppedError

    monkeypatch.setattr("evenhand.audits.run.count_rows", count_rows)
    status, _, _ = evenhand("audit", plan(), "--to", served.address)
    assert status == 130
    assert states == [["started"]]
    (run,), audits = runs()
    assert (run.state, run.reason, audits) == ("failed", "stopped", [])


def test_a_run_that_fails_says_why(evenhand, plan, decisions, served, runs):
    path = plan()
    decisions.write_text(decisions.read_text().replace("p7,", ",").replace(",0,1,", ",7,1,", 1))
    status, _, error = evenhand("audit", path, "--to", served.address)
    assert status == 2
    (run,), audits = runs()
    assert (run.state, audits) == ("failed", [])
    assert run.reason == error.splitlines()[0]


def test_the_file_that_is_kept_is_the_file_that_is_pushed(evenhand, plan, served, tmp_path):
    out = tmp_path / "x.evidence.zip"
    status, text, error = evenhand("audit", plan(), "--out", out, "--to", served.address, "--gate")
    assert status == 1
    assert "pushed  lending / credit / v7, fail" in error
    assert "FAIL" in text
    with eh.connect(served.address) as client:
        (audit,) = client.audits()
        assert client.bundle(audit.bundle) == out.read_bytes()


def test_a_plan_must_say_what_is_audited_and_measured(read, plan, served, decisions):
    path = plan()
    whole = path.read_text()
    path.write_text(whole.replace("product: lending, ", "").replace(", version: v7", ""))
    status, document = read("audit", path, "--to", served.address)
    assert status == 2
    assert [one["where"].split()[-1] for one in document["errors"]] == [
        *("subject.product", "subject.version"),
    ]
    status, document = read("audit", decisions, "--prediction", "approved", "--to", served.address)
    assert (status, len(document["errors"])) == (2, 3)
    text = whole.partition("measures:")[0]
    path.write_text(text)
    status, document = read("audit", path, "--to", served.address)
    assert "names its measures" in document["errors"][0]["what"]
    with eh.connect(served.address) as client:
        assert not [*client.products()]


def test_while_the_centre_is_away_evidence_that_is_kept_is_pushed_later(
    evenhand, plan, served, runs, tmp_path
):
    served.stop()
    status, _, error = evenhand("audit", plan(), "--to", served.address)
    assert status == 4
    assert "--out x.evidence.zip" in error
    out = tmp_path / "x.evidence.zip"
    status, _, error = evenhand("audit", plan(), "--to", served.address, "--out", out)
    assert status == 4
    assert "is not announced" in error
    (later,) = [line for line in error.splitlines() if "Push it later: " in line]
    served.start()
    words = shlex.split(later.partition("Push it later: ")[2])
    assert evenhand(*words[1:])[0] == 0
    assert len(runs()[1]) == 1


def test_a_centre_that_goes_away_meanwhile_loses_nothing(evenhand, plan, served, runs, monkeypatch):
    import evenhand.audits.run as audits_run

    conclude = audits_run.conclude

    def away(*words, **how):
        served.stop()
        return conclude(*words, **how)

    monkeypatch.setattr("evenhand.audits.run.conclude", away)
    status, _, error = evenhand("audit", plan(), "--to", served.address)
    assert status == 4
    served.start()
    (run,), audits = runs()
    assert (run.state, audits) == ("started", [])
    words = shlex.split(error.partition("Push it later: ")[2])
    assert evenhand(*words[1:])[0] == 0
    (run,), (audit,) = runs()
    assert (run.state, run.bundle) == ("finished", audit.bundle)


def test_the_verdict_of_a_gate_goes_before_a_centre_that_is_away(evenhand, plan, served, tmp_path):
    served.stop()
    out = tmp_path / "x.evidence.zip"
    flags = ("--to", served.address, "--out", out, "--gate", "--force")
    assert evenhand("audit", plan(), *flags)[0] == 1
    passing = plan("difference(selection_rate, by=sex) <= 0.9")
    assert evenhand("audit", passing, *flags)[0] == 4


def test_states_and_a_centre_make_evidence(evenhand, plan, served, runs, tmp_path):
    states = tmp_path / "day.states"
    assert evenhand("audit", plan(), "--states", states, "--to", served.address)[0] == 0
    assert evenhand("audit", "--from-states", states, "--to", served.address)[0] == 0
    found, audits = runs()
    assert [one.state for one in found] == ["finished", "finished"]
    assert len(audits) == 2
    assert {one.plan for one in found} == {plan_identity(eh.audit(plan()).plan)}


def test_a_refusal_comes_before_any_row_is_read(evenhand, plan, served, monkeypatch):
    served.stop()
    served.start(auth="token")
    monkeypatch.setattr("evenhand.audits.run.count_rows", None)
    status, _, error = evenhand("audit", plan(), "--to", served.address)
    assert status == 2
    assert "no token" in error


def test_without_to_no_centre_is_spoken_to(read, plan, served, monkeypatch):
    monkeypatch.setenv("EVENHAND_CENTRE", served.address)
    _, document = read("audit", plan())
    assert "pushed" not in document
    with eh.connect() as client:
        assert not [*client.products()]


def test_json_stays_one_document(evenhand, plan, served):
    _, out, _ = evenhand("audit", plan(), "--to", served.address, "--json")
    assert json.loads(out)["pushed"]["new"]
