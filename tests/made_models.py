"""Models that tests of adapters are made of: small, of fixed weights, the same in every library."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from evenhand.models.spec import Spec
from evenhand.models.wire import unpacked

CLASSES, SIZE = 3, 16

SHAPE = (1, 4, 4)


def image_spec(**changed) -> Spec:
    told = {"labels": (0, 1, 2), "shape": SHAPE, "layout": "CHW", **changed}
    return Spec(**told)


def weights(seed=0):
    """Weights and biases of a linear model, by which noise is of every class about as often."""
    found = np.random.default_rng(seed).standard_normal((CLASSES, SIZE))
    return found, -0.5 * found.sum(axis=1)


def images(count, dtype=np.float32, seed=1):
    return np.random.default_rng(seed).random((count, *SHAPE)).astype(dtype)


def softmax(scores):
    grown = np.exp(scores - scores.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)


def network(seed=0, last=None):
    """A small network of torch with what is known to go wrong: dropout and batch norm."""
    import torch

    torch.manual_seed(seed)
    parts = [
        torch.nn.Conv2d(1, 4, 3),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Flatten(),
        torch.nn.Linear(16, CLASSES),
    ]
    return torch.nn.Sequential(*parts, *([last] if last else []))


def graph(path, *, seed=0, batch=None, scores=True, labels=False, maps=(), softmaxed=False):
    """Write the linear model of `weights` as a graph of ONNX."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    w, b = weights(seed)
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"], transB=1),
    ]
    last = "logits"
    if softmaxed or maps:
        nodes.append(helper.make_node("Softmax", ["logits"], ["chances"], axis=1))
        last = "chances"
    outputs = []
    if labels:
        nodes.append(helper.make_node("ArgMax", [last], ["label"], axis=1, keepdims=0))
        outputs.append(helper.make_tensor_value_info("label", TensorProto.INT64, [batch]))
    if maps:
        nodes.append(
            helper.make_node(
                "ZipMap", [last], ["maps"], domain="ai.onnx.ml", classlabels_strings=[*maps]
            )
        )
        outputs.append(helper.make_value_info("maps", _maps()))
    elif scores:
        outputs.append(helper.make_tensor_value_info(last, TensorProto.FLOAT, [batch, CLASSES]))
    made = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch or "n", *SHAPE])],
        outputs,
        [
            numpy_helper.from_array(w.astype(np.float32), "w"),
            numpy_helper.from_array(b.astype(np.float32), "b"),
        ],
    )
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    onnx.save(helper.make_model(made, opset_imports=sets, ir_version=8), str(path))
    return str(path)


def _maps():
    from onnx import TensorProto, helper

    number = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    return helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.STRING, number))


@dataclass
class Endpoint:
    """A model behind HTTP on this machine, which notes what it is asked.

    Attributes:
        scores: Gives the scores of inputs.
        before: What happens before the request of a number is answered: a status with headers and
            body, or a function that is called; each once.
        asked: The inputs of each request that was answered.
        headers: Of each request.

    """

    scores: Any
    answer: str = "json"
    before: dict[int, Any] = field(default_factory=dict)
    asked: list[np.ndarray] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    count: int = 0
    address: str = ""

    @property
    def examples(self) -> int:
        return sum(map(len, self.asked))

    def reply(self, body, headers):
        number, self.count = self.count, self.count + 1
        self.headers.append(headers)
        planned = self.before.get(number)
        if isinstance(planned, tuple):
            return planned
        if planned is not None:
            planned()
        x = _inputs(body, headers)
        self.asked.append(x)
        found = self.scores(x)
        if self.answer == "json":
            return 200, {"Content-Type": "application/json"}, _json(found)
        from evenhand.models.wire import packed

        content, said = packed(np.asarray(found, np.float32), self.answer)
        return 200, said, content


def _json(found):
    name = "scores" if found.ndim == 2 else "labels"
    return json.dumps({name: found.tolist()}).encode()


def _inputs(body, headers):
    if headers["content-type"] == "application/json":
        return np.asarray(json.loads(body)["inputs"])
    return np.asarray(unpacked(body, headers, labels=False, who="test"))


@contextmanager
def served(endpoint):
    """Serve an endpoint on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                status, said, content = endpoint.reply(body, headers)
                self.send_response(status)
                for name, value in said.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):
                pass

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    endpoint.address = f"http://127.0.0.1:{server.server_port}/predict"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
