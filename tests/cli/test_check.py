"""``evenhand check``: does a plan fit its log?"""

import polars as pl


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
    assert read("check", tmp_path / "p.yaml")[1]["predicted_state_rows"] == 3 * 128
