"""Attributions and their cards on linear models, where everything has a closed form.

F(x) = w x + b: the slope is w, the parts from x' are w (x - x'), infidelity is 0, and no map moves.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from carded import carded, carding
from evenhand.errors import ModelError
from evenhand.models.function import linear
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.notation import parse
from evenhand.probes.attribute.attribution import scores_of
from evenhand.probes.attribute.baseline import baseline_of
from evenhand.probes.attribute.integrated_gradients import points
from evenhand.probes.attribute.registry import attributions, attributions_named
from evenhand.probes.card.completeness import completeness_error
from evenhand.probes.card.infidelity import infidelity, slopes_of
from evenhand.probes.card.removal import ends_of, orders_of, removed
from evenhand.probes.card.sensitivity import max_sensitivity

SIZE, COUNT = 6, 5

OF_TABLES = {"shap"}
"""Those that are of columns of tables alone."""

LAYERED = {"deep_lift", "grad_cam", "guided_backprop", "layer_integrated_gradients"}
"""Those that need a module of torch."""


def streams(count=COUNT, seed=0):
    return tuple(np.random.default_rng([seed, i]) for i in range(count))


def made(shape=(SIZE,), layout="features", count=COUNT, seed=0):
    """A model of three classes, inputs off every baseline, their classes and their weights."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(3, int(np.prod(shape))))
    model = linear(weights, rng.normal(size=3), Spec((0, 1, 2), shape, layout=layout))
    x = rng.uniform(0.1, 0.9, (count, *shape))
    codes = model.predict(x)
    return model, x, codes, weights[codes].reshape(x.shape)


def one(text):
    (found,) = attributions_named(parse(text))
    return found


def test_slopes_are_the_weights():
    model, x, codes, weights = made()
    np.testing.assert_allclose(one("gradient").maps(model, x, codes, streams()), weights)
    np.testing.assert_allclose(one("smooth_grad").maps(model, x, codes, streams()), weights)


@pytest.mark.parametrize("baseline", ["low", "mean", "blur"])
@pytest.mark.parametrize("rule", ["gauss_legendre", "trapezoid", "midpoint", "right"])
def test_integrated_gradients_are_weights_times_the_way_by_every_rule(rule, baseline):
    model, x, codes, weights = made((4, 4, 2), "HWC")
    by = one(f"integrated_gradients(steps=3, quadrature={rule}, baseline={baseline})")
    way = x - baseline_of(baseline, x, model.spec)
    np.testing.assert_allclose(by.maps(model, x, codes, streams()), weights * way)


def test_gradient_times_input_and_occlusion_by_columns_are_weights_times_the_way():
    model, x, codes, weights = made()
    low, middle = (baseline_of(name, x, model.spec) for name in ("low", "mean"))
    found = one("gradient_x_input").maps(model, x, codes, streams())
    np.testing.assert_allclose(found, weights * (x - low))
    found = one("occlusion").maps(model, x, codes, streams())
    np.testing.assert_allclose(found, weights * (x - middle))


def test_a_patch_over_pixels_has_the_mean_fall_of_the_patches_that_cover_it():
    model, x, codes, weights = made((3, 3), "HW")
    falls = weights * (x - baseline_of("mean", x, model.spec))
    wanted = np.zeros_like(falls)
    for row, column in np.ndindex(3, 3):
        covers = [
            falls[:, top : top + 2, left : left + 2].sum(axis=(1, 2))
            for top, left in itertools.product(range(2), range(2))
            if top <= row < top + 2 and left <= column < left + 2
        ]
        wanted[:, row, column] = np.mean(covers, axis=0)
    found = one("occlusion(patch=2)").maps(model, x, codes, streams())
    np.testing.assert_allclose(found, wanted)


@pytest.mark.parametrize("name", ["integrated_gradients", "gradient_x_input", "kernel_shap"])
def test_parts_of_a_linear_model_are_complete(name):
    model, x, codes, _ = made()
    by = one(name)
    maps, against = by.maps(model, x, codes, streams()), by.reference(x, model.spec)
    assert completeness_error(model, x, against, codes, maps).max() < 1e-12
    # Half of the parts miss half of the change.
    np.testing.assert_allclose(completeness_error(model, x, against, codes, maps / 2), 0.5)


def test_completeness_is_unknown_where_the_score_does_not_change():
    model, x, codes, _ = made()
    assert np.isnan(completeness_error(model, x, x, codes, np.ones_like(x))).all()


@pytest.mark.parametrize(
    "name", [*sorted({*attributions()} - {"random", "edges", "lime", *LAYERED}), "lime(ridge=0)"]
)
def test_no_noise_surprises_the_parts_of_a_linear_model(name):
    model, x, codes, _ = made()
    by = one(name)
    slopes = slopes_of(by.maps(model, x, codes, streams()), x, by.reference(x, model.spec))
    found = infidelity(model, x, codes, slopes, noise=0.3, samples=20, streams=streams(seed=1))
    assert found.plain.max() < 1e-20
    assert found.scaled.max() < 1e-20


