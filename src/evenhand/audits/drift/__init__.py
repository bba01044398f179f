"""Whether later rows still look like those that a model was judged on: drift."""

from evenhand.audits.drift.found import Drift, FeatureDrift, JointDrift, Performance
from evenhand.audits.drift.run import find_drift

__all__ = ["Drift", "FeatureDrift", "JointDrift", "Performance", "find_drift"]
