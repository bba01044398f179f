"""Losses beside hand-written values, autograd and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.models.function import FunctionModel
from evenhand.models.spec import Spec
from evenhand.probes.loss import CROSS_ENTROPY, LOGIT_RATIO, MARGIN, Aim, fitting

LOSSES = {"ce": CROSS_ENTROPY, "margin": MARGIN, "dlr": LOGIT_RATIO}


def aim_of(labels, targets=None, classes=5):
    model = FunctionModel(lambda x: x, Spec(tuple(range(classes)), (classes,)))
    away = Aim.away(model, np.asarray(labels))
    return away if targets is None else away.towards(model, np.asarray(targets))


def made(seed=0, count=40, classes=5):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    targets = (labels + rng.integers(1, classes, count)) % classes
    scores = rng.normal(size=(count, classes)) * 10.0 ** rng.integers(-2, 2, (count, 1))
    return scores, labels, targets


@pytest.mark.parametrize(
    ("name", "targets", "value"),
    [
        ("ce", None, np.log(np.exp([3.0, 1.0, 0.5, -1.0]).sum()) - 3),
        ("ce", [3], -1 - np.log(np.exp([3.0, 1.0, 0.5, -1.0]).sum())),
        ("margin", None, -2.0),
        ("margin", [3], -4.0),
        ("dlr", None, -2 / 2.5),
        ("dlr", [3], -4 / (3 - (0.5 - 1) / 2)),
    ],
)
def test_value_by_hand(name, targets, value):
    scores = np.array([[3.0, 1.0, 0.5, -1.0]])
    got = LOSSES[name].value(scores, aim_of([0], targets, classes=4))
    np.testing.assert_allclose(got, [value], rtol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("targeted", [False, True])
def test_slope_beside_finite_differences(name, targeted):
    scores, labels, targets = made()
    aim, step = aim_of(labels, targets if targeted else None), 1e-7
    got = LOSSES[name].slope(scores, aim)
    for place in range(scores.shape[1]):
        change = np.zeros_like(scores)
        change[:, place] = step * np.abs(scores).max(axis=1)
        rise = LOSSES[name].value(scores + change, aim) - LOSSES[name].value(scores - change, aim)
        np.testing.assert_allclose(got[:, place], rise / (2 * change[:, place]), 1e-5, 1e-6)


def by_torch(name, scores, labels, targets):
    """The formulas as their papers write them."""
    import torch

    each, order = torch.arange(len(scores)), scores.sort(dim=1)[0]
    true = scores[each, labels]
    if name == "ce":
        to = labels if targets is None else targets
        loss = torch.nn.functional.cross_entropy(scores, to, reduction="none")
        return loss if targets is None else -loss
    others = scores.clone()
    others[each, labels] = -torch.inf
    rise = (others.max(1)[0] if targets is None else scores[each, targets]) - true
    if name == "margin":
        return rise
    if targets is None:
        return rise / (order[:, -1] - order[:, -3])
    return rise / (order[:, -1] - (order[:, -3] + order[:, -4]) / 2)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("targeted", [False, True])
def test_value_and_slope_beside_autograd(name, targeted):
    torch = pytest.importorskip("torch")
    scores, labels, targets = made(seed=1)
    aim = aim_of(labels, targets if targeted else None)
    leaf = torch.tensor(scores, requires_grad=True)
    wanted = torch.tensor(targets) if targeted else None
    value = by_torch(name, leaf, torch.tensor(labels), wanted)
    value.sum().backward()
    np.testing.assert_allclose(LOSSES[name].value(scores, aim), value.detach().numpy(), 1e-10)
    np.testing.assert_allclose(LOSSES[name].slope(scores, aim), leaf.grad.numpy(), 1e-8, 1e-10)


def test_margin_is_positive_exactly_where_misclassified():
    scores, labels, _ = made(seed=2, count=500)
    wrong = MARGIN.value(scores, aim_of(labels)) > 0
    np.testing.assert_array_equal(wrong, scores.argmax(axis=1) != labels)


@pytest.mark.parametrize("targeted", [False, True])
def test_logit_ratio_ignores_scale_and_shift(targeted):
    scores, labels, targets = made(seed=3)
    aim = aim_of(labels, targets if targeted else None)
    for scale in (1e-3, 1e4):
        moved = LOGIT_RATIO.value(scale * scores + 7, aim)
        np.testing.assert_allclose(moved, LOGIT_RATIO.value(scores, aim), rtol=1e-8)


def test_slope_of_cross_entropy_vanishes_in_single_precision_where_that_of_the_ratio_does_not():
    scores = np.array([[3.0, 1.0, 0.5, 0.0, -1.0]], np.float32) * 1e4
    aim = aim_of([0])
    assert not CROSS_ENTROPY.slope(scores, Aim(aim.true.astype(np.float32))).any()
    assert LOGIT_RATIO.slope(scores, Aim(aim.true.astype(np.float32))).any()


def test_equal_scores_have_a_finite_ratio():
    scores = np.ones((3, 5))
    for aim in (aim_of([0, 1, 2]), aim_of([0, 1, 2], [1, 2, 3])):
        assert np.isfinite(LOGIT_RATIO.value(scores, aim)).all()
        assert np.isfinite(LOGIT_RATIO.slope(scores, aim)).all()


@pytest.mark.parametrize(("classes", "targeted"), [(2, False), (3, True), (2, True)])
def test_too_few_classes_for_the_ratio_are_told(classes, targeted):
    loss, note = fitting("dlr", Spec(tuple(range(classes)), (3,)), targeted=targeted)
    assert loss is MARGIN
    assert f"there are {classes}: the margin was raised" in note


@pytest.mark.parametrize(("classes", "targeted"), [(3, False), (4, True)])
def test_enough_classes_for_the_ratio(classes, targeted):
    found = fitting("dlr", Spec(tuple(range(classes)), (3,)), targeted=targeted)
    assert found == (LOGIT_RATIO, "")
