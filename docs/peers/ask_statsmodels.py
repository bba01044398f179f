"""What statsmodels says; run by `docs/parity.py` in an environment of statsmodels' own."""

from __future__ import annotations

import functools

from answer import Answer, Case, answer
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.tools import eval_measures

LOW, HIGH = 0, 1
RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")
ERRORS = ("bias", "meanabs", "mse", "rmse")


def _count(case: Case, rate: str, group: str) -> tuple[int, int]:
    """Return the selected rows and the rows that the rate is about, in the group."""
    about = case.group == group
    if rate != "selection_rate":
        about &= case.label == (rate == "true_positive_rate")
    return int(case.prediction[about].sum()), int(about.sum())


def _wilson(case: Case, group: str, *, rate: str, side: int) -> float:
    return proportion_confint(*_count(case, rate, group), method="wilson")[side]


def _two(case: Case, group: str, *, rate: str, side: int, compare: str, method: str) -> float:
    counts = [*_count(case, rate, group), *_count(case, rate, case.reference)]
    return confint_proportions_2indep(*counts, compare=compare, method=method)[side]


def _error(case: Case, _: str, *, name: str) -> float:
    return getattr(eval_measures, name)(case.prediction, case.label)


FUNCTIONS: dict[str, Answer] = {
    **{name: functools.partial(_error, name=name) for name in ERRORS},
}
for _rate in RATES:
    for _side in (LOW, HIGH):
        FUNCTIONS[f"proportion_confint({_rate}, method='wilson')[{_side}]"] = functools.partial(
            _wilson, rate=_rate, side=_side
        )
        for _compare, _method in (("diff", "newcomb"), ("ratio", "score")):
            _name = f"confint_proportions_2indep({_rate}, compare='{_compare}', method='{_method}')"
            FUNCTIONS[f"{_name}[{_side}]"] = functools.partial(
                _two, rate=_rate, side=_side, compare=_compare, method=_method
            )

if __name__ == "__main__":
    answer(FUNCTIONS)
