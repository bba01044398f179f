"""Each silent error of a spec is planted and caught; sound models raise nothing."""

from __future__ import annotations

import copy
import dataclasses
import warnings

import numpy as np
import pytest

from evenhand.errors import ModelError
from evenhand.models.check import check, most_checked
from evenhand.models.function import FunctionModel, linear, sklearn
from evenhand.models.spec import Spec
from made_models import image_spec, images, network, softmax

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from evenhand.models.torch import TorchModel  # noqa: E402 - skipped without torch

nn = torch.nn

SPLIT = 1400


def spec(**changed) -> Spec:
    told = {"labels": tuple(range(10)), "shape": (1, 8, 8), "layout": "CHW", **changed}
    return Spec(**told)


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.images / 16).astype(np.float32)[:, None], found.target


@pytest.fixture(scope="module")
def x(digits):
    return digits[0][SPLIT:]


@pytest.fixture(scope="module")
def y(digits):
    return digits[1][SPLIT:]


def _trained(digits, change=lambda x: x, *, bias=True):
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=bias),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, padding=1, stride=2, bias=bias),
        nn.BatchNorm2d(16) if bias else nn.Identity(),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.Linear(256, 10, bias=bias),
    )
    x, y = torch.tensor(change(digits[0][:SPLIT])), torch.tensor(digits[1][:SPLIT])
    steps = torch.optim.Adam(module.parameters(), 3e-3)
    for epoch in range(8):
        order = torch.randperm(SPLIT, generator=torch.Generator().manual_seed(epoch))
        for some in order.split(64):
            steps.zero_grad()
            nn.functional.cross_entropy(module(x[some]), y[some]).backward()
            steps.step()
    return module


@pytest.fixture(scope="module")
def net(digits):
    # Left in training mode, as a user may hand it over.
    return _trained(digits)


@pytest.fixture(scope="module")
def unbiased(digits):
    return _trained(digits, bias=False)


@pytest.fixture(scope="module")
def of_bytes(digits):
    return _trained(digits, lambda x: x * 255, bias=False)


@pytest.fixture(scope="module")
def moments(digits):
    return float(digits[0].mean()), float(digits[0].std())


@pytest.fixture(scope="module")
def normalised(digits, moments):
    return _trained(digits, lambda x: ((x - moments[0]) / moments[1]).astype(np.float32))


def names(model, x, y=None):
    return [(one.name, one.sure) for one in check(model, x, y).doubts]


class _After(nn.Module):
    """A network whose scores or inputs are changed by a function."""

    def __init__(self, net, after=None, before=None):
        super().__init__()
        self.net, self.after, self.before = net, after, before

    def forward(self, x):
        scores = self.net(x if self.before is None else self.before(x))
        return scores if self.after is None else self.after(scores)


# Sound models raise nothing.


def test_a_sound_network_raises_nothing_and_all_that_applies_is_checked(net, x, y):
    found = check(TorchModel(net, spec()), x, y)
    assert found.doubts == ()
    assert [*found.skipped] == ["channels"]
    assert found.accuracy > 0.9
    assert found.inputs == 256


@pytest.mark.parametrize("kind", ["unbiased", "normalised", "of_bytes", "probabilities"])
def test_sound_networks_raise_nothing(request, x, y, moments, kind):
    if kind == "of_bytes":
        model = TorchModel(request.getfixturevalue(kind), spec(high=255.0))
        assert names(model, x * 255, y) == []
        return
    told = {
        "unbiased": spec(),
        "normalised": spec(mean=(moments[0],), std=(moments[1],)),
        "probabilities": spec(output="probabilities"),
    }[kind]
    if kind == "probabilities":
        module = nn.Sequential(request.getfixturevalue("unbiased"), nn.Softmax(1))
    else:
        module = request.getfixturevalue(kind)
    assert names(TorchModel(module, told), x, y) == []


@pytest.mark.parametrize("kind", ["logistic", "weak", "forest", "neighbours", "svc", "network"])
def test_sound_estimators_raise_nothing(digits, kind):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.svm import SVC

    made = {
        "logistic": LogisticRegression(max_iter=500),
        "weak": LogisticRegression(C=1e-3),
        "forest": RandomForestClassifier(20, random_state=0),
        "neighbours": KNeighborsClassifier(),
        "svc": SVC(kernel="linear"),
        "network": MLPClassifier((32,), random_state=0, max_iter=60),
    }[kind]
    flat = digits[0].reshape(-1, 64).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.fit(flat[:SPLIT], digits[1][:SPLIT])
    model = sklearn(made, Spec(labels=(0, 1), shape=(64,)))
    assert names(model, flat[SPLIT:], digits[1][SPLIT:]) == []


