"""What a plan of explanations measures where it does not say it."""

from __future__ import annotations

import numpy as np
import polars as pl

from evenhand.audits.plan.default import scopes_of
from evenhand.audits.plan.default_probed import probed_measures
from evenhand.logs.log import open_log
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes.written import probe_of

SPEC = Spec(labels=("no", "yes"), shape=(2,))


def asked(written, columns):
    """What is measured of an explanation where nobody says it, with its slices."""
    x = np.random.default_rng(0).random((40, 2))
    inputs = inputs_of(x, SPEC, labels=["no", "yes"] * 20)
    method = probe_of(written).method.among(inputs, 1)
    told = {name: [0.0, 1.0] for name in columns}
    rows = pl.DataFrame({"source": [1, 2], "variant": "a", **told, "sex": ["f", "m"]})
    log = open_log(rows, kind="attributions", roles={}, groups=["sex"], classes=())
    return {one.measure: one.slices for one in probed_measures([method], SPEC, log)}


def test_curves_are_compared_within_bins():
    found = {*asked("explain.ale", ["local_effect"])}
    assert {one for one in found if "by=" in one} == {"difference(mean_local_effect, by=sex)"}
    assert {one for one in found if "by=" not in one}


def test_gaps_are_asked_by_signed_pairs_alone_and_the_gap_itself_once():
    found = asked("explain.gap", ["attribution", "explained_score"])
    assert {measure: len(slices) for measure, slices in found.items()} == {
        "pairs(mean_explained_score, by=sex)": 1,
        "pairs(mean_attribution, by=sex)": 2,
    }
    plain = asked("explain.shap", ["attribution", "explained_score"])
    assert "mean_attribution" in plain
    assert not any("mean_explained_score" in one for one in plain)


BOTH = ["variant == 'a' and sex == 'f'", "variant == 'b' and sex == 'f'", "variant == 'a'"]


def test_what_is_the_same_of_every_variant_is_asked_of_one():
    for text in ("mean_explained_score", "pairs(mean_explained_score, by=sex)"):
        assert scopes_of(text, BOTH) == [BOTH[0], BOTH[2]]


def test_other_measures_are_asked_in_every_slice_and_so_is_what_nobody_knows():
    others = ["mean_attribution", "mean_corruption_error", "pairs(mean_attribution, by=sex)"]
    for text in [*others, "no_measure", "difference(mean_explained_score", "pairs()"]:
        assert scopes_of(text, BOTH) == BOTH
