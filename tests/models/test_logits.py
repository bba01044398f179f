"""Probabilities as logits: their logarithms, with the gradient of those."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.models.function import FunctionModel, linear
from evenhand.models.logits import LogModel, with_logits
from made_models import image_spec, images, softmax, weights

torch = pytest.importorskip("torch")

from evenhand.models.torch import TorchModel  # noqa: E402 - skipped without torch


def _nets():
    w, b = weights()
    layer = torch.nn.Linear(16, 3).double()
    with torch.no_grad():
        layer.weight[:], layer.bias[:] = torch.tensor(w), torch.tensor(b)
    net = torch.nn.Sequential(torch.nn.Flatten(), layer)
    logits = TorchModel(net, image_spec())
    chances = TorchModel(
        torch.nn.Sequential(net, torch.nn.Softmax(1)), image_spec(output="probabilities")
    )
    return logits, chances


def test_models_with_logits_and_labels_are_left_alone():
    for model in (
        linear(*weights(), image_spec()),
        FunctionModel(lambda x: [0] * len(x), image_spec(output="labels")),
    ):
        assert with_logits(model) is model


def test_cross_entropy_has_the_gradient_that_it_has_of_logits():
    logits, chances = _nets()
    wrapped = with_logits(chances)
    assert isinstance(wrapped, LogModel)
    assert wrapped.spec.output == "logits"
    x = images(7, np.float64)
    true = torch.nn.functional.one_hot(torch.tensor([0, 1, 2, 0, 1, 2, 0]))

    def slope(scores, some):
        return torch.softmax(scores, 1) - true[some]

    scores, own = logits.vjp(logits.array(x), slope)
    logs, through = wrapped.vjp(wrapped.array(x), slope)
    np.testing.assert_allclose(wrapped.numpy(through), logits.numpy(own), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(
        softmax(wrapped.numpy(logs)), softmax(logits.numpy(scores)), rtol=1e-12
    )


def test_black_box_scores_are_logarithms():
    w, b = weights()
    model = FunctionModel(
        lambda x: softmax(x.reshape(len(x), -1) @ w.T + b), image_spec(output="probabilities")
    )
    wrapped = with_logits(model)
    np.testing.assert_allclose(np.exp(wrapped.scores(images(4))), model.scores(images(4)))
    np.testing.assert_array_equal(wrapped.predict(images(4)), model.predict(images(4)))
    assert wrapped.queries == model.queries
    assert wrapped.fingerprint() == model.fingerprint()


def test_a_chance_of_0_has_a_finite_logarithm_and_no_gradient():
    class Sure(torch.nn.Module):
        def forward(self, x):
            on = x.flatten(1)[:, :1]
            return torch.cat([1 - on * 0, on * 0, on * 0], 1)

    model = with_logits(TorchModel(Sure(), image_spec(output="probabilities")))
    scores, gradient = model.vjp(model.array(images(3)), lambda scores, _: scores * 0 + 1)
    assert np.isfinite(model.numpy(scores)).all()
    np.testing.assert_array_equal(model.numpy(gradient), 0)
