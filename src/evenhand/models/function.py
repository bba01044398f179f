"""A function of NumPy arrays as a model, and scikit-learn's estimators, which are made of some."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evenhand.errors import ModelError, Problem
from evenhand.models.answer import batches, check_inputs, check_scores, codes_of
from evenhand.models.model import Array, Codes, Floats, Offer, Slope
from evenhand.models.spec import Spec

Function = Callable[[Floats], Any]


@dataclass
class FunctionModel:
    """A function as a model: it gives scores, or labels where the spec's output is ``labels``.

    Attributes:
        function: Takes inputs of shape (n, *spec.shape), gives (n, classes) or n labels.
        spec: What it takes and gives.
        name: What reports call it.
        weights: Of a linear model, (classes, features) and (classes,), by which it has gradients.
        queries: Examples it was asked about.

    """

    function: Function
    spec: Spec
    name: str = "function"
    weights: tuple[Floats, Floats] | None = None
    queries: int = field(default=0, init=False)

    @property
    def offers(self) -> frozenset[Offer]:
        """What it can do beside `predict`."""
        if self.spec.output == "labels":
            return frozenset()
        return frozenset({"scores", "vjp"} if self.weights is not None else {"scores"})

    def array(self, x: Floats) -> Array:
        """Return inputs as they are."""
        return np.asarray(x)

    def numpy(self, x: Array) -> Floats:
        """Return an array as it is."""
        return np.asarray(x)

    def predict(self, x: Floats) -> Codes:
        """Return classes, as `Model.predict`."""
        check_inputs(x, self.spec, self.name)
        if self.spec.output == "labels":
            parts = [
                codes_of(self._asked(x[some]), self.spec, self.name) for some in batches(len(x))
            ]
            return np.concatenate([np.empty(0, np.int64), *parts])
        codes: Codes = np.argmax(self.scores(x), axis=1).astype(np.int64)
        return codes

    def scores(self, x: Array) -> Array:
        """Return scores, as `Model.scores`."""
        if self.spec.output == "labels":
            what = "it gives labels alone, no scores."
            raise ModelError(Problem(self.name, what, "Use an attack by decisions: attack.hop."))
        parts = [
            check_scores(
                np.asarray(self._asked(x[some])), some.stop - some.start, self.spec, self.name
            )
            for some in batches(len(x))
        ]
        return np.concatenate([np.empty((0, self.spec.classes)), *parts])

    def vjp(self, x: Array, slope: Slope) -> tuple[Array, Array]:
        """Return scores and gradients of a linear model, as `Model.vjp`."""
        if self.weights is None:
            raise ModelError(Problem(self.name, "it has no gradients."))
        scores = self.scores(x)
        self.queries += len(x)
        flat = np.asarray(slope(scores, slice(0, len(x)))) @ self.weights[0]
        return scores, flat.reshape(x.shape)

    def fingerprint(self) -> str:
        """Return a digest of the function's source or name, and of its weights."""
        try:
            text = inspect.getsource(self.function)
        except (OSError, TypeError):
            text = f"{type(self.function).__module__}.{type(self.function).__qualname__}"
        digest = hashlib.sha256(f"{text}\n{self.spec}".encode())
        for part in self.weights or ():
            digest.update(np.ascontiguousarray(part).tobytes())
        return f"sha256:{digest.hexdigest()}"

    def _asked(self, x: Floats) -> Any:  # noqa: ANN401 - of somebody's function
        self.queries += len(x)
        return self.function(x)


def linear(
    weights: Floats, bias: Floats, spec: Spec, *, name: str = "linear model"
) -> FunctionModel:
    """Return the model whose scores are ``x @ weights.T + bias``, with gradients in closed form.

    Args:
        weights: Shape (classes, features).
        bias: Shape (classes,).
        spec: What it takes; its output is logits.
        name: What reports call it.

    """
    return FunctionModel(
        lambda x: x.reshape(len(x), -1) @ weights.T + bias, spec, name, (weights, bias)
    )


def sklearn(estimator: Any, spec: Spec, *, name: str = "") -> FunctionModel:  # noqa: ANN401
    """Return an estimator of scikit-learn's kind as a model.

    Linear classifiers give their decision function as logits and have gradients; others give
    ``predict_proba``, or labels where they lack that.

    Args:
        estimator: What was fitted.
        spec: What it takes; labels and output are those of the estimator.
        name: What reports call it.

    Raises:
        ModelError: It was not fitted.

    """
    import dataclasses

    title = name or type(estimator).__name__
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        raise ModelError(Problem(title, "it has no classes_: was it fitted?"))
    labels = tuple(np.asarray(classes).tolist())
    coefficients = getattr(estimator, "coef_", None)
    if coefficients is not None and hasattr(estimator, "decision_function"):
        weights, bias = np.asarray(coefficients), np.asarray(estimator.intercept_)
        if len(weights) == 1:
            # Of two classes one logit is kept; that of the first is 0.
            weights = np.concatenate([np.zeros_like(weights), weights])
            bias = np.concatenate([np.zeros_like(bias), bias])
        return linear(weights, bias, dataclasses.replace(spec, labels=labels), name=title)
    known = hasattr(estimator, "predict_proba")
    told = dataclasses.replace(spec, labels=labels, output="probabilities" if known else "labels")
    asked = estimator.predict_proba if known else estimator.predict
    return FunctionModel(lambda x: asked(x.reshape(len(x), -1)), told, title)
