"""Maps beside those of networks that learned nothing, and of other seeds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats  # noqa: TID251 - the oracle of ranks

import evenhand as eh
from carded import carded, carding
from digits import SPEC, held_out, network, without_torch
from evenhand.errors import ModelError
from evenhand.models.function import linear
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.models.torch import TorchModel
from evenhand.notation import parse
from evenhand.probes.attribute.registry import attributions_named
from evenhand.probes.card.likeness import likeness
from evenhand.probes.card.other import others_of
from evenhand.probes.card.randomisation import randomisation
from evenhand.probes.method import streams_of
from evenhand.probes.run import run
from evenhand.probes.written import probe_of


def streams(count, seed=0):
    return tuple(np.random.default_rng([seed, i]) for i in range(count))


def one(text):
    (found,) = attributions_named(parse(text))
    return found


def digits(count=20):
    x, y = held_out(count)
    return inputs_of(x, SPEC, labels=[SPEC.labels[code] for code in y])


def test_likeness_is_spearmans_with_ties():
    rng = np.random.default_rng(0)
    maps = rng.integers(0, 5, (2, 30, 3, 4)).astype(float)
    maps[0, 0] = 1.0
    found = likeness(*maps)
    assert np.isnan(found[0])
    for i in range(1, 30):
        wanted = stats.spearmanr(maps[0, i].ravel(), maps[1, i].ravel()).statistic
        np.testing.assert_allclose(found[i], wanted)
    np.testing.assert_allclose(likeness(maps[1], np.exp(maps[1])), 1)
    np.testing.assert_allclose(likeness(maps[1], -maps[1]), -1)


@pytest.mark.parametrize(
    ("shape", "layout"), [((4, 6), "HW"), ((2, 4, 6), "CHW"), ((4, 6, 2), "HWC")]
)
def test_another_image_is_the_same_turned_by_half_a_turn(shape, layout):
    spec = Spec((0, 1), shape, layout=layout)
    x = np.random.default_rng(0).random((3, *shape))
    found = others_of(x, spec)(0)
    axes = (1, 2) if layout != "CHW" else (2, 3)
    np.testing.assert_array_equal(found, np.rot90(x, 2, axes))


def test_both_likenesses_are_those_of_their_definition():
    pytest.importorskip("torch")
    model, by = TorchModel(network(), SPEC), one("gradient")
    x = held_out(4)[0]
    codes = model.predict(x)
    maps = by.maps(model, x, codes, ())
    found = randomisation(
        *(model, x, codes, by, maps),
        times=3,
        seed=5,
        others=others_of(x, SPEC),
        drawn=streams(4),
    )
    seeds = np.random.default_rng([5, 3]).integers(2**31, size=3)
    blanks = [model.randomised(int(seed)) for seed in seeds]
    for values, of in ((found.same, x), (found.other, x[:, :, ::-1, ::-1].copy())):
        for i in range(4):
            each = [
                stats.spearmanr(
                    np.abs(maps[i]).ravel(),
                    np.abs(by.maps(blank, of[i : i + 1], codes[i : i + 1], ())).ravel(),
                ).statistic
                for blank in blanks
            ]
            np.testing.assert_allclose(values[i], np.mean(each), atol=1e-6)


def test_what_knows_nothing_of_the_model_is_itself_under_every_network():
    pytest.importorskip("torch")
    inputs = digits()
    for name in ("edges", "random"):
        probe = probe_of(f"attribute.{name}(randomisations=2)")
        rows = run(probe, TorchModel(network(), SPEC), inputs, version="0").rows
        assert rows["randomisation"].to_list() == pytest.approx([1.0] * 20)


def test_an_example_has_the_same_numbers_alone_and_among_others():
    pytest.importorskip("torch")
    model, inputs = TorchModel(network(), SPEC), digits()
    columns = ["source", "randomisation", "randomisation_null", "seed_stability"]
    probe = probe_of("attribute.smooth_grad(samples=2, randomisations=2)")
    whole = run(probe, model, inputs, version="0").rows.select(columns)
    alone = run(probe, model, inputs.take(np.array([7])), version="0").rows.select(columns)
    for found, wanted in zip(alone.row(0), whole.row(7), strict=True):
        assert found == pytest.approx(wanted, abs=1e-4)


def test_a_model_that_cannot_be_drawn_anew_has_no_number_and_a_note():
    model, inputs = without_torch(network()), digits()
    probe = probe_of("attribute.occlusion")
    found = run(probe, model, inputs, version="0")
    assert found.rows["randomisation"].is_null().all()
    assert found.rows["randomisation_null"].is_null().all()
    assert any("cannot be drawn anew" in note for note in found.made.probe["notes"])
    unasked = run(probe_of("attribute.occlusion(randomisations=0)"), model, inputs, version="0")
    assert unasked.made.probe["notes"] == []
    figure = eh.estimate("randomisation_excess", eh.log(found.rows, kind="attributions"))
    assert "no explanation that was compared" in str(figure)


@pytest.mark.parametrize("written", ["gradient", "smooth_grad(samples=3)", "random"])
def test_queries_of_copies_are_counted_and_no_more_than_said(written):
    pytest.importorskip("torch")
    model, by, x = TorchModel(network(), SPEC), one(written), held_out(5)[0]
    codes, asked = model.predict(x), {}
    for times in (0, 2):
        before = model.queries
        carded(by, model, inputs_of(x, SPEC), codes, randomisations=times)
        asked[times] = model.queries - before
        assert asked[times] <= 5 * carding(by, randomisations=times).most(model)
    assert asked[2] - asked[0] == 5 * 2 * 2 * by.most(model)


@pytest.mark.parametrize("times", ["-1", "half", "[1, 2]", "1.5", "true"])
def test_what_is_no_number_of_networks_is_refused(times):
    with pytest.raises(ModelError, match="randomisations"):
        probe_of(f"attribute.gradient(randomisations={times})")


def test_seeds_are_compared_where_an_explanation_draws():
    model = linear(np.eye(3), np.zeros(3), Spec((0, 1, 2), (3,)))
    x = np.random.default_rng(0).random((6, 3))
    inputs, codes = inputs_of(x, model.spec), model.predict(x)

    def of(name):
        return carded(one(name), model, inputs, codes)[0]

    assert np.isnan(of("gradient")["seed_stability"]).all()
    # The slope of a linear model is the same whatever is drawn.
    np.testing.assert_allclose(of("smooth_grad")["seed_stability"], 1)
    noise = of("random")["seed_stability"]
    wanted = [
        stats.spearmanr(first.standard_normal(3), second.standard_normal(3)).statistic
        for first, second in zip(
            streams_of(inputs, 0, str(one("random"))),
            streams_of(inputs, 0, "card", "again"),
            strict=True,
        )
    ]
    np.testing.assert_allclose(noise, wanted)


def test_ten_networks_are_drawn_where_nobody_says_how_many():
    (card,) = probe_of("attribute.gradient").method.cards
    assert card.randomisations == 10
    assert card.depth.layers(None) is None
