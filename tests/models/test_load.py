"""Models by their address, and what they are taken for."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest

from evenhand.errors import ModelError
from evenhand.models.function import FunctionModel
from evenhand.models.load import load, model_of
from evenhand.models.onnx import OnnxModel
from evenhand.models.spec import Spec
from evenhand.models.told import Told
from evenhand.models.torch import TorchModel
from made_models import graph, image_spec, images, network, softmax, weights

IMAGE = Told(shape=(1, 4, 4))

MODULE = """
import numpy as np
from evenhand.models.function import FunctionModel
from evenhand.models.spec import Spec

W = np.arange(48.0).reshape(3, 16) % 7

def scores(x):
    return x.reshape(len(x), -1) @ W.T

def build():
    return scores

def ready():
    spec = Spec(labels=("a", "b", "c"), shape=(1, 4, 4), layout="CHW")
    return FunctionModel(scores, spec, "ready")

def broken():
    raise RuntimeError("no weights here")

number = 7

class holder:
    scores = staticmethod(scores)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "usersmodels.py").write_text(MODULE)
    yield "usersmodels"
    sys.modules.pop("usersmodels", None)


@pytest.mark.parametrize("name", ["scores", "build", "holder.scores"])
def test_a_function_of_inputs_and_one_that_returns_it(module, name):
    model = load(f"{module}:{name}", IMAGE, sample=images(4))
    assert model.spec.labels == (0, 1, 2)
    assert model.spec.output == "logits"
    assert model.spec.layout == "CHW"
    assert model.name == f"{module}:{name}"
    assert model.predict(images(3)).shape == (3,)


def test_a_model_brings_its_own_spec(module):
    model = load(f"{module}:ready", sample=images(4))
    assert model.spec.labels == ("a", "b", "c")


def test_a_range_from_0_is_said_too():
    own = FunctionModel(lambda x: x, Spec(labels=(0, 1), shape=(2,), low=-1.0))
    with pytest.raises(ModelError, match="low -1"):
        model_of(own, Told(low=0.0, high=1.0), sample=np.zeros((1, 2)))


def test_what_is_said_of_a_model_with_a_spec_must_agree_with_it(module):
    told = Told(labels=("c", "b", "a"), high=255.0, shape=(1, 4, 4))
    with pytest.raises(ModelError) as failed:
        load(f"{module}:ready", told, sample=images(4))
    assert [problem.what.split()[3] for problem in failed.value.problems] == ["labels", "high"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("usersmodels:scoers", "Did you mean 'scores'"),
        ("usersmodels:number", "a int is no model"),
        ("usersmodels:broken", "no weights here"),
        ("nosuchmodule:f", "no module 'nosuchmodule'"),
        ("model.onnx", "no such file"),
        ("model.bin2", "no address of a model"),
        ("model", "no address of a model"),
    ],
)
@pytest.mark.usefixtures("module")
def test_what_is_no_model(address, said):
    with pytest.raises(ModelError, match=said):
        load(address, IMAGE, sample=images(4))


@pytest.mark.usefixtures("module")
def test_a_module_whose_import_fails_says_why(tmp_path):
    (tmp_path / "usersbroken.py").write_text("import nosuchlibrary\n")
    with pytest.raises(ModelError, match="nosuchlibrary"):
        load("usersbroken:f", IMAGE, sample=images(4))


def test_probabilities_are_seen_and_what_is_said_goes_before():
    w, b = weights()

    def chances(x):
        return softmax(x.reshape(len(x), -1) @ w.T + b)

    assert model_of(chances, IMAGE, sample=images(4)).spec.output == "probabilities"
    told = Told(shape=(1, 4, 4), output="scores")
    assert model_of(chances, told, sample=images(4)).spec.output == "scores"


def test_classes_of_labels_alone_are_those_of_inputs_and_answers():
    def decide(x):
        return np.where(x.mean(axis=(1, 2, 3)) > 2, "yes", "no")

    model = model_of(decide, IMAGE, sample=images(4), seen=("maybe", "yes"))
    assert model.spec.output == "labels"
    assert model.spec.labels == ("maybe", "no", "yes")
    assert model.predict(images(2)).tolist() == [1, 1]


