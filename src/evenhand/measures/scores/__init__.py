"""Measures of scores: how well they rank, and whether they mean what they say."""
