import numpy as np
import pytest

from evenhand.mitigations.candidates import candidates_of
from evenhand.mitigations.draw import draws_of


def test_draws_are_uniform_over_keys():
    # The largest distance of 2,000 uniform draws from their law exceeds .0447 once in 1,000.
    asked = candidates_of([[1.0]] * 2000, [["a"]] * 2000)
    drawn = np.sort(draws_of(asked, 0, range(2000)))
    assert drawn.min() >= 0
    assert drawn.max() < 1
    steps = np.arange(2001) / 2000
    assert max(abs(drawn - steps[1:]).max(), abs(drawn - steps[:-1]).max()) < 0.0447


def test_a_draw_hangs_on_the_key_and_the_seed_alone():
    asked = candidates_of([[1.0], [2.0], [3.0]], [["a"]] * 3)
    drawn = draws_of(asked, 7, ["x", "y", "x"])
    assert drawn[0] == drawn[2] != drawn[1]
    assert draws_of(asked, 8, ["x", "y", "x"])[0] != drawn[0]


@pytest.mark.parametrize("keys", [[3, 4], np.array([3, 4]), ("3", "4")])
def test_keys_of_any_library_draw_alike(keys):
    asked = candidates_of([[1.0], [2.0]], [["a"]] * 2)
    assert draws_of(asked, 0, keys).tolist() == draws_of(asked, 0, [3, 4]).tolist()


def test_without_keys_the_candidates_are_the_key():
    asked = candidates_of([[1.0, 2.0], [1.0], [1.0]], [["a", "b"], ["a"], ["b"]])
    drawn = draws_of(asked, 0, None)
    assert len({*drawn.tolist()}) == 3
    alone = candidates_of([[1.0]], [["a"]], ["a", "b"])
    assert draws_of(alone, 0, None)[0] == drawn[1]
