"""The unit's hash: golden vectors, equal on every engine, and even over buckets."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import special

import evenhand as eh
from evenhand.errors import RoleError
from evenhand.logs.source import open_source
from evenhand.logs.unit import (
    BUCKETS,
    HASH,
    ROW,
    UNIT,
    Unit,
    integer_hash,
    with_unit_columns,
)

# Golden vectors: they never change, or yesterday's states no longer merge with today's.
INTEGERS = {
    0: 12345,
    1: 81414,
    2: 2222553,
    7: 1160855028,
    10**6: 833593875,
    12345678901: 1902403590,
    2**31 - 1: 12345,
    2**62 + 3: 70739001,
    2**63 - 1: 81414,
    -1: 2147426923,
    -2: 2145285784,
    -(2**63): 2145285784,
}
# xxHash64 of the UTF-8 bytes with seed 42, as the reference implementation gives it.
TEXTS = {
    "": 11002672306508523268,
    "a": 9864288744972464332,
    "alice": 2281294259717289107,
    "ü": 7408949341365432148,
    "user-000001": 11477480662742605217,
    "日本語 longer than thirty-two bytes, surely so": 8765843815700608656,
}
ENGINES = ["polars", "duckdb", pytest.param("spark", marks=pytest.mark.slow)]


def hashes(units: pl.Series, engine: str, request) -> list[int | None]:
    """Hashes in the order of the units."""
    if engine == "spark":
        request.getfixturevalue("spark")
    table = pl.DataFrame({"i": range(len(units)), UNIT: units})
    unit = Unit("column", (UNIT,))
    frame = with_unit_columns(open_source(table, engine).frame, engine, unit)
    return frame.select("i", HASH).collect(backend="polars").to_native().sort("i")[HASH].to_list()


@pytest.mark.parametrize("engine", ENGINES)
def test_whole_number_units_hash_to_their_golden_vectors(engine, request):
    units = pl.Series([*INTEGERS, None], dtype=pl.Int64)
    assert hashes(units, engine, request) == [*INTEGERS.values(), None]


@pytest.mark.parametrize("engine", ENGINES)
def test_text_units_hash_to_their_golden_vectors(engine, request):
    units = pl.Series([*TEXTS, None], dtype=pl.String)
    assert hashes(units, engine, request) == [value % 2**31 for value in TEXTS.values()] + [None]


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int32, pl.UInt8, pl.UInt32, pl.UInt64])
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_width_of_the_integer_does_not_matter(engine, dtype, request):
    assert hashes(pl.Series([0, 1, 2, 7], dtype=dtype), engine, request) == [
        INTEGERS[unit] for unit in (0, 1, 2, 7)
    ]


def test_unsigned_units_beyond_the_signed_range_hash_as_python_does(request):
    units = [2**63, 2**64 - 1]
    wanted = [integer_hash(unit) for unit in units]
    assert hashes(pl.Series(units, dtype=pl.UInt64), "polars", request) == wanted


# A chi-square test of evenness over the buckets; its seeds are fixed, its level is 1e-6.
@pytest.mark.parametrize(
    "units",
    [
        range(100_000),
        range(0, 100_000 * 128, 128),
        range(0, 100_000 * 1000, 1000),
        range(10**15, 10**15 + 100_000),
        range(2**40, 2**40 + 100_000 * 4096, 4096),
        np.random.default_rng(1).integers(-(2**63), 2**63, 100_000).tolist(),
    ],
    ids=["1 by 1", "by 128", "by 1000", "large", "by 4096", "random"],
)
def test_structured_ids_spread_evenly_over_the_buckets(units):
    counts = np.bincount([integer_hash(unit) % BUCKETS for unit in units], minlength=BUCKETS)
    expected = counts.sum() / BUCKETS
    statistic = np.square(counts - expected).sum() / expected
    # An even spread may be too even (a permutation of sequential ids); only lumps do harm.
    assert special.chdtrc(BUCKETS - 1, statistic) > 1e-6


@pytest.mark.parametrize(
    ("written", "kind", "columns"),
    [
        (None, "row", ()),
        ("row", "row", ()),
        ("user", "column", ("user",)),
        (["user", "item"], "two_way", ("user", "item")),
        (("user", "item"), "two_way", ("user", "item")),
        ("[user, item]", "two_way", ("user", "item")),
        ("[ 'user' , item ]", "two_way", ("user", "item")),
        ("pair(user, item)", "dyadic", ("user", "item")),
        ("pair(a, b)", "column", ("pair(a, b)",)),
    ],
)
def test_unit_is_read_as_it_is_written(written, kind, columns):
    schema = pl.Schema({"user": pl.Int64, "item": pl.Int64, "pair(a, b)": pl.Int64})
    assert Unit.of(written, schema) == Unit(kind, columns)


@pytest.mark.parametrize("unit", [ROW, Unit("column", ("user",)), Unit("dyadic", ("a", "b"))])
def test_unit_prints_as_it_is_written(unit):
    assert Unit.of(str(unit), {}) == unit


def problems(unit):
    rows = pl.DataFrame({"p": [1], "user": [1], "item": ["x"], "size": [0.5], "other": [2]})
    with pytest.raises(RoleError) as caught:
        eh.log(rows, kind="decisions", prediction="p", unit=unit)
    assert {problem.where for problem in caught.value.problems} == {"unit"}
    return [(problem.what, problem.hint) for problem in caught.value.problems]


def test_all_problems_of_two_units_come_at_once():
    (missing, suggestion), (wrong, _) = problems("[usr, size]")
    assert missing == "there is no column 'usr'."
    assert suggestion == "Did you mean 'user'?"
    assert wrong == "'size' is Float64; the unit must be a whole number or text."


@pytest.mark.parametrize("unit", ["[user, user]", "[user]", "pair(user)", "[]", ["user"] * 3])
def test_two_units_are_two_different_columns(unit):
    ((what, hint),) = problems(unit)
    assert "must name two different columns" in what
    assert "Write" in hint


def test_both_sides_of_a_pair_have_one_type():
    ((what, hint),) = problems("pair(user, item)")
    assert what == "'user' is Int64 and 'item' is String."
    assert "[user, item]" in hint


@pytest.mark.parametrize("engine", ENGINES)
def test_bucket_of_two_units_is_the_pair_of_their_own(engine, request):
    if engine == "spark":
        request.getfixturevalue("spark")
    unit = Unit("two_way", ("user", "item"))
    table = pl.DataFrame(
        {"i": range(500), UNIT: range(500), "unit_2": [f"v{i}" for i in range(500)]}
    )
    frame = with_unit_columns(open_source(table, engine).frame, engine, unit)
    found = frame.collect(backend="polars").to_native().sort("i")
    first, second = found[HASH].to_numpy(), found["unit_hash_2"].to_numpy()
    assert first.tolist() == [integer_hash(i) for i in range(500)]
    assert (found["bucket"].to_numpy() == first % 32 * 32 + second % 32).all()
    assert (
        found.select(unit.bucket_of(unit.sides[1])).to_series().to_list() == (second % 32).tolist()
    )
    assert (found["register_part_2"].to_numpy() == second % 512 - second % 32).all()
