"""KernelSHAP and LIME beside Shapley values by brute force and regressions of scikit-learn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from evenhand.errors import ModelError
from evenhand.models.function import FunctionModel, linear
from evenhand.models.spec import Spec
from evenhand.notation import parse
from evenhand.probes.attribute.attribution import pixels, scores_of
from evenhand.probes.attribute.baseline import baseline_of
from evenhand.probes.attribute.coalition import cells_of
from evenhand.probes.attribute.registry import attributions_named
from evenhand.probes.card.completeness import completeness_error
from evenhand.probes.card.infidelity import slopes_of


def streams(count, seed=0):
    return tuple(np.random.default_rng([seed, i]) for i in range(count))


def one(text):
    (found,) = attributions_named(parse(text))
    return found


def curved(shape=(5,), layout="features", seed=0):
    """A model with products of features, so that a part hangs on who is there already."""
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    squares, slopes = rng.normal(size=(2, size, size)) / size, rng.normal(size=(2, size))

    def scores(x):
        flat = np.asarray(x).reshape(len(x), -1)
        return np.einsum("ni,cij,nj->nc", flat, squares, flat) + np.tanh(flat @ slopes.T)

    model = FunctionModel(scores, Spec((0, 1), shape, layout=layout))
    x = rng.uniform(0.1, 0.9, (3, *shape))
    return model, x, model.predict(x)


def by_orders(model, x, fill, code, cells):
    """Shapley values of one example: mean gains over all orders in which cells come in."""
    count = cells.max() + 1
    orders = [*itertools.permutations(range(count))]
    found = np.zeros(count)
    for order in orders:
        now, last = fill.copy(), scores_of(model, fill[None], code)[0]
        for cell in order:
            now = np.where(cells == cell, x, now)
            score = scores_of(model, now[None], code)[0]
            found[cell] += score - last
            last = score
    return found / len(orders)


@pytest.mark.parametrize(
    ("shape", "layout", "grid"),
    [((5,), "features", 4), ((4, 5), "HW", 2), ((2, 4, 4), "CHW", 2), ((4, 4, 2), "HWC", 2)],
)
def test_all_coalitions_give_shapley_values_exactly(shape, layout, grid):
    model, x, codes = curved(shape, layout)
    by = one(f"kernel_shap(grid={grid}, baseline=low)")
    cells, fill = cells_of(model.spec, grid), baseline_of("low", x, model.spec)
    before = model.queries
    maps = by.maps(model, x, codes, streams(3))
    assert model.queries - before == 3 * by.most(model)
    for i in range(3):
        wanted = by_orders(model, x[i], fill[i], codes[i : i + 1], cells)
        found = np.bincount(cells.ravel(), maps[i].ravel())
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
        for cell in range(cells.max() + 1):
            assert np.ptp(maps[i][cells == cell]) < 1e-12


@pytest.mark.parametrize("samples", [2, 7, 40, 300])
def test_parts_add_up_exactly_however_few_coalitions_were_drawn(samples):
    model, x, codes = curved((12,))
    by = one(f"kernel_shap(samples={samples})")
    maps = by.maps(model, x, codes, streams(3))
    error = completeness_error(model, x, by.reference(x, model.spec), codes, maps)
    assert error.max() < 1e-9


def test_drawn_coalitions_come_near_the_values_and_nearer_with_more():
    model, x, codes = curved((9,))
    exact = one("kernel_shap(samples=510)").maps(model, x, codes, streams(3))
    errors = []
    for samples in (20, 100, 400):
        by = one(f"kernel_shap(samples={samples})")
        missed = [by.maps(model, x, codes, streams(3, seed)) - exact for seed in range(20)]
        errors.append(np.sqrt(np.mean(np.square(missed))))
    assert errors[0] > 2 * errors[1] > 2 * errors[2]
    assert errors[2] < 0.1 * np.abs(exact).mean()


def test_drawn_coalitions_of_a_linear_model_give_weights_times_the_way():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, 20))
    model = linear(weights, np.zeros(2), Spec((0, 1), (20,)))
    x = rng.random((4, 20))
    codes = model.predict(x)
    found = one("kernel_shap(samples=60)").maps(model, x, codes, streams(4))
    apart = weights[codes] - weights[1 - codes]
    np.testing.assert_allclose(found, apart * (x - 0.5), atol=1e-9)


def test_one_cell_has_the_whole_change():
    model, x, codes = curved((4, 4), "HW")
    by = one("kernel_shap(grid=1, baseline=low)")
    change = scores_of(model, x, codes) - scores_of(model, 0 * x, codes)
    maps = by.maps(model, x, codes, streams(3))
    np.testing.assert_allclose(maps, np.tile(change[:, None, None] / 16, (1, 4, 4)))


@pytest.mark.parametrize(("ridge", "width"), [(1.0, 0.25), (0.1, 0.5)])
def test_lime_is_the_ridge_regression_of_scikit_learn(ridge, width):
    from sklearn.linear_model import Ridge

    model, x, codes = curved((5,))
    by = one(f"lime(samples=30, ridge={ridge}, width={width})")
    maps = by.maps(model, x, codes, streams(3))
    fill = baseline_of("mean", x, model.spec)
    for i, drawn in enumerate(streams(3)):
        masks = drawn.random((30, 5)) < 0.5
        masks[0] = True
        scores = scores_of(model, np.where(masks, x[i], fill[i]), np.tile(codes[i], 30))
        # The cosine of a mask to the whole one is the root of its share.
        far = 1 - masks.sum(axis=1) / np.sqrt(np.maximum(masks.sum(axis=1), 1) * 5)
        near = np.exp(-((far / width) ** 2))
        wanted = Ridge(alpha=ridge).fit(masks, scores, sample_weight=near).coef_
        np.testing.assert_allclose(maps[i], wanted, rtol=1e-7)


@pytest.mark.parametrize(
    ("shape", "layout", "grid", "count"),
    [
        ((7,), "features", 4, 7),
        ((8, 6), "HW", 4, 16),
        ((3, 8, 6), "CHW", 4, 16),
        ((8, 6, 3), "HWC", 4, 16),
        ((3, 2), "HW", 4, 6),
    ],
)
def test_cells_part_the_features_and_no_pixel(shape, layout, grid, count):
    spec = Spec((0, 1), shape, layout=layout)
    cells = cells_of(spec, grid)
    assert cells.shape == shape
    sizes = np.bincount(cells.ravel())
    assert len(sizes) == count
    assert sizes.min() > 0
    # The channels of a pixel are in one cell, so that its mean is a whole number.
    channels = {"CHW": shape[0], "HWC": shape[-1]}.get(layout, 1)
    mean = pixels(cells[None].astype(float), spec) / channels
    np.testing.assert_array_equal(mean, np.rint(mean))


def test_slopes_of_cells_are_the_least_that_give_their_parts():
    rng = np.random.default_rng(0)
    cells = np.array([0, 0, 1, 1, 1])
    maps, x, reference = rng.normal(size=(3, 2, 5))
    found = slopes_of(maps, x, reference, cells)
    for cell in (0, 1):
        way, part = (x - reference)[:, cells == cell], maps[:, cells == cell].sum(axis=1)
        for i in range(2):
            wanted = np.linalg.lstsq(way[i : i + 1], part[i : i + 1], rcond=None)[0]
            np.testing.assert_allclose(found[i, cells == cell], wanted)
    assert (slopes_of(maps, x, x, cells) == 0).all()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("kernel_shap(samples=1)", "samples=1"),
        ("kernel_shap(grid=0)", "grid=0"),
        ("kernel_shap(baseline=black)", "baseline black"),
        ("lime(samples=1)", "samples=1"),
        ("lime(width=0)", "width=0"),
        ("lime(ridge=-1)", "ridge=-1"),
        ("lime(grid=1.5)", "grid=1.5"),
    ],
)
def test_what_cannot_be_meant_is_refused(written, said):
    with pytest.raises(ModelError, match=said):
        one(written)


@pytest.mark.parametrize("name", ["kernel_shap", "lime"])
def test_a_model_of_labels_alone_is_refused(name):
    spec = Spec((0, 1), (3,), output="labels")
    model = FunctionModel(lambda x: np.zeros(len(x), int), spec)
    (problem,) = one(name).problems(model)
    assert "no score to explain" in str(problem)


@pytest.mark.parametrize("size", [5, 6, 9, 10])
def test_parts_of_all_coalitions_are_exact_whatever_the_number_of_features(size):
    rng = np.random.default_rng(size)
    weights = rng.normal(size=(3, size))
    model = linear(weights, np.zeros(3), Spec((0, 1, 2), (size,)))
    x = rng.random((20, size))
    codes = model.predict(x)
    found = one("kernel_shap(samples=1500)").maps(model, x, codes, streams(20))
    np.testing.assert_allclose(found, weights[codes] * (x - 0.5), atol=1e-9)
