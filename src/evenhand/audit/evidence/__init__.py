"""Evidence: the bundle of an audit, its file, and what can be read from it later."""
