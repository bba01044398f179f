"""``evenhand measure``: what it prints, as text and JSON, and how it refuses."""

from __future__ import annotations

import json
import subprocess
import sys

import polars as pl
import pytest

from evenhand.logs import OTHER, UNKNOWN

FINDING = {
    *("key", "measure", "slice", "value", "low", "high", "level", "method", "estimand"),
    *("units", "units_exact", "rows", "excluded", "undefined", "identified", "conventions"),
    *("contrast", "by", "given", "is_rate"),
}
GROUP = {"group", "value", "low", "high", "units", "rows", "undefined", "suppressed"} | {
    *("units_exact", "compared"),
}
GAP = "difference(selection_rate, by=g)"


@pytest.fixture
def findings(evenhand):
    def call(*words):
        code, out, err = evenhand("measure", *words, "--json")
        assert (code, err) == (0, ""), out
        return json.loads(out)["findings"]

    return call


@pytest.fixture
def errors(evenhand):
    def call(*words, code=2):
        left, out, err = evenhand("measure", *words, "--json")
        assert (left, err) == (code, "")
        document = json.loads(out)
        assert [*document] == ["errors"]
        for error in document["errors"]:
            assert [*error] == ["where", "what", "hint"]
        return document["errors"]

    return call


@pytest.fixture
def log(tmp_path):
    """Group a: 3 of 4 selected, b: 1 of 4, unknown: 1 of 1; one decision is missing."""
    rows = pl.DataFrame(
        {
            "g": [*"aaaa", *"bbbb", None, "a"],
            "y": [1, 1, 0, 0, 1, 1, 0, 0, 1, 1],
            "p": [1, 1, 1, 0, 1, 0, 0, 0, 1, None],
            "nothing": pl.Series([None] * 10, dtype=pl.Float64),
        }
    )
    path = tmp_path / "log.parquet"
    rows.write_parquet(path)
    return path


# --- JSON. ---


def test_a_finding_has_every_key_of_the_contract(findings, log):
    (found,) = findings("selection_rate", log, "--prediction", "p")
    assert set(found) == FINDING
    assert found["key"] == found["measure"] == "selection_rate"
    assert found["value"] == pytest.approx(5 / 9, rel=1e-15)
    assert found["low"] < found["value"] < found["high"]
    assert (found["level"], found["estimand"], found["rows"]) == (0.95, "row", 9)
    assert (found["units"], found["units_exact"]) == (9, True)
    assert found["excluded"] == [{"reason": "prediction is missing", "rows": 1}]
    assert (found["slice"], found["undefined"], found["identified"]) == (None, None, None)


def test_a_difference_has_every_key_of_its_groups(findings, log):
    (found,) = findings(GAP, log, "--prediction", "p")
    assert set(found) == FINDING | {"groups"}
    assert found["value"] == 0.5
    for group in found["groups"]:
        assert set(group) == GROUP
    shown = [
        (group["group"], group["value"], group["rows"], group["suppressed"])
        for group in found["groups"]
    ]
    assert shown == [
        ({"g": "a"}, 0.75, 4, False),
        ({"g": "b"}, 0.25, 4, False),
        ({"g": UNKNOWN}, 1.0, 1, False),
    ]


def test_pairs_name_their_two_groups_and_are_signed(findings, log):
    (found,) = findings("pairs(selection_rate, by=g)", log, "--prediction", "p")
    assert set(found) == FINDING | {"pair"}
    assert found["pair"] == [{"g": "a"}, {"g": "b"}]
    assert found["value"] == 0.5


def test_findings_come_in_the_order_asked(findings, log):
    asked = ["true_positive_rate", "base_rate", "accuracy"]
    found = findings(*asked, log, "--prediction", "p", "--label", "y")
    assert [one["key"] for one in found] == asked


def test_an_undefined_figure_is_null_with_a_reason(findings, log):
    words = ("--prediction", "p", "--label", "y", "--where", "y == 0")
    (found,) = findings("true_positive_rate", log, *words)
    assert (found["value"], found["low"], found["high"]) == (None, None, None)
    assert (found["level"], found["method"]) == (None, None)
    assert found["undefined"] == "no positive labels"


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_engines_give_the_same_document(findings, log, engine):
    pytest.importorskip(engine)
    words = (GAP, "accuracy", log, "--prediction", "p", "--label", "y")
    assert findings(*words, "--engine", engine) == findings(*words)


def test_flags_reach_the_log(findings, tmp_path):
    rows = pl.DataFrame({"age": [20, 25, 26, 60], "p": [0.9, 0.1, 0.9, 0.9], "u": [1, 1, 2, 3]})
    rows.write_csv(tmp_path / "log.csv")
    (found,) = findings(
        "difference(selection_rate, by=age)",
        tmp_path / "log.csv",
        *("--prediction", "p >= 0.5", "--group", "age: [25]", "--unit", "u", "--level", "0.9"),
    )
    assert [group["group"]["age"] for group in found["groups"]] == ["<=25", ">25"]
    assert (found["value"], found["level"], found["units"]) == (0.5, 0.9, 3)


# --- Text. ---


