"""``evenhand mitigate --compare``: what is printed and written, and what is refused."""

from __future__ import annotations

import json
import shlex

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from evenhand.cli.main import app
from evenhand.errors import EvenhandError

ROLES = ["--request", "request", "--item", "item", "--score", "value"]
HOW = ["--item-group", "tier", "--top", "4", "--method", "det_greedy"]
TWO = [*HOW, "--method", "calibrated(weight=0.5)"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Candidates of 40 requests that nobody has ranked."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(4)
    new = rng.random((40, 8)) < 0.4
    pl.DataFrame(
        {
            "request": np.repeat(np.arange(40), 8),
            "item": np.arange(320),
            "value": (rng.random((40, 8)) - 0.4 * new).ravel(),
            "tier": np.where(new, "new", "old").ravel(),
        }
    ).write_parquet("recs.parquet")
    return tmp_path


def run(*words):
    result = CliRunner().invoke(app, ["mitigate", "recs.parquet", *ROLES, *words])
    if isinstance(result.exception, EvenhandError):
        return str(result.exception)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.usefixtures("folder")
def test_both_halves_and_the_choice_are_in_the_document():
    found = json.loads(run("--compare", *TWO, "--at-least", "0.5", "--json"))
    names = [one["method"] for one in found["contenders"]]
    assert names == ["by score", "det_greedy", "calibrated(weight=0.5)"]
    assert found["choice"]["chosen"] in names
    assert sum(found["units"].values()) == 40
    for one in found["contenders"]:
        for half in ("choosing", "held_out"):
            assert one[half]["units"] == found["units"][half]
            assert 0 <= one[half]["exposure"]["low"] <= one[half]["exposure"]["value"] <= 1
            assert [group["group"] for group in one[half]["groups"]] == ["new", "old"]
    assert found["contenders"][0]["held_out"]["certificate"] is None
    assert (
        found["contenders"][1]["held_out"]["certificate"]["requests"]
        == 40 - found["units"]["choosing"]
    )


def test_the_document_is_written_where_it_is_asked_for(folder):
    found = json.loads(run("--compare", *TWO, "--json", "--out", "found.json"))
    written = json.loads((folder / "found.json").read_text())
    assert found.pop("out") == "found.json"
    assert written == found
    assert not (folder / "reranked.parquet").exists()


@pytest.mark.usefixtures("folder")
def test_a_terminal_says_what_was_chosen_and_what_failed():
    words = [*TWO, "--method", "fa_star_ir(protected=guest, p=0.3)", "--at-least", "0.5"]
    text = " ".join(run("--compare", *words).split())
    assert "Chosen: " in text
    assert "half held out" in text
    assert "fa_star_ir(protected=guest, p=0.3) failed" in text
    assert "there is no group 'guest'" in text


@pytest.mark.usefixtures("folder")
def test_another_seed_is_another_split():
    one, other = (
        json.loads(run("--compare", *HOW, "--json", "--seed", seed))["contenders"][0]["choosing"]
        for seed in ("0", "1")
    )
    assert one["exposure"] != other["exposure"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--compare", *HOW, "--out", "lists.parquet"], "--compare writes no lists"),
        (["--item-group", "tier"], "none is named"),
        (TWO, "2 are named"),
        ([*HOW, "--at-least", "0.8"], "Say --compare too"),
        (["--compare", *HOW, "--at-least", "0"], "every order reaches it"),
        (["--compare", *HOW, "--choose-on", "0"], "not between 0 and 1"),
        (["--compare", *HOW, "--target", "half"], "is no target"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_written(folder, words, said):
    assert said in run(*words)
    assert [file.name for file in folder.iterdir()] == ["recs.parquet"]


def test_lists_that_nobody_ranked_are_ranked_and_the_next_command_audits_them(folder):
    run(*HOW, "--target", "population", "--out", "out.parquet")
    document = json.loads(
        run(*HOW, "--target", "population", "--out", "out.parquet", "--force", "--json")
    )
    assert (folder / "out.parquet").exists()
    result = CliRunner().invoke(app, [*document["next"].split()[1:], "--json"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("ending", ["html", "json"])
def test_what_was_chosen_can_be_written_by_the_next_command(folder, ending):
    words = ["--method", "det_const_sort", "--item-group", "tier", "--top", "4"]
    by_score, reranked = (
        one["choosing"]["exposure"]["value"]
        for one in json.loads(run("--compare", *words, "--json"))["contenders"]
    )
    assert by_score < reranked
    out = ["--at-least", str((by_score + reranked) / 2), "--out", f"found.{ending}"]
    found = json.loads(run("--compare", *words, *out, "--json"))
    assert found["choice"]["chosen"] == "det_const_sort"
    assert "det_const_sort" in (folder / f"found.{ending}").read_text()
    result = CliRunner().invoke(app, shlex.split(found["next"])[1:])
    assert result.exit_code == 0, result.output
    assert (folder / "reranked.parquet").exists()
