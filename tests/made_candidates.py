"""Random requests: groups, unknown groups, ties, and fewer candidates than slots."""

from __future__ import annotations

from fractions import Fraction

NAMES = "abcde"


def random_target(rng, count, *, zeros=False):
    """Exact shares that add up to 1, of tenths, hundredths, or sevenths and the like."""
    parts = int(rng.choice([7, 10, 12, 20, 100]))
    cuts = sorted(rng.integers(0 if zeros else 1, parts + (1 if zeros else 0), count - 1).tolist())
    shares = [high - low for low, high in zip([0, *cuts], [*cuts, parts], strict=True)]
    return {name: Fraction(share, parts) for name, share in zip(NAMES, shares, strict=False)}


def random_request(rng, names, most=30, *, ties=False, unknown=False):
    """The scores and groups of one request; some groups may be rare or absent."""
    size = int(rng.integers(1, most + 1))
    scores = rng.integers(-3, 4, size).astype(float) if ties else rng.normal(size=size)
    weights = rng.dirichlet([0.7] * len(names))
    groups = rng.choice(list(names), size, p=weights).tolist()
    if unknown:
        groups = [None if rng.random() < 0.3 else group for group in groups]
    return scores.tolist(), groups


def floats(target):
    return {name: float(share) for name, share in target.items()}
