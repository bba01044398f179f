"""Logs of more than two classes: one class against the rest, averages, and the whole matrix."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import NotationError, RoleError, ValueInLogError
from looks import settled

CLASSES = ["low", "mid", "high"]
ENGINES = ["polars", "duckdb"]
WAYS = pytest.mark.parametrize(
    ("engine", "weighted"), [("polars", False), ("polars", True), ("duckdb", True)]
)


def grades(rows, classes=CLASSES, **how):
    rows = pl.DataFrame(rows)
    roles = {"label": "y", "prediction": "p", "score": "s", "weight": "w"}
    present = {role: column for role, column in roles.items() if column in rows.columns}
    return eh.log(rows, kind="decisions", classes=classes, **present, **how)


def random_rows(seed=3, size=600):
    """Rows whose prediction is right more often than by chance, in three unequal groups."""
    rng = np.random.default_rng(seed)
    label = rng.choice(3, size, p=[0.5, 0.3, 0.2])
    guess = np.where(rng.random(size) < 0.5, label, rng.choice(3, size))
    return {
        "g": rng.choice(["a", "b", "c"], size, p=[0.6, 0.3, 0.1]),
        "y": np.array(CLASSES)[label],
        "p": np.array(CLASSES)[guess],
        "s": rng.integers(1, 16, size) / 16,
        "w": rng.integers(1, 5, size) / 2,
    }


def share(of, among, weight):
    return weight[of & among].sum() / weight[among].sum()


RATES = {
    "selection_rate": lambda y, p, w: share(p, y | ~y, w),
    "base_rate": lambda y, p, w: share(y, p | ~p, w),
    "true_positive_rate": lambda y, p, w: share(p, y, w),
    "false_negative_rate": lambda y, p, w: share(~p, y, w),
    "false_positive_rate": lambda y, p, w: share(p, ~y, w),
    "true_negative_rate": lambda y, p, w: share(~p, ~y, w),
    "positive_predictive_value": share,
    "false_discovery_rate": lambda y, p, w: share(~y, p, w),
    "negative_predictive_value": lambda y, p, w: share(~y, ~p, w),
    "false_omission_rate": lambda y, p, w: share(y, ~p, w),
    "f1": lambda y, p, w: 2 * w[y & p].sum() / (w[y].sum() + w[p].sum()),
}


def gorodkin(label, guess, weight, classes):
    """Gorodkin's R_K as he wrote it: the covariance of the indicator matrices."""
    one, other = ((part[:, None] == np.array(classes)).astype(float) for part in (label, guess))
    one, other = (part - np.average(part, axis=0, weights=weight) for part in (one, other))

    def covariance(a, b):
        return (weight[:, None] * a * b).sum()

    return covariance(one, other) / np.sqrt(covariance(one, one) * covariance(other, other))


def expected_in_groups(rows, function, *, weighted):
    weight = rows["w"] if weighted else np.ones(len(rows["y"]))
    return {
        group: function(*(part[rows["g"] == group] for part in (rows["y"], rows["p"], weight)))
        for group in ("a", "b", "c")
    }


def found_in_groups(notation, rows, *, weighted, **how):
    kept = rows if weighted else {name: part for name, part in rows.items() if name != "w"}
    found = eh.estimate(f"difference({notation}, by=g)", grades(kept, **how))
    return {group.group["g"]: group.outcome.value for group in found.groups}, found


@WAYS
@pytest.mark.parametrize("measure", RATES)
def test_a_class_against_the_rest_is_the_rate_of_that_class(measure, engine, weighted):
    if engine == "duckdb":
        pytest.importorskip("duckdb")
    rows = random_rows()
    kept = rows if weighted else {name: part for name, part in rows.items() if name != "w"}
    notations = [f"difference({measure}(positive={name}), by=g)" for name in CLASSES]
    findings = eh.estimates(notations, grades(kept, engine=engine))
    for positive, found in zip(CLASSES, findings, strict=True):
        wanted = expected_in_groups(
            rows,
            lambda y, p, w, name=positive: RATES[measure](y == name, p == name, w),
            weighted=weighted,
        )
        values = {group.group["g"]: group.outcome.value for group in found.groups}
        assert values == pytest.approx(wanted, abs=1e-12)
        assert found.measure == f"{measure}(positive={positive})"


