"""What `docs/parity.py` compares: rows of the page, and how peers define a figure otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

Limit = Literal["value", "low", "high"]
FAIRLEARN, AIF360, AEQUITAS = "Fairlearn", "AIF360", "Aequitas"
SKLEARN, STATSMODELS = "scikit-learn", "statsmodels"
DIVIDED_BY_ZERO = 10.0
"""What Aequitas says for a disparity whose reference group has a rate of 0."""


class Ours(Protocol):
    """Our figures of one case; None where a figure is undefined."""

    reference: str

    def rate(self, measure: str, group: str) -> float | None:
        """Return the measure in one group."""

    def rest(self, measure: str) -> float:
        """Return the measure in all groups but the reference, taken as one group."""

    def rates(self, measure: str) -> list[float | None]:
        """Return the measure in every group."""

    def trials(self, measure: str) -> dict[str, int]:
        """Return the rows that the measure divides by, for every group."""


@dataclass(frozen=True)
class Row:
    """One figure, ours and a peer's.

    Attributes:
        notation: Our notation.
        peer: Whose function.
        function: The peer's function, as the peer's script names it.
        group: The group that both are about; empty for all.
        limit: Which number of our finding.
        first: The first group of the peer's comparison, where ours needs none.

    """

    notation: str
    peer: str
    function: str
    group: str = ""
    limit: Limit = "value"
    first: str = ""

    @property
    def asked(self) -> str:
        """The group that the peer is asked about."""
        return self.group or self.first


@dataclass(frozen=True)
class Difference:
    """Why a peer's function gives another number, and that number from our figures.

    Attributes:
        reason: How the peer defines it.
        convert: The peer's number computed from ours, for one group where the row names one.

    """

    reason: str
    convert: Callable[[Ours, str], float]


def _gap(ours: Ours, measure: str) -> float:
    """Return all other groups as one, minus the reference group."""
    return ours.rest(measure) - (ours.rate(measure, ours.reference) or 0.0)


def _over_reference(measure: str) -> Callable[[Ours, str], float]:
    def convert(ours: Ours, group: str) -> float:
        reference, rate = ours.rate(measure, ours.reference), ours.rate(measure, group)
        if reference is None or rate is None:
            return math.nan
        return rate / reference if reference else DIVIDED_BY_ZERO

    return convert


def _rest_over_reference(measure: str) -> Callable[[Ours, str], float]:
    def convert(ours: Ours, _: str) -> float:
        reference = ours.rate(measure, ours.reference)
        return ours.rest(measure) / reference if reference else math.inf

    return convert


def _zero_where_undefined(measure: str) -> Callable[[Ours, str], float]:
    def convert(ours: Ours, _: str) -> float:
        rates = [rate or 0.0 for rate in ours.rates(measure)]
        return max(rates) - min(rates)

    return convert


def _share_of_selected(ours: Ours, group: str) -> float:
    """Return the group's part of all selected rows."""
    rows = ours.trials("selection_rate")
    selected = {name: rows[name] * (ours.rate("selection_rate", name) or 0.0) for name in rows}
    return selected[group] / sum(selected.values())


TPR, FPR = "true_positive_rate", "false_positive_rate"
ONE_GROUP = "signed: all groups but the privileged one, taken as one group, minus the privileged"
OVER = (
    "unprivileged over privileged, so it can exceed 1, and is inf over 0; "
    "several unprivileged groups count as one"
)
DISPARITY = "the group over the reference group, so it can exceed 1; a reference of 0 gives 10.0"
NO_ROWS = "a rate of 0 of 0 counts as 0; ours is undefined and says which group"

AEQUITAS_RATES = {
    "pprev": "selection_rate",
    "tpr": TPR,
    "tnr": "true_negative_rate",
    "fpr": FPR,
    "fnr": "false_negative_rate",
    "precision": "positive_predictive_value",
    "npv": "negative_predictive_value",
    "fdr": "false_discovery_rate",
    "for": "false_omission_rate",
}

