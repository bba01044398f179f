"""The laws of attacks: what comes back is inside, is really broken, and is the same every time."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from digits import SPEC, held_out, network, without_torch
from evenhand.errors import ModelError, NotationError
from evenhand.models.function import FunctionModel, linear
from evenhand.models.spec import Spec
from evenhand.models.torch import TorchModel
from evenhand.probes.attack.registry import attacks, read
from evenhand.probes.threat import NORMS, Threat

SMALL = {
    "fgsm": "fgsm",
    "pgd": "pgd(steps=8, restarts=2, loss=dlr, targets=2)",
    "apgd": "apgd(steps=12, restarts=2)",
    "fmn": "fmn(steps=20)",
    "square": "square(queries=60)",
    "noise": "noise(queries=30)",
    "hop": "hop(steps=2, probes=20)",
    "auto": "auto(steps=8, targets=2, queries=40)",
}
EPS = {"linf": 0.08, "l2": 0.5}
BOTH = pytest.mark.parametrize("norm", NORMS)
EACH = pytest.mark.parametrize("name", SMALL)


def torch_model(batch=256):
    pytest.importorskip("torch")
    return TorchModel(network(), SPEC, device="cpu", batch=batch)


def linear_model(classes=4, size=12, seed=0, **told):
    """A linear model in double precision, and inputs of which it gets most right."""
    rng = np.random.default_rng(seed)
    weights, bias = rng.normal(size=(classes, size)), rng.normal(size=classes)
    model = linear(weights, bias, Spec(tuple(range(classes)), (size,), low=-5, high=5, **told))
    x = rng.normal(size=(40, size))
    labels = model.predict(x)
    labels[::9] = (labels[::9] + 1) % classes
    return model, x, labels


def run(text, model, x, labels, norm="linf", *, eps=None):
    threat = Threat(norm, eps or EPS[norm])
    return read(text).run(model, x, labels, threat, np.random.default_rng(0))


def test_every_attack_is_tried_here():
    assert set(SMALL) == set(attacks())


@BOTH
@EACH
def test_examples_are_inside_and_broken_ones_are(name, norm):
    model, (x, labels) = torch_model(), held_out(40)
    found = run(SMALL[name], model, x, labels, norm)
    threat = Threat(norm, EPS[norm])
    assert found.examples.dtype == x.dtype
    assert threat.holds(found.examples, x, SPEC).all()
    np.testing.assert_array_equal(found.broken, model.predict(found.examples) != labels)
    np.testing.assert_array_equal(found.broken, found.broken_by != "")
    np.testing.assert_array_equal(np.isnan(found.distance), ~found.broken)
    there = threat.distance(found.examples, x)[found.broken]
    np.testing.assert_array_equal(found.distance[found.broken], there)


@EACH
def test_what_is_wrong_already_is_broken_without_a_change(name):
    model, x, labels = linear_model()
    wrong = model.predict(x) != labels
    found = run(SMALL[name], model, x, labels, eps=1e-6)
    assert wrong.any()
    assert (found.broken_by[wrong] == "clean").all()
    assert (found.distance[wrong] == 0).all()
    assert (found.queries[wrong] == 1).all()
    np.testing.assert_array_equal(found.examples[wrong], x[wrong])
    np.testing.assert_array_equal(found.broken, wrong)


@BOTH
@EACH
def test_queries_add_up_to_what_the_model_counts(name, norm):
    model, (x, labels) = torch_model(), held_out(30)
    found = run(SMALL[name], model, x, labels, norm)
    assert found.queries.sum() == model.queries
    assert found.queries.max() <= read(SMALL[name]).most(model)


@BOTH
@EACH
def test_same_seed_same_examples(name, norm):
    model, (x, labels) = torch_model(), held_out(20)
    one, other = (run(SMALL[name], model, x, labels, norm) for _ in range(2))
    np.testing.assert_array_equal(one.examples, other.examples)
    np.testing.assert_array_equal(one.queries, other.queries)


@BOTH
@EACH
def test_batches_change_nothing(name, norm):
    x, labels = held_out(20)
    one = run(SMALL[name], torch_model(), x, labels, norm)
    other = run(SMALL[name], torch_model(batch=7), x, labels, norm)
    np.testing.assert_array_equal(one.broken_by, other.broken_by)
    np.testing.assert_array_equal(one.queries, other.queries)
    np.testing.assert_allclose(one.examples, other.examples, atol=1e-4)


@BOTH
@EACH
def test_parts_in_order_are_the_whole(name, norm):
    model, x, labels = linear_model()
    threat, attack = Threat(norm, 0.3), read(SMALL[name])
    whole = attack.run(model, x, labels, threat, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    parts = [
        attack.run(model, x[some], labels[some], threat, rng)
        for some in (slice(11), slice(11, 12), slice(12, None))
    ]
    assert whole.broken.any()
    assert not whole.broken.all()
    for name_ in ("broken_by", "queries"):
        joined = np.concatenate([getattr(part, name_) for part in parts])
        np.testing.assert_array_equal(getattr(whole, name_), joined)
    joined = np.concatenate([part.examples for part in parts])
    np.testing.assert_allclose(whole.examples, joined, atol=1e-9)


@EACH
def test_nothing_to_attack(name):
    model, x, labels = linear_model()
    found = run(SMALL[name], model, x[:0], labels[:0])
    assert found.examples.shape == (0, 12)
    assert found.broken.shape == (0,)


@EACH
def test_progress_grows_to_the_whole(name):
    model, x, labels = linear_model()
    told = []
    read(SMALL[name]).run(
        model,
        x,
        labels,
        Threat("linf", 0.01),
        np.random.default_rng(0),
        progress=lambda _, share: told.append(share),
    )
    assert told == sorted(told)
    assert told[-1] == 1


@BOTH
def test_all_in_turn_are_at_least_as_strong_as_each(norm):
    model, (x, labels) = torch_model(), held_out(100)
    threat, whole = Threat(norm, EPS[norm]), read("auto(steps=15, targets=3, queries=150)")
    union = whole.run(model, x, labels, threat, np.random.default_rng(0)).broken
    resisting = ~union
    assert resisting.any()
    for member in whole.members(model):
        # Each alone, with random numbers of its own on what resisted: it was tried there.
        alone = member.run(model, x, labels, threat, np.random.default_rng(0)).broken
        assert union.sum() >= alone.sum()


def test_all_in_turn_say_who_broke_what():
    model, x, labels = linear_model()
    found = run("auto(steps=8, targets=2, queries=40)", model, x, labels, eps=0.3)
    names = {str(one) for one in read("auto(steps=8, targets=2, queries=40)").members(model)}
    assert {*found.broken_by.tolist()} <= {*names, "clean", ""}
    assert "attack.apgd(steps=8)" in found.broken_by


def test_without_gradients_some_are_left_out_with_the_reason():
    (x, labels), model = held_out(10), without_torch(network())
    found = run("auto(queries=20)", model, x, labels)
    (note,) = found.notes
    assert note == "attack.apgd, attack.fmn: skipped, network of NumPy offers no gradients."
    assert [str(one) for one in read("auto").members(model)] == [
        "attack.square",
        "attack.noise",
        "attack.hop(stop=True)",
    ]


def test_random_changes_find_what_lies_between_the_corners():
    """Within eps only a band off the corners is wrong, as in trees; half of the ball is in it."""
    spec = Spec((0, 1), (2,), low=-1.0)

    def scores(x):
        inside = (np.abs(x[:, 0]) > 0.02) & (np.abs(x[:, 0]) < 0.06)
        return np.c_[~inside, inside].astype(float)

    model, x = FunctionModel(scores, spec, "band"), np.zeros((30, 2))
    labels = np.zeros(30, int)
    assert not run("square(queries=200)", model, x, labels).broken.any()
    # A draw fails with chance 1/2: one of 30 examples resists 60 of them with chance 3e-17.
    found = run("noise(queries=60)", model, x, labels)
    assert found.broken.all()
    assert found.queries.mean() == pytest.approx(2 + 2, abs=1.5)
    assert run("auto(queries=20)", model, x, labels).broken.all()


def test_decisions_alone_leave_two():
    spec = Spec((0, 1), (3,), output="labels")
    model = FunctionModel(lambda x: (x.sum(axis=1) > 1.5).astype(int), spec, "decider")
    x = np.random.default_rng(0).random((20, 3))
    found = run("auto", model, x, model.predict(x), eps=0.2)
    assert [note.split(":")[0] for note in found.notes] == [
        "attack.apgd, attack.fmn",
        "attack.square",
    ]
    exact = np.abs(x.sum(axis=1) - 1.5) / 3
    assert not found.broken[exact > 0.2].any()
    assert found.broken[exact < 0.15].all()


@pytest.mark.parametrize(
    ("text", "instead"),
    [("pgd", "attack.square"), ("fmn", "attack.auto"), ("square", "attack.hop")],
)
def test_what_a_model_lacks_is_refused_with_another_way(text, instead):
    model = FunctionModel(lambda x: x[:, 0] > 0, Spec((False, True), (3,), output="labels"))
    with pytest.raises(ModelError, match="does not offer") as refused:
        run(text, model, np.zeros((1, 3)), np.zeros(1, int))
    assert instead in str(refused.value)


def test_two_classes_have_no_logit_ratio_and_it_is_said():
    model, x, labels = linear_model(classes=2)
    (note,) = run("apgd(loss=dlr, steps=5)", model, x, labels).notes
    assert "needs 3 classes, there are 2: the margin was raised" in note
    assert any("margin" in note for note in run("auto(steps=5, queries=9)", model, x, labels).notes)


def test_probabilities_are_attacked_by_their_logarithms():
    torch = pytest.importorskip("torch")
    (x, labels), net = held_out(60), network()
    by_logits = run("pgd(steps=10)", TorchModel(net, SPEC, device="cpu"), x, labels)
    soft = torch.nn.Sequential(net, torch.nn.Softmax(1))
    spec = Spec(SPEC.labels, SPEC.shape, layout="CHW", output="probabilities")
    by_chances = run("pgd(steps=10)", TorchModel(soft, spec, device="cpu"), x, labels)
    np.testing.assert_array_equal(by_logits.broken, by_chances.broken)


@BOTH
def test_square_needs_no_more_than_scores_whatever_gives_them(norm):
    (x, labels), net = held_out(60), network()
    pytest.importorskip("torch")
    models = (TorchModel(net, SPEC, device="cpu"), without_torch(net))
    one, other = (run("square(queries=200)", model, x, labels, norm) for model in models)
    assert 0.2 < one.broken.mean() < 1
    np.testing.assert_array_equal(one.examples, other.examples)
    np.testing.assert_array_equal(one.queries, other.queries)


@BOTH
@pytest.mark.parametrize("layout", ["HW", "CHW", "HWC", "features"])
def test_square_in_every_layout(norm, layout):
    shape = {"HW": (6, 5), "CHW": (2, 6, 5), "HWC": (6, 5, 2), "features": (30,)}[layout]
    spec = Spec((0, 1), shape, low=-5, high=5, layout=layout)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, spec.size))
    model = FunctionModel(lambda x: x.reshape(len(x), -1) @ weights.T, spec)
    x = rng.uniform(-1, 1, (30, *shape))
    labels, dual = model.predict(x), {"linf": 1, "l2": 2}[norm]
    way = weights[1] - weights[0]
    margin = np.abs(x.reshape(30, -1) @ way) / np.linalg.norm(way, dual)
    eps = 1.6 * np.median(margin)
    found = run("square(queries=600)", model, x, labels, norm, eps=eps)
    assert not found.broken[margin > eps].any()
    assert found.broken[margin < 0.6 * eps].mean() > 0.7


def test_notation_comes_back():
    for cls in attacks().values():
        assert read(str(cls())) == cls()
    for text in SMALL.values():
        attack = read(text)
        assert read(str(attack)) == attack
        assert str(attack).startswith("attack.")
    assert read("attack.pgd(steps=100, start=false)").start is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("attack.pgdd", "Did you mean 'pgd'"),
        ("pgd(stepss=3)", "Did you mean 'steps'"),
        ("pgd(eps=0.1)", "belongs to the threat"),
        ("pgd(3)", "given by name"),
        ("pgd@3", "no cutoff"),
    ],
)
def test_what_cannot_be_read(text, said):
    with pytest.raises(NotationError, match=said):
        read(text)


@pytest.mark.parametrize("name", sorted(attacks()))
def test_numbers_that_cannot_be_meant_are_refused(name):
    cls = attacks()[name]
    for field in fields(cls):
        if isinstance(field.default, bool) or field.default is None:
            continue
        if field.name == "targets" and name != "auto":
            continue
        with pytest.raises(ModelError):
            cls(**{field.name: 0 if isinstance(field.default, int | float) else "none"})
