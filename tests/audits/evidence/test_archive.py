"""Bundles are written whole or not at all, and read back as they were."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace

import polars as pl
import pytest
import rfc8785
import yaml

import bundles
from evenhand.audits.evidence import read_bundle, verify, write_bundle
from evenhand.audits.evidence.archive import bundle_again, parse_bundle
from evenhand.audits.evidence.bundle import FORMAT, Input
from evenhand.audits.evidence.canonical import canonical, digest_of
from evenhand.audits.evidence.manifest import comment_with, named
from evenhand.audits.evidence.zipped import pack
from evenhand.errors import OutputError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.evidence.zip"


def test_what_is_written_is_read_back(path):
    one = bundles.bundle()
    write_bundle(one, path)
    again = read_bundle(path)
    assert again.to_dict() == one.to_dict()
    assert again.rules == one.rules
    assert again.plan == one.plan
    assert again.environment == one.environment
    assert again.inputs == one.inputs
    assert again.units == one.units
    assert again.created == one.created
    assert again.version == one.version
    assert again.charts == one.charts
    assert again.replicates.equals(one.replicates)


def test_what_is_read_is_written_to_the_same_bytes(path, tmp_path):
    write_bundle(bundles.bundle(), path)
    write_bundle(read_bundle(path), tmp_path / "again.zip")
    assert path.read_bytes() == (tmp_path / "again.zip").read_bytes()


def test_what_was_read_before_is_read_alike(path):
    write_bundle(bundles.bundle(), path)
    data = path.read_bytes()
    first, again = parse_bundle(data, "x"), bundle_again(data, "x", replicates=True)
    assert again.replicates.equals(first.replicates)
    for name in ("plan", "findings", "rules", "environment", "inputs", "units", "created"):
        assert getattr(again, name) == getattr(first, name)


def test_the_digest_is_that_which_verify_says(path):
    assert write_bundle(bundles.bundle(), path) == verify(path).digest


def test_a_bundle_without_rules_and_replicates_is_read_back(path):
    one = replace(bundles.bundle(), rules=(), charts={}, replicates=bundles.bundle().replicates[:0])
    write_bundle(one, path)
    assert read_bundle(path).to_dict() == one.to_dict()


def test_a_file_that_is_there_is_kept(path):
    path.write_text("mine")
    with pytest.raises(OutputError, match="--force"):
        write_bundle(bundles.bundle(), path)
    assert path.read_text() == "mine"
    write_bundle(bundles.bundle(), path, force=True)
    assert verify(path).ok


def test_a_missing_folder_and_a_folder_are_refused(tmp_path):
    with pytest.raises(OutputError, match="there is no folder"):
        write_bundle(bundles.bundle(), tmp_path / "none" / "x.zip")
    with pytest.raises(OutputError, match="this is a folder"):
        write_bundle(bundles.bundle(), tmp_path, force=True)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_an_interrupted_write_leaves_what_was_there(error, step, path, monkeypatch):
    path.write_text("mine")

    def fall(*_):
        raise error

    monkeypatch.setattr(os, step, fall)
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else OutputError
    with pytest.raises(expected):
        write_bundle(bundles.bundle(), path, force=True)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert path.read_text() == "mine"


def test_no_path_no_machine_and_no_unit_is_in_a_bundle(tmp_path, path):
    table = bundles.rows_of().with_columns(
        unit=pl.format("person-{}@example.org", pl.col("unit")),
    )
    one = bundles.audited(table)
    log = one.plan.log.model_copy(update={"source": str(tmp_path / "loans.parquet")})
    one = replace(
        one,
        plan=one.plan.model_copy(update={"log": log}),
        inputs=(Input(str(tmp_path / "loans.parquet"), 3, None),),
    )
    write_bundle(one, path)
    data = path.read_bytes()
    assert str(tmp_path).encode() not in data
    assert os.environ.get("HOME", "none!").encode() not in data
    assert socket.gethostname().encode() not in data
    assert b"person-" not in data
    again = read_bundle(path)
    assert again.plan.log.source == "loans.parquet"
    assert again.inputs[0].name == "loans.parquet"


def test_relative_sources_are_kept(path):
    write_bundle(bundles.bundle(), path)
    assert read_bundle(path).plan.log.source == "loans.parquet"


def test_a_number_that_json_does_not_keep_is_refused(path):
    one = replace(bundles.bundle(), environment={"rows": 2**53 + 1})
    with pytest.raises(OutputError, match=r"environment\.json.*9007199254740993"):
        write_bundle(one, path)
    assert not path.exists()


def test_a_large_number_that_json_keeps_is_kept(path):
    write_bundle(replace(bundles.bundle(), environment={"rows": 2**60}), path)
    assert read_bundle(path).environment == {"rows": 2**60}


def test_a_seed_that_json_does_not_keep_is_refused(path):
    plan = bundles.bundle().plan.model_copy(update={"seed": 2**60 + 1})
    with pytest.raises(OutputError, match=r"plan\.yaml"):
        write_bundle(replace(bundles.bundle(), plan=plan), path)


def test_what_could_not_be_read_is_not_written(path, monkeypatch):
    monkeypatch.setattr("evenhand.audits.evidence.archive.MOST_MEMBERS", 3)
    with pytest.raises(OutputError, match="at most 256 MiB in 3 members"):
        write_bundle(bundles.bundle(), path)
    assert not path.exists()


def test_a_chart_cannot_leave_its_folder(path):
    with pytest.raises(OutputError, match="no name of a chart"):
        write_bundle(replace(bundles.bundle(), charts={"../x.vl.json": {}}), path)


def test_repeated_names_are_told_apart():
    assert [*named([{"key": "accuracy"}] * 3)] == ["accuracy", "accuracy (2)", "accuracy (3)"]


def test_canonical_json_has_one_form():
    assert canonical({"b": 1.0, "a": [1e21, "é"]}, "x") == b'{"a":[1e+21,"\xc3\xa9"],"b":1}'


# Version 1 as it was first written, by hand: a change of this test is a change of the format.
GOLDEN_FINDING = {
    "key": "difference(selection_rate, by=sex)",
    "measure": "selection_rate",
    "slice": None,
    "contrast": "difference",
    "by": ["sex"],
    "given": [],
    "is_rate": True,
    "value": 0.25,
    "low": 0.125,
    "high": 0.375,
    "level": 0.95,
    "method": "Newcombe",
    "estimand": "row",
    "units": 200,
    "units_exact": True,
    "rows": 200,
    "excluded": [{"reason": "prediction is missing", "rows": 3}],
    "undefined": None,
    "identified": None,
    "conventions": {"better": "neither direction"},
    "groups": [
        {
            "group": {"sex": sex},
            "value": value,
            "low": value - 0.0625,
            "high": value + 0.0625,
            "units": 100,
            "units_exact": True,
            "rows": 100,
            "undefined": None,
            "suppressed": False,
            "compared": True,
        }
        for sex, value in (("f", 0.25), ("m", 0.5))
    ],
}
GOLDEN_RULE = {
    "id": "gap",
    "rule": "difference(selection_rate, by=sex) <= 0.1",
    "key": "difference(selection_rate, by=sex)",
    "certainty": 0.95,
    "scope": "all rows",
    "verdict": "fail",
    "reason": "it is at least 0.125",
    "pass_share": 0,
    "failed_groups": [[{"sex": "f"}, {"sex": "m"}]],
    "undecided_groups": [{"group": {"sex": "x"}, "units": 3, "reason": "fewer than 30 units"}],
    "units_needed": None,
    "why": "policy",
    "waiver": {"owner": "risk", "expires": "2027-01-31", "reason": "known"},
    "line": 7,
}


def _golden(tmp_path) -> bytes:
    pl.DataFrame(
        {
            "measure": ["selection_rate"] * 2,
            "by": ['[["sex"], []]'] * 2,
            "slice": [""] * 2,
            "group": ['["f"]'] * 2,
            "buckets": pl.Series([128, 128], dtype=pl.Int32),
            "bucket": pl.Series([0, 5], dtype=pl.Int32),
            "deviation": [0.5, -0.5],
        }
    ).write_parquet(tmp_path / "r.parquet")
    plan = {
        "evenhand": 1,
        "log": {"source": "a.parquet"},
        "roles": {"prediction": "approved"},
        "groups": {"sex": "sex"},
        "measures": ["difference(selection_rate, by=sex)"],
        "gate": [{"id": "gap", "rule": "difference(selection_rate, by=sex) <= 0.1"}],
    }
    members = {
        "plan.yaml": yaml.safe_dump(plan).encode(),
        "findings.json": rfc8785.dumps([GOLDEN_FINDING]),
        "rules.json": rfc8785.dumps([GOLDEN_RULE]),
        "replicates.parquet": (tmp_path / "r.parquet").read_bytes(),
        "environment.json": b'{"engine":"polars"}',
        "charts/x.vl.json": b'{"mark":"bar"}',
    }
    manifest = {
        "format": 1,
        "evenhand": "0.3.0",
        "created": "2026-11-23T00:00:00+00:00",
        "members": {
            name: {"bytes": len(data), "sha256": digest_of(data)} for name, data in members.items()
        },
        "inputs": [{"name": "a.parquet", "bytes": 9, "sha256": digest_of(b"a")}],
        "units": {"unit": "person", "sha256": digest_of(b"u")},
        "plan": {"sha256": digest_of(b"p")},
        "records": {
            "findings.json": [
                {
                    "record": GOLDEN_FINDING["key"],
                    "sha256": digest_of(rfc8785.dumps(GOLDEN_FINDING)),
                }
            ],
            "rules.json": [
                {"record": "gap in all rows", "sha256": digest_of(rfc8785.dumps(GOLDEN_RULE))}
            ],
        },
    }
    members["manifest.json"] = rfc8785.dumps(manifest)
    return pack(members, comment_with(digest_of(members["manifest.json"]), 1))


def test_a_bundle_of_format_1_is_read(path, tmp_path):
    path.write_bytes(_golden(tmp_path))
    assert verify(path).ok
    found = read_bundle(path)
    assert found.to_dict() == {
        "verdict": "fail",
        "rules": [GOLDEN_RULE],
        "findings": [GOLDEN_FINDING],
    }
    assert found.version == "0.3.0"
    assert found.charts == {"charts/x.vl.json": {"mark": "bar"}}
    assert found.replicates["deviation"].to_list() == [0.5, -0.5]


def test_the_manifest_says_what_format_1_says():
    manifest = json.loads(bundles.members()["manifest.json"])
    assert FORMAT == manifest["format"] == 1
    assert {*manifest} == {
        "format", "evenhand", "created", "members", "inputs", "units", "plan", "records"
    }  # fmt: skip
    assert {*manifest["members"]} == {*bundles.members()} - {"manifest.json"}
