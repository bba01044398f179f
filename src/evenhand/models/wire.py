"""Inputs and answers on the wire: JSON, ``.npy``, or raw numbers with their shape in a header."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from evenhand.errors import ModelError, Problem
from evenhand.models.model import Floats

Form = Literal["json", "npy", "raw"]

_KINDS: dict[Form, str] = {
    "json": "application/json",
    "npy": "application/x-npy",
    "raw": "application/octet-stream",
}


def packed(x: Floats, form: Form) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers that carry a batch of inputs.

    Args:
        x: Shape (n, ...), float32.
        form: ``json`` is ``{"inputs": [...]}``, each number to its last bit; ``npy`` a file of
            NumPy; ``raw`` numbers of float32, little-endian, with ``X-Shape: n,...``.

    """
    headers = {"Content-Type": _KINDS[form], "Accept": f"{_KINDS[form]}, {_KINDS['json']}"}
    if form == "json":
        # Each float32 as the float64 that it is: nothing is rounded on the way.
        return json.dumps({"inputs": x.astype(np.float64).tolist()}).encode(), headers
    if form == "raw":
        headers["X-Shape"] = ",".join(map(str, x.shape))
        return np.ascontiguousarray(x, "<f4").tobytes(), headers
    file = io.BytesIO()
    np.save(file, x, allow_pickle=False)
    return file.getvalue(), headers


def unpacked(content: bytes, headers: Mapping[str, str], *, labels: bool, who: str) -> Any:  # noqa: ANN401
    """Return the scores or labels of an answer, in the form that its content type says.

    Args:
        content: Its body.
        headers: Its headers, by names in lower case.
        labels: Whether labels are meant, not scores.
        who: The endpoint, in errors.

    Raises:
        ModelError: It has scores where labels are meant, or the reverse.
        ValueError: It is none of this, and so are KeyError, TypeError and EOFError.

    """
    found = _unpacked(content, headers, labels=labels, who=who)
    if found.ndim == 0:
        raise ValueError(found)
    return found


def _unpacked(content: bytes, headers: Mapping[str, str], *, labels: bool, who: str) -> Any:  # noqa: ANN401
    kind = headers.get("content-type", "").partition(";")[0].strip()
    if kind == _KINDS["npy"]:
        return np.load(io.BytesIO(content), allow_pickle=False)
    if kind == _KINDS["raw"]:
        shape = [int(one) for one in headers["x-shape"].split(",")]
        return np.frombuffer(content, "<f4").reshape(shape)
    document = json.loads(content)
    meant, other = ("labels", "scores") if labels else ("scores", "labels")
    if meant not in document and other in document:
        what = f"it gives {other}, where {meant} are said."
        raise ModelError(Problem(who, what, f"Say --output {'logits' if labels else 'labels'}."))
    found = np.asarray(document[meant], None if labels else np.float64)
    if labels and found.ndim != 1:
        raise ValueError(found.shape)
    return found
