"""``evenhand mitigate``: new lists from a log or a plan, what is guaranteed, and their plan."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from evenhand.cli.main import app
from evenhand.errors import EvenhandError

PLAN = """
evenhand: 1
log: {source: lists/recs.parquet, kind: recommendation}
roles: {request: request, item: item, rank: slot, score: value}
item_groups: {tier: tier}
tables: [{source: more.parquet, key: item, columns: [size]}]
catalogue: more.parquet
measures: ["exposure_share(of=tier, group=new)@5"]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Lists of 200 requests in which the new tier has lower scores, and a plan of them."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    rows = []
    for request in range(200):
        tier = rng.random(12) < 0.4
        score = rng.random(12) - 0.3 * tier
        order = np.argsort(-score)
        rows += [
            {
                "request": request,
                "item": f"i{request}-{place}",
                "slot": slot + 1 if slot < 5 else None,
                "value": float(score[place]),
                "tier": "new" if tier[place] else "old",
            }
            for slot, place in enumerate(order)
        ]
    (tmp_path / "lists").mkdir()
    table = pl.DataFrame(rows)
    table.write_parquet(tmp_path / "lists" / "recs.parquet")
    table.select("item", "tier", size=pl.lit(1)).write_parquet(tmp_path / "more.parquet")
    (tmp_path / "audit.yaml").write_text(PLAN)
    return tmp_path


def run(*words):
    result = CliRunner().invoke(app, ["mitigate", *words])
    if isinstance(result.exception, EvenhandError):
        return str(result.exception)
    assert result.exit_code == 0, result.output
    return result.stdout


ROLES = ["--request", "request", "--item", "item", "--rank", "slot", "--score", "value"]
METHOD = ["--method", "fa_star_ir(protected=new, p=0.4)", "--item-group", "tier", "--top", "5"]


def share(path):
    words = ["measure", "exposure_share(of=tier, group=new)@5", path, "--json"]
    words += [
        "--kind",
        "recommendation",
        "--request",
        "request",
        "--item",
        "item",
        "--rank",
        "slot",
    ]
    found = CliRunner().invoke(app, words)
    return json.loads(found.stdout)["findings"][0]["value"]


@pytest.mark.usefixtures("folder")
def test_lists_are_written_with_old_and_new_slots():
    document = json.loads(run("lists/recs.parquet", *ROLES, *METHOD, "--json"))
    before, after = pl.read_parquet("lists/recs.parquet"), pl.read_parquet("reranked.parquet")
    assert after["slot_before"].to_list() == before["slot"].to_list()
    assert (
        after.group_by("request").agg(pl.col("slot").drop_nulls().sort())["slot"].to_list()
        == [[1, 2, 3, 4, 5]] * 200
    )
    by = {one["group"]: one for one in document["exposure"]}
    assert by["new"]["by_score"] == pytest.approx(share("lists/recs.parquet"), abs=1e-9)
    assert by["new"]["reranked"] == pytest.approx(share("reranked.parquet"), abs=1e-9)
    assert by["new"]["reranked"] > by["new"]["by_score"]
    told = document["certificate"]
    assert told["requests"] == 200
    assert told["utility"] <= told["best"]


def test_plan_of_the_new_lists_is_audited_as_the_old_one(folder):
    (folder / "out").mkdir()
    document = json.loads(run("audit.yaml", *METHOD, "--out", "out/new.parquet", "--json"))
    plan = yaml.safe_load((folder / "out" / "new.yaml").read_text())
    assert plan["log"]["source"] == "new.parquet"
    assert plan["catalogue"] == "../more.parquet"
    assert "size" in pl.read_parquet("out/new.parquet").columns
    result = CliRunner().invoke(app, ["audit", "out/new.yaml", "--json"])
    assert result.exit_code == 0, result.output
    (finding,) = json.loads(result.stdout)["findings"]
    by = {one["group"]: one for one in document["exposure"]}
    assert finding["value"] == pytest.approx(by["new"]["reranked"], abs=1e-9)


@pytest.mark.usefixtures("folder")
def test_draws_belong_to_their_request():
    method = ["--method", "fairness_of_exposure", "--item-group", "tier", "--top", "5"]
    run("lists/recs.parquet", *ROLES, *method)
    whole = pl.read_parquet("reranked.parquet")
    pl.read_parquet("lists/recs.parquet").filter(pl.col("request") >= 150).write_parquet(
        "few.parquet"
    )
    run("few.parquet", *ROLES, *method, "--out", "part.parquet")
    part = pl.read_parquet("part.parquet")
    assert part["slot"].to_list() == whole.filter(pl.col("request") >= 150)["slot"].to_list()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--method", "fa_star_ri(p=0.4)"], "fa_star_ir"),
        (["--method", "fa_star_ir(p=0.4)"], "needs protected"),
        (["--method", "fa_star_ir(protected=new, p=0.4, q=1)"], "no parameter 'q'"),
        (["--method", "fa_star_ir(protected=none_such, p=0.4)"], "there is no group"),
        (["--method", "fa_star_ir(protected=new, p=0.4)", "--target", "half"], "is no target"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_written(folder, words, said):
    assert said in run("lists/recs.parquet", *ROLES, "--item-group", "tier", *words)
    assert not (folder / "reranked.parquet").exists()


def test_files_that_are_there_are_kept(folder):
    (folder / "reranked.parquet").write_text("mine")
    assert "there already" in run("lists/recs.parquet", *ROLES, *METHOD)
    assert (folder / "reranked.parquet").read_text() == "mine"
