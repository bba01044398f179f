"""Draws for requests: each from a stream of its own, whatever stands beside it in the batch."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence

import numpy as np

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.candidates import Candidates, Floats


def draws_of(candidates: Candidates, seed: int, keys: Sequence[Hashable] | None) -> Floats:
    """Return a number from [0, 1) for each request, shape (n,).

    It depends on the seed and on the request's key alone; without keys, on its scores and groups,
    so that requests that are alike draw alike: give keys where the same list is asked for often.

    Args:
        candidates: The requests.
        seed: Source of the draws.
        keys: A name of each request, such as its id; names that read alike draw alike.

    Raises:
        RoleError: There are not as many keys as requests.

    """
    if keys is not None and len(keys) != candidates.requests:
        what = f"there are {len(keys)} for {candidates.requests} requests."
        raise RoleError(Problem("keys", what, "Name each request, or none."))
    named = range(candidates.requests)
    if keys is None:
        return np.array([_draw(seed, _told(candidates, request)) for request in named])
    return np.array([_draw(seed, str(key).encode()) for key in keys])


def _told(candidates: Candidates, request: int) -> bytes:
    size = int((~np.isnan(candidates.scores[request])).sum())
    scores = np.ascontiguousarray(candidates.scores[request, :size], np.float64)
    groups = np.ascontiguousarray(candidates.groups[request, :size], np.int64)
    return scores.tobytes() + groups.tobytes()


def _draw(seed: int, key: bytes) -> float:
    digest = hashlib.blake2b(key, digest_size=16).digest()
    return float(np.random.default_rng([seed, int.from_bytes(digest, "little")]).random())