DIFFERENCES: dict[tuple[str, str], Difference] = {
    (FAIRLEARN, "equalized_odds_difference(agg='mean')"): Difference(
        "the mean of the two gaps; ours is the larger, Fairlearn's default too",
        lambda ours, _: sum(_zero_where_undefined(rate)(ours, "") for rate in (TPR, FPR)) / 2,
    ),
    (FAIRLEARN, "zero_one_loss_group_max"): Difference(
        "the share of errors, 1 - accuracy, of the worst group",
        lambda ours, _: 1 - min(rate or 0.0 for rate in ours.rates("accuracy")),
    ),
    (FAIRLEARN, f"MetricFrame(metrics={TPR}).by_group"): Difference(
        NO_ROWS, lambda ours, group: ours.rate(TPR, group) or 0.0
    ),
    (FAIRLEARN, "equal_opportunity_difference"): Difference(NO_ROWS, _zero_where_undefined(TPR)),
    (FAIRLEARN, "equalized_odds_difference"): Difference(
        NO_ROWS,
        lambda ours, _: max(_zero_where_undefined(rate)(ours, "") for rate in (TPR, FPR)),
    ),
    (FAIRLEARN, "recall_score_group_min"): Difference(
        NO_ROWS, lambda ours, _: min(rate or 0.0 for rate in ours.rates(TPR))
    ),
    (FAIRLEARN, "precision_score_group_min"): Difference(
        NO_ROWS,
        lambda ours, _: min(rate or 0.0 for rate in ours.rates("positive_predictive_value")),
    ),
    (AIF360, "statistical_parity_difference"): Difference(
        ONE_GROUP, lambda ours, _: _gap(ours, "selection_rate")
    ),
    (AIF360, "equal_opportunity_difference"): Difference(
        ONE_GROUP, lambda ours, _: _gap(ours, TPR)
    ),
    (AIF360, "equalized_odds_difference"): Difference(
        "all groups but the privileged one count as one group",
        lambda ours, _: max(abs(_gap(ours, FPR)), abs(_gap(ours, TPR))),
    ),
    (AIF360, "average_odds_difference"): Difference(
        "the mean of the two signed gaps, unprivileged minus privileged: opposite gaps cancel",
        lambda ours, _: (_gap(ours, FPR) + _gap(ours, TPR)) / 2,
    ),
    (AIF360, "average_abs_odds_difference"): Difference(
        "the mean of the two gaps without their signs; ours is the larger",
        lambda ours, _: (abs(_gap(ours, FPR)) + abs(_gap(ours, TPR))) / 2,
    ),
    (AIF360, "disparate_impact"): Difference(OVER, _rest_over_reference("selection_rate")),
    (AIF360, "sklearn.disparate_impact_ratio"): Difference(
        "as `disparate_impact`, but 0 where the privileged rate is 0",
        lambda ours, _: (
            _rest_over_reference("selection_rate")(ours, "")
            if ours.rate("selection_rate", ours.reference)
            else 0.0
        ),
    ),
    (AIF360, "false_positive_rate_ratio"): Difference(OVER, _rest_over_reference(FPR)),
    (AIF360, "error_rate_difference"): Difference(
        "of error rates, 1 - accuracy: the sign is turned", lambda ours, _: -_gap(ours, "accuracy")
    ),
    (AEQUITAS, "ppr"): Difference(
        "the group's part of all selected rows, not the selected part of the group",
        _share_of_selected,
    ),
    **{
        (AEQUITAS, f"{name}_disparity"): Difference(DISPARITY, _over_reference(measure))
        for name, measure in AEQUITAS_RATES.items()
    },
}


