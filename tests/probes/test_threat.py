"""The ball and the range: nothing leaves them, and nothing inside is moved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.errors import ModelError
from evenhand.models.spec import Spec
from evenhand.probes.threat import NORMS, Threat, unit

SPECS = (Spec((0, 1), (6,)), Spec((0, 1), (2, 3), low=-5.0, high=250.0, layout="HW"))


@given(
    st.sampled_from(NORMS),
    st.sampled_from(SPECS),
    st.floats(1e-4, 3),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_projection_lies_in_ball_and_range_and_is_done_once(norm, spec, eps, dtype, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(spec.low, spec.high, (5, *spec.shape)).astype(dtype)
    near = (x + rng.standard_normal(x.shape) * 10.0 ** rng.integers(-4, 3)).astype(dtype)
    threat = Threat(norm, eps)
    found = threat.project(near, x, spec)
    assert found.dtype == dtype
    assert threat.holds(found, x, spec).all()
    again = threat.project(found, x, spec)
    np.testing.assert_allclose(again, found, atol=2 * threat.slack(spec, found.dtype))


@pytest.mark.parametrize("norm", NORMS)
def test_what_is_inside_stays(norm):
    rng = np.random.default_rng(0)
    x = rng.uniform(0.3, 0.7, (50, 6))
    change = rng.uniform(-0.01, 0.01, x.shape)
    found = Threat(norm, 0.1).project(x + change, x, SPECS[0])
    np.testing.assert_allclose(found, x + change, atol=1e-15)


def test_projection_by_linf_is_the_nearest():
    x, near = np.array([[0.05, 0.5, 0.95]]), np.array([[-1.0, 0.55, 2.0]])
    spec = Spec((0, 1), (3,))
    np.testing.assert_allclose(Threat("linf", 0.1).project(near, x, spec), [[0, 0.55, 1]])


def test_projection_by_l2_scales_the_change():
    x, near = np.array([[0.5, 0.5]]), np.array([[0.8, 0.9]])
    found = Threat("l2", 0.25).project(near, x, Spec((0, 1), (2,)))
    np.testing.assert_allclose(found, [[0.65, 0.7]])


@pytest.mark.parametrize("norm", NORMS)
def test_starts_fill_the_ball(norm):
    spec, threat = Spec((0, 1), (3,), low=-10, high=10), Threat(norm, 2.0)
    x = np.zeros((4000, 3))
    found = threat.start(x, spec, np.random.default_rng(0).spawn(len(x)))
    assert threat.holds(found, x, spec).all()
    # Of a ball of radius r in three dimensions a share (1/2)^3 lies within r / 2, by either norm.
    share = (threat.distance(found, x) < 1.0).mean()
    assert abs(share - 1 / 8) < 4 * np.sqrt(1 / 8 * 7 / 8 / len(x))


@pytest.mark.parametrize("norm", NORMS)
def test_an_example_starts_where_it_would_alone(norm):
    x = np.random.default_rng(1).random((7, 6))
    threat = Threat(norm, 0.2)
    together = threat.start(x, SPECS[0], np.random.default_rng(5).spawn(7))
    rng = np.random.default_rng(5)
    parts = [
        threat.start(x[some], SPECS[0], rng.spawn(len(x[some]))) for some in (slice(3), slice(3, 7))
    ]
    np.testing.assert_array_equal(together, np.concatenate(parts))


def test_step_of_a_gradient_too_small_for_its_square():
    gradient = np.array([[3e-30, 4e-30], [0, 0]], np.float32)
    np.testing.assert_allclose(unit(gradient), [[0.6, 0.8], [0, 0]], rtol=1e-6)
    np.testing.assert_array_equal(Threat("linf", 1).step(gradient), [[1, 1], [0, 0]])


@pytest.mark.parametrize(
    ("norm", "eps"), [("l1", 0.1), ("linf", 0), ("l2", float("nan")), ("l2", -1)]
)
def test_no_threat(norm, eps):
    with pytest.raises(ModelError):
        Threat(norm, eps)


def test_eps_in_other_units_is_refused():
    Threat("linf", 8 / 255).check(SPECS[0])
    with pytest.raises(ModelError, match="eps 8 reaches every input from 0 to 1"):
        Threat("linf", 8).check(SPECS[0])
    Threat("linf", 8).check(SPECS[1])


def test_widest_reaches_from_corner_to_corner():
    spec = SPECS[1]
    low, high = np.full((1, 2, 3), spec.low), np.full((1, 2, 3), spec.high)
    for norm in NORMS:
        widest = Threat(norm, 1.0).widest(spec)
        assert widest.distance(high, low)[0] == pytest.approx(widest.eps)
