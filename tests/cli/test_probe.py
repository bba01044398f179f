"""``evenhand probe``: a model by its import path, inputs from a file, a log, the next command."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import evenhand
from evenhand.audits.probing import telling_kept
from evenhand.cli.main import app
from evenhand.errors import EvenhandError, StoppedError

MODULE = """
import numpy as np
from evenhand.models.function import FunctionModel, linear
from evenhand.models.spec import Spec

SPEC = Spec(labels=("no", "yes"), shape=(2,), low=-5.0, high=5.0)

def model():
    return linear(np.array([[0.0, 0.0], [1.0, -2.0]]), np.zeros(2), SPEC)

def masked():
    # The gradient of the cross-entropy is 0 where the model is right.
    sharp = np.array([[0.0, 0.0], [1.0, -2.0]]) * 1e6
    return linear(sharp, np.zeros(2), SPEC)

def hidden():
    return FunctionModel(lambda x: np.where(x[:, 0] > 2 * x[:, 1], "yes", "no"),
                         Spec(("no", "yes"), (2,), -5.0, 5.0, output="labels"))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a module of models, and inputs with a group."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"models_of_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MODULE)
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 2))
    noise = rng.normal(size=400) * 0.3
    pl.DataFrame(
        {
            "person": [f"p{i}" for i in range(400)],
            "a": x[:, 0],
            "b": x[:, 1],
            "answer": np.where(x[:, 0] - 2 * x[:, 1] + noise > 0, "yes", "no"),
            "sex": rng.choice(["f", "m"], 400),
        }
    ).write_parquet(tmp_path / "people.parquet")
    return tmp_path, name


def run(*words, status=0):
    result = CliRunner().invoke(app, ["probe", *words])
    if isinstance(result.exception, EvenhandError):
        return str(result.exception)
    assert result.exit_code == status, result.output
    return result.stdout


def words(name, *more, attack="attack.pgd(steps=5)", model="model"):
    return [
        *(attack, "--model", f"{name}:{model}", "--inputs", "people.parquet"),
        *("--features", "a,b", "--label", "answer", "--id", "person", "--group", "sex", *more),
    ]


