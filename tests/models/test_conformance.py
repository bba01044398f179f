"""Every adapter keeps the same laws."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evenhand.errors import ModelError
from evenhand.models.function import FunctionModel, linear, sklearn
from evenhand.models.http import HttpModel, Way
from evenhand.models.logits import with_logits
from evenhand.models.model import Bounded, Layered, Randomisable
from evenhand.models.onnx import OnnxModel
from evenhand.models.torch import TorchModel
from made_models import (
    CLASSES,
    Endpoint,
    graph,
    image_spec,
    images,
    network,
    served,
    softmax,
    weights,
)


@dataclasses.dataclass
class Case:
    """A model, and what makes the same kind of model with other weights."""

    model: object
    other: object
    spec: object = None


def _scores(seed=0):
    w, b = weights(seed)
    return lambda x: np.asarray(x).reshape(len(x), -1) @ w.T + b


def _function(seed=0):
    return FunctionModel(_scores(seed), image_spec())


def _chances(seed=0):
    found = _scores(seed)
    return FunctionModel(lambda x: softmax(found(x)), image_spec(output="probabilities"))


def _labels(seed=0):
    found = _scores(seed)
    return FunctionModel(lambda x: found(x).argmax(axis=1), image_spec(output="labels"))


def _estimator(kind, seed):
    ensemble = pytest.importorskip("sklearn.ensemble")
    from sklearn.linear_model import LogisticRegression

    x = images(90, seed=seed).reshape(90, -1)
    y = _scores()(x).argmax(axis=1)
    made = {
        "linear": LogisticRegression(),
        "forest": ensemble.RandomForestClassifier(5, random_state=seed),
    }
    return sklearn(made[kind].fit(x, y), image_spec())


def _torch(seed=0, device="cpu", **changed):
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    return TorchModel(network(seed), image_spec(**changed), device=device, batch=4)


@pytest.fixture(
    params=[
        "function",
        "linear",
        "normalised",
        "probabilities",
        "labels",
        "sklearn-linear",
        "sklearn-forest",
        "torch",
        "torch-normalised",
        "torch-gpu",
        "logits-of-probabilities",
        "onnx",
        "onnx-batch-of-4",
        "onnx-maps",
        "onnx-labels",
        "http-json",
        "http-npy",
        "http-raw",
        "http-labels",
    ]
)
def case(request, tmp_path):
    kind = request.param
    if kind.startswith("onnx"):
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
        how = {
            "onnx": ({}, {}),
            "onnx-batch-of-4": ({"batch": 4}, {}),
            "onnx-maps": (
                {"maps": ("a", "b", "c"), "labels": True},
                {"labels": ("a", "b", "c"), "output": "probabilities"},
            ),
            "onnx-labels": ({"scores": False, "labels": True}, {"output": "labels"}),
        }[kind]
        made = [
            OnnxModel(graph(tmp_path / f"{n}.onnx", seed=n, **how[0]), image_spec(**how[1]))
            for n in (0, 1)
        ]
        yield Case(*made)
    elif kind.startswith("http"):
        form = kind.removeprefix("http-")
        labels = form == "labels"
        form = "json" if labels else form

        def asked(seed):
            found = _scores(seed)
            return (lambda x: found(x).argmax(axis=1)) if labels else found

        spec = image_spec(output="labels" if labels else "logits")
        with (
            served(Endpoint(asked(0), form)) as one,
            served(Endpoint(asked(1), form)) as other,
        ):
            way = Way(form=form, batch=4)
            yield Case(HttpModel(one.address, spec, way), HttpModel(other.address, spec, way))
    else:
        made = {
            "function": _function,
            "linear": lambda n=0: linear(*weights(n), image_spec()),
            "normalised": lambda n=0: linear(*weights(n), image_spec(mean=(0.4,), std=(0.2,))),
            "probabilities": _chances,
            "labels": _labels,
            "sklearn-linear": lambda n=0: _estimator("linear", n),
            "sklearn-forest": lambda n=0: _estimator("forest", n),
            "torch": _torch,
            "torch-normalised": lambda n=0: _torch(n, mean=(0.4,), std=(0.2,)),
            "torch-gpu": lambda n=0: _torch(n, device="cuda"),
            "logits-of-probabilities": lambda n=0: with_logits(_chances(n)),
        }[kind]
        yield Case(made(0), made(1))


@pytest.fixture
def model(case):
    return case.model


def _slope(scores, _some):
    return scores * 0 + np.array([1.0, -2.0, 0.5])[None, :].astype("float32").tolist()


def test_it_says_what_it_offers(model):
    assert model.offers <= {"scores", "vjp", "bounds", "randomised", "layers"}
    assert ("scores" in model.offers) == (model.spec.output != "labels")


@pytest.mark.parametrize("count", [0, 1, 3, 9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_are_those_of_any_number_of_inputs(model, count, dtype):
    x = images(count, dtype)
    codes = model.predict(x)
    assert codes.shape == (count,)
    assert codes.dtype == np.int64
    assert np.isin(codes, range(CLASSES)).all()
    if "scores" not in model.offers:
        return
    scores = model.numpy(model.scores(model.array(x)))
    assert scores.shape == (count, CLASSES)
    assert scores.dtype.kind == "f"
    np.testing.assert_array_equal(scores.argmax(axis=1), codes)


def test_an_answer_does_not_depend_on_the_batch(model):
    x = images(9)
    whole = model.predict(x)
    np.testing.assert_array_equal(
        whole, np.concatenate([model.predict(x[n : n + 1]) for n in range(9)])
    )
    np.testing.assert_array_equal(whole[::-1], model.predict(x[::-1]))
    if "scores" in model.offers:
        scores = model.numpy(model.scores(model.array(x)))
        alone = [model.numpy(model.scores(model.array(x[n : n + 1]))) for n in range(9)]
        np.testing.assert_allclose(scores, np.concatenate(alone), rtol=1e-5, atol=1e-6)


def test_a_second_call_answers_as_the_first(model):
    x = images(5)
    np.testing.assert_array_equal(model.predict(x), model.predict(x))
    if "scores" in model.offers:
        one, two = (model.numpy(model.scores(model.array(x))) for _ in range(2))
        np.testing.assert_array_equal(one, two)


def test_arrays_go_in_and_come_back(model):
    x = images(4)
    np.testing.assert_allclose(model.numpy(model.array(x)), x, rtol=1e-7)


def test_inputs_are_not_changed(model):
    x = images(4)
    before = x.copy()
    x.flags.writeable = False
    model.predict(x)
    if "scores" in model.offers:
        model.scores(model.array(x))
    np.testing.assert_array_equal(x, before)


def test_a_query_is_an_example_in_a_pass_and_a_gradient_asks_twice(model):
    x = images(6)
    before = model.queries
    model.predict(x)
    assert model.queries - before == 6
    if "scores" in model.offers:
        before = model.queries
        model.scores(model.array(x))
        assert model.queries - before == 6
    if "vjp" in model.offers:
        before = model.queries
        model.vjp(model.array(x), lambda scores, _: scores)
        assert model.queries - before == 12


def test_a_fingerprint_changes_with_a_weight_and_not_with_a_call(case):
    first = case.model.fingerprint()
    assert first.startswith("sha256:")
    case.model.predict(images(3))
    assert case.model.fingerprint() == first
    assert case.other.fingerprint() != first


def test_gradients_are_those_of_the_scores_in_declared_units(model):
    if "vjp" not in model.offers:
        with pytest.raises(ModelError, match=r"no gradients|labels alone"):
            model.vjp(model.array(images(1)), _slope)
        return
    x = images(5)
    slopes = np.random.default_rng(3).standard_normal((5, CLASSES))

    def slope(scores, some):
        return scores * 0 + model.array(slopes)[some] if hasattr(model, "module") else slopes[some]

    scores, gradient = model.vjp(model.array(x), slope)
    np.testing.assert_allclose(
        model.numpy(scores), model.numpy(model.scores(model.array(x))), rtol=1e-5, atol=1e-6
    )
    gradient = model.numpy(gradient)
    assert gradient.shape == x.shape
    direction = gradient / np.linalg.norm(gradient.reshape(5, -1), axis=1).reshape(-1, 1, 1, 1)
    step = 1e-3
    up, down = (
        model.numpy(model.scores(model.array(x + sign * step * direction))) for sign in (1, -1)
    )
    numeric = ((up - down) * slopes).sum(axis=1) / (2 * step)
    np.testing.assert_allclose(numeric, (gradient * direction).sum(axis=(1, 2, 3)), rtol=0.02)


def test_bounds_hold_of_everything_in_a_box(model):
    if "bounds" not in model.offers:
        assert not isinstance(model, Bounded) or _refuses_bounds(model)
        return
    x, codes = images(6), np.arange(6) % CLASSES
    low, high = np.clip(x - 0.05, 0, 1), np.clip(x + 0.05, 0, 1)
    before = model.queries
    found = model.margins(low, high, codes)
    assert model.queries - before == 12
    assert found.shape == (6, CLASSES)
    assert np.isinf(found[np.arange(6), codes]).all()
    rng = np.random.default_rng(4)
    for _ in range(50):
        share = rng.random(x.shape).round(rng.integers(0, 2)).astype(np.float32)
        scores = model.numpy(model.scores(model.array(low + share * (high - low))))
        ahead = scores[np.arange(6), codes][:, None] - scores
        assert (ahead >= np.where(np.isinf(found), -1, found) - 1e-6).all()
    assert model.margins(x[:0], x[:0], codes[:0]).shape == (0, CLASSES)


def _refuses_bounds(model):
    with pytest.raises(ModelError, match="bounds are"):
        model.margins(images(1), images(1), np.zeros(1, int))
    return True


def test_a_copy_of_other_parameters_is_another_model_that_counts_with_it(model):
    if "randomised" not in model.offers:
        assert not isinstance(model, Randomisable) or _refuses_copies(model)
        return
    x = images(6)
    fingerprint, before = model.fingerprint(), model.queries
    copies = [model.randomised(seed) for seed in (1, 1, 2)]
    first, again, other = (one.numpy(one.scores(one.array(x))) for one in copies)
    assert model.queries - before == 18
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    assert np.abs(first - model.numpy(model.scores(model.array(x)))).max() > 1e-3
    assert model.fingerprint() == fingerprint
    assert copies[0].spec == model.spec


def _refuses_copies(model):
    with pytest.raises(ModelError, match="parameters that can be drawn anew"):
        model.randomised(1)
    return True


def test_an_open_model_is_a_module_that_gives_its_scores_and_is_put_back(model):
    if "layers" not in model.offers:
        assert not isinstance(model, Layered) or _refuses_to_open(model)
        return
    x, before = images(6), model.queries
    wanted = model.numpy(model.scores(model.array(x)))
    training = [part.training for part in model.module.modules()]
    with model.open() as module:
        assert not any(part.training for part in module.modules())
        assert model.module in [*module.modules()]
        np.testing.assert_allclose(model.numpy(module(model.array(x))), wanted, rtol=1e-6)
    assert model.queries - before == 12
    assert [part.training for part in model.module.modules()] == training


def _refuses_to_open(model):
    with pytest.raises(ModelError, match="layers that can be looked at"), model.open():
        pass
    return True


def test_no_inputs_have_no_gradients_and_no_error(model):
    if "vjp" in model.offers:
        scores, gradient = model.vjp(model.array(images(0)), lambda scores, _: scores)
        assert tuple(scores.shape) == (0, CLASSES)
        assert tuple(gradient.shape) == images(0).shape


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (images(3) * 255, "Are they bytes"),
        (images(3) * 4 - 2, "normalised"),
        (np.moveaxis(images(3), 1, -1), "CHW or HWC"),
        (np.full_like(images(3), np.nan), "NaN"),
    ],
)
def test_inputs_that_are_not_as_the_spec_says_are_refused_with_what_may_be_meant(model, x, said):
    with pytest.raises(ModelError, match=said):
        model.predict(x)