def test_two_classes_of_true_and_false_are_false_and_true():
    def score(x):
        means = x.mean(axis=(1, 2, 3))
        return np.stack([-means, means], axis=1)

    assert model_of(score, IMAGE, sample=images(4), seen=(False, True)).spec.labels == (False, True)
    assert model_of(score, IMAGE, sample=images(4), seen=(0, 1)).spec.labels == (0, 1)


def test_onnx_is_read(tmp_path):
    pytest.importorskip("onnxruntime")
    path = graph(tmp_path / "m.onnx", softmaxed=True)
    model = load(path, IMAGE, sample=images(4))
    assert isinstance(model, OnnxModel)
    assert model.spec.output == "probabilities"
    assert model.spec.labels == (0, 1, 2)


def test_onnx_names_its_classes(tmp_path):
    pytest.importorskip("onnxruntime")
    path = graph(tmp_path / "m.onnx", maps=("b", "a", "c"), labels=True)
    model = load(path, IMAGE, sample=images(4))
    # ONNX Runtime sorts what it maps.
    assert model.spec.labels == ("a", "b", "c")
    table = OnnxModel(graph(tmp_path / "t.onnx", softmaxed=True), image_spec())
    np.testing.assert_allclose(model.scores(images(3)), table.scores(images(3))[:, [1, 0, 2]])
    told = Told(shape=(1, 4, 4), labels=("b", "a", "c"), output="probabilities")
    with pytest.raises(ModelError, match="it names its classes a, b, c"):
        load(path, told, sample=images(4)).predict(images(2))


