"""Bad input gives a reason or an error that can be acted on, and never a silent number."""

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import EvenhandError, NotationError, RoleError, ValueInLogError
from evenhand.measures.registry import measures

NAN, INF = float("nan"), float("inf")
ROLES = {
    "decisions": {"label": "y", "prediction": "p", "score": "s", "weight": "w"},
    "regression": {"label": "t", "prediction": "q", "weight": "w"},
}
MEASURES = {
    name: cls
    for name, cls in measures().items()
    if {*getattr(cls, "needs", ["?"])} <= {"label", "prediction", "score"}
}
"""Every measure that the rows of these tests can answer."""
SCORED = [name for name, cls in MEASURES.items() if "score" in cls.needs]
PROBABILITIES = [name for name, cls in MEASURES.items() if "score" in cls.limits]
CLASSIFIED = [name for name, cls in MEASURES.items() if cls.reads == "classes"]
NUMERIC = [name for name, cls in MEASURES.items() if cls.reads == "numbers"]
DECIDED = [name for name in CLASSIFIED if name not in SCORED]


def open_log(rows, kind="decisions", **how):
    rows = pl.DataFrame(rows, strict=False)
    roles = {role: column for role, column in ROLES[kind].items() if column in rows.columns}
    return eh.log(rows, kind=kind, **roles, **how)


def kind_of(measure):
    return "decisions" if MEASURES[measure].reads == "classes" else "regression"


def sound_rows(seed=1, size=80, groups=("a", "b")):
    """Rows on which every measure has a figure in every group."""
    rng = np.random.default_rng(seed)
    score = rng.integers(1, 20, size) / 20
    target = rng.normal(0, 1, size)
    return {
        "g": np.resize(groups, size),
        "s": score,
        "y": (rng.random(size) < score).astype(int),
        "p": (rng.random(size) < score).astype(int),
        "t": target,
        "q": target + rng.normal(0, 1, size),
    }


def assert_sound(found):
    """A finding is undefined with its reason, or finite with an interval around the value."""
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    for part in (document, *document.get("groups", ())):
        if part["undefined"] is not None:
            assert part["undefined"].strip()
            assert (part["value"], part["low"], part["high"]) == (None, None, None)
            continue
        numbers = [part[name] for name in ("low", "value", "high")]
        assert all(map(math.isfinite, numbers))
        # Limits may touch the value up to rounding.
        slack = 1e-9 * max(1.0, abs(part["value"]))
        assert part["low"] - slack <= part["value"] <= part["high"] + slack


def assert_unsure(found):
    """What rests on hardly any rows is undefined, or its interval says how little is known."""
    assert_sound(found)
    if found.undefined is None:
        width = found.high - found.low
        assert width > 0.1 * max(1.0, abs(found.value)), str(found)


def outcome_of(found, group):
    (one,) = [part for part in found.groups if part.group == {"g": group}]
    return one.outcome


# Scores that are no probabilities, are missing, or say nothing.


@pytest.mark.parametrize("bad", [1.5, 1 + 1e-12, -1e-12])
@pytest.mark.parametrize("measure", PROBABILITIES)
def test_a_score_that_is_no_probability_is_named(measure, bad):
    rows = sound_rows()
    rows["s"][7] = bad
    with pytest.raises(ValueInLogError, match="1 row holds") as caught:
        eh.estimate(f"difference({measure}, by=g)", open_log(rows))
    assert f"{measure} needs a score between 0 and 1" in str(caught.value)


def test_a_ranking_needs_no_probability():
    rows = sound_rows()
    plain, wide = (
        eh.estimate("auc", open_log(rows | {"s": scores}))
        for scores in (rows["s"], 100 * rows["s"] - 50)
    )
    assert (wide.value, wide.low, wide.high) == pytest.approx((plain.value, plain.low, plain.high))


@pytest.mark.parametrize(("engine", "bad"), [("polars", INF), ("polars", 1e61), ("duckdb", -INF)])
@pytest.mark.parametrize("measure", SCORED)
def test_an_infinite_score_is_named(measure, engine, bad):
    if engine == "duckdb":
        pytest.importorskip("duckdb")
    rows = sound_rows()
    rows["s"][3] = bad
    with pytest.raises(ValueInLogError, match="role 'score': 1 row holds"):
        eh.estimate(measure, open_log(rows, engine=engine))


