"""Logs of probes as files, without a model: rows that are made up, and what made them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from evenhand.probes.log import Made, to_parquet

GROUPS = {"thin": (90, 60), "thick": (95, 80)}
"""Of 100 images of each stroke: how many are right, and how many stay so at the least eps."""


def flag(name="effort", *, raised=True, count=5):
    text = f"with about twice the effort {count} of 200 examples more are broken (more than 3)."
    return {"name": name, "raised": raised, "text": text, "count": count, "of": 200, "limit": 3.0}


def trust(variant, *, raised=False, groups=()):
    """What is thought of a variant; ``groups`` are those in which the attack is doubted."""
    return {
        "variant": variant,
        "by": "stroke",
        "attacks": "attack.pgd(steps=40)",
        "examples": 200,
        "verdict": "not reliable" if raised else "reliable",
        "flags": [flag(raised=raised, count=5 * raised), flag("noise", raised=False, count=0)],
        "groups": [
            {
                "group": name,
                "verdict": "not reliable" if name in groups else "reliable",
                "raised": ["effort"] if name in groups else [],
            }
            for name in GROUPS
        ],
    }


def made(variants, flags, **more):
    fields = {
        "probe": {"name": "attack.pgd(steps=40)", "variants": [*variants], "notes": ["a note"]},
        "model": {
            "name": "digit_models:cnn",
            "fingerprint": "0123456789abcdef0123456789abcdef",
            "spec": {"labels": [*range(10)], "shape": [1, 8, 8], "low": 0.0, "high": 1.0},
        },
        "inputs": {"name": "digits.parquet", "examples": 200, "digest": "fedcba9876543210"},
        "seed": 1,
        "queries": 1234,
        "flags": flags,
        "version": "0.1.0",
        **more,
    }
    return Made(**fields)


def rows(variants):
    """A row for each image and variant; every further variant breaks ten images more."""
    parts = []
    for step, variant in enumerate(variants):
        for name, (right, robust) in GROUPS.items():
            parts.append(
                pl.DataFrame(
                    {
                        "source": [f"{name}-{place}" for place in range(100)],
                        "variant": variant,
                        "stroke": name,
                        "correct": [place < right for place in range(100)],
                        "robust": [place < robust - 10 * step for place in range(100)],
                    }
                )
            )
    return pl.concat(parts)


def log(path: Path, variants=("linf 0.05", "linf 0.1"), flags=None, **more) -> Path:
    """Write a log that a probe might have written."""
    path.write_bytes(to_parquet(rows(variants), made(variants, flags, **more)))
    return path