def test_the_text_names_figure_interval_groups_and_what_was_left_out(evenhand, log):
    code, out, err = evenhand("measure", GAP, log, "--prediction", "p")
    assert (code, err) == (0, "")
    assert "0.5000" in out
    assert "95% interval" in out
    assert "g a 75.0%, g b 25.0%" in out
    assert "unknown (shown apart)" in out
    assert "1 rows left out: prediction is missing" in out


def test_piped_text_has_no_colours_and_is_not_wrapped(evenhand, log):
    _, out, _ = evenhand("measure", GAP, log, "--prediction", "p")
    assert "\x1b" not in out
    assert out.splitlines()[0].startswith(GAP)
    assert out.splitlines()[0].endswith("Newcombe")


def test_output_can_be_piped_into_a_program_that_stops_reading(log):
    script = "from evenhand.cli.main import main; main()"
    command = [sys.executable, "-c", script, "measure", "selection_rate", str(log)]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--prediction", "p", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        said = process.stderr.read().decode()
    assert "Traceback" not in said


def test_json_can_be_piped_on(log):
    script = "from evenhand.cli.main import main; main()"
    command = [sys.executable, "-c", script, "measure", "selection_rate", str(log)]
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, "--prediction", "p", "--json"], capture_output=True, check=True
    )
    assert done.stderr == b""
    assert json.loads(done.stdout)["findings"][0]["rows"] == 9


def test_a_group_whose_name_looks_like_markup_is_printed_as_it_is(evenhand, tmp_path):
    rows = pl.DataFrame({"g": ["[/b]", "[/b]", "[red]x", "[red]x"], "p": [1, 0, 1, 1]})
    rows.write_parquet(tmp_path / "log.parquet")
    code, out, _ = evenhand("measure", GAP, tmp_path / "log.parquet", "--prediction", "p")
    assert code == 0
    table = [line.split()[0] for line in out.splitlines() if line.startswith("  [")]
    assert table == ["[/b]", "[red]x"]


def test_pairs_of_groups_whose_names_look_like_markup_are_printed(evenhand, tmp_path):
    rows = pl.DataFrame({"[b]": ["[/b]", "[/b]", "[red]x", "[red]x"], "p": [1, 0, 1, 1]})
    rows.write_parquet(tmp_path / "log.parquet")
    words = ("pairs(selection_rate, by='[b]')", tmp_path / "log.parquet", "--prediction", "p")
    code, out, _ = evenhand("measure", *words)
    assert code == 0
    assert "[/b]" in out
    assert "[red]x" in out


# --- Real decisions. ---


def test_compas_has_the_published_rates_and_an_interval(findings, data):
    (found,) = findings(
        "difference(false_positive_rate, by=race)",
        data / "compas_two_years.parquet",
        *("--kind", "decisions", "--label", "two_year_recid"),
        *("--prediction", "score_text != 'Low'"),
        *("--where", "race in ['African-American', 'Caucasian']"),
    )
    rates = {group["group"]["race"]: group["value"] for group in found["groups"]}
    # ProPublica 2016: 44.85 % against 23.45 % of those who did not re-offend.
    assert rates == pytest.approx({"African-American": 0.4485, "Caucasian": 0.2345}, abs=5e-5)
    limits = [found["value"], found["low"], found["high"]]
    assert limits == pytest.approx([0.21392, 0.18205, 0.24502], abs=1e-3)
    # The denominators: 1,795 and 1,488 people who did not re-offend.
    assert (found["units"], found["rows"]) == (3283, 3283)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_compas_agrees_with_counts_made_by_hand(findings, data, engine):
    pytest.importorskip(engine)
    path = data / "compas_two_years.parquet"
    rows = pl.read_parquet(path, columns=["race", "two_year_recid", "score_text"]).rows()
    expected = {}
    for race in {row[0] for row in rows}:
        flagged = [text != "Low" for own, label, text in rows if own == race and label == 0]
        expected[race] = sum(flagged) / len(flagged)
    words = ("--label", "two_year_recid", "--prediction", "score_text != 'Low'")
    (found,) = findings(
        "difference(false_positive_rate, by=race)", path, *words, "--engine", engine
    )
    rates = {group["group"]["race"]: group["value"] for group in found["groups"]}
    assert rates == pytest.approx(expected, rel=1e-12)
    assert found["value"] == pytest.approx(max(expected.values()) - min(expected.values()))


# --- Refusals. ---


@pytest.mark.parametrize(
    "words",
    [
        ("measure",),
        ("measure", "selection_rate", "log.parquet", "--nonsense"),
        ("measure", "selection_rate", "log.parquet", "--level", "high"),
        ("nonsense",),
    ],
)
def test_a_command_line_that_cannot_be_read_exits_with_2(evenhand, words):
    code, out, err = evenhand(*words)
    assert (code, out) == (2, "")
    assert err


def test_a_log_without_a_measure_shows_an_example(evenhand):
    code, out, err = evenhand("measure", "log.parquet")
    assert (code, out) == (2, "")
    assert "a measure and a log are needed" in err
    assert "evenhand measure" in err


