"""Measures of whether similar people are treated alike."""
