"""``evenhand doctor --model``: what can be probed, what cannot and why, and what is doubted."""

from __future__ import annotations

import json
import sys

import numpy as np
import polars as pl
import pytest

from evenhand.cli.main import main
from evenhand.probes.attribute.registry import attributions
from evenhand.probes.explaining import explanations

MODULE = """
import numpy as np

W = np.random.default_rng(0).standard_normal((3, 16)) * 4

def scores(x):
    return (x.reshape(len(x), -1) - 0.5) @ W.T

def chances(x):
    grown = np.exp(scores(x))
    return grown / grown.sum(axis=1, keepdims=True)

def decide(x):
    return scores(x).argmax(axis=1)

def broken(x):
    return scores(x) * np.nan
"""


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "doctorsmodels.py").write_text(MODULE)
    x = np.random.default_rng(1).random((80, 16))
    weights = np.random.default_rng(0).standard_normal((3, 16)) * 4
    pl.DataFrame({"x": x.tolist(), "label": ((x - 0.5) @ weights.T).argmax(axis=1)}).write_parquet(
        "in.parquet"
    )

    def call(name, *more, shape="1x4x4"):
        address = f"doctorsmodels:{name}" if name.isidentifier() else name
        words = ["--model", address, "--inputs", "in.parquet", "--pixels", "x", "--label", "label"]
        monkeypatch.setattr(sys, "argv", ["evenhand", "doctor", *words, "--shape", shape, *more])
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        return left.value.code, captured.out, captured.err

    yield call
    sys.modules.pop("doctorsmodels", None)


