"""Tables of Local Law 144, against counts by hand and by brute force."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from evenhand.render.local_law_144 import Statement, render

HEAD = """\
evenhand: 1
log: {source: log.parquet}
roles: {prediction: selected}
groups: {sex: sex, race: race}
min_units: 0
measures:
  - difference(selection_rate, by=sex)
  - difference(selection_rate, by=race)
  - difference(selection_rate, by=[race, sex])
"""

SIX = pl.DataFrame(
    {
        "sex": ["f", "f", "f", "m", "m", "m"],
        "race": ["a", "a", "b", "a", "b", "b"],
        "selected": [1, 0, 0, 1, 1, 0],
    }
)


def tables(text):
    """Return the cells of every table, with its heading."""
    found, current = [], None
    for line in text.splitlines():
        if line.startswith("| "):
            if current is None:
                current = []
                found.append(current)
            current.append([cell.strip() for cell in line.strip("|").split(" | ")])
        else:
            current = None
    return [[table[0], *table[2:]] for table in found]


def brute(frame, by, selected):
    """Return the rows of a table by counting."""
    counts = {}
    for row in frame.iter_rows(named=True):
        key = tuple(str(row[name]) for name in by)
        if "None" in key:
            continue
        applicants, chosen = counts.get(key, (0, 0))
        counts[key] = (applicants + 1, chosen + row[selected])
    best = max(chosen / applicants for applicants, chosen in counts.values())
    return {
        (
            *key,
            f"{applicants:,}",
            f"{chosen:,}",
            f"{chosen / applicants:.1%}",
            f"{chosen / applicants / best:.3f}",
        )
        for key, (applicants, chosen) in counts.items()
    }


def test_six_rows_by_hand(audit):
    sexes, races, both = tables(render(audit(HEAD, SIX)))
    assert sexes == [
        ["sex", "# of Applicants", "# Selected", "Selection Rate", "Impact Ratio"],
        ["f", "3", "1", "33.3%", "0.500"],
        ["m", "3", "2", "66.7%", "1.000"],
    ]
    assert races[1:] == [["a", "3", "2", "66.7%", "1.000"], ["b", "3", "1", "33.3%", "0.500"]]
    assert both == [
        ["race", "sex", "# of Applicants", "# Selected", "Selection Rate", "Impact Ratio"],
        ["a", "f", "2", "1", "50.0%", "0.500"],
        ["a", "m", "1", "1", "100.0%", "1.000"],
        ["b", "f", "1", "0", "0.0%", "0.000"],
        ["b", "m", "2", "1", "50.0%", "0.500"],
    ]


def test_callbacks_to_applications_agree_with_counts(audit, data):
    frame = pl.read_parquet(data / "resume_callbacks.parquet")
    plan = HEAD.replace("selected", "received_callback").replace("sex: sex", "gender: gender")
    found = tables(render(audit(plan.replace("sex", "gender"), frame)))
    for table, by in zip(found, [["gender"], ["race"], ["race", "gender"]], strict=True):
        assert {tuple(row) for row in table[1:]} == brute(frame, by, "received_callback")


def test_promotions_agree_with_counts(audit, data):
    frame = pl.read_parquet(data / "ricci_promotion.parquet")
    plan = """\
