"""Very many values of a group: the most frequent by name, the rare together, the rest apart."""

from __future__ import annotations

import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import RoleError

# a: 6 rows, b: 5, c: 3, d: 3, e: 1, f: 1, unknown: 2.
VALUES = [*"aaaaaabbbbbcccdddef", None, None]
ROWS = pl.DataFrame({"g": VALUES, "p": [1, 0, 1] * 7})


def _groups(engine, rule, **how):
    log = eh.log(
        ROWS,
        kind="decisions",
        prediction="p",
        groups=[{"g": {"column": "g", **rule}}],
        engine=engine,
        **how,
    )
    found = eh.estimate("difference(selection_rate, by=g)", log)
    return [(one.group["g"], one.rows, one.compared) for one in found.groups]


def test_top_keeps_the_most_frequent_and_ties_are_broken_by_name(engine):
    assert _groups(engine, {"top": 3}) == [
        ("a", 6, True),
        ("b", 5, True),
        ("c", 3, True),
        ("other values", 5, False),
        ("unknown", 2, False),
    ]


def test_tail_is_one_group_that_is_compared(engine):
    assert _groups(engine, {"tail": 3}) == [
        ("a", 6, True),
        ("b", 5, True),
        ("c", 3, True),
        ("d", 3, True),
        ("fewer than 3 rows", 2, True),
        ("unknown", 2, False),
    ]


def test_between_top_and_tail_nobody_is_dropped(engine):
    assert _groups(engine, {"top": 1, "tail": 4}) == [
        ("a", 6, True),
        ("fewer than 4 rows", 8, True),
        ("other values", 5, False),
        ("unknown", 2, False),
    ]


def test_values_that_are_named_stand_for_themselves(engine):
    assert _groups(engine, {"values": ["d", "a"]}) == [
        ("a", 6, True),
        ("d", 3, True),
        ("other values", 10, False),
        ("unknown", 2, False),
    ]


def test_a_groups_own_rule_comes_before_the_logs(engine):
    assert _groups(engine, {"top": 1}, top=3)[0] == ("a", 6, True)
    assert len(_groups(engine, {"top": 1}, top=3)) == 3


def test_rows_outside_the_filter_do_not_count(engine):
    found = _groups(engine, {"top": 1}, where="g != 'a' or g == None")
    assert found[0] == ("b", 5, True)


def test_a_hundred_thousand_creators_are_three_groups(engine):
    creators = pl.DataFrame({"creator": range(100_000)}).with_columns(p=pl.col("creator") % 2)
    loud = pl.DataFrame({"creator": [7] * 500, "p": [1] * 500})
    log = eh.log(
        pl.concat([creators, loud.cast(creators.schema)]),
        kind="decisions",
        prediction="p",
        groups=[{"creator": {"column": "creator", "top": 1, "tail": 100}}],
        engine=engine,
    )
    found = eh.estimate("difference(selection_rate, by=creator)", log)
    assert [(one.group["creator"], one.rows) for one in found.groups] == [
        ("7", 501),
        ("fewer than 100 rows", 99_999),
    ]


@pytest.mark.parametrize("rule", [{"top": 0}, {"tail": "x"}, {"top": True}, {"values": []}])
def test_a_rule_that_is_none_is_refused(rule):
    with pytest.raises(RoleError, match="is not a group"):
        _groups(None, rule)
