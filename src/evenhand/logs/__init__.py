"""Logs: rows and the roles their columns play, from files or tables, on any engine."""

from evenhand.logs.expression import Expression
from evenhand.logs.group import OTHER, UNKNOWN, Group
from evenhand.logs.log import ROW, Log, open_log

__all__ = ["OTHER", "ROW", "UNKNOWN", "Expression", "Group", "Log", "open_log"]
