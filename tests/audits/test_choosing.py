"""Choosing among re-rankers: the split, what the choice sees, and figures that are the audit's."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import evenhand as eh
from evenhand.audits.choosing import choose
from evenhand.audits.half import drawn, halves
from evenhand.audits.tradeoff import AS_THEY_WERE, BY_SCORE
from evenhand.cli.main import app
from evenhand.errors import EvenhandError
from evenhand.logs.expression import Expression
from evenhand.stats.estimate import Estimate

ROLES = {
    "user": "user",
    "request": "request",
    "item": "item",
    "rank": "slot",
    "score": "value",
    "relevance": "worth",
}


def table(users=60, *, seed=3, penalty=0.3):
    """Lists of users who ask one to three times; the tier 'new' is scored below its worth."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        for visit in range(int(rng.integers(1, 4))):
            quality = rng.random(10)
            new = rng.random(10) < 0.4
            score = quality - penalty * new + 0.05 * rng.normal(size=10)
            slots = np.argsort(np.argsort(-score)) + 1
            rows += [
                {
                    "user": f"u{user}",
                    "request": f"u{user}-{visit}",
                    "item": f"i{user}-{visit}-{place}",
                    "slot": int(slots[place]) if slots[place] <= 5 else None,
                    "value": float(score[place]),
                    "worth": int(quality[place] > 0.6),
                    "tier": "new" if new[place] else "old",
                }
                for place in range(10)
            ]
    return pl.DataFrame(rows)


def log_of(rows, **roles):
    return eh.log(rows, kind="recommendation", **{**ROLES, **roles})


def value(outcome):
    assert isinstance(outcome, Estimate), outcome
    return outcome.value


METHODS = ["det_greedy", "calibrated(weight=0.5)", "fairness_of_exposure"]


def test_a_unit_is_in_a_half_by_its_name_and_the_seed_alone():
    rows = table()
    first, second = halves(log_of(rows), "tier", seed=0, share=0.5)
    inside = {*first.log.source.frame.to_native().lazy().collect()["user"]}
    outside = {*second.log.source.frame.to_native().lazy().collect()["user"]}
    assert not inside & outside
    assert inside | outside == {*rows["user"]}
    assert inside == {user for user in rows["user"] if drawn(user, 0) < 0.5}
    shuffled, _ = halves(
        log_of(rows.sample(fraction=1, shuffle=True, seed=5)), "tier", seed=0, share=0.5
    )
    assert {*shuffled.log.source.frame.to_native().lazy().collect()["user"]} == inside
    few = rows.filter(pl.col("user").is_in(["u0", "u1", "u2", "u3", "u4", "u5"]))
    part, _ = halves(log_of(few), "tier", seed=0, share=0.5)
    kept = {*part.log.source.frame.to_native().lazy().collect()["user"]}
    assert kept == inside & {*few["user"]}
    other, _ = halves(log_of(rows), "tier", seed=1, share=0.5)
    assert {*other.log.source.frame.to_native().lazy().collect()["user"]} != inside


def test_shares_of_a_split_are_those_that_were_asked_for():
    draws = np.array([drawn(user, 7) for user in range(20_000)])
    # Five standard deviations of a share of 20,000: false alarm below 1e-6.
    assert abs((draws < 0.3).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 20_000)
    again = np.array([drawn(user, 8) for user in range(20_000)])
    assert abs(np.corrcoef(draws, again)[0, 1]) < 5 / np.sqrt(20_000)


@pytest.mark.slow
def test_the_order_of_rows_changes_no_figure():
    rows = table(30)
    found = choose(log_of(rows), "tier", 5, methods=METHODS, at_least=0.6)
    again = choose(
        log_of(rows.sample(fraction=1, shuffle=True, seed=9)),
        "tier",
        5,
        methods=METHODS,
        at_least=0.6,
    )
    assert found.choice == again.choice
    for one, other in zip(found.contenders, again.contenders, strict=True):
        for half in ("choosing", "held_out"):
            mine, theirs = getattr(one, half).figures, getattr(other, half).figures
            assert value(mine.exposure) == pytest.approx(value(theirs.exposure), rel=1e-12)
            assert value(mine.utility) == pytest.approx(value(theirs.utility), rel=1e-12)