def test_a_sound_model_raises_nothing_whatever_its_inputs_and_seed():
    # Twenty linear models of noise, by their own classes: nothing may be found by luck.
    for seed in range(20):
        rng = np.random.default_rng(seed)
        weights = rng.standard_normal((4, 12)) * 6
        model = linear(weights, -weights.sum(axis=1) / 2, Spec(labels=(0, 1, 2, 3), shape=(12,)))
        x = rng.random((200, 12))
        truth = np.array([rng.choice(4, p=one) for one in softmax(model.scores(x))])
        assert names(model, x, truth) == [], seed


def test_guessed_classes_raise_only_that_it_guesses(net, x, y):
    shuffled = np.random.default_rng(0).permutation(y)
    assert names(TorchModel(net, spec()), x, shuffled) == [("guessing", "likely")]


# What is said of scores.


def test_softmax_where_logits_are_said(net, x, y):
    model = TorchModel(nn.Sequential(net, nn.Softmax(1)), spec())
    assert names(model, x, y) == [("output", "certain")]


def test_a_sigmoid_where_logits_are_said(net, x, y):
    model = TorchModel(nn.Sequential(net, nn.Sigmoid()), spec())
    assert names(model, x, y) == [("output", "likely")]


def test_logits_where_probabilities_are_said(net, x, y):
    model = TorchModel(net, spec(output="probabilities"))
    assert ("output", "certain") in names(model, x, y)


def test_log_softmax_is_as_good_as_logits(net, x, y):
    assert names(TorchModel(nn.Sequential(net, nn.LogSoftmax(1)), spec()), x, y) == []


def test_labels_passed_as_scores(net, x, y):
    inner = TorchModel(net, spec())
    model = FunctionModel(lambda x: np.eye(10)[inner.predict(x)], spec(output="scores"))
    assert names(model, x, y) == [("one-hot", "certain")]


def test_scores_that_do_not_depend_on_the_input(x):
    model = FunctionModel(lambda x: np.tile(np.arange(10.0), (len(x), 1)), spec())
    assert ("one-hot", "likely") in names(model, x)


def test_nan(net, x, y):
    def broken(scores):
        scores = scores.clone()
        scores[3] = float("nan")
        return scores

    found = check(TorchModel(_After(net, broken), spec()), x, y).doubts
    assert [(one.name, one.sure) for one in found] == [("answers", "certain")]
    assert "NaN" in found[0].seen


def test_more_classes_than_labels(net, x):
    (doubt,) = check(TorchModel(net, spec(labels=(0, 1, 2))), x).doubts
    assert (doubt.name, doubt.sure) == ("answers", "certain")
    assert "(256, 10)" in doubt.seen or "10)" in doubt.seen


def test_one_logit_of_two_classes(x):
    model = FunctionModel(lambda x: x.mean(axis=(1, 2, 3)), spec(labels=(0, 1)))
    (doubt,) = check(model, x).doubts
    assert "[0, logit]" in doubt.hint


def test_a_class_that_is_not_that_of_the_largest_score(net, x):
    model = TorchModel(net, spec())

    class Turned:
        def __getattr__(self, name):
            return getattr(model, name)

        def predict(self, x):
            return 9 - model.predict(x)

    assert ("prediction", "certain") in names(Turned(), x)


# Training mode, batches, chance.


def test_dropout_that_is_always_on(net, x, y):
    noisy = _After(net, lambda scores: nn.functional.dropout(scores, 0.3, training=True))
    found = names(TorchModel(noisy, spec()), x, y)
    assert ("repeat", "certain") in found
    assert {name for name, sure in found if sure == "certain"} <= {"repeat", "batch", "prediction"}


def test_what_is_said_to_be_stochastic_may_be(net, x, y):
    noisy = _After(net, lambda scores: scores + 0.1 * torch.randn_like(scores))
    assert names(TorchModel(noisy, spec(stochastic=True)), x, y) == []


def test_a_sound_network_that_is_said_to_be_stochastic(net, x, y):
    assert names(TorchModel(net, spec(stochastic=True)), x, y) == [("repeat", "possible")]


def test_batch_norm_that_uses_the_batch(net, x, y):
    normed = nn.Sequential(net, nn.BatchNorm1d(10, affine=False, track_running_stats=False))
    # One input alone has no variance: such a network fails on it, or answers otherwise.
    found = names(TorchModel(normed, spec()), x, y)
    assert ("batch", "certain") in found