@pytest.mark.parametrize("missing", [NAN, None])
@pytest.mark.parametrize("measure", SCORED)
def test_a_missing_score_is_left_out_and_counted(measure, missing):
    rows = sound_rows()
    holed = rows | {"s": [missing if place < 5 else s for place, s in enumerate(rows["s"])]}
    kept = {name: part[5:] for name, part in rows.items()}
    notation = f"difference({measure}, by=g)"
    found, wanted = (eh.estimate(notation, open_log(some)) for some in (holed, kept))
    assert [(part.reason, part.rows) for part in found.excluded] == [("score is missing", 5)]
    assert found.value == pytest.approx(wanted.value)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


@pytest.mark.parametrize("missing", [NAN, None])
@pytest.mark.parametrize("measure", SCORED)
def test_a_group_without_any_score_is_undefined_and_named(measure, missing):
    rows = sound_rows()
    rows["s"] = [
        missing if group == "b" else s for group, s in zip(rows["g"], rows["s"], strict=True)
    ]
    found = eh.estimate(f"difference({measure}, by=g)", open_log(rows))
    assert "b: no rows with a score" in found.undefined


@pytest.mark.parametrize("group", ["a", "b"])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize(
    "measure", ["auc", "calibration_slope", "matthews_correlation", "balanced_accuracy"]
)
def test_labels_of_one_class_in_a_group_make_it_undefined_and_named(measure, label, group):
    rows = sound_rows()
    rows["y"][rows["g"] == group] = label
    found = eh.estimate(f"difference({measure}, by=g)", open_log(rows))
    assert f"({group}: " in found.undefined
    assert "class" in found.undefined


@pytest.mark.parametrize(
    ("measure", "label", "reason"),
    [
        ("generalized_false_positive_rate", 1, "no negative labels"),
        ("generalized_false_negative_rate", 0, "no positive labels"),
        ("bpsn_auc", 1, "no negatives in the group"),
        ("bnsp_auc", 0, "no positives in the group"),
        ("true_positive_rate", 0, "no positive labels"),
        ("false_positive_rate", 1, "no negative labels"),
    ],
)
def test_a_group_without_the_class_that_is_looked_at_says_so(measure, label, reason):
    rows = sound_rows()
    rows["y"][rows["g"] == "b"] = label
    found = eh.estimate(f"difference({measure}, by=g)", open_log(rows))
    assert f"b: {reason}" in found.undefined


@pytest.mark.parametrize("label", [0, 1])
def test_labels_of_one_class_are_never_a_silent_number(label):
    rows = sound_rows()
    rows["y"][rows["g"] == "b"] = label
    notations = [*CLASSIFIED, *(f"difference({measure}, by=g)" for measure in CLASSIFIED)]
    for found in eh.estimates(notations, open_log(rows)):
        assert_sound(found)


# Half of the labels are right about a score of .5, so whatever is estimated here is chance.
@pytest.mark.parametrize("score", [0.5, 0.3, 0.1])
@pytest.mark.parametrize("measure", SCORED)
def test_a_constant_score_is_undefined_or_leaves_room_for_chance(measure, score):
    share = {0.5: 10, 0.3: 6, 0.1: 2}[score]
    label = ([1] * share + [0] * (20 - share)) * 2
    rows = {"g": ["a"] * 20 + ["b"] * 20, "y": label, "s": [score] * 40}
    found = eh.estimate(f"difference({measure}, by=g)", open_log(rows))
    assert_sound(found)
    if measure == "log_loss" and score == 0.5:
        # Every row loses ln 2, whatever its label: as for the mean score, nothing varies.
        assert "all rows have the same value" in found.undefined
        return
    for group in ("a", "b"):
        outcome = outcome_of(found, group)
        if hasattr(outcome, "reason"):
            assert outcome.reason
        else:
            assert outcome.high - outcome.low > 0.005, str(outcome)


@pytest.mark.parametrize("value", [0.5, 0.3, 0.1])
def test_a_score_that_never_varies_has_no_mean_to_judge(value):
    found = eh.estimate("mean_score", open_log({"s": [value] * 20}))
    assert "all rows have the same value" in found.undefined


