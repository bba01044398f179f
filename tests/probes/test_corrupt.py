"""The laws of corruptions: the same image the same way, more with every severity, in any layout."""

from __future__ import annotations

import sys
from dataclasses import FrozenInstanceError

import numpy as np
import polars as pl
import pytest

from digits import SPEC, held_out
from evenhand.errors import MissingExtraError, ModelError, NotationError
from evenhand.models.function import FunctionModel
from evenhand.models.spec import Spec
from evenhand.notation import Term, parse
from evenhand.probes.corrupt.corruption import SEVERITIES, corrupted
from evenhand.probes.corrupt.registry import corruptions, corruptions_named
from evenhand.probes.written import probe_of

COMMON = [
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
]
VIDEO = ["resize", "block_compression", "subtitle"]
EACH = pytest.mark.parametrize("name", [*COMMON, *VIDEO])
SHAPES = ((8, 8, 1), (28, 28, 1), (32, 32, 3), (9, 13, 2), (40, 24, 4), (1, 1, 1), (2, 5, 3))


def spec_of(shape, layout="HWC", **told):
    return Spec(labels=(0, 1), shape=shape, layout=layout, **told)


def streams(count, seed=0):
    return np.random.default_rng(seed).spawn(count)


def changed(name, x, severity, *, layout="HWC", seed=0, **told):
    spec = spec_of(x.shape[1:], layout, **told)
    return corrupted(corruptions()[name], x, spec, severity, streams(len(x), seed))


