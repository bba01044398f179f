"""An endpoint as a model: nothing lost, nothing asked twice, nothing beyond the budget."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from evenhand.audits.plan.opened import Trust
from evenhand.errors import ModelError
from evenhand.models.answer import UnansweredError
from evenhand.models.canary import COUNT
from evenhand.models.check import check
from evenhand.models.http import LONGEST, TOKEN, TRUSTED, HttpModel, Way
from evenhand.models.load import load
from evenhand.models.told import Told
from made_models import Endpoint, image_spec, images, served, weights

REFUSED = "http://127.0.0.1:9/predict"


def scores(x):
    w, b = weights()
    return np.asarray(x).reshape(len(x), -1) @ w.T + b


@pytest.fixture
def endpoint():
    with served(Endpoint(scores)) as one:
        yield one


def model_at(endpoint, pauses=(0.0, 0.0), **way):
    waited = []
    spec = image_spec(output=way.pop("output", "logits"), stochastic=way.pop("stochastic", False))
    model = HttpModel(endpoint.address, spec, Way(pauses=pauses, **way), pause=waited.append)
    model.waited = waited
    return model


def test_json_carries_numbers_to_the_last_bit(endpoint):
    x = images(5)
    model_at(endpoint).scores(x)
    np.testing.assert_array_equal(endpoint.asked[0].astype(np.float32), x)


def test_raw_numbers_say_their_shape(endpoint):
    model_at(endpoint, form="raw").scores(images(2))
    assert endpoint.headers[0]["x-shape"] == "2,1,4,4"
    assert endpoint.headers[0]["content-type"] == "application/octet-stream"


def test_batches_are_of_the_size_that_is_said(endpoint):
    model_at(endpoint, batch=4).scores(images(10))
    assert [len(one) for one in endpoint.asked] == [4, 4, 2]


def test_the_same_input_is_sent_once_and_counted_each_time(endpoint):
    model = model_at(endpoint)
    x = images(3)
    twice = np.concatenate([x, x])
    np.testing.assert_allclose(model.scores(twice), scores(twice))
    model.scores(x)
    assert endpoint.examples == model.sent == 3
    assert model.queries == 9


def test_a_stochastic_model_is_asked_each_time(endpoint):
    model = model_at(endpoint, stochastic=True)
    x = images(3)
    model.scores(x)
    model.scores(x)
    assert endpoint.examples == 6


def test_a_probe_that_was_stopped_half_way_resumes_without_asking_twice(tmp_path):
    x = images(40)
    with served(Endpoint(scores)) as endpoint:
        endpoint.before = dict.fromkeys(range(3, 9), (500, {}, b"out of paper"))
        first = model_at(endpoint, batch=8, cache=tmp_path)
        with pytest.raises(ModelError, match="out of paper") as failed:
            first.scores(x)
        assert str(tmp_path) in str(failed.value)
        # The canaries, and two batches.
        assert endpoint.examples == COUNT + 16
        endpoint.before = {}
        again = model_at(endpoint, batch=8, cache=tmp_path)
        np.testing.assert_allclose(again.scores(x), scores(x))
        asked = np.concatenate(endpoint.asked)
        assert len(asked) == 2 * COUNT + 40
        inputs = np.concatenate([asked[COUNT : COUNT + 16], asked[2 * COUNT + 16 :]])
        assert len(np.unique(inputs.reshape(40, -1), axis=0)) == 40


def test_what_is_kept_of_a_model_is_not_used_for_another_at_the_same_address(tmp_path):
    x = images(4)
    with served(Endpoint(scores)) as endpoint:
        model_at(endpoint, cache=tmp_path).scores(x)
        endpoint.scores = lambda x: scores(x) + np.array([1.0, 0, 0])
        np.testing.assert_allclose(
            model_at(endpoint, cache=tmp_path).scores(x), scores(x) + np.array([1.0, 0, 0])
        )
        endpoint.scores = scores
        before = endpoint.examples
        np.testing.assert_allclose(model_at(endpoint, cache=tmp_path).scores(x), scores(x))
        assert endpoint.examples == before + COUNT


def test_a_model_whose_last_digits_move_is_the_same(tmp_path):
    rng = np.random.default_rng(0)
    with served(Endpoint(lambda x: scores(x) * (1 + 1e-7 * rng.random()))) as endpoint:
        prints = {model_at(endpoint, cache=tmp_path).fingerprint() for _ in range(5)}
    assert len(prints) == 1


def test_a_fingerprint_tells_that_the_endpoint_changed_meanwhile(endpoint):
    model = model_at(endpoint)
    before = model.fingerprint()
    assert model.fingerprint() == before
    endpoint.scores = lambda x: scores(x) * 1.01
    assert model.fingerprint() != before


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_endpoint_is_asked_again_after_as_long_as_it_says(endpoint, status):
    endpoint.before = {0: (status, {"Retry-After": "7"}, b"busy"), 1: (status, {}, b"busy")}
    model = model_at(endpoint, pauses=(0.5, 1.0))
    model.scores(images(2))
    assert model.waited == [7.0, 1.0]
    # What was refused was not counted.
    assert model.sent == 2


def test_a_date_to_come_back_at_is_read(endpoint):
    when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 30))
    endpoint.before = {0: (429, {"Retry-After": when}, b"")}
    model = model_at(endpoint)
    model.scores(images(1))
    assert 25 < model.waited[0] <= 30


def test_an_endpoint_that_asks_for_an_hour_stops_the_probe(endpoint):
    endpoint.before = {0: (429, {"Retry-After": "3600"}, b"")}
    with pytest.raises(ModelError, match="3600 seconds"):
        model_at(endpoint).scores(images(1))
    assert LONGEST < 3600


def test_an_endpoint_that_is_not_there_is_said_to_be_out_of_reach(tmp_path):
    way = Way(pauses=(0.5,), cache=tmp_path)
    model = HttpModel(REFUSED, image_spec(output="logits"), way, pause=lambda _: None)
    with pytest.raises(ModelError, match="Is it running, and is the address right") as failed:
        model.scores(images(1))
    assert "asked twice" not in str(failed.value)


def test_pauses_grow_and_end(endpoint):
    endpoint.before = dict.fromkeys(range(9), (503, {}, b"busy"))
    model = model_at(endpoint, pauses=(0.5, 1.0, 2.0))
    with pytest.raises(ModelError, match="4 times in a row"):
        model.scores(images(1))
    assert model.waited == [0.5, 1.0, 2.0]
    assert endpoint.count == 4


@pytest.mark.slow
def test_no_answer_in_time_is_tried_again(endpoint):
    endpoint.before = {0: lambda: time.sleep(6)}
    model = model_at(endpoint, timeout=2.0)
    np.testing.assert_allclose(model.scores(images(1)), scores(images(1)))
    # Both tries may have cost something.
    assert model.sent == 2


@pytest.mark.parametrize("address", ["http://", "http://[bad", "http://a:99999999/", "https:///x"])
def test_an_address_of_no_endpoint_is_refused_before_anything_is_sent(address):
    with pytest.raises(ModelError, match="no address of an endpoint"):
        HttpModel(address, image_spec())


def test_an_address_that_is_none_does_not_show_its_secret():
    with pytest.raises(ModelError) as failed:
        HttpModel("http://me:hidden@[bad", image_spec())
    assert "hidden" not in str(failed.value)


def test_answers_that_are_no_numbers_are_asked_for_again(tmp_path):
    x, broken = images(2), b'{"scores": [[1, 2, NaN], [1, 2, 3]]}'
    with served(Endpoint(scores)) as endpoint:
        # After the canaries.
        endpoint.before = {1: (200, {"Content-Type": "application/json"}, broken)}
        with pytest.raises(ModelError, match="NaN"):
            model_at(endpoint, cache=tmp_path).scores(x)
        found = model_at(endpoint, cache=tmp_path).scores(x)
        np.testing.assert_allclose(found[0], scores(x)[0])


def test_answers_of_another_length_than_before_are_refused(endpoint):
    endpoint.before = {1: (200, {"Content-Type": "application/json"}, b'{"scores": [[1, 2]]}')}
    with pytest.raises(ModelError, match="Does another model answer in between"):
        model_at(endpoint, batch=1).scores(images(2))


def test_nobody_there():
    model = HttpModel(REFUSED, image_spec(), Way(pauses=()))
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9/predict"):
        model.scores(images(1))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>It works!</html>", "cannot be read"),
        (b"[1, 2]", "cannot be read"),
        (b"{}", "cannot be read"),
        (b'{"scores": [[1, 2, 3]]}', "2 inputs got 1 answers"),
        (b'{"scores": [[1, 2], [1, 2]]}', r"\(2, 2\)"),
        (b'{"scores": [[1, 2, 3], [1, 2]]}', "cannot be read"),
        (b'{"scores": [[1, 2, NaN], [1, 2, 3]]}', "NaN"),
        (b'{"scores": [["a", "b", "c"], ["a", "b", "c"]]}', "cannot be read"),
        (b'{"labels": [1, 2]}', "--output labels"),
        (b'{"scores": 5}', "cannot be read"),
    ],
)
def test_garbage_is_refused_with_what_is_meant(endpoint, body, said):
    endpoint.before = {0: (200, {"Content-Type": "application/json"}, body)}
    with pytest.raises(ModelError, match=said):
        model_at(endpoint).scores(images(2))


def test_garbage_of_numpy_is_not_unpickled(endpoint):
    endpoint.before = {0: (200, {"Content-Type": "application/x-npy"}, b"\x93NUMPY garbage")}
    with pytest.raises(ModelError, match="cannot be read"):
        model_at(endpoint).scores(images(2))


def test_scores_where_labels_are_said(endpoint):
    with pytest.raises(ModelError, match="--output"):
        model_at(endpoint, output="labels").predict(images(2))


def test_labels_of_text(endpoint):
    endpoint.scores = lambda x: np.array(["cat", "dog", "emu"])[scores(x).argmax(axis=1)]
    told = Told(labels=("dog", "emu", "cat"), shape=(1, 4, 4), output="labels")
    model = load(endpoint.address, told, sample=images(4))
    assert model.spec.output == "labels"
    codes = (scores(images(6)).argmax(axis=1) - 1) % 3
    np.testing.assert_array_equal(model.predict(images(6)), codes)


def test_a_refusal_is_not_tried_again(endpoint):
    endpoint.before = {0: (401, {}, b"who are you?")}
    with pytest.raises(ModelError, match=TOKEN):
        model_at(endpoint).scores(images(1))
    assert endpoint.count == 1


def test_a_budget_is_not_exceeded_and_what_was_answered_is_kept(endpoint, tmp_path):
    model = model_at(endpoint, batch=8, cache=tmp_path, max_queries=30)
    with pytest.raises(ModelError, match="24 of 30 queries are used, and 8 more"):
        model.scores(images(40))
    assert endpoint.examples == model.sent == 24
    more = model_at(endpoint, batch=8, cache=tmp_path, max_queries=40)
    more.scores(images(40))
    assert more.sent == COUNT + 24


def test_a_rate_is_kept(endpoint):
    now, waited = [0.0], []

    def pause(seconds):
        waited.append(seconds)
        now[0] += seconds

    model = HttpModel(
        endpoint.address, image_spec(), Way(batch=1, rate=4.0), pause=pause, clock=lambda: now[0]
    )
    model.scores(images(5))
    assert waited == [0.25] * 4
    assert model.predicted(10).seconds == 2.5


def test_cost_is_predicted_before_and_unknown_without_a_rate(endpoint):
    model = model_at(endpoint, batch=64)
    assert (model.predicted(1000).requests, model.predicted(1000).seconds) == (16, None)
    model.scores(images(1))
    assert model.predicted(1000).seconds > 0


def test_a_token_comes_from_the_environment_and_is_seen_nowhere(endpoint, monkeypatch):
    monkeypatch.setenv(TOKEN, "hush-hush")
    endpoint.before = {1: (500, {}, b"hush-hush is not welcome"), 2: (400, {}, b"no hush-hush")}
    model = model_at(endpoint)
    prints = model.fingerprint()
    assert endpoint.headers[0]["authorization"] == "Bearer hush-hush"
    with pytest.raises(ModelError) as failed:
        model.scores(images(1))
    seen = json.dumps([str(failed.value), prints, model.name, repr(model), str(model.spec)])
    assert "hush" not in seen
    assert "***" in seen


@pytest.mark.parametrize(
    "address",
    ["https://me:hush@example.org/predict", "https://example.org/predict?api_key=hush"],
)
def test_secrets_in_the_address_are_refused_and_not_repeated(address):
    with pytest.raises(ModelError, match=TOKEN) as failed:
        HttpModel(address, image_spec())
    assert "hush" not in str(failed.value)


@pytest.mark.parametrize(
    ("host", "sent"), [("", False), ("example.org", False), ("127.0.0.1", True)]
)
def test_a_plan_sends_the_token_only_to_the_host_that_is_named_beside_it(
    endpoint, monkeypatch, host, sent
):
    monkeypatch.setenv(TOKEN, "hush")
    monkeypatch.setenv(TRUSTED, host)
    model = model_at(endpoint, trusted=Trust().way("json").trusted)
    model.scores(images(1))
    assert ("authorization" in endpoint.headers[0]) == sent


def test_a_token_is_not_sent_unencrypted_to_another_machine(monkeypatch):
    monkeypatch.setenv(TOKEN, "hush")
    with pytest.raises(ModelError, match="unencrypted"):
        HttpModel("http://example.org/predict", image_spec())
    HttpModel("http://example.org/predict", image_spec(), Way(insecure=True))
    HttpModel("https://example.org/predict", image_spec())


def test_a_folder_that_cannot_be_written_is_told(endpoint, tmp_path):
    (tmp_path / "file").write_text("x")
    model = model_at(endpoint, cache=tmp_path / "file")
    with pytest.raises(ModelError, match="cannot be kept"):
        model.scores(images(1))


def test_a_sound_endpoint_raises_no_doubt(endpoint):
    model = model_at(endpoint)
    x = images(64)
    assert check(model, x, scores(x).argmax(axis=1)).doubts == ()


@pytest.mark.parametrize("most", [30, 200])
def test_a_check_whose_budget_is_spent_says_so_and_doubts_nothing(endpoint, most):
    x = images(64)
    with pytest.raises(UnansweredError, match="queries are used"):
        check(model_at(endpoint, max_queries=most), x, scores(x).argmax(axis=1))
