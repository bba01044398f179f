"""Pictures of a probe: chosen evenly and by the seed, as they were and as they became."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evenhand.models.function import linear
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes.picture import COLUMNS, chosen, path_beside
from evenhand.probes.run import most_asked, run
from evenhand.probes.written import probe_of

SPEC = Spec(labels=("dark", "light"), shape=(1, 3, 4), layout="CHW", low=-1.0, high=1.0)
PROBE = probe_of("attack.pgd(steps=3)", eps=["0.1", "0.5"])


def model_of():
    return linear(np.vstack([np.zeros(12), np.ones(12)]), np.zeros(2), SPEC)


def inputs_for(size=600, *, rare=20):
    x = np.random.default_rng(4).uniform(-1, 1, (size, 1, 3, 4)).astype(np.float32)
    labels = np.where(x.reshape(size, -1).sum(axis=1) > 0, "light", "dark")
    group = ["rare"] * rare + ["common"] * (size - rare)
    return inputs_of(x, SPEC, labels=labels, groups={"group": group})


def probed(**how):
    return run(PROBE, model_of(), inputs_for(), groups=["group"], version="0", **how)


def test_as_many_of_each_group_are_chosen():
    inputs = inputs_for()
    places = chosen(inputs, ["group"], 10, 1)
    assert inputs.table["group"].filter(places).value_counts().sort("group")["count"].to_list() == [
        *(5, 5)
    ]
    assert chosen(inputs, ["group"], 100, 1)[:20].all()
    assert (chosen(inputs, [], 10, 1) != chosen(inputs, [], 10, 2)).any()
    assert chosen(inputs, [], 10_000, 1).all()


def test_picture_is_the_example_and_what_became_of_it():
    found = probed(pictures=10)
    shown, inputs = found.pictures, inputs_for()
    assert shown.columns == [*COLUMNS]
    assert shown.group_by("variant").len()["len"].to_list() == [10, 10]
    for row in shown.iter_rows(named=True):
        assert row["shape"] == [3, 4, 1]
        clean, changed = (
            np.frombuffer(row[name], np.uint8).reshape(3, 4) / 255 * 2 - 1
            for name in ("clean", "changed")
        )
        x = inputs.x[row["source"], 0]
        eps = float(row["variant"].split()[1])
        assert np.abs(clean - x).max() <= 1 / 255 + 1e-6
        assert np.abs(changed - x).max() <= eps + 1 / 255 + 1e-6
        robust = found.rows.filter(source=row["source"], variant=row["variant"])["robust"][0]
        assert (row["said"] == row["label"]) == robust
        assert row["group"] == inputs.table["group"][row["source"]]


def test_picture_of_an_explanation_is_its_map_to_half_a_step():
    model, inputs = model_of(), inputs_for()
    probe = probe_of("attribute.gradient_x_input")
    shown = run(probe, model, inputs, groups=["group"], version="0", pictures=10).pictures
    assert len(shown) == 10
    for row in shown.iter_rows(named=True):
        x = inputs.x[row["source"], 0].astype(np.float64)
        # "light" is above "dark" by a slope of 1 everywhere; parts are told from -1.
        wanted = (x + 1) * (1 if row["prediction"] == "light" else -1)
        found = np.frombuffer(row["map"], np.int8).reshape(3, 4) * row["scale"]
        assert np.abs(found - wanted).max() <= row["scale"] / 2 + 1e-9
        assert row["changed"] is None


def test_pictures_change_no_row_and_are_counted(tmp_path):
    model, inputs = model_of(), inputs_for()
    most = most_asked(PROBE, model, len(inputs), pictures=10)
    folder = tmp_path / "x.parts"
    whole = run(PROBE, model, inputs, groups=["group"], version="0", pictures=10, folder=folder)
    assert model.queries == whole.made.queries <= most
    assert whole.rows.equals(probed().rows)
    assert probed().pictures is None
    again = run(
        PROBE, model_of(), inputs, groups=["group"], version="0", pictures=10, folder=folder
    )
    assert again.pictures.equals(whole.pictures)
    assert again.resumed == 6


@pytest.mark.parametrize(
    ("log", "side"),
    [("a/attacked.parquet", "a/attacked.pictures.parquet"), ("x", "x.pictures.parquet")],
)
def test_pictures_lie_beside_their_log(log, side):
    assert path_beside(log).as_posix() == side


def test_inputs_that_are_no_images_have_none():
    spec = Spec(labels=(0, 1), shape=(2,))
    model = linear(np.array([[0.0, 0.0], [1.0, -1.0]]), np.zeros(2), spec)
    x = np.random.default_rng(0).random((50, 2))
    inputs = inputs_of(x, spec, labels=model.predict(x))
    found = run(PROBE, model, inputs, version="0", pictures=5)
    assert isinstance(found.pictures, pl.DataFrame)
    assert not len(found.pictures)