@WAYS
@pytest.mark.parametrize("measure", RATES)
def test_macro_average_is_the_plain_mean_over_all_classes(measure, weighted, engine):
    if engine == "duckdb":
        pytest.importorskip("duckdb")
    rows = random_rows(seed=4)
    values, found = found_in_groups(
        f"{measure}(average=macro)", rows, weighted=weighted, engine=engine
    )
    wanted = expected_in_groups(
        rows,
        lambda y, p, w: np.mean([RATES[measure](y == c, p == c, w) for c in CLASSES]),
        weighted=weighted,
    )
    assert values == pytest.approx(wanted, abs=1e-12)
    for group in found.groups:
        assert group.outcome.low <= group.outcome.value <= group.outcome.high


@WAYS
def test_correlation_of_classes_is_gorodkins(weighted, engine):
    if engine == "duckdb":
        pytest.importorskip("duckdb")
    rows = random_rows(seed=5)
    values, _ = found_in_groups("matthews_correlation", rows, weighted=weighted, engine=engine)
    wanted = expected_in_groups(rows, lambda y, p, w: gorodkin(y, p, w, CLASSES), weighted=weighted)
    assert values == pytest.approx(wanted, abs=1e-12)


@WAYS
def test_balanced_accuracy_is_the_mean_recall_and_accuracy_the_share_right(weighted, engine):
    if engine == "duckdb":
        pytest.importorskip("duckdb")
    rows = random_rows(seed=6)
    values, _ = found_in_groups("balanced_accuracy", rows, weighted=weighted, engine=engine)
    macro, _ = found_in_groups(
        "true_positive_rate(average=macro)", rows, weighted=weighted, engine=engine
    )
    wanted = expected_in_groups(
        rows,
        lambda y, p, w: np.mean([share(p == c, y == c, w) for c in CLASSES]),
        weighted=weighted,
    )
    assert values == pytest.approx(wanted, abs=1e-12)
    assert macro == pytest.approx(wanted, abs=1e-12)
    right, _ = found_in_groups("accuracy", rows, weighted=weighted, engine=engine)
    of_right = expected_in_groups(
        rows, lambda y, p, w: np.average(y == p, weights=w), weighted=weighted
    )
    assert right == pytest.approx(of_right, abs=1e-12)


def pairs_of_scores(score, positive):
    above = score[positive][:, None] - score[~positive]
    return ((above > 0) + (above == 0) / 2).mean()


FROM_SCORES = {
    "auc": pairs_of_scores,
    "brier_score": lambda s, y: ((s - y) ** 2).mean(),
    "log_loss": lambda s, y: -np.log(np.where(y, s, 1 - s)).mean(),
    "calibration_in_the_large": lambda s, y: (y - s).mean(),
    "generalized_false_positive_rate": lambda s, y: s[~y].mean(),
    "generalized_false_negative_rate": lambda s, y: (1 - s)[y].mean(),
}


@pytest.mark.parametrize("measure", FROM_SCORES)
def test_a_score_is_that_of_the_class_that_counts_as_positive(measure):
    rows = random_rows(seed=7)
    for positive in CLASSES:
        values, _ = found_in_groups(f"{measure}(positive={positive})", rows, weighted=False)
        wanted = {
            group: FROM_SCORES[measure](
                rows["s"][rows["g"] == group], (rows["y"] == positive)[rows["g"] == group]
            )
            for group in ("a", "b", "c")
        }
        assert values == pytest.approx(wanted, abs=1e-12)


def test_inequality_of_one_class_counts_it_as_the_benefit():
    rows = random_rows(seed=8)
    found = eh.estimate("generalized_entropy(positive=high)", grades(rows, where=None))
    weighted = rows["w"]
    benefit = (rows["p"] == "high") * 1.0 - (rows["y"] == "high") + 1
    mean = np.average(benefit, weights=weighted)
    wanted = np.average((benefit / mean) ** 2 - 1, weights=weighted) / 2
    assert found.value == pytest.approx(wanted)


def test_several_classes_of_one_measure_are_answered_together():
    rows = random_rows(seed=9)
    notations = [f"true_positive_rate(positive={name})" for name in CLASSES]
    notations += ["true_positive_rate(average=macro)", "f1(positive=mid)", "accuracy"]
    log = grades(rows)
    together = [found.value for found in eh.estimates(notations, log)]
    assert together == [eh.estimate(notation, log).value for notation in notations]
    assert np.mean(together[:3]) == pytest.approx(together[3])


