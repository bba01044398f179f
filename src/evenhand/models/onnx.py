"""A graph of ONNX as a model, run by ONNX Runtime: scores, no gradients."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evenhand.errors import (
    MissingExtraError,
    ModelError,
    Problem,
    did_you_mean,
    first_line,
    listed,
    reason,
)
from evenhand.models.answer import (
    at_once,
    batches,
    check_inputs,
    check_scores,
    codes_of,
    label_key,
    normalised,
)
from evenhand.models.model import Array, Codes, Floats, Offer, Slope
from evenhand.models.spec import Label, Spec

_FLOATS: dict[str, type[np.floating[Any]]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
}
_LABELS = {"tensor(int64)", "tensor(int32)", "tensor(string)", "tensor(bool)"}


class _Output(NamedTuple):
    """The output of a graph that is read, and whether it gives maps from labels to scores."""

    name: str
    kind: str
    maps: bool


class OnnxModel:
    """A graph with one input of floats as a model.

    Its scores are its output of floats with a row for each input. Graphs converted from
    scikit-learn give labels beside them, and scores as a table or as a map from label to score for
    each input (zipmap): the labels of the maps are the classes, in their order. A graph that gives
    labels alone offers `predict` alone.

    Attributes:
        spec: What it takes and gives.
        name: What reports call it: the file's name.
        queries: Examples it was asked about.
        own_labels: The classes that its maps name; None where it has none, or was not asked yet.

    """

    def __init__(self, path: str | Path, spec: Spec, *, name: str = "", output: str = "") -> None:
        """Read a graph.

        Args:
            path: The file; its weights are in it, not beside it.
            spec: What it takes and gives.
            name: What reports call it.
            output: Which output is read, where several could be.

        Raises:
            MissingExtraError: ONNX Runtime is not installed.
            ModelError: It cannot be read, or takes or gives what no probe understands.

        """
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("onnx", where=str(path)) from error
        self.spec, self.queries = spec, 0
        self.name = name or Path(path).name
        self.own_labels: tuple[Label, ...] | None = None
        try:
            graph = Path(path).read_bytes()
        except OSError as error:
            raise ModelError(Problem(str(path), f"it cannot be read: {reason(error)}.")) from error
        self._digest = hashlib.sha256(graph).hexdigest()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            # From bytes, so that weights in other files, which the digest lacks, are refused.
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=onnxruntime.get_available_providers()
            )
        except Exception as error:
            what = f"ONNX Runtime cannot read it: {first_line(error)}"
            hint = "Is it a whole graph with its weights in one file?"
            raise ModelError(Problem(str(path), what, hint)) from error
        self._input, self.dtype, self._fixed = self._taken()
        self._output = self._given(output)

    @property
    def offers(self) -> frozenset[Offer]:
        """Scores, unless it gives labels alone."""
        return frozenset() if self.spec.output == "labels" else frozenset({"scores"})

    def array(self, x: Floats) -> Array:
        """Return inputs in the type that the graph takes."""
        return np.asarray(x, dtype=self.dtype)

    def numpy(self, x: Array) -> Floats:
        """Return an array as it is."""
        return np.asarray(x)

    def predict(self, x: Floats) -> Codes:
        """Return classes, as `Model.predict`."""
        check_inputs(x, self.spec, self.name)
        if self.spec.output != "labels":
            codes: Codes = np.argmax(self.scores(x), axis=1).astype(np.int64)
            return codes
        parts = [
            codes_of(self.raw(x[some]), self.spec, self.name) for some in batches(len(x), at_once())
        ]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def scores(self, x: Array) -> Array:
        """Return scores, as `Model.scores`."""
        if self.spec.output == "labels":
            what = "it gives labels alone, no scores."
            raise ModelError(Problem(self.name, what, "Use an attack by decisions: attack.hop."))
        parts = [
            check_scores(self.raw(x[some]), some.stop - some.start, self.spec, self.name)
            for some in batches(len(x), at_once())
        ]
        if self.own_labels is not None:
            self._check_labels(self.own_labels)
        return np.concatenate(parts) if parts else np.empty((0, self.spec.classes), self.dtype)

    def _check_labels(self, own: tuple[Label, ...]) -> None:
        if [*map(label_key, own)] != [*map(label_key, self.spec.labels)]:
            what = f"it names its classes {listed(own)}, the spec {listed(self.spec.labels)}."
            raise ModelError(Problem(self.name, what, "Say --labels in the order of the model."))

    def vjp(self, x: Array, slope: Slope) -> tuple[Array, Array]:  # noqa: ARG002
        """Refuse: ONNX Runtime gives no gradients."""
        hint = "Attack by scores: attack.square; or give the torch module that it came from."
        raise ModelError(Problem(self.name, "it has no gradients.", hint))

    def fingerprint(self) -> str:
        """Return the digest of the file."""
        return f"sha256:{self._digest}"

    def raw(self, x: Floats) -> Any:  # noqa: ANN401 - tables of scores, or labels
        """Return what the graph gives for inputs, unchecked; maps as a table."""
        self.queries += len(x)
        inputs = normalised(np.asarray(x, self.dtype), self.spec)
        parts = [
            self._run(inputs[some], some.stop - some.start)
            for some in batches(len(x), self._fixed or max(1, len(x)))
        ]
        return np.concatenate(parts)

    def _run(self, x: Floats, count: int) -> Any:  # noqa: ANN401 - as `raw`
        if self._fixed and count < self._fixed:
            # A graph of a fixed batch is given copies of the last input, which are not looked at.
            x = np.concatenate([x, np.repeat(x[-1:], self._fixed - count, axis=0)])
        try:
            (found,) = self._session.run([self._output.name], {self._input: x})
        except Exception as error:
            what = f"it failed on inputs of shape {x.shape}: {first_line(error)}"
            hint = "Does the spec's shape fit it?"
            raise ModelError(Problem(self.name, what, hint)) from error
        if not self._output.maps:
            return found[:count]
        self.own_labels = tuple(found[0])
        return np.array([[*one.values()] for one in found[:count]])

    def _taken(self) -> tuple[str, type[np.floating[Any]], int]:
        """Return the input's name, its type, and the size of a batch; 0 where any will do."""
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            what = f"it takes {len(inputs)} inputs: {listed(one.name for one in inputs)}."
            raise ModelError(Problem(self.name, what, "Give a graph of one input, of floats."))
        (one,) = inputs
        if one.type not in _FLOATS:
            what = f"its input '{one.name}' is a {one.type}, not of floats."
            hint = "Give a graph that takes floats, and rounds or looks up inside."
            raise ModelError(Problem(self.name, what, hint))
        batch, *rest = one.shape or [None]
        meant = [size if isinstance(size, int) else None for size in rest]
        fits = len(meant) == len(self.spec.shape) and all(
            size in {None, said} for size, said in zip(meant, self.spec.shape, strict=True)
        )
        if not fits:
            shape = "x".join(str(size or "?") for size in meant)
            what = f"its inputs have the shape {shape}, the spec says {self.spec.shape}."
            raise ModelError(Problem(self.name, what, f"Say --shape {shape}."))
        return one.name, _FLOATS[one.type], batch if isinstance(batch, int) else 0

    def _given(self, name: str) -> _Output:
        """Return the output that is read: scores where there are some, else labels."""
        outputs = [_Output(one.name, one.type, "map(" in one.type) for one in self._outputs()]
        scores = [one for one in outputs if one.kind in _FLOATS or one.maps]
        labels = [one for one in outputs if one.kind in _LABELS]
        if name:
            found = [one for one in (*scores, *labels) if one.name == name]
            if not found:
                hint = did_you_mean(name, [one.name for one in outputs])
                raise ModelError(Problem(self.name, f"it has no output '{name}'.", hint))
            return found[0]
        if len(scores) > 1 or len(labels) > 1 or not (scores or labels):
            names = listed(f"{one.name} ({one.kind})" for one in outputs)
            what = f"which of its outputs are the scores? There are: {names}."
            raise ModelError(Problem(self.name, what, "Give a graph with one output of scores."))
        return (scores or labels)[0]

    def _outputs(self) -> list[Any]:
        found: list[Any] = self._session.get_outputs()
        return found
