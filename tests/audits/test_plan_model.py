"""A plan that names a model and probes: closed forms, columns, reuse, evidence, problems."""

from __future__ import annotations

import shutil

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.audits.evidence.archive import packed
from evenhand.audits.modelled import Runner, checked, probed
from evenhand.audits.plan import Located, parse_plan, plan_from
from evenhand.audits.plan.file import check_plan, open_plan
from evenhand.audits.plan.fit import fit
from evenhand.audits.plan.opened import Trust
from evenhand.audits.run import conclude, count_rows
from evenhand.errors import EvenhandError, ModelError, OutputError, PlanError, StateMergeError
from evenhand.probes.log import read_made
from made_models import Endpoint
from made_models import served as serving

MODULE = """
import numpy as np
from evenhand.models.function import linear
from evenhand.models.spec import Spec

SPEC = Spec(labels=("no", "yes"), shape=(2,), low=-9.0, high=9.0)
IMAGES = Spec(labels=(0, 1), shape=(8, 8), layout="HW")

def model():
    return linear(np.array([[0.0, 0.0], [1.0, -2.0]]), np.zeros(2), SPEC)

def other():
    return linear(np.array([[0.0, 0.0], [1.0, -1.0]]), np.zeros(2), SPEC)

def images():
    weights = np.zeros((2, 8, 8))
    weights[1, :, 4:], weights[1, :, :4] = 1 / 32, -1 / 32
    return linear(weights.reshape(2, 64), np.zeros(2), IMAGES)
"""

PLAN = """
evenhand: 1
subject: {{product: Loans, model: linear, version: 1}}
model:
  address: {module}:model
  inputs: people.parquet
  label: answer
  id: person
  features: [a, b]
  range: [-9, 9]
probes:
- {{probe: "attack.fgsm(eps=[0.1, 1/4])", flags: false}}
groups: {{sex: sex}}
min_units: 0
"""

COUNT = 300


def module_of(folder):
    return "models_" + "".join(one if one.isalnum() else "_" for one in folder.name)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a module of models, people with a group, and a plan; not the current one."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (tmp_path / f"{module_of(tmp_path)}.py").write_text(MODULE)
    people().write_parquet(tmp_path / "people.parquet")
    write(tmp_path)
    return tmp_path


def people():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(COUNT, 2))
    noise = rng.normal(size=COUNT) * 0.5
    return pl.DataFrame(
        {
            "person": [f"p{i}" for i in range(COUNT)],
            "a": x[:, 0],
            "b": x[:, 1],
            "answer": np.where(x[:, 0] - 2 * x[:, 1] + noise > 0, "yes", "no"),
            "sex": rng.choice(["f", "m"], COUNT),
            "age": rng.integers(18, 80, COUNT),
        }
    )


def write(folder, *changes, name="audit.yaml"):
    text = PLAN.format(module=module_of(folder))
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text)
    return path


def run(path, **said):
    """Return the evidence of a plan, and what was told before anything was done."""
    told = []
    runner = Runner(**{"version": "0", **said}, tell=told.append)
    fitted = open_plan(path, runner=runner)
    return conclude(fitted, count_rows(fitted, version="0"), version="0"), told


def figures(bundle):
    return {
        (one.key, one.slice): one.outcome.value
        for one in bundle.findings
        if hasattr(one.outcome, "value")
    }


def closed_form(eps, weights=(1.0, -2.0)):
    """Return which people are right, and stay so whatever is changed by eps, by their margin."""
    table = people()
    score = table["a"].to_numpy() * weights[0] + table["b"].to_numpy() * weights[1]
    margin = np.where(table["answer"].to_numpy() == "yes", score, -score)
    return margin > 0, margin > eps * np.abs(weights).sum()