def test_equalised_odds_of_one_class_is_written_as_the_largest_of_two():
    rows = random_rows(seed=10)
    del rows["w"]
    gaps = []
    for measure in ("true_positive_rate", "false_positive_rate"):
        wanted = expected_in_groups(
            rows,
            lambda y, p, w, name=measure: RATES[name](y == "high", p == "high", w),
            weighted=False,
        )
        gaps.append(np.ptp([*wanted.values()]))
    found = eh.estimate(
        "largest(difference(true_positive_rate(positive=high), by=g), "
        "difference(false_positive_rate(positive=high), by=g))",
        grades(rows),
    )
    assert found.value == pytest.approx(max(gaps))


# The number of a class in the order in which classes were declared is no name.
@pytest.mark.parametrize("classes", [["low", "mid", "high"], ["high", "low", "mid"]])
def test_the_order_of_the_classes_changes_no_figure(classes):
    rows = random_rows(seed=11)
    notations = [
        "f1(average=macro)",
        "matthews_correlation",
        "balanced_accuracy",
        "true_positive_rate(positive=mid)",
        "difference(selection_rate(positive=high), by=g)",
    ]
    first = eh.estimates(notations, grades(rows))
    other = eh.estimates(notations, grades(rows, classes=classes))
    for one, two in zip(first, other, strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((two.value, two.low, two.high))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("role", ["y", "p"])
def test_a_value_that_is_no_declared_class_is_named(role, engine):
    if engine == "duckdb":
        pytest.importorskip("duckdb")
    rows = {"y": [*CLASSES, "low"], "p": [*CLASSES, "low"]}
    rows[role] = [*CLASSES, "hihg"]
    for notation in ("accuracy", "f1(positive=low)", "f1(average=macro)", "matthews_correlation"):
        with pytest.raises(ValueInLogError, match="1 row holds 'hihg'") as caught:
            eh.estimate(notation, grades(rows, engine=engine))
        assert "The declared classes are low, mid, high." in str(caught.value)


def test_a_third_value_without_declared_classes_is_named():
    rows = {"y": [0, 1, 2, 2], "p": [0, 1, 1, 0]}
    with pytest.raises(ValueInLogError, match="2 rows hold 2") as caught:
        eh.estimate("accuracy", grades(rows, classes=()))
    assert "declare the classes" in str(caught.value)


def test_text_without_declared_classes_is_refused():
    with pytest.raises(RoleError, match="0/1"):
        grades({"y": CLASSES, "p": CLASSES}, classes=())


@pytest.mark.parametrize(
    ("written", "hint"),
    [("hihg", "'high'"), ("High", "'high'"), ("hi", "'high'"), ("blue", "low, mid, high")],
)
@pytest.mark.parametrize("measure", ["true_positive_rate", "f1", "auc", "theil_index"])
def test_an_unknown_class_is_refused_with_the_nearest(measure, written, hint):
    with pytest.raises(NotationError, match=f"there is no class '{written}'") as caught:
        eh.estimate(f"{measure}(positive={written})", grades(random_rows()))
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    "measure", ["selection_rate", "base_rate", "f1", "auc", "brier_score", "gini_index"]
)
@pytest.mark.parametrize("form", ["{}", "difference({}, by=g)"])
def test_a_measure_of_one_class_needs_to_know_which(measure, form):
    with pytest.raises(NotationError, match="the log has 3 classes") as caught:
        eh.estimate(form.format(measure), grades(random_rows()))
    for name in CLASSES:
        assert f"positive={name}" in str(caught.value)


def test_an_alias_for_classes_says_what_to_write_instead():
    with pytest.raises(NotationError, match="the log has 3 classes"):
        eh.estimate("equalized_odds_difference(by=g)", grades(random_rows()))


def test_an_average_has_no_positive_class():
    with pytest.raises(NotationError, match="no positive one"):
        eh.estimate("f1(average=macro, positive=low)", grades(random_rows()))


# What an error says to write can be written.
def test_the_hint_for_a_class_with_a_space_is_valid_notation():
    names = ["not yet", "granted", "refused, final"]
    rows = {"y": names, "p": names}
    with pytest.raises(NotationError) as caught:
        eh.estimate("f1", grades(rows, classes=names))
    written = str(caught.value).partition("Write ")[2].partition(" or ")[0]
    assert eh.estimate(written, grades(rows, classes=names)).value == 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["int", "float"])
