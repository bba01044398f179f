"""``evenhand audit`` and ``check`` of a plan that names a model: cost first, then figures."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from evenhand.cli.main import app
from evenhand.errors import EvenhandError

MODULE = """
import numpy as np
from evenhand.models.function import linear
from evenhand.models.spec import Spec

def model():
    spec = Spec(labels=("no", "yes"), shape=(2,), low=-9.0, high=9.0)
    return linear(np.array([[0.0, 0.0], [1.0, -2.0]]), np.zeros(2), spec)

def blind():
    from evenhand.models.function import FunctionModel
    spec = Spec(("no", "yes"), (2,), -9.0, 9.0, output="labels")
    return FunctionModel(lambda x: np.where(x[:, 0] > 2 * x[:, 1], "yes", "no"), spec)
"""

PLAN = """
evenhand: 1
subject: {{product: Loans, model: linear, version: 1}}
model:
  address: {address}
  inputs: people.parquet
  label: answer
  id: person
  features: [a, b]
  range: [-9, 9]
probes:
- {{probe: "attack.fgsm(eps=0.1)", flags: {flags}}}
groups: {{sex: sex}}
measures:
- {{measure: "worst(robust_accuracy, by=sex)", slices: ["variant == 'linf 0.1'"]}}
gate:
- {{id: worst, rule: "worst(robust_accuracy, by=sex) >= {limit}", reliable: {reliable}}}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a module of models and people; another one is the current one."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / f"{module_of(tmp_path)}.py").write_text(MODULE)
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 2))
    pl.DataFrame(
        {
            "person": [f"p{i}" for i in range(300)],
            "a": x[:, 0],
            "b": x[:, 1],
            "answer": np.where(x[:, 0] - 2 * x[:, 1] + rng.normal(size=300) * 0.5 > 0, "yes", "no"),
            "sex": rng.choice(["f", "m"], 300),
        }
    ).write_parquet(tmp_path / "people.parquet")
    return tmp_path


def module_of(folder):
    return "cli_models_" + "".join(one if one.isalnum() else "_" for one in folder.name)


def plan(folder, *, name="model", address=None, flags="false", limit=0.5, reliable="false"):
    text = PLAN.format(
        address=address or f"{module_of(folder)}:{name}",
        flags=flags,
        limit=limit,
        reliable=reliable,
    )
    path = folder / "audit.yaml"
    path.write_text(text)
    return str(path)


def run(*words, status=0):
    result = CliRunner().invoke(app, [*words])
    if isinstance(result.exception, EvenhandError):
        return str(result.exception), ""
    assert result.exit_code == status, result.output
    return result.stdout, result.stderr


def test_the_cost_is_said_before_and_a_finished_log_is_taken(folder):
    path = plan(folder)
    shown, told = run("audit", path, "--out", str(folder / "v1.evidence.zip"))
    assert "PASS" in shown
    assert told.startswith("attack.fgsm of 300 examples, linf 0.1: at most ")
    assert " queries of linear model, a few seconds by estimate, as measured on " in told
    _, told = run("audit", path)
    log = folder / "audit.probes" / "1-attack.fgsm.parquet"
    assert told == f"attack.fgsm: taken from {log}, made by the same probe\n"
    checked, _ = run("verify", str(folder / "v1.evidence.zip"))
    assert "as it was sealed" in checked


def test_check_says_how_long_a_probe_takes_and_its_document_holds_no_time(folder):
    path = plan(folder)
    shown, _ = run("check", path)
    assert " by estimate, as measured on " in " ".join(shown.split())
    document, _ = run("check", path, "--json")
    assert "estimate" not in document
    assert {*json.loads(document)["probes"][0]} == {
        *("probe", "variants", "most_queries", "log", "taken")
    }


def test_another_folder_holds_the_logs_where_one_is_named(folder):
    run("audit", plan(folder), "--probes", str(folder / "logs"))
    assert [one.name for one in (folder / "logs").iterdir()] == ["1-attack.fgsm.parquet"]
    assert not (folder / "audit.probes").exists()


@pytest.mark.parametrize(
    ("flags", "reliable", "limit", "status"),
    [
        ("true", "true", 0.5, 0),
        ("false", "true", 0.5, 3),
        ("false", "false", 0.5, 0),
        ("false", "false", 0.99, 1),
    ],
)
def test_the_gate_decides_on_figures_and_flags(folder, flags, reliable, limit, status):
    path = plan(folder, flags=flags, reliable=reliable, limit=limit)
    run("audit", path, "--gate", status=status)


def test_check_says_what_would_be_done_and_does_nothing(folder):
    path = plan(folder)
    shown, _ = run("check", path)
    lines = shown.splitlines()
    assert lines[0] == f"{path} fits; no probe was run."
    assert "model: linear model, logits of 2 classes; offers bounds, scores, vjp" in lines[1]
    assert lines[2] == "  inputs: 300 of shape 2 (features) in people.parquet"
    assert lines[3].startswith("  probe attack.fgsm of 300 examples, linf 0.1: at most ")
    assert not (folder / "audit.probes").exists()
    document = json.loads(run("check", path, "--json")[0])
    assert document["ok"]
    assert document["measures"] == ["worst(robust_accuracy, by=sex)"]
    (probe,) = document["probes"]
    assert (probe["probe"], probe["variants"], probe["taken"]) == (
        "attack.fgsm",
        ["linf 0.1"],
        None,
    )
    run("audit", path)
    document = json.loads(run("check", path, "--json")[0])
    assert document["probes"][0]["most_queries"] == 0
    assert document["probes"][0]["taken"] == probe["log"]


def test_check_names_what_cannot_be_probed_and_what_could(folder):
    path = plan(folder, name="blind")
    shown, _ = run("check", path, status=2)
    assert f"{path}:12 probes[0]: " in shown
    assert "attack." in shown.partition("probes[0]")[2]


def test_a_pickle_is_read_only_where_the_runner_says_so(folder):
    joblib = pytest.importorskip("joblib")
    linear_model = pytest.importorskip("sklearn.linear_model")
    people = pl.read_parquet(folder / "people.parquet")
    fitted = linear_model.LogisticRegression().fit(
        people.select("a", "b").to_numpy(), people["answer"].to_numpy()
    )
    joblib.dump(fitted, folder / "fitted.joblib")
    path = plan(folder, address="fitted.joblib")
    shown, _ = run("check", path, status=2)
    assert f"{path}:5 model.address: " in shown
    assert "--trust-pickle" in shown
    shown, _ = run("audit", path, "--trust-pickle")
    assert "PASS" in shown


def test_what_is_for_models_is_refused_without_one(folder):
    said, _ = run("audit", str(folder / "people.parquet"), "--trust-pickle", "--max-queries", "5")
    assert said.startswith("--trust-pickle, --max-queries: it is for plans that name a model")
    path = folder / "log.yaml"
    path.write_text("evenhand: 1\nlog: {source: people.parquet}\nroles: {prediction: answer}\n")
    for verb in ("audit", "check"):
        said, _ = run(verb, str(path), "--probes", "logs")
        assert said.startswith("--probes: it is for plans that name a model")


def test_a_budget_stops_before_it_is_exceeded(folder):
    said, _ = run("audit", plan(folder), "--max-queries", "10")
    assert "more than 10 might be asked" in said


def test_what_else_is_said_of_a_plan_is_refused_as_ever(folder):
    said, _ = run("audit", plan(folder), "--label", "answer")
    assert said.startswith("--label: a plan says everything about the log")
