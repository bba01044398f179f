"""``evenhand check``: does a plan fit its log?"""

import errno
from pathlib import Path

import polars as pl
import pytest


def test_a_plan_that_fits_says_what_it_understood(read, plan):
    status, document = read("check", plan())
    assert status == 0
    assert set(document) == {"ok", "errors", "roles", "measures", "predicted_state_rows"}
    assert document["ok"] is True
    assert document["roles"] == {"prediction": "approved", "label": "repaid"}
    assert document["measures"] == ["difference(selection_rate, by=sex)", "accuracy"]


def test_all_problems_come_at_once_with_their_lines(read, plan):
    path = plan("difference(accuracy, by=sex) <= 0.05", more="unit: persn")
    status, document = read("check", path)
    assert status == 2
    assert document["ok"] is False
    assert [error["where"].partition(" ")[2] for error in document["errors"]] == ["unit"]
    broken = plan("difference(accuracy, by=sex) <= 0.05", more="waivers: [{rule: x}]")
    assert len(read("check", broken)[1]["errors"]) == 3


def test_no_row_is_read(read, plan, tmp_path):
    # A value that no label may have is met only when rows are read.
    rows = pl.read_csv(tmp_path / "decisions.csv").with_columns(repaid=pl.lit(7))
    rows.write_csv(tmp_path / "decisions.csv")
    assert read("check", plan())[0] == 0
    assert read("audit", plan())[0] == 2


def test_a_log_that_is_not_there_is_named_at_its_line(read, plan, decisions):
    decisions.unlink()
    status, document = read("check", plan())
    assert status == 2
    assert document["errors"][0]["where"].endswith("audit.yaml:3 log.source")


def test_rows_of_sums_are_predicted_where_groups_are_bins(read, tmp_path):
    pl.DataFrame({"age": [20, 30], "ok": [1, 0], "who": ["a", "b"]}).write_parquet(
        tmp_path / "x.parquet"
    )
    (tmp_path / "p.yaml").write_text(
        "evenhand: 1\nlog: {source: x.parquet}\nroles: {prediction: ok}\nunit: who\n"
        "groups: {age: [25, 45]}\nmeasures: ['difference(selection_rate, by=age)']\n"
    )
    assert read("check", tmp_path / "p.yaml")[1]["predicted_state_rows"] == 4 * 128, (
        "three bins and unknown"
    )


@pytest.mark.parametrize("text", [None, "", "3", "evenhand: 9", "a: [", "\xff"])
def test_a_plan_that_is_none_prints_the_whole_contract(read, tmp_path, text):
    path = tmp_path / "audit.yaml"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    status, document = read("check", path)
    assert status == 2
    assert set(document) == {"ok", "errors", "roles", "measures", "predicted_state_rows"}
    assert document["ok"] is False
    assert document["errors"]


def test_a_folder_is_no_plan(read, tmp_path):
    status, document = read("check", tmp_path)
    assert status == 2
    assert document["errors"][0]["what"] == "this is a folder."


def test_a_plan_without_permission_is_a_problem_without_the_systems_words(read, plan, monkeypatch):
    path = plan()

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refuse)
    status, document = read("check", path)
    assert status == 2
    assert document["errors"][0]["what"] == "cannot be read: you have no permission."


def _problems(read, path):
    return {error["where"].partition(" ")[2] for error in read("check", path)[1]["errors"]}


def test_an_unknown_key_hides_no_other_problem(read, plan):
    path = plan("difference(selection_rate, by=sex) >=", more="ownr: me\nunit: persn")
    assert _problems(read, path) == {"ownr", "unit", "gate[0].rule"}


def test_a_key_that_is_misspelt_is_read_as_what_it_means(read, plan):
    path = plan(more="unit: person")
    path.write_text(path.read_text().replace("roles:", "rolse:").replace("repaid", "repayd"))
    assert _problems(read, path) == {"rolse", "roles.label"}


def test_a_value_of_the_wrong_form_hides_no_wrong_kind_or_rule(read, plan):
    path = plan("accuracy >=", more="level: high")
    text = path.read_text().replace("log: {", "log: {kind: decision, ")
    path.write_text(text)
    assert _problems(read, path) == {"level", "log.kind", "gate[0].rule"}


def test_a_wrong_kind_hides_no_wrong_column_or_rule(read, plan):
    path = plan("accuracy >=", more="unit: persn")
    path.write_text(path.read_text().replace("log: {", "log: {kind: decision, "))
    assert _problems(read, path) == {"unit", "log.kind", "gate[0].rule"}


def test_hints_are_in_the_words_of_a_plan(read, plan):
    path = plan()
    path.write_text(path.read_text().replace(", label: repaid", ""))
    (error,) = read("check", path)[1]["errors"]
    assert "Say which one: roles: {label: COLUMN}." in error["hint"]
    path.write_text(path.read_text().replace("approved", "channel"))
    hints = [error["hint"] for error in read("check", path)[1]["errors"]]
    assert any("roles: {prediction: \"channel == 'yes'\"}" in hint for hint in hints)


def test_a_plan_without_roles_says_so(read, plan):
    path = plan()
    path.write_text("evenhand: 1\nlog: {source: decisions.csv}\n")
    (error,) = read("check", path)[1]["errors"]
    assert error["what"] == "no role is given, so no measure applies."
    assert "roles: {prediction: COLUMN}" in error["hint"]


def test_problems_of_form_and_of_fit_come_in_the_order_of_their_lines(read, plan):
    path = plan("accuracy >=", more="level: high")
    path.write_text(path.read_text().replace("log: {", "log: {kind: decision, "))
    wheres = [error["where"] for error in read("check", path)[1]["errors"]]
    lines = [int(where.partition(" ")[0].rpartition(":")[2]) for where in wheres]
    assert lines == sorted(lines)
    assert len({*wheres}) == len(wheres)
