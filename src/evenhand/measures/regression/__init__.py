"""Measures of predicted numbers against true numbers."""
