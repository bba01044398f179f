"""What a worker tells the process that runs the engine, and what that says back: lines of JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Order:
    """One audit.

    Attributes:
        product: What is audited; with model and version.
        plan: The path of the plan; None where its text is sent.
        text: The plan.
        folder: What the paths of a text start from; None for the first root.
        engine: The engine.
        master: Spark's master; None for this machine's cores.
        roots: What may be read, as `roots.roots_of` takes it.
        variables: The variables of the environment that plans may use.
        memory: How many bytes the engine may allocate; None for any number.
        scratch: A folder for what is finished and for the evidence.

    """

    product: str
    model: str
    version: str
    plan: str | None
    text: str | None
    folder: str | None
    engine: str
    master: str | None
    roots: tuple[str, ...]
    variables: tuple[str, ...]
    memory: int | None
    scratch: str

    def line(self) -> bytes:
        """Return it as a line."""
        return json.dumps(dataclasses.asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Order:
        """Return the order of a line."""
        told = json.loads(line)
        lists = {name: tuple(told[name]) for name in ("roots", "variables")}
        return cls(**{**told, **lists})


GO = b"go\n"
"""What the worker answers to ``plan`` once the run is announced; only then rows are read."""

EVIDENCE = "made.evidence.zip"
"""The file in the scratch folder that the evidence is written to."""

PARTS = "parts"
"""The folder in the scratch folder that keeps what is finished of a long scan."""

Said = Literal["plan", "progress", "line", "done", "problems", "memory"]


@dataclass(frozen=True, slots=True)
class Message:
    """What the process says: what kind of thing, and the facts."""

    said: Said
    facts: dict[str, Any]

    def line(self) -> bytes:
        """Return it as a line."""
        return json.dumps([self.said, self.facts]).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Message:
        """Return the message of a line."""
        said, facts = json.loads(line)
        return cls(said, facts)