def test_classes_may_be_numbers(kind, engine):
    if engine == "duckdb":
        pytest.importorskip("duckdb")
    number = {"low": 10, "mid": 20, "high": 35}
    rows = random_rows(seed=12)
    coded = {
        **rows,
        **{name: np.array([number[value] for value in rows[name]], dtype=kind) for name in "yp"},
    }
    notations = [
        ("true_positive_rate(positive=mid)", "true_positive_rate(positive=20)"),
        ("f1(average=macro)",) * 2,
        ("matthews_correlation",) * 2,
        ("auc(positive=high)", "auc(positive=35)"),
    ]
    texts = eh.estimates([text for text, _ in notations], grades(rows))
    log = grades(coded, classes=[*number.values()], engine=engine)
    numbers = eh.estimates([text for _, text in notations], log)
    for text, numeric in zip(texts, numbers, strict=True):
        assert numeric.value == pytest.approx(text.value)
        assert (numeric.low, numeric.high) == pytest.approx((text.low, text.high))


def test_a_number_that_is_no_class_is_named():
    rows = {"y": [1.0, 2.0, 3.0], "p": [1.0, 2.5, 3.0]}
    with pytest.raises(ValueInLogError, match=r"2\.5"):
        eh.estimate("accuracy", grades(rows, classes=[1, 2, 3]))
    with pytest.raises(NotationError, match="there is no class '4'"):
        eh.estimate("f1(positive=4)", grades(rows, classes=[1, 2, 3]))


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (["low"], "two or more different"),
        (["low", "low"], "two or more different"),
        ([1, 1.0], "two or more different"),
        ([1, 2, 2.0], "two or more different"),
        ([1, "low"], "all text or all numbers"),
        ([True, 1], "different|numbers"),
        ([1, float("nan")], "number"),
        ([1, None], "number"),
        ([[1], [2]], "number"),
    ],
)
def test_classes_that_cannot_be_told_apart_are_refused(classes, said):
    column = ["low", "mid"] if isinstance(classes[0], str) else [1, 2]
    with pytest.raises(RoleError, match=said):
        grades({"y": column, "p": column}, classes=classes)


def test_classes_of_another_type_than_the_column_are_refused():
    with pytest.raises(RoleError, match="Int64, but the classes are low, mid, high"):
        grades({"y": [1, 2], "p": [1, 2]})


def test_a_kind_without_classes_refuses_them():
    rows = pl.DataFrame({"y": [1.0], "p": [2.0]})
    with pytest.raises(RoleError, match="no classes"):
        eh.log(rows, kind="regression", label="y", prediction="p", classes=[1, 2])


# Positive is 1 by default, so it is 1 wherever 1 stands among the classes.
@pytest.mark.parametrize("classes", [(), [0, 1], [1, 0]])
def test_one_counts_as_positive_whatever_the_order_of_the_classes(classes):
    rows = {"y": [1, 0, 1, 1], "p": [1, 1, 0, 1]}
    found = eh.estimates(
        ["base_rate", "base_rate(positive=1)", "true_positive_rate", "base_rate(positive=0)"],
        grades(rows, classes=classes),
    )
    assert [one.value for one in found] == [3 / 4, 3 / 4, 2 / 3, 1 / 4]


@pytest.mark.parametrize("engine", ENGINES)
def test_null_labels_are_kept_and_what_reads_them_is_undefined(engine):
    if engine == "duckdb":
        pytest.importorskip("duckdb")
    rows = {
        "g": list("aaabbb"),
        "y": ["low", None, "high", "low", "mid", "high"],
        "p": ["low", "mid", "mid", "low", "mid", "low"],
    }
    log = grades(rows, engine=engine)
    for measure in (
        "accuracy",
        "f1(average=macro)",
        "balanced_accuracy",
        "matthews_correlation",
        "true_positive_rate(positive=low)",
        "base_rate(positive=high)",
    ):
        whole = eh.estimate(measure, log)
        assert whole.undefined.startswith("label is missing")
        assert "1 of 6 rows" in whole.undefined
        gap = eh.estimate(f"difference({measure}, by=g)", log)
        assert "a: label is missing" in gap.undefined
        assert "1 of 3 rows" in gap.undefined
    selected = eh.estimate("selection_rate(positive=mid)", log)
    assert (selected.value, selected.rows) == (1 / 2, 6)


def test_null_predictions_are_left_out_and_counted():
    rows = {"y": [*CLASSES, "low"], "p": [*CLASSES, None]}
    found = eh.estimate("accuracy", grades(rows))
    assert (found.value, found.rows) == (1, 3)
    assert [(part.reason, part.rows) for part in found.excluded] == [("prediction is missing", 1)]


