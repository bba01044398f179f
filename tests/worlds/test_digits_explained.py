"""The formula of what an order of pixels is worth, beside every order and the card of the probe."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from evenhand.errors import RoleError
from evenhand.models.function import FunctionModel, linear
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import scores_of
from evenhand.probes.card.removal import Ends, removed
from evenhand.worlds.digits_explained import insertion_gain, parts_of

SPEC = Spec(labels=(0, 1, 2), shape=(2, 3), layout="HW")


def made(count=4, seed=0):
    rng = np.random.default_rng(seed)
    model = linear(rng.normal(size=(3, 6)), rng.normal(size=3), SPEC)
    images = rng.random((count, 2, 3))
    return model, images, model.predict(images)


def test_parts_add_up_to_the_score_above_that_of_an_empty_image():
    model, images, codes = made()
    scores = [scores_of(model, one, codes) for one in (images, np.zeros_like(images))]
    np.testing.assert_allclose(parts_of(model, images, codes).sum(axis=1), scores[0] - scores[1])


@pytest.mark.parametrize("steps", [2, 3, 6])
def test_an_order_is_worth_what_the_card_finds(steps):
    model, images, codes = made()
    parts = parts_of(model, images, codes)
    by = np.random.default_rng(5).normal(size=parts.shape)
    places = np.argsort(np.argsort(-by, axis=1), axis=1)
    empty = np.zeros_like(images)
    ends = Ends(scores_of(model, images, codes), scores_of(model, empty, codes))
    found = removed(model, images, empty, codes, places, ends=ends, steps=steps)
    by_chance = np.sign(ends.whole - ends.filled) / 2
    np.testing.assert_allclose(insertion_gain(parts, by, steps=steps) + by_chance, found.insertion)


def test_equal_ones_are_the_mean_of_all_their_orders():
    parts = np.array([[0.5, -0.2, 0.9, 0.4]])
    tied = np.array([[1.0, 2.0, 1.0, 1.0]])
    every = []
    for order in itertools.permutations((0, 2, 3)):
        by = np.zeros((1, 4))
        by[0, 1], by[0, [*order]] = 9.0, (3.0, 2.0, 1.0)
        every.append(insertion_gain(parts, by, steps=4)[0])
    np.testing.assert_allclose(insertion_gain(parts, tied, steps=4)[0], np.mean(every))
    # All equal: as by chance.
    np.testing.assert_allclose(insertion_gain(parts, np.ones((1, 4)), steps=4), 0, atol=1e-15)


def test_where_all_pixels_add_nothing_there_is_no_gain():
    assert np.isnan(insertion_gain(np.array([[1.0, -1.0]]), np.ones((1, 2)), steps=2)).all()


def test_a_model_that_is_not_linear_has_no_formula():
    model = FunctionModel(lambda x: x.reshape(len(x), -1)[:, :3], SPEC)
    with pytest.raises(RoleError, match="linear"):
        parts_of(model, np.zeros((1, 2, 3)), np.zeros(1, np.int64))
