"""Other examples beside which randomisation is read, and cards of several fills in one pass."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats  # noqa: TID251 - the oracle of a limit

from digits import SPEC, held_out, network
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.models.torch import TorchModel
from evenhand.notation import parse
from evenhand.probes.attribute.registry import attributions_named
from evenhand.probes.attributing import Attributing
from evenhand.probes.card.card import Card
from evenhand.probes.card.other import others_among
from evenhand.probes.card.randomisation import randomisation
from evenhand.probes.run import most_asked, run
from evenhand.probes.written import probe_of

torch = pytest.importorskip("torch")


def one(text):
    (found,) = attributions_named(parse(text))
    return found


def digits(count=20):
    x, y = held_out(count)
    return inputs_of(x, SPEC, labels=[SPEC.labels[code] for code in y])


def table(count, low=-1.0, high=1.0, columns=3, seed=0):
    rng = np.random.default_rng(seed)
    spec = Spec((0, 1), (columns,), low=low, high=high)
    x = rng.uniform(low, high, (count, columns))
    ids = [f"id{place}" for place in rng.permutation(count)]
    return inputs_of(x, spec, labels=rng.integers(0, 2, count), ids=ids)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_each_row_of_a_table_has_another_one_and_is_the_other_of_one(count):
    inputs = table(count)
    found = [others_among(inputs, 1).of(inputs)(network) for network in range(count - 1)]
    for rows in found:
        assert {*map(tuple, rows)} == {*map(tuple, inputs.x)}
        assert not (rows == inputs.x).all(axis=1).any()
    # Of as many networks as there are other rows, each has another other.
    assert all(len({tuple(rows[i]) for rows in found}) == count - 1 for i in range(count))


def test_a_row_has_the_same_others_in_every_block_and_of_another_seed_others():
    inputs = table(40)
    others = others_among(inputs, 1)
    for some in (slice(0, 7), np.array([3, 1, 39])):
        np.testing.assert_array_equal(others.of(inputs.take(some))(4), others.of(inputs)(4)[some])
    assert (others_among(inputs, 2).of(inputs)(4) != others.of(inputs)(4)).any()
    assert others_among(table(1), 1).of(table(1)) is None


class Saturated(torch.nn.Module):
    """A layer of tanh, whose units give small slopes where a column of wide range is weighed."""

    def __init__(self, columns):
        super().__init__()
        self.first, self.last = torch.nn.Linear(columns, 30), torch.nn.Linear(30, 2)

    def forward(self, x):
        return self.last(torch.tanh(self.first(x)))


WIDTHS = np.array([9.0, 0.3, 0.3, 0.3])
"""The range is that of one column, by which units saturate that weigh it."""


def by_network(others, times):
    """The mean excess of gradients of an untrained network, by each untrained network beside it.

    Rows have random signs alone, and parameters are drawn evenly about 0. Turning the sign of a
    column of the rows is turning that of its weights, so that a drawn network's map of one row is
    distributed as that of any other: whatever is explained, the mean excess beside real rows is 0.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = TorchModel(Saturated(4), Spec((0, 1), (4,), low=-9.0, high=9.0))
    x = WIDTHS * np.random.default_rng(0).choice([-1.0, 1.0], (60, 4))
    codes, by = model.predict(x), one("gradient")
    maps, found = by.maps(model, x, codes, ()), []
    for seed in range(times):
        parts = randomisation(
            *(model, x, codes, by, maps), times=1, seed=seed, others=others(x, model), drawn=()
        )
        found.append(np.nanmean(parts.same - parts.other))
    return np.array(found)


def test_beside_other_rows_nothing_exceeds_where_nothing_was_learned_and_no_row_is_special():
    spec = Spec((0, 1), (4,), low=-9.0, high=9.0)

    def rows(x, _model):
        inputs = inputs_of(x, spec)
        return others_among(inputs, 1).of(inputs)

    def from_the_range(x, model):
        drawn = np.random.default_rng(5).uniform(model.spec.low, model.spec.high, x.shape)
        return lambda _network: drawn

    found, far = (by_network(others, 40) for others in (rows, from_the_range))
    # Networks are independent: a t of 39 degrees of freedom, one false alarm in 1,000.
    limit = stats.t.ppf(0.9995, 39) / np.sqrt(40)
    assert abs(found.mean()) < limit * found.std(ddof=1)
    # Numbers from the range lie where no row is, so that rows seem to show themselves.
    assert far.mean() > limit * far.std(ddof=1)
    assert far.mean() > 0.1


def test_rows_of_tables_are_the_same_however_blocks_fall(monkeypatch):
    torch.manual_seed(0)
    inputs = table(30, columns=8)
    model = TorchModel(Saturated(8), Spec((0, 1), (8,), low=-1.0))
    probe = probe_of("attribute.gradient(randomisations=3)")
    whole = run(probe, model, inputs, version="0").rows
    monkeypatch.setattr(Attributing, "block", 7)
    parts = run(probe, model, inputs, version="0").rows
    assert_frame_equal(parts, whole, abs_tol=1e-5)
    assert whole["randomisation_null"].null_count() == 0


def test_one_row_alone_has_no_other_and_a_note():
    model = TorchModel(Saturated(8), Spec((0, 1), (8,), low=-1.0))
    probe = probe_of("attribute.gradient(randomisations=3)")
    found = run(probe, model, table(1, columns=8), version="0")
    assert found.rows["randomisation_null"].is_null().all()
    assert found.made.probe["notes"] == ["randomisation is not measured: there is no other row"]


def test_what_is_kept_of_a_table_is_not_taken_for_that_of_other_rows(tmp_path):
    torch.manual_seed(0)
    inputs = table(12, columns=8)
    model = TorchModel(Saturated(8), Spec((0, 1), (8,), low=-1.0))
    probe = probe_of("attribute.gradient(randomisations=2)")
    run(probe, model, inputs, version="0", folder=tmp_path)
    few = run(probe, model, inputs.take(slice(0, 5)), version="0", folder=tmp_path)
    again = run(probe, model, inputs, version="0", folder=tmp_path)
    assert (few.resumed, again.resumed) == (0, 1)


@pytest.mark.parametrize("written", ["smooth_grad(samples=2)", "integrated_gradients(steps=4)"])
def test_several_fills_give_the_rows_of_each_by_itself_for_fewer_queries(written):
    model, inputs = TorchModel(network(), SPEC), digits()

    def of(fill):
        probe, before = probe_of(f"attribute.{written}", fill=fill, randomisations=2), model.queries
        rows = run(probe, model, inputs, version="0").rows
        assert model.queries - before <= most_asked(probe, model, len(inputs))
        return rows

    both, *each = of(["mean", "blur"]), of("mean"), of("blur")
    alone = pl.concat(each)
    assert_frame_equal(both.drop("queries"), alone.drop("queries"), abs_tol=1e-5)
    areas = Card().most_of_areas(model)
    # What no fill matters to is asked once; the second fill costs its areas.
    assert both["queries"].sum() == each[0]["queries"].sum() + 20 * areas
    assert both.filter(pl.col("fill") == "blur")["queries"].unique().to_list() == [areas]
