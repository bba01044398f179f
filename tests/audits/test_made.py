"""Evidence of a probe's log keeps what made it."""

import json

import polars as pl
import pytest

import probed
from evenhand.audits.evidence import read_bundle, verify, write_bundle
from evenhand.audits.evidence.comparison import diff
from evenhand.audits.evidence.content import bundle_of, members_of
from evenhand.audits.plan import Located, plan_from
from evenhand.audits.plan.fit import fit
from evenhand.audits.run import conclude, count_rows, run
from evenhand.audits.states.file import read_states, write_states
from evenhand.audits.states.states import fit_states
from evenhand.errors import BundleError

FLAGS = [probed.trust("linf 0.05"), probed.trust("linf 0.1", raised=True, groups=["thin"])]
SLICES = ["variant == 'linf 0.05'", "variant == 'linf 0.1'"]


def fitted(source, engine=None, kind="perturbed", **content):
    content = {
        "evenhand": 1,
        "log": {"source": str(source), "kind": kind},
        "groups": {"stroke": "stroke"},
        "measures": [{"measure": "worst(robust_accuracy, by=stroke)", "slices": SLICES}],
        **content,
    }
    return fit(plan_from(Located("", content, {})), engine=engine)


@pytest.fixture
def path(tmp_path):
    return probed.log(tmp_path / "a.parquet", flags=FLAGS)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_evidence_says_what_made_the_rows(path, tmp_path, engine):
    bundle = run(fitted(path, engine), version="test")
    (told,) = bundle.environment["probes"]
    wanted = json.loads(json.dumps(vars(probed.made(["linf 0.05", "linf 0.1"], FLAGS))))
    assert told == wanted
    assert "files_without_probe" not in bundle.environment
    out = tmp_path / "x.evidence.zip"
    write_bundle(bundle, out)
    assert verify(out).ok
    again = read_bundle(out)
    assert again.probes == bundle.probes
    (one,) = again.probes
    assert one.model.name == "digit_models:cnn"
    assert one.trust("linf 0.1").verdict == "not reliable"
    assert [flag.name for flag in one.trust("linf 0.1").raised] == ["effort"]
    assert one.trust("linf 0.2") is None
    assert diff(bundle, again).same


def test_several_files_are_each_told_once_and_those_that_do_not_tell_are_counted(tmp_path):
    probed.log(tmp_path / "a.parquet", ["linf 0.05"], FLAGS[:1])
    probed.log(tmp_path / "b.parquet", ["linf 0.1"], FLAGS[1:])
    probed.rows(["linf 0.2"]).write_parquet(tmp_path / "c.parquet")
    bundle = run(fitted(tmp_path / "*.parquet"), version="test")
    assert [one.probe.variants for one in bundle.probes] == [["linf 0.05"], ["linf 0.1"]]
    assert bundle.files_without_probe == 1


def test_other_logs_say_nothing_of_probes(tmp_path):
    probed.rows(["linf 0.05"]).write_parquet(tmp_path / "a.parquet")
    bundle = run(fitted(tmp_path / "a.parquet"), version="test")
    assert bundle.probes == ()
    assert not {*bundle.environment} & {"probes", "files_without_probe"}
    # Whoever audits a probe's log as something else learns nothing of attacks there.
    decisions = fitted(
        probed.log(tmp_path / "b.parquet"),
        kind="decisions",
        roles={"prediction": "robust"},
        measures=["selection_rate"],
    )
    assert "probes" not in run(decisions, version="test").environment


@pytest.mark.parametrize(
    "wrong",
    [
        {"flags": [{"variant": 1}]},
        {"model": "a model"},
        {"queries": -1},
        {"model": {"name": "m", "fingerprint": "f", "spec": {"low": float("nan")}}},
    ],
)
def test_metadata_that_are_not_as_a_probe_writes_them_tell_nothing(tmp_path, wrong):
    path = probed.log(tmp_path / "a.parquet", **{"flags": FLAGS, **wrong})
    assert run(fitted(path), version="test").probes == ()


def test_no_folder_of_a_model_or_of_inputs_is_kept(tmp_path):
    model = {"name": "/home/somebody/net.onnx", "fingerprint": "f", "spec": {}}
    inputs = {"name": "C:\\people\\digits.parquet", "examples": 1, "digest": "d"}
    path = probed.log(tmp_path / "a.parquet", flags=None, model=model, inputs=inputs)
    (one,) = run(fitted(path), version="test").probes
    assert (one.model.name, one.inputs.name) == ("net.onnx", "digits.parquet")


def test_states_keep_what_made_their_rows(path, tmp_path):
    gate = [{"id": "r", "rule": "worst(robust_accuracy, by=stroke) >= 0.3", "reliable": True}]
    asked = fitted(path, gate=gate)
    counted = count_rows(asked, version="0.1")
    write_states(counted, tmp_path / "x.states")
    again = read_states(tmp_path / "x.states")
    assert again.makers == counted.makers
    bundle = conclude(fit_states(again), again, version="0.1")
    assert bundle.probes == run(asked, version="0.1").probes
    assert [one.verdict for one in bundle.rules] == ["pass", "undecided"]


@pytest.mark.parametrize(
    "wrong", [{"probes": {}}, {"probes": [{"probe": 1}]}, {"files_without_probe": -1}]
)
def test_evidence_whose_probes_are_not_as_the_format_says_is_refused(path, wrong):
    bundle = run(fitted(path), version="test")
    members = dict(members_of(bundle))
    members["environment.json"] = json.dumps(
        {**bundle.environment, **wrong}, sort_keys=True, separators=(",", ":")
    ).encode()
    with pytest.raises(BundleError, match=r"environment\.json"):
        bundle_of(members)


def test_a_group_is_named_as_findings_name_it(tmp_path):
    groups = [{"group": 3, "verdict": "reliable", "raised": []}]
    flags = [{**probed.trust("linf 0.05"), "by": "label", "groups": groups}]
    path = probed.log(tmp_path / "a.parquet", ["linf 0.05"], flags)
    bundle = run(fitted(path), version="test")
    assert bundle.probes[0].flags[0].groups[0].name == "3"
    assert pl.read_parquet(path)["variant"].unique().to_list() == ["linf 0.05"]
