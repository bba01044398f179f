"""``evenhand centre``: tokens, plans, policies, backups, chains and tables, without a server."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("fastapi")

import bundles
from evenhand.centre.store import migration
from evenhand.centre.store.centre import open_centre
from evenhand.centre.store.evidence import Subject, accept
from evenhand.centre.store.registry import product_named
from evenhand.centre.store.runs import start_run
from evenhand.centre.store.tables import Entry
from evenhand.centre.store.tokens import issue, token_of
from pushed import evidence
from served import serving


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The folder of the centre of this machine."""
    folder = tmp_path / "home"
    monkeypatch.setenv("EVENHAND_HOME", str(folder))
    for name in ("EVENHAND_DATABASE", "EVENHAND_STORAGE", "EVENHAND_CENTRE", "EVENHAND_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def run(evenhand):
    return lambda *words: evenhand("centre", *words)


@pytest.fixture
def ask(read):
    return lambda *words: read("centre", *words)


@pytest.fixture
def here():
    """The centre of this machine, with one bundle."""
    centre = open_centre()
    accept(centre, evidence(), None, by="kim")
    yield centre
    centre.database.close()


def test_a_token_is_printed_once_and_works_until_it_is_revoked(run, ask, here):
    status, out, _ = run(
        "token", "issue", "--person", "kim", "--rights", "read,push", "--product", "loans"
    )
    assert status == 0
    (text,) = out.split()
    with here.database.reading() as session:
        assert token_of(session, text, here.clock()).person == "kim"
    status, found = ask("token", "list")
    (one,) = found["tokens"]
    assert (one["person"], one["product"], one["rights"], one["state"]) == (
        "kim",
        "loans",
        ["read", "push"],
        "valid",
    )
    assert text not in json.dumps(found)
    status, out, _ = run("token", "list")
    assert (status, text in out, "kim" in out) == (0, False, True)
    status, found = ask("token", "revoke", one["id"])
    assert (status, found["state"]) == (0, "revoked")
    with here.database.reading() as session:
        assert token_of(session, text, here.clock()) is None


def test_a_right_that_does_not_exist_is_a_usage_error(ask):
    status, found = ask("token", "issue", "--person", "kim", "--rights", "everything")
    assert status == 2
    assert "is no right" in found["errors"][0]["what"]
    assert ask("token", "revoke", "99")[0] == 2


def test_a_first_token_can_be_issued_before_anything_was_served(ask, home):
    assert ask("token", "issue", "--person", "kim", "--rights", "admin")[0] == 0
    assert (home / "centre.db").exists()


def test_a_plan_keeps_its_first_day(ask, tmp_path, here):
    plan = tmp_path / "audit.yaml"
    plan.write_text(bundles.PLAN)
    words = ("register", plan, "--product", "loans", "--name", "fair-release", "--by", "lee")
    status, first = ask(*words)
    assert (status, first["by"]) == (0, "lee")
    assert ask(*words)[1] == first
    with here.database.reading() as session:
        last = product_named(session, "loans")
        entry = session.get_one(Entry, (last.id, last.sequence))
    assert entry.kind == "plan registered"


def test_a_policy_is_set_and_read_back(run, ask, tmp_path, here):
    del here
    file = tmp_path / "policy.yaml"
    file.write_text("policy: 1\nmax_age: 30d\n")
    assert run("policy", "show", "--company")[1] == "# built in\npolicy: 1\n"
    assert ask("policy", "set", file, "--company")[1]["version"] == 1
    status, out, _ = run("policy", "show", "--product", "loans")
    assert (status, out) == (0, "# the company, version 1\npolicy: 1\nmax_age: 30d\n")
    file.write_text("policy: 1\nmax_agee: 30d\n")
    status, found = ask("policy", "set", file, "--product", "loans")
    assert (status, found["errors"][0]["where"]) == (2, f"{file}:2 max_agee")


@pytest.mark.parametrize("whose", [[], ["--company", "--product", "loans"]])
def test_whose_policy_is_meant_must_be_said(ask, tmp_path, whose):
    file = tmp_path / "policy.yaml"
    file.write_text("policy: 1\n")
    status, found = ask("policy", "set", file, *whose)
    assert status == 2
    assert "--company" in found["errors"][0]["hint"]


def test_heads_that_were_kept_tell_what_was_edited_since(run, ask, tmp_path, here):
    status, out, _ = run("heads")
    assert status == 0
    assert out.endswith("  4  loans\n")
    kept = tmp_path / "heads.txt"
    kept.write_text(out)
    accept(here, evidence(version="v2"), None, by="kim")
    assert ask("verify", "--heads", kept) == (
        0,
        {
            "ok": True,
            "products": 1,
            "lines": 6,
            "audits": 2,
            "files": 0,
            "problems": [],
            "orphans": [],
        },
    )
    with here.database.writing() as session:
        product = product_named(session, "loans")
        entry = session.get_one(Entry, (product.id, 4))
        entry.body = entry.body.replace('"by":"kim"', '"by":"lee"')
    status, found = ask("verify", "--heads", kept)
    assert status == 1
    assert found["problems"][0]["where"] == "loans: line 4"
    status, out, _ = run("verify", "--heads", kept)
    assert (status, out.startswith("NOT as it was accepted")) == (1, True)


def test_heads_are_read_back_as_text_and_as_json(run, tmp_path, here):
    del here
    kept = tmp_path / "heads"
    for words in (["heads"], ["heads", "--json"]):
        kept.write_text(run(*words)[1])
        assert run("verify", "--heads", kept)[0] == 0
    kept.write_text("hello\n")
    status, _, err = run("verify", "--heads", kept)
    assert (status, "heads:1: 'hello' is no head" in err) == (2, True)


def test_a_backup_is_taken_and_brought_back_to_an_empty_centre(ask, tmp_path, here):
    status, taken = ask("backup", tmp_path / "backups")
    assert (status, taken["files"], taken["missing"]) == (0, 1, [])
    there = ("--database", tmp_path / "new.db", "--storage", tmp_path / "new")
    status, found = ask("restore", tmp_path / "backups", *there)
    assert (status, found["ok"], found["audits"]) == (0, True, 1)
    status, found = ask("restore", tmp_path / "backups", *there)
    assert (status, "something in it" in found["errors"][0]["what"]) == (2, True)
    assert ask("heads")[1] == ask("heads", *there)[1]
    del here


def test_a_centre_that_lost_a_file_is_told_and_exits_with_1(run, ask, tmp_path, home, here):
    assert run("check")[1].startswith("ok  1 products")
    (file,) = (home / "evidence").glob("*/*.zip")
    file.unlink()
    status, found = ask("check")
    assert (status, found["problems"][0]["what"]) == (1, "the file is not there.")
    assert ask("check", "--no-files")[0] == 0
    status, taken = ask("backup", tmp_path / "backups")
    assert (status, len(taken["missing"])) == (1, 1)
    del here


def test_tables_of_an_older_release_are_left_alone(ask, home, here, monkeypatch):
    newest = migration.newest()
    assert ask("migrate", "show")[1] == {
        "current": newest,
        "newest": newest,
        "revisions": [newest],
    }
    monkeypatch.setattr(migration, "newest", lambda: "9999")
    status, found = ask("heads")
    assert (status, found["errors"][0]["hint"][-27:]) == (4, "evenhand centre migrate up.")
    assert ask("backup", home.parent / "backups")[0] == 0
    del here


def test_tables_are_taken_down_only_by_somebody_who_means_it(ask, here):
    del here
    status, found = ask("migrate", "down", "base")
    assert (status, "--yes" in found["errors"][0]["hint"]) == (2, True)
    assert ask("migrate", "down", "base", "--yes")[1]["current"] is None
    assert ask("migrate", "up")[1]["before"] is None


def test_a_database_that_is_away_is_said_to_be(ask, tmp_path):
    status, found = ask("check", "--database", tmp_path / "no" / "centre.db")
    assert (status, "no folder" in found["errors"][0]["what"]) == (4, True)


@pytest.fixture
def elsewhere(here, tmp_path):
    """The flags that ask the centre as if it ran elsewhere, with a token of an auditor."""
    with serving(here, auth="token") as address:

        def flags(*rights):
            file = tmp_path / f"{'-'.join(rights)}.token"
            file.write_text(issue(here, person="max", product=None, rights=rights))
            return ("--to", address, "--token-file", file)

        yield flags


@pytest.mark.slow
def test_an_auditor_keeps_heads_and_compares_them_from_elsewhere(
    *, run, ask, tmp_path, here, elsewhere
):
    auditor, kept = elsewhere("read"), tmp_path / "heads.txt"
    status, out, _ = run("heads", *auditor)
    assert (status, out) == (0, run("heads")[1])
    kept.write_text(out)
    for number in range(250):
        start_run(
            here,
            Subject("loans", "score", "v1"),
            id=f"{number:032x}",
            plan="sha256:" + "1" * 64,
            by="kim",
        )
    status, found = ask("verify", "--heads", kept, *auditor)
    assert (status, found["ok"], found["lines"]) == (0, True, 254)
    with here.database.writing() as session:
        product = product_named(session, "loans")
        entry = session.get_one(Entry, (product.id, 3))
        entry.body = entry.body.replace('"by":"kim"', '"by":"lee"')
    status, found = ask("verify", "--heads", kept, *auditor)
    assert (status, [one["where"] for one in found["problems"]]) == (1, ["loans: line 3"])


def test_a_centre_elsewhere_is_asked_by_a_token_with_the_right(*, ask, tmp_path, here, elsewhere):
    plan, policy = tmp_path / "audit.yaml", tmp_path / "policy.yaml"
    plan.write_text(bundles.PLAN)
    policy.write_text("policy: 1\nmax_age: 30d\n")
    chief = elsewhere("read", "admin")
    status, made = ask("register", plan, "--product", "loans", "--name", "release", *chief)
    assert (status, made["by"]) == (0, "max")
    assert ask("policy", "set", policy, "--product", "loans", *chief)[1]["version"] == 1
    assert ask("policy", "show", "--product", "loans", *chief)[1]["text"] == policy.read_text()
    for words in (
        ("register", plan, "--product", "loans", "--name", "other"),
        ("policy", "set", policy, "--company"),
    ):
        status, found = ask(*words, *elsewhere("read"))
        assert (status, "lacks the right" in found["errors"][0]["what"]) == (2, True)
    del here