def test_a_function_of_the_whole_batch(x, y, net):
    model = TorchModel(net, spec())
    centred = FunctionModel(
        lambda x: model.scores(x).numpy() - model.scores(x).numpy().mean(0), spec()
    )
    assert ("batch", "certain") in names(centred, x, y)


def test_a_module_handed_over_in_training_mode_is_asked_in_evaluation_mode(net, x, y):
    own = copy.deepcopy(net).train()
    own[4].eval()
    assert names(TorchModel(own, spec()), x, y) == []
    assert own.training
    assert not own[4].training


def test_parts_that_a_module_does_not_know_of(net, x, y):
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            # A copy: what stays in training mode moves its own batch norm.
            self.parts = [copy.deepcopy(net).eval(), nn.Dropout(0.5)]

        def forward(self, x):
            for part in self.parts:
                x = part(x)
            return x

    found = names(TorchModel(Hidden(), spec()), x, y)
    assert ("registered", "certain") in found
    assert ("repeat", "certain") in found


# Units.


def test_inputs_out_of_the_range_are_told_with_what_may_be_meant(net, x):
    (doubt,) = check(TorchModel(net, spec()), x * 255).doubts
    assert "bytes" in doubt.hint


def test_a_range_of_bytes_for_inputs_from_0_to_1(unbiased, x):
    assert ("range", "likely") in names(TorchModel(unbiased, spec(high=255.0)), x)


def test_a_scale_that_accuracy_cannot_see(unbiased, x, y):
    sound = check(TorchModel(unbiased, spec()), x, y)
    found = check(TorchModel(unbiased, spec(high=255.0)), x * 255, y)
    assert found.accuracy == sound.accuracy
    assert [(one.name, one.sure) for one in found.doubts] == [("scale", "likely")]
    assert "0 to 1" in found.doubts[0].hint


def test_a_scale_that_accuracy_cannot_see_the_other_way(of_bytes, x, y):
    found = check(TorchModel(of_bytes, spec()), x, y)
    assert found.accuracy > 0.85
    assert [(one.name, one.sure) for one in found.doubts] == [("scale", "likely")]
    assert "0 to 255" in found.doubts[0].hint


def test_normalisation_that_is_not_said(normalised, x, y):
    assert names(TorchModel(normalised, spec()), x, y) == [("normalisation", "likely")]


def test_normalisation_that_is_done_twice(net, x, y):
    model = TorchModel(net, spec(mean=(0.5,), std=(0.5,)))
    assert names(model, x, y) == [("normalisation", "likely")]


@dataclasses.dataclass
class _Own:
    """A user's own model, whose gradient can be wrong."""

    inner: TorchModel
    wrong: object

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def vjp(self, x, slope):
        scores, gradient = self.inner.vjp(x, slope)
        return scores, self.wrong(gradient)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda g: g * 0.3, id="normalised outside the gradient"),
        pytest.param(lambda g: g * 255, id="divided by 255 outside the gradient"),
        pytest.param(lambda g: g / 255, id="of another range"),
        pytest.param(lambda g: -g, id="of the other sign"),
        pytest.param(lambda g: g.flip(-1), id="of a mirrored input"),
        pytest.param(lambda g: g * 0, id="none"),
        pytest.param(lambda g: g[:, :, :4], id="of another shape"),
    ],
)
def test_gradients_that_are_not_those_of_the_declared_units(net, x, y, wrong):
    found = names(_Own(TorchModel(net, spec()), wrong), x, y)
    assert [name for name, _ in found] == ["gradient"]


def test_a_gradient_that_is_cut_off(net, x, y):
    model = TorchModel(_After(net, before=lambda x: x.detach()), spec())
    found = check(model, x, y).doubts
    assert [(one.name, one.sure) for one in found] == [("gradient", "certain")]
    assert "attack by scores" in found[0].hint


def test_a_gradient_of_rounded_inputs_is_zero_and_the_scores_change(net, x, y):
    model = TorchModel(_After(net, before=lambda x: (x * 16).round() / 16), spec())
    assert names(model, x, y) == [("gradient", "certain")]


def test_probabilities_that_saturate(net, x, y):
    module = nn.Sequential(_After(net, lambda scores: scores * 1e4), nn.Softmax(1))
    found = names(TorchModel(module, spec(output="probabilities")), x, y)
    assert ("gradient", "likely") in found


# Layout and labels.


def test_rows_and_columns_exchanged(net, x, y):
    assert names(TorchModel(net, spec()), np.swapaxes(x, 2, 3).copy(), y) == [("layout", "likely")]


