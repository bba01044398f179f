"""The plan that the flags of a command line write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenhand.audits.plan.lines import Located
from evenhand.audits.plan.plan import FORMAT, AuditPlan, plan_from
from evenhand.errors import EvenhandError
from evenhand.logs.group import group_from
from evenhand.logs.source import open_source


def plan_of_flags(document: Mapping[str, Any]) -> AuditPlan:
    """Return a plan; groups are written as ``race`` or ``age: [25, 45]``.

    Args:
        document: The plan's keys; ``groups`` is a list.

    Raises:
        PlanError: With every problem of its form.

    """
    content = {"evenhand": FORMAT, **document}
    content["groups"] = dict(pair for spec in document["groups"] for pair in _group(spec, document))
    return plan_from(Located("", content, {}))


def _group(spec: str, document: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return a group as a plan writes it."""
    try:
        schema = dict(open_source(document["log"]["source"]).frame.collect_schema())
    except EvenhandError:
        # Where the log cannot be opened, that is said when it is.
        schema = {}
    return [
        (group.name, {"column": group.expression.text, "bins": list(group.bins)})
        if group.bins
        else (group.name, group.expression.text)
        for group in group_from(spec, schema)
    ]
