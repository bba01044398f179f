"""What Aequitas says; run by `docs/parity.py` in Aequitas' environment."""

from __future__ import annotations

import functools

import pandas as pd
from aequitas.bias import Bias
from aequitas.group import Group
from answer import Answer, Case, answer

RATES = ("pprev", "ppr", "tpr", "tnr", "fpr", "fnr", "precision", "npv", "fdr", "for", "prev")


@functools.cache
def _table(case: Case) -> pd.DataFrame:
    """Return Aequitas' rates and disparities, one row per group."""
    names = {"label": "label_value", "prediction": "score", "group": "group"}
    rows = case.rows[[*names]].rename(columns=names)
    rates, _ = Group().get_crosstabs(rows, attr_cols=["group"])
    disparities = Bias().get_disparity_predefined_groups(
        rates, original_df=rows, ref_groups_dict={"group": case.reference}
    )
    return disparities.set_index("attribute_value")


def _figure(case: Case, group: str, *, column: str) -> float:
    return _table(case).loc[group, column]


COLUMNS = (*RATES, "accuracy", *(f"{rate}_disparity" for rate in RATES if rate != "prev"))
FUNCTIONS: dict[str, Answer] = {
    column: functools.partial(_figure, column=column) for column in COLUMNS
}

if __name__ == "__main__":
    answer(FUNCTIONS)
