"""Groups known as probabilities only: sets of rates against linear programs, and planted truth."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog

import evenhand as eh
from evenhand.errors import EvenhandError, NotationError
from looks import settled

CHANCE = {
    "1": {"black": 0.7, "white": 0.2, "other": 0.1},
    "2": {"black": 0.1, "white": 0.9},
    "3": {"black": 0.4, "white": 0.5, "other": 0.1},
}
ROWS = {
    "zip": ["1"] * 10 + ["2"] * 20 + ["3"] * 10,
    "p": [1] * 4 + [0] * 6 + [1] * 15 + [0] * 5 + [1] * 5 + [0] * 5,
    "y": [1, 0] * 20,
}


def decisions(rows, probabilities, given="zip", **how):
    rows = pl.DataFrame(rows, strict=False)
    groups = {"race": {"given": given, "probabilities": probabilities}}
    roles = {"prediction": "p"} | ({"label": "y"} if "y" in rows.columns else {})
    return eh.log(rows, kind="decisions", groups=groups, **roles, **how)


def set_of(found):
    outcome = found.estimate
    return outcome.identified or (outcome.value, outcome.value)


def program(shares, rates, chance, names, coefficients):
    """Return the least and largest sum of the groups' rates with these coefficients.

    The unknowns are P(hit and group) at every value of the proxy.
    """
    values = list(shares)
    mass = {u: sum(shares[z] * chance[z].get(u, 0.0) for z in values) for u in names}
    cost = [coefficients.get(u, 0.0) * shares[z] / mass[u] for z in values for u in names]
    whole = np.zeros((len(values), len(cost)))
    for row in range(len(values)):
        whole[row, row * len(names) : (row + 1) * len(names)] = 1
    # What is hit belongs to some group, and no group has more hits than members.
    limits = [(0, chance[z].get(u, 0.0)) for z in values for u in names]
    ends = [
        linprog(sign * np.array(cost), A_eq=whole, b_eq=[rates[z] for z in values], bounds=limits)
        for sign in (1, -1)
    ]
    return ends[0].fun, -ends[1].fun


def shares_and_rates(rows, hits):
    values = sorted(set(rows["zip"]))
    zips, hits = np.array(rows["zip"]), np.array(hits)
    return {z: np.mean(zips == z) for z in values}, {z: hits[zips == z].mean() for z in values}


@pytest.mark.parametrize("name", ["selection_rate", "accuracy", "base_rate"])
def test_sets_are_those_of_a_linear_program(name):
    y, p = np.array(ROWS["y"]), np.array(ROWS["p"])
    hits = {"selection_rate": p, "accuracy": (y == p).astype(int), "base_rate": y}[name]
    shares, rates = shares_and_rates(ROWS, hits)
    names = ["black", "white", "other"]
    log = decisions(ROWS, CHANCE)
    gap = eh.estimate(f"bounds(difference({name}, by=race))", log)
    for group in gap.groups:
        expected = program(shares, rates, CHANCE, names, {group.group["race"]: 1})
        assert group.outcome.identified == pytest.approx(expected)
        assert group.outcome.low <= expected[0] <= expected[1] <= group.outcome.high
    for found in eh.estimates([f"bounds(pairs({name}, by=race))"], log):
        first, second = (group["race"] for group in found.pair)
        expected = program(shares, rates, CHANCE, names, {first: 1, second: -1})
        assert set_of(found) == pytest.approx(expected)
        assert found.low < expected[0]
        assert found.high > expected[1]
        assert "Kallus, Mao and Zhou" in found.conventions["proxy"]
    assert set_of(gap)[1] == pytest.approx(
        max(
            abs(end)
            for found in eh.estimates([f"bounds(pairs({name}, by=race))"], log)
            for end in set_of(found)
        )
    )


def test_certain_groups_have_the_figures_of_groups_that_are_in_the_log():
    race = {"1": "black", "2": "white", "3": "white"}
    certain = {z: {u: float(race[z] == u) for u in ("black", "white")} for z in race}
    log = decisions(ROWS, certain)
    known = eh.log(
        pl.DataFrame({**ROWS, "race": [race[z] for z in ROWS["zip"]]}),
        kind="decisions",
        prediction="p",
    )
    for contrast in ("difference", "pairs"):
        point = eh.estimate(f"{contrast}(selection_rate, by=race)", known)
        found = eh.estimate(f"bounds({contrast}(selection_rate, by=race))", log)
        assert found.value == pytest.approx(point.value)
        assert found.estimate.identified is None
        assert (found.low, found.high) == pytest.approx((point.low, point.high), abs=0.03)
    assert [(group.rows, group.units) for group in found.groups] == []
    gap = eh.estimate("bounds(difference(selection_rate, by=race))", log)
    assert [(group.rows, group.units) for group in gap.groups] == [(10, 10), (30, 30)]


def test_a_mapping_a_table_and_its_file_say_the_same(tmp_path):
    table = pl.DataFrame(
        [
            {"zip": int(z), "black": 0.0, "white": 0.0, "other": 0.0} | row
            for z, row in CHANCE.items()
        ]
    )
    table.write_csv(tmp_path / "chance.csv")
    table.write_parquet(tmp_path / "chance.parquet")
    notation = "bounds(difference(selection_rate, by=race))"
    whole = {**ROWS, "zip": [int(z) for z in ROWS["zip"]]}
    specs = [CHANCE, table, str(tmp_path / "chance.csv"), tmp_path / "chance.parquet"]
    found = [eh.estimate(notation, decisions(whole, spec)) for spec in specs]
    assert len({one.outcome for one in found}) == 1


def test_without_bounds_a_proxy_gives_no_figure_and_says_what_to_write():
    log = decisions(ROWS, CHANCE)
    for contrast in ("difference", "ratio", "to_overall", "pairs"):
        found = eh.estimates([f"{contrast}(selection_rate, by=race)"], log)
        assert all(
            "known only as a probability: write bounds(...)" in one.undefined for one in found
        )


@pytest.mark.parametrize("name", ["true_positive_rate", "f1", "positive_predictive_value"])
def test_rates_among_some_rows_are_undefined(name):
    found = eh.estimate(f"bounds(difference({name}, by=race))", decisions(ROWS, CHANCE))
    assert "with a proxy, bounds are known for shares of all rows" in found.undefined


def test_missing_labels_are_not_guessed():
    rows = {**ROWS, "y": [None, *ROWS["y"][1:]]}
    found = eh.estimate("bounds(difference(accuracy, by=race))", decisions(rows, CHANCE))
    assert "label is missing for 1 of 10 rows" in found.undefined


def test_values_that_the_table_lacks_are_left_out_and_counted():
    rows = {
        name: [*values, *more]
        for (name, values), more in zip(
            ROWS.items(), (["9", "9", None], [1, 1, 1], [1, 1, 1]), strict=True
        )
    }
    found = eh.estimate("bounds(difference(selection_rate, by=race))", decisions(rows, CHANCE))
    plain = eh.estimate("bounds(difference(selection_rate, by=race))", decisions(ROWS, CHANCE))
    assert set_of(found) == pytest.approx(set_of(plain))
    assert sum(part.rows for part in found.excluded) == 3
    assert found.excluded[0].reason == "race: the proxy's table lacks the value"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"1": {"a": 0.7, "b": 0.7}}, "sum of at most 1"),
        ({"1": {"a": -0.1}}, "not in .0, 1."),
        ({"1": {"a": 1.5}}, "not in .0, 1."),
        ({"1": {"a": float("nan")}}, "not in .0, 1."),
        ({"1": {"a": None}}, "probabilit"),
        ({"1": {"a": "much"}}, "probabilit"),
        ({}, "no groups"),
        ({"1": 0.5}, "a table or a mapping"),
        (["1"], "a table or a mapping"),
        (pl.DataFrame({"place": ["1"], "a": [1.0]}), "no column 'zip'"),
        ("gone.csv", "cannot be read"),
        (pl.DataFrame({"zip": ["1", "1"], "a": [1.0, 0.0]}), "twice"),
    ],
)
def test_bad_tables_are_refused(table, message):
    with pytest.raises(EvenhandError, match=message):
        decisions(ROWS, table)


@pytest.mark.parametrize("by", ["by=[race, zip]", "by=race, given=zip", "by=zip, given=race"])
def test_a_proxy_cannot_be_combined(by):
    with pytest.raises(NotationError, match="cannot be combined"):
        eh.estimate(f"bounds(difference(selection_rate, {by}))", decisions(ROWS, CHANCE))


def draw(rng, units, unit_rows=1):
    """Draw rows of which the proxy and, hidden, the group decide."""
    values = np.array(sorted(CHANCE))[rng.integers(0, 3, units)]
    names = np.array(["black", "white", "other"])
    group = np.array([rng.choice(names, p=[CHANCE[z].get(u, 0.0) for u in names]) for z in values])
    chance = np.array([TRUE[u] for u in group])
    own = rng.beta(chance / 0.3, (1 - chance) / 0.3) if unit_rows > 1 else chance
    return {
        "zip": np.repeat(values, unit_rows),
        "group": np.repeat(group, unit_rows),
        "u": np.repeat(np.arange(units), unit_rows),
        "p": (rng.random(units * unit_rows) < np.repeat(own, unit_rows)).astype(int),
    }


TRUE = {"black": 0.3, "white": 0.6, "other": 0.5}


def test_sets_contain_the_planted_rates():
    log = decisions(draw(np.random.default_rng(2), 20_000), CHANCE)
    found = eh.estimate("bounds(difference(selection_rate, by=race))", log)
    for group in found.groups:
        low, high = group.outcome.identified
        assert low < TRUE[group.group["race"]] < high
    assert set_of(found)[0] < 0.3 < set_of(found)[1]


# 300 logs; a true coverage of .95 falls below .92 with probability 2 %, and the seeds are fixed.
# Two groups of certain membership in two of three places are at an end of their sets.
@pytest.mark.slow
@pytest.mark.parametrize("unit_rows", [1, 6])
def test_the_ends_of_sets_are_covered(unit_rows):
    rng = np.random.default_rng(5)
    shares = dict.fromkeys(CHANCE, 1 / 3)
    rates = {z: sum(q * TRUE[u] for u, q in row.items()) for z, row in CHANCE.items()}
    names = ["black", "white", "other"]
    truth = program(shares, rates, CHANCE, names, {"black": 1, "white": -1})
    covered = {"low": 0, "high": 0}
    for drawn in range(1, 301):
        log = decisions(draw(rng, 240, unit_rows), CHANCE, unit="u" if unit_rows > 1 else None)
        found = eh.estimates(["bounds(pairs(selection_rate, by=race))"], log)
        (pair,) = (
            one
            for one in found
            if {*itertools.chain(*(g.values() for g in one.pair))} == {"black", "white"}
        )
        sign = 1 if pair.pair[0]["race"] == "black" else -1
        low, high = sorted((sign * pair.low, sign * pair.high))
        covered["low"] += low <= truth[0]
        covered["high"] += high >= truth[1]
        if settled(min(covered.values()) / drawn, drawn, 300, least=0.92):
            break
    assert min(covered.values()) / drawn >= 0.92
