"""The gate on the page of a run."""

from __future__ import annotations

from dataclasses import replace

from evenhand.render import step_summary


def rows_of(text):
    return [line for line in text.splitlines() if line.startswith("| **")]


def test_failures_come_first_then_what_is_undecided(bundle):
    verdicts = [row.split("**")[1] for row in rows_of(step_summary.render(bundle))]
    assert verdicts == ["fail", "fail", "undecided", "pass"]


def test_a_row_says_rule_groups_size_and_certainty(bundle):
    (row, *_) = rows_of(step_summary.render(bundle))
    assert "sex-gap" in row
    assert "sex = men against sex = women" in row
    assert "0.1932 \\[0.1292, 0.2550\\], 95% interval" in row
    assert "| 95% |" in row


def test_a_rule_in_a_slice_shows_the_figure_of_the_slice(bundle):
    row = rows_of(step_summary.render(bundle))[1]
    assert "channel == 'web'" in row
    assert "0.1926 \\[" in row


def test_an_undecided_rule_says_how_many_more_units(bundle):
    needed = next(rule.units_needed for rule in bundle.rules if rule.verdict == "undecided")
    row = rows_of(step_summary.render(bundle))[2]
    assert f"| {needed:,.0f} |" in row
    assert "race = Other (fewer than 30 units)" in row


def test_a_waiver_stands_beside_its_verdict(bundle):
    (row, *_) = rows_of(step_summary.render(bundle))
    assert row.startswith("| **fail** |")
    assert "until 2027-01-31 by someone@example.org: new model in January" in row


def test_without_waivers_there_is_no_column_of_them(bundle):
    rules = tuple(replace(rule, waiver=None) for rule in bundle.rules)
    assert "waiver" not in step_summary.render(replace(bundle, rules=rules)).lower()


def test_every_row_has_as_many_cells_whatever_the_names(bundle):
    (rule, *_) = bundle.rules
    odd = replace(rule, failed_groups=(({"sex": "a|b\n<script>`*_[x](y)"},),))
    text = step_summary.render(replace(bundle, rules=(odd,)))
    (row,) = rows_of(text)
    heading = next(line for line in text.splitlines() if line.startswith("| verdict"))
    assert row.replace("\\|", "").count("|") == heading.count("|")
    assert "<script>" not in row
    assert "](" not in row.replace("\\](", "")


def test_of_many_groups_the_first_are_named_and_the_rest_counted(bundle):
    (rule, *_) = bundle.rules
    many = replace(rule, failed_groups=tuple(({"id": str(place)},) for place in range(5000)))
    text = step_summary.render(replace(bundle, rules=(many,)))
    assert "and 4,990 more" in text


def test_of_many_rules_a_page_shows_what_it_can_hold(bundle):
    text = step_summary.render(replace(bundle, rules=bundle.rules * 2000))
    assert len(text.encode()) < 1_000_000
    assert "7,800 more are in the evidence" in text


def test_a_plan_without_rules_shows_figures(bundle):
    text = step_summary.render(replace(bundle, rules=()))
    assert "no rules" in text
    assert "undefined: fewer than 30 units" in text
