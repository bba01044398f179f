"""Files of evidence as tests push them."""

from __future__ import annotations

import dataclasses
import datetime as dt

import bundles
from evenhand.audits.evidence.archive import packed


def evidence(
    *,
    product: str = "loans",
    model: str = "score",
    version: str = "v1",
    created: dt.datetime | None = None,
    **subject: object,
) -> bytes:
    """Return the file of a small bundle that is about this subject."""
    made = bundles.bundle()
    said = {"product": product, "model": model, "version": version, **subject}
    plan = made.plan.model_copy(update={"subject": type(made.plan.subject).model_validate(said)})
    fields = {"plan": plan, "created": created or made.created}
    return packed(dataclasses.replace(made, **fields), "x.evidence.zip")[0]
