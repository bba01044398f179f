"""Attacks: one file and one class each, found by walking this package."""