class TestAudit:
    def test_figures_by_group_are_those_of_the_closed_form(self, folder):
        path = write(
            folder,
            (
                "min_units: 0",
                "min_units: 0\nmeasures:\n"
                + "".join(
                    f"""- {{measure: "{one}", slices: ["variant == 'linf 0.1'", """
                    """"variant == 'linf 1/4'"]}\n"""
                    for one in (
                        "robust_accuracy",
                        "robustness_drop",
                        "worst(robust_accuracy, by=sex)",
                        "difference(robust_accuracy, by=sex)",
                    )
                ),
            ),
        )
        bundle, _ = run(path)
        found, sex = figures(bundle), people()["sex"].to_numpy()
        for name, eps in (("linf 0.1", 0.1), ("linf 1/4", 0.25)):
            clean, robust = closed_form(eps)
            assert 0.05 < robust.mean() < clean.mean() < 1
            scope = f"variant == '{name}'"
            by = [robust[sex == one].mean() for one in ("f", "m")]
            assert found["robust_accuracy", scope] == pytest.approx(robust.mean())
            assert found["robustness_drop", scope] == pytest.approx(clean.mean() - robust.mean())
            assert found["worst(robust_accuracy, by=sex)", scope] == pytest.approx(min(by))
            difference = found["difference(robust_accuracy, by=sex)", scope]
            assert difference == pytest.approx(max(by) - min(by))

    def test_without_measures_each_attack_is_measured_in_its_slice(self, folder):
        bundle, _ = run(folder / "audit.yaml")
        measured = {(one.key, one.slice) for one in bundle.findings}
        plain = ("clean_accuracy", "robust_accuracy", "attack_success_rate", "robustness_drop")
        assert measured == {
            (text, f"variant == '{name}'")
            for one in plain
            for text in (one, f"difference({one}, by=sex)", f"worst({one}, by=sex)")
            for name in ("linf 0.1", "linf 1/4")
        }

    def test_python_and_a_mapping_give_what_the_file_gives(self, folder, monkeypatch):
        from_file = eh.audit(folder / "audit.yaml")
        monkeypatch.chdir(folder)
        plan, _ = parse_plan((folder / "audit.yaml").read_text())
        from_mapping = eh.audit(plan.to_dict())
        assert figures(from_file) == figures(from_mapping)
        assert (folder / "audit.probes" / "1-attack.fgsm.parquet").exists()

    def test_one_engine_gives_what_the_other_gives(self, folder):
        polars = eh.audit(folder / "audit.yaml", engine="polars")
        duckdb = eh.audit(folder / "audit.yaml", engine="duckdb")
        assert duckdb.environment["engine"].startswith("duckdb")
        first, second = figures(polars), figures(duckdb)
        assert first.keys() == second.keys()
        assert all(second[key] == pytest.approx(first[key], abs=1e-12) for key in first)

    def test_the_unit_may_be_a_column_of_the_inputs_that_no_group_is(self, folder):
        table = people().with_columns(household=pl.int_range(pl.len()) // 3)
        table.write_parquet(folder / "people.parquet")
        bundle, _ = run(write(folder, ("min_units: 0", "min_units: 0\nunit: household")))
        assert bundle.units["unit"] == "household"
        units = {one.units for one in bundle.findings if one.key == "robust_accuracy"}
        assert units == {COUNT // 3}

    def test_a_filter_and_a_side_table_read_columns_of_the_inputs(self, folder):
        table = people().with_columns(zip=pl.int_range(pl.len()) % 7)
        table.write_parquet(folder / "people.parquet")
        regions = pl.DataFrame({"zip": range(7), "region": [*"abababa"]})
        regions.write_parquet(folder / "regions.parquet")
        path = write(
            folder,
            ("{sex: sex}", "{region: region}"),
            (
                "min_units: 0",
                (
                    "log: {where: age > 40}\ntables: [{source: regions.parquet, key: zip}]\n"
                    """measures:\n- {measure: "difference(robust_accuracy, by=region)", """
                    """slices: ["variant == 'linf 0.1'"]}\nmin_units: 0"""
                ),
            ),
        )
        bundle, _ = run(path)
        _, robust = closed_form(0.1)
        meant = table.with_columns(robust=robust).join(regions, on="zip").filter(pl.col("age") > 40)
        each = dict(meant.group_by("region").agg(pl.col("robust").mean()).iter_rows())
        (found,) = figures(bundle).values()
        assert found == pytest.approx(abs(each["a"] - each["b"]))


MIXED = """
evenhand: 1
model:
  address: {module}:images
  inputs: images.parquet
  label: side
  pixels: image
  shape: 8x8
probes:
- {{probe: "attack.fgsm(eps=0.05, certificate=ibp)", flags: false, pictures: 0}}
- {{probe: "corrupt.brightness(severity=[1, 5])", pictures: 4, baseline: "{module}:images"}}
- {{probe: "certify.smoothing(sigma=0.5, n=100, n0=10)", pictures: 0}}
groups: {{ink: ink}}
min_units: 0
"""


@pytest.fixture
def mixed(folder):
    """A plan of an attack, a corruption and a certificate of images."""
    rng = np.random.default_rng(3)
    side = rng.integers(0, 2, 60)
    images = rng.integers(0, 200, (60, 8, 8)).astype(np.uint8)
    # The side that an image is of is a little brighter; a few are of the other one.
    images[np.arange(60), :, 7 * (side ^ (rng.random(60) < 0.1))] += 55
    pl.DataFrame(
        {
            "image": [one.tobytes() for one in images],
            "side": side,
            "ink": rng.choice(["thin", "thick"], 60),
        }
    ).write_parquet(folder / "images.parquet")
    path = folder / "mixed.yaml"
    path.write_text(MIXED.format(module=module_of(folder)))
    return path


class TestMixed:
    def test_the_logs_have_the_columns_that_were_foretold(self, mixed):
        prepared, steps = checked(
            *parse_plan(mixed.read_text(), str(mixed)),
            folder=mixed.parent,
            runner=Runner(version="0"),
        )
        run(mixed)
        logs = [pl.read_parquet(step.log) for step in steps]
        for rows, probe in zip(logs, prepared.probes, strict=True):
            assert dict(rows.schema) == {**prepared.types, "ink": pl.String()}
            assert {*rows["variant"]} == {one.name for one in probe.variants}
            own = {"source", "label", "ink", *probe.method.columns(pl.Int64())}
            empty = {name for name in rows.columns if rows[name].null_count() == len(rows)}
            assert empty == {*rows.columns} - own
            marks = pl.DataFrame([probe.method.marks(one) for one in probe.variants])
            assert len(rows.join(marks, on=marks.columns)) == len(rows)

    def test_each_kind_has_figures_of_its_own_in_its_own_rows(self, mixed):
        bundle, _ = run(mixed)
        found = figures(bundle)
        rows = _rows(mixed)
        attacked = rows.filter(variant="linf 0.05")
        assert found["robust_accuracy", "variant == 'linf 0.05'"] == attacked["robust"].mean()
        bright = rows.filter(pl.col("corruption").is_not_null())
        assert len(bright) == 120
        error = found["mean_corruption_error", "corruption != None"]
        assert error == pytest.approx(1 - bright["corrupted_correct"].mean())
        proved = "variant == 'l2 smoothing(sigma=0.5, n=100, n0=10)'"
        smoothed = rows.filter(norm="l2")
        held = smoothed.filter("correct", pl.col("certified_radius") >= 0.25)
        assert found["certified_accuracy(r=0.25)", proved] == pytest.approx(len(held) / 60)
        robust = [one for one in found if one[0].startswith("bounds(robust_accuracy")]
        assert robust

    def test_a_baseline_that_is_the_model_itself_gives_one(self, mixed):
        found = figures(run(mixed)[0])
        (name,) = [one for one, _ in found if one.startswith("mCE(")]
        assert found[name, "corruption != None"] == pytest.approx(1.0)

    def test_engines_agree_on_rows_of_several_kinds(self, mixed):
        first = figures(eh.audit(mixed, engine="polars"))
        second = figures(eh.audit(mixed, engine="duckdb"))
        assert first.keys() == second.keys()
        assert all(second[key] == pytest.approx(first[key], abs=1e-12) for key in first)

    def test_pictures_lie_beside_the_logs_and_are_no_rows(self, mixed):
        bundle, _ = run(mixed)
        names = sorted(one.name for one in (mixed.parent / "mixed.probes").iterdir())
        assert [one for one in names if "pictures" in one] == [
            "2-corrupt.brightness.pictures.parquet"
        ]
        assert {one.name for one in bundle.inputs} == {one for one in names if "pic" not in one}
        assert bundle.environment["rows"] == 60 * 4


def _rows(path):
    files = (path.parent / f"{path.stem}.probes").glob("*.parquet")
    return pl.concat(pl.read_parquet(one) for one in files if "pictures" not in one.name)


class TestReuse:
    def test_a_finished_log_is_taken_as_it_is(self, folder):
        run(folder / "audit.yaml")
        log = folder / "audit.probes" / "1-attack.fgsm.parquet"
        before = log.read_bytes()
        bundle, told = run(folder / "audit.yaml", trust=Trust(max_queries=1))
        assert told == [f"attack.fgsm: taken from {log}, made by the same probe"]
        assert log.read_bytes() == before
        assert figures(bundle)

    @pytest.mark.parametrize(
        ("old", "new", "why"),
        [
            (":model", ":other", "another model"),
            ("1/4", "1/5", "another probe"),
            ("flags: false", "flags: false, seed: 2", "another seed"),
        ],
    )
    def test_what_was_made_otherwise_is_made_again_and_kept(self, folder, old, new, why):
        first = figures(run(folder / "audit.yaml")[0])
        path = write(folder, (old, new))
        _, told = run(path)
        assert len(told) == 1
        assert "at most" in told[0]
        assert f"is not taken: it is of {why}" in told[0]
        assert (folder / "audit.probes" / "old" / "1-attack.fgsm.parquet.old").exists()
        # Whoever reads the folder reads the rows of the plan alone.
        log = eh.log(folder / "audit.probes", kind="perturbed")
        assert len(log.source.files) == 1
        # Back again, nothing is asked but for the fingerprint.
        bundle, told = run(write(folder), trust=Trust(max_queries=1))
        assert "taken from" in told[0]
        assert figures(bundle) == first

    def test_another_version_may_attack_otherwise(self, folder):
        run(folder / "audit.yaml")
        _, told = run(folder / "audit.yaml", version="99")
        assert "is not taken: it is of another version of Evenhand" in told[0]

    def test_other_inputs_are_probed_again(self, folder):
        run(folder / "audit.yaml")
        people().head(200).write_parquet(folder / "people.parquet")
        bundle, told = run(folder / "audit.yaml")
        assert "is not taken: it is of other inputs" in told[0]
        assert bundle.environment["rows"] == 400

    def test_another_group_is_read_from_the_inputs_anew_and_attacks_nothing(self, folder):
        run(folder / "audit.yaml")
        turned = people().with_columns(sex=pl.lit("x"))
        turned.write_parquet(folder / "people.parquet")
        old = pl.lit("x").alias("sex")
        path = write(folder, ("{sex: sex}", "{sex: sex, age: [40]}"))
        _, told = run(path, trust=Trust(max_queries=1))
        assert "taken from" in told[0]
        rows = pl.read_parquet(folder / "audit.probes" / "1-attack.fgsm.parquet")
        expected = people().with_columns(old).rename({"person": "source"})
        beside = rows.join(expected, on="source", suffix="_of_inputs")
        assert len(beside) == len(rows)
        assert beside["sex"].equals(beside["sex_of_inputs"], check_names=False)
        assert beside["age"].equals(beside["age_of_inputs"], check_names=False)

    def test_flags_that_were_judged_among_other_people_are_looked_for_again(self, folder):
        path = write(folder, (", flags: false", ""))
        run(path)
        _, told = run(path, trust=Trust(max_queries=1))
        assert "taken from" in told[0]
        turned = people().with_columns(sex=pl.col("sex").reverse())
        turned.write_parquet(folder / "people.parquet")
        _, told = run(path)
        assert "is not taken: its flags are judged within other groups" in told[0]

    def test_a_log_whose_rows_are_cut_is_made_again(self, folder):
        run(folder / "audit.yaml")
        log = folder / "audit.probes" / "1-attack.fgsm.parquet"
        made = read_made(log)
        pl.read_parquet(log).head(-1).write_parquet(log, metadata=made.metadata())
        bundle, told = run(folder / "audit.yaml")
        assert "is not taken: rows are missing in it" in told[0]
        assert bundle.environment["rows"] == 2 * COUNT

    @pytest.mark.parametrize("written", ["{}", "[]", "null", "5"])
    def test_a_log_that_tells_nonsense_of_what_made_it_is_made_again(self, folder, written):
        run(folder / "audit.yaml")
        log = folder / "audit.probes" / "1-attack.fgsm.parquet"
        nonsense = dict.fromkeys(read_made(log).metadata(), written)
        pl.read_parquet(log).write_parquet(log, metadata=nonsense)
        bundle, told = run(folder / "audit.yaml")
        assert f"{log} is not taken: " in told[0]
        assert bundle.environment["rows"] == 2 * COUNT

    def test_probes_that_change_places_keep_their_logs(self, folder):
        two = '\n- {probe: "attack.pgd(eps=0.5, steps=2)", flags: false}'
        line = '- {probe: "attack.fgsm(eps=[0.1, 1/4])", flags: false}'
        first = figures(run(write(folder, (line, line + two)))[0])
        bundle, told = run(write(folder, (line, two.strip() + "\n" + line)))
        assert all("taken from" in one for one in told)
        assert figures(bundle) == first
        names = sorted(one.name for one in (folder / "audit.probes").iterdir())
        assert names == ["1-attack.pgd.parquet", "2-attack.fgsm.parquet"]

    def test_a_file_of_somebody_else_among_the_logs_is_left_alone(self, folder):
        logs = folder / "logs"
        logs.mkdir()
        shutil.copy(folder / "people.parquet", logs)
        with pytest.raises(OutputError, match="it lies among the logs"):
            run(folder / "audit.yaml", probes=logs)
        assert [one.name for one in logs.iterdir()] == ["people.parquet"]

    def test_what_a_budget_stops_goes_on_and_gives_the_same_rows(self, folder):
        run(folder / "audit.yaml", probes=folder / "whole")
        whole = pl.read_parquet(folder / "whole" / "1-attack.fgsm.parquet")
        # The first block of 256 and both its variants: a look, then 5 queries at most for each.
        with pytest.raises(ModelError, match="rows are done"):
            run(folder / "audit.yaml", trust=Trust(max_queries=4_000))
        kept = folder / "audit.probes" / "1-attack.fgsm.parquet.parts"
        assert len([*kept.glob("*.block")]) in {1, 2, 3}
        bundle, _ = run(folder / "audit.yaml")
        assert not kept.exists()
        assert pl.read_parquet(folder / "audit.probes" / "1-attack.fgsm.parquet").equals(whole)
        assert bundle.environment["rows"] == 2 * COUNT


class TestEvidence:
    def test_it_keeps_the_plan_as_written_without_absolute_paths(self, folder):
        path = write(folder, ("inputs: people.parquet", f"inputs: {folder}/people.parquet"))
        bundle, _ = run(path)
        data, _ = packed(bundle, "x.evidence.zip")
        (folder / "x.evidence.zip").write_bytes(data)
        again = eh.read_bundle(folder / "x.evidence.zip")
        assert again.plan.model.address == f"{module_of(folder)}:model"
        assert again.plan.model.inputs == "people.parquet"
        assert again.plan.probes[0].probe == "attack.fgsm(eps=[0.1, 1/4])"
        assert again.plan.log.kind == "perturbed"
        assert str(folder).encode() not in again.plan.to_yaml().encode()
        assert figures(again) == figures(bundle)

    def test_variables_stay_as_they_are_written(self, folder, monkeypatch):
        monkeypatch.setenv("PEOPLE", str(folder))
        path = write(folder, ("inputs: people.parquet", "inputs: ${PEOPLE}/people.parquet"))
        bundle, _ = run(path)
        assert bundle.plan.model.inputs == "${PEOPLE}/people.parquet"

    def test_states_answer_the_plan_and_do_not_merge(self, folder):
        states = folder / "x.states"
        first = eh.audit(folder / "audit.yaml", states=states)
        again = eh.audit(from_states=states)
        assert figures(again) == figures(first)
        with pytest.raises(StateMergeError, match="perturbed"):
            eh.merge([states, states], folder / "y.states")

    def test_a_plan_of_a_model_has_another_digest_than_one_without(self):
        with_model, _ = parse_plan(PLAN.format(module="m"))
        other, _ = parse_plan(PLAN.format(module="n"))
        assert with_model.digest != other.digest
        again, _ = parse_plan(with_model.to_yaml())
        assert (again, again.digest) == (with_model, with_model.digest)


def problems(path):
    with pytest.raises(PlanError) as caught:
        check_plan(path, runner=Runner(version="0"))
    return [str(one).replace(f"{path}:", "") for one in caught.value.problems]


class TestSecrets:
    @pytest.mark.parametrize("key", ["address", "baseline"])
    def test_nothing_of_the_environment_is_sent_to_an_endpoint(self, folder, monkeypatch, key):
        monkeypatch.setenv("A_SECRET", "hunter2")
        with serving(Endpoint(lambda x: np.zeros((len(x), 2)))) as endpoint:
            written = f"{endpoint.address}/${{A_SECRET}}"
            old = '"attack.fgsm(eps=[0.1, 1/4])", flags: false'
            changes = {
                "address": (f"{module_of(folder)}:model", written),
                "baseline": (old, f'corrupt.fog, baseline: "{written}"'),
            }
            found = problems(write(folder, changes[key]))
            assert endpoint.count == 0
        assert any("would be sent to it" in one for one in found)
        assert not any("hunter2" in one for one in found)


class TestProblems:
    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("attack.fgsm(eps=[0.1, 1/4])", "attack.fgsm", "12 probes[0]: 'attack.fgsm': how far"),
            ("attack.fgsm", "attack.fgms", "12 probes[0]: 'attack.fgms': there is no attack"),
            (
                "attack.fgsm(",
                "bend.fgsm(",
                "12 probes[0]: 'bend.fgsm(eps=[0.1, 1/4])': there is no",
            ),
            ("eps=[0.1", "eps=[a", "12 probes[0]: eps: 'a' is no number."),
            ("eps=[0.1", "eps=[90", "12 probes[0]: "),
            ("label: answer", "label: answr", "7 model.label: there is no column 'answr'."),
            ("[a, b]", "[a, c]", "9 model.features[1]: there is no column 'c'."),
            ("  label: answer\n", "", "4 model.label: the true classes are not known"),
            ("id: person", "id: sex", "8 model.id: 2 ids stand in several rows"),
            ("people.parquet", "peple.parquet", "6 model.inputs: "),
            (
                *("people.parquet", "${NO_SUCH_PLACE}/people.parquet"),
                "6 model.inputs: ${NO_SUCH_PLACE}/people.parquet: the environment variable",
            ),
            (":model", ":modl", "5 model.address: model 'MODULE:modl': MODULE has no 'modl'."),
            ("range: [-9, 9]", "where: c > 5", "10 model.where"),
            ("sex: sex", "sx: sx", "13 groups.sx: there is no column 'sx'."),
            ("id: person", "idd: person", "8 model.idd: there is no key 'idd' here."),
            ("range: [-9, 9]", "range: [-9]", "10 model.range"),
            ("range: [-9, 9]", "range: [-9, 9]\n  shape: 8 by 8", "11 model.shape"),
            (
                "min_units: 0",
                "log: {source: x.parquet}",
                "14 log.source: the plan names a model too",
            ),
            ("min_units: 0", "log: {kind: decisions}", "14 log.kind: probes write rows of kind"),
            ("probes:\n- {", "probs:\n- {", "11 probs: there is no key 'probs' here."),
            (
                "min_units: 0",
                "measures: [robust_accuracy]",
                "14 measures: the rows are of 2 variants",
            ),
            (
                "min_units: 0",
                "measures: [{measure: robust_accuracy, slices: [\"variant == 'linf 0.2'\"]}]",
                "14 measures[0].slices[0]: no probe of the plan makes rows of",
            ),
            (
                "min_units: 0",
                "gate: [{id: x, rule: 'mean_corruption_error <= 0.1'}]",
                "14 gate[0].rule: ",
            ),
            (
                "flags: false}",
                'flags: false}\n- "attack.pgd(eps=0.1)"',
                "13 probes[1]: probes[0] makes the variant 'linf 0.1' too",
            ),
            ("flags: false", "baseline: 'm:x'", "12 probes[0].baseline"),
        ],
    )
    def test_an_error_names_its_line(self, folder, old, new, said):
        path = write(folder, (old, new))
        found = problems(path)
        said = said.replace("MODULE", module_of(folder))
        assert any(one.startswith(said) for one in found), found

    def test_all_problems_come_at_once_in_the_order_of_their_lines(self, folder):
        path = write(
            folder,
            ("label: answer", "label: answr"),
            ("attack.fgsm(eps=[0.1, 1/4])", "attack.fgsm"),
            ("min_units: 0", "measures: ['no(']\nseeds: 1"),
        )
        lines = [int(one.split(" ")[0]) for one in problems(path)]
        assert lines == [7, 12, 14, 15]

    def test_a_misspelt_explanation_is_one_all_the_same(self, folder):
        path = write(
            folder,
            ("attack.fgsm(eps=[0.1, 1/4])", "attribute.gradientt"),
            ("min_units: 0", "measures: [mean_absolute_attribution]"),
        )
        (found,) = problems(path)
        assert "there is no attribution 'gradientt'" in found

    def test_a_model_without_probes_and_probes_without_a_model(self):
        text = PLAN.format(module="m")
        with pytest.raises(PlanError, match="the model is not probed"):
            parse_plan(text.split("probes:")[0])
        head, tail = text.split("model:\n", 1)
        without = head + "probes:" + tail.split("probes:")[1]
        with pytest.raises(PlanError) as caught:
            parse_plan(without)
        assert [one.what for one in caught.value.problems] == [
            "the key 'log' is missing.",
            "probes are of a model, and the plan names none.",
        ]

    def test_a_group_called_as_a_column_of_the_log_is_refused(self, folder):
        people().rename({"sex": "norm"}).write_parquet(folder / "people.parquet")
        (found,) = problems(write(folder, ("{sex: sex}", "{norm: norm}")))
        assert found.startswith("13 groups.norm: inputs have a column 'norm', and so have")

    def test_a_module_of_that_name_from_elsewhere_is_not_taken_for_the_one_beside_the_plan(
        self, folder
    ):
        check_plan(folder / "audit.yaml", runner=Runner(version="0"))
        copy = folder / "copy"
        copy.mkdir()
        for name in ("audit.yaml", "people.parquet", f"{module_of(folder)}.py"):
            shutil.copy(folder / name, copy)
        (found,) = problems(copy / "audit.yaml")
        assert "and another lies beside the plan" in found

    def test_nobody_who_does_not_say_so_runs_a_model(self, folder):
        plan, located = parse_plan((folder / "audit.yaml").read_text(), "audit.yaml")
        for refused in (
            lambda: open_plan(folder / "audit.yaml"),
            lambda: fit(plan, located, folder=folder),
        ):
            with pytest.raises(PlanError, match="it was not said that it may be asked here"):
                refused()
        assert not (folder / "audit.probes").exists()

    def test_checking_attacks_nothing(self, folder):
        fitted, prepared, (step,) = check_plan(folder / "audit.yaml", runner=Runner(version="0"))
        asked = prepared.model.queries
        assert asked < 100
        assert step.most_queries > 2 * COUNT
        assert step.taken is None
        assert not (folder / "audit.probes").exists()
        assert [scope for scope in fitted.questions if scope] == [
            "variant == 'linf 0.1'",
            "variant == 'linf 1/4'",
        ]

    def test_the_most_that_is_foretold_is_not_exceeded(self, folder):
        _, prepared, (step,) = check_plan(folder / "audit.yaml", runner=Runner(version="0"))
        located = Located(str(folder / "audit.yaml"), {}, {})
        runner = Runner(version="0", probes=folder / "logs")
        ready = checked(prepared.fit.plan, located, folder=folder, runner=runner)
        probed(*ready, located, folder=folder, runner=runner)
        made = read_made(folder / "logs" / "1-attack.fgsm.parquet")
        assert 2 * COUNT < made.queries <= step.most_queries

    def test_a_mapping_that_is_wrong_is_refused_without_lines(self):
        with pytest.raises(PlanError) as caught:
            plan_from(Located("", {"evenhand": 1, "model": {"address": "m:x"}}, {}))
        said = {one.where for one in caught.value.problems}
        assert said == {"model", "model.inputs"}

    def test_a_table_in_memory_takes_the_place_of_the_model(self, folder):
        run(folder / "audit.yaml")
        rows = _rows(folder / "audit.yaml")
        bundle = eh.audit(
            plan_from(
                Located(
                    "",
                    {
                        **parse_plan((folder / "audit.yaml").read_text())[0].to_dict(),
                        "measures": [
                            {"measure": "robust_accuracy", "slices": ["variant == 'linf 0.1'"]}
                        ],
                    },
                    {},
                )
            ),
            table=rows,
        )
        _, robust = closed_form(0.1)
        assert figures(bundle) == {
            ("robust_accuracy", "variant == 'linf 0.1'"): pytest.approx(robust.mean())
        }
        with pytest.raises(EvenhandError, match="no model is probed here"):
            eh.audit(folder / "audit.yaml", table=rows, max_queries=5)