def test_probe_writes_a_log_and_the_next_command_audits_it(folder):
    path, name = folder
    shown = run(*words(name, "--eps", "0.1", "--eps", "1/4"))
    rows = pl.read_parquet(path / "attacked.parquet")
    assert len(rows) == 800
    assert {*rows["variant"]} == {"linf 0.1", "linf 1/4"}
    assert "robust accuracy, at most" in shown
    following = next(line for line in shown.splitlines() if "evenhand audit" in line)
    result = CliRunner().invoke(app, [*shlex.split(following)[1:], "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["findings"]
    assert {one["slice"] for one in found} == {"variant == 'linf 0.1'", "variant == 'linf 1/4'"}
    assert "worst(robust_accuracy, by=sex)" in {one["key"] for one in found}


def test_the_next_command_after_a_certificate_asks_what_is_certified_somewhere(folder):
    path, name = folder
    shown = run(*words(name, attack="certify.ibp"))
    following = next(line for line in shown.splitlines() if "evenhand audit" in line)
    result = CliRunner().invoke(app, [*shlex.split(following)[1:], "--json"])
    assert result.exit_code == 0, result.output
    found = {one["key"]: one for one in json.loads(result.stdout)["findings"]}
    (key,) = (key for key in found if key.startswith("certified_accuracy"))
    # At the median radius about half are certified, or fewer where some have none.
    assert 0.3 < found[key]["value"] < 0.55
    assert f"difference({key}, by=sex)" in found
    assert (path / "certified.html").exists()


def test_json_holds_cost_figures_and_what_to_do_next(folder):
    _, name = folder
    document = json.loads(run(*words(name, "--eps", "0.1", "--json")))
    assert document["rows"] == 400
    assert 0 < document["queries"] <= document["most_queries"]
    (variant,) = document["variants"]
    assert variant["robust_accuracy"]["value"] < variant["clean_accuracy"]["value"]
    (flags,) = document["flags"]
    assert flags["verdict"] == "reliable"
    assert (flags["variant"], flags["by"]) == ("linf 0.1", "sex")
    following = "evenhand audit attacked.parquet --kind perturbed --group sex"
    assert document["next"] == f"{following} --html attacked.html"


def test_flags_can_be_left_out_and_that_is_said(folder):
    _, name = folder
    shown = run(*words(name, "--eps", "0.1", "--no-flags"))
    assert "a stronger one may break more" in shown
    assert "reliable" not in shown


def test_attack_that_fails_is_not_believed(folder):
    _, name = folder
    shown = run(*words(name, "--eps", "0.3", "--believe", model="masked"))
    assert "linf 0.3: not reliable" in shown
    assert "zero_gradients" in shown
    (flags,) = json.loads(pl.read_parquet_metadata("attacked.parquet")["evenhand.flags"])
    assert flags["verdict"] == "not reliable"


def test_cost_is_told_before_the_model_is_asked(folder):
    _, name = folder
    result = CliRunner().invoke(app, ["probe", *words(name, "--eps", "0.1", "--max-queries", "9")])
    assert "at most" in result.stderr
    assert "--max-queries" in str(result.exception)


@pytest.mark.parametrize(
    ("probe", "log"),
    [
        ("attack.noise(eps=0.1)", "attacked.parquet"),
        ("noise(eps=0.1)", "attacked.parquet"),
        ("certify.ibp", "certified.parquet"),
        ("attribute.gradient(randomisations=0)", "attributed.parquet"),
        ("explain.permutation", "explained.parquet"),
    ],
)
def test_a_log_is_named_by_what_was_done_where_nobody_names_it(folder, probe, log):
    path, name = folder
    run(*words(name, "--no-flags", "--pictures", "0", attack=probe))
    assert [one.name for one in path.glob("*ed.parquet")] == [log]


@pytest.mark.parametrize("probe", ["explain.permutation", "attack.noise(eps=0.1)"])
def test_without_classes_nothing_is_told_of_costs(folder, probe):
    _, name = folder
    given = words(name, attack=probe)
    at = given.index("--label")
    result = CliRunner().invoke(app, ["probe", *given[:at], *given[at + 2 :]])
    assert "Say which column holds them: --label COLUMN" in str(result.exception)
    assert "at most" not in result.stderr


def test_by_is_for_gaps_alone(folder):
    _, name = folder
    given = words(name, "--by", "sex", attack="attribute.gradient")
    said = run(*given)
    assert "attribute.gradient: it takes no gap apart" in said
    assert "--group sex" in said


def test_a_column_that_is_named_twice_is_compared_once(folder):
    _, name = folder
    found = json.loads(run(*words(name, "--group", "sex", "--json", attack="explain.permutation")))
    assert found["next"].count("--group") == 1
    assert found["next"].count("by=sex") == 1


def test_a_probe_that_is_stopped_says_whether_anything_is_kept(tmp_path):
    def told(error):
        found = []
        with pytest.raises(type(error)), telling_kept(tmp_path, found.append):
            raise error
        return found

    assert told(StoppedError()) == ["no block of rows was finished: the same command begins anew"]
    assert told(ValueError()) == []
    for count, words_of in ((1, "1 finished block of rows is"), (2, "2 finished blocks are")):
        (tmp_path / f"{count}.block").touch()
        for error in (StoppedError(), ValueError()):
            assert told(error) == [
                f"{words_of} kept in {tmp_path}: the same command goes on from there"
            ]


def test_the_package_runs_as_the_command():
    found = subprocess.run(
        [sys.executable, "-m", "evenhand", "--version"], capture_output=True, text=True, check=True
    )
    assert found.stdout == f"evenhand {evenhand.__version__}\n"


def test_model_without_gradients_is_told_of_the_alternative(folder):
    _, name = folder
    said = run(*words(name, "--eps", "0.1", model="hidden"))
    assert "needs gradients" in said
    assert "attack." in said


def test_file_that_is_there_is_kept(folder):
    path, name = folder
    (path / "attacked.parquet").write_text("mine")
    assert "there already" in run(*words(name, "--eps", "0.1"))
    assert (path / "attacked.parquet").read_text() == "mine"
    run(*words(name, "--eps", "0.1", "--force"))
    assert len(pl.read_parquet(path / "attacked.parquet")) == 400


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "There is no eps"),
        (["--eps", "x"], "no number"),
        (["--eps", "20"], "reaches every input"),
        (["--eps", "0.1", "--norm", "l1"], "There are: linf, l2"),
        (["--eps", "0.1", "--shape", "axb"], "is no shape"),
        (["--eps", "0.1", "--mean", "a,b"], "are no numbers"),
        (["--eps", "0.1", "--group", "sxe"], "Did you mean 'sex'"),
        (["--eps", "0.1", "--pictures", "-1"], "is no number of them"),
        (["--eps", "0.1", "--out", "attacked.csv"], "Name it attacked.parquet"),
    ],
)
def test_what_cannot_be_meant_is_refused(folder, more, said):
    path, name = folder
    assert said in run(*words(name, *more))
    assert not (path / "attacked.parquet").exists()


def test_classes_are_the_words_that_were_written(folder):
    path, name = folder
    (path / f"{name}_plain.py").write_text(
        "import numpy as np\n"
        "def scores(x):\n"
        "    return np.stack([0 * x[:, 0], x[:, 0] - 2 * x[:, 1]], axis=1)\n"
    )
    more = ["--eps", "0.1", "--range", "-5", "5", "--class", "no", "--class", "yes", "--no-flags"]
    made = words(f"{name}_plain", *more, attack="attack.noise", model="scores")
    run(*made)
    rows = pl.read_parquet(path / "attacked.parquet")
    assert {*rows["label"]} == {"no", "yes"}
    assert rows["correct"].mean() > 0.9


def test_unknown_column_of_classes_is_refused(folder):
    _, name = folder
    given = words(name, "--eps", "0.1")
    given[given.index("answer")] = "anwser"
    assert "answer" in run(*given)
