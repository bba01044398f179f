"""Whether a plan fits its log."""

import datetime as dt

import polars as pl
import pytest

from evenhand.audits.plan import parse_plan
from evenhand.audits.plan.fit import fit
from evenhand.errors import PlanError

PLAN = """\
evenhand: 1
log: {source: a table, where: "year >= 2025"}
roles:
  label: repaid
  prediction: approved
groups:
  sex: sex
measures:
  - difference(true_positive_rate, by=sex)
  - {measure: accuracy, slices: ["year == 2026"]}
gate:
  - {id: gap, rule: "difference(true_positive_rate, by=sex) <= 0.05"}
  - {id: good, rule: "accuracy >= 0.5"}
"""

ROWS = pl.DataFrame(
    {
        "repaid": [1, 0, 1, 0],
        "approved": [1, 0, 1, 0],
        "sex": ["f", "m", "f", "m"],
        "year": [2025] * 4,
    }
)


def problems(text: str, today: dt.date | None = None) -> list[str]:
    """What is wrong with a plan for the rows."""
    plan, located = parse_plan(text)
    with pytest.raises(PlanError) as caught:
        fit(plan, located, table=ROWS, today=today)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("label: repaid", "label: repayed", "audit.yaml:4 roles.label: "),
        ("label: repaid", "labl: repaid", "audit.yaml:4 roles.labl: kind 'decisions' has no role"),
        ("sex: sex", "sex: gender", "audit.yaml:7 groups.sex: "),
        ("by=sex)\n", "by=race)\n", "audit.yaml:9 measures[0]: by=race: there is no group"),
        ("- difference(true_positive_rate", "- difference(tpr", "audit.yaml:9 measures[0]: "),
        ("year == 2026", "yaer == 2026", "audit.yaml:10 measures[1].slices[0]: "),
        ("year == 2026", "year + 1", "audit.yaml:10 measures[1].slices[0]: "),
        ("year >= 2025", "year >=", "audit.yaml:2 log.where: "),
        ("accuracy >= 0.5", "accuracy", "audit.yaml:13 gate[1].rule: "),
        ("accuracy >= 0.5", "f1 >= 0.5", "audit.yaml:13 gate[1].rule: the plan does not measure"),
        ("<= 0.05", ">= 0.05", "audit.yaml:12 gate[0].rule: a gap is held below"),
        ("<= 0.05", "<= 0", "audit.yaml:12 gate[0].rule: a gap is held below"),
        (
            'accuracy >= 0.5"',
            'accuracy >= 0.5", alternative: 0.4',
            "audit.yaml:13 gate[1].alternative: the alternative 0.4 is not where",
        ),
    ],
)
def test_a_misfit_is_named_at_its_line(old, new, said):
    found = problems(PLAN.replace(old, new, 1))
    assert any(one.startswith(said) for one in found), found


def test_misfits_of_measures_rules_and_waivers_come_at_once():
    text = PLAN.replace("- difference(true", "- difference(treu") + (
        "waivers: [{rule: none, owner: a, expires: 2020-01-01, reason: b}]\n"
    )
    found = problems(text, today=dt.date(2026, 1, 1))
    assert len(found) == 4
    assert any("no rule is called 'none'" in one for one in found)
    assert any("expired on 2020-01-01" in one for one in found)


def test_a_waiver_holds_on_its_last_day():
    text = PLAN + "waivers: [{rule: gap, owner: a, expires: 2026-01-02, reason: b}]\n"
    plan, located = parse_plan(text)
    assert fit(plan, located, table=ROWS, today=dt.date(2026, 1, 2))
    assert "expired" in problems(text, today=dt.date(2026, 1, 3))[0]


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("EVENHAND_NOWHERE", raising=False)
    plan, located = parse_plan(PLAN.replace("a table", "'${EVENHAND_NOWHERE}/x.csv'"))
    with pytest.raises(PlanError, match="EVENHAND_NOWHERE is not set"):
        fit(plan, located)


def test_pairs_are_ruled_by_their_largest_difference():
    text = PLAN.replace("difference(", "pairs(")
    assert "Write difference(true_positive_rate, by=sex) <= 0.05" in problems(text)[0]


def test_a_worst_group_is_held_where_the_measure_is_bad():
    text = PLAN.replace("- difference(true_positive_rate, by=sex)", "- worst(accuracy, by=sex)")
    text = text.replace(
        "difference(true_positive_rate, by=sex) <= 0.05", "worst(accuracy, by=sex) <= 1"
    )
    assert "accuracy is better when higher" in problems(text)[0]


def test_a_plan_without_measures_asks_for_all_that_apply():
    text = PLAN[: PLAN.index("measures:")]
    plan, located = parse_plan(text)
    fitted = fit(plan, located, table=ROWS)
    keys = [question.key for question in fitted.questions[None]]
    assert "difference(true_positive_rate, by=sex)" in keys
    assert "worst(accuracy, by=sex)" in keys
    assert "brier_score" not in keys


BESIDE = pl.DataFrame({"sex": ["f", "m"], "wave": ["one", "two"]})


def test_a_side_table_is_found_from_the_folder_and_by_variables(tmp_path, monkeypatch):
    BESIDE.write_csv(tmp_path / "beside.csv")
    more = "tables: [{source: 'WHERE', key: sex, columns: [wave]}]\n"
    monkeypatch.setenv("EVENHAND_BESIDE", str(tmp_path))
    for where in ("beside.csv", "${EVENHAND_BESIDE}/beside.csv"):
        plan, located = parse_plan(PLAN + more.replace("WHERE", where))
        log = fit(plan, located, folder=tmp_path, table=ROWS).log
        assert "wave" in log.schema


def test_every_fault_of_side_tables_is_named_at_its_line(tmp_path):
    pl.concat([BESIDE, BESIDE]).write_csv(tmp_path / "twice.csv")
    BESIDE.write_csv(tmp_path / "beside.csv")
    text = PLAN.replace("label: repaid", "label: repayed") + (
        "tables:\n"
        "  - {source: twice.csv, key: sex}\n"
        "  - source: beside.csv\n"
        "    key: {sx: sex}\n"
        "    columns: [vawe]\n"
    )
    plan, located = parse_plan(text)
    with pytest.raises(PlanError) as caught:
        fit(plan, located, folder=tmp_path, table=ROWS)
    assert [problem.where for problem in caught.value.problems] == [
        "audit.yaml:15 tables[0].key",
        "audit.yaml:17 tables[1].key",
        "audit.yaml:18 tables[1].columns",
        "audit.yaml:4 roles.label",
    ]


def test_a_side_table_that_is_not_there_is_named_at_its_line(tmp_path):
    tables = (
        "tables:\n  - {source: none.csv, key: sex}\n  - {source: '${NOWHERE_AT_ALL}', key: sex}\n"
    )
    plan, located = parse_plan(PLAN + tables)
    with pytest.raises(PlanError) as caught:
        fit(plan, located, folder=tmp_path, table=ROWS)
    (problem,) = caught.value.problems
    assert problem.where == "audit.yaml:16 tables[1].source"
    assert "NOWHERE_AT_ALL is not set" in problem.what
    plan, located = parse_plan(PLAN + tables.rpartition("  -")[0])
    with pytest.raises(PlanError) as caught:
        fit(plan, located, folder=tmp_path, table=ROWS)
    (problem,) = caught.value.problems
    assert problem.where == "audit.yaml:15 tables[0].source"
    assert problem.what == f"{tmp_path / 'none.csv'}: no such file."