@pytest.mark.slow
def test_the_choice_does_not_see_what_is_held_out():
    rows = table()
    found = choose(log_of(rows), "tier", 5, at_least=0.6)
    rng = np.random.default_rng(0)
    outside = pl.Series([drawn(user, 0) >= 0.5 for user in rows["user"]])
    changed = rows.with_columns(
        value=pl.when(outside).then(pl.Series(rng.random(len(rows)))).otherwise("value"),
        worth=pl.when(outside).then(pl.Series(rng.integers(0, 2, len(rows)))).otherwise("worth"),
        # A third group, which the half to choose on has not.
        tier=pl.when(outside & pl.Series(rng.random(len(rows)) < 0.5))
        .then(pl.lit("guest"))
        .otherwise("tier"),
    )
    other = choose(log_of(changed), "tier", 5, at_least=0.6)
    assert other.targets == found.targets
    assert replace(other.choice, held="") == replace(found.choice, held="")
    for one, same in zip(found.contenders, other.contenders, strict=True):
        assert (one.name, one.front) == (same.name, same.front)
        mine, theirs = one.choosing.figures, same.choosing.figures
        assert (mine.exposure, mine.utility, mine.utility_change) == (
            theirs.exposure,
            theirs.utility,
            theirs.utility_change,
        )
    assert [value(one.held_out.figures.exposure) for one in found.contenders] != [
        value(one.held_out.figures.exposure) for one in other.contenders
    ]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["det_const_sort", "fairness_of_exposure"])
def test_figures_are_those_of_mitigate_audit_and_diff(tmp_path, monkeypatch, method):
    monkeypatch.chdir(tmp_path)
    rows = table()
    found = choose(log_of(rows), "tier", 5, methods=[method])
    rows.filter(pl.Series([drawn(user, 0) >= 0.5 for user in rows["user"]])).write_parquet(
        "held_out.parquet"
    )
    roles = [word for name, text in ROLES.items() for word in (f"--{name}", text)]

    def run(*words):
        done = CliRunner().invoke(app, [*words, "--json"])
        assert done.exit_code in {0, 1}, done.output
        return json.loads(done.stdout)

    targets = ",".join(f"{name}={share!r}" for name, share in found.targets.items())
    best = "calibrated(weight=0)"
    for name, written in (("before", best), ("after", method)):
        words = ["--method", written, "--target", targets, "--out", f"{name}.parquet"]
        run("mitigate", "held_out.parquet", *roles, "--item-group", "tier", "--top", "5", *words)
        words = [f"{name}.parquet", "--kind", "recommendation", *roles, "--item-group", "tier"]
        words += ["--min-units", "0", "--out", f"{name}.evidence.zip"]
        run("audit", *words)
        measured = run(
            "measure",
            "ratio(exposure@5, of=tier)",
            "nDCG@5",
            f"{name}.parquet",
            *("--kind", "recommendation"),
            *roles,
        )
        contender = found.of(method if name == "after" else BY_SCORE).held_out.figures
        for one, outcome in zip(
            measured["findings"], (contender.exposure, contender.utility), strict=True
        ):
            limits = (outcome.value, outcome.low, outcome.high)
            assert (one["value"], one["low"], one["high"]) == pytest.approx(limits, rel=1e-9)


def test_loss_of_ndcg_is_the_change_that_diff_says():
    rows = table()
    found = choose(log_of(rows), "tier", 5, methods=["det_const_sort"])
    by_score, after = (found.of(name).held_out.figures for name in (BY_SCORE, "det_const_sort"))
    assert value(after.utility_change) == pytest.approx(
        value(after.utility) - value(by_score.utility)
    )
    assert value(by_score.utility_change) == 0
    for name, change in after.group_changes.items():
        (old,) = (one for one in by_score.groups if name in one.group.values())
        (new,) = (one for one in after.groups if name in one.group.values())
        assert value(change) == pytest.approx(value(new.outcome) - value(old.outcome))
    # Paired: what both lists of a user share is no part of the change.
    apart = np.hypot(
        by_score.utility.high - by_score.utility.low, after.utility.high - after.utility.low
    )
    assert after.utility_change.high - after.utility_change.low < apart


