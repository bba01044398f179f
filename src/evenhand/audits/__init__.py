"""Audits: questions, findings, and soon plans, gates and evidence."""

from evenhand.audits.estimate import estimates
from evenhand.audits.finding import Finding, GroupFinding

__all__ = ["Finding", "GroupFinding", "estimates"]
