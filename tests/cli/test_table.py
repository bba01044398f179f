"""``--table``: side tables on the command line, and those of a plan in what verbs write."""

from __future__ import annotations

import json
import zipfile

import polars as pl
import pytest

CREATORS = pl.DataFrame({"creator_id": ["a", "b"], "tier": ["gold", "new"]})


@pytest.fixture
def log(tmp_path, monkeypatch):
    """A log of four creators' videos, with tables of two of them beside it."""
    monkeypatch.chdir(tmp_path)
    rows = pl.DataFrame(
        {
            "creator_id": ["a", "a", "b", "c"] * 30,
            "removed": [1, 0, 0, 1] * 30,
            "day": [1, 2, 3, 4] * 30,
        }
    )
    rows.write_parquet("log.parquet")
    CREATORS.write_csv("creators.csv")
    history = {"creator_id": ["a", "a"], "day": [2, 1], "level": ["high", "low"]}
    pl.DataFrame(history).write_parquet("history.parquet")
    return "log.parquet"


def _groups(finding, name):
    return {one["group"][name]: one["rows"] for one in finding["groups"]}


def test_measure_joins_a_table(read, log):
    words = ["--prediction", "removed", "--group", "tier", "--table", "creators.csv:creator_id"]
    status, document = read("measure", "difference(selection_rate, by=tier)", log, *words)
    assert status == 0
    assert _groups(document["findings"][0], "tier") == {"gold": 60, "new": 30, "unknown": 30}
    assert document["findings"][0]["excluded"] == [{"reason": "tier is unknown", "rows": 30}]


def test_audit_joins_tables_one_of_them_as_of_a_time(read, log):
    words = ["--table", "creators.csv:creator_id", "--table", "history.parquet:creator_id@day"]
    words += ["--prediction", "removed", "--group", "tier", "--group", "level"]
    status, document = read("audit", log, *words)
    assert status == 0
    found = {one["key"]: one for one in document["findings"]}
    assert _groups(found["difference(selection_rate, by=level)"], "level") == {
        "high": 30,
        "low": 30,
        "unknown": 60,
    }
    assert "difference(selection_rate, by=tier)" in found


@pytest.mark.parametrize("word", ["creators.csv", "creators.csv:", "creators.csv:creator_id@"])
def test_what_names_no_key_is_a_usage_error(read, log, word):
    status, document = read("audit", log, "--prediction", "removed", "--table", word)
    assert status == 2
    (problem,) = document["errors"]
    assert problem["what"] == f"'{word}' is not a side table."
    assert "creators.parquet:creator_id" in problem["hint"]


def test_a_table_that_does_not_fit_is_a_usage_error(read, log):
    words = ["--prediction", "removed", "--table"]
    for verb in (["audit", log], ["measure", "selection_rate", log]):
        status, document = read(*verb, *words, "creators.csv:creatorid")
        assert status == 2
        assert {one["where"] for one in document["errors"]} == {"tables[0].key"}
        status, document = read(*verb, *words, "creator.csv:creator_id")
        assert status == 2
        assert document["errors"][0]["hint"] == "Did you mean 'creators.csv'?"


def test_a_flag_beside_a_plan_is_refused(read, plan):
    status, document = read("audit", plan(), "--table", "creators.csv:creator_id")
    assert status == 2
    assert document["errors"][0]["where"] == "--table"


@pytest.fixture
def tabled(log, tmp_path):
    """A plan with a side table in a folder of its own."""

    def write(**more):
        folder = tmp_path / "plans"
        folder.mkdir(exist_ok=True)
        table = {"source": "../creators.csv", "key": "creator_id", **more}
        document = {
            "evenhand": 1,
            "log": {"source": f"../{log}"},
            "tables": [table],
            "roles": {"prediction": "removed"},
            "groups": {"tier": "tier"},
            "measures": ["difference(selection_rate, by=tier)"],
        }
        (folder / "audit.yaml").write_text(json.dumps(document))
        return folder / "audit.yaml"

    return write


def test_check_says_what_a_table_adds(evenhand, tabled):
    status, out, _ = evenhand("check", tabled())
    assert status == 0
    assert "table creators.csv by creator_id: tier; a miss is unknown" in out


def test_check_names_every_fault_of_a_table(read, tabled):
    pl.concat([CREATORS, CREATORS]).write_csv("creators.csv")
    status, document = read("check", tabled(columns=["teir"]))
    assert status == 2
    where = [one["where"].partition(" ")[2] for one in document["errors"]]
    assert where == ["tables[0].columns", "tables[0].key", "groups.tier"]
    assert document["errors"][1]["what"] == "2 keys repeat in creators.csv, such as 'a' (2 rows)."


def test_evidence_names_the_table_and_its_digest(evenhand, read, tabled):
    import hashlib
    from pathlib import Path

    status, _, _ = evenhand("audit", tabled(), "--out", "x.evidence.zip", "--html", "x.html")
    assert status == 0
    with zipfile.ZipFile("x.evidence.zip") as archive:
        inputs = json.loads(archive.read("manifest.json"))["inputs"]
    digest = hashlib.sha256(Path("creators.csv").read_bytes()).hexdigest()
    size = Path("creators.csv").stat().st_size
    assert inputs[1] == {
        "name": "creators.csv",
        "bytes": size,
        "sha256": f"sha256:{digest}",
        "table": True,
    }
    assert "creators.csv" in Path("x.html").read_text()
    assert read("verify", "x.evidence.zip")[0] == 0


def test_evidence_has_no_folders_of_a_machine(evenhand, tabled, tmp_path):
    path = tabled(source=str(tmp_path / "creators.csv"))
    assert evenhand("audit", path, "--out", "x.evidence.zip")[0] == 0
    with zipfile.ZipFile("x.evidence.zip") as archive:
        text = b"".join(archive.read(name) for name in archive.namelist())
    assert str(tmp_path).encode() not in text
