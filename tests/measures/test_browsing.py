"""Browsing models: closed forms, loops that follow the definitions, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import NotationError, ValueInLogError
from evenhand.measures.browsing import MODELS, Browsing, browsing_from
from evenhand.measures.registry import measure_named
from evenhand.notation import parse
from naive_lists import items, lists_of, random_requests, within

SLOTS = (1, 2, 3, 7, 40)
WRITTEN = [
    "log2",
    "log2_clipped",
    "rbp(p=0.8)",
    "geometric(p=0.3)",
    "cascade(p=0.9, stop=0.5)",
    "observed(part)",
    "empirical(part)",
]


def model(written) -> Browsing:
    """Return the model that a measure's notation names."""
    (found,) = measure_named(parse(f"exposure(browsing={written})")).models
    return found


def weights(written, requests, k=None):
    return model(written).weights(lists_of(requests), k)


@pytest.mark.parametrize(
    ("written", "weight"),
    [
        ("log2", lambda i: math.log(2) / math.log(1 + i)),
        ("log2_clipped", lambda i: math.log(2) / math.log(max(i, 2))),
        ("rbp", lambda i: 0.2 * 0.8 ** (i - 1)),
        ("rbp(p=0.5)", lambda i: 0.5**i),
        ("geometric", lambda i: 0.5 ** (i - 1)),
        ("geometric(p=0.9)", lambda i: 0.9 ** (i - 1)),
        ("cascade(p=0.9)", lambda i: 0.9 ** (i - 1)),  # nothing is relevant here
    ],
)
def test_weight_at_a_slot_is_the_closed_form_whatever_the_gaps(written, weight):
    # A gap is legal: the third item of this list stands at slot 3, the fourth at slot 7.
    request = items(*((slot, 0) for slot in SLOTS), (None, 0))
    assert weights(written, [request]) == pytest.approx([*map(weight, SLOTS), 0])


@pytest.mark.parametrize("written", ["log2", "log2_clipped", "rbp(p=0.7)", "geometric(p=0.3)"])
def test_weights_of_slots_alone_are_those_of_rows(written):
    assert model(written).slots(40)[np.array(SLOTS) - 1] == pytest.approx(
        weights(written, [items(*((slot, 0) for slot in SLOTS))])
    )


@pytest.mark.parametrize("written", ["cascade", "observed(part)", "empirical(part)"])
def test_models_that_read_the_log_have_no_weights_of_slots_alone(written):
    assert model(written).slots(3) is None


def test_a_slot_beyond_every_table_has_its_weight():
    far = 2**20 + 1
    found = weights("log2", [items((1, 0), (far, 0), (None, 0))])
    assert found == pytest.approx([1, 1 / math.log2(1 + far), 0])


@pytest.mark.parametrize(("p", "stop"), [(0.85, 1.0), (1.0, 1.0), (0.5, 0.3), (0.9, 0.0)])
def test_cascade_is_the_product_over_the_items_above_and_not_the_item_itself(p, stop):
    requests = random_requests(np.random.default_rng(1), 60, grades="continuous")
    found = weights(f"cascade(p={p}, stop={stop})", requests)
    expected = []
    for request in requests:
        for item in within(request, None):
            above = [other for other in within(request, None) if other.slot < item.slot]
            stays = math.prod(1 - stop * other.relevance for other in above)
            expected.append(p ** (item.slot - 1) * stays)
        expected += [0.0] * sum(item.slot is None for item in request)
    assert found == pytest.approx(expected)


def test_cascade_after_a_certain_stop_is_0_and_the_stopping_item_is_seen():
    found = weights("cascade(p=1)", [items((1, 0), (2, 1), (3, 0.5), (9, 0))])
    assert found.tolist() == [1, 1, 0, 0]


def test_cascade_is_not_stopped_by_what_was_not_shown():
    found = weights("cascade(p=1)", [items((None, 1), (1, 0.5), (2, 0))])
    assert found.tolist() == [1, 0.5, 0]


def test_cascade_refuses_grades_and_says_what_to_do():
    rows = pl.DataFrame({"q": [1, 1, 2, 2], "slot": [1, 2] * 2, "grade": [3, 0] * 2})
    log = eh.log(rows, kind="search", request="q", rank="slot", relevance="grade")
    with pytest.raises(ValueInLogError, match="here up to 3") as caught:
        eh.estimate("exposure(browsing=cascade)", log)
    assert "grade / 4" in str(caught.value)
    graded = eh.log(rows, kind="search", request="q", rank="slot", relevance="grade / 4")
    found = eh.estimate("exposure(browsing=cascade)", graded)
    assert found.value == pytest.approx((1 + 0.85 * 0.25) / 2)


def test_cascade_needs_relevance():
    rows = pl.DataFrame({"q": [1, 1], "slot": [1, 2]})
    log = eh.log(rows, kind="search", request="q", rank="slot")
    with pytest.raises(NotationError, match="needs role 'relevance'"):
        eh.estimate("exposure(browsing=cascade)", log)


@pytest.mark.parametrize("written", ["log2", "rbp", "cascade", "observed(part)", "empirical(part)"])
@pytest.mark.parametrize("k", [1, 3, 8])
def test_cutoff_is_a_slot_and_what_stands_below_it_weighs_0(written, k):
    requests = random_requests(np.random.default_rng(2), 40, grades="binary")
    lists = lists_of(requests)
    lists.by_slot["part"] = np.linspace(1, 0.1, 10)  # type: ignore[index]
    whole, cut = (model(written).weights(lists, cut) for cut in (None, k))
    assert cut == pytest.approx(np.where((lists.slot > 0) & (lists.slot <= k), whole, 0))
    assert (whole[lists.slot == 0] == 0).all()


