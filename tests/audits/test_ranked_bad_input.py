"""Bad input of ranked lists gives a reason or an error that can be acted on, never a number."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import narwhals as nw
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import EvenhandError, NotationError, RoleError, SourceError, ValueInLogError

NAN, INF = float("nan"), float("inf")
NDCG = "nDCG@3"


def lists(**other: Sequence):
    """Four requests of three users, each of three items; with other columns, or starts of them."""
    columns = {
        "user": [*"xxxyyyxxxzzz"],
        "q": [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4],
        "doc": [1, 2, 3] * 4,
        "slot": [1, 2, 3] * 4,
        "grade": [1, 0, 2, 0, 1, 1, 1, 0, 0, 2, 2, 0],
        "tier": ["a", "b", "a"] * 4,
        "age": [*["young"] * 3, *["old"] * 3] * 2,
        "s": [0.9, 0.5, 0.1] * 4,
    }
    for name, values in other.items():
        columns[name] = [*values, *columns.get(name, [])[len(values) :]]
    return pl.DataFrame(columns, strict=False)


def log_of(rows=None, **how):
    named = {"user": "user", "request": "q", "item": "doc", "rank": "slot", "relevance": "grade"}
    groups = {"groups": ["age"], "item_groups": ["tier"]}
    wanted = {**named, **groups, **how}
    return eh.log(
        lists() if rows is None else rows,
        kind="search",
        **{name: value for name, value in wanted.items() if value is not None},
    )


def found(notation, rows=None, **how):
    return eh.estimate(notation, log_of(rows, **how))


def left_out(finding):
    return {part.reason: part.rows for part in finding.excluded}


# Slots.


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("bad", [0, -1, 1.5, 0.5, INF, -INF, 1e20])
def test_a_slot_that_is_no_whole_number_from_1_is_named(bad, engine):
    pytest.importorskip(engine)
    with pytest.raises(ValueInLogError, match=re.escape(f"1 row holds {bad:g}.")) as caught:
        found(NDCG, lists(slot=[bad]), engine=engine)
    assert "role 'rank'" in str(caught.value)
    assert "leave it empty for an item that was not shown" in str(caught.value)


@pytest.mark.parametrize("missing", [None, NAN])
def test_a_missing_slot_is_an_item_that_was_not_shown(missing):
    finding = found("exposure", lists(slot=[missing]))
    assert finding.value == pytest.approx((4 * (1 + 1 / math.log2(3) + 1 / 2) - 1) / 12)


def test_slots_as_floats_are_slots():
    whole, floats = (found(NDCG, rows).value for rows in (lists(), lists(slot=[1.0, 2.0, 3.0] * 4)))
    assert whole == floats


@pytest.mark.parametrize("far", [10**6, 10**9, 10**15])
def test_a_slot_that_is_far_down_costs_no_memory(far):
    finding = found("nDCG", lists(slot=[1, 2, far]))
    best = 2 + 1 / math.log2(3)
    one = (1 + 2 / math.log2(1 + far)) / best
    others = [
        (1 / math.log2(3) + 1 / 2) / (1 + 1 / math.log2(3)),
        1,
        1,
    ]
    assert finding.value == pytest.approx((one + sum(others)) / 4)


def test_text_is_no_slot():
    with pytest.raises(RoleError, match="a rank is a whole number from 1"):
        log_of(lists(slot=["1"] * 12))


def test_a_log_without_a_rank_is_refused():
    with pytest.raises(RoleError, match="ranked lists need a rank") as caught:
        log_of(rank=None)
    assert "--rank" in str(caught.value)


@pytest.mark.parametrize("notation", ["exposure", "exposure@2", "nDCG@1", "P@2"])
def test_where_never_renumbers(notation):
    rows = lists()
    below = found(notation, rows, where="slot >= 2")
    # The same rows where those above were never logged: nothing moves up.
    assert below.value == found(notation, rows.filter(pl.col("slot") >= 2)).value
    if notation == "nDCG@1":
        assert below.value == 0
    if notation == "exposure":
        assert below.value == pytest.approx((1 / math.log2(3) + 1 / 2) / 2)


# Relevance.


@pytest.mark.parametrize("bad", [-1, -1e-9, INF, 1e31])
def test_relevance_that_is_negative_or_no_number_is_named(bad):
    with pytest.raises(ValueInLogError, match="role 'relevance': 1 row holds") as caught:
        found(NDCG, lists(grade=[bad]))
    assert "Relevance is from 0" in str(caught.value)


@pytest.mark.parametrize("missing", [None, NAN])
def test_relevance_of_a_shown_item_that_is_not_known_leaves_no_figure(missing):
    finding = found(NDCG, lists(grade=[missing]))
    assert finding.undefined.startswith("relevance of a shown item is missing for 1 of 4 rows")
    # Below the cut it is not needed, but for the ideal it is taken as 0.
    assert found("nDCG@1", lists(grade=[1, 0, missing])).undefined is None


@pytest.mark.parametrize("most", [901, 2_000, 1e30])
def test_gains_beyond_all_numbers_are_refused(most):
    with pytest.raises(ValueInLogError, match="gain=exp2 raises 2 to the relevance, here up to"):
        found("nDCG(gain=exp2)@3", lists(grade=[most]))
    assert 0 < found(NDCG, lists(grade=[most])).value < 1


def test_gains_that_are_large_are_numbers():
    assert found("nDCG(gain=exp2)@3", lists(grade=[900] * 12)).value == pytest.approx(1)


def test_a_request_with_no_relevant_item_is_left_out_and_counted_and_never_0():
    rows = lists(grade=[0, 0, 0])
    finding = found(NDCG, rows)
    assert left_out(finding) == {"no relevant item": 1}
    assert finding.value == pytest.approx(found(NDCG, rows.filter(pl.col("q") > 1)).value)


@pytest.mark.parametrize("notation", [NDCG, "AP@3", "RR", "P@3", "amortised_unfairness"])
def test_a_log_without_a_relevant_item_has_no_figure_and_says_why(notation):
    rows = lists(grade=[0] * 12)
    assert "no relevant item" in found(notation, rows).undefined


def test_merit_of_0_has_no_ratio_and_says_why():
    finding = found("ratio(exposure_per_relevance, of=tier)", lists(grade=[1, 0, 1] * 4))
    assert "b: the relevance is 0 everywhere: nothing is due to such items" in finding.undefined


def test_text_is_no_relevance():
    with pytest.raises(RoleError, match="role 'relevance': 'tier' is String"):
        log_of(relevance="tier")


# Requests that are inconsistent.


INCONSISTENT = {
    "two items share a slot": {"slot": [1, 1, 3]},
    "an item is listed twice": {"doc": [1, 1, 3]},
    "'user' differs inside the request": {"user": [*"xyx"]},
}


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("reason", INCONSISTENT)
def test_too_many_inconsistent_requests_are_an_error_that_says_what_is_wrong(reason, engine):
    pytest.importorskip(engine)
    with pytest.raises(ValueInLogError, match="1 of 4 requests are inconsistent") as caught:
        found(NDCG, lists(**INCONSISTENT[reason]), engine=engine)
    assert f"{reason} in 1" in str(caught.value)
    assert "at most 0.1% may be left out (--max-bad-requests)" in str(caught.value)


def test_every_reason_is_in_the_message():
    rows = lists(slot=[1, 1, 3], doc=[1, 2, 3, 1, 1, 3], user=[*"xxxyyyxyx"])
    with pytest.raises(ValueInLogError, match="3 of 4 requests") as caught:
        found(NDCG, rows, max_bad_requests=0.74)
    for reason in INCONSISTENT:
        assert f"{reason} in 1" in str(caught.value)


@pytest.mark.parametrize("reason", INCONSISTENT)
@pytest.mark.parametrize("notation", [NDCG, "exposure", "item_gini"])
def test_few_enough_are_left_out_and_counted(notation, reason):
    rows = lists(**INCONSISTENT[reason])
    finding = found(notation, rows, max_bad_requests=0.25)
    sound = found(notation, rows.filter(pl.col("q") > 1))
    assert finding.value == pytest.approx(sound.value)
    (why,) = left_out(finding)
    assert why == "the request is inconsistent: a slot or an item twice, or several users"
    assert left_out(finding)[why] == (1 if notation == NDCG else 3)
    with pytest.raises(ValueInLogError, match="1 of 4"):
        found(notation, rows, max_bad_requests=0.24)


def test_items_that_were_not_shown_share_no_slot():
    assert found(NDCG, lists(slot=[None, None, 3])).undefined is None


def test_an_item_not_shown_that_is_listed_twice_is_listed_twice():
    with pytest.raises(ValueInLogError, match="an item is listed twice in 1"):
        found(NDCG, lists(slot=[1, None, None], doc=[1, 2, 2]))


def test_a_group_of_users_that_differs_inside_a_request_is_unknown_there():
    rows = lists(age=["young", "old", "old"])
    assert found(NDCG, rows).undefined is None
    compared = found(f"difference({NDCG}, by=age)", rows)
    (unknown,) = [one for one in compared.groups if one.group["age"] == "unknown"]
    assert unknown.rows == 1
    assert not unknown.compared


@pytest.mark.parametrize("share", [-0.1, 1.5, 5, NAN])
def test_a_share_of_bad_requests_is_between_0_and_1(share):
    with pytest.raises(RoleError, match=r"max_bad_requests: .* is no share of requests"):
        log_of(max_bad_requests=share)


# Ids.


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_missing_request_is_an_error(engine):
    pytest.importorskip(engine)
    with pytest.raises(ValueInLogError, match="the request is missing for 3 rows") as caught:
        found(NDCG, lists(q=[None] * 3), engine=engine)
    assert "where" in str(caught.value)
    kept = found(NDCG, lists(q=[None] * 3), where="q >= 2", engine=engine)
    assert kept.value == pytest.approx(found(NDCG, lists().filter(pl.col("q") > 1)).value)


@pytest.mark.parametrize("notation", [NDCG, "item_gini", "EE_D"])
def test_a_missing_item_is_an_error_and_no_item_of_its_own(notation):
    with pytest.raises(ValueInLogError, match="the item is missing for 1 rows"):
        found(notation, lists(doc=[None]), query="q", request="user")


@pytest.mark.parametrize("notation", [NDCG, "exposure", "item_gini"])
def test_a_missing_user_is_an_error(notation):
    with pytest.raises(ValueInLogError, match=r"unit: .* None") as caught:
        found(notation, lists(user=[None] * 3))
    assert "Every row needs its unit" in str(caught.value)


def test_a_missing_user_matters_only_where_it_is_the_unit():
    rows = lists(user=[None] * 3)
    assert found(NDCG, rows, unit="q").value == pytest.approx(found(NDCG).value)


@pytest.mark.parametrize("role", ["user", "request", "item"])
def test_floats_are_no_ids(role):
    with pytest.raises(RoleError, match=f"role '{role}': 's' is Float64"):
        log_of(**{role: "s"})


# Units.


@pytest.mark.parametrize(("without", "unit"), [((), "user"), (("user",), "q")])
def test_rows_of_a_list_are_not_independent_so_the_unit_is_the_users_or_else_the_requests(
    without, unit
):
    log = log_of(unit="row", **dict.fromkeys(without))
    assert str(log.unit) == unit
    finding = eh.estimate("exposure", log)
    assert finding.units == (3 if unit == "user" else 4)


def test_a_log_without_user_and_request_has_no_unit():
    with pytest.raises(RoleError, match="rows of one list are not independent"):
        log_of(user=None, request=None)


def test_an_item_is_no_unit_of_lists():
    with pytest.raises(RoleError, match="'doc' tells items apart") as caught:
        found(NDCG, unit="doc")
    assert "--unit user --unit item" in str(caught.value)


# What is asked.


def test_an_item_group_as_by_says_of():
    with pytest.raises(NotationError, match="'tier' is an attribute of items") as caught:
        found(f"difference({NDCG}, by=tier)")
    assert "Write of=tier" in str(caught.value)


@pytest.mark.parametrize(
    "notation",
    ["ratio(exposure, of=age)", "AWRF(of=age, target=candidates)", "exposure_gini(of=age)"],
)
def test_a_user_group_as_of_says_by(notation):
    with pytest.raises(NotationError, match="'age' is a group of who is served") as caught:
        found(notation)
    assert "Write by=age" in str(caught.value)


def test_a_column_may_be_both_where_it_is_said():
    finding = found("ratio(exposure, of=age)", item_groups=["tier", "age"])
    assert finding.value == pytest.approx(1)


def test_lists_belong_to_no_group_of_items():
    with pytest.raises(NotationError, match="belong to no group of items"):
        found(f"difference({NDCG}, of=tier)")


def test_a_group_that_is_misspelt_is_named_with_what_there_is():
    with pytest.raises(NotationError, match="no item group or column 'teir'") as caught:
        found("ratio(exposure, of=teir)")
    assert "Did you mean 'tier'?" in str(caught.value)


def test_a_measure_of_decisions_is_not_about_lists():
    with pytest.raises(NotationError, match="not about logs of kind 'search'") as caught:
        found("selection_rate")
    assert "decisions" in str(caught.value)


def test_a_measure_of_lists_is_not_about_decisions():
    log = eh.log(lists(p=[0, 1] * 6), kind="decisions", prediction="p")
    for notation in (NDCG, "difference(exposure, by=age)"):
        with pytest.raises(NotationError, match="not about logs of kind 'decisions'") as caught:
            eh.estimate(notation, log)
        assert "recommendation" in str(caught.value)
        assert "search" in str(caught.value)


def test_decisions_have_no_item_groups():
    with pytest.raises(RoleError, match="kind 'decisions' has no items"):
        eh.log(lists(p=[0, 1] * 6), kind="decisions", prediction="p", item_groups=["tier"])


# Targets and catalogues.


class Unread:
    """A frame that says when it is read."""

    def __init__(self) -> None:
        self.read = False

    def frame(self):
        def note(rows):
            self.read = True
            return rows

        return lists().lazy().map_batches(note, schema=lists().schema)


@pytest.mark.parametrize(
    "notation",
    [
        "AWRF(of=tier)",
        "NDKL(of=tier, target=catalogue)",
        "AWRF(of=tier, target=mean(catalogue, relevant))",
        "shares(exposure, of=tier, target=catalogue)",
    ],
)
def test_a_missing_catalogue_is_found_before_any_row_is_read(notation):
    rows = Unread()
    log = log_of(rows.frame())
    with pytest.raises(EvenhandError, match="needs the table of what could be shown") as caught:
        eh.estimate(notation, log)
    assert "--catalogue" in str(caught.value)
    assert "target=candidates" in str(caught.value)
    assert not rows.read
    eh.estimate("exposure", log)
    assert rows.read


def test_a_catalogue_that_lacks_the_attribute_is_named():
    catalogue = pl.DataFrame({"doc": [1, 2, 3]})
    with pytest.raises(EvenhandError, match="tier") as caught:
        found("AWRF(of=tier)", catalogue=catalogue)
    assert "catalogue" in str(caught.value)


def test_a_catalogue_that_lacks_the_items_is_named():
    catalogue = pl.DataFrame({"tier": ["a", "b"]})
    with pytest.raises(EvenhandError, match="'doc'") as caught:
        found("item_gini", catalogue=catalogue)
    assert "catalogue" in str(caught.value)


def test_a_target_that_does_not_add_up_to_1_is_refused():
    with pytest.raises(NotationError, match=r"add up to 1, here to 1\.1"):
        found("AWRF(of=tier, target=shares(a, 0.5, b, 0.6))")


def test_an_item_in_a_group_that_the_target_does_not_name_is_named():
    with pytest.raises(ValueInLogError, match="the target names no share for b"):
        found("AWRF(of=tier, target=shares(a, 0.5, c, 0.5))")
    named = found("AWRF(of=tier, target=shares(a, 0.5, b, 0.3, c, 0.2))")
    assert 0 < named.value < 1


# Side tables.


def test_a_side_table_that_misses_half_of_the_items_makes_them_unknown_and_counts_them():
    rows = lists().drop("tier")
    table = pl.DataFrame({"doc": [1, 2], "tier": ["a", "b"]})
    log = log_of(rows, tables=[{"source": table, "key": "doc"}])
    finding = eh.estimate("exposure_share(of=tier, group=a)", log)
    assert left_out(finding) == {"unknown tier of the item": 4}
    assert finding.value == pytest.approx(1 / (1 + 1 / math.log2(3)))
    shares = eh.estimate("shares(exposure, of=tier)", log)
    assert left_out(shares) == {"tier is unknown": 4}


def test_a_side_table_with_a_key_twice_is_refused():
    table = pl.DataFrame({"doc": [1, 1, 2], "tier": ["a", "b", "b"]})
    with pytest.raises(EvenhandError, match="1 key repeats"):
        log_of(lists().drop("tier"), tables=[{"source": table, "key": "doc"}])


# What does not matter is not looked at.


@pytest.mark.parametrize("scores", [[NAN] * 12, [None] * 12, [0.5] * 12])
def test_scores_that_are_tied_or_missing_change_no_figure_of_slots(scores):
    rows = lists().with_columns(s=pl.Series(scores, dtype=pl.Float64))
    for notation in (NDCG, "exposure", "AWRF(of=tier, target=candidates)"):
        assert found(notation, rows, score="s").value == pytest.approx(found(notation).value)


def test_no_rows_are_an_error():
    with pytest.raises(SourceError, match="there are no rows"):
        found(NDCG, lists().head(0))
    with pytest.raises(SourceError, match="holds for none of 12 rows"):
        found(NDCG, where="slot > 9")


def test_the_unread_frame_is_the_log():
    assert nw.from_native(Unread().frame()).collect().to_native().equals(lists())