def contrasts(by: str) -> Iterator[Row]:
    """Yield figures over any number of groups."""
    fairlearn = {
        f"demographic_parity_difference(by={by})": ["demographic_parity_difference"],
        f"demographic_parity_ratio(by={by})": ["demographic_parity_ratio"],
        f"equal_opportunity_difference(by={by})": ["equal_opportunity_difference"],
        f"equal_opportunity_ratio(by={by})": ["equal_opportunity_ratio"],
        f"equalized_odds_difference(by={by})": [
            "equalized_odds_difference",
            "equalized_odds_difference(agg='mean')",
        ],
        f"difference(false_positive_rate, by={by})": ["false_positive_rate_difference"],
        f"ratio(false_positive_rate, by={by})": ["false_positive_rate_ratio"],
        f"difference(true_negative_rate, by={by})": ["true_negative_rate_difference"],
        f"ratio(true_negative_rate, by={by})": ["true_negative_rate_ratio"],
        f"difference(false_negative_rate, by={by})": ["false_negative_rate_difference"],
        f"ratio(false_negative_rate, by={by})": ["false_negative_rate_ratio"],
        f"difference(accuracy, by={by})": ["accuracy_score_difference"],
        f"ratio(accuracy, by={by})": ["accuracy_score_ratio"],
        f"worst(accuracy, by={by})": ["accuracy_score_group_min", "zero_one_loss_group_max"],
        f"worst(balanced_accuracy, by={by})": ["balanced_accuracy_score_group_min"],
        f"worst(positive_predictive_value, by={by})": ["precision_score_group_min"],
        f"worst(true_positive_rate, by={by})": ["recall_score_group_min"],
        f"worst(f1, by={by})": ["f1_score_group_min"],
        f"to_overall(selection_rate, by={by})": [
            "demographic_parity_difference(method='to_overall')"
        ],
    }
    for notation, functions in fairlearn.items():
        for function in functions:
            yield Row(notation, FAIRLEARN, function)
    yield Row(f"demographic_parity_ratio(by={by})", AIF360, "disparate_impact")
    yield Row(f"equalized_odds_difference(by={by})", AIF360, "equalized_odds_difference")
    yield Row(f"equalized_odds_difference(by={by})", AIF360, "average_odds_difference")
    yield Row(f"equalized_odds_difference(by={by})", AIF360, "average_abs_odds_difference")
    yield Row(f"ratio(false_positive_rate, by={by})", AIF360, "false_positive_rate_ratio")
    yield Row("generalized_entropy(alpha=2)", AIF360, "generalized_entropy_index")
    yield Row("theil_index", AIF360, "theil_index")
    function = "between_all_groups_generalized_entropy_index"
    yield Row(f"between(generalized_entropy(alpha=2), by={by})", AIF360, function)


def of_rows(by: str) -> Iterator[Row]:
    """Yield figures of the whole log: predictions and scores."""
    figures = {
        "accuracy": "accuracy_score",
        "positive_predictive_value": "precision_score",
        "true_positive_rate": "recall_score",
        "f1": "f1_score",
        "balanced_accuracy": "balanced_accuracy_score",
        "matthews_correlation": "matthews_corrcoef",
        "true_positive_rate(average=macro)": "recall_score(average='macro')",
        "f1(average=macro)": "f1_score(average='macro')",
        "auc": "roc_auc_score",
        "brier_score": "brier_score_loss",
        "log_loss": "log_loss",
    }
    for notation, function in figures.items():
        yield Row(notation, SKLEARN, function)
    yield Row("mean_score", FAIRLEARN, "mean_prediction(score)")
    yield Row(f"worst(auc, by={by})", FAIRLEARN, "roc_auc_score_group_min")
    yield Row(f"worst(log_loss, by={by})", FAIRLEARN, "log_loss_group_max")


