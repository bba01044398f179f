"""States in a file: whole or refused, and nothing in them that names a unit."""

from __future__ import annotations

import json
import zipfile

import polars as pl
import pytest

import evenhand as eh
from daily import SIZE, plan_of, rows_of
from evenhand.audits.states.file import read_states, write_states
from evenhand.conformance.state import unlike
from evenhand.errors import OutputError, StateMergeError


@pytest.fixture
def path(tmp_path):
    rows_of(1).write_parquet(tmp_path / "rows.parquet")
    eh.audit(plan_of(tmp_path / "rows.parquet"), states=tmp_path / "x.states")
    return tmp_path / "x.states"


def _edited(path, name, change):
    """Write the file again with one member changed."""
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    members[name] = change(members[name])
    with zipfile.ZipFile(path, "w") as archive:
        for one, data in members.items():
            if data is not None:
                archive.writestr(one, data)


def _said(path):
    with pytest.raises(StateMergeError) as caught:
        read_states(path)
    (problem,) = caught.value.problems
    assert problem.where == str(path)
    return problem.what


def test_states_survive_the_file(path, tmp_path):
    states = read_states(path)
    write_states(states, tmp_path / "again.states")
    again = read_states(tmp_path / "again.states")
    assert again.plan == states.plan
    assert again.inputs == states.inputs
    assert [*again.scopes] == [None, "age > 40"]
    assert not any(unlike(again.scopes[scope], states.scopes[scope]) for scope in states.scopes)
    assert path.read_bytes() == (tmp_path / "again.states").read_bytes(), "equal states, one file"


def test_the_manifest_says_what_was_counted(path):
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest["rows"] == SIZE
    assert manifest["units"]["unit"] == ["column", "who"]
    assert manifest["scopes"][0]["engine"] == "polars"
    assert manifest["scopes"][0]["plan_digest"].startswith("sha256:")
    assert [one["rows"] for one in manifest["inputs"]] == [SIZE]
    assert "personal data" in manifest["note"]


def test_no_unit_and_no_folder_is_in_the_file(tmp_path):
    secret = rows_of(1).with_columns(who=pl.lit("secret-") + pl.col("who").cast(pl.String))
    secret.write_parquet(tmp_path / "rows.parquet")
    eh.audit(plan_of(tmp_path / "rows.parquet"), states=tmp_path / "x.states")
    with zipfile.ZipFile(tmp_path / "x.states") as archive:
        for name in archive.namelist():
            data = archive.read(name)
            assert b"secret-" not in data
            if name.endswith(".parquet"):
                assert "unit" not in pl.read_parquet(data).columns


@pytest.mark.parametrize("name", ["scope-0.parquet", "columns.parquet"])
def test_an_edited_member_is_named(path, name):
    _edited(path, name, lambda data: data[:-9] + b"x" + data[-8:])
    assert _said(path) == f"{name} is not as it was written."


def test_a_missing_member_is_named(path):
    _edited(path, "scope-1.parquet", lambda _: None)
    assert "scope-1.parquet" in _said(path)


def test_states_of_another_format_are_refused(path):
    _edited(path, "manifest.json", lambda data: data.replace(b'"states":1', b'"states":2'))
    assert _said(path) == "these states have format 2; this release reads 1."


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.999])
def test_a_cut_file_is_refused(path, keep):
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    assert "no file of states, or not whole" in _said(path)


def test_another_file_is_no_states(tmp_path):
    rows_of(1).write_parquet(tmp_path / "rows.parquet")
    assert "no file of states" in _said(tmp_path / "rows.parquet")


def test_a_missing_file_says_so(tmp_path):
    assert _said(tmp_path / "no.states") == "no such file."


def test_a_file_that_is_there_is_not_written_over(path):
    with pytest.raises(OutputError):
        eh.audit(plan_of(path.parent / "rows.parquet"), states=path)


def test_a_bundle_holds_no_states(path):
    eh.audit(plan_of(path.parent / "rows.parquet"), out=path.parent / "x.evidence.zip")
    with zipfile.ZipFile(path.parent / "x.evidence.zip") as archive:
        assert not any("scope" in name or "states" in name for name in archive.namelist())
