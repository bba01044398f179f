"""What a gate decides: a function of a dossier, of bundles at hand and of the time."""

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.audits.gate.verdict import WORST_FIRST
from evenhand.centre.decision import CLOCKS, decide
from evenhand.centre.dossier import (
    Dossier,
    EvidenceRecord,
    PlanRecord,
    PolicyRecord,
    RunRecord,
    WaiverRecord,
)

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
X, Y = ("sha256:" + letter * 64 for letter in "ab")
P, Q = "sha256:" + "1" * 64, "sha256:" + "2" * 64
WINDOW = (dt.date(2026, 11, 1), dt.date(2026, 11, 18))


def rule(name="gap", verdict="pass", scope="all rows", text="gap <= 0.05"):
    return {
        "id": name,
        "rule": text,
        "key": "gap",
        "certainty": 0.95,
        "scope": scope,
        "verdict": verdict,
        "reason": f"{verdict}: because",
        "waiver": {"owner": "me", "expires": "2099-01-01", "reason": "my own plan says so"},
    }


def proof(name="one", *rules, plan=P, audited=NOW - DAY, **more):
    rules = rules or (rule(),)
    verdicts = [one["verdict"] for one in rules]
    fields = {"artefact": None, "window": None, "received": NOW, **more}
    return EvidenceRecord(
        bundle=f"sha256:{name}",
        plan=plan,
        kind="decisions",
        pillar="fairness",
        audited=audited,
        verdict=worst(verdicts),
        rules=[*rules],
        **fields,
    )


def dossier(*evidence, policy="", **more):
    record = PolicyRecord(
        product="loans", version=1, digest="sha256:x", text=f"policy: 1\n{policy}"
    )
    fields = {"artefact": None, "against": None, **more}
    return Dossier(
        product="loans",
        model="score",
        version="v2",
        policy=record,
        evidence=[*evidence],
        issued=NOW,
        expires=NOW + DAY,
        **fields,
    )


def worst(verdicts):
    return next((one for one in WORST_FIRST if one in verdicts), None)


def told(decision):
    """Return the verdict of each condition; each is there once."""
    assert len({one.id for one in decision.conditions}) == len(decision.conditions)
    return {one.id: one.verdict for one in decision.conditions}


def reason(decision, name):
    return next(one.reason for one in decision.conditions if one.id == name)


def test_the_verdict_is_the_worst_of_rules_and_conditions_in_every_combination():
    # Each factor, with the condition that it must give by itself; None for none.
    registered = [PlanRecord(name="release", digest=P, registered=NOW - 30 * DAY)]
    late = [PlanRecord(name="release", digest=P, registered=NOW - 10 * DAY)]
    before = proof("before", rule(verdict="pass"))
    factors = [
        [("pass", {}), ("undecided", {}), ("fail", {})],
        [(None, {}), ("fail", {"given": Y})],
        [("pass", {"age": 10 * DAY}), ("fail", {"age": 91 * DAY})],
        [
            (None, {}),
            ("pass", {"require": "release", "plans": registered}),
            ("fail", {"require": "release", "plans": late}),
            ("fail", {"require": "release", "plans": []}),
        ],
        [(None, {}), ("fail", {"runs": 3})],
        [(None, {}), ("against", {"before": [before]}), ("fail", {"before": []})],
        [(None, {}), ("waived", {"waived": True})],
    ]
    count = 0
    for combination in itertools.product(*factors):
        rules, ships, age, plan, runs, against, waived = (expected for expected, _ in combination)
        how = {key: value for _, part in combination for key, value in part.items()}
        text = "".join(
            (
                f"require: [{how['require']}]\n" if "require" in how else "",
                "most_runs: 2\n" if "runs" in how else "",
            )
        )
        known = dossier(
            proof(
                *("one", rule(verdict=rules)),
                artefact=X,
                window=WINDOW,
                audited=NOW - how["age"],
                received=None,
            ),
            policy=text,
            artefact=X,
            plans=how.get("plans", []),
            runs=[
                RunRecord(id=str(place), plan=P, started=NOW - 95 * DAY, state="failed")
                for place in range(how.get("runs", 0))
            ],
            against="v1" if against else None,
            before=how.get("before", []),
            waivers=[waiver()] if waived else [],
        )
        decision = decide(known, at=NOW, artefact=how.get("given"))
        gone = ships == "fail"
        # Evidence of another artefact is not used, so that nothing else is known of it.
        plan_told = "fail" if plan and gone else plan
        worse = against == "against" and (gone or rules != "pass")
        against_told = ("fail" if worse else "pass") if against == "against" else against
        wanted = {
            "artefact": ships or "pass",
            "age": None if gone else age,
            "plan release": plan_told,
            "runs": ("pass" if gone else "fail") if runs else None,
            "against": against_told,
        }
        wanted = {name: verdict for name, verdict in wanted.items() if verdict}
        assert told(decision) == wanted, combination
        judged = [] if gone else [rules]
        assert decision.verdict == worst([*wanted.values(), *judged])
        excused = waived and not gone and rules != "pass"
        if excused and against == "against":
            wanted.pop("against")
        assert decision.unwaived == (
            worst([*wanted.values(), *([] if excused else judged)]) or "pass"
        )
        count += 1
    assert count == 3 * 2 * 2 * 4 * 2 * 3 * 2