def test_a_sound_model(run):
    code, out, _ = run("scores", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["sound"]
    assert found["doubts"] == []
    assert found["accuracy"] == 1
    assert found["spec"]["output"] == "logits"
    assert found["spec"]["labels"] == [0, 1, 2]
    assert found["fingerprint"].startswith("sha256:")
    assert {"repeat", "batch", "output", "classes"} <= {*found["passed"]}
    assert "offers no gradients" in found["skipped"]["gradient"]


def test_what_cannot_be_probed_says_why_and_what_else(run):
    probes = {one["what"]: one for one in json.loads(run("scores", "--json")[1])["probes"]}
    assert probes["attack.square"]["ok"]
    assert not probes["attack.pgd"]["ok"]
    assert "gradients" in probes["attack.pgd"]["found"]
    assert "attack.square" in probes["attack.pgd"]["hint"]
    probes = {one["what"]: one for one in json.loads(run("decide", "--json")[1])["probes"]}
    assert not probes["attack.square"]["ok"]
    assert "attack.hop" in probes["attack.square"]["hint"]


def test_explanations_that_there_can_be_are_listed_and_others_with_the_reason(run):
    def probes(name, shape):
        found = json.loads(run(name, "--json", shape=shape)[1])["probes"]
        return {one["what"]: one for one in found if one["what"].startswith(("attri", "expl"))}

    of_images, of_tables = probes("scores", "1x4x4"), probes("scores", "16")
    names = {f"attribute.{one}" for one in attributions()}
    assert {*of_images} == {*of_tables} == names | {f"explain.{one}" for one in explanations()}
    assert of_images["attribute.occlusion"]["ok"]
    assert "gradients" in of_images["attribute.gradient"]["found"]
    assert "attribute.kernel_shap" in of_images["attribute.guided_backprop"]["hint"]
    assert "only images have edges" in of_tables["attribute.edges"]["found"]
    for name in explanations():
        one = of_images[f"explain.{name}"]
        assert not one["ok"]
        assert "these inputs are images" in one["found"]
    assert all(of_tables[f"explain.{name}"]["ok"] for name in explanations())
    assert of_tables["explain.shap"]["found"].endswith("of a class that is named: target=...")
    assert of_tables["explain.counterfactual"]["found"].endswith("named: favourable=...")
    assert of_tables["explain.permutation"]["found"] == "can be run"
    of_classes = probes("decide", "16")
    assert of_classes["explain.permutation"]["ok"]
    assert not of_classes["explain.shap"]["ok"]
    assert "labels alone has no score" in of_classes["explain.shap"]["found"]


def test_what_is_listed_as_possible_is_possible_and_the_rest_is_refused(run, capsys, monkeypatch):
    probes = json.loads(run("scores", "--json", shape="16")[1])["probes"]
    asked = [one for one in probes if one["what"].startswith("explain.")]
    few = [one for one in probes if one["what"] in {"attribute.occlusion", "attribute.gradient"}]
    for one in (*asked, *few):
        key = next((key for key in ("target", "favourable") if f"{key}=" in one["found"]), None)
        written = one["what"] + (f"({key}=2)" if key else "")
        words = ["--model", "doctorsmodels:scores", "--inputs", "in.parquet", "--pixels", "x"]
        words += ["--label", "label", "--shape", "16", "--out", f"{one['what']}.parquet"]
        words += ["--by", "label"] if one["what"] == "explain.gap" else []
        monkeypatch.setattr(sys, "argv", ["evenhand", "probe", written, *words])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr().err
        assert left.value.code == (0 if one["ok"] else 2), (one, said)


def test_what_is_said_wrongly_is_doubted_and_fails(run):
    code, out, _ = run("chances", "--output", "logits", "--json")
    found = json.loads(out)
    assert code == 1
    assert not found["sound"]
    assert [(one["check"], one["sure"]) for one in found["doubts"]] == [("output", "certain")]
    # Left to be seen, it is what it is.
    assert json.loads(run("chances", "--json")[1])["spec"]["output"] == "probabilities"


def test_the_order_of_classes_is_doubted_and_does_not_fail(run):
    code, out, _ = run("scores", "--class", "2", "--class", "0", "--class", "1", "--json")
    assert code == 0
    assert [one["check"] for one in json.loads(out)["doubts"]] == ["labels"]


def test_the_text_says_it_in_lines(run):
    code, out, _ = run("scores")
    assert code == 0
    out = " ".join(out.split())
    assert "offers classes, scores" in out
    assert "0 to 1, the inputs from 0.0" in out
    assert "Nothing that could be checked speaks against the spec." in out
    _, out, _ = run("broken")
    assert "NaN" in out
    assert "correct the spec first" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nosuch", {}), "has no 'nosuch'"),
        (("scores", {"shape": "5x5"}), "25"),
        (("scores", {"shape": "28"}), "28"),
        (("scores", {"shape": "axb"}), "Write 28x28"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(run, words, said):
    code, _, err = run(words[0], **words[1])
    assert code == 2
    assert said in err


def test_an_endpoint_is_asked_within_its_budget_and_its_answers_are_kept(run, tmp_path):
    from made_models import Endpoint, served

    weights = np.random.default_rng(0).standard_normal((3, 16)) * 4
    with served(Endpoint(lambda x: (x.reshape(len(x), -1) - 0.5) @ weights.T)) as endpoint:
        code, _, err = run(endpoint.address, "--max-queries", "40")
        assert code == 2
        assert "queries are used" in err
        assert endpoint.examples <= 40
        code, out, _ = run(endpoint.address, "--keep", str(tmp_path / "kept"), "--json")
        assert code == 0
        assert json.loads(out)["doubts"] == []
        before = endpoint.examples
        code, out, _ = run(endpoint.address, "--keep", str(tmp_path / "kept"), "--json")
        # Canaries alone: when it begins, and for the fingerprint.
        assert endpoint.examples - before == 16
    code, _, err = run(endpoint.address, "--rate", "0")
    assert code == 2
    assert "--rate" in err


def test_a_model_without_inputs_and_the_reverse(monkeypatch, capsys):
    for words, said in ((["--model", "a:b"], "--inputs"), (["--inputs", "x"], "--model")):
        monkeypatch.setattr(sys, "argv", ["evenhand", "doctor", *words])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 2
        assert said in capsys.readouterr().err
