"""Logs of perturbed examples: the unit is the source example, a figure is of one variant."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import evenhand as eh
from evenhand.cli.main import app
from evenhand.errors import PlanError, RoleError, StateMergeError, ValueInLogError


def rows_of(variants=("linf 0.1",), size=200, seed=3):
    """Rows of a probe: each source example once in every variant."""
    rng = np.random.default_rng(seed)
    correct = rng.random(size) < 0.9
    group = rng.choice(["a", "b"], size)
    parts = []
    for place, variant in enumerate(variants):
        robust = correct & (rng.random(size) < 0.8 - 0.2 * place)
        parts.append(
            pl.DataFrame(
                {
                    "source": np.arange(size),
                    "group": group,
                    "variant": variant,
                    "eps": 0.1 * (place + 1),
                    "correct": correct,
                    "robust": robust,
                }
            )
        )
    return pl.concat(parts)


def test_unit_is_the_source_example_when_nothing_is_said():
    log = eh.log(rows_of(), kind="perturbed")
    assert str(log.unit) == "source"
    assert eh.estimate("robust_accuracy", log).units == 200


def test_row_is_refused_as_unit_with_the_reason():
    with pytest.raises(RoleError, match=r"15 variants an example would be 2\.45 times"):
        eh.log(rows_of(), kind="perturbed", unit="row")


def test_row_is_refused_in_a_plan_that_says_it():
    plan = {"evenhand": 1, "log": {"source": "x", "kind": "perturbed"}, "unit": "row"}
    with pytest.raises(PlanError, match="the row is no unit"):
        eh.audit(plan, table=rows_of())


def test_without_a_source_the_column_of_ids_is_asked_for():
    with pytest.raises(RoleError, match="--unit"):
        eh.log(rows_of().rename({"source": "image"}), kind="perturbed")
    log = eh.log(rows_of().rename({"source": "image"}), kind="perturbed", unit="image")
    assert eh.estimate("clean_accuracy", log).units == 200


def test_log_that_does_not_tell_its_variants_is_refused():
    with pytest.raises(RoleError, match="--variant COLUMN"):
        eh.log(rows_of().drop("variant"), kind="perturbed")
    assert eh.log(rows_of().drop("variant"), kind="perturbed", variant="eps").roles["variant"]


def test_figure_over_several_variants_is_refused_on_every_engine(tmp_path, engine):
    path = tmp_path / "attacked.parquet"
    rows_of(["linf 0.1", "linf 0.2"]).write_parquet(path)
    log = eh.log(path, kind="perturbed", engine=engine)
    with pytest.raises(ValueInLogError) as caught:
        eh.estimate("robust_accuracy", log)
    text = str(caught.value)
    assert "2 variants, linf 0.1, linf 0.2" in text
    assert "--where" in text
    assert "--slice \"variant == 'linf 0.1'\"" in text
    one = eh.log(path, kind="perturbed", engine=engine, where="variant == 'linf 0.2'")
    assert eh.estimate("robust_accuracy", one).rows == 200


def test_variants_that_share_no_example_are_seen_too(tmp_path):
    # Rows are as many as units here: counting them would not tell.
    halves = [
        rows_of([name]).filter(pl.col("source") % 2 == part) for part, name in enumerate("ab")
    ]
    for part, half in enumerate(halves):
        half.write_parquet(tmp_path / f"{part}.parquet")
    log = eh.log(tmp_path / "*.parquet", kind="perturbed")
    with pytest.raises(ValueInLogError, match="2 variants, a, b"):
        eh.estimate("robust_accuracy", log)


def test_variants_by_number_are_named_in_the_filter():
    log = eh.log(rows_of(["x", "y"]), kind="perturbed", variant="eps")
    with pytest.raises(ValueInLogError, match=r'where="eps == 0\.1"'):
        eh.estimate("robust_accuracy", log)


def plan_of(*, slices=(), rules=()):
    return {
        "evenhand": 1,
        "log": {"source": "attacked.parquet", "kind": "perturbed"},
        "groups": {"group": "group"},
        "measures": [
            {"measure": "difference(robust_accuracy, by=group)", "slices": [*slices]},
        ],
        "gate": [{"id": f"r{n}", "rule": rule} for n, rule in enumerate(rules)],
    }


def test_plan_whose_measures_name_slices_is_answered_in_these_alone():
    slices = ["variant == 'linf 0.1'", "variant == 'linf 0.2'"]
    rule = "difference(robust_accuracy, by=group) <= 0.5"
    bundle = eh.audit(plan_of(slices=slices, rules=[rule]), table=rows_of(["linf 0.1", "linf 0.2"]))
    assert [finding.slice for finding in bundle.findings] == slices
    assert [verdict.scope for verdict in bundle.rules] == slices
    assert {verdict.verdict for verdict in bundle.rules} == {"pass"}


def test_plan_over_several_variants_is_refused():
    with pytest.raises(ValueInLogError, match="2 variants"):
        eh.audit(plan_of(), table=rows_of(["linf 0.1", "linf 0.2"]))


def test_slice_that_holds_several_variants_is_refused():
    with pytest.raises(ValueInLogError, match="2 variants"):
        eh.audit(plan_of(slices=["eps > 0"]), table=rows_of(["linf 0.1", "linf 0.2"]))


def test_states_of_several_variants_are_not_merged(tmp_path):
    paths = []
    for name in ("linf 0.1", "linf 0.2"):
        paths.append(tmp_path / f"{name[-1]}.states")
        eh.audit(plan_of(), table=rows_of([name]), states=paths[-1])
    with pytest.raises(StateMergeError, match="Audit the files together"):
        eh.merge(paths, tmp_path / "all.states", unknown_inputs=True)


def test_states_of_slices_do_not_answer_for_all_rows(tmp_path):
    path = tmp_path / "x.states"
    slices = ["variant == 'linf 0.1'", "variant == 'linf 0.2'"]
    eh.audit(plan_of(slices=slices), table=rows_of(["linf 0.1", "linf 0.2"]), states=path)
    assert len(eh.audit(from_states=path).findings) == 2
    with pytest.raises(StateMergeError, match="counted for slices"):
        eh.audit(plan_of(), from_states=path)


def test_two_versions_of_a_model_are_paired_by_their_source_examples():
    from evenhand.audits.evidence.pairing import pairing_of

    before, after = (eh.audit(plan_of(), table=rows_of(size=1_000, seed=seed)) for seed in (1, 2))
    assert pairing_of(before, after).paired


def test_command_line_needs_no_roles_for_a_log_of_a_probe(tmp_path):
    path = tmp_path / "attacked.parquet"
    rows_of().write_parquet(path)
    words = ["audit", str(path), "--kind", "perturbed", "--group", "group", "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    keys = {finding["key"] for finding in json.loads(result.output)["findings"]}
    assert {"robust_accuracy", "worst(robust_accuracy, by=group)", "robustness_drop"} <= keys
