"""Inputs from tables, folders, arrays: what is meant is taken, all else is refused at once."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evenhand.errors import EvenhandError, ModelError, SourceError
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.models.stored import read_inputs

GREY = Spec(labels=(0, 1, 2), shape=(2, 3), layout="HW")
PAIR = Spec(labels=("no", "yes"), shape=(2,), high=10.0)

PIXELS = np.arange(24, dtype=np.uint8).reshape(4, 2, 3) * 10


@pytest.fixture
def table():
    return pl.DataFrame(
        {
            "name": ["a", "b", "c", "d"],
            "pixels": [one.tobytes() for one in PIXELS],
            "label": [0, 1, 2, 0],
            "sex": ["f", "m", "f", "m"],
        }
    )


def read(table, **how):
    return read_inputs(table, **{"shape": (2, 3), "pixels": "pixels", **how})


def test_bytes_are_mapped_onto_the_range(table):
    one = read(table, label="label", ids="name").fit(GREY)
    np.testing.assert_array_equal(one.x, PIXELS.astype(np.float32) / np.float32(255))
    assert one.x.dtype == np.float32
    same = read(table).fit(Spec(labels=(0, 1), shape=(2, 3), layout="HW", high=255.0))
    np.testing.assert_array_equal(same.x, PIXELS)
    centred = read(table).fit(Spec(labels=(0, 1), shape=(2, 3), layout="HW", low=-1.0))
    np.testing.assert_allclose(centred.x, PIXELS / 127.5 - 1, atol=1e-6)


def test_every_byte_is_what_image_libraries_make_of_it():
    x = np.arange(256, dtype=np.uint8).reshape(256, 1)
    found = inputs_of(x, Spec(labels=(0, 1), shape=(1,))).x
    np.testing.assert_array_equal(found, x.astype(np.float32) / np.float32(255))


def test_labels_are_places_ids_are_kept_and_the_rest_are_groups(table):
    one = read(table, label="label", ids="name").fit(
        Spec(labels=(2, 1, 0), shape=(2, 3), layout="HW")
    )
    assert one.labels.tolist() == [2, 1, 0, 2]
    assert one.ids.tolist() == ["a", "b", "c", "d"]
    assert one.table.columns == ["name", "label", "sex"]


def test_places_are_ids_and_stay_where_rows_are_left_out(table):
    one = read(table, where="sex == 'm'").fit(GREY)
    assert one.ids.tolist() == [1, 3]
    assert one.labels is None
    np.testing.assert_array_equal(one.x, (PIXELS[[1, 3]] / 255).astype(np.float32))


@pytest.mark.parametrize(
    "column",
    [
        pytest.param([one.reshape(-1).tolist() for one in PIXELS / 255], id="lists"),
        pytest.param([one.tolist() for one in PIXELS / 255], id="lists of lists"),
        pytest.param(
            pl.Series((PIXELS / 255).reshape(4, 6).tolist(), dtype=pl.Array(pl.Float64, 6)),
            id="array",
        ),
        pytest.param(
            pl.Series((PIXELS / 255).tolist(), dtype=pl.Array(pl.Float64, (2, 3))), id="array of 2"
        ),
        pytest.param(
            pl.Series([one.reshape(-1).tolist() for one in PIXELS], dtype=pl.List(pl.UInt8)),
            id="lists of bytes",
        ),
    ],
)
def test_lists_of_numbers(table, column, tmp_path):
    table = table.with_columns(pl.Series("pixels", column))
    table.write_parquet(tmp_path / "in.parquet")
    for source in (table, tmp_path / "in.parquet"):
        np.testing.assert_allclose(read(source).fit(GREY).x, PIXELS / 255, atol=1e-7)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ([[1.0] * 5] * 4, "examples have 5 numbers"),
        ([[1.0] * 6] * 3 + [[1.0] * 5], "examples have 5 or 6 numbers"),
        ([[[1.0] * 2] * 3] * 4, "examples have 3 of 2 numbers"),
        ([[1.0] * 6] * 3 + [None], "1 of 4 examples are missing"),
        ([[1.0] * 5 + [None]] * 4, "do not hold numbers alone"),
        ([["a"] * 6] * 4, "do not hold numbers alone"),
        (["a", "b", "c", "d"], "neither bytes nor lists"),
        ([b"123456"] * 3 + [b"12345"], "no image"),
    ],
)
def test_what_makes_no_examples(table, column, said):
    pytest.importorskip("PIL")
    with pytest.raises(ModelError, match=said):
        read(table.with_columns(pl.Series("pixels", column)))


def test_features_are_numbers_in_the_order_that_is_said():
    table = pl.DataFrame({"a": [1, 2], "b": [0.5, 0.25], "c": [True, False], "who": ["x", "y"]})
    one = read_inputs(table, features=["c", "a"], ids="who").fit(PAIR)
    assert one.x.tolist() == [[1.0, 1.0], [0.0, 2.0]]
    assert one.table.columns == ["a", "b", "c", "who"]


def test_text_among_features_is_refused_unless_numbers_are_said():
    table = pl.DataFrame({"a": [1, 2], "b": ["low", "high"], "c": [None, 1.0]})
    with pytest.raises(ModelError) as failed:
        read_inputs(table, features=["a", "b", "c"])
    assert [problem.where for problem in failed.value.problems] == ["table, b", "table, c"]
    assert "encode" in failed.value.problems[0].hint
    found = read_inputs(table, features=["a", "b"], encode={"b": {"low": 0, "high": 1}})
    assert found.x.tolist() == [[1.0, 0.0], [2.0, 1.0]]
    with pytest.raises(ModelError, match="no number is said for 'high'"):
        read_inputs(table, features=["a", "b"], encode={"b": {"low": 0}})
    with pytest.raises(ModelError, match="'z' is no feature"):
        read_inputs(table, features=["a"], encode={"z": {}})


def test_everything_that_does_not_fit_is_said_at_once(table):
    table = table.with_columns(name=pl.Series(["a", "a", "c", "c"]), label=pl.Series([0, 7, 8, 1]))
    found = read(table, label="label", ids="name")
    with pytest.raises(ModelError) as failed:
        found.fit(Spec(labels=(0, 1), shape=(3, 2), layout="HW"))
    text = str(failed.value)
    assert len(failed.value.problems) == 3
    assert "2 ids stand in several rows, such as 'a', 'c'" in text
    assert "'7', '8' are none of the labels 0, 1" in text
    assert "shape (2, 3)" in text


@pytest.mark.parametrize(
    ("labels", "spec", "codes"),
    [
        ([0.0, 1.0], (0, 1), [0, 1]),
        ([True, False], (0, 1), [1, 0]),
        ([True, False], (True, False), [0, 1]),
        (["b", "a"], ("a", "b"), [1, 0]),
    ],
)
def test_labels_are_compared_by_what_they_say(labels, spec, codes):
    told = Spec(labels=spec, shape=(1,))
    assert inputs_of(np.zeros((2, 1)), told, labels=labels).labels.tolist() == codes


def test_missing_labels_and_ids_are_counted():
    told = Spec(labels=(0, 1), shape=(1,))
    with pytest.raises(ModelError, match="1 of 2 labels are missing"):
        inputs_of(np.zeros((2, 1)), told, labels=[0.0, np.nan])
    with pytest.raises(ModelError, match="ids are missing"):
        inputs_of(np.zeros((2, 1)), told, ids=np.array(["a", None], object))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"pixels": None}, "a column of pixels, or columns of features"),
        ({"features": ["sex"]}, "a column of pixels, or columns of features"),
        ({"shape": None}, "--shape 28x28"),
        ({"pixels": "pixel"}, "Did you mean 'pixels'"),
        ({"label": "lable"}, "Did you mean 'label'"),
        ({"ids": "nmae"}, "Did you mean 'name'"),
        ({"where": "sex == 'x'"}, "No row has sex == 'x'"),
        ({"where": "sexx == 'x'"}, "there is no column 'sexx'"),
        ({"where": "label + 1"}, "label"),
    ],
)
def test_what_is_asked_wrongly(table, how, said):
    with pytest.raises(EvenhandError, match=said):
        read(table, **how)


def test_bytes_in_lists_of_wide_numbers_are_refused_with_what_may_be_meant(table):
    wide = [one.reshape(-1).astype(int).tolist() for one in PIXELS]
    found = read(table.with_columns(pl.Series("pixels", wide)))
    with pytest.raises(ModelError, match="Are they bytes"):
        found.fit(GREY)


def test_arrow_csv_and_npz_are_read_alike(tmp_path):
    flat = pl.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0], "y": ["no", "yes"]})
    flat.write_ipc(tmp_path / "in.arrow")
    flat.write_csv(tmp_path / "in.csv", separator=";")
    x = flat.select("a", "b").to_numpy()
    np.savez(tmp_path / "in.npz", x=x, y=np.array(["no", "yes"]), sex=np.array(["f", "m"]))
    for name in ("in.arrow", "in.csv"):
        one = read_inputs(tmp_path / name, features=["a", "b"], label="y").fit(PAIR)
        np.testing.assert_array_equal(one.x, x)
        assert one.labels.tolist() == [0, 1]
    one = read_inputs(tmp_path / "in.npz", where="sex == 'm'").fit(PAIR)
    np.testing.assert_array_equal(one.x, x[1:])
    assert (one.labels.tolist(), one.ids.tolist(), one.table.columns) == ([1], [1], ["y", "sex"])


def test_arrays_that_do_not_fit_each_other(tmp_path):
    np.savez(tmp_path / "in.npz", x=np.zeros((3, 2)), y=np.zeros(2), more=np.zeros((3, 2)))
    with pytest.raises(ModelError) as failed:
        read_inputs(tmp_path / "in.npz")
    assert [problem.where for problem in failed.value.problems] == ["in.npz, y", "in.npz, more"]
    np.savez(tmp_path / "other.npz", images=np.zeros((3, 2)))
    with pytest.raises(ModelError, match="no array 'x'; it has images"):
        read_inputs(tmp_path / "other.npz")
    np.savez(tmp_path / "pickled.npz", x=np.array([{}], object))
    with pytest.raises(SourceError, match="cannot be read"):
        read_inputs(tmp_path / "pickled.npz")
    with pytest.raises(ModelError) as wrong:
        inputs_of(np.zeros((3, 2)), PAIR, labels=["no"], ids=[1, 2], groups={"sex": ["f"]})
    assert len(wrong.value.problems) == 3


def test_files_that_are_not_there_or_of_no_known_kind(tmp_path):
    (tmp_path / "digits.parquet").write_bytes(b"PAR1 broken")
    with pytest.raises(SourceError, match=r"Did you mean 'digits\.parquet'"):
        read_inputs(tmp_path / "digit.parquet", features=["a"])
    with pytest.raises(SourceError, match="cannot be read"):
        read_inputs(tmp_path / "digits.parquet", features=["a"])
    (tmp_path / "in.txt").write_text("x")
    with pytest.raises(SourceError, match="no inputs are read"):
        read_inputs(tmp_path / "in.txt", features=["a"])


@pytest.fixture
def folder(tmp_path):
    image = pytest.importorskip("PIL.Image")
    names = []
    for n, one in enumerate(PIXELS):
        image.fromarray(one).save(tmp_path / f"{n}.png")
        names.append(f"{n}.png")
    pl.DataFrame({"file": names, "label": [0, 1, 2, 0]}).write_csv(tmp_path / "index.csv")
    return tmp_path


def test_a_folder_of_images(folder):
    one = read_inputs(folder, shape=(2, 3), label="label").fit(GREY)
    np.testing.assert_array_equal(one.x, PIXELS.astype(np.float32) / np.float32(255))
    assert one.labels.tolist() == [0, 1, 2, 0]


def test_images_of_colours_in_both_layouts(folder):
    from PIL import Image

    colours = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    Image.fromarray(colours).save(folder / "0.png")
    pl.DataFrame({"file": ["0.png"]}).write_csv(folder / "index.csv")
    np.testing.assert_array_equal(read_inputs(folder, shape=(2, 4, 3)).x[0], colours)
    first = read_inputs(folder, shape=(3, 2, 4)).x[0]
    np.testing.assert_array_equal(first, np.moveaxis(colours, -1, 0))


def test_encoded_images_in_a_column(folder):
    values = [(folder / f"{n}.png").read_bytes() for n in range(4)]
    found = read(pl.DataFrame({"pixels": values}))
    np.testing.assert_array_equal(found.x, PIXELS)


def test_every_bad_file_of_a_folder_is_named(folder):
    from PIL import Image

    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "1.png")
    (folder / "2.png").write_bytes(b"no image")
    names = ["0.png", "1.png", "2.png", "gone.png", "../outside.png"]
    pl.DataFrame({"file": names}).write_csv(folder / "index.csv")
    with pytest.raises(ModelError) as failed:
        read_inputs(folder, shape=(2, 3))
    assert [problem.where for problem in failed.value.problems] == names[1:]
    assert "4 wide and 4 high" in str(failed.value)
    assert "leads out of the folder" in str(failed.value)


def test_images_of_16_bits_are_refused_and_not_cut_to_white(folder):
    from PIL import Image

    Image.fromarray(PIXELS[0].astype(np.uint16) * 257).save(folder / "0.png")
    with pytest.raises(ModelError, match="more than 8 bits"):
        read_inputs(folder, shape=(2, 3))


def test_images_of_four_channels_are_refused_by_what_is_read(folder):
    with pytest.raises(ModelError, match="grey or in three colours"):
        read_inputs(folder, shape=(2, 3, 4))


@pytest.mark.parametrize("x", [np.float32(3), np.arange(5.0)])
def test_arrays_without_an_axis_of_examples_are_refused(tmp_path, x):
    np.savez(tmp_path / "in.npz", x=x)
    with pytest.raises(ModelError, match="first axis is that of examples"):
        read_inputs(tmp_path / "in.npz")


def test_columns_of_an_npz_are_refused(tmp_path):
    np.savez(tmp_path / "in.npz", x=PIXELS)
    with pytest.raises(ModelError, match="Leave --pixels"):
        read_inputs(tmp_path / "in.npz", pixels="x", shape=(2, 3))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"labels": ("cat", 1)}, "not all text"),
        ({"labels": (0, None)}, "not all text"),
        ({"labels": (0, [1, 2])}, "not all text"),
        ({"labels": (0.0, float("nan"))}, "not all text"),
        ({"labels": (0, 1), "mean": (float("nan"),), "std": (1.0,)}, "no finite number"),
        ({"labels": (0, 1), "mean": (0.0,), "std": (float("inf"),)}, "no finite number"),
    ],
)
def test_a_spec_that_cannot_be_meant(how, said):
    with pytest.raises(ModelError, match=said):
        Spec(shape=(2,), **how)


def test_classes_that_yaml_took_for_true_and_false_are_told():
    with pytest.raises(ModelError, match="in quotes"):
        inputs_of(np.zeros((1, 2)), Spec(labels=(False, True), shape=(2,)), labels=["yes"])


def test_arrays_in_files(tmp_path):
    for n, one in enumerate(PIXELS):
        np.save(tmp_path / f"{n}.npy", one / 255)
    pl.DataFrame({"file": [f"{n}.npy" for n in range(4)]}).write_csv(tmp_path / "index.csv")
    np.testing.assert_allclose(read_inputs(tmp_path, shape=(2, 3)).fit(GREY).x, PIXELS / 255)


def test_a_folder_has_one_csv(tmp_path):
    with pytest.raises(SourceError, match="here are 0"):
        read_inputs(tmp_path, shape=(2, 3))


def test_images_without_pillow_come_with_the_line_that_installs_it(folder, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(EvenhandError, match=r"pip install 'evenhand\[images\]'"):
        read_inputs(folder, shape=(2, 3))


def test_a_digest_tells_inputs_apart():
    told = Spec(labels=(0, 1), shape=(2,))
    x = np.random.default_rng(0).random((3, 2))
    base = inputs_of(x, told, labels=[0, 1, 0]).digest
    assert inputs_of(x.copy(), told, labels=[0, 1, 0]).digest == base
    others = [
        inputs_of(x + 1e-9, told, labels=[0, 1, 0]),
        inputs_of(x, told, labels=[0, 1, 1]),
        inputs_of(x, told, labels=[0, 1, 0], ids=["a", "b", "c"]),
        inputs_of(x, told),
    ]
    assert len({base, *(one.digest for one in others)}) == 5


def test_some_of_the_inputs_are_inputs():
    told = Spec(labels=(0, 1), shape=(2,))
    x = np.random.default_rng(0).random((4, 2))
    whole = inputs_of(x, told, labels=[0, 1, 0, 1], groups={"sex": ["f", "m", "f", "m"]})
    for places in (slice(1, 3), np.array([1, 2]), np.array([False, True, True, False])):
        part = whole.take(places)
        np.testing.assert_array_equal(part.x, x[1:3])
        assert part.ids.tolist() == [1, 2]
        assert part.labels.tolist() == [1, 0]
        assert part.table["sex"].to_list() == ["m", "f"]


def test_digits_of_the_shared_data(data):
    path = data / "mnist_t10k.parquet"
    if not path.exists():
        pytest.skip(f"no {path}")
    told = Spec(labels=tuple(range(10)), shape=(28, 28), layout="HW")
    found = read_inputs(
        path, pixels="pixels", shape=(28, 28), label="label", ids="index", where="index < 500"
    ).fit(told)
    assert found.x.shape == (500, 28, 28)
    assert found.labels[:2].tolist() == [7, 2]
    whole = read_inputs(path, pixels="pixels", shape=(28, 28)).fit(told)
    # The mean pixel that the readme of the data states.
    assert abs(float(whole.x.mean(dtype=np.float64)) * 255 - 33.7912) < 1e-3
