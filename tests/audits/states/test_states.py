"""States of days: merged they are the whole; what must not be merged is refused with the reason."""

from __future__ import annotations

import itertools
from dataclasses import replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import evenhand as eh
from daily import DAYS, SIZE, plan_of, rows_of
from evenhand.audits.evidence.comparison import diff
from evenhand.audits.states.file import read_states, write_states
from evenhand.audits.states.states import fit_states, merged
from evenhand.errors import StateMergeError
from evenhand.stats.estimate import Estimate


def _states(days, *names):
    return [read_states(days / f"{name}.states") for name in names]


def _refusals(action):
    with pytest.raises(StateMergeError) as caught:
        action()
    return [f"{problem}" for problem in caught.value.problems]


@pytest.fixture
def made(tmp_path):
    """Count some rows for a plan; gives the states."""
    numbers = itertools.count()

    def make(rows=None, engine=None, **more):
        number = next(numbers)
        path = tmp_path / f"{number}.parquet"
        (rows_of(100 + number) if rows is None else rows).write_parquet(path)
        eh.audit(plan_of(path, **more), states=tmp_path / f"{number}.states", engine=engine)
        return read_states(tmp_path / f"{number}.states")

    return make


def test_ten_days_merged_are_the_whole(days, tmp_path):
    eh.merge([days / f"{day}.states" for day in range(DAYS)], tmp_path / "ten.states")
    ten = eh.audit(from_states=tmp_path / "ten.states")
    whole = eh.audit(plan_of(days / "**" / "*.parquet"))
    found = diff(whole, ten)
    assert found.same
    assert ten.verdict == whole.verdict
    assert ten.environment["rows"] == DAYS * SIZE
    for one, other in zip(whole.findings, ten.findings, strict=True):
        assert (one.key, one.rows, one.excluded) == (other.key, other.rows, other.excluded)
        assert isinstance(other.outcome, Estimate)
        assert other.outcome.low == pytest.approx(one.outcome.low, rel=1e-9)


def test_an_estimate_of_units_that_does_not_fit_the_number_is_a_change(days):
    whole = eh.audit(plan_of(days / "day=0" / "*.parquet"))
    ten = eh.audit(from_states=days / "0.states")
    assert diff(whole, ten).same
    far = [replace(one, units=2 * one.units) for one in ten.findings]
    assert not diff(whole, replace(ten, findings=tuple(far))).same


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_the_order_and_the_grouping_of_days_do_not_matter(days, order):
    one, two, three = _states(days, *order)
    left = one.merge(two).merge(three)
    right = one.merge(two.merge(three))
    for scope in left.scopes:
        for by, table in left.scopes[scope].sums.items():
            other = right.scopes[scope].sums[by].frame
            assert_frame_equal(table.frame, other, rel_tol=1e-9)


def test_units_that_are_there_on_both_days_are_one_unit(made):
    # The same 50 users both days, and 20 more on the second: 70, not 120.
    first, second = (
        made(rows_of(day).with_columns(who=pl.int_range(SIZE) % users).sample(SIZE, seed=day))
        for day, users in ((1, 50), (2, 70))
    )
    both = first.merge(second)
    units, exact = both.units
    assert not exact
    # Linear counting of 70 units among 512 registers errs by 2.2 units; four of that are allowed.
    assert units == pytest.approx(70, abs=9)


def test_the_interval_of_merged_days_respects_returning_users(made, audited):
    # Users keep their group and their decision on all days: ten days tell no more than one.
    users = pl.DataFrame({"who": range(200)}).with_columns(
        p=pl.col("who") % 3 == 0,
        sex=pl.when(pl.col("who") % 2 == 0).then(pl.lit("f")).otherwise(pl.lit("m")),
    )
    rest = rows_of(5, 200).select("age", "y", "s", "w")
    day = pl.concat([users, rest], how="horizontal").with_columns(pl.col("p").cast(pl.Int64))
    # One more column tells the files of the days apart.
    asked = "difference(selection_rate, by=sex)"
    states = [
        made(day.with_columns(day=pl.lit(number)), measures=[asked], gate=[])
        for number in range(10)
    ]
    one = audited(states[0])
    ten = audited(merged(states))
    widths = [
        finding.outcome.high - finding.outcome.low
        for bundle in (one, ten)
        for finding in bundle.findings
    ]
    assert widths[1] == pytest.approx(widths[0], rel=0.25)
    assert widths[1] > 2 * widths[0] / 10**0.5


@pytest.fixture
def audited(tmp_path):
    """Audit states by way of a file."""
    numbers = itertools.count()

    def audit(states):
        path = tmp_path / f"audited-{next(numbers)}.states"
        write_states(states, path)
        return eh.audit(from_states=path)

    return audit