def test_dark_and_bright_exchanged(net, x, y):
    assert names(TorchModel(net, spec()), 1 - x, y) == [("inverted", "likely")]


def _coloured(x):
    big = x.repeat(4, axis=2).repeat(4, axis=3)
    smooth = sum(np.roll(big, (n, m), (2, 3)) for n in range(4) for m in range(4)) / 16
    return np.concatenate([smooth, 1 - smooth, smooth * 0.5], axis=1).astype(np.float32)


def test_images_stored_with_channels_last_and_said_to_have_them_first(x):
    told = Spec(labels=(0, 1), shape=(3, 32, 32), layout="CHW")
    model = FunctionModel(lambda x: x.reshape(len(x), -1)[:, :2].astype(float) * 9 - 2, told)
    images = _coloured(x[:64])
    assert "layout" not in [name for name, _ in names(model, images)]
    last = np.moveaxis(images, 1, -1).reshape(images.shape)
    assert ("layout", "likely") in names(model, last)


def test_images_stored_with_channels_first_and_said_to_have_them_last(x):
    told = Spec(labels=(0, 1), shape=(32, 32, 3), layout="HWC")
    model = FunctionModel(lambda x: x.reshape(len(x), -1)[:, :2].astype(float) * 9 - 2, told)
    images = np.moveaxis(_coloured(x[:64]), 1, -1)
    assert "layout" not in [name for name, _ in names(model, images)]
    first = np.moveaxis(images, -1, 1).reshape(images.shape)
    assert ("layout", "likely") in names(model, first)


@pytest.mark.parametrize(
    "order",
    [
        pytest.param([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], id="reversed"),
        pytest.param([1, 2, 3, 4, 5, 6, 7, 8, 9, 0], id="moved by one"),
        pytest.param([0, 1, 10 - 1, 2, 3, 4, 5, 6, 7, 8], id="as text: 0, 1, 10, 2"),
        pytest.param([0, 1, 2, 3, 4, 5, 6, 8, 7, 9], id="two exchanged"),
    ],
)
def test_labels_in_another_order(net, x, y, order):
    model = TorchModel(net, spec(labels=tuple(order)))
    codes = np.array([order.index(one) for one in y])
    found = check(model, x, codes).doubts
    assert [(one.name, one.sure) for one in found] == [("labels", "likely")]


def test_two_labels_exchanged():
    weights = np.array([[0.0] * 5, [1.0, -1, 2, 1, -2]]) * 5
    told = Spec(labels=("no", "yes"), shape=(5,))
    model = linear(weights, np.array([0, -2.5]), told)
    x = np.random.default_rng(0).random((100, 5))
    codes = model.predict(x)
    assert names(model, x, codes) == []
    found = check(model, x, 1 - codes)
    assert found.accuracy == 0
    assert [one.name for one in found.doubts] == ["labels"]
    assert "no is yes" in found.doubts[0].seen


# What is left out is said.


def test_what_needs_classes_is_not_checked_without_them_and_says_so(net, x):
    found = check(TorchModel(net, spec()), x)
    assert found.accuracy is None
    assert "not known" in found.skipped["classes"]


def test_few_inputs_prove_nothing_and_raise_nothing(net, x, y):
    for count in (1, 2, 5):
        found = check(TorchModel(net, spec()), x[:count], y[:count])
        assert found.doubts == ()
        assert "too few" in found.skipped["classes"]


def test_no_inputs_are_refused_as_such(net, x):
    (doubt,) = check(TorchModel(net, spec()), x[:0]).doubts
    assert "no inputs" in doubt.seen


def test_what_it_cost_is_told(net, x, y):
    model = TorchModel(net, spec())
    found = check(model, x, y, most=64)
    assert found.inputs == 64
    assert found.queries == model.queries


def test_a_model_that_fails_is_told_and_not_raised(x):
    def broken(_):
        raise RuntimeError("out of paper")

    (doubt,) = check(FunctionModel(broken, spec()), x).doubts
    assert "out of paper" in doubt.seen
    with pytest.raises(ModelError, match="out of paper"):
        FunctionModel(broken, spec()).predict(x)


@pytest.mark.parametrize("count", [1, 5, 20, 50, 100, 300])
@pytest.mark.parametrize("made", ["linear", "torch"])
def test_a_check_costs_no_more_than_is_said(made, count):
    if made == "torch":
        model = TorchModel(network(), image_spec())
        x = images(count)
    else:
        model = linear(np.eye(3, 16), np.zeros(3), image_spec())
        x = images(count, np.float64)
    found = check(model, x, model.predict(x))
    assert found.queries <= most_checked(count)