def waiver(**fields):
    said = {
        "rule": "gap",
        "owner": "lee",
        "approver": "ada",
        "reason": "known",
        "expires": NOW.date(),
    }
    return WaiverRecord(**said | fields)


def test_without_evidence_nothing_passes():
    decision = decide(dossier(), at=NOW)
    assert (decision.verdict, told(decision)) == ("fail", {"evidence": "fail"})


def test_evidence_without_rules_does_not_pass():
    decision = decide(dossier(proof().model_copy(update={"rules": [], "verdict": None})), at=NOW)
    assert (decision.verdict, told(decision)["evidence"]) == ("fail", "fail")


ARTEFACTS = [
    # policy, registered, given, what evidence names -> condition, and whether it is used
    ("optional", None, None, None, None, True),
    ("optional", None, None, X, "pass", True),
    ("optional", None, X, None, "pass", True),
    ("optional", X, None, None, "pass", True),
    ("optional", X, X, X, "pass", True),
    ("optional", X, None, Y, "fail", False),
    ("optional", X, Y, Y, "fail", True),
    ("optional", None, X, Y, "fail", False),
    ("required", None, None, X, "fail", True),
    ("required", None, X, X, "pass", True),
    ("required", X, None, X, "pass", True),
    ("required", X, None, None, "fail", False),
    ("required", None, None, None, "fail", False),
]


@pytest.mark.parametrize(("asked", "registered", "ships", "named", "verdict", "used"), ARTEFACTS)
def test_a_verdict_is_bound_to_what_ships(*, asked, registered, ships, named, verdict, used):
    known = dossier(proof(artefact=named), policy=f"artefact: {asked}", artefact=registered)
    decision = decide(known, at=NOW, artefact=ships)
    assert told(decision).get("artefact") == verdict
    assert bool(decision.evidence) == used
    assert decision.verdict == ("fail" if verdict == "fail" else "pass")


def test_evidence_of_two_artefacts_needs_somebody_to_say_which_ships():
    known = dossier(proof("one", artefact=X), proof("two", plan=Q, artefact=Y))
    decision = decide(known, at=NOW)
    assert decision.verdict == "fail"
    assert "nobody says which file ships" in reason(decision, "artefact")
    decision = decide(known, at=NOW, artefact=X)
    assert decision.verdict == "pass"
    assert "1 more not used" in reason(decision, "artefact")


def test_evidence_that_nothing_binds_to_what_ships_is_said():
    decision = decide(dossier(proof(), artefact=X), at=NOW)
    assert "names no artefact" in reason(decision, "artefact")


@pytest.mark.parametrize(
    ("age", "verdict"),
    [(90 * DAY, "pass"), (90 * DAY + dt.timedelta(seconds=1), "fail"), (dt.timedelta(), "pass")],
)
def test_evidence_may_be_as_old_as_the_policy_says(age, verdict):
    assert told(decide(dossier(proof(audited=NOW - age)), at=NOW))["age"] == verdict


def test_one_condition_names_all_that_is_too_old():
    known = dossier(
        proof("one", audited=NOW - 100 * DAY),
        proof("two", plan=Q, audited=NOW - 200 * DAY),
        proof("three", plan="sha256:3"),
    )
    decision = decide(known, at=NOW)
    assert "100 days" in reason(decision, "age")
    assert "200 days" in reason(decision, "age")
    assert "three" not in reason(decision, "age")


