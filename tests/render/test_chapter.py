"""Reports of ranked lists: two parts, single figures in one table, nothing left out."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

import evenhand
from evenhand.audits.evidence.archive import read_bundle, write_bundle
from evenhand.audits.evidence.chart import charts_of
from evenhand.render import svg
from evenhand.render.chapter import chapters_of, gaps_of, overall_table
from evenhand.render.html import FORMAT
from evenhand.render.markdown import markdown
from made import bundle_of, contrast, group

MEASURES = [
    "nDCG@5",
    "difference(nDCG@5, by=sex)",
    "P@5",
    "difference(P@5, by=sex)",
    "AWRF(of=tier, target=candidates)@5",
    "ratio(exposure@5, of=tier)",
    "shares(exposure@2, of=tier)",
    "shares(exposure@5, of=tier)",
    "exposure_gini@5",
    "top_share(share=0.1)@5",
    "top_share(share=0.5)@5",
]


@pytest.fixture(scope="module")
def ranked():
    """A small audit of ranked lists, all of whose items were shown."""
    rng = np.random.default_rng(5)
    users, slots, items = 120, 6, 40
    rows = pl.DataFrame(
        {
            "user": np.repeat(np.arange(users), slots),
            "slot": np.tile(np.arange(1, slots + 1), users),
            "item": np.concatenate([rng.permutation(items)[:slots] for _ in range(users)]),
            "liked": rng.integers(0, 2, users * slots),
            "sex": np.repeat(np.where(np.arange(users) % 2, "men", "women"), slots),
        }
    ).with_columns(tier=pl.when(pl.col("item") < 10).then(pl.lit("big")).otherwise(pl.lit("small")))
    plan = {
        "evenhand": 1,
        "log": {"source": "lists", "kind": "recommendation"},
        "roles": {
            "user": "user",
            "request": "user",
            "item": "item",
            "rank": "slot",
            "relevance": "liked",
        },
        "groups": {"sex": "sex"},
        "item_groups": {"tier": "tier"},
        "measures": MEASURES,
        "gate": [{"id": "tiers", "rule": "shares(exposure@5, of=tier) <= 0.5"}],
    }
    return evenhand.audit(plan, table=rows)


@pytest.fixture
def bare(monkeypatch):
    """No vl-convert, so that a page is made in no time."""
    monkeypatch.setattr(svg, "can_draw", lambda: False)


def chapters(bundle):
    return {one.title: one for one in chapters_of(bundle)}


def test_other_kinds_have_one_part_as_before():
    (only,) = chapters_of(bundle_of(contrast(group("a", 0.3), group("b", 0.5))))
    assert only.title == "Findings"
    assert only.overall == ()
    assert all(map(only.is_open, only.sections))


def test_every_finding_of_ranked_lists_is_in_one_part_once(ranked):
    found = [
        one.key
        for chapter in chapters_of(ranked)
        for block in (*chapter.overall, *(b for s in chapter.sections for b in s.blocks))
        for one in block.findings
    ]
    assert sorted(found) == sorted(one.key for one in ranked.findings)


def test_users_get_lists_and_items_get_exposure(ranked):
    parts = chapters(ranked)
    users = [one.measure for one in parts["What users get"].sections]
    items = [one.measure for one in parts["What items and creators get"].sections]
    assert users == ["nDCG@5", "P@5"]
    assert items[:2] == ["exposure", "exposure_gini@5"]
    assert "exposure@5" in items


def test_what_leads_is_open_and_the_rest_is_folded(ranked):
    parts = chapters(ranked)
    assert parts["What users get"].open == {"nDCG@5"}
    assert parts["What items and creators get"].open == {"exposure", "exposure_gini@5"}


def test_single_figures_stand_in_one_table_beside_chance_and_the_best(ranked):
    users, items = map(overall_table, chapters_of(ranked))
    assert [row[0] for row in users.rows] == ["nDCG@5", "P@5"]
    assert items.headings == ("figure", "value", "interval", "by chance", "at best", "better")
    (row,) = items.rows
    assert row[0] == "AWRF(of=tier, target=candidates)@5"
    assert re.fullmatch(r"0\.\d{4}", row[3])
    assert float(row[4]) >= float(row[1])


def test_that_what_was_missed_is_not_in_the_log_is_said_plainly(ranked):
    users, _ = map(overall_table, chapters_of(ranked))
    assert users.notes == (
        "nDCG@5: the best list is made of what was shown: what was missed is not in the log.",
    )


def test_groups_are_compared_in_one_table_with_the_ends(ranked):
    users, items = chapters_of(ranked)
    (by_sex,) = gaps_of(users)
    assert by_sex.title == "by sex"
    assert [row[0] for row in by_sex.table.rows] == ["nDCG@5", "P@5"]
    assert by_sex.table.headings[1] == "difference"
    (by_tier,) = gaps_of(items)
    assert by_tier.title == "items by tier"
    assert {row[3].split()[0] for row in by_tier.table.rows} <= {"big", "small"}


@pytest.mark.usefixtures("bare")
def test_a_page_has_every_key_and_links_that_lead_somewhere(ranked):
    page = FORMAT.render(ranked)
    for one in ranked.findings:
        # The points of a curve between its ends stand in its table.
        assert one.key in page
    targets = {*re.findall(r'href="#([^"]+)"', page)}
    ids = re.findall(r'id="([^"]+)"', page)
    assert targets <= {*ids}
    assert len(ids) == len({*ids})


@pytest.mark.usefixtures("bare")
def test_markdown_has_both_parts_and_every_key(ranked):
    text = markdown(ranked)
    assert "## What users get" in text
    assert "## What items and creators get" in text
    for one in ranked.findings:
        assert f"`{one.key}`" in text


def test_a_report_of_the_file_is_that_of_the_audit_with_its_targets(ranked, tmp_path):
    path = tmp_path / "lists.evidence.zip"
    write_bundle(ranked, path)
    again = read_bundle(path)
    assert charts_of(again.findings) == charts_of(ranked.findings)
    assert any(group.target for one in again.findings for group in one.groups)
    assert [row for gaps in map(gaps_of, chapters_of(again)) for row in gaps] == [
        row for gaps in map(gaps_of, chapters_of(ranked)) for row in gaps
    ]
