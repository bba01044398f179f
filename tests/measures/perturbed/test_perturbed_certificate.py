"""The set that certificates and attacks leave of a robust share: by hand, refused, covered."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import NotationError, ValueInLogError
from evenhand.stats.identified import imbens_manski_critical
from evenhand.stats.interval import wilson

SHARES = {
    "robust_accuracy": (
        lambda r: r["correct"] and r["certified"] == 1,
        lambda r: r["correct"] and r["robust"],
        lambda _: True,
    ),
    "robustness_drop": (
        lambda r: r["correct"] and not r["robust"],
        lambda r: r["correct"] and r["certified"] != 1,
        lambda _: True,
    ),
    "attack_success_rate": (
        lambda r: r["correct"] and not r["robust"],
        lambda r: r["correct"] and r["certified"] != 1,
        lambda r: r["correct"],
    ),
}
"""What is counted at the lower and the upper end, and among which rows."""


def rows_of(size=300, seed=4, *, per=1, spread=0.0):
    """Rows of units of ``per`` images; certified images are a part of those no attack breaks."""
    rng = np.random.default_rng(seed)
    shift = spread * np.repeat(rng.standard_normal(size // per), per)
    correct = rng.random(size) < 0.85
    group = np.repeat(rng.choice(["a", "b"], size // per), per)
    margin = rng.standard_normal(size) + shift + 0.4 * (group == "a")
    tried = rng.random(size) < 0.8
    return pl.DataFrame(
        {
            "source": np.repeat(np.arange(size // per), per),
            "group": group,
            "variant": "linf 0.1",
            "correct": correct,
            "robust": correct & (margin > 0),
            "certified": [bool(m > 0.5) if t else None for m, t in zip(margin, tried, strict=True)],
            "weight": rng.integers(1, 4, size) / 2,
        }
    )


def log_of(rows, engine=None, tmp_path=None, **more):
    if engine in {None, "polars"}:
        return eh.log(rows, kind="perturbed", groups=["group"], **more)
    path = tmp_path / "rows.parquet"
    rows.write_parquet(path)
    return eh.log(path, kind="perturbed", groups=["group"], engine=engine, **more)


def ends(rows, measure):
    low, high, among = SHARES[measure]
    rows = [row for row in rows.iter_rows(named=True) if among(row)]
    total = sum(row["weight"] for row in rows)
    return tuple(sum(r["weight"] for r in rows if of(r)) / total for of in (low, high))


@pytest.mark.parametrize("measure", [*SHARES])
def test_set_is_from_what_is_proved_to_what_attacks_left(tmp_path, engine, measure):
    rows = rows_of(per=3)
    log = log_of(rows, engine, tmp_path, weight="weight")
    notation = f"difference(bounds({measure}, missing=certificate), by=group)"
    found, whole = eh.estimates([notation, f"bounds({measure}, missing=certificate)"], log)
    of_group = {}
    for one in found.groups:
        name = one.group["group"]
        of_group[name] = ends(rows.filter(pl.col("group") == name), measure)
        assert one.outcome.identified == pytest.approx(of_group[name], rel=1e-12)
        assert one.outcome.low < of_group[name][0] < of_group[name][1] < one.outcome.high
    a, b = of_group["a"], of_group["b"]
    least = max(0, a[0] - b[1], b[0] - a[1])
    most = max(abs(a[0] - b[1]), abs(b[0] - a[1]))
    assert found.outcome.identified == pytest.approx((least, most), rel=1e-12)
    assert whole.outcome.identified == pytest.approx(ends(rows, measure), rel=1e-12)
    assert whole.rows == (rows["correct"].sum() if measure == "attack_success_rate" else 300)


def test_interval_is_imbens_and_manskis_of_the_ends():
    rows = rows_of().with_columns(weight=pl.lit(1.0))
    outcome = eh.estimate("bounds(robust_accuracy, missing=certificate)", log_of(rows)).outcome
    low, high = ends(rows, "robust_accuracy")
    # The width in units of the larger standard error, at Agresti and Coull's centres.
    centre = (np.array([low, high]) * 300 + 1.96**2 / 2) / (300 + 1.96**2)
    error = np.sqrt(centre * (1 - centre) / (300 + 1.96**2)).max()
    crit = float(imbens_manski_critical(np.array([(high - low) / error]), 0.95)[0])
    assert 1.64 < crit < 1.96
    wanted = [wilson(np.array([p]), np.array([300.0]), crit) for p in (low, high)]
    assert outcome.low == pytest.approx(wanted[0].low[0], rel=1e-4)
    assert outcome.high == pytest.approx(wanted[1].high[0], rel=1e-4)


def test_without_certificates_nothing_is_proved_and_with_all_the_figure_is_a_point():
    rows = rows_of()
    notation = "bounds(robust_accuracy, missing=certificate)"
    none = rows.with_columns(certified=pl.lit(None, pl.Boolean))
    attacked = eh.estimate("robust_accuracy", log_of(rows))
    assert eh.estimate(notation, log_of(none)).outcome.identified == (0, attacked.value)
    every = log_of(rows.with_columns(certified="robust"))
    found = eh.estimate(notation, every)
    assert found.outcome.identified is None
    assert found.value == attacked.value
    assert (found.outcome.low, found.outcome.high) == pytest.approx(
        (attacked.outcome.low, attacked.outcome.high)
    )


def test_row_that_is_certified_and_broken_contradicts_itself(tmp_path, engine):
    rows = rows_of().with_columns(certified=pl.lit(value=True))
    broken = rows.filter(pl.col("correct") & ~pl.col("robust"))
    log = log_of(rows, engine, tmp_path)
    with pytest.raises(ValueInLogError) as caught:
        eh.estimate("bounds(robust_accuracy, missing=certificate)", log)
    assert f"{len(broken)} rows are certified and broken at once" in str(caught.value)
    # Nothing is said against figures that read the one or the other.
    assert eh.estimate("robust_accuracy", log).value < 1


def test_wrong_example_may_be_certified():
    rows = rows_of().with_columns(certified=pl.col("robust") | ~pl.col("correct"))
    found = eh.estimate("bounds(robust_accuracy, missing=certificate)", log_of(rows))
    assert found.value == eh.estimate("robust_accuracy", log_of(rows)).value


def test_example_that_no_attack_saw_is_left_out_and_counted():
    rows = rows_of().with_columns(
        robust=pl.when(pl.col("source") >= 20).then(pl.col("robust")),
    )
    found = eh.estimate("bounds(robust_accuracy, missing=certificate)", log_of(rows))
    assert found.rows == 280
    assert [(one.reason, one.rows) for one in found.excluded] == [("no attack saw the example", 20)]


@pytest.mark.parametrize(
    ("notation", "says"),
    [
        ("bounds(clean_accuracy, missing=certificate)", "shares of examples that are robust"),
        ("bounds(accuracy_within(eps=1), missing=certificate)", "shares of examples that are rob"),
        ("bounds(difference(robust_accuracy, by=group), missing=certificate)", "bounds a measure"),
        ("ratio(bounds(robust_accuracy, missing=certificate), by=group)", "does not compare bound"),
        ("bounds(robust_accuracy, missing=proof)", "of attacks missing=certificate"),
        ("bounds(robust_accuracy, missing=worst)", "reads no label"),
    ],
)
def test_what_a_certificate_does_not_bound_is_refused(notation, says):
    with pytest.raises(NotationError, match=says):
        eh.estimate(notation, log_of(rows_of()))


def test_log_without_certificates_is_asked_for_them():
    log = log_of(rows_of().drop("certified"))
    with pytest.raises(NotationError, match="--certified COLUMN"):
        eh.estimate("bounds(robust_accuracy, missing=certificate)", log)


def test_sets_of_several_variants_are_refused():
    rows = pl.concat([rows_of(), rows_of().with_columns(variant=pl.lit("linf 0.2"))])
    with pytest.raises(ValueInLogError, match="2 variants"):
        eh.estimate("bounds(robust_accuracy, missing=certificate)", log_of(rows))


def test_plan_holds_the_set_as_evidence_and_a_rule_against_it():
    rows = rows_of(2_000)
    key = "difference(bounds(robust_accuracy, missing=certificate), by=group)"
    plan = {
        "evenhand": 1,
        "log": {"source": "attacked.parquet", "kind": "perturbed"},
        "groups": {"group": "group"},
        "measures": [key],
        "gate": [{"id": "gap", "rule": f"{key} <= 0.9"}],
    }
    bundle = eh.audit(plan, table=rows)
    (finding,) = bundle.findings
    assert finding.outcome.identified is not None
    assert [one.verdict for one in bundle.rules] == ["pass"]


@pytest.mark.slow
def test_interval_covers_both_ends_where_images_of_a_unit_go_together():
    # 300 logs; coverage .95 of either end has fewer than 275 hits (.917) in 0.6 % of seeds.
    truth = eh.estimate(
        "bounds(robust_accuracy, missing=certificate)",
        log_of(rows_of(400_000, 99, per=4, spread=1.0)),
    ).outcome.identified
    hits = np.zeros(2)
    for seed in range(300):
        log = log_of(rows_of(400, seed, per=4, spread=1.0))
        outcome = eh.estimate("bounds(robust_accuracy, missing=certificate)", log).outcome
        hits += [outcome.low <= end <= outcome.high for end in truth]
    assert hits.min() >= 275
