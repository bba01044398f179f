"""The centre from a laptop or a pipeline: a typed client, and a gate that works without it."""