def test_a_day_twice_is_refused_by_the_name_of_its_file(days):
    ten = merged(_states(days, *range(DAYS)))
    (said,) = _refusals(lambda: ten.merge(_states(days, 3)[0]))
    assert "'day=3/part.parquet' is counted in the others already" in said


def test_the_same_file_under_another_name_is_refused(days, tmp_path):
    copy = tmp_path / "copy.parquet"
    copy.write_bytes((days / "day=2" / "part.parquet").read_bytes())
    eh.audit(plan_of(copy), states=tmp_path / "copy.states")
    (said,) = _refusals(lambda: _states(days, 2)[0].merge(read_states(tmp_path / "copy.states")))
    assert "(as day=2/part.parquet)" in said


def test_files_without_rows_are_no_overlap(made):
    empty = rows_of(1).clear()
    first, second = made(), made()
    twin = replace(first.inputs[0], sha256="sha256:" + "0" * 64, rows=len(empty))
    first, second = (replace(one, inputs=(*one.inputs, twin)) for one in (first, second))
    assert first.merge(second).whole.rows == 2 * SIZE


ANOTHER = {
    "roles": ({"roles": {"label": "p", "prediction": "p", "score": "s"}}, "role 'label' as 'y'"),
    "unit": ({"unit": "row"}, "unit 'who' and 'row'"),
    "groups": ({"groups": {"sex": "sex", "age": [30, 60]}}, "group 'age'"),
    "filter": (
        {"log": {"where": "age > 20"}},
        "where none and 'age > 20'",
    ),
    "measures": (
        {"measures": [{"measure": "accuracy", "slices": ["age > 40"]}], "gate": []},
        "measures",
    ),
}


@pytest.mark.parametrize("part", ANOTHER)
def test_states_of_another_plan_are_refused_with_what_differs(made, tmp_path, part):
    more, said = ANOTHER[part]
    path = tmp_path / "other.parquet"
    rows_of(77).write_parquet(path)
    plan = plan_of(path, **{key: value for key, value in more.items() if key != "log"})
    plan["log"] |= more.get("log", {})
    eh.audit(plan, states=tmp_path / "other.states")
    found = _refusals(lambda: made().merge(read_states(tmp_path / "other.states")))
    assert any(said in one for one in found), found


@pytest.mark.parametrize("part", ["product", "model", "version"])
def test_states_of_another_subject_are_refused(made, part):
    one, other = (made(subject={part: name}) for name in ("a", "b"))
    (said,) = _refusals(lambda: one.merge(other))
    assert f"subject's {part}" in said


def test_states_of_another_release_are_refused(made):
    one, other = made(), replace(made(), versions=("9.9.1",))
    (said,) = _refusals(lambda: one.merge(other))
    assert "9.9.x" in said


def test_windows_of_days_become_one(made):
    one, other = (
        made(subject={"window": [f"2026-11-{day}", f"2026-11-{day}"]}) for day in (20, 21)
    )
    window = one.merge(other).plan.subject.window
    assert [day.day for day in window] == [20, 21]


def test_rows_that_are_in_no_file_merge_only_where_that_is_allowed(tmp_path):
    plan = plan_of("x.parquet")
    for day in range(2):
        eh.audit(plan, table=rows_of(day), states=tmp_path / f"{day}.states")
    states = [read_states(tmp_path / f"{day}.states") for day in range(2)]
    said = _refusals(lambda: merged(states))
    assert "--allow-unknown-inputs" in said[0]
    assert merged(states, unknown_inputs=True).whole.rows == 2 * SIZE


def test_states_whose_frequent_values_differ_are_refused(made):
    rule = {"sex": "sex", "age": {"column": "age", "top": 2}}
    more = {"groups": rule, "measures": ["difference(accuracy, by=age)"], "gate": []}
    found = _refusals(lambda: made(**more).merge(made(**more)))
    assert "group 'age' keeps its most frequent values" in found[0]
    assert "values: [...]" in found[0]


def test_states_with_a_tail_are_refused(made):
    rule = {"sex": "sex", "age": {"column": "age", "tail": 3}}
    more = {"groups": rule, "measures": ["difference(accuracy, by=age)"], "gate": []}
    found = _refusals(lambda: made(**more).merge(made(**more)))
    assert "group 'age' has a tail" in found[0]


def test_states_of_several_engines_merge(made):
    pytest.importorskip("duckdb")
    one, other = made(), made(engine="duckdb")
    assert one.merge(other).whole.engine == "duckdb+polars"


