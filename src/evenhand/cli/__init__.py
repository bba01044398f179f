"""The command line: one file per verb, no logic that Python users would miss."""
