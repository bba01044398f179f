"""Content-addressed files: bundles by their SHA-256, in a folder or in an object store."""