def test_a_file_that_is_no_graph(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "m.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelError, match="ONNX Runtime cannot read it"):
        load(str(tmp_path / "m.onnx"), IMAGE, sample=images(4))


def test_a_graph_of_another_shape_says_which(tmp_path):
    pytest.importorskip("onnxruntime")
    path = graph(tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="--shape 1x4x4"):
        load(path, Told(shape=(4, 4)), sample=images(4)[:, 0])


def test_a_graph_with_several_outputs_of_scores_is_refused_by_name(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import helper

    model = onnx.load(graph(tmp_path / "m.onnx", softmaxed=True))
    model.graph.output.append(helper.make_tensor_value_info("logits", 1, [None, 3]))
    onnx.save(model, str(tmp_path / "two.onnx"))
    with pytest.raises(ModelError, match=r"chances \(tensor\(float\)\), logits"):
        load(str(tmp_path / "two.onnx"), IMAGE, sample=images(4))
    spec = image_spec()
    found = OnnxModel(tmp_path / "two.onnx", spec, output="logits")
    one = OnnxModel(graph(tmp_path / "one.onnx"), spec)
    np.testing.assert_array_equal(found.scores(images(3)), one.scores(images(3)))


def test_a_fingerprint_of_onnx_is_the_digest_of_its_file(tmp_path):
    import hashlib

    pytest.importorskip("onnxruntime")
    path = tmp_path / "m.onnx"
    model = OnnxModel(graph(path), image_spec())
    assert model.fingerprint() == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def _architecture():
    return network(seed=5)


def test_safetensors_are_put_into_what_an_architecture_builds(tmp_path):
    pytest.importorskip("torch")
    files = pytest.importorskip("safetensors.torch")
    trained = network(seed=1)
    files.save_file(trained.state_dict(), str(tmp_path / "m.safetensors"))
    sys.modules["architectures"] = type(sys)("architectures")
    sys.modules["architectures"].build = _architecture
    sys.modules["architectures"].other = lambda: network(
        seed=5, last=__import__("torch").nn.Linear(3, 3)
    )
    try:
        path = str(tmp_path / "m.safetensors")
        model = load(path, IMAGE, sample=images(4), architecture="architectures:build")
        assert isinstance(model, TorchModel)
        own = TorchModel(trained, image_spec())
        np.testing.assert_array_equal(
            own.numpy(own.scores(images(3))), model.numpy(model.scores(images(3)))
        )
        with pytest.raises(ModelError, match="--architecture"):
            load(path, IMAGE, sample=images(4))
        with pytest.raises(ModelError, match="do not fit architectures:other"):
            load(path, IMAGE, sample=images(4), architecture="architectures:other")
    finally:
        del sys.modules["architectures"]


class Payload:
    def __reduce__(self):
        return (sys.exit, (3,))


@pytest.mark.parametrize("ending", [".pkl", ".joblib", ".pickle"])
def test_a_pickle_is_not_read_unless_it_is_trusted(tmp_path, ending):
    path = tmp_path / f"m{ending}"
    path.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(ModelError, match="--trust-pickle"):
        load(str(path), IMAGE, sample=images(4))


@pytest.mark.parametrize("ending", [".pt", ".pth"])
def test_pickles_of_torch_are_refused_with_another_way(tmp_path, ending):
    (tmp_path / f"m{ending}").write_bytes(b"")
    with pytest.raises(ModelError, match="safetensors"):
        load(str(tmp_path / f"m{ending}"), IMAGE, sample=images(4), trust_pickle=True)


def test_a_trusted_estimator_is_read(tmp_path):
    joblib = pytest.importorskip("joblib")
    ensemble = pytest.importorskip("sklearn.ensemble")
    x = images(60).reshape(60, -1)
    y = np.array(["no", "yes"])[(x.mean(axis=1) > 0.5).astype(int)]
    made = ensemble.RandomForestClassifier(5, random_state=0).fit(x, y)
    joblib.dump(made, tmp_path / "m.joblib")
    model = load(str(tmp_path / "m.joblib"), sample=x[:4], trust_pickle=True)
    assert isinstance(model, FunctionModel)
    assert model.spec.labels == ("no", "yes")
    assert model.spec.output == "probabilities"
    np.testing.assert_array_equal(np.array(model.spec.labels)[model.predict(x)], made.predict(x))
    # What is read is what was fitted.
    from evenhand.models.function import sklearn

    assert model.fingerprint() == sklearn(made, model.spec).fingerprint()


def test_support_vectors_of_three_classes_are_not_taken_for_linear():
    svm = pytest.importorskip("sklearn.svm")
    x = images(90).reshape(90, -1)
    w, b = weights()
    y = (x @ w.T + b).argmax(axis=1)
    made = svm.SVC(kernel="linear").fit(x, y)
    assert made.coef_.shape == (3, 16)
    model = model_of(made, Told(shape=(16,)), sample=x[:4])
    assert model.spec.output == "labels"
    np.testing.assert_array_equal(model.predict(x), made.predict(x))


def test_an_estimator_that_was_not_fitted():
    linear = pytest.importorskip("sklearn.linear_model")
    with pytest.raises(ModelError, match="fitted"):
        model_of(linear.LogisticRegression(), Told(shape=(16,)), sample=images(4).reshape(4, -1))


def test_a_network_that_wants_channels_says_so():
    pytest.importorskip("torch")
    with pytest.raises(ModelError, match="--shape 1x4x4"):
        model_of(network(), Told(shape=(4, 4)), sample=images(4)[:, 0])


def test_a_module_that_gives_labels_is_refused():
    torch = pytest.importorskip("torch")

    class Decides(torch.nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :3].argmax(1)

    with pytest.raises(ModelError, match="no scores"):
        model_of(Decides(), IMAGE, sample=images(4))


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((28, 28), "HW"),
        ((3, 32, 32), "CHW"),
        ((32, 32, 3), "HWC"),
        ((1, 4, 4), "CHW"),
        ((9,), "features"),
    ],
)
def test_layouts_are_told_by_the_shape(shape, layout):
    assert Told(shape=shape).first(shape).layout == layout


@pytest.mark.parametrize("shape", [(3, 8, 3), (16, 16, 16), (3, 3, 3)])
def test_layouts_that_no_shape_tells_are_asked_for(shape):
    with pytest.raises(ModelError, match="--layout"):
        Told(shape=shape).first(shape)
