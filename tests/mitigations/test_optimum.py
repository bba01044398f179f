import numpy as np
import pytest

from evenhand.errors import RoleError
from evenhand.mitigations.candidates import NOBODY, candidates_of
from evenhand.mitigations.optimum import best_under_minima
from naive_exposure import best_order


def random_request(rng, *, most=6):
    n = int(rng.integers(1, most + 1))
    scores = (rng.integers(-5, 6, n) / 4).tolist()  # ties and negative scores
    groups = [["a", "b", "c", None][place] for place in rng.integers(0, 4, n)]
    return scores, groups


@pytest.mark.parametrize("seed", range(60))
def test_is_the_best_of_all_orders(seed):
    rng = np.random.default_rng(seed)
    scores, groups = random_request(rng)
    k = int(rng.integers(1, len(scores) + 1))
    steps = rng.multinomial(1, [0.2, 0.2, 0.15, 0.45], size=k)[:, :3]
    minima = np.cumsum(steps, axis=0)
    found = best_under_minima(candidates_of([scores], [groups], "abc"), minima, k)
    asked = [dict(zip("abc", row, strict=True)) for row in minima.tolist()]
    expected = best_order(scores, groups, k, asked)
    if expected is None:
        assert found.reasons[0]
        assert np.isnan(found.utility[0])
        assert (found.order == NOBODY).all()
    else:
        assert not found.reasons
        assert found.utility[0] == pytest.approx(expected, abs=1e-12)
        order = found.order[0].tolist()
        assert len({*order}) == k
        for slot, row in enumerate(asked):
            held = [groups[one] for one in order[: slot + 1]]
            assert all(held.count(name) >= least for name, least in row.items())


def test_without_minima_it_is_the_order_by_score():
    asked = candidates_of([[0.5, 0.9, 0.5], [0.1]], [["a", "b", "b"], ["a"]])
    found = best_under_minima(asked, np.zeros((2, 2), np.int64), 2)
    assert found.order.tolist() == asked.best(2).tolist()


def test_names_the_group_that_runs_out():
    asked = candidates_of([[3, 2, 1]], [["m", "m", "f"]])
    minima = np.array([[0, 0], [1, 0], [2, 0]])
    found = best_under_minima(asked, minima, 3)
    assert found.reasons == {0: "1 of 2 of group 'f' by slot 3"}


def test_names_the_prefix_that_cannot_hold_all():
    asked = candidates_of([[3, 2, 1]], [["m", "m", "f"]])
    found = best_under_minima(asked, np.array([[1, 1], [1, 1], [1, 1]]), 3)
    assert found.reasons == {0: "groups must have 2 in the first 1"}


def test_fewer_candidates_than_slots_leave_slots_empty():
    asked = candidates_of([[3, 1], []], [["m", "f"], []], ["f", "m"])
    found = best_under_minima(asked, np.array([[1, 0], [1, 0], [1, 0]]), 3)
    assert found.order.tolist() == [[1, 0, NOBODY], [NOBODY] * 3]
    assert found.reasons == {}


def test_minima_may_differ_between_requests():
    asked = candidates_of([[3, 1]] * 2, [["m", "f"]] * 2)
    minima = np.array([[[0, 0], [0, 0]], [[1, 0], [1, 0]]])
    assert best_under_minima(asked, minima, 2).order.tolist() == [[0, 1], [1, 0]]


def test_refuses_minima_of_another_shape():
    with pytest.raises(RoleError, match="slots and groups"):
        best_under_minima(candidates_of([[1]], [["a"]]), np.zeros((1, 2), np.int64), 1)
