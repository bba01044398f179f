"""Models under test: what they take and give, and adapters for what they are written in."""
