"""Statistics: estimates, intervals and simultaneous contrasts, on NumPy and SciPy alone."""

from evenhand.stats.estimate import Estimand, Estimate, Outcome, Undefined

__all__ = ["Estimand", "Estimate", "Outcome", "Undefined"]
