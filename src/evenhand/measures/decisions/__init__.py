"""Measures of decisions: what was decided, and what was true."""
