"""FairCo over days of feedback: disparity falls as 1/t, and with it off it stays.

Slopes of log disparity on log t are of the last nine tenths of 4,000 requests, at 30 points
spread evenly in log t. Bands are those of the claim: -1.2 to -0.8 for a fall as 1/t. The chance
that a mean over seeds leaves its band although all is well is that of a t distribution, from
slopes of seeds that are not used here: merit given, -.99 with a spread of .045 over 16 seeds,
below 1e-7; merit estimated, -.99 and .21 over 16, .03; the same by true merit, .006; without
control, .01 and .021 over 6, .001. Seeds are fixed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evenhand.mitigations.controller import State
from evenhand.mitigations.fairco import FairCo
from mitigations.days import WORLD, Days, run_section
from mitigations.naive import best_first, discounted

SEEDS = range(12)
START = FairCo(
    State.of(WORLD.creators.tiers), gain=0.02, examined=tuple(WORLD.reach), server="only"
)


def by_merit(controller, candidates, seen):
    return controller.after(candidates, seen.order, merit=seen.preference, clicks=seen.clicks)


def by_clicks(controller, candidates, seen):
    return controller.after(candidates, seen.order, clicks=seen.clicks)


def slope(times, values):
    points = np.searchsorted(times, np.geomspace(times[-1] / 10, times[-1], 30) * (1 - 1e-12))
    points = np.unique(points)
    return np.polyfit(np.log(times[points]), np.log(values[points]), 1)[0]


def disparities(controller, seed):
    days = Days(controller, by_merit)
    states = [days.controller.state for _ in days.walk(seed)]
    later = [state for state in states if state.requests >= 100]
    return (
        np.array([state.requests for state in later]),
        np.array([state.disparity() for state in later]),
    )


@pytest.mark.slow
def test_disparity_falls_as_one_over_t_where_merit_is_given():
    slopes = [slope(*disparities(START, seed)) for seed in SEEDS]
    assert -1.2 < np.mean(slopes) < -0.8


@pytest.mark.slow
def test_disparity_by_estimated_merit_falls_as_one_over_t_and_by_true_merit_as_its_root():
    # A mean of t clicks is off by about 1 / sqrt(t). Slopes by true merit had a spread of .33 over
    # 16 other seeds: a mean of -.5 leaves -.9 to -.1 with a chance of .006.
    counted, true = [], []
    for seed in SEEDS:
        days = Days(START, by_clicks)
        told = replace(START)
        found = []
        for seen, candidates, _ in days.walk(seed):
            told = told.after(candidates, seen.order, merit=seen.preference)
            states = days.controller.state, told.state
            if told.state.requests >= 100:
                found.append((told.state.requests, *(state.disparity() for state in states)))
        times, one, other = np.array(found).T
        counted.append(slope(times, one))
        true.append(slope(times, other))
    assert -1.2 < np.mean(counted) < -0.8
    assert -0.9 < np.mean(true) < -0.1
    assert np.mean(true) > np.mean(counted)


@pytest.mark.slow
def test_without_control_disparity_stays():
    found = [disparities(replace(START, gain=0.0), seed) for seed in SEEDS[:6]]
    assert -0.1 < np.mean([slope(*one) for one in found]) < 0.1
    assert min(values[-1] for _, values in found) > 0.1


@pytest.mark.slow
def test_a_cap_that_is_too_low_stops_the_fall_and_is_seen_to_bind():
    # At a cap of .05 a boost of .8 in log-odds, up to .2 in score, cannot be made up for.
    days = Days(replace(START, cap=0.05), by_merit)
    walked = [(days.controller.state, one) for _, _, one in days.walk(1)]
    late = walked[len(walked) // 2 :]
    assert min(state.disparity() for state, _ in late) > 0.05
    assert np.mean([certificate.capped.mean() for _, certificate in late]) > 0.9


@pytest.mark.slow
def test_the_guardrail_holds_in_every_request_and_says_where_it_bound():
    days = Days(replace(START, keep=0.99), by_merit)
    bound = []
    for seen, candidates, certificate in days.walk(2):
        for row, order in enumerate(seen.order.tolist()):
            scores = candidates.scores[row].tolist()
            best = discounted(scores, best_first(scores))
            assert discounted(scores, order) >= 0.99 * best - 1e-9
        bound += certificate.guarded.tolist()
        assert certificate.kept.all()
    assert 0.01 < np.mean(bound) < 0.9


@pytest.mark.slow
def test_servers_with_viewers_of_their_own_that_exchange_states_go_where_one_goes():
    # Half the requests each, states exchanged every 40 of them. Over 8 seeds that are not used here
    # two servers leave .0082 of the gap without control, with a spread of .0025, and one server
    # .0050; .03 is nearly 9 spreads off.
    half = replace(WORLD, requests=2_000)
    for seed in range(4):
        pair = [Days(replace(START, server=name), by_merit) for name in "xy"]
        walks = [one.walk(seed + 100 * at, world=half) for at, one in enumerate(pair)]
        for step, _ in enumerate(zip(*walks, strict=True), 1):
            if step % 5 == 0:
                states = [one.controller.state for one in pair]
                for one, other in zip(pair, states[::-1], strict=True):
                    one.controller = one.controller.merge(other)
        states = [one.controller.state for one in pair]
        assert states[0] == states[1]
        assert states[0].requests == WORLD.requests
        free = Days(replace(START, gain=0.0), by_merit)
        for _ in free.walk(seed, batch=100):
            pass
        assert states[0].gap() < 0.03 * free.controller.state.gap()


def test_going_back_to_a_snapshot_repeats_the_days_bit_for_bit():
    small = replace(WORLD, requests=200, days=2)
    days = Days(START, by_merit)
    for _ in days.walk(3, world=small):
        pass
    snapshot = days.controller.state.to_json()
    first = [seen.order for seen, _, _ in days.walk(4, world=small)]
    after = days.controller.state
    days.controller = days.controller.rollback(State.from_json(snapshot))
    again = [seen.order for seen, _, _ in days.walk(4, world=small)]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert days.controller.state == after


def test_the_section_of_the_page_runs(capsys):
    assert run_section("Online: FairCo")["controller"].state.requests == 400
    assert "disparity" in capsys.readouterr().out