def drawings(count, height, width, channels, seed=0):
    """Images of three coloured ellipses before a coloured slope, with soft edges."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    rows, columns = rows / height, columns / width
    found = np.empty((count, height, width, channels))
    for image in found:
        image[:] = rng.uniform(0.1, 0.6, channels) + 0.3 * rows[..., None] * rng.random(channels)
        for _ in range(3):
            top, left, tall, wide = rng.uniform([0.1, 0.1, 0.1, 0.1], [0.9, 0.9, 0.4, 0.4])
            away = ((rows - top) / tall) ** 2 + ((columns - left) / wide) ** 2
            inside = 1 / (1 + np.exp(np.clip(20 * (away - 1), -50, 50)))[..., None]
            image[:] = image * (1 - inside) + rng.random(channels) * inside
    return np.clip(found, 0, 1)


def test_all_corruptions_are_found():
    assert set(corruptions()) == {*COMMON, *VIDEO}
    assert [name for name, one in corruptions().items() if one.common] == sorted(COMMON)


@EACH
def test_a_corruption_is_a_value(name):
    one = corruptions()[name]
    assert str(one) == f"corrupt.{name}"
    assert one == type(one)()
    assert hash(one) == hash(type(one)())
    with pytest.raises(FrozenInstanceError):
        one.name = "other"


@EACH
def test_severity_zero_is_the_identity(name):
    x, _ = held_out(5)
    found = corrupted(corruptions()[name], x, SPEC, 0, streams(5))
    np.testing.assert_array_equal(found, x)
    assert found.dtype == x.dtype


@EACH
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_images_stay_images_and_inputs_are_not_written_to(name, shape):
    x = drawings(3, *shape, seed=1)
    x[0], x[1, 0] = 0, 1
    kept = x.copy()
    x.setflags(write=False)
    for severity in SEVERITIES:
        found = changed(name, x, severity)
        assert found.shape == x.shape
        assert np.isfinite(found).all()
        assert found.min() >= 0
        assert found.max() <= 1
    np.testing.assert_array_equal(x, kept)


@EACH
@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3)], ids=str)
def test_an_image_comes_out_the_same_alone_and_in_any_batch(name, shape):
    x = drawings(7, *shape)
    spec, one = spec_of(shape), corruptions()[name]
    for severity in (1, 3, 5):
        together = corrupted(one, x, spec, severity, streams(7))
        again = corrupted(one, x, spec, severity, streams(7))
        np.testing.assert_array_equal(together, again)
        for place, stream in enumerate(streams(7)):
            alone = corrupted(one, x[place : place + 1], spec, severity, [stream])
            np.testing.assert_array_equal(alone[0], together[place])
        turned = corrupted(one, x[::-1], spec, severity, streams(7)[::-1])
        np.testing.assert_array_equal(turned[::-1], together)


@EACH
def test_all_layouts_give_the_same_picture(name):
    grey, coloured = drawings(3, 12, 17, 1), drawings(3, 12, 17, 3)
    for severity in (2, 5):
        plain = changed(name, grey[..., 0], severity, layout="HW")
        np.testing.assert_array_equal(changed(name, grey, severity)[..., 0], plain)
        first = changed(name, np.moveaxis(grey, -1, 1), severity, layout="CHW")
        np.testing.assert_array_equal(first[:, 0], plain)
        last = changed(name, coloured, severity)
        first = changed(name, np.moveaxis(coloured, -1, 1).copy(), severity, layout="CHW")
        np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)


@EACH
def test_other_ranges_give_the_same_picture(name):
    whole = np.rint(255 * drawings(3, 16, 16, 3))
    for severity in (1, 4):
        found = changed(name, whole / 255, severity)
        wide = changed(name, whole, severity, low=0, high=255)
        np.testing.assert_allclose(wide, 255 * found, atol=1e-10)
        # From -1 to 1 rounds otherwise on the way, which a rounding to colours could make a step.
        if name not in {"jpeg_compression", "block_compression", "shot_noise"}:
            signed = changed(name, 2 * (whole / 255) - 1, severity, low=-1, high=1)
            np.testing.assert_allclose(signed, 2 * found - 1, atol=1e-10)


def test_the_type_of_numbers_stays_and_whole_ones_are_rounded():
    whole = np.rint(255 * drawings(2, 8, 8, 1)).astype(np.uint8)
    found = changed("contrast", whole, 1, low=0, high=255)
    assert found.dtype == np.uint8
    exact = changed("contrast", whole.astype(np.float64), 1, low=0, high=255)
    np.testing.assert_array_equal(found, np.rint(exact))
    assert changed("fog", whole.astype(np.float32) / 255, 1).dtype == np.float32


@EACH
@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3)], ids=str)
def test_images_change_more_with_every_severity(name, shape):
    x = held_out(100)[0][:, 0, ..., None] if shape[0] == 8 else drawings(40, *shape)
    away = [np.mean((changed(name, x, severity) - x) ** 2) for severity in (0, *SEVERITIES)]
    assert np.diff(away).min() > 0


def test_there_is_nothing_to_corrupt_in_no_images():
    x = np.zeros((0, 8, 8))
    assert changed("fog", x, 3, layout="HW").shape == (0, 8, 8)


def test_what_is_no_image_and_no_severity_is_refused_at_once():
    with pytest.raises(ModelError) as caught:
        corrupted(corruptions()["fog"], np.zeros((2, 4)), Spec((0, 1), (4,)), 6, streams(2))
    assert [problem.what for problem in caught.value.problems] == [
        "only images can be corrupted.",
        "severity 6 is none from 0 to 5.",
    ]


def test_without_pillow_jpeg_names_what_to_install(monkeypatch):
    for module in [*sys.modules]:
        if module.partition(".")[0] == "PIL":
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "PIL", None)
    jpeg = corruptions()["jpeg_compression"]
    with pytest.raises(MissingExtraError, match=r"evenhand\[images\]"):
        jpeg.check()
    with pytest.raises(MissingExtraError, match=r"corrupt\.jpeg_compression"):
        changed("jpeg_compression", np.zeros((1, 8, 8, 1)), 1)
    # A probe says so before the first image is changed.
    blind = FunctionModel(lambda x: np.zeros((len(x), 2)), spec_of((8, 8, 1)))
    with pytest.raises(ModelError, match=r"evenhand\[images\]"):
        probe_of("corrupt.common").check(blind)
    for name in {*COMMON, *VIDEO} - {"jpeg_compression"}:
        corruptions()[name].check()
        changed(name, np.zeros((1, 8, 8, 1)), 1)


def test_names_and_sets_of_corruptions_are_read():
    def names(text):
        return [one.name for one in corruptions_named(parse(text))]

    assert names("fog") == ["fog"]
    assert names("common") == sorted(COMMON)
    assert names("video") == sorted(VIDEO)
    assert names("all") == sorted([*COMMON, *VIDEO])
    assert corruptions_named(Term("corrupt.fog")) == corruptions_named(Term("fog"))


def test_unknown_names_and_parameters_are_refused_at_once():
    with pytest.raises(NotationError, match="Did you mean 'gaussian_noise'"):
        corruptions_named(parse("gausian_noise"))
    with pytest.raises(NotationError) as caught:
        corruptions_named(parse("fogg(3, thick=2)@4"))
    assert [problem.what for problem in caught.value.problems] == [
        "there is no corruption 'fogg'.",
        "corruptions have no parameters, such as '3, thick'.",
        "corrupt.fogg has no cutoff '@4'.",
    ]


def photographs():
    """Squares of 32 x 32 out of scikit-learn's two photographs, made smaller by 4."""
    pytest.importorskip("PIL")
    from sklearn.datasets import load_sample_images

    squares = []
    for picture in load_sample_images().images:
        small = picture[:424].reshape(106, 4, 160, 4, 3).mean(axis=(1, 3)) / 255
        corners = np.ndindex(3, 5)
        squares += [small[32 * row :, 32 * column :][:32, :32] for row, column in corners]
    return np.stack(squares)


@EACH
def test_photographs_change_more_with_every_severity(name):
    x = photographs()
    away = [np.mean((changed(name, x, severity) - x) ** 2) for severity in (0, *SEVERITIES)]
    assert np.diff(away).min() > 0


@EACH
def test_mnist_changes_more_with_every_severity(name, data):
    path = data / "mnist_t10k.parquet"
    if not path.exists():
        pytest.skip("mnist_t10k.parquet is not there")
    pixels = pl.read_parquet(path, columns=["pixels"], n_rows=60)["pixels"]
    x = np.stack([np.frombuffer(one, np.uint8).reshape(28, 28) / 255 for one in pixels])
    away = [
        np.mean((changed(name, x, severity, layout="HW") - x) ** 2) for severity in (0, *SEVERITIES)
    ]
    assert np.diff(away).min() > 0
