"""Recourse as a user asks for it: from a plan, from the command line, and asked for wrongly."""

from __future__ import annotations

import json
import shlex
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

NAMES = ("age", "pay", "hours")
WEIGHTS = np.array([1.0, -2.0, 0.5])
COSTS = (0.25, 0.5, 0.75, 1, 1.5, 2, 4)

MODULE = """
import numpy as np
from evenhand.models.function import FunctionModel, linear as linear_model
from evenhand.models.spec import Spec

SPEC = Spec(labels=("no", "yes"), shape=(3,), low=-90.0, high=90.0)
W = np.array([1.0, -2.0, 0.5])

def linear():
    return linear_model(np.vstack([np.zeros(3), W]), np.array([0.0, -0.5]), SPEC)

def always():
    return linear_model(np.zeros((2, 3)), np.array([0.0, 9.0]), SPEC)

def never():
    return linear_model(np.zeros((2, 3)), np.array([9.0, 0.0]), SPEC)

def broken():
    return FunctionModel(lambda x: np.full((len(x), 2), np.nan), SPEC)
"""

PLAN = """
evenhand: 1
subject: {{product: Loans, model: linear, version: 1}}
model:
  address: {module}:{model}
  inputs: people.parquet
  id: person
  label: answer
  features: [age, pay, hours]
probes: ["{probe}"]
groups: {{side: side}}
"""

WIDE = "ranges=[[age, -90, 90], [pay, -90, 90], [hours, -90, 90]]"


