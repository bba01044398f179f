"""Running a probe: rows are those of the closed form, stopping loses nothing, a budget holds."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import evenhand as eh
from evenhand.errors import EvenhandError, ModelError, OutputError, SourceError
from evenhand.models.function import FunctionModel, linear
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes import work as working
from evenhand.probes.attack.attack import Attacked
from evenhand.probes.attacking import Attacking
from evenhand.probes.kept import forget, kept_in
from evenhand.probes.log import read_made, to_parquet
from evenhand.probes.method import Variant
from evenhand.probes.probe import Probe
from evenhand.probes.run import most_asked, run
from evenhand.probes.threat import Threat
from evenhand.probes.written import probe_of

SPEC = Spec(labels=("no", "yes"), shape=(4,), low=-100.0, high=100.0)
WEIGHTS = np.array([1.0, -2.0, 0.5, 1.5])


def model_of():
    """A linear model: its logit is the margin, and the box does not bind."""
    return linear(np.vstack([np.zeros(4), WEIGHTS]), np.array([0.0, 0.3]), SPEC)


def inputs_for(size=700, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(size, 4))
    label = np.where(x @ WEIGHTS + 0.3 + rng.normal(size=size) > 0, "yes", "no")
    groups = {"side": rng.choice(["left", "right"], size), "unused": np.arange(size)}
    return inputs_of(x, SPEC, labels=label, ids=[f"id-{i}" for i in range(size)], groups=groups)


PROBE = probe_of("attack.pgd(steps=5)", eps=["0.1", "0.5"])


def probed(**how):
    inputs = how.pop("inputs", None) or inputs_for()
    model = how.pop("model", None) or model_of()
    return run(how.pop("probe", PROBE), model, inputs, version="0.1.0", **how)


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
def test_rows_are_those_of_the_closed_form(norm, dual):
    inputs = inputs_for()
    rows = probed(probe=probe_of("attack.pgd(start=false)", eps=[0.1, 0.5], norm=norm)).rows
    logit = inputs.x @ WEIGHTS + 0.3
    signed = np.where(inputs.labels == 1, logit, -logit)
    distance = signed / np.linalg.norm(WEIGHTS, dual)
    for eps in (0.1, 0.5):
        some = rows.filter(pl.col("eps") == eps)
        assert some["source"].to_list() == inputs.ids.tolist()
        assert some["correct"].to_list() == (signed > 0).tolist()
        clear = np.abs(distance - eps) > 1e-6
        assert (some["robust"].to_numpy() == (distance > eps))[clear].all()


def test_row_tells_classes_by_name_what_broke_it_and_what_it_cost():
    rows = probed(groups=["side"]).rows
    assert rows.columns == [
        *("source", "label", "prediction", "variant", "norm", "eps", "correct", "robust"),
        *("broken_by", "queries", "side"),
    ]
    assert {*rows["label"]} == {"no", "yes"}
    assert (rows["correct"] == (rows["label"] == rows["prediction"])).all()
    # Robust implies right; what is not robust was wrong, or was broken by the attack.
    by = rows.with_columns(
        told=pl.when("robust")
        .then(None)
        .when("correct")
        .then(pl.lit("attack.pgd(steps=5)"))
        .otherwise(pl.lit("clean"))
    )
    assert by["broken_by"].to_list() == by["told"].to_list()


def test_groups_stay_with_their_source_example():
    inputs = inputs_for()
    rows = probed(groups=["side", "label"], inputs=inputs).rows
    side = dict(zip(inputs.ids.tolist(), inputs.table["side"], strict=True))
    assert rows["side"].to_list() == [side[source] for source in rows["source"]]


@pytest.mark.parametrize(("group", "said"), [("sid", "Did you mean 'side'"), ("eps", "itself")])
def test_group_that_cannot_be_is_refused_before_any_query(group, said):
    model, inputs = model_of(), inputs_for(20)
    inputs.table.insert_column(0, pl.Series("eps", [1] * 20))
    with pytest.raises(ModelError, match=said):
        probed(groups=[group], model=model, inputs=inputs)
    assert model.queries == 0


def test_inputs_without_classes_are_refused():
    inputs = inputs_of(np.zeros((2, 4)), SPEC)
    with pytest.raises(ModelError, match="--label"):
        probed(inputs=inputs)


def test_same_seed_same_rows_and_another_seed_another_start():
    one, other = probed(), probed()
    assert_frame_equal(one.rows, other.rows)


class StoppedHereError(Exception):
    """Somebody pulls the plug."""


class Faulty:
    """A model that fails after so many queries."""

    def __init__(self, most):
        self._inner, self._most = model_of(), most

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def vjp(self, x, slope):
        if self._inner.queries > self._most:
            raise StoppedHereError
        return self._inner.vjp(x, slope)


def test_stopped_probe_goes_on_from_where_it_was(tmp_path):
    whole, folder = probed(), tmp_path / "x.parts"
    with pytest.raises(StoppedHereError):
        probed(model=Faulty(9_000), folder=folder)
    finished = len(kept_in(folder))
    assert 0 < finished < 6
    model = model_of()
    again = probed(model=model, folder=folder)
    assert again.resumed == finished
    assert_frame_equal(again.rows, whole.rows)
    # What earlier runs asked is told too.
    assert again.made.queries == whole.made.queries > model.queries
    forget(folder)
    assert not folder.exists()


def test_block_of_another_seed_attack_or_model_is_not_taken(tmp_path):
    folder = tmp_path / "x.parts"
    probed(folder=folder)
    assert probed(folder=folder).resumed == 6
    assert probed(folder=folder, probe=probe_of("attack.pgd(steps=6)", eps=0.1)).resumed == 0
    seeded = probe_of("attack.pgd(steps=5)", eps=["0.1", "0.5"], seed=2)
    assert probed(folder=folder, probe=seeded).resumed == 0
    other = linear(np.vstack([np.zeros(4), -WEIGHTS]), np.zeros(2), SPEC)
    assert probed(folder=folder, model=other).resumed == 0
    assert probed(folder=folder, inputs=inputs_for(seed=2)).resumed == 0
    assert run(PROBE, model_of(), inputs_for(), version="0.2.0", folder=folder).resumed == 0


def test_a_number_of_pictures_below_0_is_refused_before_any_query():
    model = model_of()
    with pytest.raises(ModelError, match="pictures"):
        probed(model=model, pictures=-1)
    assert model.queries == 0


def test_block_that_was_cut_is_made_again(tmp_path):
    folder = tmp_path / "x.parts"
    whole = probed(folder=folder)
    path = kept_in(folder)[0]
    path.write_bytes(path.read_bytes()[:100])
    again = probed(folder=folder)
    assert again.resumed == 5
    assert_frame_equal(again.rows, whole.rows)


def test_budget_is_never_exceeded_and_what_is_finished_is_kept(tmp_path):
    folder, model = tmp_path / "x.parts", model_of()
    with pytest.raises(ModelError, match="--max-queries") as caught:
        probed(model=model, folder=folder, max_queries=13_000)
    assert 0 < model.queries <= 13_000
    assert "goes on from there" in str(caught.value)
    again = probed(folder=folder, max_queries=100_000)
    assert 0 < again.resumed < 6
    assert_frame_equal(again.rows, probed().rows)


def test_budget_below_one_block_asks_nothing():
    model = model_of()
    with pytest.raises(ModelError, match=r"0 of 1,400 rows are done"):
        probed(model=model, max_queries=10)
    assert model.queries == 0


def test_folder_that_cannot_be_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be kept"):
        probed(folder=tmp_path / "file" / "x.parts")


def test_progress_ends_at_the_whole_and_never_goes_back(monkeypatch):
    monkeypatch.setattr(working, "_SOON", -1.0)
    told = []
    probed(progress=lambda what, share: told.append((what, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert any("left" in what for what, _ in told)
    assert {what.partition(":")[0] for what, _ in told} == {
        *("checking what was said of the model", "linf 0.1", "linf 0.5")
    }


def test_model_that_changes_on_the_way_is_told(monkeypatch):
    model = model_of()
    answers = iter(["sha256:a", "sha256:b"])
    monkeypatch.setattr(model, "fingerprint", lambda: next(answers))
    assert "changed while it was probed" in probed(model=model).made.probe["notes"][-1]


def leaning():
    """A model whose answer to an input hangs on the others of its batch."""
    return FunctionModel(
        lambda x: x @ np.vstack([-WEIGHTS, WEIGHTS]).T + x.mean() * np.array([0, 9]), SPEC
    )


def test_model_that_is_not_what_was_said_is_refused_before_it_is_attacked(tmp_path):
    probe = probe_of("attack.square(queries=20)", eps=0.1)
    with pytest.raises(ModelError, match="spec, batch") as caught:
        probed(probe=probe, model=leaning(), folder=tmp_path / "x.parts")
    assert "--believe" in str(caught.value)
    assert not kept_in(tmp_path / "x.parts")


def test_who_believes_goes_on_and_the_log_tells_the_doubt():
    probe = probe_of("attack.square(queries=20)", eps=0.1)
    found = probed(probe=probe, model=leaning(), believe=True)
    assert any(note.startswith("certain (batch)") for note in found.made.probe["notes"])
    assert len(found.rows) == 700


def test_resumed_probe_does_not_check_again(tmp_path):
    folder = tmp_path / "x.parts"
    whole = probed(folder=folder)
    model = model_of()
    again = probed(model=model, folder=folder)
    assert model.queries == 0
    assert again.made.probe == whole.made.probe
    assert again.made.queries == whole.made.queries


def test_file_tells_what_made_it(tmp_path):
    found = probed(groups=["side"])
    path = tmp_path / "attacked.parquet"
    path.write_bytes(to_parquet(found.rows, found.made))
    made = read_made(path)
    assert made == found.made
    assert made.probe["name"] == "attack.pgd(steps=5)"
    assert made.model["spec"]["labels"] == ["no", "yes"] or tuple(made.model["spec"]["labels"]) == (
        "no",
        "yes",
    )
    assert made.seed == 1
    assert made.flags is None
    metadata = pl.read_parquet_metadata(path)
    keys = {"probe", "model", "seed", "queries", "flags", "version"}
    assert {f"evenhand.{key}" for key in keys} <= {*metadata}
    assert json.loads(metadata["evenhand.queries"]) == found.made.queries
    assert_frame_equal(pl.read_parquet(path), found.rows)


def test_file_that_no_probe_wrote_is_refused(tmp_path):
    path = tmp_path / "x.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(path)
    with pytest.raises(SourceError, match="no probe wrote it"):
        read_made(path)


class Exact:
    """An attack that knows the closed form of the linear model, and gives up beyond eps."""

    name, needs, minimal = "exact", None, True

    def most(self, model):
        del model
        return 1

    def notes(self, model):
        del model
        return ()

    def run(self, model, x, labels, threat, rng, *, progress):
        del rng
        logit = x @ WEIGHTS + 0.3
        signed = np.where(labels == 1, logit, -logit) / np.linalg.norm(WEIGHTS)
        clean = model.predict(x) != labels
        found = clean | (signed <= threat.eps)
        progress("", 1.0)
        return Attacked(
            examples=x,
            broken=found,
            queries=np.ones(len(x), np.int64),
            distance=np.where(clean, 0.0, np.where(found, signed, np.nan)),
            broken_by=np.where(clean, "clean", np.where(found, "exact", "")),
        )


def test_attack_that_looks_for_the_smallest_change_writes_its_norm():
    inputs = inputs_for(200)
    exact = Probe(Attacking(Exact(), (Variant("l2 1", Threat("l2", 1.0)),)))
    rows = probed(probe=exact, inputs=inputs).rows
    logit = inputs.x @ WEIGHTS + 0.3
    signed = np.where(inputs.labels == 1, logit, -logit) / np.linalg.norm(WEIGHTS)
    found = rows["minimal_norm"]
    assert found.is_null().to_list() == (signed > 1).tolist()
    assert found.drop_nulls().to_numpy() == pytest.approx(np.maximum(signed[signed <= 1], 0))
    log = eh.log(rows, kind="perturbed")
    for eps in (0.0, 0.3, 0.9):
        value = eh.estimate(f"accuracy_within(eps={eps})", log).value
        assert value == pytest.approx((signed > eps).mean())


def test_python_gives_a_log_that_is_ready_to_be_measured(tmp_path):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 4))
    y = np.where(x @ WEIGHTS + 0.3 > 0, "yes", "no")
    side = rng.choice(["left", "right"], 300).tolist()
    out = tmp_path / "attacked.parquet"
    log = eh.probe(
        model_of(), x, "attack.pgd(eps=0.1, steps=5)", labels=y, groups={"side": side}, out=out
    )
    found = eh.estimate("difference(robust_accuracy, by=side)", log)
    assert found.units == 300
    same = eh.log(out, kind="perturbed", groups=["side"])
    assert eh.estimate("difference(robust_accuracy, by=side)", same).value == found.value
    assert not out.with_name("attacked.parquet.parts").exists()
    with pytest.raises(OutputError, match="there already"):
        eh.probe(model_of(), x, "attack.pgd(eps=0.1)", labels=y, out=out)


@pytest.mark.parametrize(
    ("x", "how"),
    [
        (np.zeros(4), {}),
        (np.array([["a"]]), {}),
        (np.zeros((3, 4)), {"labels": ["yes"], "ids": [1, 2]}),
        (np.zeros((3, 4)), {"groups": ["side"]}),
    ],
)
def test_arrays_that_are_no_inputs_are_refused(x, how):
    with pytest.raises(EvenhandError):
        eh.probe(model_of(), x, "attack.pgd(eps=0.1)", **how)


def test_flags_are_judged_once_and_within_the_groups_too(tmp_path):
    folder, inputs = tmp_path / "x.parts", inputs_for(300)
    how = {"inputs": inputs, "groups": ["side"], "judged": True}
    whole = probed(folder=folder, **how)
    assert [one["variant"] for one in whole.made.flags] == ["linf 0.1", "linf 0.5"]
    assert all(one["flags"] for one in whole.made.flags)
    assert {group["group"] for group in whole.made.flags[0]["groups"]} == {"left", "right"}
    model = model_of()
    again = probed(folder=folder, model=model, **how)
    assert model.queries == 0
    assert again.made == whole.made
    # Whether anybody looks changes no row.
    assert_frame_equal(again.rows, probed(inputs=inputs, groups=["side"]).rows)
    path = tmp_path / "x.parquet"
    path.write_bytes(to_parquet(whole.rows, whole.made))
    assert read_made(path) == whole.made


def test_flags_are_judged_anew_where_the_examples_of_a_group_are_others(tmp_path):
    folder, first, later = tmp_path / "x.parts", inputs_for(300), inputs_for(300)
    how = {"folder": folder, "groups": ["side"], "judged": True}
    probed(inputs=first, **how)
    renamed = later.table.with_columns(side=pl.col("side").replace("left", "west"))
    found = probed(inputs=replace(later, table=renamed), **how)
    assert found.resumed == 4
    assert {group["group"] for group in found.made.flags[0]["groups"]} == {"west", "right"}


def test_budget_that_is_used_up_leaves_no_flags_and_says_so():
    model = model_of()
    most = most_asked(PROBE, model, 300)
    found = probed(inputs=inputs_for(300), model=model, judged=True, max_queries=most)
    assert model.queries <= most
    assert found.made.flags is None
    assert "nothing to look for flags with" in found.made.probe["notes"][-1]


def test_what_a_probe_may_ask_is_told_before():
    model, inputs = model_of(), inputs_for(300)
    most = most_asked(PROBE, model, 300, judged=True)
    found = probed(inputs=inputs, model=model, judged=True, max_queries=most)
    assert found.made.flags is not None
    assert model.queries <= most
