"""A function of NumPy arrays as a model, and scikit-learn's estimators, which are made of some."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import EvenhandError, ModelError, Problem, first_line
from evenhand.models.answer import (
    batch_of,
    batches,
    channelwise,
    check_inputs,
    check_scores,
    codes_of,
    normalised,
)
from evenhand.models.canary import canaries, digest_of
from evenhand.models.interval import Box, Rounding, affine, linear_margins
from evenhand.models.model import Array, Codes, Floats, Offer, Slope
from evenhand.models.spec import Label, Spec

Function = Callable[[Floats], Any]

_CANARIES = 64


@dataclass
class FunctionModel:
    """A function as a model: it gives scores, or labels where the spec's output is ``labels``.

    Attributes:
        function: Takes inputs of shape (n, *spec.shape), after the spec's normalisation; gives
            (n, classes) or n labels.
        spec: What it takes and gives.
        name: What reports call it.
        weights: Of a linear model, (classes, features) and (classes,), by which it has gradients.
        text: What else tells it from others of the same source, such as an estimator's parameters.
        estimator: What was fitted, where it is an estimator.
        queries: Examples it was asked about.
        own_labels: None: a function does not name its classes.

    """

    function: Function
    spec: Spec
    name: str = "function"
    weights: tuple[Floats, Floats] | None = None
    text: str = ""
    estimator: Any = field(default=None, repr=False)
    queries: int = field(default=0, init=False)
    own_labels: tuple[Label, ...] | None = field(default=None, init=False)

    @property
    def offers(self) -> frozenset[Offer]:
        """Scores, unless it gives labels; gradients and bounds of a linear model."""
        if self.spec.output == "labels":
            return frozenset()
        if self.weights is None:
            return frozenset({"scores"})
        known = self.spec.output == "logits"
        return frozenset({"scores", "vjp", "bounds"} if known else {"scores", "vjp"})

    def array(self, x: Floats) -> Array:
        """Return inputs as they are."""
        return np.asarray(x)

    def numpy(self, x: Array) -> Floats:
        """Return an array as it is."""
        return np.asarray(x)

    def predict(self, x: Floats) -> Codes:
        """Return classes, as `Model.predict`."""
        check_inputs(x, self.spec, self.name)
        if self.spec.output != "labels":
            codes: Codes = np.argmax(self.scores(x), axis=1).astype(np.int64)
            return codes
        parts = [np.empty(0, np.int64)]
        for some in batches(len(x), batch_of(self.spec)):
            found = codes_of(self.raw(x[some]), self.spec, self.name)
            if found.shape != (some.stop - some.start,):
                what = f"{some.stop - some.start} inputs got answers of shape {found.shape}."
                raise ModelError(Problem(self.name, what, "Give one label for each input."))
            parts.append(found)
        return np.concatenate(parts)

    def scores(self, x: Array) -> Array:
        """Return scores, as `Model.scores`."""
        if self.spec.output == "labels":
            what = "it gives labels alone, no scores."
            raise ModelError(Problem(self.name, what, "Use an attack by decisions: attack.hop."))
        parts = [
            check_scores(self.raw(x[some]), some.stop - some.start, self.spec, self.name)
            for some in batches(len(x), batch_of(self.spec))
        ]
        # Nothing is added to one part: an empty one of float64 would widen the others.
        return np.concatenate(parts) if parts else np.empty((0, self.spec.classes))

    def vjp(self, x: Array, slope: Slope) -> tuple[Array, Array]:
        """Return scores and gradients of a linear model, as `Model.vjp`."""
        if self.weights is None:
            raise ModelError(Problem(self.name, "it has no gradients."))
        scores = self.scores(x)
        self.queries += len(x)
        flat = np.asarray(slope(scores, slice(0, len(x)))) @ self.weights[0]
        gradient = flat.reshape(x.shape)
        if self.spec.std:
            gradient /= channelwise(np.asarray(self.spec.std), self.spec)
        return scores, gradient

    def margins(self, low: Floats, high: Floats, codes: Codes) -> NDArray[np.float64]:
        """Return how far classes of a linear model stay ahead in boxes, as `Bounded.margins`."""
        if self.weights is None or "bounds" not in self.offers:
            what = "its bounds are not known: it is no linear model that gives logits."
            hint = "Give the network as a module of torch; certify.smoothing needs scores alone."
            raise ModelError(Problem(self.name, what, hint))
        weight, bias = (np.asarray(one, np.float64) for one in self.weights)
        coarsest = max((low.dtype, self.weights[0].dtype), key=lambda one: np.finfo(one).eps)
        rounding = Rounding(float(np.finfo(coarsest).eps) / 2)
        box = Box(np.asarray(low, np.float64), np.asarray(high, np.float64))
        if self.spec.std:
            mean, std = (
                channelwise(np.asarray(one), self.spec) for one in (self.spec.mean, self.spec.std)
            )
            box = affine(box, 1 / std, -mean / std, rounding)
        self.queries += 2 * len(low)
        flat = Box(*(end.reshape(len(low), self.spec.size) for end in box))
        found: NDArray[np.float64] = linear_margins(weight, bias, flat, codes, rounding)
        return found

    def fingerprint(self) -> str:
        """Return a digest of the spec, and of its weights, or its source and answers to canaries.

        What a function depends on cannot be read, and what was fitted is not written twice alike
        (trees of scikit-learn have gaps of chance): so it is asked, unless it is stochastic.
        """
        if self.weights is not None:
            digest = hashlib.sha256(str(self.spec).encode())
            for part in self.weights:
                digest.update(np.ascontiguousarray(part).tobytes())
            return f"sha256:{digest.hexdigest()}"
        text = f"{_source(self.function)}\n{self.text}\n{self.spec}"
        answers = "" if self.spec.stochastic else self.raw(canaries(self.spec, _CANARIES))
        return digest_of(answers, text)

    def raw(self, x: Floats) -> Any:  # noqa: ANN401 - of somebody's function
        """Return the function's own answer to inputs, unchecked.

        Raises:
            ModelError: The function fails.

        """
        self.queries += len(x)
        try:
            return self.function(normalised(x, self.spec))
        except EvenhandError:
            raise
        except Exception as error:
            what = f"it failed on inputs of shape {x.shape}: {first_line(error)}"
            hint = "Does the spec's shape fit it?"
            raise ModelError(Problem(self.name, what, hint)) from error


def _source(function: Function) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return f"{type(function).__module__}.{type(function).__qualname__}"


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
        ModelError: It was not fitted, or answers several questions at once.

    """
    title = name or type(estimator).__name__
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        raise ModelError(Problem(title, "it has no classes_: was it fitted?"))
    if isinstance(classes, list) or np.ndim(classes) != 1:
        what = "it answers several questions at once."
        raise ModelError(Problem(title, what, "Wrap it in a function that answers one of them."))
    labels = tuple(np.asarray(classes).tolist())
    found = _coefficients(estimator, len(labels))
    if found is not None:
        told = dataclasses.replace(spec, labels=labels, output="logits")
        return linear(*found, told, name=title)
    known = hasattr(estimator, "predict_proba")
    told = dataclasses.replace(spec, labels=labels, output="probabilities" if known else "labels")
    asked = estimator.predict_proba if known else estimator.predict
    return FunctionModel(
        lambda x: asked(x.reshape(len(x), -1)),
        told,
        title,
        text=repr(estimator),
        estimator=estimator,
    )


def _coefficients(estimator: Any, classes: int) -> tuple[Floats, Floats] | None:  # noqa: ANN401
    """Return weights and biases by class of an estimator whose decisions are linear, else None."""
    weights = getattr(estimator, "coef_", None)
    if not (isinstance(weights, np.ndarray) and hasattr(estimator, "decision_function")):
        return None
    bias = np.broadcast_to(estimator.intercept_, len(weights))
    x = np.random.default_rng(0).random((4, weights.shape[1]))
    given, meant = estimator.decision_function(x), x @ weights.T + bias
    if len(weights) == 1 and classes == 2:  # noqa: PLR2004
        given = np.reshape(given, (-1, 1))
        if np.allclose(given, meant):
            # Of two classes one logit is kept; that of the first is 0.
            zero = np.zeros_like(weights)
            return np.concatenate([zero, weights]), np.concatenate([np.zeros(1), bias])
        return None
    # Support vectors have coefficients of pairs of classes, of three as many as there are classes.
    same = len(weights) == classes and np.shape(given) == meant.shape and np.allclose(given, meant)
    return (weights, bias) if same else None