SCORED = ("attack.fgsm(eps=[0.1, 1/4])", "attack.square(eps=[0.1, 1/4], queries=10)")


@pytest.fixture
def served(folder):
    """The linear model behind HTTP, and a plan that names it."""
    weights = np.array([[0.0, 0.0], [1.0, -2.0]])
    with serving(Endpoint(lambda x: np.asarray(x) @ weights.T)) as endpoint:
        write(
            folder,
            (f"{module_of(folder)}:model", endpoint.address),
            ("range: [-9, 9]", "range: [-9, 9]\n  classes: ['no', 'yes']\n  output: logits"),
            SCORED,
        )
        yield endpoint


@pytest.mark.slow
class TestEndpoint:
    def test_checking_asks_a_few_and_the_audit_no_more_than_was_foretold(self, folder, served):
        _, _, (step,) = check_plan(folder / "audit.yaml", runner=Runner(version="0"))
        assert 0 < served.examples < 100
        before = served.examples
        bundle, (told,) = run(folder / "audit.yaml")
        assert served.examples - before <= step.most_queries + 100
        assert f"queries of {served.address}" in told
        assert "by estimate" in told
        assert told.endswith("going by its answers so far")
        # What is broken within eps by any means is not robust: an upper bound of the closed form.
        for name, eps in (("linf 0.1", 0.1), ("linf 1/4", 0.25)):
            clean, robust = closed_form(eps)
            found = figures(bundle)
            assert found["clean_accuracy", f"variant == '{name}'"] == pytest.approx(clean.mean())
            left = found["robust_accuracy", f"variant == '{name}'"]
            assert robust.mean() - 1e-9 <= left < clean.mean()

    def test_an_endpoint_that_fails_half_way_costs_nothing_that_was_finished(self, folder, served):
        whole, _ = run(folder / "audit.yaml", probes=folder / "whole")
        asked = served.count
        served.before = {asked + asked * 3 // 4: (404, {}, b"gone")}
        told = []
        with pytest.raises(ModelError):
            open_plan(folder / "audit.yaml", runner=Runner(version="0", tell=told.append))
        assert "the same command goes on from there" in told[-1]
        start = served.count
        bundle, _ = run(folder / "audit.yaml")
        assert served.count - start < asked * 3 // 4
        assert figures(bundle) == figures(whole)