evenhand: 1
log: {source: log.parquet}
roles: {prediction: "Promoted == 1"}
groups: {Race: Race}
min_units: 0
measures: ["ratio(selection_rate, by=Race)"]
"""
    text = render(audit(plan, frame))
    (races,) = tables(text)
    assert {tuple(row) for row in races[1:]} == brute(
        frame.with_columns(pl.col("Promoted") == 1), ["Race"], "Promoted"
    )
    assert text.count("No group attribute of the audit is named as this.") == 2


def test_those_of_unknown_category_are_counted_and_not_included(audit):
    frame = SIX.with_columns(sex=pl.Series(["f", None, "f", "m", "m", None]))
    text = render(audit(HEAD, frame))
    (sexes, _, both) = tables(text)
    assert {tuple(row) for row in sexes[1:]} == brute(frame, ["sex"], "selected")
    assert {tuple(row) for row in both[1:]} == brute(frame, ["race", "sex"], "selected")
    assert text.count("Not included because the category is unknown: 2.") == 2


def wide():
    """99 in two large categories, and one alone in a third that selects everybody."""
    return pl.DataFrame(
        {
            "sex": ["f", "m"] * 50,
            "race": ["a"] * 60 + ["b"] * 39 + ["c"],
            "selected": [1] * 30 + [0] * 30 + [1] * 13 + [0] * 26 + [1],
        }
    )


def test_a_category_under_two_per_cent_is_left_out_of_ratios_alone_with_a_justification(audit):
    said = Statement(justification="one applicant tells nothing")
    text = render(audit(HEAD, wide()), statement=said)
    assert tables(text)[1][1:] == [
        ["a", "60", "30", "50.0%", "1.000"],
        ["b", "39", "13", "33.3%", "0.667"],
        ["c", "1", "1", "100.0%", "–"],  # noqa: RUF001 - the dash of an empty cell
    ]
    assert "left out of impact ratios. Justification: one applicant tells nothing" in text


def test_without_a_justification_no_category_is_left_out(audit):
    text = render(audit(HEAD, wide()))
    assert tables(text)[1][3] == ["c", "1", "1", "100.0%", "1.000"]
    assert "Under 2% of the data: c, and included." in text


def test_a_category_of_two_per_cent_is_not_under_it(audit):
    frame = wide().with_columns(race=pl.Series(["a"] * 60 + ["b"] * 38 + ["c"] * 2))
    text = render(audit(HEAD, frame), statement=Statement(justification="few"))
    assert tables(text)[1][3][-1] != "–"  # noqa: RUF001 - the dash of an empty cell


def test_nobody_selected_leaves_no_impact_ratio(audit):
    text = render(audit(HEAD, SIX.with_columns(selected=pl.lit(0))))
    assert [row[-2:] for row in tables(text)[0][1:]] == [["0.0%", "–"]] * 2  # noqa: RUF001


def test_scoring_rates_have_no_column_of_the_selected(audit):
    text = render(audit(HEAD, SIX), mode="scoring")
    assert tables(text)[0][0] == ["sex", "# of Applicants", "Scoring Rate", "Impact Ratio"]


def test_weighed_rates_are_said_to_be_no_counts(audit):
    plan = HEAD.replace("prediction: selected", "prediction: selected, weight: w")
    frame = SIX.with_columns(w=pl.Series([1.0, 2.0, 1.0, 1.0, 3.0, 1.0]))
    text = render(audit(plan, frame))
    assert tables(text)[0][1][2].startswith("~")
    assert "# Selected is rate times applicants, not a count" in text


def test_suppressed_categories_show_no_count_and_how_to_see_them(bundle):
    text = render(bundle)
    other = next(row for row in tables(text)[1] if row[0] == "Other")
    assert other[1:] == ["–"] * 4  # noqa: RUF001 - the dash of an empty cell
    assert "Other: no rate, fewer than 30 units." in text
    assert "audit again with" in text


def test_a_table_that_was_not_measured_says_what_to_measure(bundle):
    text = render(bundle)
    assert len(tables(text)) == 2
    assert "`difference(selection_rate, by=[race, sex])`" in text


def test_attributes_with_other_names_can_be_given(audit):
    plan = HEAD.replace("sex: sex, race: race", "s: sex, r: race").replace("by=sex", "by=s")
    plan = plan.replace("by=race", "by=r").replace("by=[race, sex]", "by=[r, s]")
    found = audit(plan, SIX)
    assert tables(render(found)) == []
    assert len(tables(render(found, sex="s", race="r"))) == 3


def test_slices_are_not_taken_for_the_whole(bundle):
    slices = tuple(one for one in bundle.findings if one.slice is not None)
    assert any(one.by == ("sex",) for one in slices)
    assert tables(render(replace(bundle, findings=slices))) == []


def test_rates_inside_strata_are_not_taken_for_plain_ones(audit):
    plan = HEAD.partition("measures:")[0] + (
        "measures: ['difference(selection_rate, by=sex, given=race)']\n"
    )
    assert tables(render(audit(plan, SIX))) == []


def test_what_the_law_asks_for_and_nobody_gave_is_said_to_be_missing(bundle):
    text = render(bundle)
    assert text.count("**not given**") == 3
    said = Statement(auditor="A. Uditor", data="historical, all of October", distributed="2025-02")
    full = render(bundle, statement=said)
    assert "**not given**" not in full
    assert "historical, all of October" in full


def test_the_date_of_the_audit_is_shown(bundle):
    assert "Date of the audit: 2026-11-20" in render(bundle)


def test_compliance_is_only_denied(bundle):
    for text in (render(bundle), render(replace(bundle, findings=()))):
        assert text.lower().count("complian") == 1
        assert "do not say that any tool or audit is compliant" in text