def test_a_plan_may_ask_for_less_and_have_other_rules(days):
    less = plan_of("elsewhere.parquet")
    less["measures"] = ["difference(true_positive_rate, by=sex)", "auc"]
    less["gate"] = [{"id": "new", "rule": "auc >= 0.9"}]
    found = eh.audit(less, from_states=days / "0.states")
    whole = eh.audit({**less, "log": {"source": str(days / "day=0" / "*.parquet")}})
    assert diff(found, whole).same
    assert found.verdict == "fail"


def test_what_the_states_do_not_hold_is_named(days):
    more = plan_of("x.parquet", gate=[])
    more["measures"] = ["difference(false_positive_rate, by=sex)", "mean_score"]
    more["measures"].append({"measure": "auc", "slices": ["age > 70"]})
    said = " ".join(_refusals(lambda: eh.audit(more, from_states=days / "0.states")))
    assert "no slice 'age > 70'" in said
    assert "no sums of" in said
    assert "evenhand audit PLAN --states" in said


def test_a_plan_with_another_unit_cannot_be_answered(days):
    other = plan_of("x.parquet", unit="row")
    (said,) = _refusals(lambda: fit_states(_states(days, 0)[0], eh_plan(other)))
    assert "unit 'who'" in said


def eh_plan(document):
    from evenhand.audits.plan import Located, plan_from

    return plan_from(Located("", document, {}))


def test_weighted_days_merge(made, audited):
    more = {
        "roles": {"label": "y", "prediction": "p", "weight": "w"},
        "measures": ["difference(accuracy, by=sex)"],
        "gate": [],
    }
    days = [rows_of(day) for day in (1, 2, 3)]
    found = audited(merged([made(rows, **more) for rows in days]))
    whole = eh.audit(plan_of("x", **more), table=pl.concat(days))
    assert diff(found, whole).same


@pytest.mark.parametrize("unit", ["row", ["who", "age"], "pair(who, age)"])
def test_days_of_every_unit_merge(made, audited, unit):
    more = {"unit": unit, "measures": ["difference(accuracy, by=sex)", "auc"], "gate": []}
    days = [rows_of(day) for day in (1, 2, 3)]
    found = audited(merged([made(rows, **more) for rows in days]))
    whole = eh.audit(plan_of("x", **more), table=pl.concat(days))
    assert diff(found, whole).same


# --- Side tables. ---


@pytest.fixture
def beside(tmp_path, made):
    """Count the rows of a day beside a side table; gives the states."""

    def make(day, tier="gold", **more):
        pl.DataFrame({"sex": ["f"], "tier": [tier], "wave": [1]}).write_parquet(
            tmp_path / "sexes.parquet"
        )
        table = {"source": str(tmp_path / "sexes.parquet"), "key": "sex", **more}
        asked = "difference(selection_rate, by=tier)"
        return made(
            rows_of(day), tables=[table], groups={"tier": "tier"}, measures=[asked], gate=[]
        )

    return make


def test_states_with_one_side_table_merge_and_name_it_once(beside, audited):
    one, two = beside(1), beside(2)
    both = one.merge(two)
    assert both.whole.rows == 2 * SIZE
    assert [one.table for one in both.inputs] == [False, True, False]
    bundle = audited(both)
    (finding,) = bundle.findings
    rows = rows_of(1).vstack(rows_of(2))
    known = rows.filter(pl.col("sex") == "f").height
    assert {row.group["tier"]: row.rows for row in finding.groups} == {
        "gold": known,
        "unknown": rows.height - known,
    }
    assert [one.table for one in bundle.inputs] == [False, True, False]


def test_states_with_another_side_table_are_refused(beside):
    one = beside(1)
    other, narrow = beside(2, tier="old"), beside(3, columns=["tier"])
    assert "side tables of another content" in _refusals(lambda: one.merge(other))[0]
    (refused,) = _refusals(lambda: one.merge(narrow))
    assert "side tables by sex (tier, wave) and by sex (tier)" in refused


def test_states_answer_a_plan_whose_side_tables_are_gone(beside, audited, tmp_path):
    states = beside(1)
    (tmp_path / "sexes.parquet").unlink()
    assert audited(states).environment["rows"] == SIZE
    wanted = states.plan.tables[0].model_copy(update={"columns": ["tier"]})
    assert fit_states(states, states.plan.model_copy(update={"tables": [wanted]}))
    timed = states.plan.tables[0].model_copy(update={"as_of": "age"})
    for tables in ([], [timed]):
        plan = states.plan.model_copy(update={"tables": tables})
        (refused,) = _refusals(lambda plan=plan: fit_states(states, plan))
        assert "they have side tables by sex (tier, wave), the plan has" in refused