@pytest.mark.parametrize(
    ("last", "verdict"),
    [(NOW.date() - 30 * DAY, "pass"), (NOW.date() - 31 * DAY, "fail"), (None, "fail")],
)
def test_data_may_be_as_old_as_the_policy_says(last, verdict):
    window = None if last is None else (last - 20 * DAY, last)
    known = dossier(proof(window=window), policy="max_data_age: 30d")
    assert told(decide(known, at=NOW))["data"] == verdict


@pytest.mark.parametrize(
    ("audited", "received", "verdict"),
    [
        (NOW + CLOCKS, None, None),
        (NOW + CLOCKS + dt.timedelta(seconds=1), None, "fail"),
        (NOW - DAY, NOW - DAY - CLOCKS, None),
        (NOW - DAY, NOW - DAY - 2 * CLOCKS, "fail"),
    ],
)
def test_evidence_from_the_future_is_refused(audited, received, verdict):
    known = dossier(proof(audited=audited, received=received))
    assert told(decide(known, at=NOW)).get("clock") == verdict


@pytest.mark.parametrize(
    ("wanted", "registered", "window", "verdict"),
    [
        ("before_window", dt.datetime(2026, 10, 31, 23, tzinfo=dt.UTC), WINDOW, "pass"),
        # The first day had begun.
        ("before_window", dt.datetime(2026, 11, 1, 1, tzinfo=dt.UTC), WINDOW, "fail"),
        ("before_window", dt.datetime(2026, 10, 1, tzinfo=dt.UTC), None, "fail"),
        ("any", dt.datetime(2026, 11, 1, 1, tzinfo=dt.UTC), WINDOW, "pass"),
        ("any", NOW, None, "pass"),
    ],
)
def test_a_required_plan_is_registered_before_its_data(wanted, registered, window, verdict):
    known = dossier(
        proof(window=window),
        policy=f"require: [{{plan: release, registered: {wanted}}}]",
        plans=[PlanRecord(name="release", digest=P, registered=registered)],
    )
    decision = decide(known, at=NOW)
    assert told(decision)["plan release"] == verdict
    assert decision.evidence[0].name == "release"


def plans(*days, names=(P, Q)):
    return [
        PlanRecord(name="release", digest=digest, registered=dt.datetime(*day, tzinfo=dt.UTC))
        for digest, day in zip(names, days, strict=True)
    ]


def test_a_plan_that_another_took_the_place_of_is_no_longer_enough():
    policy = "require: [release]"
    known = dossier(proof(window=WINDOW), policy=policy, plans=plans((2026, 9, 1), (2026, 10, 1)))
    decision = decide(known, at=NOW)
    assert told(decision)["plan release"] == "fail"
    assert "another took its place on 2026-10-01" in reason(decision, "plan release")
    # One that was registered when the data had begun does not count backwards.
    known = dossier(proof(window=WINDOW), policy=policy, plans=plans((2026, 9, 1), (2026, 11, 3)))
    assert decide(known, at=NOW).verdict == "pass"


def test_a_plan_counts_from_its_first_day():
    twice = plans((2026, 11, 5), (2026, 9, 1), names=(P, P))
    for listed in (twice, twice[::-1]):
        known = dossier(proof(window=WINDOW), policy="require: [release]", plans=listed)
        assert decide(known, at=NOW).verdict == "pass"


def test_what_became_of_the_runs_of_a_required_plan_is_said():
    ends = {"a": "started", "b": "failed", "c": "finished", "d": "failed"}
    known = dossier(
        policy="require: [release]",
        plans=plans((2026, 9, 1), names=(P,)),
        runs=[
            RunRecord(id=name, plan=P, started=NOW - DAY, state=state)
            for name, state in ends.items()
        ],
    )
    said = reason(decide(known, at=NOW), "plan release")
    assert said.endswith("4 started; 2 failed; 1 without an end; 1 unpushed")


def test_evidence_of_a_required_plan_about_another_artefact_is_said():
    known = dossier(
        proof(artefact=Y),
        policy="require: [release]",
        plans=plans((2026, 9, 1), names=(P,)),
        artefact=X,
    )
    assert "1 not about what ships" in reason(decide(known, at=NOW), "plan release")


