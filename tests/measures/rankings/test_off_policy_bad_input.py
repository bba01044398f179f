"""Logs that hold little or nothing of another policy: no figure, or the right one, with the reason.

Chances that are none are in tests/engine/test_allowed.py.
"""

from __future__ import annotations

import polars as pl
import pytest

import evenhand as eh

FIGURES = [
    "policy_value(policy=ips(new))",
    "policy_value(policy=snips(new))",
    "policy_gain(policy=ips(new))",
    "policy_value(policy=ips(new), of=tier, group=a)",
    "exposure_share(of=tier, group=a, policy=ips(new))",
    "mean_weight(policy=ips(new))",
    "effective_sample_share(policy=ips(new))",
]


def rows(**columns):
    """Return two requests of two shown items and one that was not."""
    given = {
        "request": [1, 1, 1, 2, 2, 2],
        "slot": [1, 2, None, 1, 2, None],
        "by": [0.5, 0.25, 0.25, 0.5, 0.25, 0.25],
        "new": [0.4, 0.5, 0.1, 0.5, 0.4, 0.1],
        "click": [1, 0, 0, 0, 1, 0],
        "tier": ["a", "b", "a", "a", "b", "b"],
    }
    return pl.DataFrame({**given, **columns}, schema_overrides={"slot": pl.Int64})


def finding(notation, table):
    log = eh.log(
        table,
        kind="recommendation",
        request="request",
        rank="slot",
        relevance="click",
        propensity="by",
        item_groups=["tier"],
    )
    (found,) = eh.estimates([notation], log)
    return found


def cut(notation, k):
    return f"{notation}@{k}"


@pytest.mark.parametrize("notation", FIGURES)
def test_a_cutoff_beyond_every_list_is_the_whole_list(notation):
    whole, far = finding(notation, rows()), finding(cut(notation, 1_000), rows())
    assert far.value == whole.value
    assert (far.low, far.high) == (whole.low, whole.high)


@pytest.mark.parametrize("notation", FIGURES)
def test_requests_that_show_nothing_are_no_part_of_a_figure(notation):
    hidden = rows(slot=[None] * 6, request=[3, 3, 3, 4, 4, 4])
    assert finding(notation, pl.concat([rows(), hidden])).value == finding(notation, rows()).value


@pytest.mark.parametrize("notation", FIGURES)
def test_where_nothing_was_shown_that_is_the_reason(notation):
    found = finding(notation, rows(slot=[None] * 6))
    assert "shown" in found.undefined


@pytest.mark.parametrize("notation", FIGURES)
def test_a_cutoff_above_every_shown_item_leaves_no_figure(notation):
    found = finding(cut(notation, 1), rows(slot=[2, 3, None, 2, 3, None]))
    assert "shown" in found.undefined


@pytest.mark.parametrize("notation", FIGURES)
def test_policies_without_overlap_have_no_figure_but_an_unsupported_mass(notation):
    apart = rows(by=[0.5, 0.5, 0.0, 0.5, 0.5, 0.0], new=[0.0, 0.0, 1.0, 0.0, 0.0, 1.0])
    found = finding(notation, apart)
    assert "no overlap" in found.undefined
    assert "unsupported mass is 1" in found.undefined


def test_the_unsupported_mass_of_policies_without_overlap_is_told():
    # Two slots a request: the other policy fills one at most, with what the log never shows.
    apart = rows(by=[0.5, 0.5, 0.0, 0.5, 0.5, 0.0], new=[0.0, 0.0, 1.0, 0.0, 0.0, 0.5])
    mass = finding("unsupported_mass(policy=ips(new))", apart)
    assert mass.value == pytest.approx(1.5 / 4)


@pytest.mark.parametrize("notation", FIGURES)
def test_without_rows_there_is_no_figure(notation):
    with pytest.raises(eh.errors.SourceError, match="there are no rows"):
        finding(notation, rows().clear())
