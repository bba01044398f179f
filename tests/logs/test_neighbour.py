import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import RoleError


def test_means_are_those_of_the_nearest_rows_without_the_row_itself():
    rng = np.random.default_rng(1)
    rows = pl.DataFrame(
        {"a": rng.normal(0, 1, 60), "b": rng.normal(0, 5, 60), "p": rng.integers(0, 2, 60)}
    )
    points = rows.select("a", "b").to_numpy()
    points = points / points.std(axis=0)
    wanted = []
    for i, point in enumerate(points):
        far = np.square(points - point).sum(axis=1)
        far[i] = np.inf
        wanted.append(rows["p"].to_numpy()[np.argsort(far)[:7]].mean())
    found = eh.neighbour_means(rows, "p", ["a", "b"], k=7)
    np.testing.assert_allclose(found.to_numpy(), wanted)


def test_rows_that_are_equal_are_neighbours_of_each_other():
    rows = pl.DataFrame({"a": [1.0] * 4, "p": [1, 1, 1, 0]})
    found = eh.neighbour_means(rows, "p", ["a"], k=3)
    np.testing.assert_allclose(found.to_numpy(), [2 / 3, 2 / 3, 2 / 3, 1])


def test_consistency_of_equal_people_who_are_decided_alike_is_one():
    rows = pl.DataFrame({"a": [0.0] * 5 + [9.0] * 5, "p": [1] * 5 + [0] * 5})
    rows = rows.with_columns(eh.neighbour_means(rows, "p", ["a"], k=4))
    log = eh.log(rows, kind="decisions", prediction="p", neighbours="neighbours")
    found = eh.estimate("consistency", log)
    assert found.value == 1
    assert "too narrow" in found.conventions["neighbours"]


@pytest.mark.parametrize(
    ("features", "k", "said"),
    [
        (["b"], 1, "no column 'b'"),
        (["t"], 1, "no column of numbers"),
        (["gap"], 1, "no column of numbers"),
        (["a"], 3, "cannot be found"),
        ([], 1, "cannot be found"),
    ],
)
def test_what_cannot_be_compared_is_named(features, k, said):
    rows = pl.DataFrame(
        {"a": [1.0, 2.0, 3.0], "t": ["x", "y", "z"], "gap": [1.0, None, 2.0], "p": [1, 0, 1]}
    )
    with pytest.raises(RoleError, match=said):
        eh.neighbour_means(rows, "p", features, k=k)