@pytest.mark.parametrize("measure", ["auc", "bpsn_auc", "bnsp_auc"])
def test_a_constant_score_ranks_nothing_and_the_reason_says_so(measure):
    rows = {"g": list("aabb") * 5, "y": [0, 1] * 10, "s": [0.5] * 20}
    found = eh.estimate(f"difference({measure}, by=g)", open_log(rows))
    assert "all scores are equal" in found.undefined


def test_certain_and_wrong_is_an_infinite_loss():
    rows = {"y": [1, 0, 1, 0], "s": [0.0, 0.5, 0.7, 0.1]}
    found = eh.estimates(["log_loss", "calibration_slope"], open_log(rows))
    assert "infinite" in found[0].undefined
    assert "a score of 0 or 1" in found[1].undefined


def test_scores_that_part_the_labels_have_no_slope():
    rows = {"y": [0] * 10 + [1] * 10, "s": [0.2, 0.3] * 5 + [0.7, 0.8] * 5}
    assert "part the labels" in eh.estimate("calibration_slope", open_log(rows)).undefined


# Few rows are never taken for many.


@pytest.mark.parametrize("measure", ["accuracy", "auc", "brier_score", "ecce", "f1"])
def test_three_right_rows_are_no_certainty(measure):
    rows = {"y": [0, 1, 1], "p": [0, 1, 1], "s": [0.0, 1.0, 1.0]}
    assert_unsure(eh.estimate(measure, open_log(rows)))


@pytest.mark.parametrize("measure", [*MEASURES])
def test_a_single_row_is_no_certainty(measure):
    rows = {name: part[:1] for name, part in sound_rows(seed=2).items()}
    found = eh.estimate(measure, open_log(rows, kind_of(measure)))
    assert_sound(found)
    if found.undefined is None:
        assert found.high - found.low > 0.5, str(found)


# A single unit with several rows: a limit that is infinite is no number in JSON.
@pytest.mark.parametrize("measure", [*MEASURES])
def test_a_single_unit_is_no_certainty_and_no_infinity(measure):
    rows = {name: part[:6] for name, part in sound_rows(seed=2).items()}
    log = open_log(rows | {"u": [1] * 6}, kind_of(measure), unit="u")
    assert_unsure(eh.estimate(measure, log))


# One positive among a thousand rows: its place could be any, as that of the next.
@pytest.mark.parametrize("place", [0.95, 0.5])
@pytest.mark.parametrize("lone", [0, 1])
def test_an_area_that_rests_on_a_single_positive_or_negative_is_no_certainty(lone, place):
    scores = np.append(np.linspace(0.1, 0.9, 999), place)
    labels = np.append(np.full(999, 1 - lone), lone)
    found = eh.estimate("auc", open_log({"y": labels, "s": scores}))
    assert_sound(found)
    if found.undefined is None:
        assert found.high - found.low > 0.5, str(found)


@pytest.mark.parametrize("measure", ["bpsn_auc", "bnsp_auc"])
def test_an_area_across_groups_that_rests_on_a_single_row_is_no_certainty(measure):
    rng = np.random.default_rng(4)
    lone = 0 if measure == "bpsn_auc" else 1
    labels = np.append(np.full(300, 1 - lone), [lone, *rng.integers(0, 2, 300)])
    rows = {"g": ["a"] * 301 + ["b"] * 300, "y": labels, "s": rng.random(601)}
    outcome = outcome_of(eh.estimate(f"worst({measure}, by=g)", open_log(rows)), "a")
    assert hasattr(outcome, "reason") or outcome.high - outcome.low > 0.5, str(outcome)


# Weights.


@pytest.mark.parametrize("kind", ROLES)
def test_weights_that_are_all_zero_are_undefined(kind):
    log = open_log(sound_rows() | {"w": [0.0] * 80}, kind)
    names = [name for name in MEASURES if kind_of(name) == kind]
    for whole in eh.estimates(names, log):
        assert whole.undefined
    for gap in eh.estimates([f"difference({name}, by=g)" for name in names], log):
        assert "a: all weights are 0; b: all weights are 0" in gap.undefined


