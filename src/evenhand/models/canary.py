"""Canaries: fixed inputs whose answers tell one model from another where its weights are hidden."""

from __future__ import annotations

import hashlib

import numpy as np

from evenhand.models.model import Floats
from evenhand.models.spec import Spec

COUNT = 8
"""How many there are, unless queries are cheap."""

_SEED = 20


def canaries(spec: Spec, count: int = COUNT) -> Floats:
    """Return the canaries of a spec: all low, all high, and noise uniform in the range.

    Returns:
        Shape (count, *spec.shape), float32; the same on every machine.

    """
    rng = np.random.default_rng(_SEED)
    found = rng.uniform(spec.low, spec.high, (count, *spec.shape)).astype(np.float32)
    found[0], found[1] = spec.low, spec.high
    return np.clip(found, spec.low, spec.high)


def digest_of(answers: object, text: str) -> str:
    """Return the digest of answers and of what else tells a model, ``sha256:...``.

    Numbers are written with five digits, since two machines may differ in the last of them.
    """
    flat = np.asarray(answers)
    numbers = flat.dtype.kind == "f"
    told = [f"{one + 0.0:.4e}" if numbers else str(one) for one in flat.ravel().tolist()]
    written = f"{text}\n{flat.shape}\n{' '.join(told)}"
    return f"sha256:{hashlib.sha256(written.encode()).hexdigest()}"
