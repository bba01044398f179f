"""Worlds: simulators whose true answers are known, for demos, docs and coverage tests."""
