"""What scikit-learn says; run by `docs/parity.py` in an environment of scikit-learn's own."""

from __future__ import annotations

import functools

from answer import Answer, Case, answer
from sklearn import metrics

OF_PREDICTIONS = (
    "accuracy_score",
    "balanced_accuracy_score",
    "f1_score",
    "matthews_corrcoef",
    "precision_score",
    "recall_score",
    "mean_absolute_error",
    "mean_squared_error",
    "root_mean_squared_error",
    "r2_score",
)
OF_SCORES = ("roc_auc_score", "brier_score_loss", "log_loss")
AVERAGED = ("precision_score", "recall_score", "f1_score")


def _of_prediction(case: Case, _: str, *, name: str, **options: str) -> float:
    return getattr(metrics, name)(case.label, case.prediction, **options)


def _of_score(case: Case, _: str, *, name: str) -> float:
    return getattr(metrics, name)(case.label, case.score)


FUNCTIONS: dict[str, Answer] = {
    **{name: functools.partial(_of_prediction, name=name) for name in OF_PREDICTIONS},
    **{name: functools.partial(_of_score, name=name) for name in OF_SCORES},
    **{
        f"{name}(average='macro')": functools.partial(_of_prediction, name=name, average="macro")
        for name in AVERAGED
    },
}

if __name__ == "__main__":
    answer(FUNCTIONS)