def test_observed_attention_is_the_column():
    request = items((1, 0), (4, 0), (None, 0), part=[0.75, 0.5, None])
    assert weights("observed(part)", [request]).tolist() == [0.75, 0.5, 0]


@pytest.mark.parametrize("lacks", [None, math.nan, math.inf])
def test_observed_attention_that_is_missing_where_an_item_was_shown_is_an_error(lacks):
    request = items((1, 0), (2, 0), (3, 0), part=[1.0, lacks, lacks])
    with pytest.raises(ValueInLogError, match="missing for 2 items that were shown") as caught:
        weights("observed(part)", [request])
    assert "empirical" in str(caught.value)


def feed(rng, requests=30):
    """Rows of a feed, some with a share watched that was not observed."""
    return pl.DataFrame(
        [
            {
                "q": q,
                "slot": slot if rng.random() < 0.8 else None,
                "part": float(rng.random()) if rng.random() < 0.7 or q < 2 else None,
                "web": bool(rng.random() < 0.5),
            }
            for q in range(requests)
            for slot in (1, 2, 4, 9)
        ]
    )


@pytest.mark.parametrize("where", [None, "web"])
def test_empirical_attention_is_the_mean_at_the_slot_over_the_rows_in_scope(where):
    rows = feed(np.random.default_rng(3))
    log = eh.log(rows, kind="search", request="q", rank="slot", where=where)
    found = eh.estimate("exposure(browsing=empirical(part))@4", log).value
    inside = [row for row in rows.iter_rows(named=True) if where is None or row["web"]]
    expected = []
    for row in inside:
        seen = [
            other["part"]
            for other in inside
            if other["slot"] == row["slot"] and other["part"] is not None
        ]
        counts = row["slot"] is not None and row["slot"] <= 4
        expected.append(sum(seen) / len(seen) if counts else 0.0)
    assert found == pytest.approx(np.mean(expected))


def test_empirical_attention_of_a_slot_that_was_never_observed_is_an_error():
    rows = pl.DataFrame({"q": [1, 1, 2, 2], "slot": [1, 2, 1, 2], "part": [0.5, None, 1.0, None]})
    log = eh.log(rows, kind="search", request="q", rank="slot")
    with pytest.raises(ValueInLogError, match="missing at every impression of slot 2"):
        eh.estimate("exposure(browsing=empirical(part))", log)


@pytest.mark.parametrize("written", WRITTEN)
def test_a_model_is_what_its_notation_writes(written):
    found = model(written)
    assert str(found) == written
    assert browsing_from(found.value()) == found
    assert model(str(found)) == found


def test_a_model_by_name_has_its_defaults():
    assert str(model("rbp")) == "rbp(p=0.8)"
    assert str(model("geometric")) == "geometric(p=0.5)"
    assert str(model("cascade")) == "cascade(p=0.85, stop=1.0)"


@pytest.mark.parametrize("name", MODELS)
def test_every_model_says_in_a_finding_what_it_is(name):
    written = f"{name}(part)" if name in {"observed", "empirical"} else name
    found = measure_named(parse(f"exposure(browsing={written})")).conventions()["browsing"]
    assert found == f"{model(written)}: {MODELS[name].says}"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("log3", "'log3' is no browsing model. Browsing models: log2, log2_clipped"),
        ("3", "'3' is no browsing model"),
        ("log2(p=1)", "log2 takes no parameters"),
        ("log2@5", "no browsing model"),
        ("rbp(0.8)", "rbp takes p"),
        ("rbp(q=0.8)", "rbp takes p"),
        ("rbp(p=1)", "rbp needs p between 0 and 1"),
        ("rbp(p='x')", "rbp needs p between 0 and 1"),
        ("rbp(p=True)", "rbp needs p between 0 and 1"),
        ("geometric(p=0)", "geometric needs p between 0 and 1"),
        ("cascade(p=0)", "cascade needs p in"),
        ("cascade(p=1.2)", "cascade needs p in"),
        ("cascade(stop=2)", "stop in"),
        ("cascade(stop='x')", "stop in"),
        ("cascade(stop=True)", "stop in"),
        ("cascade(p=True)", "cascade needs p in"),
        ("observed", "observed takes one column"),
        ("observed(a, b)", "observed takes one column"),
        ("empirical(1)", "empirical takes one column"),
        ("empirical(a, p=1)", "empirical takes one column"),
    ],
)
def test_what_is_no_model_is_refused_with_what_there_is(written, message):
    with pytest.raises(NotationError, match=message):
        measure_named(parse(f"exposure(browsing={written})"))


@pytest.mark.parametrize("name", ["observed", "empirical"])
def test_a_column_that_the_log_lacks_is_named_with_one_that_it_has(name):
    rows = pl.DataFrame({"q": [1, 1], "slot": [1, 2], "watched": [1.0, 0.0], "tag": ["a", "b"]})
    log = eh.log(rows, kind="search", request="q", rank="slot")
    with pytest.raises(NotationError, match="needs a column of numbers 'wached'") as caught:
        eh.estimate(f"exposure(browsing={name}(wached))", log)
    assert "Did you mean 'watched'?" in str(caught.value)
    with pytest.raises(NotationError, match="needs a column of numbers 'tag'"):
        eh.estimate(f"exposure(browsing={name}(tag))", log)
