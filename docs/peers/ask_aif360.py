"""What AIF360 says; run by `docs/parity.py` in AIF360's environment."""

from __future__ import annotations

import functools
import logging

logging.disable(logging.WARNING)  # the import lists every optional package that is not there

import pandas as pd  # noqa: E402  after the line above
from aif360.datasets import BinaryLabelDataset  # noqa: E402
from aif360.metrics import ClassificationMetric  # noqa: E402
from aif360.sklearn.metrics import disparate_impact_ratio  # noqa: E402
from answer import Answer, Case, answer  # noqa: E402

RATES = (
    "selection_rate",
    "accuracy",
    "true_positive_rate",
    "true_negative_rate",
    "false_positive_rate",
    "false_negative_rate",
    "positive_predictive_value",
    "negative_predictive_value",
    "false_discovery_rate",
    "false_omission_rate",
    "base_rate",
)
CONTRASTS = (
    "statistical_parity_difference",
    "disparate_impact",
    "equal_opportunity_difference",
    "equalized_odds_difference",
    "average_odds_difference",
    "average_abs_odds_difference",
    "false_positive_rate_difference",
    "false_positive_rate_ratio",
    "error_rate_difference",
    "generalized_entropy_index",
    "theil_index",
    "between_group_generalized_entropy_index",
    "between_all_groups_generalized_entropy_index",
)


@functools.cache
def _metric(case: Case) -> ClassificationMetric:
    """Return AIF360's view: numbers for groups, and one group privileged over the rest."""
    names = sorted(set(case.group))
    rows = case.rows[["label", "prediction"]].assign(
        group=[float(names.index(name)) for name in case.group]
    )
    codes = [float(code) for code in range(len(names))]
    reference = float(names.index(case.reference))
    true, predicted = (
        BinaryLabelDataset(
            df=rows[["group", column]].rename(columns={column: "label"}),
            label_names=["label"],
            protected_attribute_names=["group"],
            privileged_protected_attributes=[[reference]],
            unprivileged_protected_attributes=[[code for code in codes if code != reference]],
        )
        for column in ("label", "prediction")
    )
    return ClassificationMetric(
        true,
        predicted,
        unprivileged_groups=[{"group": code} for code in codes if code != reference],
        privileged_groups=[{"group": reference}],
    )


def _rate(case: Case, group: str, *, name: str) -> float:
    return getattr(_metric(case), name)(privileged=group == case.reference if group else None)


def _contrast(case: Case, _: str, *, name: str) -> float:
    return getattr(_metric(case), name)()


def _disparate_impact_ratio(case: Case, _: str) -> float:
    label, prediction = (
        case.rows[column].set_axis(pd.Index(case.group, name="group"))
        for column in ("label", "prediction")
    )
    return disparate_impact_ratio(label, prediction, prot_attr="group", priv_group=case.reference)


FUNCTIONS: dict[str, Answer] = {
    **{name: functools.partial(_rate, name=name) for name in RATES},
    **{name: functools.partial(_contrast, name=name) for name in CONTRASTS},
    "sklearn.disparate_impact_ratio": _disparate_impact_ratio,
}

if __name__ == "__main__":
    answer(FUNCTIONS)
