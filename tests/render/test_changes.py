"""The page of two audits: the answer first, a word for every group, and nothing that asks."""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl
import pytest

from evenhand.render.changes import changes_html
from evenhand.render.changes_markdown import changes_markdown
from evenhand.render.gains import answer, changes_of, headline, tallies
from evenhand.render.html import LIMIT
from evenhand.render.wording import MINUS
from made import SECRET, bundle_of, contrast, group, pair
from markup import Page

HOSTILE = '<script>alert(1)</script>"><img src=http://x.example/>'
BETTER = {"conventions": {"better": "higher"}, "measure": "accuracy"}


def accuracy(*groups, **more):
    key = more.pop("key", "difference(accuracy, by=g)")
    return contrast(*groups, key=key, **{**BETTER, **more})


def two(before: dict[str, float | None], after: dict[str, float | None], **more):
    """Return the changes between two audits of these groups."""
    one, other = (
        bundle_of(accuracy(*(group(*one) for one in side.items()), **more))
        for side in (before, after)
    )
    return changes_of(one, other)


DOWN = two({"men": 0.9, "women": 0.3}, {"men": 0.4, "women": 0.3})
UP = two({"men": 0.9, "women": 0.3}, {"men": 0.9, "women": 0.8})
SHIFTED = two({"men": 0.9, "women": 0.3}, {"men": 0.6, "women": 0.6})
STILL = two({"men": 0.5, "women": 0.3}, {"men": 0.51, "women": 0.3})


def faults(text: str) -> list[str]:
    # A page that opens offline has its own style inside.
    return [fault for fault in Page(text).faults() if fault != "inline style"]


# --- The answer. ---


@pytest.mark.parametrize(
    ("changes", "said", "tone"),
    [
        (DOWN, "Levelling down", "fail"),
        (UP, "Some groups gained, none is shown to have lost", "pass"),
        (SHIFTED, "Some groups gained, others lost", "undecided"),
        (STILL, "No group is shown to have gained or lost", "none"),
        (two({"a": 0.3, "b": 0.5}, {"a": 0.3, "b": 0.5}), "The same figures", "none"),
        (
            two({"a": 0.8, "b": 0.3}, {"a": 0.5, "b": 0.3}, conventions={}),
            "Figures of groups changed",
            "undecided",
        ),
    ],
)
def test_the_headline_says_what_happened(changes, said, tone):
    assert headline(changes) == (said, tone)


def test_the_answer_names_levelling_down_with_who_lost():
    named, lost = answer(DOWN)
    assert lost == "Lost: men (g) (accuracy)."
    assert named == (
        "Levelling down: accuracy by g: the gap became smaller while men lost; no group is shown "
        "to have gained."
    )


def test_the_answer_says_that_levelling_down_is_not_shown():
    assert answer(SHIFTED)[-1] == "Levelling down is not shown."
    assert answer(STILL) == ["No group is shown to have gained or lost.", answer(SHIFTED)[-1]]


def test_the_answer_says_that_a_gap_was_levelled_up():
    assert answer(UP)[0].startswith(
        "Levelled up: accuracy by g: the gap became smaller while women"
    )


def test_a_group_is_told_over_all_findings():
    def audit(first: float, second: float):
        return bundle_of(
            accuracy(group("a", first), group("b", 0.5)),
            accuracy(
                group("a", second), group("b", 0.5), key="difference(recall, by=g)", measure="r"
            ),
        )

    found = tallies(changes_of(audit(0.9, 0.2), audit(0.5, 0.6)))
    assert [(one.name, one.shown, one.still) for one in found] == [
        ("a (g)", (("lost", "lost in accuracy"), ("gained", "gained in r")), 0),
        ("b (g)", (), 2),
    ]


# --- The page. ---


PLAN = """\
evenhand: 1
subject: {product: lending, model: credit, version: v7}
log: {source: decisions.parquet}
roles: {label: repaid, prediction: approved}
groups: {sex: sex}
unit: person
measures:
  - difference(selection_rate, by=sex)
  - {measure: "difference(true_positive_rate, by=sex)", slices: ["web == 1"]}
  - selection_rate
  - pairs(selection_rate, by=sex)
gate:
  - {id: sex-gap, rule: "difference(selection_rate, by=sex) <= 0.05"}
"""


