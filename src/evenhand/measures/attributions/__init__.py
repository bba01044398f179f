"""Measures of attributions: what explanations of a model are worth."""
