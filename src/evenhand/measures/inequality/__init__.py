"""Measures of how unevenly benefits fall on people."""
