"""Linear models, of which the distance to the boundary is known in closed form.

From x the class j is reached at |margin_j| / ||w_j - w_y||_q, where q is the dual norm; no attack
may succeed nearer, and a good one does just behind it. The range is too wide to matter.
"""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.models.function import linear
from evenhand.models.spec import Spec
from evenhand.probes.attack.registry import read
from evenhand.probes.threat import NORMS, Threat

DUAL = {"linf": 1, "l2": 2}
BY = 1e-4


def made(classes, size=20, count=25, seed=0):
    """A model, inputs that it gets right, and for each norm how far they are from the boundary."""
    rng = np.random.default_rng(seed)
    weights, bias = rng.normal(size=(classes, size)), rng.normal(size=classes)
    model = linear(weights, bias, Spec(tuple(range(classes)), (size,), low=-50, high=50))
    x = rng.normal(size=(count, size))
    labels = model.predict(x)
    scores = x @ weights.T + bias
    exact = {}
    for norm in NORMS:
        far = np.full((count, classes), np.inf)
        for i, j in np.ndindex(count, classes):
            if j != labels[i]:
                way = weights[j] - weights[labels[i]]
                far[i, j] = (scores[i, labels[i]] - scores[i, j]) / np.linalg.norm(way, DUAL[norm])
        exact[norm] = far.min(axis=1)
    return model, x, labels, exact


WHITE = {
    # By l2 a step from the input itself goes straight to the boundary; a random start has to turn.
    "pgd": "pgd(steps=40, loss=margin, targets=9, start=false)",
    "apgd": "apgd(steps=60, loss=margin, targets=9)",
}


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", WHITE)
def test_it_fails_before_the_boundary_and_succeeds_behind(name, norm, classes):
    model, x, labels, exact = made(classes, count=12)
    for i, far in enumerate(exact[norm]):
        some, attack = slice(i, i + 1), read(WHITE[name])
        for eps, works in ((far - BY, False), (far + BY, True)):
            if eps <= 0:
                continue
            found = attack.run(
                model, x[some], labels[some], Threat(norm, eps), np.random.default_rng(i)
            )
            assert found.broken[0] == works, (far, eps)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("norm", NORMS)
def test_the_smallest_change_is_the_distance_to_the_boundary(norm, classes):
    model, x, labels, exact = made(classes, seed=1)
    found = read("fmn(steps=200, targets=9)").run(
        model, x, labels, Threat(norm, 90.0), np.random.default_rng(0)
    )
    assert found.broken.all()
    assert (found.distance >= exact[norm] - 1e-9).all()
    np.testing.assert_allclose(found.distance, exact[norm], atol=BY)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["square(queries=300)", "hop(steps=4)"])
def test_without_gradients_nothing_is_found_before_the_boundary(name, norm):
    model, x, labels, exact = made(3, seed=2)
    eps = float(np.median(exact[norm]))
    found = read(name).run(model, x, labels, Threat(norm, eps), np.random.default_rng(0))
    assert not found.broken[exact[norm] > eps].any()
    assert found.broken[exact[norm] < eps / 3].all()


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_decisions_alone_come_near_the_smallest_change(norm):
    model, x, labels, exact = made(2, seed=3)
    found = read("hop(steps=40)").run(
        model, x, labels, Threat(norm, 90.0), np.random.default_rng(0)
    )
    assert (found.distance >= exact[norm] - 1e-9).all()
    assert np.median(found.distance / exact[norm]) < 1.1


def test_one_step_is_exact_by_linf():
    model, x, labels, exact = made(2, seed=4)
    eps = float(np.median(exact["linf"])) + 1e-9
    found = read("fgsm").run(model, x, labels, Threat("linf", eps), np.random.default_rng(0))
    np.testing.assert_array_equal(found.broken, exact["linf"] < eps)
