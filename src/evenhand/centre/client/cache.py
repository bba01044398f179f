"""What is kept of a centre, so that a pipeline goes on while it is away.

Three things: the public key of the centre, trusted from the first time on; dossiers as the centre
signed them, checked each time they are used; and what was decided by them meanwhile, until the
centre has it. A file that is gone cannot be told from one that never was: what the cache decides is
what the centre last said, and the centre compares it later.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from evenhand.audits.evidence.canonical import canonical
from evenhand.audits.evidence.file import read_whole, write_whole
from evenhand.centre.client.address import Address
from evenhand.centre.decision import CLOCKS, Decision, days
from evenhand.centre.dossier import Dossier, EvidenceRecord
from evenhand.centre.key import unseal
from evenhand.errors import (
    CentreError,
    EvenhandError,
    MissingExtraError,
    OutputError,
    Problem,
    reason,
)

CACHE = "EVENHAND_CACHE"
"""The variable that names another folder for all that is cached."""

MOST = 50
"""Dossiers that are kept of a model: of the versions that were gated last."""


@dataclass(frozen=True, slots=True)
class Cache:
    """The folder that is kept of one centre.

    Attributes:
        folder: Its folder.
        key: The file of the key that is trusted, where somebody brought it along.

    """

    folder: Path
    key: Path | None = None

    @property
    def pinned(self) -> Path:
        """The file of the key that is trusted."""
        return self.key or self.folder / "centre.pem"

    def trust(self, pem: str) -> None:
        """Trust the key of a centre that is spoken to for the first time.

        Raises:
            CentreError: Another key was trusted before.

        """
        known = self.trusted()
        if known is None:
            _make(self.folder)
            write_whole(pem.encode(), self.pinned, force=True)
        elif known.strip() != pem.strip():
            what = "the centre signs by another key than the one that is trusted."
            hint = "Ask whoever runs it whether its key was changed; then " + (
                f"replace {self.key}." if self.key else f"delete {self.pinned}."
            )
            raise CentreError(Problem(str(self.pinned), what, hint))

    def trusted(self) -> str | None:
        """Return the public key that is trusted; None where there is none yet.

        Raises:
            CentreError: It cannot be read.

        """
        try:
            return self.pinned.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            if self.key is None:
                return None
            raise CentreError(Problem(str(self.key), "no such file.")) from None
        except (OSError, UnicodeDecodeError) as error:
            said = reason(error) if isinstance(error, OSError) else "it is no key in PEM"
            raise CentreError(Problem(str(self.pinned), f"it cannot be read: {said}.")) from error

    def keep(self, envelope: bytes, product: str, model: str, *of: str | None) -> None:
        """Keep a dossier as the centre signed it, in place of an earlier one.

        Args:
            envelope: The dossier in its envelope.
            product: What it is about.
            model: As ``product``.
            of: The version, and the one that it is held against.

        """
        folder = self._dossiers(product, model)
        _make(folder)
        write_whole(envelope, folder / f"{_short(*of)}.json", force=True)
        for old in _newest_first(folder)[MOST:]:
            with contextlib.suppress(OSError):
                old.unlink()

    def dossier(
        self, product: str, model: str, version: str, *, against: str | None, at: dt.datetime
    ) -> Dossier:
        """Return what the cache knows of a version, also of one that the centre never heard of.

        Policy, plans and waivers are those of the newest dossier of the model. Artefact, runs and
        evidence are those of this version, where there is a dossier of it; the evidence that it is
        held against is that of any dossier of the other version.

        Raises:
            CentreError: Nothing that is cached may decide, and why.
            MissingExtraError: The packages of ``sign`` are not installed.

        """
        known = self._read(product, model)
        where = f"cache of {product} / {model}"
        if not known:
            hint = "Ask the centre once while it is there: evenhand gate --product ..."
            raise CentreError(Problem(where, "no dossier is cached.", hint))
        newest = known[0]
        own = next((one for one in known if one.version == version), None)
        other = next((one for one in known if against in {one.version, one.against}), None)
        if against is not None and other is None:
            what = f"nothing is cached of version {against}, which this is held against."
            raise CentreError(Problem(where, what, f"Ask the centre once: --version {against}."))
        before: list[EvidenceRecord] = []
        used = [newest, *([own] if own else [])]
        if against is not None and other is not None:
            used.append(other)
            before = other.evidence if other.version == against else other.before
        for one in used:
            _check_time(one, at)
        return newest.model_copy(
            update={
                "version": version,
                "against": against,
                "artefact": own.artefact if own else None,
                "runs": own.runs if own else [],
                "evidence": own.evidence if own else [],
                "before": before,
                "expires": min(one.expires for one in used),
            }
        )

    def wait(self, decision: Decision, evidence: Iterable[bytes] = ()) -> None:
        """Keep a decision, and the evidence at hand that it rests on, until the centre has both.

        Raises:
            OutputError: They cannot be written.

        """
        folder = self.folder / "pending"
        _make(folder)
        for number, data in enumerate(evidence):
            write_whole(data, folder / f"{decision.id}.{number}.evidence.zip", force=True)
        text = decision.model_dump_json(indent=2)
        write_whole(text.encode(), folder / f"{decision.id}.json", force=True)

    def waiting(self, product: str) -> tuple[list[Waiting], list[Path]]:
        """Return the decisions about a product that the centre does not have yet, oldest first.

        Files that cannot be read come beside them.
        """
        found, broken = [], []
        for path in sorted((self.folder / "pending").glob("*.json")):
            try:
                decision = Decision.model_validate_json(read_whole(path))
            except (EvenhandError, ValidationError):
                broken.append(path)
                continue
            files = tuple(sorted(path.parent.glob(f"{path.stem}.*.evidence.zip")))
            found.append(Waiting(path, decision, files))
        mine = (one for one in found if one.decision.product == product)
        return sorted(mine, key=lambda one: one.decision.at), broken

    def set_aside(self, data: bytes, name: str) -> Path:
        """Return the file in which evidence is kept that the centre could not take.

        Raises:
            OutputError: It cannot be written.

        """
        folder = self.folder / "unpushed"
        _make(folder)
        write_whole(data, folder / name, force=True)
        return folder / name

    def _read(self, product: str, model: str) -> list[Dossier]:
        """Return the dossiers of a model, the last that was issued first.

        Raises:
            CentreError: One is not as the centre signed it.
            MissingExtraError: The packages of ``sign`` are not installed.

        """
        paths, pem = _newest_first(self._dossiers(product, model)), self.trusted()
        if paths and pem is None:
            what = "there is no key to check what is cached by."
            raise CentreError(
                Problem(str(self.pinned), what, "Ask the centre once, or --key FILE.")
            )
        found, problems = [], []
        for path in paths:
            try:
                found.append(_opened(path, pem or "", product, model))
            except MissingExtraError:
                raise
            except EvenhandError as error:
                problems += [Problem(str(path), one.what, "Delete it.") for one in error.problems]
        if problems:
            raise CentreError(problems)
        found.sort(key=lambda one: one.issued, reverse=True)
        return found

    def _dossiers(self, product: str, model: str) -> Path:
        return self.folder / "dossiers" / _short(product, model)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A decision that waits for the centre, in a file, with the evidence that was at hand."""

    path: Path
    decision: Decision
    evidence: tuple[Path, ...]

    def done(self) -> None:
        """Delete what the centre has now."""
        for path in (*self.evidence, self.path):
            path.unlink(missing_ok=True)