def two_groups(by: str, first: str, second: str) -> Iterator[Row]:
    """Yield signed figures, which peers define for two groups, and intervals."""
    signed = {
        f"pairs(selection_rate, by={by})": "statistical_parity_difference",
        f"pairs(true_positive_rate, by={by})": "equal_opportunity_difference",
        f"pairs(false_positive_rate, by={by})": "false_positive_rate_difference",
        f"pairs(accuracy, by={by})": "error_rate_difference",
        f"between(generalized_entropy(alpha=2), by={by})": (
            "between_group_generalized_entropy_index"
        ),
    }
    for notation, function in signed.items():
        yield Row(notation, AIF360, function)
    for rate in ("selection_rate", TPR, FPR):
        for side, limit in enumerate[Limit](("low", "high")):
            function = f"proportion_confint({rate}, method='wilson')[{side}]"
            for group in (first, second):
                yield Row(rate, STATSMODELS, function, group, limit)
            name = f"confint_proportions_2indep({rate}, compare='diff', method='newcomb')[{side}]"
            notation = f"pairs({rate}, by={by})"
            yield Row(notation, STATSMODELS, name, limit=limit, first=first)


def rates(*groups: str) -> Iterator[Row]:
    """Yield the rates of every group."""
    aif360 = ("base_rate", "accuracy", *AEQUITAS_RATES.values())
    aequitas = {**AEQUITAS_RATES, "prev": "base_rate", "accuracy": "accuracy"}
    for group in groups:
        for measure in aif360:
            yield Row(measure, AIF360, measure, group)
        for function, measure in aequitas.items():
            yield Row(measure, AEQUITAS, function, group)
        yield Row("selection_rate", AEQUITAS, "ppr", group)


def disparities(by: str, *groups: str) -> Iterator[Row]:
    """Yield Aequitas' disparities of the groups to the reference."""
    for group in groups:
        for name, measure in AEQUITAS_RATES.items():
            yield Row(f"ratio({measure}, by={by})", AEQUITAS, f"{name}_disparity", first=group)


def empty_group(by: str, group: str, other: str) -> Iterator[Row]:
    """Yield figures that a group without positives and without selections makes hard."""
    yield Row(TPR, FAIRLEARN, f"MetricFrame(metrics={TPR}).by_group", group)
    yield Row(TPR, AEQUITAS, "tpr", group)
    yield Row("positive_predictive_value", AEQUITAS, "precision", group)
    yield Row(f"equal_opportunity_difference(by={by})", FAIRLEARN, "equal_opportunity_difference")
    yield Row(f"equalized_odds_difference(by={by})", FAIRLEARN, "equalized_odds_difference")
    yield Row(f"worst(true_positive_rate, by={by})", FAIRLEARN, "recall_score_group_min")
    yield Row(f"worst(positive_predictive_value, by={by})", FAIRLEARN, "precision_score_group_min")
    yield Row(f"ratio(selection_rate, by={by})", AEQUITAS, "pprev_disparity", first=other)
    for function in ("disparate_impact", "sklearn.disparate_impact_ratio"):
        yield Row(f"ratio(selection_rate, by={by})", AIF360, function)


def errors(by: str) -> Iterator[Row]:
    """Yield figures of regressions."""
    figures = {
        "mae": (SKLEARN, "mean_absolute_error"),
        "mse": (SKLEARN, "mean_squared_error"),
        "rmse": (SKLEARN, "root_mean_squared_error"),
        "r2": (SKLEARN, "r2_score"),
        "mean_error": (STATSMODELS, "bias"),
        f"worst(mae, by={by})": (FAIRLEARN, "mean_absolute_error_group_max"),
        f"worst(mse, by={by})": (FAIRLEARN, "mean_squared_error_group_max"),
        f"worst(r2, by={by})": (FAIRLEARN, "r2_score_group_min"),
    }
    for notation, (peer, function) in figures.items():
        yield Row(notation, peer, function)


def classes() -> Iterator[Row]:
    """Yield figures over several classes."""
    yield Row("accuracy", SKLEARN, "accuracy_score")
    yield Row("balanced_accuracy", SKLEARN, "balanced_accuracy_score")
    yield Row("matthews_correlation", SKLEARN, "matthews_corrcoef")
    for measure in ("precision", "recall", "f1"):
        ours = {"precision": "positive_predictive_value", "recall": TPR}.get(measure, measure)
        yield Row(f"{ours}(average=macro)", SKLEARN, f"{measure}_score(average='macro')")
