"""CycloneDX ML-BOM 1.6: the audited model as a component with its model card.

The card holds every figure with its slice and interval, and for each rule that does not pass the
groups at risk. What the evidence does not know is left out: the schema requires none of it.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import rfc8785

from evenhand.audits.evidence.bundle import Bundle, Input
from evenhand.audits.finding import ALL_ROWS
from evenhand.audits.gate.verdict import RuleVerdict
from evenhand.render.card import data_text, limitations, model_name
from evenhand.render.figure import Figure, figures
from evenhand.render.format import Format
from evenhand.render.rule import waiver_text
from evenhand.render.wording import full_name_of, versus


def render(bundle: Bundle) -> str:
    """Return the bill of materials as JSON."""
    created = bundle.created.isoformat()
    # The same evidence has the same number, and another audit another one.
    identity = rfc8785.dumps([bundle.plan.digest, created, bundle.to_dict()]).decode()
    tool = {"type": "application", "name": "evenhand", "version": bundle.version}
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, identity)}",
        "version": 1,
        "metadata": {"timestamp": created, "tools": {"components": [tool]}},
        "components": [_model(bundle)],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _model(bundle: Bundle) -> dict[str, Any]:
    subject = bundle.plan.subject
    model: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": model_name(bundle),
    }
    if subject.product and subject.product != model["name"]:
        model["group"] = subject.product
    if subject.version:
        model["version"] = subject.version
    if subject.artefact:
        model["hashes"] = [{"alg": "SHA-256", "content": subject.artefact.removeprefix("sha256:")}]
    model["modelCard"] = {
        "bom-ref": "model-card",
        "modelParameters": {
            "task": bundle.plan.log.kind,
            "datasets": [_data(bundle, one) for one in bundle.inputs],
        },
        "quantitativeAnalysis": {"performanceMetrics": [_metric(one) for one in figures(bundle)]},
        "considerations": {
            "technicalLimitations": limitations(bundle),
            "fairnessAssessments": [
                _assessment(rule) for rule in bundle.rules if rule.verdict != "pass"
            ],
        },
        "properties": _properties(bundle),
    }
    return model


def _data(bundle: Bundle, one: Input) -> dict[str, Any]:
    return {
        "type": "dataset",
        "name": one.name,
        "sensitiveData": [*bundle.plan.groups],
        "description": data_text(bundle, one),
    }


def _metric(one: Figure) -> dict[str, Any]:
    metric: dict[str, Any] = {"type": one.name, "value": one.value}
    if one.slice:
        metric["slice"] = one.slice
    if one.limits is not None:
        lower, upper = one.limits
        metric["confidenceInterval"] = {"lowerBound": lower, "upperBound": upper}
    return metric


def _assessment(rule: RuleVerdict) -> dict[str, str]:
    """Return whom a rule that does not pass is about; a waiver mitigates nothing."""
    broken = [versus(member) for member in rule.failed_groups]
    doubtful = [full_name_of(one.group) for one in rule.undecided_groups]
    who = broken if rule.verdict == "fail" else doubtful
    where = "" if rule.scope == ALL_ROWS else f" in {rule.scope}"
    return {
        "groupAtRisk": "; ".join(who) or "all",
        "harms": f"{rule.rule}{where}: {rule.reason}",
    }


def _properties(bundle: Bundle) -> list[dict[str, str]]:
    said = [
        ("evenhand:verdict", bundle.verdict or "none: the plan has no rules"),
        ("evenhand:plan:sha256", bundle.plan.digest),
    ]
    said += [(f"evenhand:rule:{rule.id}", f"{rule.scope}: {rule.verdict}") for rule in bundle.rules]
    waived = {rule.id: waiver_text(rule.waiver) for rule in bundle.rules if rule.waiver}
    said += [(f"evenhand:waiver:{name}", text) for name, text in waived.items()]
    return [{"name": name, "value": value} for name, value in said]


FORMAT = Format("cyclonedx", ".cdx.json", "CycloneDX ML-BOM 1.6.", render)
