"""What a plan of explanations measures where it does not say it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evenhand.audits.plan.default_probed import probed_measures
from evenhand.logs.log import open_log
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes.written import probe_of

SPEC = Spec(labels=("no", "yes"), shape=(2,))


@pytest.mark.parametrize(
    ("written", "column", "wanted"),
    [
        ("explain.gap", "attribution", {"pairs(mean_attribution, by=sex)"}),
        ("explain.ale", "local_effect", {"difference(mean_local_effect, by=sex)"}),
    ],
)
def test_gaps_are_compared_by_signed_pairs_and_curves_within_bins(written, column, wanted):
    x = np.random.default_rng(0).random((40, 2))
    inputs = inputs_of(x, SPEC, labels=["no", "yes"] * 20)
    method = probe_of(written).method.among(inputs, 1)
    rows = pl.DataFrame({"source": [1, 2], "variant": "a", column: [0.0, 1.0], "sex": ["f", "m"]})
    log = open_log(rows, kind="attributions", roles={}, groups=["sex"], classes=())
    asked = {one.measure for one in probed_measures([method], SPEC, log)}
    assert {one for one in asked if "by=" in one} == wanted
    assert {one for one in asked if "by=" not in one}