@pytest.mark.parametrize("measure", [*MEASURES])
def test_rows_of_weight_zero_change_nothing(measure):
    rows = sound_rows(size=120)
    weight = np.resize([1.0, 1.0, 0.0], 120)
    # The rows of weight 0 differ from all others.
    rows["q"][weight == 0] += 50
    rows["p"][weight == 0] = 1 - rows["y"][weight == 0]
    rows["s"][weight == 0] = 0.999
    kept = {name: part[weight > 0] for name, part in rows.items()}
    notation = f"difference({measure}, by=g)"
    found, wanted = (
        eh.estimate(notation, open_log(some, kind_of(measure)))
        for some in (rows | {"w": weight}, kept | {"w": np.ones(80)})
    )
    assert found.value == pytest.approx(wanted.value, abs=1e-12)
    assert_sound(found)


@pytest.mark.parametrize("bad", [-1.0, -1e-300, INF, 1e101, 1e-101])
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_weight_that_is_none_is_named(engine, bad):
    if engine == "duckdb":
        pytest.importorskip("duckdb")
    rows = sound_rows() | {"w": [1.0] * 79 + [bad]}
    for measure, kind in (("accuracy", "decisions"), ("auc", "decisions"), ("mae", "regression")):
        with pytest.raises(ValueInLogError, match="role 'weight': 1 row holds"):
            eh.estimate(measure, open_log(rows, kind, engine=engine))


@pytest.mark.parametrize("missing", [NAN, None])
def test_a_missing_weight_is_left_out_and_counted(missing):
    rows = sound_rows() | {"w": [1.0] * 78 + [missing] * 2}
    for measure in ("accuracy", "brier_score", "auc", "mse"):
        found = eh.estimate(measure, open_log(rows, kind_of(measure)))
        assert found.rows == 78
        assert [(part.reason, part.rows) for part in found.excluded] == [("weight is missing", 2)]


# Weights are relative: survey weights may add up to 1 or to a population.
@pytest.mark.parametrize(
    "scale", [1e-3, *(pytest.param(s, marks=pytest.mark.slow) for s in (1e6, 1e-25, 1e25))]
)
@pytest.mark.parametrize("measure", [*MEASURES])
def test_the_scale_of_the_weights_changes_nothing(measure, scale):
    weight = np.random.default_rng(6).integers(1, 5, 80).astype(float)
    plain, scaled = (
        eh.estimate(
            f"difference({measure}, by=g)",
            open_log(sound_rows() | {"w": weight * factor}, kind_of(measure)),
        )
        for factor in (1.0, scale)
    )
    assert scaled.undefined == plain.undefined
    wanted = (plain.value, plain.low, plain.high)
    assert (scaled.value, scaled.low, scaled.high) == pytest.approx(wanted, rel=1e-6, abs=1e-9)


# One row stands for nearly all: as little is known as from a single row.
@pytest.mark.parametrize("heavy", [1e6, pytest.param(1e30, marks=pytest.mark.slow)])
@pytest.mark.parametrize("measure", [*MEASURES])
def test_one_row_that_outweighs_all_others_is_no_certainty(measure, heavy):
    weight = np.append(np.ones(79), heavy)
    log = open_log(sound_rows(seed=3) | {"w": weight}, kind_of(measure))
    assert_unsure(eh.estimate(measure, log))


# Numbers.


@pytest.mark.parametrize(("role", "bad"), [("t", INF), ("t", 1e61), ("q", -INF)])
@pytest.mark.parametrize("measure", NUMERIC)
def test_an_infinite_number_is_named(measure, bad, role):
    rows = sound_rows()
    rows[role][3] = bad
    name = {"t": "label", "q": "prediction"}[role]
    with pytest.raises(ValueInLogError, match=f"role '{name}': 1 row holds"):
        eh.estimate(measure, open_log(rows, "regression"))


@pytest.mark.parametrize("missing", [NAN, None])
@pytest.mark.parametrize("measure", NUMERIC)
def test_a_missing_number_is_undefined_as_label_and_counted_as_prediction(measure, missing):
    rows = sound_rows()
    unlabelled = rows | {"t": [missing, *rows["t"][1:]]}
    found = eh.estimate(measure, open_log(unlabelled, "regression"))
    assert found.undefined.startswith("label is missing")
    assert "1 of 80 rows" in found.undefined
    unpredicted = rows | {"q": [missing, *rows["q"][1:]]}
    found = eh.estimate(measure, open_log(unpredicted, "regression"))
    assert found.rows == 79
    assert [(part.reason, part.rows) for part in found.excluded] == [("prediction is missing", 1)]


