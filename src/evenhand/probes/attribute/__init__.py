"""Attributions: how much each part of an input adds to the score of a class."""
