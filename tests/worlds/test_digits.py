"""The world of digits: its closed form by brute force, its planted order, its images by SciPy."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from scipy import ndimage, special

from evenhand.errors import MissingExtraError, RoleError
from evenhand.models.function import FunctionModel, linear
from evenhand.models.spec import Spec
from evenhand.worlds.digits import (
    SPEC,
    THICKNESSES,
    Digits,
    DigitWorld,
    robust,
    shares,
    softmax_regression,
    wrong_under_noise,
)

ALIKE = dict.fromkeys(THICKNESSES, 1.0)
PLANTED = DigitWorld()
REPAIRED = DigitWorld(contrast=ALIKE, trained=ALIKE)


@pytest.fixture(scope="module")
def planted():
    return PLANTED.model()


@pytest.fixture(scope="module")
def repaired():
    return REPAIRED.model()


# --- The closed form. ---


@pytest.mark.parametrize("eps", [0.0, 0.05, 0.2, 0.6, 2.0])
def test_no_corner_of_the_box_is_misread_exactly_where_the_closed_form_says_so(eps):
    """A score is linear, so that it is least at a corner: all 64 are asked about."""
    rng = np.random.default_rng(3)
    spec = Spec(labels=(0, 1, 2), shape=(6,))
    model = linear(rng.normal(size=(3, 6)), rng.normal(size=3) / 4, spec)
    images = rng.random((80, 6))
    labels = model.predict(images)
    labels[:10] = (labels[:10] + 1) % 3
    low, high = np.clip(images - eps, 0, 1), np.clip(images + eps, 0, 1)
    every = [
        model.predict(np.where(corner, high, low)) == labels
        for corner in itertools.product([False, True], repeat=6)
    ]
    expected = np.all(every, axis=0)
    np.testing.assert_array_equal(robust(model, images, labels, eps), expected)
    if 0 < eps < 0.6:
        assert 0 < expected.sum() < 70


def test_without_a_change_it_is_what_the_model_predicts(planted):
    every = PLANTED.population()
    right = planted.predict(every.images) == every.labels
    np.testing.assert_array_equal(robust(planted, every.images, every.labels, 0.0), right)


@pytest.mark.parametrize("output", ["probabilities", "logits"])
def test_of_another_model_it_says_nothing(output):
    spec = Spec(labels=(0, 1), shape=(2,), output=output)
    other = FunctionModel(lambda x: x, spec)
    with pytest.raises(RoleError, match="closed form is that of a linear model"):
        robust(other, np.zeros((1, 2)), np.zeros(1, int), 0.1)


# --- What is planted. ---


def by_thickness(world: DigitWorld, model: FunctionModel, eps: float) -> dict[str, float]:
    every = world.population()
    return shares(robust(model, every.images, every.labels, eps), every.thickness)


@pytest.mark.parametrize("eps", [0.02, 0.04, 0.06])
def test_thin_strokes_are_read_almost_as_well_and_falsified_far_more_easily(planted, eps):
    clean, attacked = (by_thickness(PLANTED, planted, one) for one in (0.0, eps))
    assert max(clean.values()) - min(clean.values()) < 0.05
    lost = {name: clean[name] - attacked[name] for name in THICKNESSES}
    assert lost["thin"] > 1.5 * max(lost["medium"], lost["thick"])


def test_the_repaired_world_has_no_gap_to_speak_of(planted, repaired):
    values = by_thickness(REPAIRED, repaired, 0.06).values()
    assert max(values) - min(values) < 0.02
    values = by_thickness(PLANTED, planted, 0.06).values()
    assert max(values) - min(values) > 0.3


def test_faint_strokes_alone_leave_what_a_model_without_a_bias_reads_as_it_is(repaired):
    every = REPAIRED.population()
    flat = linear(repaired.weights[0], np.zeros(10), SPEC)
    faint = PLANTED.population()
    for eps, alike in ((0.0, True), (0.03, False)):
        dark = robust(flat, every.images, every.labels, eps)
        pale = robust(flat, faint.images, faint.labels, eps)
        thin = every.thickness == "thin"
        assert np.array_equal(dark[~thin], pale[~thin])
        assert np.array_equal(dark[thin], pale[thin]) == alike
        assert not (pale & ~dark).any()


# --- Images. ---


def test_images_are_moved_as_scipy_moves_them():
    plain = DigitWorld(contrast=ALIKE, moves=(0.0,)).population()
    every = DigitWorld(contrast=ALIKE, moves=(-0.25, 0.0, 0.4)).population()
    count = len(plain)
    moves = [*itertools.product((-0.25, 0.0, 0.4), repeat=2)]
    for place, (down, aside) in enumerate(moves):
        part = every.images[place * count : (place + 1) * count, 0]
        expected = ndimage.shift(
            plain.images[:, 0].astype(float), (0, down, aside), order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(part, expected, atol=1e-6)


def test_the_model_is_asked_about_no_image_that_trained_it():
    seen, trained = PLANTED.population(), REPAIRED.training()
    copies = len(PLANTED.moves) ** 2
    assert not {*(seen.ids // copies)} & {*(trained.ids // copies)}
    assert len({*seen.ids, *trained.ids}) == len(seen) + len(trained) == 1797 * copies


def test_both_worlds_have_the_same_images_but_for_the_ink_of_thin_strokes():
    one, other = PLANTED.population(), REPAIRED.population()
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.labels, other.labels)
    thin = one.thickness == "thin"
    np.testing.assert_array_equal(one.images[~thin], other.images[~thin])
    np.testing.assert_allclose(one.images[thin], 0.6 * other.images[thin], rtol=1e-6)
    assert 0 <= one.images.min() < one.images.max() <= 1


def test_thin_strokes_are_rare_in_training():
    def count(some: Digits) -> int:
        return int((some.thickness == "thin").sum())

    assert count(PLANTED.training()) == pytest.approx(0.25 * count(REPAIRED.training()), rel=0.1)


def test_the_model_is_the_one_that_scikit_learn_fits():
    from sklearn.linear_model import LogisticRegression

    some = DigitWorld(trained=ALIKE, moves=(0.0,)).training()
    x, labels = some.images.reshape(-1, 64)[:400], some.labels[:400]
    weights, bias = softmax_regression(x, labels, penalty=0.02)
    theirs = LogisticRegression(C=1 / (0.02 * 400), tol=1e-8, max_iter=5000)
    theirs.fit(x.astype(float), labels)
    np.testing.assert_allclose(weights, theirs.coef_, atol=5e-3)
    scores = x @ weights.T + bias
    gaps = scores - scores[:, :1]
    expected = theirs.decision_function(x.astype(float))
    np.testing.assert_allclose(gaps, expected - expected[:, :1], atol=2e-2)


def test_a_sample_has_no_image_twice_and_hangs_on_the_seed():
    every = PLANTED.population()
    one, again, other = (every.sample(500, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert len({*one.ids}) == 500
    np.testing.assert_array_equal(one.ids, again.ids)
    assert not np.array_equal(one.ids, other.ids)


# --- Refusals. ---


def test_what_is_wrong_is_said_all_at_once():
    with pytest.raises(RoleError) as found:
        DigitWorld(contrast={"thin": 0, "medium": 1}, trained={**ALIKE, "bold": 1})
    text = str(found.value)
    assert "thin: 0 is not in (0, 1]" in text
    assert "thick is missing" in text
    assert "'bold' is none of thin, medium, thick" in text


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'evenhand\[demo\]'"):
        # Moved as in no other test: images that were read are kept.
        DigitWorld(moves=(0.125,)).population()


# --- Noise. ---


def test_of_two_classes_noise_misleads_as_the_normal_distribution_says():
    """The formula is that of a linear score, of images far from the ends of the range.

    4.5 standard errors, which a true figure leaves with probability 7e-6 in each of 3 groups.
    """
    spec = Spec(labels=(0, 1), shape=(4,), low=-100.0, high=100.0)
    slope, bias, deviation = np.array([0.5, -1.0, 2.0, 0.25]), 0.3, 0.7
    model = linear(np.stack([np.zeros(4), slope]), np.array([0.0, bias]), spec)
    rng = np.random.default_rng(5)
    images = rng.normal(size=(600, 4))
    labels = rng.integers(2, size=600)
    groups = np.array(THICKNESSES)[np.arange(600) % 3]
    some = Digits(images, labels, groups, np.arange(600))
    found = wrong_under_noise(model, some, deviation, runs=30)
    ahead = (images @ slope + bias) * np.where(labels == 1, 1, -1)
    wrong = special.ndtr(-ahead / (deviation * np.linalg.norm(slope)))
    for name in THICKNESSES:
        truth = wrong[groups == name].mean()
        spread = np.sqrt((wrong * (1 - wrong))[groups == name].sum()) / 200 / np.sqrt(30)
        assert abs(found[name].value - truth) < 4.5 * spread
        assert found[name].runs == 30


def test_noise_misreads_more_faint_strokes(planted, repaired):
    for world, model, more in ((PLANTED, planted, 0.15), (REPAIRED, repaired, 0.0)):
        found = wrong_under_noise(model, world.population(), 0.26, runs=2)
        gap = found["thin"].value - found["medium"].value
        assert more < gap < more + 0.1