def test_infidelity_is_that_of_its_definition_and_scaling_takes_factors_out():
    model, x, codes, weights = made()
    wrong = np.random.default_rng(5).normal(size=x.shape)
    noise, samples = 0.2, 7
    found, tenfold = (
        infidelity(
            model, x, codes, factor * wrong, noise=noise, samples=samples, streams=streams(seed=1)
        )
        for factor in (1, 10)
    )
    drawn = streams(seed=1)
    for i in range(COUNT):
        gone = [
            x[i] - np.clip(x[i] - noise * drawn[i].standard_normal(SIZE), 0, 1)
            for _ in range(samples)
        ]
        said = np.array([part @ wrong[i] for part in gone])
        change = np.array([part @ weights[i] for part in gone])
        np.testing.assert_allclose(found.plain[i], np.mean((said - change) ** 2))
        best = max(np.linalg.lstsq(said[:, None], change, rcond=None)[0][0], 0.0)
        left = np.mean((best * said - change) ** 2) / np.mean(change**2)
        np.testing.assert_allclose(found.scaled[i], left)
    np.testing.assert_allclose(tenfold.scaled, found.scaled)


def test_a_map_of_weights_never_moves_and_one_of_parts_moves_with_the_input():
    model, x, codes, weights = made()
    settings = {"radius": 0.05, "samples": 4}
    for name, exact in (("gradient", False), ("gradient_x_input", True)):
        by = one(name)
        maps = by.maps(model, x, codes, streams())
        found = max_sensitivity(
            model, x, codes, by, maps, **settings, streams=streams(seed=1), drawn=streams()
        )
        drawn, wanted = streams(seed=1), np.zeros(COUNT)
        for i, _ in itertools.product(range(COUNT), range(settings["samples"])):
            y = np.clip(x[i] + drawn[i].uniform(-0.05, 0.05, SIZE), 0, 1)
            wanted[i] = max(wanted[i], exact * np.linalg.norm(weights[i] * (y - x[i])))
        np.testing.assert_allclose(found.plain, wanted, atol=1e-12)
        size = np.linalg.norm(maps, axis=1)
        np.testing.assert_allclose(found.relative, wanted / size, atol=1e-12)


def naive_areas(model, x, fill, code, order):
    """Both areas of one example, feature by feature, over all features."""

    def score(z):
        return scores_of(model, z[None], np.array([code]))[0]

    whole, empty = score(x), score(fill)
    curves = {"insertion": [], "deletion": []}
    for count in range(len(order) + 1):
        first = order[:count]
        come, gone = fill.copy(), x.copy()
        come[first], gone[first] = x[first], fill[first]
        for name, z in (("insertion", come), ("deletion", gone)):
            curves[name].append((score(z) - empty) / abs(whole - empty))
    return [np.trapezoid(curve, dx=1 / len(order)) for curve in curves.values()]


def test_areas_are_those_of_removing_feature_by_feature():
    model, x, codes, _ = made()
    fill = baseline_of("low", x, model.spec)
    maps = np.random.default_rng(3).normal(size=x.shape)
    places = orders_of(maps, model, streams())
    found = removed(model, x, fill, codes, places, ends=ends_of(model, x, fill, codes), steps=SIZE)
    for i in range(COUNT):
        wanted = naive_areas(model, x[i], fill[i], codes[i], np.argsort(-maps[i]))
        np.testing.assert_allclose([found.insertion[i], found.deletion[i]], wanted)


def test_no_order_beats_that_of_the_parts_and_all_orders_have_a_half_in_the_mean():
    model, x, codes, _ = made((4,))
    # Of the class that is least likely many fills score higher than their example.
    codes = np.where(np.arange(COUNT) < 3, codes, (x @ model.weights[0].T).argmin(axis=1))
    fill = baseline_of("low", x, model.spec)
    parts, ends = model.weights[0][codes] * (x - fill), ends_of(model, x, fill, codes)
    sign = np.sign(ends.whole - ends.filled)
    # There too the largest part comes first.
    assert {*sign} == {-1.0, 1.0}
    best = removed(model, x, fill, codes, orders_of(parts, model, streams()), ends=ends, steps=4)
    every = [
        removed(model, x, fill, codes, np.tile(order, (COUNT, 1)), ends=ends, steps=4)
        for order in itertools.permutations(range(4))
    ]
    insertion, deletion = (np.stack(one) for one in zip(*every, strict=True))
    np.testing.assert_allclose(best.insertion, insertion.max(axis=0))
    np.testing.assert_allclose(best.deletion, deletion.min(axis=0))
    np.testing.assert_allclose(insertion.mean(axis=0), sign / 2)
    np.testing.assert_allclose(deletion.mean(axis=0), sign / 2)