def test_errors_are_text_on_stderr(evenhand, log):
    code, out, err = evenhand("measure", "selection_rate", log, "--prediction", "q")
    assert (code, out) == (2, "")
    assert err.startswith("role 'prediction': there is no column 'q'.\n  ")


def test_all_errors_come_at_once(errors, log):
    words = ("--prediction", "q", "--unit", "v", "--where", "z > 1", "--group", "h")
    found = errors("selection_rate", log, *words)
    assert [error["where"] for error in found] == [
        "role 'prediction'",
        "group 'h'",
        "unit",
        "where",
    ]


def test_all_notations_are_checked_at_once(errors, log):
    found = errors("selction_rate", "accuracy", "a@0", log, "--prediction", "p")
    assert len(found) == 3
    assert found[0]["hint"].startswith("Did you mean 'selection_rate'")
    assert "needs role 'label'" in found[1]["what"]


def test_a_missing_file_is_an_error_with_a_neighbour(errors, log):
    (found,) = errors("selection_rate", log.with_name("lag.parquet"), "--prediction", "p")
    assert (found["what"], found["hint"]) == ("no such file.", "Did you mean 'log.parquet'?")


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_third_value_of_a_prediction_is_named(errors, tmp_path, engine):
    pytest.importorskip(engine)
    pl.DataFrame({"p": [0, 1, 2, 2, 1]}).write_parquet(tmp_path / "log.parquet")
    words = ("selection_rate", tmp_path / "log.parquet", "--prediction", "p", "--engine", engine)
    (found,) = errors(*words)
    assert (found["where"], found["what"]) == ("role 'prediction'", "2 rows hold 2.")
    assert '--prediction "p >= 0.5"' in found["hint"]


@pytest.mark.parametrize("role", ["label", "prediction"])
def test_a_role_that_is_missing_in_every_row_gives_an_undefined_figure(findings, log, role):
    other = "prediction" if role == "label" else "label"
    words = (f"--{role}", "nothing", f"--{other}", "y")
    for found in findings("accuracy", "difference(accuracy, by=g)", log, *words):
        assert found["value"] is None
        assert found["undefined"]


def test_undefined_figures_are_printed_with_their_reason(evenhand, log):
    words = ("--prediction", "nothing", "--label", "y")
    code, out, _ = evenhand("measure", "accuracy", "difference(accuracy, by=g)", log, *words)
    assert code == 0
    assert "accuracy  undefined: no rows with a prediction" in out


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_filter_that_matches_nothing_says_so(errors, log, engine):
    pytest.importorskip(engine)
    words = ("--prediction", "p", "--where", "y > 5", "--engine", engine)
    for question in ("selection_rate", GAP):
        (found,) = errors(question, log, *words)
        assert (found["where"], found["what"]) == ("where", "'y > 5' holds for none of 10 rows.")


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_log_without_rows_says_so(errors, tmp_path, engine):
    pytest.importorskip(engine)
    empty = pl.DataFrame(schema={"p": pl.Int64, "g": pl.String})
    empty.write_parquet(tmp_path / "log.parquet")
    for question in ("selection_rate", GAP):
        words = (question, tmp_path / "log.parquet", "--prediction", "p", "--engine", engine)
        (found,) = errors(*words)
        assert found["what"] == "there are no rows."


@pytest.mark.parametrize("level", ["0", "1", "95"])
def test_a_level_outside_0_and_1_is_refused(errors, log, level):
    (found,) = errors("selection_rate", log, "--prediction", "p", "--level", level)
    assert found["where"] == "level"


@pytest.fixture
def many(tmp_path):
    """A column of 100,000 values: v0 to v4 in 50 rows each, the others once."""
    names = [f"v{i}" for i in range(100_000)] + [f"v{i}" for i in range(5)] * 49
    rows = pl.DataFrame({"g": names}).with_columns(p=pl.int_range(pl.len()) % 2)
    rows.write_parquet(tmp_path / "many.parquet")
    return tmp_path / "many.parquet"


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_group_of_100_000_values_is_refused_with_the_way_out(errors, many, engine):
    pytest.importorskip(engine)
    (found,) = errors(GAP, many, "--prediction", "p", "--engine", engine)
    assert found["where"] == "by=[g]"
    assert "100,000 groups" in found["what"]
    assert "--top 20" in found["hint"]


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_the_most_frequent_values_can_be_kept(findings, many, engine):
    pytest.importorskip(engine)
    (found,) = findings(GAP, many, "--prediction", "p", "--engine", engine, "--top", "5")
    sizes = {group["group"]["g"]: group["rows"] for group in found["groups"]}
    assert sizes == {f"v{i}": 50 for i in range(5)} | {OTHER: 99_995}


def test_an_engine_that_is_not_installed_names_the_exact_line(evenhand, log, monkeypatch):
    monkeypatch.setattr("evenhand.logs.source.installed", lambda engine: engine == "polars")
    words = ("--prediction", "p", "--engine", "duckdb")
    code, _, err = evenhand("measure", "selection_rate", log, *words)
    assert code == 2
    assert "\n  pip install 'evenhand[duckdb]'\n" in err
