"""What made the rows of a probe's log, as evidence keeps it: model, inputs, attack, flags.

A probe writes it as metadata of its file; evidence keeps it under ``probes`` among what it was made
with. It is checked field by field, since either may come from anybody; what later versions say
beside it is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
)

from evenhand.audits.evidence.canonical import canonical
from evenhand.audits.evidence.document import checked
from evenhand.audits.evidence.zipped import ENVIRONMENT
from evenhand.errors import OutputError

RELIABLE = "reliable"
"""The verdict of an attack against which nothing is known."""

KEY, UNKNOWN = "probes", "files_without_probe"
"""The keys of an environment: what made the rows, and how many files beside do not tell."""

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


def said(flag: str) -> str:
    """Return the name of a flag as people read it.

    >>> said("black_box")
    'black box'
    """
    return flag.replace("_", " ")


class FlagRecord(_Record):
    """A reason not to believe an attack: raised, not raised, or not judged (None)."""

    name: str
    raised: bool | None
    text: str
    count: int | None = None
    of: int | None = None
    limit: Number | None = None


class GroupTrust(_Record):
    """The verdict among the examples of one group, and the names of the flags that are raised."""

    group: bool | int | Number | str | None
    verdict: str
    raised: list[str] = []

    @property
    def name(self) -> str:
        """The group as findings name it."""
        return str(self.group)


class TrustRecord(_Record):
    """What is thought of the attacks behind a variant.

    Attributes:
        variant: The variant.
        by: The column of the groups in which flags were judged too; None for none.
        attacks: The attacks, as they are written.
        examples: On how many examples the flags were judged.
        verdict: ``reliable`` or ``not reliable``.
        flags: All flags, raised or not.
        groups: The verdict in each group.

    """

    variant: str
    by: str | None = None
    attacks: str = ""
    examples: Count = 0
    verdict: str
    flags: list[FlagRecord] = []
    groups: list[GroupTrust] = []

    @property
    def raised(self) -> list[FlagRecord]:
        """The flags that are raised."""
        return [flag for flag in self.flags if flag.raised]


class _Probe(_Record):
    name: str
    variants: list[str]
    notes: list[str] = []
    doubted: bool | None = None
    packages: dict[str, str] = {}

    @model_serializer(mode="wrap")
    def _written(self, inner: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return it without what is not told, as evidence had it before that was."""
        told = {"packages": bool(self.packages), "doubted": self.doubted is not None}
        return {k: v for k, v in inner(self).items() if told.get(k, True)}


class _Model(_Record):
    name: str
    fingerprint: str
    spec: dict[str, Any] = {}


class _Inputs(_Record):
    name: str
    examples: Count
    digest: str


class ProbeRecord(_Record):
    """What made the rows of a log, as `evenhand.probes.log.Made` says it.

    Attributes:
        probe: What was done: its name with its parameters, its variants, notes, whether it can be
            doubted, as an attack that may be too weak (None: logs had only the name), and the
            versions of libraries of models and explanations that were loaded.
        model: The model's name, its fingerprint, and its spec.
        inputs: The name of the inputs, their number, and their digest.
        seed: The seed.
        queries: What the model was asked in all.
        flags: For each variant that was attacked whether that is to be believed; None where nobody
            looked.
        version: The version of Evenhand that did it.

    """

    probe: _Probe
    model: _Model
    inputs: _Inputs
    seed: int
    queries: Count
    flags: list[TrustRecord] | None
    version: str

    @property
    def attacks(self) -> bool:
        """Whether it attacks, so that there is an attack to be believed or not."""
        if self.probe.doubted is None:
            return self.probe.name.startswith("attack.")
        return self.probe.doubted

    def trust(self, variant: str) -> TrustRecord | None:
        """Return what is thought of the attacks behind a variant; None where nobody looked."""
        return next((one for one in self.flags or () if one.variant == variant), None)

    def as_json(self) -> dict[str, Any]:
        """Return it as evidence keeps it."""
        return self.model_dump()


PROBES = TypeAdapter(list[ProbeRecord])


def probes_in(environment: Mapping[str, Any]) -> tuple[ProbeRecord, ...]:
    """Return what made the rows, of what evidence was made with; nothing where it says nothing.

    Raises:
        BundleError: It is not as the format says.

    """
    found = checked(PROBES, environment.get(KEY, []), f"{ENVIRONMENT}: {KEY}")
    return tuple(found)


def unknown_in(environment: Mapping[str, Any]) -> int:
    """Return how many files beside those of `probes_in` do not tell what made them.

    Raises:
        BundleError: It is no number of files.

    """
    return checked(_COUNT, environment.get(UNKNOWN, 0), f"{ENVIRONMENT}: {UNKNOWN}")


_COUNT = TypeAdapter(Count)


def record_of(content: Mapping[str, Any]) -> ProbeRecord | None:
    """Return what a file's metadata say of what made it; None where evidence cannot keep it."""
    try:
        found = ProbeRecord.model_validate(content)
        canonical(found.as_json(), KEY)
    except (ValidationError, OutputError, RecursionError):
        return None
    return found


def kept(records: Sequence[ProbeRecord], unknown: int) -> dict[str, Any]:
    """Return what an environment keeps of them; nothing where no file told anything."""
    if not records:
        return {}
    told: dict[str, Any] = {KEY: [one.as_json() for one in records]}
    return {**told, UNKNOWN: unknown} if unknown else told
