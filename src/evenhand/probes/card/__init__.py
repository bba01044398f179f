"""The quality card: what an explanation is worth, one number an example for each question."""