# An average over all classes has no part for a class that nobody has: undefined, and named.
@pytest.mark.parametrize(
    "measure",
    ["true_positive_rate(average=macro)", "f1(average=macro)", "balanced_accuracy"],
)
@pytest.mark.parametrize(
    ("classes", "absent"), [(["low", "mid", "high"], "high"), (["high", "low", "mid"], "high")]
)
def test_a_class_that_never_occurs_is_named_in_the_reason(measure, classes, absent):
    rows = {"y": ["low", "low", "mid"], "p": ["low", "mid", "mid"]}
    found = eh.estimate(measure, grades(rows, classes=classes))
    assert absent in found.undefined


def test_the_reason_of_an_average_names_a_number_as_it_was_declared():
    rows = {"y": [0, 0, 1], "p": [0, 1, 1]}
    for measure in ("true_positive_rate(average=macro)", "balanced_accuracy"):
        found = eh.estimate(measure, grades(rows, classes=[0, 1, 2]))
        assert "class 2" in found.undefined


def test_a_class_without_members_has_no_rate():
    rows = {"y": ["low", "low", "mid"], "p": ["low", "mid", "mid"]}
    found = eh.estimates(
        [
            "true_positive_rate(positive=high)",
            "positive_predictive_value(positive=high)",
            "selection_rate(positive=high)",
        ],
        grades(rows),
    )
    assert found[0].undefined == "no positive labels"
    assert found[1].undefined == "no positive predictions"
    assert found[2].value == 0


def test_correlation_of_one_class_only_is_undefined():
    for rows in (
        {"y": ["low"] * 3, "p": ["low", "mid", "high"]},
        {"y": ["low", "mid", "high"], "p": ["mid"] * 3},
    ):
        found = eh.estimate("matthews_correlation", grades(rows))
        assert found.undefined == "all labels or all predictions are of one class"


def test_units_with_several_rows_have_the_same_figures_and_wider_intervals():
    rows = random_rows(seed=13, size=200)
    once = pl.DataFrame(rows).with_columns(u=pl.int_range(200))
    copied = pl.concat([once] * 8)
    notations = [
        "f1(average=macro)",
        "balanced_accuracy",
        "matthews_correlation",
        "true_positive_rate(positive=mid)",
    ]
    by_unit = eh.estimates(notations, grades(copied, unit="u"))
    by_row = eh.estimates(notations, grades(copied))
    single = eh.estimates(notations, grades(once))
    for unit, row, one in zip(by_unit, by_row, single, strict=True):
        assert unit.value == pytest.approx(one.value)
        assert unit.high - unit.low > 0.9 * (one.high - one.low)
        assert unit.high - unit.low > 2 * (row.high - row.low)


# Coverage: 400 logs of 150 rows; a true coverage of .95 is below .925 with probability 1 %, one of
# .90 with 95 %.
@pytest.mark.slow
def test_intervals_of_averages_and_correlations_cover():
    rng = np.random.default_rng(14)
    joint = np.array([[0.25, 0.05, 0.03], [0.08, 0.2, 0.07], [0.04, 0.06, 0.22]])
    codes = np.arange(9)
    names = np.array(CLASSES)
    recall, precision = (np.diag(joint) / joint.sum(axis=axis) for axis in (1, 0))
    labelled, predicted = joint.sum(axis=1), joint.sum(axis=0)
    truth = {
        "f1(average=macro)": np.mean(2 * recall * precision / (recall + precision)),
        "balanced_accuracy": recall.mean(),
        "positive_predictive_value(average=macro)": precision.mean(),
        "matthews_correlation": (np.trace(joint) - labelled @ predicted)
        / np.sqrt((1 - labelled @ labelled) * (1 - predicted @ predicted)),
    }
    covered, rates, asked = dict.fromkeys(truth, 0), {}, [*truth]
    for turn in range(1, 401):
        drawn = rng.choice(codes, 150, p=joint.ravel())
        log = grades({"y": names[drawn // 3], "p": names[drawn % 3]})
        for notation, found in zip(asked, eh.estimates(asked, log), strict=True):
            covered[notation] += found.low <= truth[notation] <= found.high
            rates[notation] = covered[notation] / turn
        asked = [one for one in asked if not settled(rates[one], turn, 400, least=0.925)]
        if not asked:
            break
    assert min(rates.values()) >= 0.925, f"coverage: {rates}"
