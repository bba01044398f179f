"""Measures of ranked lists: what users get, and what items and their providers get."""