@pytest.mark.parametrize(("weight", "size"), [(1.0, 1e6), (1.0, 1e28), (1e-29, 1e20), (1e29, 1e28)])
@pytest.mark.parametrize("measure", NUMERIC)
def test_the_unit_of_the_numbers_changes_no_figure(measure, weight, size):
    rows = sound_rows()
    power = {"mse": 2, "r2": 0}.get(measure, 1)
    plain = eh.estimate(measure, open_log(rows | {"w": [1.0] * 80}, "regression"))
    large = rows | {"t": rows["t"] * size, "q": rows["q"] * size, "w": [weight] * 80}
    found = eh.estimate(measure, open_log(large, "regression"))
    assert found.undefined is None
    wanted = np.array([plain.value, plain.low, plain.high])
    scaled = np.array([found.value, found.low, found.high]) / size**power
    assert scaled == pytest.approx(wanted, rel=1e-6)


# Adding the same to every score moves the mean and leaves its interval as wide.
@pytest.mark.parametrize("offset", [1e3, 1e6, 1e8, 1e9, 1e12])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_width_for_a_mean_does_not_depend_on_where_zero_is(offset, weighted):
    rng = np.random.default_rng(8)
    # In steps of 1/64, so that adding is exact.
    scores = np.round(rng.normal(0, 1, 500) * 64) / 64
    weight = {"w": rng.integers(1, 4, 500).astype(float)} if weighted else {}
    plain, moved = (
        eh.estimate("mean_score", open_log({"s": scores + by} | weight)) for by in (0.0, offset)
    )
    if offset > 1e7:
        # Squares of such numbers have lost what tells them apart: no width is better than a false.
        assert "differ too little beside its size" in moved.undefined
        return
    assert moved.value - offset == pytest.approx(plain.value, abs=1e-3)
    assert moved.high - moved.low == pytest.approx(plain.high - plain.low, rel=0.01)


@pytest.mark.parametrize("error", [0.0, 0.5, 0.1, 0.3, 1 / 3])
@pytest.mark.parametrize("measure", ["mean_error", "mae", "mse", "rmse"])
def test_an_error_that_is_always_the_same_shows_nothing_of_how_it_varies(measure, error):
    label = np.arange(20.0)
    # Differences of the sums are rounded, which is no variation.
    found = eh.estimate(measure, open_log({"t": label, "q": label + error}, "regression"))
    assert "all rows have the same value" in found.undefined


def test_labels_that_do_not_vary_have_no_r2():
    for value in (0.0, 1.0, 1e9):
        rows = {"t": [value] * 30, "q": np.linspace(0, 1, 30)}
        assert "do not vary" in eh.estimate("r2", open_log(rows, "regression")).undefined


@pytest.mark.parametrize(
    "index", ["theil_index", "generalized_entropy", "atkinson_index", "gini_index"]
)
def test_benefits_that_are_all_zero_have_no_inequality(index):
    found = eh.estimate(index, open_log({"y": [1] * 5, "p": [0] * 5}))
    assert found.undefined == "the mean benefit is 0"


