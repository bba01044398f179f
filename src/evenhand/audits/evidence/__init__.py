"""Evidence: the bundle of an audit, its file, and what can be read from it later."""

from __future__ import annotations

from evenhand.audits.evidence.archive import read_bundle, write_bundle
from evenhand.audits.evidence.verification import Verification, verify

__all__ = ["Verification", "read_bundle", "verify", "write_bundle"]