def test_of_two_classes_the_parts_are_of_what_one_is_above_the_other():
    # As of estimators of two classes, whose first score is 0 whatever the input.
    weights = np.vstack([np.zeros(SIZE), np.arange(1.0, SIZE + 1)])
    model = linear(weights, np.zeros(2), Spec((0, 1), (SIZE,)))
    x = np.random.default_rng(0).uniform(0.1, 0.9, (COUNT, SIZE))
    codes = np.arange(COUNT) % 2
    found = one("gradient").maps(model, x, codes, streams())
    np.testing.assert_allclose(found, np.where(codes[:, None], 1, -1) * weights[1])
    np.testing.assert_allclose(
        scores_of(model, x, codes), np.where(codes, 1, -1) * (x @ weights[1])
    )
    card, _ = carded(one("integrated_gradients"), model, inputs_of(x, model.spec), codes)
    assert not np.isnan(card["insertion"]).any()
    assert (card["insertion"] >= card["insertion_random"]).all()


def test_all_channels_share_the_fall_of_a_patch():
    model, x, codes, weights = made((3, 4, 4), "CHW")
    by = one("occlusion(patch=1, stride=1)")
    found = by.maps(model, x, codes, streams())
    falls = weights * (x - baseline_of("mean", x, model.spec))
    np.testing.assert_allclose(found.sum(axis=1), falls.sum(axis=1))


@pytest.mark.parametrize(("patch", "said"), [(3, False), (4, True), (9, True)])
def test_a_patch_that_covers_the_whole_image_is_refused(patch, said):
    model, _, _, _ = made((3, 4, 4), "CHW")
    found = one(f"occlusion(patch={patch})").problems(model)
    assert [f"patch={patch} covers all of an image of 4 x 4" in str(one) for one in found] == [
        True
    ] * said


def test_a_patch_as_wide_as_one_side_is_no_whole_image():
    model, _, _, _ = made((1, 2, 6), "CHW")
    assert one("occlusion(patch=2)").problems(model) == []


@pytest.mark.parametrize(
    "text",
    [
        *("occlusion(patch=a)", "occlusion(patch=2.5)", "occlusion(stride=1.5)"),
        *("integrated_gradients(steps=a)", "integrated_gradients(steps=true)"),
        *("smooth_grad(samples=1.5)", "smooth_grad(noise=a)"),
    ],
)
def test_what_is_no_number_is_refused_in_words(text):
    with pytest.raises(ModelError):
        one(text)


def test_channels_of_a_pixel_go_together():
    model, x, _, _ = made((2, 2, 2), "CHW")
    maps = np.zeros_like(x)
    maps[:, 0, 1, 1], maps[:, 1, 1, 1], maps[:, 0, 0, 0] = 5.0, -4.5, 1.0
    places = orders_of(maps, model, streams())
    # Pixel (0, 0) has 1 in sum and (1, 1) only a half.
    assert (places[:, 0] == 0).all()
    assert (places[:, 3] == 1).all()


def test_equal_parts_are_in_random_order():
    model, x, _, _ = made(count=2000)
    places = orders_of(np.zeros_like(x), model, streams(2000))
    # Each feature comes first in a sixth of 2,000: within 5 standard errors; false alarm < 1e-5.
    first = (places == 0).mean(axis=0)
    assert np.abs(first - 1 / SIZE).max() < 5 * np.sqrt(5 / 36 / 2000)


def test_a_fill_that_scores_as_the_example_leaves_areas_unknown():
    model, x, codes, _ = made()
    ends = ends_of(model, x, x, codes)
    found = removed(model, x, x, codes, orders_of(x, model, streams()), ends=ends, steps=SIZE)
    assert np.isnan(found.insertion).all()
    assert np.isnan(found.deletion).all()


@pytest.mark.parametrize("rule", ["gauss_legendre", "trapezoid", "midpoint", "right"])
def test_quadratures_integrate_what_they_should(rule):
    at, weight = points(rule, 5)
    exact = {"gauss_legendre": 9, "trapezoid": 1, "midpoint": 1, "right": 0}[rule]
    for power in range(exact + 1):
        np.testing.assert_allclose(weight @ at**power, 1 / (power + 1))
    assert abs(weight @ at ** (exact + 1) - 1 / (exact + 2)) > 1e-6


@pytest.mark.parametrize("name", sorted({*attributions()} - LAYERED - OF_TABLES))
def test_a_map_and_its_card_cost_no_more_than_is_said(name):
    model, x, codes, _ = made((4, 4), "HW")
    by, asked = one(name), model.queries
    carded(by, model, inputs_of(x, model.spec), codes)
    assert 0 < model.queries - asked <= COUNT * carding(by).most(model)


@pytest.mark.parametrize("name", sorted({*attributions()} - LAYERED - OF_TABLES))
def test_an_example_is_explained_alike_alone_and_among_others(name):
    model, x, codes, _ = made((4, 4), "HW")
    inputs = inputs_of(x, model.spec)
    whole, maps = carded(one(name), model, inputs, codes)
    alone, own = carded(one(name), model, inputs.take(np.array([2])), codes[2:3])
    np.testing.assert_allclose(own, maps[2:3], rtol=1e-12, atol=1e-14)
    for column, values in alone.items():
        np.testing.assert_allclose(values, whole[column][2:3], rtol=1e-9, atol=1e-12)
