"""Where modules of torch are asked: what is said of it, and that a GPU answers as the CPU does."""

from __future__ import annotations

import contextlib
import copy

import numpy as np
import pytest

from digits import SPEC, held_out, network
from evenhand.errors import ModelError
from evenhand.models.check import check
from evenhand.models.device import in_full_precision
from evenhand.models.inputs import inputs_of
from evenhand.models.torch import TorchModel
from evenhand.notation import parse
from evenhand.probes.attribute.registry import attributions_named
from evenhand.probes.run import run
from evenhand.probes.written import probe_of
from made_models import image_spec, images, softmax

torch = pytest.importorskip("torch")

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


class Batches(torch.nn.Module):
    """Scores, and how many inputs came at once; more than `most` are too many for the memory."""

    def __init__(self, most=1000):
        super().__init__()
        self.layer, self.most, self.seen = torch.nn.Linear(16, 3), most, []

    def forward(self, x):
        self.seen.append(len(x))
        if len(x) > self.most:
            raise torch.OutOfMemoryError
        return self.layer(x.flatten(1))


def asked_on(device):
    return TorchModel(copy.deepcopy(network()), SPEC, device=device)


@pytest.mark.parametrize("name", ["gpu", "cuda:77", "cpu:x"])
def test_a_device_that_is_not_there_is_refused(monkeypatch, name):
    monkeypatch.setenv("EVENHAND_DEVICE", name)
    with pytest.raises(ModelError, match=f"device '{name}'.*torch cannot use it") as refused:
        TorchModel(Batches(), image_spec())
    assert "EVENHAND_DEVICE" in str(refused.value)


def test_what_is_said_goes_before_the_environment(monkeypatch):
    monkeypatch.setenv("EVENHAND_DEVICE", "nowhere")
    assert TorchModel(Batches(), image_spec(), device="cpu").device.type == "cpu"


@pytest.mark.parametrize(("said", "most"), [("", 256), ("7", 7), ("300", 300)])
def test_so_many_examples_are_asked_about_at_once(monkeypatch, said, most):
    monkeypatch.setenv("EVENHAND_BATCH", said)
    model = TorchModel(Batches(), image_spec())
    model.predict(images(300))
    assert max(model.module.seen) == most


@pytest.mark.parametrize("said", ["0", "-3", "many", "1.5"])
def test_no_number_of_examples_is_refused(monkeypatch, said):
    monkeypatch.setenv("EVENHAND_BATCH", said)
    with pytest.raises(ModelError, match=f"EVENHAND_BATCH.*'{said}' is no number of examples"):
        TorchModel(Batches(), image_spec())


def test_of_one_example_at_a_time_nobody_is_told_to_ask_about_fewer():
    model = TorchModel(Batches(most=0), image_spec(), batch=1)
    with pytest.raises(ModelError, match="too little memory") as refused:
        model.predict(images(3))
    assert "EVENHAND_BATCH" not in str(refused.value)
    assert "EVENHAND_DEVICE=cpu" in str(refused.value)


@pytest.mark.parametrize("ask", ["scores", "gradients"])
def test_memory_that_does_not_suffice_is_told_with_what_helps(ask):
    model = TorchModel(Batches(most=100), image_spec())
    x = model.array(images(300))
    with pytest.raises(ModelError, match="too little memory for 256 examples at once") as failed:
        model.scores(x) if ask == "scores" else model.vjp(x, lambda scores, _: scores)
    assert "EVENHAND_BATCH=64 " in str(failed.value)


@gpu
def test_a_sound_network_raises_nothing_on_a_gpu():
    x, y = held_out()
    # Rounded to 10 bits, as convolutions are by default, answers hang on their batch.
    assert check(asked_on("cuda"), x, y).doubts == ()


@gpu
@pytest.mark.parametrize(
    "written",
    [
        "gradient",
        "integrated_gradients(steps=16)",
        "smooth_grad(samples=8)",
        "occlusion(patch=2)",
        "kernel_shap(samples=32)",
        "guided_backprop",
        "grad_cam",
    ],
)
def test_attributions_of_a_gpu_are_those_of_the_cpu(written):
    x, _ = held_out(32)
    (one,) = attributions_named(parse(written))
    codes = asked_on("cpu").predict(x)
    maps = [
        one.maps(asked_on(device), x, codes, tuple(map(np.random.default_rng, range(len(x)))))
        for device in ("cpu", "cuda", "cuda")
    ]
    np.testing.assert_allclose(maps[1], maps[0], atol=1e-4 * np.abs(maps[0]).max())
    np.testing.assert_array_equal(maps[2], maps[1])


@gpu
def test_an_attack_on_a_gpu_finds_the_same_examples_again():
    x, y = held_out(100)
    inputs = inputs_of(x, SPEC, labels=[SPEC.labels[code] for code in y])
    logs = [
        run(probe_of("attack.apgd(eps=0.1, steps=10)"), asked_on(device), inputs, version="0").rows
        for device in ("cpu", "cuda", "cuda")
    ]
    assert logs[1].equals(logs[2])
    alike = (logs[0]["prediction"] == logs[1]["prediction"]).mean()
    # An example at the very edge may fall to either side.
    assert alike >= 0.98


def set_by(how):
    """Allow rounding, or forbid it, in one of the ways that torch has."""
    backends = torch.backends
    match how:
        case "for all products":
            torch.set_float32_matmul_precision("high")
        case "of matrices":
            backends.cuda.matmul.fp32_precision = "tf32"
        case "of convolutions":
            backends.cudnn.conv.fp32_precision = "ieee"
        case "for everything":
            backends.fp32_precision = "tf32"


def settings():
    cudnn, matrices = torch.backends.cudnn, torch.backends.cuda.matmul
    rounded = [part.fp32_precision for part in (cudnn.conv, cudnn.rnn, matrices)]
    return rounded, cudnn.benchmark, cudnn.deterministic


@pytest.mark.parametrize(
    "how", ["not", "for all products", "of matrices", "of convolutions", "for everything"]
)
def test_nothing_is_rounded_on_a_gpu_and_what_was_set_is_put_back(how):
    # Settings can be read and set where there is no GPU too.
    at_first = settings()[0]
    try:
        set_by(how)
        before = settings()
        with in_full_precision(torch.device("cuda")):
            assert settings() == (["ieee"] * 3, False, True)
            if how == "not":
                # As a module may ask that sets it itself, by its older name.
                assert not torch.backends.cudnn.allow_tf32
        assert settings() == before
        with contextlib.suppress(ModelError), in_full_precision(torch.device("cuda")):
            raise ModelError([])
        assert settings() == before
        with in_full_precision(torch.device("cpu")):
            assert settings() == before
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.backends.fp32_precision = "none"
        cudnn, matrices = torch.backends.cudnn, torch.backends.cuda.matmul
        for part, precision in zip((cudnn.conv, cudnn.rnn, matrices), at_first, strict=True):
            part.fp32_precision = precision


@gpu
def test_scores_of_a_gpu_are_those_of_the_cpu_whatever_was_allowed():
    x, _ = held_out(64)
    whole = copy.deepcopy(network()).double()(torch.as_tensor(x).double()).detach().numpy()
    found = asked_on("cuda")
    scores = found.numpy(found.scores(found.array(x)))
    np.testing.assert_allclose(softmax(scores), softmax(whole), atol=1e-5)
