"""What to do next, as commands to copy: where a page would be empty, it says how to fill it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from fastapi import Request


@dataclass(frozen=True, slots=True)
class Step:
    """A command, and what it is for."""

    title: str
    about: str
    command: str


def address(request: Request) -> str:
    """Return where this centre is reached, as the browser reached it."""
    return str(request.base_url).rstrip("/")


def push(request: Request, product: str, model: str = "MODEL", version: str = "VERSION") -> str:
    """Return the command that pushes evidence."""
    about = _about(product, model, version)
    return f"evenhand push FILE.evidence.zip {about} --to {address(request)}"


def gate(request: Request, product: str, model: str = "MODEL", version: str = "VERSION") -> str:
    """Return the command that asks whether a version may ship."""
    return f"evenhand gate {_about(product, model, version)} --from {address(request)}"


def _about(product: str, model: str, version: str) -> str:
    named = zip(("--product", "--model", "--version"), (product, model, version), strict=True)
    return " ".join(f"{flag} {shlex.quote(name)}" for flag, name in named)


def first_hour(request: Request) -> tuple[Step, ...]:
    """Return the way from rows to a gate."""
    return (
        Step(
            "Draft a plan",
            "It guesses what your columns mean and says why. Read every line.",
            "evenhand init decisions.csv",
        ),
        Step(
            "Audit",
            "Rows stay where they are; evidence holds sums over groups.",
            "evenhand audit audit.yaml --out v1.evidence.zip",
        ),
        Step(
            "Push the evidence",
            "It is verified, kept by its digest, and shown here.",
            f"evenhand push v1.evidence.zip {_about('lending', 'credit', 'v1')} "
            f"--to {address(request)}",
        ),
        Step(
            "Gate the release",
            "In a pipeline: exits with 0 for pass, 1 for fail, 3 for undecided.",
            gate(request, "lending", "credit", "v1"),
        ),
    )
