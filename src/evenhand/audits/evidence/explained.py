"""Which score explanations explain, in words, as evidence tells it of the probes behind rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from evenhand.audits.evidence.probed import ProbeRecord
from evenhand.errors import EvenhandError
from evenhand.models.spec import Spec
from evenhand.probes.explain.score import score_of
from evenhand.probes.explain.shap import Shap
from evenhand.probes.explaining import Explaining
from evenhand.probes.written import probe_of


def score_words(probes: Sequence[ProbeRecord], variants: Collection[str]) -> str:
    """Return the score that parts are of, such as ``the probability of 'yes'``.

    Args:
        probes: What made the rows.
        variants: The features that are asked about.

    Returns:
        The score; empty where nobody says it, or several probes made the rows and differ.

    """
    found = {_words(one) for one in probes if {*one.probe.variants} & {*variants}}
    return found.pop() if len(found) == 1 else ""


def _words(one: ProbeRecord) -> str:
    told = one.model.spec
    try:
        method = probe_of(one.probe.name).method
        explanation = method.explanation if isinstance(method, Explaining) else None
        if not isinstance(explanation, Shap):
            return ""
        spec = Spec(tuple(told["labels"]), tuple(told["shape"]), output=told["output"])
        return score_of(spec, explanation.target, explanation.link).words(spec)
    except (EvenhandError, KeyError, TypeError, ValueError):
        # Evidence of another hand may say anything; a figure is read without its unit too.
        return ""
