"""Audits: questions, findings, and soon plans, gates and evidence."""

from evenhand.audit.estimate import estimates
from evenhand.audit.finding import Finding, GroupFinding

__all__ = ["Finding", "GroupFinding", "estimates"]