def planted(requests=40):
    """Four candidates each, two of a group that is scored far below its equally good others."""
    rows = [
        {"request": request, "value": 3.0 - place, "tier": "ab"[place // 2]}
        for request in range(requests)
        for place in range(4)
    ]
    return eh.log(
        pl.DataFrame(rows).with_columns(slot=pl.lit(None, pl.Int64)),
        kind="recommendation",
        request="request",
        rank="slot",
        score="value",
    )


def test_a_planted_world_is_chosen_as_it_must_be():
    # By score a a b b; with floor(i / 2) of each in every prefix a b a b.
    by_score = (1 / 2 + 1 / np.log2(5)) / (1 + 1 / np.log2(3))
    in_turn = (1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / 2)
    methods = ["calibrated(weight=0)", "det_const_sort"]
    log = planted()
    low = choose(log, "tier", 4, methods=methods, at_least=0.5)
    for half in ("choosing", "held_out"):
        for name, expected in ((BY_SCORE, by_score), ("det_const_sort", in_turn)):
            measured = getattr(low.of(name), half).figures.exposure
            assert value(measured) == pytest.approx(expected, abs=1e-12)
    assert (low.choice.name, low.choice.held) == (BY_SCORE, "yes")
    assert low.of("calibrated(weight=0)").like == BY_SCORE
    high = choose(log, "tier", 4, methods=methods, at_least=0.7)
    assert high.choice.name == "det_const_sort"
    beyond = choose(log, "tier", 4, methods=methods, at_least=0.8)
    assert (beyond.choice.name, beyond.choice.closest) == ("", "det_const_sort")


def test_front_is_that_of_all_pairs():
    roles = {name: text for name, text in ROLES.items() if name != "relevance"}
    found = choose(eh.log(table(30), kind="recommendation", **roles), "tier", 5)
    points = {
        one.name: (value(one.choosing.figures.exposure), one.choosing.figures.worth)
        for one in found.contenders
    }
    for one in found.contenders:
        x, y = points[one.name]
        beaten = any((a >= x and b > y) or (a > x and b >= y) for a, b in points.values())
        assert one.front is not beaten
    assert 1 < sum(one.front for one in found.contenders) < len(found.contenders)


def test_without_relevance_utility_is_that_of_the_certificate():
    rows = table().drop("worth")
    roles = {name: text for name, text in ROLES.items() if name != "relevance"}
    found = choose(eh.log(rows, kind="recommendation", **roles), "tier", 5, methods=METHODS[:2])
    for name in METHODS[:2]:
        one = found.of(name).held_out
        assert value(one.figures.utility) == pytest.approx(one.certificate.utility.mean())
        best = value(found.of(BY_SCORE).held_out.figures.utility)
        assert value(one.figures.utility_change) == pytest.approx(
            one.certificate.utility.mean() - best
        )
        assert (
            one.figures.utility_change.low
            < value(one.figures.utility_change)
            < one.figures.utility_change.high
        )


def test_an_empty_slot_is_worth_no_more_than_the_lowest_score():
    rows = table().with_columns(value=pl.col("value") - 10)
    # The second slot of every list was lost on the way.
    rows = rows.with_columns(slot=pl.when(pl.col("slot") != 2).then("slot"))
    roles = {name: text for name, text in ROLES.items() if name != "relevance"}
    found = choose(eh.log(rows, kind="recommendation", **roles), "tier", 5, methods=["det_greedy"])
    assert value(found.of(AS_THEY_WERE).held_out.figures.utility_change) < 0


def test_other_targets_are_measured_by_the_least_share_over_its_target():
    found = choose(log_of(table()), "tier", 5, methods=METHODS, target="new=0.2,old=0.8")
    for one in found.contenders:
        shares = {
            group.group["item.tier" if "item.tier" in group.group else "tier"]: group.outcome
            for group in one.held_out.figures.groups
        }
        least = min(value(shares["new"]) / 0.2, value(shares["old"]) / 0.8)
        assert value(one.held_out.figures.exposure) == pytest.approx(least)
        assert one.held_out.figures.exposure.low < least < one.held_out.figures.exposure.high


def test_one_that_fails_does_not_stop_the_others():
    found = choose(
        log_of(table()), "tier", 5, methods=["fa_star_ir(protected=nobody, p=0.3)", "det_greedy"]
    )
    failed, other = found.contenders[-2:]
    assert "there is no group 'nobody'" in failed.failed
    assert failed.choosing is None
    assert not failed.front
    assert other.held_out is not None


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"methods": ["det_gready", "fa_star_ir(p=0.4)"]}, "there is no re-ranker 'det_gready'"),
        ({"share": 1.0}, "not between 0 and 1"),
        ({"target": "new=0.5,odl=0.5"}, "no candidates of ['odl']"),
        ({"at_least": 0.0}, "every order reaches it"),
        ({"exposure": "shares(exposure@5, of=tier)"}, "more is better"),
        ({"utility": "nDGC@5"}, "nDCG"),
    ],
)
def test_what_cannot_be_meant_is_refused(how, said):
    with pytest.raises(EvenhandError, match=re.escape(said)):
        choose(log_of(table(20)), "tier", 5, **how)


def test_a_request_of_several_users_is_refused():
    rows = table(20).with_columns(request=pl.lit("one"))
    with pytest.raises(EvenhandError, match="several values of 'user'"):
        choose(log_of(rows), "tier", 5)


def test_what_is_tried_unasked_fits_the_log():
    found = choose(log_of(table(20)), "tier", 5)
    names = [one.name.partition("(")[0] for one in found.contenders]
    assert [name for name in dict.fromkeys(names) if names.count(name) == 1] == [
        BY_SCORE,
        AS_THEY_WERE,
        "det_greedy",
        "det_cons",
        "det_relaxed",
        "det_const_sort",
        "fairness_of_exposure",
        "fa_star_ir",
    ]
    assert not any(one.failed for one in found.contenders)
    assert found.left_out["welfare"] == "it is tried only where it is named"