def cache_of(address: Address, key: Path | None = None) -> Cache:
    """Return what is kept of a centre.

    Args:
        address: The centre.
        key: The file of its public key, where somebody brought it along.

    """
    return Cache(_home() / "centres" / address.folder, key)


def _make(folder: Path) -> None:
    """Make a folder that others do not read: verdicts are not everybody's.

    Raises:
        OutputError: It cannot be made.

    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        what = f"nothing can be cached here: {reason(error)}."
        hint = f"Name another folder: {CACHE}=FOLDER."
        raise OutputError(Problem(str(folder), what, hint)) from error


def _home() -> Path:
    """Return the folder for what can be had again, as each system has one."""
    named = os.environ.get(CACHE)
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
        return Path(base) / "evenhand" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "evenhand"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "evenhand"


def _opened(path: Path, pem: str, product: str, model: str) -> Dossier:
    """Return a dossier that the centre signed, about this model.

    Raises:
        EvenhandError: It is none.

    """
    try:
        dossier = Dossier.model_validate(unseal(read_whole(path), pem))
    except ValidationError as error:
        said = str(error.errors(include_url=False)[0]["msg"])
        what = f"it is no dossier that this release reads: {said}."
        raise CentreError(Problem(str(path), what)) from error
    if (dossier.product, dossier.model) != (product, model):
        raise CentreError(Problem(str(path), f"it is about {dossier.product} / {dossier.model}."))
    return dossier


def _check_time(dossier: Dossier, at: dt.datetime) -> None:
    """Check that a dossier may decide at a time.

    Raises:
        CentreError: It may not.

    """
    where = f"what is cached of version {dossier.version}"
    if at < dossier.issued - CLOCKS:
        what = f"it is of {dossier.issued:%Y-%m-%d %H:%M} UTC, and here it is {at:%Y-%m-%d %H:%M}."
        raise CentreError(Problem(where, what, "Set the clock of this machine."))
    if at > dossier.expires:
        held = days(dossier.expires - dossier.issued)
        what = (
            f"it expired on {dossier.expires:%Y-%m-%d %H:%M} UTC; the policy lets it hold {held}."
        )
        raise CentreError(Problem(where, what, "Wait for the centre."))


def _newest_first(folder: Path) -> list[Path]:
    def written(path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:
            return 0.0

    return sorted(folder.glob("*.json"), key=lambda one: (written(one), one.name), reverse=True)


def _short(*names: str | None) -> str:
    """Return a file's name for names: what they are made of leads nowhere."""
    return hashlib.sha256(canonical([*names], "names")).hexdigest()[:32]
