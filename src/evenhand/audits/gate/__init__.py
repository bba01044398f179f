"""Gates: rules, and the verdicts on them."""
