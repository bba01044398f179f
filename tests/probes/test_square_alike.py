"""Square by torch, ONNX Runtime and an endpoint: scores differ by rounding, examples in no bit."""

from __future__ import annotations

import numpy as np
import pytest

from digits import SPEC, held_out, network, without_torch
from evenhand.models.http import HttpModel, Way
from evenhand.models.onnx import OnnxModel
from evenhand.models.torch import TorchModel
from evenhand.probes.attack.registry import read
from evenhand.probes.threat import Threat
from made_models import Endpoint, served

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

COUNT = 60


def graph_of(net, path):
    """Write a network of `digits.network` as a graph of ONNX, layer by layer."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    names = ("w1", "b1", "w2", "b2", "w3", "b3")
    weights = [value.detach().numpy() for value in net.state_dict().values()]
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c1"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["r1"]),
        node("Conv", ["r1", "w2", "b2"], ["c2"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["c2"], ["r2"]),
        node("MaxPool", ["r2"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["p"], ["flat"]),
        node("Gemm", ["flat", "w3", "b3"], ["logits"], transB=1),
    ]
    made = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *SPEC.shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(SPEC.labels)])],
        [numpy_helper.from_array(w, name) for w, name in zip(weights, names, strict=True)],
    )
    onnx.save(
        helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "eps", "queries"), [("linf", 0.1, 200), ("l2", 0.6, 60)])
def test_square_finds_the_same_bits_wherever_the_network_runs(norm, eps, queries, tmp_path):
    (x, labels), net = held_out(COUNT), network()
    attack, threat = read(f"square(queries={queries})"), Threat(norm, eps)

    def attacked(model):
        return attack.run(model, x, labels, threat, np.random.default_rng(7))

    numpy = without_torch(net)
    endpoint = Endpoint(lambda x: numpy.scores(numpy.array(x)))
    by_torch = attacked(TorchModel(net, SPEC, device="cpu"))
    by_onnx = attacked(OnnxModel(str(graph_of(net, str(tmp_path / "net.onnx"))), SPEC))
    with served(endpoint) as there:
        model = HttpModel(there.address, SPEC, Way(form="npy", batch=COUNT))
        by_http = attacked(model)
    assert endpoint.examples > COUNT
    # Some fall at once, some late and some not at all.
    assert 0.2 < by_torch.broken.mean() < 0.95
    assert len({*by_torch.queries.tolist()}) > 5
    for other in (by_onnx, by_http):
        np.testing.assert_array_equal(by_torch.examples, other.examples)
        assert by_torch.examples.dtype == other.examples.dtype
        for told in ("broken", "broken_by", "queries"):
            np.testing.assert_array_equal(getattr(by_torch, told), getattr(other, told))


@pytest.mark.slow
def test_their_scores_differ_in_the_last_bits(tmp_path):
    """What makes the test above one: the three are not the same arithmetic."""
    (x, _), net = held_out(COUNT), network()
    by_torch = TorchModel(net, SPEC, device="cpu")
    by_onnx = OnnxModel(graph_of(net, str(tmp_path / "net.onnx")), SPEC)
    by_numpy = without_torch(net)
    scores = [model.numpy(model.scores(model.array(x))) for model in (by_torch, by_onnx, by_numpy)]
    for other in scores[1:]:
        assert (scores[0] != other).any()
        np.testing.assert_allclose(scores[0], other, atol=1e-4)
