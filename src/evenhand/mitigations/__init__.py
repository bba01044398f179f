"""Mitigations: what repairs what an audit finds, each with a certificate of what it guarantees."""
