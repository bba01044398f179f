"""Audit plans: their form, their lines, what they default to, and whether they fit a log."""

from evenhand.audits.plan.lines import Located
from evenhand.audits.plan.parsed import parse_plan, plan_from
from evenhand.audits.plan.plan import AuditPlan, Entry, Rule, Subject, Waiver

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