def decisions(men: float) -> pl.DataFrame:
    """Return decisions about 300 men, of whom so many are approved, as many women, and 7 others."""
    parts = [
        pl.DataFrame({"sex": sex, "place": range(count)}).with_columns(
            approved=(pl.col("place") % 10 < 10 * rate).cast(int),
            repaid=pl.col("place") % 3 != 0,
            web=pl.col("place") % 2,
            person=pl.format("{}{}", "sex", "place"),
        )
        for sex, count, rate in (("men", 300, men), ("women", 300, 0.4), ("other", 7, 0.5))
    ]
    return pl.concat(parts)


@pytest.fixture(scope="module")
def audits(audit):
    """A small audit, and one in which fewer men are approved and another figure is asked for."""
    other = PLAN.replace("- selection_rate\n", "- f1\n")
    return audit(PLAN, decisions(0.8)), audit(other, decisions(0.4))


@pytest.fixture(scope="module")
def page(audits):
    return changes_html(changes_of(*audits))


@pytest.mark.parametrize("changes", [DOWN, UP, SHIFTED, STILL])
def test_a_page_is_whole(changes):
    assert faults(changes_html(changes)) == []


def test_the_page_of_an_audit_is_whole(page):
    assert faults(page) == []


def test_the_answer_comes_before_every_other_heading(page):
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    # Of all rows and in the slice; selection rates have no direction.
    assert headings[0] == "Levelling down in 2 of 3 comparisons of groups"
    assert headings[1:3] == ["The two audits", "Verdicts"]


def test_two_versions_of_a_model_share_a_headline(audit):
    other = PLAN.replace("v7", "v8")
    changes = changes_of(audit(PLAN, decisions(0.8)), audit(other, decisions(0.8)))
    assert "<h1>lending / credit / v7 → v8</h1>" in changes_html(changes)


def test_verdicts_stand_side_by_side(audits):
    changes = changes_of(*audits)
    assert (
        answer(changes)[0] == "The verdict went from fail to undecided: sex-gap from fail to "
        "undecided."
    )
    text = Page(changes_html(changes)).text
    assert "sex-gap difference(selection_rate, by=sex) <= 0.05" in text


def test_what_only_one_audit_has_is_listed(page):
    text = Page(page).text
    assert "only before selection_rate" in text
    assert "only after f1" in text


def test_each_word_has_a_shape_beside_its_colour():
    page = changes_html(SHIFTED)
    shapes = dict(re.findall(r'<span class="said (\w+)"><svg[^>]*><path d="([^"]+)"/></svg>', page))
    assert shapes.keys() == {"gained", "lost"}
    assert shapes["gained"] != shapes["lost"]


def test_every_picture_stands_in_a_row_of_numbers():
    page = changes_html(DOWN)
    rows = re.findall(r'<tr role="row" class="\w+">.*?</tr>', page, re.DOTALL)
    assert len(rows) == 2
    assert page.count('class="dumbbell"') == 3  # with the axis
    told = Page(f"<table>{rows[0]}</table>").text.replace(MINUS, "-")
    assert told == "men 0.9000 0.4000 -0.5000 [-0.5809, -0.4191] lost"


def test_the_interval_of_a_group_is_said_to_hold_together_with_the_others():
    assert "97.5% interval" in changes_html(DOWN)
    assert "Intervals of the groups of a finding hold together at 95% (Bonferroni)" in changes_html(
        DOWN
    )


def test_shares_are_said_to_be_no_matter_of_levelling():
    def shares(a: float):
        groups = [group(n, x, target=0.5) for n, x in (("a", a), ("b", 1 - a))]
        key = "shares(exposure@8, of=g, target=equal)"
        neither = {"better": "neither direction"}
        one = contrast(
            *groups, key=key, measure="exposure@8", contrast="shares", conventions=neither
        )
        return bundle_of(one)

    text = Page(changes_html(changes_of(shares(0.2), shares(0.7)))).text
    assert "share of exposure@8 of items by g shifted" in text
    assert "shares add up to 1, so that they cannot be levelled down" in text
    assert "More is a gain for the group that has it: a gained, b lost; shares" in text


