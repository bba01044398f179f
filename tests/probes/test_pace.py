"""The time of a probe, foretold from a few examples: on a clock that only the model moves."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from evenhand.audits.probing import predicted_time
from evenhand.errors import ModelError, Problem
from evenhand.models.function import FunctionModel
from evenhand.models.http import HttpModel, Way
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes.attacking import Attacking
from evenhand.probes.pace import paced
from evenhand.probes.probe import Probe
from evenhand.probes.run import most_asked, run
from evenhand.probes.written import probe_of

SPEC = Spec(("no", "yes"), (4,), low=-9.0, high=9.0)
WEIGHTS = np.array([[0.0, 0.0, 0.0, 0.0], [1.0, -2.0, 0.5, 1.5]])


@dataclass
class Clock:
    """Seconds that pass where something is done, and only there."""

    now: float = 0.0
    calls: list[int] = field(default_factory=list)

    def __call__(self):
        return self.now

    def model(self, call=0.0, each=0.0, spec=SPEC):
        """A model that takes seconds for each call and for each example."""

        def scores(x):
            self.calls.append(len(x))
            self.now += call + each * len(x)
            return x.reshape(len(x), -1) @ WEIGHTS.T

        # Known by a name of its own, since its source tells nothing of the seconds.
        return FunctionModel(scores, spec, text=f"{call} {each}")


@dataclass(frozen=True)
class Slow(Attacking):
    """An attack that takes seconds of its own, for each block and for each example."""

    clock: Clock = field(default_factory=Clock)
    call: float = 0.0
    each: float = 0.0

    def rows(self, model, examples, variant, **how):
        """The rows of the attack, later."""
        self.clock.now += self.call + self.each * len(examples)
        return super().rows(model, examples, variant, **how)


def examples(size=1000):
    x = np.random.default_rng(3).normal(size=(size, 4))
    return inputs_of(x, SPEC, labels=np.where(x @ WEIGHTS[1] > 0, "yes", "no"))


def slow(clock, *, call=0.0, each=0.0):
    of = probe_of("attack.noise(queries=3)", eps=[0.1]).method
    return Probe(Slow(of.attack, of.threats, None, clock, call, each))


def ratio(probe, model, inputs, clock, *, judged=False):
    """How many times as long as it takes a probe is said to take, and on how many examples."""
    most = most_asked(probe, model, len(inputs), judged=judged)
    found = paced(probe, model, inputs, most, clock=clock)
    began = clock()
    run(probe, model, inputs, version="0", judged=judged)
    return found.seconds / (clock() - began), found.examples


@pytest.mark.parametrize("size", [400, 1000, 3000])
@pytest.mark.parametrize(("call", "each"), [(0.01, 0.0), (0.0, 0.001), (0.01, 0.001)])
@pytest.mark.parametrize("probe", ["attack.noise(queries=50)", "attack.square(queries=100)"])
def test_time_of_a_model_is_foretold_within_a_factor_of_two(probe, call, each, size):
    clock = Clock()
    found, _ = ratio(probe_of(probe, eps=[0.1]), clock.model(call, each), examples(size), clock)
    assert 0.5 < found < 2


@pytest.mark.parametrize(("call", "each"), [(0.2, 0.0), (0.0, 0.02), (0.2, 0.02)])
def test_time_that_is_not_the_models_is_foretold_too(call, each):
    """Of queries alone nothing would be told: the model takes no time."""
    clock = Clock()
    probe = slow(clock, call=call, each=each)
    found, tried = ratio(probe, clock.model(), examples(), clock)
    assert found == pytest.approx(1)
    assert tried == 18


def test_where_a_try_takes_too_long_the_model_alone_tells():
    clock = Clock()
    probe = probe_of("attack.square(queries=1000)", eps=[0.1])
    inputs, model = examples(), clock.model(call=0.01, each=0.001)
    most = most_asked(probe, model, len(inputs))
    found = paced(probe, model, inputs, most, clock=clock)
    # A batch of 256 takes .266 s, and no larger one is asked about.
    assert found.examples == 256
    assert found.seconds == pytest.approx(most * 0.266 / 256)
    # Batches take .402 s together; a try is broken off where it tells after 3 s how far it is,
    # which a search does every so many queries. To its end it would take 11 s.
    assert clock() < 4.0


def test_a_slow_model_is_asked_about_one_example():
    clock = Clock()
    probe, inputs, model = probe_of("attack.noise", eps=[0.1]), examples(), clock.model(call=60.0)
    most = most_asked(probe, model, len(inputs))
    assert paced(probe, model, inputs, most, clock=clock).examples == 1
    assert clock.calls == [1]


@pytest.mark.parametrize("size", [10, 100, 300, 1000, 5000])
@pytest.mark.parametrize(
    "probe",
    ["attack.noise(queries=20)", "attack.square(queries=30)", "attribute.occlusion"],
)
def test_three_in_a_hundred_queries_more_are_asked_at_most(probe, size):
    clock, inputs = Clock(), examples(size)
    model = clock.model(call=0.001)
    given = {"eps": [0.1]} if probe.startswith("attack") else {}
    asked = probe_of(probe, **given).among(inputs)
    most = most_asked(asked, model, size)
    found = paced(asked, model, inputs, most, clock=clock)
    assert model.queries == sum(clock.calls) <= 0.03 * most
    assert model.queries == (0 if found is None else found.queries)


def test_nothing_is_measured_of_a_model_that_answers_at_random():
    clock = Clock()
    model = clock.model(spec=Spec(("no", "yes"), (4,), -9.0, 9.0, stochastic=True))
    assert paced(probe_of("attack.noise", eps=[0.1]), model, examples(), 10**9) is None
    assert not clock.calls


def test_a_model_that_fails_is_left_to_the_probe():
    def failing(_x):
        raise ModelError(Problem("model", "it is away."))

    probe = probe_of("attack.noise", eps=[0.1])
    assert paced(probe, FunctionModel(failing, SPEC), examples(), 10**9) is None


def test_rows_are_the_same_whether_time_was_measured(tmp_path):
    probe, inputs = probe_of("attack.square(queries=30)", eps=[0.1]), examples()
    found = []
    for measured in (False, True):
        clock = Clock()
        model = clock.model()
        most = most_asked(probe, model, len(inputs))
        said = predicted_time(
            *(probe, model, inputs, most),
            folder=tmp_path,
            max_queries=None if measured else most,
            clock=clock,
        )
        assert (said != "") == measured
        found.append(run(probe, model, inputs, version="0"))
    assert found[0].rows.equals(found[1].rows)
    assert found[0].made == found[1].made


def words(folder, model=None, **how):
    clock = how.pop("clock", None) or Clock()
    model = model or clock.model(call=0.01)
    return predicted_time(
        probe_of("attack.noise(queries=200)", eps=[0.1]),
        *(model, examples(), 201_000),
        **{"folder": folder, "clock": clock, **how},
    )


def test_words_say_that_it_is_an_estimate_and_what_it_was_measured_on(tmp_path):
    clock = Clock()
    # A thousand examples, 200 times each, at a hundredth of a second: 2,010 s and its check.
    said = words(tmp_path, clock.model(each=0.01), clock=clock)
    assert said.startswith(", about 35 min by estimate at 100 a second, as measured on ")
    assert said.endswith(f" with {sum(clock.calls):,} more queries")


def test_nothing_is_asked_where_queries_are_limited(tmp_path):
    clock = Clock()
    assert words(tmp_path, clock.model(), clock=clock, max_queries=10**9) == ""
    assert not clock.calls


def test_nothing_is_said_of_a_run_that_goes_on(tmp_path):
    (tmp_path / "1.block").touch()
    assert words(tmp_path) == ""


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (None, ""),
        # 201,000 queries are 3,141 requests of 64.
        (2.0, ", about 25 min by estimate at 130 a second, going by --rate"),
    ],
)
def test_an_endpoint_is_not_asked_but_its_rate_tells(tmp_path, rate, said):
    model = HttpModel("http://127.0.0.1:9/predict", SPEC, Way(rate=rate))
    assert words(tmp_path, model) == said
    assert model.sent == 0
