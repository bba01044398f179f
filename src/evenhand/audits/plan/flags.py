"""The plan that the flags of a command line write."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from evenhand.audits.plan.default import scopes_of
from evenhand.audits.plan.lines import Located
from evenhand.audits.plan.parsed import plan_from
from evenhand.audits.plan.plan import FORMAT, AuditPlan
from evenhand.errors import EvenhandError
from evenhand.logs.grammar import Schema
from evenhand.logs.group import group_from
from evenhand.logs.source import open_source


def plan_of_flags(document: Mapping[str, Any]) -> AuditPlan:
    """Return a plan; groups are written as ``race`` or ``age: [25, 45]``.

    Args:
        document: The plan's keys; ``groups`` and ``item_groups`` are lists.

    Raises:
        PlanError: With every problem of its form.

    """
    content = {"evenhand": FORMAT, **document}
    schema: Schema = {}
    if document["groups"] or document["item_groups"]:
        with contextlib.suppress(EvenhandError):
            # Where the log cannot be opened, that is said when it is.
            schema = dict(open_source(document["log"]["source"]).frame.collect_schema())
    for key in ("groups", "item_groups"):
        groups = [group for spec in document[key] for group in group_from(spec, schema)]
        content[key] = {group.name: group.written() for group in groups}
    content["measures"] = [
        {**one, "slices": scopes_of(one["measure"], one["slices"])} for one in document["measures"]
    ]
    return plan_from(Located("", content, {}))