def test_nothing_on_the_page_asks_for_anything(page):
    elements = Page(page).elements
    asking = {"src", "srcset", "action", "data", "poster", "background"}
    assert not [attrs for _, attrs in elements if asking & attrs.keys()]
    assert not {"script", "link", "img", "iframe", "form"} & {tag for tag, _ in elements}
    assert all(attrs["href"].startswith("#") for _, attrs in elements if "href" in attrs)
    assert "default-src &#39;none&#39;" in page


def test_hostile_names_are_only_text():
    changes = two({HOSTILE: 0.9, "b": 0.3}, {HOSTILE: 0.4, "b": 0.3})
    page, text = changes_html(changes), changes_markdown(changes)
    assert {"script", "img"} & {tag for tag, _ in Page(page).elements} == set()
    assert faults(page) == []
    assert "<script" not in text
    assert "<img" not in text


def test_a_suppressed_group_shows_neither_figures_nor_counts():
    page = changes_html(two({"a": 0.9, "b": 0.3, "few": None}, {"a": 0.4, "b": 0.3, "few": None}))
    assert "few: before: fewer than 30 units; after: fewer than 30 units." in page
    assert str(SECRET) not in page
    assert f"{SECRET:,}" not in page


def test_a_rule_that_changed_in_a_slice_names_the_slice(audit):
    rules = PLAN + '  - {id: tpr, rule: "difference(true_positive_rate, by=sex) <= 0.05"}\n'
    changes = changes_of(audit(rules, decisions(0.8)), audit(rules, decisions(0.4)))
    assert (
        "tpr from fail to undecided; tpr in web == 1 from fail to undecided" in answer(changes)[0]
    )


def test_a_page_without_groups_says_so():
    one = replace(accuracy(), groups=(), contrast=None, by=())
    page = changes_html(changes_of(bundle_of(one), bundle_of(replace(one, rows=1))))
    assert "No finding of both audits compares groups." in page
    assert "No groups that both audits compare</h2>" in page
    assert faults(page) == []


def test_signed_pairs_are_among_other_figures():
    changes = changes_of(bundle_of(pair("a", "b")), bundle_of(pair("a", "b", rows=1)))
    assert "pairs(false_positive_rate, by=g) [a - b]" in Page(changes_html(changes)).text


def test_of_many_groups_those_that_changed_most_are_shown():
    before = {f"g{n}": 0.5 for n in range(300)}
    after = {f"g{n}": 0.4 + 0.2 * n / 299 for n in range(300)}
    page = changes_html(two(before, after))
    assert "260 groups between these are not shown." in page
    shown = re.findall(r'<th role="rowheader" scope="row">(\w+)</th>', page)
    assert len(shown) == 40
    assert {"g0", "g299"} <= {*shown}


@pytest.mark.slow
def test_a_page_of_very_many_findings_stays_small_and_counts_the_rest():
    def audit(shift: float):
        return bundle_of(
            *(
                accuracy(
                    *(group(f"group {n}", 0.3 + n / 40 + shift) for n in range(12)),
                    key=f"difference(accuracy, by=g{place})",
                    measure=f"measure_{place}",
                )
                for place in range(200)
            )
        )

    page = changes_html(changes_of(audit(0.0), audit(0.01)))
    assert len(page.encode()) <= LIMIT
    assert re.search(r"\d+ more findings: evenhand diff BEFORE AFTER --json", page)


# --- Markdown. ---


def test_markdown_says_the_same(audits):
    changes = changes_of(*audits)
    text = changes_markdown(changes)
    assert text.startswith("# lending / credit / v7\n\n**")
    for said in answer(changes):
        assert said.split(":", maxsplit=1)[0] in text
    assert "| **sex-gap** `difference(selection_rate, by=sex) <= 0.05`" in text
    assert "## Only in one of the audits" in text


def test_markdown_names_levelling_down():
    text = changes_markdown(DOWN).replace(MINUS, "-")
    assert "### accuracy by g (levelled down)" in text
    assert "| men | 0.9000 | 0.4000 | -0.5000 | [-0.5809, -0.4191] | lost |" in text