def test_the_newest_evidence_of_each_plan_is_used_and_says_which_of_how_many_it_is():
    known = dossier(
        proof("old", rule(verdict="fail"), audited=NOW - 3 * DAY),
        proof("new"),
        proof("other", plan=Q),
        runs=[
            RunRecord(id="1", plan=P, started=NOW - 2 * DAY, state="finished", bundle="sha256:new"),
            RunRecord(id="2", plan=P, started=NOW - 4 * DAY, state="started"),
            RunRecord(id="3", plan=P, started=NOW, state="finished", bundle="sha256:gone"),
            RunRecord(id="4", plan=P, started=NOW - 9 * DAY, state="failed"),
        ],
    )
    decision = decide(known, at=NOW)
    used = {one.bundle: one for one in decision.evidence}
    assert {*used} == {"sha256:new", "sha256:other"}
    assert used["sha256:new"].runs == 5
    assert used["sha256:new"].others == ["unpushed", "fail", "no end", "failed"]
    assert used["sha256:other"].runs == 1
    assert decision.verdict == "pass"


@pytest.mark.parametrize(("most", "verdict"), [(1, "fail"), (2, None)])
def test_a_plan_may_be_repeated_as_often_as_the_policy_says(most, verdict):
    known = dossier(
        proof("old", rule(verdict="fail"), audited=NOW - 3 * DAY),
        proof("new"),
        policy=f"most_runs: {most}",
    )
    assert told(decide(known, at=NOW)).get("runs") == verdict


def test_runs_of_other_plans_that_came_to_nothing_are_listed():
    known = dossier(
        proof(), runs=[RunRecord(id="1", plan=Q, started=NOW, state="finished", bundle="sha256:z")]
    )
    decision = decide(known, at=NOW)
    assert decision.verdict == "pass"
    assert f"{Q[:19]}: 1 unpushed" in reason(decision, "runs")


def against(*rules, before, policy="", **more):
    return decide(
        dossier(proof("now", *rules), policy=policy, against="v1", before=before, **more), at=NOW
    )


def test_a_rule_that_the_other_version_passed_must_be_passed_again():
    for after in ("fail", "undecided"):
        decision = against(rule(verdict=after), before=[proof("before")])
        assert told(decision)["against"] == "fail"
        (worse,) = decision.regressions
        assert (worse.id, worse.before, worse.after) == ("gap", "pass", after)
    decision = against(rule(verdict="fail"), before=[proof("b", rule(verdict="fail"))])
    assert told(decision)["against"] == "pass"
    assert "v1 passed no rule" in reason(decision, "against")


def test_a_rule_that_is_left_out_is_not_passed_again():
    before = [proof("before", rule(), rule("other"))]
    decision = against(rule(), before=before)
    assert [(one.id, one.after) for one in decision.regressions] == [("other", "missing")]
    assert decision.verdict == "fail"
    decision = against(rule(), before=before, policy="against: shown")
    assert (decision.verdict, told(decision)["against"]) == ("pass", "pass")
    decision = against(rule(), before=[proof("before", rule(), rule(scope="age > 40"))])
    assert [one.scope for one in decision.regressions] == ["age > 40"]


def test_a_rule_of_another_plan_with_the_same_name_counts_and_says_what_it_says_now():
    before = [proof("before", rule(text="gap <= 0.05"), plan=Q)]
    decision = against(rule(text="gap <= 0.5"), before=before)
    assert decision.verdict == "pass"
    assert "gap: gap <= 0.5 (95% sure), was gap <= 0.05" in reason(decision, "against")


def test_only_the_newest_evidence_of_the_other_version_counts():
    before = [
        proof("new", rule(verdict="fail"), audited=NOW - 2 * DAY),
        proof("old", audited=NOW - 9 * DAY),
    ]
    for order in (before, before[::-1]):
        assert not against(rule(verdict="fail"), before=order).regressions


def test_a_waived_regression_is_honoured_with_its_rule():
    decision = against(rule(verdict="fail"), before=[proof("before")], waivers=[waiver()])
    assert (decision.verdict, decision.unwaived) == ("fail", "pass")
    both = (rule(verdict="fail"), rule("other", verdict="fail"))
    decision = against(*both, before=[proof("before", rule(), rule("other"))], waivers=[waiver()])
    assert decision.unwaived == "fail"


def test_what_a_plan_says_of_its_own_rule_is_no_waiver():
    decision = decide(dossier(proof("one", rule(verdict="fail"))), at=NOW)
    assert decision.rules[0]["waiver"] is None
    assert decision.unwaived == "fail"


@pytest.mark.parametrize(("expires", "holds"), [(NOW.date(), True), (NOW.date() - DAY, False)])
def test_a_waiver_holds_to_the_end_of_its_last_day(expires, holds):
    known = dossier(proof("one", rule(verdict="fail")), waivers=[waiver(expires=expires)])
    decision = decide(known, at=NOW)
    assert bool(decision.rules[0]["waiver"]) == holds
    assert (decision.verdict, decision.unwaived) == ("fail", "pass" if holds else "fail")


