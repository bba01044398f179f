"""Figures as other tools define them, against their formulas by hand."""

from __future__ import annotations

import polars as pl
import pytest

import evenhand as eh
from evenhand.audits.peer import CONVENTIONS, converted
from evenhand.errors import NotationError, UndefinedError

# By group: label and prediction of (1, 1), (1, 0), (0, 1), (0, 0).
COUNTS = {"a": (5, 3, 2, 7), "b": (2, 4, 1, 8), "c": (6, 1, 5, 3)}
TOL = {"abs": 1e-12, "rel": 0}


def decisions(counts):
    rows = [
        {"g": group, "y": y, "p": p}
        for group, cells in counts.items()
        for (y, p), count in zip(((1, 1), (1, 0), (0, 1), (0, 0)), cells, strict=True)
        for _ in range(count)
    ]
    return eh.log(pl.DataFrame(rows), kind="decisions", label="y", prediction="p")


LOG = decisions(COUNTS)


def together(*groups):
    return [sum(cells) for cells in zip(*(COUNTS[group] for group in groups), strict=True)]


def selected(tp, fn, fp, tn):
    return (tp + fp) / (tp + fn + fp + tn)


def tpr(tp, fn, fp, tn):  # noqa: ARG001 - as the others
    return tp / (tp + fn)


def fpr(tp, fn, fp, tn):  # noqa: ARG001 - as the others
    return fp / (fp + tn)


def ppv(tp, fn, fp, tn):  # noqa: ARG001 - as the others
    return tp / (tp + fp)


def fnr(tp, fn, fp, tn):
    return 1 - tpr(tp, fn, fp, tn)


def each(rate):
    return [rate(*cells) for cells in COUNTS.values()]


def spread(rate):
    return max(each(rate)) - min(each(rate))


def gap(rate):
    """Return b and c as one against a, as AIF360 does with a privileged."""
    return rate(*together("b", "c")) - rate(*COUNTS["a"])


def over_a(rate):
    return {group: rate(*COUNTS[group]) / rate(*COUNTS["a"]) for group in "bc"}


EXPECTED = {
    "fairlearn.demographic_parity_difference": spread(selected),
    "fairlearn.demographic_parity_difference.to_overall": max(
        abs(rate - selected(*together("a", "b", "c"))) for rate in each(selected)
    ),
    "fairlearn.demographic_parity_ratio": min(each(selected)) / max(each(selected)),
    "fairlearn.equal_opportunity_difference": spread(tpr),
    "fairlearn.equalized_odds_difference": max(spread(tpr), spread(fpr)),
    "fairlearn.equalized_odds_difference.mean": (spread(tpr) + spread(fpr)) / 2,
    "aif360.statistical_parity_difference": gap(selected),
    "aif360.disparate_impact": selected(*together("b", "c")) / selected(*COUNTS["a"]),
    "aif360.equal_opportunity_difference": gap(tpr),
    "aif360.average_odds_difference": (gap(tpr) + gap(fpr)) / 2,
    "aif360.average_abs_odds_difference": (abs(gap(tpr)) + abs(gap(fpr))) / 2,
    "aequitas.ppr_disparity": over_a(selected),
    "aequitas.tpr_disparity": over_a(tpr),
    "aequitas.fpr_disparity": over_a(fpr),
    "aequitas.fnr_disparity": over_a(fnr),
    "aequitas.precision_disparity": over_a(ppv),
    "papers.equalized_odds_sum": spread(tpr) + spread(fpr),
}


def test_every_convention_is_tested():
    assert EXPECTED.keys() == CONVENTIONS.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_figure_is_its_formula(name):
    assert converted(name, LOG, by="g", reference="a") == pytest.approx(EXPECTED[name], **TOL)


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("reference", ["b", None])
def test_a_reference_matters_only_where_the_tool_has_one(name, reference):
    has_one = CONVENTIONS[name].lumps or CONVENTIONS[name].by_group
    if not has_one:
        assert converted(name, LOG, by="g", reference=reference) == pytest.approx(
            EXPECTED[name], **TOL
        )
    elif reference is None:
        with pytest.raises(NotationError, match="reference"):
            converted(name, LOG, by="g")
    else:
        assert converted(name, LOG, by="g", reference=reference) != EXPECTED[name]


def test_with_two_groups_the_ratio_of_aif360_may_exceed_one_and_that_of_fairlearn_may_not():
    log = decisions({group: COUNTS[group] for group in "ab"})
    above = converted("aif360.disparate_impact", log, by="g", reference="b")
    assert above == pytest.approx(selected(*COUNTS["a"]) / selected(*COUNTS["b"]), **TOL)
    assert above > 1
    below = converted("fairlearn.demographic_parity_ratio", log, by="g")
    assert below == pytest.approx(1 / above, **TOL)


def test_average_odds_cancel_as_they_do_there():
    log = decisions({"a": (2, 0, 0, 2), "b": (0, 2, 2, 0)})
    assert converted("aif360.average_odds_difference", log, by="g", reference="a") == 0
    assert converted("aif360.average_abs_odds_difference", log, by="g", reference="a") == 1
    assert converted("fairlearn.equalized_odds_difference", log, by="g") == 1


def test_a_misspelt_figure_has_a_hint():
    with pytest.raises(NotationError, match=r"did you mean|Did you mean") as caught:
        converted("aif360.disparate_impakt", LOG, by="g", reference="a")
    assert "aif360.disparate_impact" in str(caught.value)


def test_a_misspelt_reference_has_a_hint():
    rows = {"g": ["white", "black"] * 4, "p": [1, 0, 1, 1, 0, 0, 1, 0], "y": [1, 0] * 4}
    log = eh.log(pl.DataFrame(rows), kind="decisions", label="y", prediction="p")
    with pytest.raises(NotationError, match="there is no group 'whites'") as caught:
        converted("aif360.disparate_impact", log, by="g", reference="whites")
    assert "white" in str(caught.value).split("no group 'whites'")[1]


def test_an_undefined_group_is_named_with_its_reason():
    log = decisions({**COUNTS, "d": (0, 0, 1, 3)})
    with pytest.raises(UndefinedError, match="d: no positive labels"):
        converted("fairlearn.equal_opportunity_difference", log, by="g")


@pytest.mark.parametrize("name", ["aif360.disparate_impact", "aequitas.ppr_disparity"])
def test_a_reference_of_zero_divides_nothing(name):
    log = decisions({"a": (0, 3, 0, 2), "b": COUNTS["b"]})
    with pytest.raises(UndefinedError, match="the reference group's figure is 0") as caught:
        converted(name, log, by="g", reference="a")
    assert "Compare differences instead" in str(caught.value)


def test_nobody_selected_is_no_ratio():
    log = decisions({"a": (0, 3, 0, 2), "b": (0, 1, 0, 2)})
    with pytest.raises(UndefinedError, match="undefined"):
        converted("fairlearn.demographic_parity_ratio", log, by="g")


def test_rows_of_unknown_group_are_left_out():
    rows = {"g": ["a", "a", "b", "b", None], "p": [1, 0, 1, 1, 1], "y": [1] * 5}
    log = eh.log(pl.DataFrame(rows), kind="decisions", label="y", prediction="p")
    name = "fairlearn.demographic_parity_difference.to_overall"
    assert converted(name, log, by="g") == 0.25


def test_a_single_group_has_nothing_to_compare():
    with pytest.raises(NotationError):
        converted("aif360.disparate_impact", decisions({"a": COUNTS["a"]}), by="g", reference="a")
