"""Attacks: the most that a small change of an input can do to a model, as far as we found."""
