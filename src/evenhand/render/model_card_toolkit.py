"""A model card as JSON in the schema 0.0.2 of Model Card Toolkit: every figure, slice and interval.

What the evidence does not know, such as the architecture, is left out and never guessed. A figure
that is undefined is listed with the reason in the place of its value, and has no interval.
"""

from __future__ import annotations

import json
from typing import Any

from evenhand.audits.evidence.bundle import Bundle
from evenhand.render.card import data_text, limitations, model_name
from evenhand.render.figure import Figure, figures
from evenhand.render.format import Format
from evenhand.render.rule import waiver_text


def render(bundle: Bundle) -> str:
    """Return the card as JSON."""
    subject = bundle.plan.subject
    details: dict[str, Any] = {
        "name": model_name(bundle),
        "overview": f"Fairness audit of {subject.title or model_name(bundle)}.",
        "documentation": (
            f"Audited {bundle.created.isoformat()} by Evenhand {bundle.version}; "
            f"plan sha256 {bundle.plan.digest}. "
            f"Verdict: {bundle.verdict or 'none, the plan has no rules'}."
        ),
    }
    if subject.owner:
        details["owners"] = [{"name": subject.owner}]
    if subject.version:
        details["version"] = {"name": subject.version}
    card = {
        "schema_version": "0.0.2",
        "model_details": details,
        "model_parameters": {
            "data": [
                {
                    "name": one.name,
                    "description": data_text(bundle, one),
                    "sensitive": {"sensitive_data": [*bundle.plan.groups]},
                }
                for one in bundle.inputs
            ]
        },
        "quantitative_analysis": {"performance_metrics": [_metric(one) for one in figures(bundle)]},
        "considerations": {
            "limitations": [{"description": text} for text in limitations(bundle)],
            "ethical_considerations": _risks(bundle),
        },
    }
    return json.dumps(card, indent=2, ensure_ascii=False) + "\n"


def _metric(one: Figure) -> dict[str, Any]:
    metric: dict[str, Any] = {"type": one.name, "value": one.value}
    if one.slice:
        metric["slice"] = one.slice
    if one.limits is not None:
        lower, upper = one.limits
        metric["confidence_interval"] = {"lower_bound": lower, "upper_bound": upper}
    return metric


def _risks(bundle: Bundle) -> list[dict[str, str]]:
    """Return the rules that surely fail; a waiver mitigates nothing, so it is part of the name."""
    return [
        {
            "name": f"{rule.id} in {rule.scope}: {rule.rule}; {rule.reason}"
            + ("" if rule.waiver is None else f" (waived {waiver_text(rule.waiver)})")
        }
        for rule in bundle.rules
        if rule.verdict == "fail"
    ]


FORMAT = Format("model-card-toolkit", ".json", "Model Card Toolkit JSON, schema 0.0.2.", render)