@pytest.fixture
def people(tmp_path, monkeypatch):
    """People in a file beside a module of models; returns the table and the module's name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = "cli_recourse_" + "".join(c if c.isalnum() else "_" for c in tmp_path.name)
    (tmp_path / f"{module}.py").write_text(MODULE)
    rng = np.random.default_rng(3)
    side = rng.choice(["left", "right"], 300)
    x = rng.normal(size=(300, 3)) + (side == "left")[:, None] * [0, 0.6, 0]
    table = pl.DataFrame(
        {
            "person": [f"person-{place}" for place in range(300)],
            **dict(zip(NAMES, x.T, strict=True)),
            "side": side,
            "answer": np.where(x @ WEIGHTS + rng.normal(size=300) > 0, "yes", "no"),
        }
    )
    table.write_parquet("people.parquet")
    return table, module


@pytest.fixture
def probe(people, evenhand):
    """Run ``evenhand probe``; returns the status, stdout and stderr without breaks."""
    table, module = people

    def run(written, *more, model="linear", inputs=table):
        inputs.write_parquet("people.parquet")
        words = ["--model", f"{module}:{model}", "--inputs", "people.parquet", "--id", "person"]
        words += ["--label", "answer", "--features", ",".join(NAMES), "--out", "out.parquet"]
        status, out, err = evenhand("probe", written, *words, "--force", *more)
        return status, out, " ".join(err.split())

    return run


@pytest.fixture
def audited(people, read):
    """Audit a plan with one probe; returns its findings by key and, of groups, by their name."""

    def run(written, model="linear"):
        Path("plan.yaml").write_text(PLAN.format(module=people[1], model=model, probe=written))
        words = ["plan.yaml", "--out", "out.evidence.zip", "--html", "out.html", "--force"]
        status, document = read("audit", *words)
        assert status == 0, document
        found = {}
        for one in document["findings"]:
            groups = {each["group"]["side"]: each for each in one.get("groups", [])}
            found[one["key"]] = (one, groups)
        return found

    return run


def exact(table):
    """What a change costs of those who are refused, by the closed form |s| / |w sd|."""
    x = table.select(NAMES).to_numpy()
    score = x @ WEIGHTS - 0.5
    price = -score / np.linalg.norm(WEIGHTS * x.std(axis=0))
    return price[score <= 0], table["side"].to_numpy()[score <= 0]


def test_plan_tells_cost_and_curve_by_group_as_the_closed_form_has_them(people, audited):
    price, side = exact(people[0])
    found = audited(f"explain.counterfactual({WIDE})")
    wanted = {"mean_recourse_cost": price, "no_recourse": np.zeros(len(price))}
    wanted |= {f"recourse_within(cost={cost:g})": price <= cost for cost in COSTS}
    for measure, values in wanted.items():
        one, _ = found[measure]
        assert one["value"] == pytest.approx(values.mean(), rel=1e-9), measure
        _, groups = found[f"difference({measure}, by=side)"]
        for name in ("left", "right"):
            own = values[side == name].mean()
            assert groups[name]["value"] == pytest.approx(own, rel=1e-9), (measure, name)
            assert groups[name]["low"] <= own <= groups[name]["high"]


def test_report_draws_who_gets_through_at_what_cost_by_group(audited):
    audited("explain.counterfactual(immutable=[age, pay])")
    page = Path("out.html").read_text(encoding="utf-8")
    assert "Against cost, by side" in page
    course = page.partition("Against cost, by side")[2].partition("</table>")[0]
    assert "at least the left one" in course
    assert "clean" not in course
    for cost in COSTS:
        assert f">{cost:g}<" in course


def test_plan_keeps_what_is_immutable_and_ranges(people, audited):
    found = audited(
        "explain.counterfactual(immutable=[age, side], ranges=[[hours, -1, 1], [pay, 0, 3]])"
    )
    rows = pl.read_parquet("plan.probes/*.parquet")
    x = dict(zip(people[0]["person"], people[0].select(NAMES).to_numpy(), strict=True))
    changed = set()
    for row in rows.filter(pl.col("recourse") == 1).iter_rows(named=True):
        changes = json.loads(row["changes"])
        changed |= {*changes}
        z = x[row["source"]].copy()
        for name, (before, after) in changes.items():
            assert z[NAMES.index(name)] == before
            z[NAMES.index(name)] = after
            low, high = {"hours": (-1, 1), "pay": (0, 3)}[name]
            assert low <= after <= high
        # With these values the model says yes.
        assert z @ WEIGHTS - 0.5 > 0
    assert changed == {"pay", "hours"}
    without = (rows["recourse"] == 0).sum()
    assert 0 < found["no_recourse"][0]["value"] == without / rows["recourse"].count()


def test_evidence_holds_no_example_and_no_change(audited):
    audited("explain.counterfactual")
    rows = pl.read_parquet("plan.probes/*.parquet").filter(pl.col("recourse") == 1)
    with zipfile.ZipFile("out.evidence.zip") as file:
        whole = b"\n".join(file.read(name) for name in file.namelist()).decode(errors="replace")
    whole += Path("out.html").read_text(encoding="utf-8")
    assert '"feature"' not in whole
    for row in rows.iter_rows(named=True):
        assert row["source"] not in whole
        for _, after in json.loads(row["changes"]).values():
            assert repr(after) not in whole


def test_changes_are_counted_and_examples_shown_where_they_are_asked_for(people, probe):
    status, out, _ = probe("explain.counterfactual", "--immutable", "age,pay", "--json")
    assert status == 0
    found = json.loads(out)["recourse"]
    rows = pl.read_parquet("out.parquet")
    turned = rows.filter(pl.col("recourse") == 1)
    assert found == {
        "unfavourable": rows["recourse"].count(),
        "without": rows["recourse"].count() - len(turned),
        "changed": {"hours": len(turned)},
        "examples": [],
    }
    words = ["--immutable", "age", "--ranges", "pay=-9:9", "--examples", "4"]
    status, out, _ = probe("explain.counterfactual", *words, "--json")
    shown = json.loads(out)["recourse"]["examples"]
    costs = pl.read_parquet("out.parquet")["recourse_cost"].drop_nulls()
    assert len(shown) == 4
    assert [one["cost"] for one in shown] == sorted(one["cost"] for one in shown)
    assert (shown[0]["cost"], shown[-1]["cost"]) == (costs.min(), costs.max())
    x = dict(zip(people[0]["person"], people[0].select(NAMES).rows(named=True), strict=True))
    for one in shown:
        for part in one["changes"]:
            assert part["before"] == x[one["source"]][part["feature"]]
    status, out, _ = probe("explain.counterfactual", *words)
    assert "examples from the cheapest to the dearest" in out
    assert all(f"  {one['source']}, cost {one['cost']:.3g}: " in out for one in shown)


def test_next_command_compares_who_has_no_way_and_what_it_costs(probe, evenhand):
    _, out, _ = probe("explain.counterfactual", "--group", "side")
    words = shlex.split(out.strip().splitlines()[-1])
    for measure in ("no_recourse", "mean_recourse_cost"):
        assert {measure, f"difference({measure}, by=side)"} <= {*words}
    assert evenhand(*words[1:])[0] == 0


def test_examples_of_what_has_none_are_refused(probe):
    status, _, err = probe("explain.permutation", "--examples", "3")
    assert status == 2
    assert "explain.permutation has none" in err
    assert "explain.counterfactual" in err


def test_where_nobody_is_refused_figures_are_undefined_and_say_why(probe):
    status, out, _ = probe("explain.counterfactual", "--json", model="always")
    assert status == 0
    document = json.loads(out)
    assert document["recourse"]["unfavourable"] == 0
    (one,) = document["variants"]
    for measure in ("no_recourse", "mean_recourse_cost"):
        assert "the decision is favourable" in one[measure]["undefined"]
    assert probe("explain.counterfactual", "--examples", "2", model="always")[0] == 0


def test_where_nothing_turns_anybody_all_are_counted_and_shown(probe):
    status, out, _ = probe("explain.counterfactual", "--examples", "2", model="never")
    assert status == 0
    assert "of 300 unfavourable decisions 300 have no change that was found" in out
    assert "examples from" not in out
    status, out, _ = probe("explain.counterfactual", "--json", model="never")
    (one,) = json.loads(out)["variants"]
    assert one["no_recourse"]["value"] == 1
    assert "no change was found" in one["mean_recourse_cost"]["undefined"]


def test_constant_feature_stays_and_is_told(people, probe):
    still = people[0].with_columns(hours=pl.lit(1.0))
    status, out, _ = probe("explain.counterfactual", "--json", inputs=still)
    assert status == 0
    assert "hours" not in json.loads(out)["recourse"]["changed"]
    assert any("constant" in one and "hours" in one for one in json.loads(out)["notes"])
    status, _, err = probe("explain.counterfactual", "--immutable", "age,pay", inputs=still)
    assert status == 2
    assert "no feature is left that may be changed. In these examples hours never changes." in err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--immutable", "agee"], "immutable: there is no feature 'agee'. Did you mean 'age'?"),
        (["--ranges", "agee=1:2"], "ranges: there is no feature 'agee'. Did you mean 'age'?"),
        (["--ranges", "side=1:2"], "the model does not read side, so no change of it"),
        (["--ranges", "age=9:1"], "age from 9 to 1 is no range. The least value comes first"),
        (["--ranges", "age=low:high"], "'age=low:high' is no feature with a least and"),
        (["--ranges", "age=nan:2"], "[age, nan, 2.0] is no feature with a least and"),
        (["--ranges", "age=1:inf"], "[age, 1.0, inf] is no feature with a least and"),
        (["--ranges", "age=0:1,age=0:2"], "age has 2 ranges."),
        (["--immutable", "age", "--ranges", "age=0:1"], "age is to stay as it is, and has a range"),
        (["--immutable", "age,pay,hours"], "no feature is left that may be changed."),
        (["--ranges", "age=-99:0"], "age from -99 to 0 goes beyond the range of inputs"),
    ],
)
def test_features_and_ranges_that_are_none_leave_with_2_and_the_way_out(probe, words, why):
    status, _, err = probe("explain.counterfactual", *words)
    assert status == 2
    assert why in err
    status, out, _ = probe("explain.counterfactual", *words, "--json")
    assert status == 2
    assert all({*one} == {"where", "what", "hint"} for one in json.loads(out)["errors"])


def test_everything_that_is_wrong_is_said_at_once(probe):
    status, _, err = probe("explain.counterfactual", "--immutable", "agee", "--ranges", "pay=3:1")
    assert status == 2
    assert "no feature 'agee'" in err
    assert "pay from 3 to 1" in err


@pytest.mark.parametrize("written", ["ranges=[[age, true, 2]]", "ranges=[age, 1]", "cost=linf"])
def test_parameters_that_are_none_leave_with_2(probe, written):
    status, _, err = probe(f"explain.counterfactual({written})")
    assert status == 2
    assert "explain.counterfactual" in err


def test_model_that_answers_nan_is_refused(probe):
    status, _, err = probe("explain.counterfactual", model="broken")
    assert status == 2
    assert "NaN" in err


def test_plan_that_asks_for_what_is_none_is_told_where(people, evenhand):
    written = "explain.counterfactual(immutable=[agee], ranges=[pay, 3, 1], favourable=maybe)"
    Path("plan.yaml").write_text(PLAN.format(module=people[1], model="linear", probe=written))
    status, out, err = evenhand("check", "plan.yaml")
    assert status == 2
    said = " ".join((out + err).split())
    for part in ("plan.yaml:", "no feature 'agee'", "pay from 3 to 1", "'maybe'"):
        assert part in said
