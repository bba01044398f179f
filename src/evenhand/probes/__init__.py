"""Probes: they run a model on inputs and write a log, which is measured as any other."""