def test_evidence_at_hand_counts_beside_what_the_centre_has():
    decision = decide(dossier(), at=NOW, at_hand=[proof(received=None)], mode="cached")
    assert (decision.verdict, decision.mode) == ("pass", "cached")
    known = dossier(proof("one", rule(verdict="fail")))
    forged = proof("one", rule(verdict="pass"), received=None)
    # What the centre verified goes before a file of the same digest.
    assert decide(known, at=NOW, at_hand=[forged]).verdict == "fail"


VERDICTS = st.sampled_from(["pass", "fail", "undecided"])
PLANS = st.sampled_from([P, Q])


@st.composite
def proofs(draw, name, plan=PLANS, verdicts=VERDICTS):
    judged = draw(st.lists(verdicts, min_size=1, max_size=3))
    return proof(
        name,
        *(rule(f"r{place}", verdict) for place, verdict in enumerate(judged)),
        plan=draw(plan),
        audited=NOW - draw(st.integers(-1, 3)) * 40 * DAY,
        artefact=draw(st.sampled_from([None, X, Y])),
        window=draw(st.sampled_from([None, WINDOW])),
        received=draw(st.sampled_from([None, NOW])),
    )


@st.composite
def dossiers(draw):
    count = draw(st.integers(0, 4))
    run = st.builds(
        RunRecord,
        id=st.sampled_from("abc"),
        plan=PLANS,
        started=st.just(NOW - DAY),
        state=st.sampled_from(["started", "finished", "failed"]),
        bundle=st.sampled_from([None, "sha256:e0", "sha256:e1"]),
    )
    registered = st.builds(
        PlanRecord,
        name=st.just("release"),
        digest=st.sampled_from([P, Q, "sha256:new"]),
        registered=st.sampled_from([NOW - 90 * DAY, NOW - 60 * DAY, NOW]),
    )
    asked = {
        "artefact": st.sampled_from(["optional", "required"]),
        "require": st.sampled_from(["[]", "[release]", "[{plan: release, registered: any}]"]),
        "most_runs": st.sampled_from(["null", "1", "3"]),
        "against": st.sampled_from(["shown", "not_worse"]),
        "max_data_age": st.sampled_from(["null", "5d"]),
    }
    policy = "".join(f"{key}: {draw(values)}\n" for key, values in asked.items())
    return dossier(
        *(draw(proofs(f"e{place}")) for place in range(count)),
        policy=policy,
        artefact=draw(st.sampled_from([None, X])),
        against=draw(st.sampled_from([None, "v1"])),
        before=[draw(proofs(f"b{place}")) for place in range(draw(st.integers(0, 2)))],
        runs=draw(st.lists(run, max_size=3)),
        plans=draw(st.lists(registered, max_size=3)),
        waivers=draw(st.lists(st.just(waiver(rule="r0")), max_size=1)),
    )


SHIPS = st.sampled_from([None, X, Y])


@given(dossiers(), proofs("more", plan=st.just("sha256:new"), verdicts=st.just("fail")), SHIPS)
def test_failing_evidence_of_another_plan_never_improves_a_verdict(known, more, ships):
    before = decide(known, at=NOW, artefact=ships)
    after = decide(known, at=NOW, artefact=ships, at_hand=[more])
    assert WORST_FIRST.index(after.verdict) <= WORST_FIRST.index(before.verdict)


@given(dossiers(), SHIPS, st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_listed_changes_nothing(known, ships, random):
    def shuffled(listed):
        return random.sample(listed, len(listed))

    parts = ("evidence", "before", "runs", "plans", "waivers")
    other = known.model_copy(update={name: shuffled(getattr(known, name)) for name in parts})
    one, same = (
        decide(each, at=NOW, artefact=ships).model_copy(update={"id": ""})
        for each in (known, other)
    )
    assert (one.verdict, one.unwaived) == (same.verdict, same.unwaived)
    assert told(one) == told(same)
    assert one.evidence == same.evidence


@given(dossiers(), SHIPS)
def test_a_verdict_is_never_better_than_any_part_of_it(known, ships):
    decision = decide(known, at=NOW, artefact=ships)
    parts = [one.verdict for one in decision.conditions]
    parts += [one["verdict"] for one in decision.rules]
    assert decision.verdict == worst(parts)
    assert WORST_FIRST.index(decision.unwaived) >= WORST_FIRST.index(decision.verdict)
