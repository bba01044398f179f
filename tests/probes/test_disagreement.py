"""Disagreement of explanations: by sets and loops, on linear models, and as a log."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from scipy import stats  # noqa: TID251 - an oracle

import evenhand as eh
from evenhand.errors import EvenhandError, ModelError, NotationError
from evenhand.models.function import FunctionModel, linear
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.notation import parse
from evenhand.probes.attribute.registry import attributions_named
from evenhand.probes.card.agreement import COLUMNS, agreement
from evenhand.probes.log import COLUMNS as OF_LOGS
from evenhand.probes.method import streams_of
from evenhand.probes.run import most_asked, run
from evenhand.probes.written import probe_of

SIZE, COUNT = 6, 40


def orders(parts):
    """Every order of parts by size, the largest first, that random tie-breaking can give."""
    return [
        order
        for order in itertools.permutations(range(len(parts)))
        if all(abs(parts[i]) >= abs(parts[j]) for i, j in itertools.pairwise(order))
    ]


def by_sets(one, other, top):
    """The definitions with sets and loops, in the mean over all orders of both maps."""
    size = len(one)
    found = {"feature": [], "sign": [], "rank": [], "signed_rank": [], "pairwise_rank": []}
    for first, second in itertools.product(orders(one), orders(other)):
        both = {*first[:top]} & {*second[:top]}
        alike = {part for part in both if np.sign(one[part]) == np.sign(other[part])}
        same = {part for part in both if first.index(part) == second.index(part)}
        pairs = [
            (first.index(i) < first.index(j)) == (second.index(i) < second.index(j))
            for i, j in itertools.combinations(range(size), 2)
        ]
        for name, share in {
            "feature": len(both) / top,
            "sign": len(alike) / top,
            "rank": len(same) / top,
            "signed_rank": len(same & alike) / top,
            "pairwise_rank": np.mean(pairs),
        }.items():
            found[name].append(share)
    return {f"{name}_agreement": np.mean(shares) for name, shares in found.items()}


def maps_with_ties(seed, count=12, size=5):
    """Small whole numbers, of which none has all sizes equal."""
    drawn = np.random.default_rng(seed).integers(-2, 3, (4 * count, size)).astype(float)
    return drawn[np.ptp(np.abs(drawn), axis=1) > 0][:count]


@pytest.mark.parametrize("top", [1, 2, 3, 5])
def test_agreement_is_that_of_sets_and_loops_over_all_orders_of_ties(top):
    one, other = maps_with_ties(0), maps_with_ties(1)
    found = agreement(one, other, top)
    for place, pair in enumerate(zip(one, other, strict=True)):
        for name, value in by_sets(*pair, top).items():
            assert found[name][place] == pytest.approx(value, abs=1e-12), (name, pair)


@pytest.mark.parametrize("size", [2, 7, 64, 65])
def test_correlation_and_pairs_are_those_of_scipy(size):
    rng = np.random.default_rng(size)
    one, other = rng.normal(size=(2, 9, size))
    # Half of the maps have ties.
    one[::2], other[::2] = np.round(one[::2]) + (np.arange(size) == 0) * 9, np.round(other[::2])
    other[:, 0] = 9.0
    found = agreement(one, other, 1)
    for place, pair in enumerate(zip(np.abs(one), np.abs(other), strict=True)):
        rho = stats.spearmanr(*pair).statistic
        assert found["rank_correlation"][place] == pytest.approx(rho, abs=1e-9)
        steps = [np.sign(x[:, None] - x)[np.triu_indices(size, 1)] for x in pair]
        share = (1 + np.mean(steps[0] * steps[1])) / 2
        assert found["pairwise_rank_agreement"][place] == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize("top", [1, 2, 4])
def test_chance_is_the_mean_over_all_ways_to_shuffle_one_map(top):
    one, other = (maps[:4, :4] for maps in (maps_with_ties(2), maps_with_ties(3)))
    keep = (np.ptp(np.abs(one), axis=1) > 0) & (np.ptp(np.abs(other), axis=1) > 0)
    one, other = one[keep], other[keep]
    assert len(one) > 1
    shuffles = [
        agreement(one, other[:, list(order)], top) for order in itertools.permutations(range(4))
    ]
    told = agreement(one, other, top)
    wanted = {"feature": top / 4, "sign": told["sign_agreement_random"]}
    for name, value in wanted.items():
        mean = np.mean([found[f"{name}_agreement"] for found in shuffles], axis=0)
        np.testing.assert_allclose(mean, value)
        np.testing.assert_allclose(told[f"{name}_agreement_random"], value)
    for name, value in {"rank_agreement": 1 / 4, "pairwise_rank_agreement": 1 / 2}.items():
        np.testing.assert_allclose(np.mean([found[name] for found in shuffles], axis=0), value)
    mean = np.mean([found["rank_correlation"] for found in shuffles], axis=0)
    np.testing.assert_allclose(mean, 0, atol=1e-12)


@pytest.mark.parametrize(
    "flat",
    [
        np.zeros(5),
        np.full(5, 2.0),
        np.array([3.0, -3, 3, -3, 3]),
        np.array([3.0, -2, 1, 4, 5]) * 1e-31,
        np.full(5, np.nan),
    ],
)
def test_map_whose_sizes_are_all_equal_agrees_with_nothing_and_is_no_number(flat):
    known = np.array([[5.0, 4, 3, 2, 1]])
    for pair in ((known, flat[None]), (flat[None], known), (flat[None], flat[None])):
        found = agreement(*pair, 2)
        assert {*found} == {*COLUMNS}
        assert all(np.isnan(values).all() for values in found.values())


def test_maps_that_are_equal_agree_but_for_ties_at_the_border_of_the_largest():
    clear, tied = np.array([[4.0, -3, 2, 1, 0, 0]]), np.array([[4.0, 0, 0, 0, 0, 0]])
    found = agreement(clear, clear, 4)
    for name in set(COLUMNS) - {"feature_agreement_random", "sign_agreement_random"}:
        # Two zeros are a pair that nobody orders: 1 of 15.
        assert found[name] == pytest.approx(1 - (name == "pairwise_rank_agreement") / 30)
    # One part is sure, one of five zeros is beside it in each map, the same one once in five.
    assert agreement(tied, tied, 2)["feature_agreement"] == pytest.approx((1 + 1 / 5) / 2)


def test_noise_of_floats_is_no_order_and_no_sign():
    one = np.array([[1.0, 0.5, 1e-9, -1e-9, 0.25]])
    other = np.array([[1.0, 0.5, -1e-10, 1e-9, 0.25]])
    clean = np.array([[1.0, 0.5, 0, 0, 0.25]])
    for name, value in agreement(one, other, 5).items():
        assert value == agreement(clean, clean, 5)[name]


def made(shape=(SIZE,), layout="features", count=COUNT, classes=3):
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(classes, int(np.prod(shape))))
    spec = Spec(tuple(range(classes)), shape, layout=layout)
    model = linear(weights, rng.normal(size=classes), spec)
    x = rng.uniform(0.1, 0.9, (count, *shape))
    ids = [f"i{i}" for i in range(count)]
    labels = rng.integers(0, classes, count)
    return model, inputs_of(x, spec, labels=labels, ids=ids), weights


def rows_of(written, model, inputs, seed=1):
    return run(probe_of(written, seed=seed), model, inputs, version="0", believe=True).rows


WRITTEN = "attribute.disagreement(of=[gradient, gradient_x_input, integrated_gradients(steps=4)])"


@pytest.mark.parametrize(
    ("shape", "layout"), [((SIZE,), "features"), ((3, 4), "HW"), ((2, 3, 3), "CHW")]
)
def test_of_a_linear_model_gradients_times_inputs_and_along_the_way_agree_in_all(shape, layout):
    model, inputs, weights = made(shape, layout)
    rows = rows_of(WRITTEN, model, inputs)
    assert {*rows.columns} <= {*OF_LOGS}
    same = rows.filter(variant="gradient_x_input and integrated_gradients(steps=4)")
    assert len(same) == COUNT
    for name in set(COLUMNS) - {"feature_agreement_random", "sign_agreement_random"}:
        assert same[name].to_list() == pytest.approx([1] * COUNT)
    # Of one against the other every number is known: w and w x, channels of a pixel added up.
    channel = {"CHW": 0}.get(layout)
    parts = int(np.prod(shape[1:] if layout == "CHW" else shape))
    top = -(-parts // 4)
    codes = model.predict(inputs.x)
    for row, x, code in zip(
        rows.filter(variant="gradient and gradient_x_input").iter_rows(named=True),
        inputs.x,
        codes,
        strict=True,
    ):
        slope = weights[code].reshape(shape)
        maps = [slope, slope * x]
        if channel is not None:
            maps = [one.sum(axis=channel) for one in maps]
        one, other = (np.ravel(each) for each in maps)
        best, second = ({*np.argsort(-np.abs(each))[:top]} for each in (one, other))
        both = best & second
        assert row["feature_agreement"] == pytest.approx(len(both) / top)
        alike = [part for part in both if one[part] * other[part] > 0]
        assert row["sign_agreement"] == pytest.approx(len(alike) / top)
        assert row["feature_agreement_random"] == pytest.approx(top / parts)
        rho = stats.spearmanr(np.abs(one), np.abs(other)).statistic
        assert row["rank_correlation"] == pytest.approx(rho, abs=1e-9)


def test_random_maps_share_what_chance_gives():
    # False alarms: 4 limits of 4.4 standard errors, one run in 20,000.
    model, inputs, _ = made((4, 4), "HW", count=600)
    rows = rows_of("attribute.disagreement(of=[gradient, random], top=5)", model, inputs)
    means = rows.select(pl.col(COLUMNS).mean()).row(0, named=True)
    spread = rows.select(pl.col(COLUMNS).std() / 600**0.5).row(0, named=True)
    wanted = {
        "feature_agreement": 5 / 16,
        "rank_correlation": 0,
        "pairwise_rank_agreement": 1 / 2,
        "rank_agreement": 1 / 16,
    }
    for name, value in wanted.items():
        assert abs(means[name] - value) < 4.4 * spread[name], name
    assert means["feature_agreement_random"] == 5 / 16


ASKED = "attribute.disagreement(of=[smooth_grad(samples=3), kernel_shap, lime, random], top=3)"


def test_an_example_has_the_same_rows_alone_and_among_others():
    model, inputs, _ = made((4, 4), "HW", count=12)
    whole = rows_of(ASKED, model, inputs)
    assert len(whole) == 6 * 12
    for place in (0, 5, 11):
        alone = rows_of(ASKED, model, inputs.take(np.array([place])))
        among = whole.filter(source=f"i{place}")
        assert alone["variant"].to_list() == among["variant"].to_list()
        for name in COLUMNS:
            assert alone[name].to_list() == pytest.approx(among[name].to_list(), abs=1e-9)


def test_maps_that_are_compared_are_those_that_cards_judge():
    model, inputs, _ = made(count=5)
    rows = rows_of("attribute.disagreement(of=[gradient, lime(samples=40)])", model, inputs, seed=7)
    maps = []
    for name in ("gradient", "lime(samples=40)"):
        (one,) = attributions_named(parse(name))
        streams = streams_of(inputs, 7, f"attribute.{name}")
        maps.append(one.maps(model, inputs.x, model.predict(inputs.x), streams))
    wanted = agreement(*maps, 2)
    for name in COLUMNS:
        assert rows[name].to_list() == pytest.approx(wanted[name].tolist())


def test_each_explanation_is_worked_out_once_and_costs_no_more_than_is_said():
    model, inputs, _ = made(count=20)
    found = run(probe_of(ASKED), model, inputs, version="0", believe=True)
    assert found.made.queries == model.queries <= most_asked(probe_of(ASKED), model, 20)
    each = sum(one.most(model) for one in probe_of(ASKED).method.explainers.attributions)
    assert 0 < found.rows["queries"].sum() <= 20 * each
    first = found.rows["variant"] == "smooth_grad(samples=3) and kernel_shap"
    assert (found.rows.filter(~first)["queries"] == 0).all()
    (note,) = [one for one in found.made.probe["notes"] if "largest" in one]
    assert "3 largest of 6 parts" in note
    assert "share 0.5" in note


def test_model_that_says_the_same_of_everything_has_rows_without_figures():
    spec = Spec((0, 1), (4,))
    model = FunctionModel(lambda x: np.tile([0.0, 1.0], (len(x), 1)), spec)
    inputs = inputs_of(np.random.default_rng(0).random((30, 4)), spec, labels=np.ones(30, int))
    rows = rows_of("attribute.disagreement(of=[occlusion, random])", model, inputs)
    assert len(rows) == 30
    for name in COLUMNS:
        assert rows[name].is_null().all()
    found = eh.estimate("feature_agreement", eh.log(rows, kind="attributions"))
    assert "all parts of one of the two maps are of one size" in found.outcome.reason


def test_agreement_is_told_by_group_with_intervals():
    model, inputs, _ = made()
    rows = rows_of("attribute.disagreement(of=[gradient, gradient_x_input])", model, inputs)
    group = pl.Series("group", ["a", "b"] * (COUNT // 2))
    log = eh.log(rows.with_columns(group), kind="attributions", groups=["group"])
    gap = eh.estimate("difference(rank_correlation, by=group)", log)
    means = rows.group_by(group, maintain_order=True).agg(pl.col("rank_correlation").mean())
    assert abs(gap.value) == pytest.approx(abs(means["rank_correlation"].diff()[1]))
    assert gap.low < gap.value < gap.high
    excess = eh.estimate("feature_agreement_excess", log)
    plain = eh.estimate("feature_agreement", log)
    # Two of six parts are looked at.
    assert plain.value - excess.value == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("of=[gradient]", "a disagreement takes two"),
        ("of=gradient", "a disagreement takes two"),
        ("of=[]", "a disagreement takes two"),
        ("of=[gradient, gradient]", "names attribute.gradient twice"),
        ("of=[common, gradient]", "names attribute.gradient twice"),
        ("of=[gradient, occlusoin]", "Did you mean 'occlusion'"),
        ("of=[gradient, occlusion(pach=2)]", "no parameter 'pach'"),
        ("of=[gradient, occlusion(patch=0)]", "patch=0"),
        ("of=[gradient, 3]", "3 is no explanation"),
        ("of=[gradient, 'explain.shap']", "explains another score"),
        ("of=[gradient, explain.shap]", "not part of the notation"),
        ("of=[gradient, occlusion], top=0", "top=0 is no whole number from 1"),
        ("of=[gradient, occlusion], top=2.5", "top=2.5 is no whole number"),
        ("of=[gradient, occlusion], top=[2, 3]", "no whole number"),
        ("of=[gradient, occlusion], tpo=3", "Did you mean 'top'"),
        ("of=[gradient, occlusion], fill=low", "it takes no fill"),
        ("of=[gradient, occlusion], randomisations=0", "it takes no randomisations"),
        ("gradient, occlusion", "stands in of="),
    ],
)
def test_what_cannot_be_compared_is_refused_with_what_it_is(written, said):
    with pytest.raises(EvenhandError, match=said.replace("[", r"\[")):
        probe_of(f"attribute.disagreement({written})")


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(NotationError) as error:
        probe_of("attribute.disagreement(of=[gradeint, lime(smaples=3)], top=0, tpo=1)")
    assert len(error.value.problems) == 4


def test_methods_that_do_not_suit_the_model_are_all_named():
    spec = Spec((0, 1), (4,))
    blind = FunctionModel(lambda x: np.stack([x[:, 0], 1 - x[:, 0]], 1), spec)
    of = "gradient, edges, grad_cam, occlusion, deep_lift"
    with pytest.raises(ModelError) as error:
        probe_of(f"attribute.disagreement(of=[{of}], top=9)").check(blind)
    places = " ".join(problem.where for problem in error.value.problems)
    for name in ("gradient", "edges", "grad_cam", "deep_lift"):
        assert f"attribute.{name}" in places
    assert any("there are 4 parts" in problem.what for problem in error.value.problems)
    assert not any(problem.where == "attribute.occlusion" for problem in error.value.problems)


def test_one_part_alone_is_refused():
    model, _, _ = made((1,))
    with pytest.raises(ModelError, match="one part alone"):
        probe_of("attribute.disagreement(of=[gradient, random])").check(model)


def test_without_names_the_common_explanations_are_compared():
    model, inputs, _ = made((4, 4), "HW", count=3)
    rows = rows_of("attribute.disagreement", model, inputs)
    names = {name for variant in rows["variant"] for name in variant.split(" and ")}
    assert names == {one.name for one in attributions_named(parse("common"))}


def test_occlusion_is_kernel_shap_where_the_score_is_a_sum_of_columns():
    spec = Spec((0, 1), (5,))

    def sums(x):
        score = (x**2 * [1, 2, 3, 4, 5]).sum(axis=1) - 3
        return np.stack([-score / 2, score / 2], 1)

    model = FunctionModel(sums, spec)
    x = np.random.default_rng(1).random((30, 5))
    inputs = inputs_of(x, spec, labels=model.predict(x))
    rows = rows_of("attribute.disagreement(of=[occlusion, kernel_shap], top=2)", model, inputs)
    for name in ("feature_agreement", "sign_agreement", "rank_correlation"):
        assert rows[name].to_list() == pytest.approx([1] * 30)