# Any pathology, any measure: undefined or an error or a sound figure.
PATHOLOGIES = {
    "one row": lambda rows: {name: part[:1] for name, part in rows.items()},
    "two rows": lambda rows: {name: part[:2] for name, part in rows.items()},
    "all positive": lambda rows: rows | {"y": [1] * 80, "p": [1] * 80},
    "all negative": lambda rows: rows | {"y": [0] * 80, "p": [0] * 80},
    "always right": lambda rows: rows | {"p": rows["y"], "q": rows["t"], "s": rows["y"] * 1.0},
    "always wrong": lambda rows: rows | {"p": 1 - rows["y"], "q": -rows["t"], "s": 1.0 - rows["y"]},
    "constant": lambda rows: rows | {"s": [0.5] * 80, "q": [1.0] * 80, "t": [1.0] * 80},
    "no label": lambda rows: rows | {"y": pl.Series([None] * 80, dtype=pl.Int64)},
    "no score": lambda rows: rows | {"s": [NAN] * 80},
    "no group": lambda rows: rows | {"g": pl.Series([None] * 80, dtype=pl.String)},
    "a group each": lambda rows: (
        {name: part[:8] for name, part in rows.items()} | {"g": list("abcdefgh")}
    ),
    "tiny weights": lambda rows: rows | {"w": [1e-100] * 80},
    "huge weights": lambda rows: rows | {"w": [1e30] * 80},
    "mixed weights": lambda rows: rows | {"w": [1e-30, 1e30] * 40},
    "huge numbers": lambda rows: rows | {"t": rows["t"] * 1e59, "q": rows["q"] * 1e59},
    "tiny numbers": lambda rows: rows | {"t": rows["t"] * 1e-300, "q": rows["q"] * 1e-300},
    "tiny scores": lambda rows: rows | {"s": rows["s"] * 1e-300},
}


def contrasts_of(measure):
    names = ["difference", "to_overall", *(["worst"] if MEASURES[measure].better else [])]
    return [measure, *(f"{name}({measure}, by=g)" for name in names)]


def answers(notations, log):
    """The findings of each notation that is not refused."""
    try:
        return eh.estimates(notations, log)
    except EvenhandError:
        if len(notations) == 1:
            return []
    half = len(notations) // 2
    return [*answers(notations[:half], log), *answers(notations[half:], log)]


QUICK = ["one row", "always right", "constant", "no score", "a group each", "mixed weights"]


