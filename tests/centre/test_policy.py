"""Policies: versioned YAML, with the line of every error."""

import datetime as dt

import pytest

from evenhand.centre.condition import days
from evenhand.centre.policy import BUILT_IN, parse_policy, policy_digest
from evenhand.errors import PlanError


def problems(text):
    with pytest.raises(PlanError) as raised:
        parse_policy(text)
    return raised.value.problems


def test_the_built_in_policy_asks_for_evidence_of_the_last_ninety_days_and_lets_no_cache_decide():
    policy = parse_policy(BUILT_IN)
    assert policy.max_age == dt.timedelta(days=90)
    assert (policy.on_unreachable, policy.artefact, policy.against) == (
        *("fail", "optional", "not_worse"),
    )
    assert (policy.require, policy.most_runs, policy.max_data_age) == ([], None, None)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90d", dt.timedelta(days=90)),
        ("12h", dt.timedelta(hours=12)),
        ("30 m", dt.timedelta(minutes=30)),
        ("null", None),
    ],
)
def test_a_span_is_a_number_of_days_hours_or_minutes(text, span):
    assert parse_policy(f"policy: 1\nmax_age: {text}").max_age == span


@pytest.mark.parametrize("text", ["90", "d", "-1d", "1.5d", "1w", "123456d", "[1d]", "1d 2h"])
def test_what_is_no_span_is_said_with_its_line(text):
    (problem,) = problems(f"policy: 1\nmax_age: {text}")
    assert problem.where == "policy.yaml:2 max_age"
    assert "such as 90d, 12h or 30m" in problem.what


def test_a_required_plan_is_a_name_or_a_mapping():
    policy = parse_policy("policy: 1\nrequire: [release, {plan: daily, registered: any}]")
    assert [(one.plan, one.registered) for one in policy.require] == [
        ("release", "before_window"),
        ("daily", "any"),
    ]


def test_every_problem_is_said_at_once_with_its_line():
    found = problems(
        "policy: 1\n"
        "require:\n"
        "- {plan: b, registered: later}\n"
        "- {plan: c, extra: 1}\n"
        "- {registered: any}\n"
        "- 5\n"
        "most_runs: 0\n"
        "max_agee: 3d\n"
    )
    assert [problem.where for problem in found] == [
        "policy.yaml:3 require[0].registered",
        "policy.yaml:4 require[1].extra",
        "policy.yaml:5 require[2].plan",
        "policy.yaml:6 require[3]",
        "policy.yaml:7 most_runs",
        "policy.yaml:8 max_agee",
    ]
    assert "'max_age'" in found[-1].hint


def test_a_policy_of_a_newer_format_asks_for_an_upgrade():
    (problem,) = problems("policy: 2\nnew_key: 1")
    assert "format 2; this release reads up to 1" in problem.what
    assert problem.hint == "pip install --upgrade evenhand"


@pytest.mark.parametrize("text", ["", "\n", "- a", "max_age: 9d", "policy: [", "policy: '1'"])
def test_what_is_no_policy_is_refused(text):
    assert problems(text)


def test_a_policy_is_known_by_its_text():
    assert policy_digest("policy: 1\n") != policy_digest("policy: 1 \n")


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (dt.timedelta(days=2), "2 days"),
        (dt.timedelta(days=1, hours=23), "47 hours"),
        (dt.timedelta(hours=2), "2 hours"),
        (dt.timedelta(minutes=119), "119 minutes"),
        (dt.timedelta(), "0 minutes"),
    ],
)
def test_spans_are_told_in_the_unit_that_people_count_in(span, text):
    assert days(span) == text
