"""Attributions and their cards beside Captum's, on a convolutional network in double precision."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from digits import SPEC, held_out, network
from evenhand.models.torch import TorchModel
from evenhand.notation import parse
from evenhand.probes.attribute.baseline import baseline_of
from evenhand.probes.attribute.registry import attributions_named
from evenhand.probes.card.infidelity import infidelity
from evenhand.probes.card.sensitivity import max_sensitivity

torch = pytest.importorskip("torch")
captum = pytest.importorskip("captum.attr")
metrics = pytest.importorskip("captum.metrics")

COUNT = 12

pytestmark = [
    pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients"),
    pytest.mark.filterwarnings("ignore:You are attempting to compute Shapley Values"),
]


def one(text):
    (found,) = attributions_named(parse(text))
    return found


def streams(seed=0):
    return tuple(np.random.default_rng([seed, i]) for i in range(COUNT))


@functools.cache
def made():
    """The network in float64, examples, their classes, and the first two as tensors."""
    import copy

    net = copy.deepcopy(network()).double()
    for parameter in net.parameters():
        parameter.requires_grad = False
    model, x = TorchModel(net, SPEC, device="cpu"), held_out(COUNT)[0].astype(np.float64)
    codes = model.predict(x)
    return model, x, codes, torch.as_tensor(x), torch.as_tensor(codes)


RULES = {
    "gauss_legendre": "gausslegendre",
    "midpoint": "riemann_middle",
    "right": "riemann_right",
}


@pytest.mark.parametrize("baseline", ["low", "mean"])
@pytest.mark.parametrize("rule", ["gauss_legendre", "midpoint", "right"])
@pytest.mark.parametrize("steps", [5, 32])
def test_integrated_gradients_are_those_of_captum_with_the_same_quadrature(rule, steps, baseline):
    model, x, codes, inputs, classes = made()
    by = one(f"integrated_gradients(steps={steps}, quadrature={rule}, baseline={baseline})")
    start = torch.as_tensor(baseline_of(baseline, x, SPEC))
    wanted = captum.IntegratedGradients(model.module).attribute(
        inputs, start, classes, n_steps=steps, method=RULES[rule]
    )
    np.testing.assert_allclose(by.maps(model, x, codes, ()), wanted.numpy(), atol=1e-6)


@pytest.mark.parametrize("steps", [5, 32])
def test_captum_s_trapezoid_has_weights_that_do_not_add_up_to_one(steps):
    # Theirs are 1 / n and half of it at both ends, so that 1 / n of the change is never told.
    model, x, codes, inputs, classes = made()
    by = one(f"integrated_gradients(steps={steps}, quadrature=trapezoid)")
    theirs = captum.IntegratedGradients(model.module).attribute(
        inputs, None, classes, n_steps=steps, method="riemann_trapezoid"
    )
    ours = by.maps(model, x, codes, ())
    np.testing.assert_allclose(ours * (steps - 1) / steps, theirs.numpy(), atol=1e-6)


def test_slopes_and_their_products_are_those_of_captum():
    model, x, codes, inputs, classes = made()
    wanted = captum.Saliency(model.module).attribute(inputs, classes, abs=False)
    np.testing.assert_allclose(one("gradient").maps(model, x, codes, ()), wanted, atol=1e-9)
    wanted = captum.InputXGradient(model.module).attribute(inputs, classes).detach()
    np.testing.assert_allclose(one("gradient_x_input").maps(model, x, codes, ()), wanted, atol=1e-9)


def test_patches_of_one_pixel_are_the_ablation_of_captum():
    model, x, codes, inputs, classes = made()
    by = one("occlusion(patch=1, baseline=low)")
    wanted = captum.FeatureAblation(model.module).attribute(inputs, 0, classes)
    np.testing.assert_allclose(by.maps(model, x, codes, ()), wanted, atol=1e-9)


def test_shapley_values_of_all_coalitions_are_those_of_captum():
    from evenhand.probes.attribute.coalition import cells_of

    model, x, codes, inputs, classes = made()
    by = one("kernel_shap(grid=2, baseline=low)")
    cells = torch.as_tensor(cells_of(SPEC, 2))[None]
    found = captum.ShapleyValues(model.module).attribute(inputs, 0, classes, feature_mask=cells)
    np.testing.assert_allclose(
        by.maps(model, x, codes, streams())[:, 0], found[:, 0].numpy() / 16, atol=1e-6
    )


def test_infidelity_is_that_of_captum_under_the_same_noise():
    model, x, codes, inputs, classes = made()
    maps = one("gradient").maps(model, x, codes, ())
    noise, samples = 0.2, 6
    ours = infidelity(model, x, codes, maps, noise=noise, samples=samples, streams=streams(1))
    drawn = streams(1)
    gone = np.empty((COUNT, samples, *SPEC.shape))
    for i, k in np.ndindex(COUNT, samples):
        gone[i, k] = x[i] - np.clip(x[i] - noise * drawn[i].standard_normal(SPEC.shape), 0, 1)

    def perturbed(repeated):
        moved = torch.as_tensor(gone.reshape(-1, *SPEC.shape))
        return moved, repeated - moved

    found = {
        normalised: metrics.infidelity(
            model.module,
            perturbed,
            inputs,
            torch.as_tensor(maps),
            target=classes,
            n_perturb_samples=samples,
            normalize=normalised,
        ).numpy()
        for normalised in (False, True)
    }
    np.testing.assert_allclose(ours.plain, found[False], rtol=1e-6)
    # The best factor is theirs too; they leave what is missed in units of the score.
    change = np.stack([_changes(model, x[i], gone[i], codes[i]) for i in range(COUNT)])
    np.testing.assert_allclose(
        ours.scaled, found[True] / np.mean(change**2, axis=1), rtol=1e-6, atol=1e-9
    )


def _changes(model, x, gone, code):
    scores = model.numpy(model.scores(model.array(np.concatenate([x[None], x - gone]))))[:, code]
    return scores[0] - scores[1:]


def test_captum_s_sensitivity_is_our_relative_one_and_yeh_s_is_not_divided():
    model, x, codes, inputs, classes = made()
    by = one("gradient")
    maps = by.maps(model, x, codes, ())
    radius, samples = 0.05, 4
    ours = max_sensitivity(
        model,
        x,
        codes,
        by,
        maps,
        radius=radius,
        samples=samples,
        streams=streams(2),
        drawn=streams(),
    )
    drawn = streams(2)
    near = np.empty((COUNT, samples, *SPEC.shape))
    for i, k in np.ndindex(COUNT, samples):
        near[i, k] = np.clip(x[i] + drawn[i].uniform(-radius, radius, SPEC.shape), 0, 1)
    wanted = metrics.sensitivity_max(
        captum.Saliency(model.module).attribute,
        inputs,
        lambda *_: torch.as_tensor(near.reshape(-1, *SPEC.shape)),
        n_perturb_samples=samples,
        target=classes,
        abs=False,
    ).numpy()
    size = np.linalg.norm(maps.reshape(COUNT, -1), axis=1)
    np.testing.assert_allclose(ours.relative, wanted, rtol=1e-6)
    np.testing.assert_allclose(ours.plain, wanted * size, rtol=1e-6)