def test_lists_that_nobody_ranked_have_no_lists_as_they_were():
    log = log_of(table())
    bare = replace(log, roles={name: text for name, text in log.roles.items() if name != "rank"})
    found = choose(bare, "tier", 5, methods=["det_greedy"])
    assert [one.name for one in found.contenders] == [BY_SCORE, "det_greedy"]
    assert Expression("slot") == log.roles["rank"]


def test_candidates_that_are_there_because_they_are_relevant_are_doubted():
    rows = table(30)
    biased = rows.filter(pl.col("slot").is_not_null() | (pl.col("worth") > 0))
    (doubt,) = choose(log_of(biased), "tier", 5, methods=["det_greedy"]).doubts
    assert "because they are" in doubt
    assert not choose(log_of(rows), "tier", 5, methods=["det_greedy"]).doubts


def test_targets_of_each_request_are_its_own_shares():
    log = log_of(table(20))
    found = choose(log, "tier", 5, methods=["det_greedy"], target="request")
    own = choose(log, "tier", 5, methods=["det_greedy(targets=request)"])
    assert found.targets == "request"
    assert found.yardstick == own.yardstick
    mine, same = (one.contenders[-1].held_out for one in (found, own))
    assert mine.figures == same.figures
    assert mine.certificate.kept.all()


def test_one_group_alone_is_refused():
    with pytest.raises(EvenhandError, match="all candidates have one group, 'x'"):
        choose(log_of(table(20).with_columns(tier=pl.lit("x"))), "tier", 5)


def test_names_with_spaces_and_two_units_a_row_are_taken():
    rows = table(20).rename({"tier": "creator tier"})
    log = eh.log(rows, kind="recommendation", unit=["user", "item"], **ROLES)
    found = choose(log, "creator tier", 5, methods=["det_greedy"], at_least=0.01)
    assert found.unit == "user"
    assert found.yardstick.exposure == "ratio(exposure@5, of='creator tier')"
    assert found.choice.name


def test_other_figures_are_taken_where_more_is_better():
    how = {"exposure": "AWRF(of=tier, target=candidates)@5", "utility": "R@5"}
    found = choose(log_of(table(20)), "tier", 5, methods=["det_greedy"], **how)
    assert (found.yardstick.exposure, found.yardstick.utility) == (how["exposure"], how["utility"])
    measured = eh.estimates(list(how.values()), log_of(table(20)))
    both = found.of(AS_THEY_WERE)
    for key, one in zip(("exposure", "utility"), measured, strict=True):
        halves_of = [value(getattr(half.figures, key)) for half in (both.choosing, both.held_out)]
        assert min(halves_of) <= one.value <= max(halves_of)


def of_rare(users=60):
    """Lists of which one request alone has an item of a third tier."""
    rows = table(users)
    first = (pl.col("request") == "u3-0") & (pl.col("slot") == 1)
    return rows.with_columns(tier=pl.when(first).then(pl.lit("rare")).otherwise("tier"))


def seed_of_rare(rows, *, held_out):
    """Return a seed by which the third tier is in the half held out, or in the other."""
    (user,) = rows.filter(pl.col("tier") == "rare")["user"]
    return next(seed for seed in range(20) if (drawn(user, seed) >= 0.5) == held_out)


def test_a_group_that_a_half_lacks_leaves_the_least_share_and_the_choice_open():
    rows = of_rare()
    seed = seed_of_rare(rows, held_out=False)
    found = choose(
        log_of(rows), "tier", 5, methods=["det_greedy"], target="equal", at_least=1e-6, seed=seed
    )
    assert found.choice.name
    assert found.choice.held == "open"
    exposure = found.of(found.choice.name).held_out.figures.exposure
    assert "no candidate of 'rare'" in exposure.reason


@pytest.mark.parametrize(("held_out", "which"), [(True, "to choose on"), (False, "held out")])
def test_groups_that_one_half_lacks_are_said(held_out, which):
    rows = of_rare()
    seed = seed_of_rare(rows, held_out=held_out)
    (doubt,) = choose(log_of(rows), "tier", 5, methods=["det_greedy"], seed=seed).doubts
    assert f"The half {which} has no candidate of rare" in doubt


def test_the_least_share_over_its_target_is_one_at_most():
    # 12 requests tell so little that the least of the upper limits alone would be above 1.
    found = choose(log_of(table(12)), "tier", 5, methods=["det_greedy"], target="equal")
    limits = [one.held_out.figures.exposure.high for one in found.contenders]
    assert max(limits) == 1.0
