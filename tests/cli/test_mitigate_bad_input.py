"""``evenhand mitigate`` beside bad input: what is refused says why and what to do."""

from __future__ import annotations

import json
import math
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from evenhand.cli.main import app
from evenhand.errors import EvenhandError

RECORDS = {
    "request": [1, 1, 1, 1, 2, 2, 3],
    "item": list("abcdefg"),
    "slot": [1, 2, 3, None, 1, 2, 1],
    "value": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3],
    "tier": ["m", "m", "m", "f", "m", "m", None],
}
ROLES = ["--request", "request", "--item", "item", "--rank", "slot", "--score", "value"]
FAIR = ["--method", "fa_star_ir(protected=f, p=0.9)"]
GREEDY = ["--method", "det_greedy"]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*words, **columns):
    """Return the document, or the error in words."""
    pl.DataFrame({**RECORDS, **columns}).write_parquet("log.parquet")
    words = ["mitigate", "log.parquet", *ROLES, "--item-group", "tier", "--json", *words]
    result = CliRunner().invoke(app, words)
    if isinstance(result.exception, EvenhandError):
        assert not Path("reranked.parquet").exists()
        return str(result.exception)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def slots():
    return pl.read_parquet("reranked.parquet")["slot"].to_list()


@pytest.mark.parametrize(
    ("columns", "said", "where"),
    [
        ({"value": [0.9, None, 0.7, 0.6, 0.5, None, 0.3]}, "'score': 2 of 7 candidates", "value"),
        ({"value": [0.9, math.nan, 0.7, 0.6, 0.5, 0.4, 0.3]}, "'score': 1 of 7", "value"),
        ({"request": [1, 1, 1, 1, 2, None, 3]}, "'request': 1 of 7 candidates", "request"),
    ],
)
def test_candidates_without_score_or_request_are_counted_and_can_be_left_out(columns, said, where):
    found = run(*FAIR, **columns)
    assert said in found
    assert f"--where '{where} != None'" in found
    assert run(*FAIR, "--where", f"{where} != None", **columns)["certificate"]["requests"] == 3


def test_infinite_scores_are_counted():
    found = run(*FAIR, value=[0.9, math.inf, 0.7, -math.inf, 0.5, 0.4, 0.3])
    assert "2 of 7 are infinite" in found


def test_score_and_request_that_are_missing_are_named_at_once():
    found = run(*FAIR, value=[None, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3], request=[1, 1, 1, 1, 2, None, 3])
    assert "role 'score'" in found
    assert "role 'request'" in found


def test_a_group_that_runs_out_is_named_with_what_was_due():
    told = run(*GREEDY, "--target", "f=0.5,m=0.5", "--top", "4")["certificate"]
    assert told["kept"] == 1
    assert told["reasons"] == [
        "group 'f' runs out: 0 candidates have it, 1 is due among the first 2",
        "group 'f' runs out: 1 candidate has it, 2 are due among the first 4",
    ]


def test_a_candidate_without_a_group_is_ranked_by_score_and_has_no_share():
    found = run(*GREEDY, "--target", "f=0.5,m=0.5", "--top", "1")
    # Alone in its request, it is shown; shares are of the known.
    assert slots()[-1] == 1
    assert sum(one["reranked"] for one in found["exposure"]) == pytest.approx(1)
    assert (found["unknown"], found["candidates"]) == (1, 7)


def test_candidates_without_a_group_are_told():
    pl.DataFrame(RECORDS).write_parquet("log.parquet")
    words = ["mitigate", "log.parquet", *ROLES, "--item-group", "tier", *FAIR]
    said = CliRunner().invoke(app, words).stdout
    assert "1 of 7 candidates have no known group: ranked by score" in said
    pl.DataFrame({**RECORDS, "tier": [*"mmmfmmf"]}).write_parquet("log.parquet")
    assert "no known group" not in CliRunner().invoke(app, [*words, "--force"]).stdout


def test_where_no_group_is_known_there_is_nothing_to_balance():
    found = run(*FAIR, tier=pl.Series([None] * 7, dtype=pl.String))
    assert "item group 'tier': it is unknown for all 7 candidates" in found


def test_an_item_that_is_listed_twice_is_counted_by_requests():
    found = run(*FAIR, item=[*"aacdefg"])
    assert "role 'item': it is listed twice in 1 of 3 requests" in found
    # In two requests an item may be the same.
    assert run(*FAIR, item=[*"abcdabc"])["certificate"]["requests"] == 3


def test_ties_keep_the_order_of_the_log():
    run(*FAIR, "--top", "2", value=[0.5] * 7, tier=["m"] * 6 + ["f"])
    assert slots() == [1, 2, None, None, 1, 2, 1]


def test_fewer_candidates_than_slots_are_all_shown_once():
    run(*FAIR, "--top", "100")
    frame = pl.read_parquet("reranked.parquet")
    shown = frame.group_by("request", maintain_order=True).agg(pl.col("slot").sort())
    assert shown["slot"].to_list() == [[1, 2, 3, 4], [1, 2], [1]]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("f=0.5,m=0.4", "shares add up to 0.9"),
        ("f=0.5", "there is none for ['m']"),
        ("f=0.5,m=0.5,x=0", "there are no candidates of ['x']"),
        ("f=-1,m=2", "those of ['f', 'm'] are no shares from 0 to 1"),
        ("f=nan,m=1", "those of ['f'] are no shares from 0 to 1"),
        ("f=a,m=b", "is no target"),
        ("half", "'half' is no target"),
    ],
)
def test_targets_that_are_none_are_refused(target, said):
    assert said in run(*GREEDY, "--target", target)


def test_no_rows_are_said_to_be_none():
    empty = {name: pl.Series(values).clear() for name, values in RECORDS.items()}
    assert "there are no rows" in run(*FAIR, **empty)
    found = run(*FAIR, "--where", "value > 5")
    assert "where: 'value > 5' holds for no row." in found


def test_scores_below_zero_are_refused_where_welfare_has_no_meaning():
    below = [-0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    found = run("--method", "welfare(weight=0.5)", value=below)
    assert "1 of 7 are below 0" in found
    assert run(*FAIR, value=below)["certificate"]["requests"] == 3


@pytest.mark.parametrize("k", ["0", "-1", "1.5"])
def test_a_number_of_slots_that_is_none_is_a_usage_error(k):
    pl.DataFrame(RECORDS).write_parquet("log.parquet")
    words = ["mitigate", "log.parquet", *ROLES, "--item-group", "tier", *FAIR, "--top", k]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
