"""What Fairlearn says; run by `docs/parity.py` in Fairlearn's environment."""

from __future__ import annotations

import functools

from answer import Answer, Case, answer
from fairlearn import metrics


def _contrast(case: Case, _: str, *, name: str, **options: str) -> float:
    contrast = getattr(metrics, name)
    return contrast(case.label, case.prediction, sensitive_features=case.group, **options)


def _of_score(case: Case, _: str, *, name: str) -> float:
    return getattr(metrics, name)(case.label, case.score, sensitive_features=case.group)


def _by_group(case: Case, group: str, *, name: str) -> float:
    frame = metrics.MetricFrame(
        metrics=getattr(metrics, name),
        y_true=case.label,
        y_pred=case.prediction,
        sensitive_features=case.group,
    )
    return frame.by_group[group]


def _mean_score(case: Case, _: str) -> float:
    return metrics.mean_prediction(case.label, case.score)


CONTRASTS = (
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equal_opportunity_difference",
    "equal_opportunity_ratio",
    "equalized_odds_difference",
    "equalized_odds_ratio",
    "selection_rate_difference",
    "true_negative_rate_difference",
    "true_negative_rate_ratio",
    "false_positive_rate_difference",
    "false_positive_rate_ratio",
    "false_negative_rate_difference",
    "false_negative_rate_ratio",
    "accuracy_score_difference",
    "accuracy_score_ratio",
    "accuracy_score_group_min",
    "balanced_accuracy_score_group_min",
    "precision_score_group_min",
    "recall_score_group_min",
    "f1_score_group_min",
    "zero_one_loss_group_max",
    "mean_absolute_error_group_max",
    "mean_squared_error_group_max",
    "r2_score_group_min",
)
RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")
OF_SCORES = ("roc_auc_score_group_min", "log_loss_group_max")

FUNCTIONS: dict[str, Answer] = {
    **{name: functools.partial(_contrast, name=name) for name in CONTRASTS},
    **{name: functools.partial(_of_score, name=name) for name in OF_SCORES},
    **{
        f"MetricFrame(metrics={name}).by_group": functools.partial(_by_group, name=name)
        for name in RATES
    },
    "equalized_odds_difference(agg='mean')": functools.partial(
        _contrast, name="equalized_odds_difference", agg="mean"
    ),
    "demographic_parity_difference(method='to_overall')": functools.partial(
        _contrast, name="demographic_parity_difference", method="to_overall"
    ),
    "mean_prediction(score)": _mean_score,
}

if __name__ == "__main__":
    answer(FUNCTIONS)
