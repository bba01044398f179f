"""What holds for all measures of hits: which requests count, and what is not known."""

from __future__ import annotations

import pytest

import evenhand as eh
from evenhand.errors import NotationError
from naive_lists import Item, finding_of, frame_of, items, of_each

SHOWN = ["P@3", "P", "RR@3", "RR", "Success@3", "RBP", "RBP@3", "RBP(gain=linear)@3"]
OF_ALL = ["R@3", "R", "AP@3", "AP", "R(ideal=shown)@3", "AP(ideal=shown)"]


@pytest.mark.parametrize("notation", [*SHOWN, *OF_ALL])
def test_requests_without_a_relevant_item_are_left_out_and_counted(notation):
    requests = [items((1, 1), (2, 0), (None, 0)), items((1, 0), (2, 0)), items((3, 0))]
    finding = finding_of(notation, requests)
    (left_out,) = finding.excluded
    assert left_out.reason.startswith("no relevant item")
    assert left_out.rows == 2
    assert finding.rows == 1
    assert finding.value > 0


@pytest.mark.parametrize("notation", [*SHOWN, *OF_ALL])
def test_shown_items_that_nobody_judged_leave_the_figure_undefined(notation):
    requests = [items((1, 1), (2, None), (None, 1)), items((1, 1), (None, 0))]
    finding = finding_of(notation, requests)
    assert "relevance of a shown item is missing for 1 of 2 rows" in finding.undefined


@pytest.mark.parametrize("notation", [*SHOWN, *OF_ALL])
def test_requests_that_nobody_judged_are_unknown_rather_than_without_relevant_items(notation):
    requests = [items((1, None), (2, None)), items((1, 1), (None, 0))]
    finding = finding_of(notation, requests)
    assert "relevance of a shown item is missing for 1 of 2 rows" in finding.undefined
    assert not finding.excluded


def test_items_below_the_cutoff_need_no_judgement():
    requests = [items((1, 1), (5, None)), items((1, 0), (2, 1))]
    assert finding_of("P@2", requests).value == 0.5
    assert "is missing" in finding_of("P@5", requests).undefined


def test_items_below_the_cutoff_may_decide_whether_a_request_counts():
    requests = [items((1, 0), (5, None)), items((1, 0), (2, 1))]
    assert "is missing for 1 of 2 rows" in finding_of("P@2", requests).undefined


@pytest.mark.parametrize("notation", SHOWN[:-1])
def test_requests_without_a_relevant_item_may_count_as_0(notation):
    name, _, cut = notation.partition("@")
    asked = f"{name}(none=zero)" + (f"@{cut}" if cut else "")
    requests = [items((1, 1), (2, 0)), items((1, 0), (2, 0))]
    assert of_each(asked, requests) == [of_each(notation, requests)[0], 0.0]
    finding = finding_of(asked, requests)
    assert finding.value == pytest.approx(finding_of(notation, requests).value / 2)
    assert not finding.excluded


@pytest.mark.parametrize("notation", ["P@2", "RR", "AP(ideal=shown)", "RBP", "Success@2"])
def test_filter_never_renumbers_slots(notation):
    requests = [
        [Item(1, 0.0, numbers={"kept": 0}), Item(3, 1.0, numbers={"kept": 1})],
        [Item(1, 1.0, numbers={"kept": 1}), Item(2, 0.0, numbers={"kept": 0})],
    ]
    gap = [items((3, 1)), items((1, 1))]
    filtered = finding_of(notation, requests, where="kept == 1")
    assert filtered.value == finding_of(notation, gap).value


def test_gap_between_groups_of_users_is_a_difference_of_means_over_requests():
    requests = [items((1, 1), (2, 0)), items((1, 0), (2, 1)), items((2, 1)), items((1, 0))]
    rows = frame_of(requests)
    rows = rows.with_columns(who=rows["q"].replace_strict({0: "a", 1: "b", 2: "b", 3: "b"}))
    log = eh.log(rows, kind="search", request="q", rank="slot", relevance="worth", groups=["who"])
    by = {
        dict(one.group)["who"]: one.outcome.value
        for one in eh.estimate("difference(RR, by=who)", log).groups
    }
    assert by == {"a": 1.0, "b": 0.5}


@pytest.mark.parametrize(
    ("notation", "says"),
    [
        ("P(rel=-1)@2", "rel is a number above 0"),
        ("P(none=skip)@2", "excluded or zero"),
        ("AP(ideal=best)", "ideal is all or shown"),
        ("RBP(p=1)", "between 0 and 1"),
        ("RBP(p=high)", "between 0 and 1"),
        ("RBP(gain=exp2)", "gain is hit or linear"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(notation, says):
    with pytest.raises(NotationError, match=says):
        finding_of(notation, [items((1, 1))])
