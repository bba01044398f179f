"""Corruptions: what happens to images that nobody attacks, one file for each family."""
