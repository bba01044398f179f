"""Audit plans: their form, their lines, what they default to, and whether they fit a log."""

from evenhand.audit.plan.lines import Located
from evenhand.audit.plan.plan import AuditPlan, Entry, Rule, Subject, Waiver, parse_plan, plan_from

__all__ = [
    "AuditPlan",
    "Entry",
    "Located",
    "Rule",
    "Subject",
    "Waiver",
    "parse_plan",
    "plan_from",
]
