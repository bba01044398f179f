"""Choosing on XING and Coat: figures recomputed without the engine, and those on the page."""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from evenhand.audits.choosing import choose
from evenhand.audits.plan.file import open_plan
from evenhand.audits.tradeoff import BY_SCORE
from evenhand.logs.expression import Expression
from evenhand.mitigations import DetConstSort, candidates_of

HERE = Path(__file__).parent
PAGE = (HERE.parent / "docs" / "mitigations.md").read_text()
SECTION = PAGE.partition("## Choosing")[2].partition("\n## ")[0]

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _folders(monkeypatch, data, prepared):
    monkeypatch.setenv("EVENHAND_DATA", str(data.resolve()))
    monkeypatch.setenv("EVENHAND_LISTS", str(prepared))


def log_of(plan):
    log = open_plan(HERE.parent / "examples" / f"{plan}.yaml").log
    if plan == "xing":
        return replace(log, roles={**log.roles, "score": Expression("-rank")})
    return log


def held_out(unit):
    digest = hashlib.blake2b(f"half of {unit} by 0".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 >= 0.5


def rows_of(title, until):
    """The rows of a table of the page, by the first words in their first cell."""
    text = SECTION.partition(title)[2].partition(until)[0]
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and re.match(r"[.\d]", cells[1]):
            for name in cells[0].partition(":")[0].split("`, `"):
                found[name.strip("`")] = cells
    return found


def numbers(cell):
    return [float(one) for one in re.findall(r"-?[.\d]+", cell)]


@pytest.mark.parametrize(
    ("plan", "of", "limit", "title", "until"),
    [
        ("xing", "sex", 0.8, "XING, 25 searches", "Nearly all"),
        ("coat", "target", 0.9, "Coat, 142 people", "Exposure was even"),
    ],
)
def test_the_page_has_the_figures(plan, of, limit, title, until):
    found = choose(log_of(plan), of, {"xing": 10, "coat": 8}[plan], at_least=limit)
    rows = rows_of(title, until)
    assert found.choice.name == BY_SCORE
    assert f"{found.units[0]} " in SECTION
    assert f"{found.units[1]} held out" in SECTION
    assert {one.name for one in found.contenders} - {*rows} == {"as they were"}
    for name, (_, exposure, change, kept, chosen_on) in rows.items():
        one = found.of(name)
        ratio, moved = one.held_out.figures.exposure, one.held_out.figures.utility_change
        told = [ratio.value, ratio.low, ratio.high]
        assert numbers(exposure) == pytest.approx(told, abs=0.00051)
        # As many digits as are told.
        digits = len(change.partition(" ")[0].partition(".")[2])
        expected = [moved.value, moved.low, moved.high][: len(numbers(change))]
        assert numbers(change) == pytest.approx(expected, abs=0.51 * 10**-digits)
        assert numbers(chosen_on) == pytest.approx(
            [one.choosing.figures.exposure.value], abs=0.00051
        )
        if kept:
            sure = one.held_out.certificate.kept
            assert kept == f"{sure.sum()} of {len(sure)}"


def lists_of(rows, request, score, group, relevance):
    """Requests of the half held out: scores, groups and relevance of their candidates."""
    found = defaultdict(list)
    for one in rows.iter_rows(named=True):
        if held_out(one[request]):
            worth = one[relevance] if relevance else 0
            found[one[request]].append((one[score], one[group], worth))
    return [*found.values()]


def ratio_of(lists, orders, k):
    """The ratio of the mean exposure of candidates, the lesser group over the other."""
    exposure, count = defaultdict(float), defaultdict(int)
    for rows, order in zip(lists, orders, strict=True):
        for _, group, _ in rows:
            count[group] += 1
        for slot, place in enumerate(order[:k], 1):
            exposure[rows[place][1]] += 1 / math.log2(1 + slot)
    means = [exposure[group] / count[group] for group in count]
    return min(means) / max(means)


def gain_of(rows, order, k):
    return sum(rows[place][2] / math.log2(1 + slot) for slot, place in enumerate(order[:k], 1))


def ndcg_of(lists, orders, k):
    found = []
    for rows, order in zip(lists, orders, strict=True):
        ideal = gain_of(rows, sorted(range(len(rows)), key=lambda place: -rows[place][2]), k)
        if ideal:
            found.append(gain_of(rows, order, k) / ideal)
    return sum(found) / len(found)


@pytest.mark.parametrize("plan", ["xing", "coat"])
def test_figures_held_out_are_those_of_a_plain_loop(plan, data, prepared):
    if plan == "xing":
        rows = pl.read_parquet(data / "xing_rankings.parquet").filter(
            pl.col("sex").is_in(["f", "m"])
        )
        rows = rows.with_columns(score=-pl.col("rank").cast(pl.Float64))
        lists, k, of = lists_of(rows, "query_number", "score", "sex", None), 10, "sex"
    else:
        items = pl.read_parquet(prepared / "coat_catalogue.parquet")
        rows = pl.read_parquet(prepared / "coat_lists.parquet").join(items, "item_id")
        lists, k = lists_of(rows, "user_id", "score", "target_gender", "relevance"), 8
        of = "target"
    found = choose(log_of(plan), of, k, methods=["det_const_sort"])
    asked = candidates_of(
        [[one[0] for one in each] for each in lists], [[one[1] for one in each] for each in lists]
    )
    anew = DetConstSort(found.targets).rerank(asked, k).order
    by_score = [sorted(range(len(each)), key=lambda place: -each[place][0]) for each in lists]
    orders = {BY_SCORE: by_score, "det_const_sort": [[p for p in row if p >= 0] for row in anew]}
    for name, order in orders.items():
        figures = found.of(name).held_out.figures
        assert figures.requests == len(lists)
        assert figures.exposure.value == pytest.approx(ratio_of(lists, order, k), rel=1e-9)
        if plan == "coat":
            assert figures.utility.value == pytest.approx(ndcg_of(lists, order, k), rel=1e-9)
