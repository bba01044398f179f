"""Measures of perturbed examples: what an attack, a corruption or a certificate leaves."""