@pytest.mark.parametrize("kind", ROLES)
@pytest.mark.parametrize(
    ("pathology", "unit"),
    [
        pytest.param(name, unit, marks=() if name in QUICK and unit == "row" else pytest.mark.slow)
        for name in PATHOLOGIES
        for unit in ("row", "u")
    ],
)
def test_no_pathology_gives_a_silent_number(pathology, kind, unit):
    rows = PATHOLOGIES[pathology](sound_rows())
    log = open_log(rows | {"u": np.arange(len(rows["g"])) // 2}, kind, unit=unit)
    every = [one for name in MEASURES if kind_of(name) == kind for one in contrasts_of(name)]
    for found in answers(every, log):
        assert_sound(found)


# Half of a negative number over a positive one is no parity; min / max is in [0, 1] or nothing.
@pytest.mark.parametrize("measure", [*MEASURES])
def test_a_ratio_is_between_0_and_1_or_there_is_none(measure):
    for seed in (1, 4):
        rows = sound_rows(seed)
        for found in answers([f"ratio({measure}, by=g)"], open_log(rows, kind_of(measure))):
            assert_sound(found)
            if found.undefined is None:
                assert 0 <= found.low <= found.value <= found.high <= 1


# Parameters of the wrong type, and roles of the wrong kind.


@pytest.mark.parametrize(
    ("notation", "said"),
    [
        ("generalized_entropy(alpha=high)", "alpha"),
        ("generalized_entropy(alpha='2')", "alpha"),
        ("generalized_entropy(alpha=[2, 3])", "alpha"),
        ("generalized_entropy(alpha=True)", "alpha"),
        ("generalized_entropy(alpha=1)", "theil_index"),
        ("generalized_entropy(alpha=0)", "alpha is above 0"),
        ("generalized_entropy(alpha=-1)", "alpha is above 0"),
        ("generalized_entropy(alpha=1e999)", "alpha"),
        ("generalized_entropy(beta=2)", "no parameter 'beta'"),
        ("generalized_entropy(2)", "by name"),
        ("theil_index(alpha=2)", "no parameter 'alpha'"),
        ("atkinson_index(epsilon=2)", "epsilon is between 0 and 1"),
        ("atkinson_index(epsilon=1)", "epsilon is between 0 and 1"),
        ("atkinson_index(epsilon=0)", "epsilon is between 0 and 1"),
        ("atkinson_index(epsilon=low)", "epsilon"),
        ("atkinson_index(epsilon=[0.5])", "epsilon"),
        ("atkinson_index(epsilon=True)", "epsilon"),
        ("f1(average=micro)", "average is macro or left out, not 'micro'"),
        ("f1(average=1)", "average is macro"),
        ("f1(average=[macro])", "average is macro"),
        ("f1(average=macro, positive=1)", "no positive one"),
        ("true_positive_rate(average=weighted)", "average is macro"),
        ("auc(k=3)", "no parameter 'k'"),
        ("auc@5", "no cutoff '@5'"),
        ("auc(average=macro)", "no parameter 'average'"),
        ("difference(auc@5, by=g)", "no cutoff"),
        ("true_positive_rate(positive=[1, 2])", "class"),
        ("true_positive_rate(positive=2)", "there is no class '2'"),
        ("true_positive_rate(positive=yes)", "there is no class 'yes'"),
        ("true_positive_rate(positive=True)", "class"),
        ("accuracy(positive=1)", "takes no parameters"),
        ("mean_score(positive=1)", "takes no parameters"),
        ("brier_score(positive=[])", "class"),
    ],
)
def test_a_wrong_parameter_is_refused_and_named(notation, said):
    with pytest.raises(NotationError) as caught:
        eh.estimate(notation, open_log(sound_rows()))
    assert said in str(caught.value)


@pytest.mark.parametrize("measure", NUMERIC)
def test_a_measure_of_numbers_refuses_decisions_and_says_which_kind_fits(measure):
    with pytest.raises(NotationError, match=f"{measure} reads numbers") as caught:
        eh.estimate(measure, open_log(sound_rows()))
    assert "regression" in str(caught.value)


@pytest.mark.parametrize("measure", DECIDED)
def test_a_measure_of_classes_refuses_numbers_and_says_which_kind_fits(measure):
    with pytest.raises(NotationError, match=f"{measure} reads classes") as caught:
        eh.estimate(measure, open_log(sound_rows(), "regression"))
    assert "decisions" in str(caught.value)


@pytest.mark.parametrize("measure", SCORED)
def test_a_measure_of_scores_says_that_the_score_is_missing(measure):
    rows = sound_rows()
    del rows["s"]
    with pytest.raises(NotationError, match="needs role 'score'"):
        eh.estimate(measure, open_log(rows))


def test_a_role_of_the_wrong_kind_or_type_is_refused():
    rows = pl.DataFrame({"y": [1.0, 2.0], "p": ["low", "high"], "b": [True, False]})
    for kind, roles, said in (
        ("regression", {"score": "y"}, "no role 'score'"),
        ("regression", {"prediction": "p"}, "needs a number"),
        ("regression", {"label": "b"}, "needs a number"),
        ("decisions", {"score": "p"}, "needs a number"),
        ("decisions", {"score": "b"}, "needs a number"),
        ("decisions", {"weight": "p"}, "needs a number"),
        ("decisions", {"prediction": "p"}, "0/1"),
    ):
        with pytest.raises(RoleError) as caught:
            eh.log(rows, kind=kind, **roles)
        assert said in str(caught.value)


def test_all_wrong_parameters_come_at_once():
    bad = ["auc(k=3)", "f1(average=micro)", "mae", "true_positive_rate(positive=3)"]
    with pytest.raises(NotationError) as caught:
        eh.estimates(bad, open_log(sound_rows()))
    text = str(caught.value)
    for said in ("'k'", "'micro'", "reads numbers", "class '3'"):
        assert said in text


@pytest.mark.parametrize("contrast", ["difference", "pairs", "to_overall"])
@pytest.mark.parametrize("kind", ROLES)
def test_sound_rows_have_sound_figures(kind, contrast):
    names = [name for name in MEASURES if kind_of(name) == kind]
    notations = [f"{contrast}({name}, by=g)" for name in names]
    for found in eh.estimates(notations, open_log(sound_rows(), kind)):
        assert_sound(found)
        if found.undefined is None:
            assert found.high > found.low


# A log as a whole has no outside, so there is no overall to compare a group with.
@pytest.mark.parametrize("measure", ["bpsn_auc", "bnsp_auc"])
def test_an_area_across_groups_has_no_overall(measure):
    for found in eh.estimates([f"to_overall({measure}, by=g)"], open_log(sound_rows())):
        assert found.undefined
