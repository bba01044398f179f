import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.engine import score as score_tables


def decisions(rows):
    return eh.log(rows, kind="decisions", label="y", score="s", groups=["g"])


@pytest.fixture
def rows():
    rng = np.random.default_rng(3)
    score = rng.normal(0, 1, 4_000)
    label = rng.random(4_000) < 1 / (1 + np.exp(-score))
    return pl.DataFrame({"g": rng.choice(["a", "b"], 4_000), "s": score, "y": label})


# Areas that look outside the group have ties with rows of other groups.
@pytest.mark.parametrize("measure", ["bpsn_auc", "bnsp_auc"])
def test_area_across_groups_is_within_the_error_that_is_printed(rows, measure, monkeypatch):
    exact = eh.estimate(f"worst({measure}, by=g)", decisions(rows))
    for name in ("MOST_SCORES", "_FEWEST_SCORES", "_MOST_ROWS"):
        monkeypatch.setattr(score_tables, name, 64)
    binned = eh.estimate(f"worst({measure}, by=g)", decisions(rows))
    bound = float(binned.conventions["ties"].partition("at most ")[2])
    for one, other in zip(binned.groups, exact.groups, strict=True):
        assert abs(one.outcome.value - other.outcome.value) <= bound


# More scores than are kept: the finding says how far off the area can be, and it is not further.
def test_binned_area_is_within_the_error_that_is_printed(rows, monkeypatch):
    exact = eh.estimate("auc", decisions(rows))
    assert "score" not in exact.conventions
    monkeypatch.setattr(score_tables, "MOST_SCORES", 64)
    monkeypatch.setattr(score_tables, "_FEWEST_SCORES", 64)
    monkeypatch.setattr(score_tables, "_MOST_ROWS", 64)
    binned = eh.estimate("auc", decisions(rows))
    assert "taken in bins" in binned.conventions["score"]
    bound = float(binned.conventions["ties"].partition("at most ")[2])
    assert 0 < abs(binned.value - exact.value) <= bound
    assert bound < 0.03
    assert binned.high - binned.low == pytest.approx(exact.high - exact.low, rel=0.05)


def test_bins_of_states_that_merge_are_those_of_the_whole(rows, monkeypatch):
    from evenhand.engine import Request, plan_scan, scan
    from evenhand.measures.registry import measures

    monkeypatch.setattr(score_tables, "MOST_SCORES", 64)
    monkeypatch.setattr(score_tables, "_FEWEST_SCORES", 64)
    monkeypatch.setattr(score_tables, "_MOST_ROWS", 64)

    def state(part):
        log = decisions(part)
        return scan(plan_scan([Request(measures()["auc"](), ("g",))], log), log)

    whole = state(rows).scores[("g",)]["score"]
    parts = [state(rows[start : start + 500]) for start in range(0, 4_000, 500)]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    found = merged.scores[("g",)]["score"]
    assert found.width == whole.width > 0
    keys = list(whole.fine.keys)
    columns = whole.fine.frame.columns
    assert found.fine.frame.select(columns).sort(keys).equals(whole.fine.frame.sort(keys))
