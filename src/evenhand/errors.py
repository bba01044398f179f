"""What goes wrong, said so that a user can go on: what, where, what was there, what to do.

Problems are collected and raised together: fixing a plan must not take one run per mistake.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SHOWN = 40
"""Names that a hint lists before it cuts short."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that stops the work.

    Attributes:
        where: The place the user can go to, such as ``role 'label'`` or ``audit.yaml:14``.
        what: What is wrong, with what was found there.
        hint: The way out; empty when there is none to offer.

    """

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}"
        return f"{line}\n  {self.hint}" if self.hint else line


class EvenhandError(ValueError):
    """Base of every error that Evenhand raises; carries all problems found, not the first.

    Attributes:
        problems: At least one problem, in the order in which a reader meets their places.

    """

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class StoppedError(BaseException):
    """Somebody stopped the work: no error, and nothing that may be caught as one."""


class NotationError(EvenhandError):
    """A measure, contrast or expression that does not parse or names nothing we know."""


class RoleError(EvenhandError):
    """Roles, groups, units or filters that do not fit the columns of the log."""


class SourceError(EvenhandError):
    """A log that cannot be opened or read."""


class ValueInLogError(EvenhandError):
    """A value in the rows that a role does not allow, such as a third value of a label."""


class StateSizeError(EvenhandError):
    """A request whose table of sums would be too large to be meant."""


class StateMergeError(EvenhandError):
    """States of different requests, which cannot be merged."""


class UndefinedError(EvenhandError):
    """The value of a figure was asked for that the rows do not define."""


class PlanError(EvenhandError):
    """An audit plan that cannot be read, or that does not fit its log."""


class BundleError(EvenhandError):
    """Evidence that cannot be read: cut, edited, from a newer version, or no evidence at all."""


class OutputError(EvenhandError):
    """Something that cannot be written, such as a file that is there already."""


class EngineError(EvenhandError):
    """The engine failed while it read the rows."""


class ModelError(EvenhandError):
    """A model, or inputs for it, that cannot be probed as asked."""


class CentreError(EvenhandError):
    """The centre cannot do what is asked, now or ever; the subclasses say which.

    As itself: something that the centre stands on does not answer.
    """


class UnreachableError(CentreError):
    """The centre does not answer now: it is away, or what it stands on is."""


class UnknownError(CentreError):
    """A product, model, version or job that is not there, or that may not be seen."""


class ConflictError(CentreError):
    """What is asked for contradicts what is there."""


class DeniedError(CentreError):
    """Who asks may not do this."""


class MissingExtraError(EvenhandError):
    """A library that this work needs is not installed."""

    def __init__(self, extra: str, *, where: str) -> None:
        super().__init__(
            Problem(
                where=where,
                what=f"the optional packages of '{extra}' are not installed.",
                hint=f"pip install 'evenhand[{extra}]'",
            )
        )


_REASONS = {
    errno.EACCES: "you have no permission",
    errno.EPERM: "you have no permission",
    errno.EROFS: "the file system is read-only",
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "part of its path is a file",
    errno.EISDIR: "it is a folder",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk's quota is used up",
    errno.EFBIG: "the file would be too large",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "its links go round in a circle",
    errno.EIO: "the disk or its connection failed",
    errno.EBADF: "it is closed",
    errno.EMFILE: "too many files are open",
}


_NUMBERS: dict[type[OSError], int] = {
    FileNotFoundError: errno.ENOENT,
    PermissionError: errno.EACCES,
    IsADirectoryError: errno.EISDIR,
    NotADirectoryError: errno.ENOTDIR,
}


def reason(error: OSError) -> str:
    """Return why the system refused to read or write, in words and without numbers."""
    # Libraries raise some without a number.
    number = error.errno or next((n for kind, n in _NUMBERS.items() if isinstance(error, kind)), 0)
    known = _REASONS.get(number)
    return known or (error.strerror or type(error).__name__).rstrip(".")


def first_line(error: BaseException) -> str:
    r"""Return the first line of what an error of another library says.

    >>> first_line(OSError("An error occurred while calling o33.load.\n: java.io.IOException: no"))
    'java.io.IOException: no'
    """
    lines = (line.strip().removeprefix(": ") for line in str(error).splitlines())
    told = (line for line in lines if line and not line.startswith(_BRIDGE))
    return next(told, repr(error))


_BRIDGE = "An error occurred while calling"
"""How the way from Python to Java begins what Java says."""


def listed(names: Iterable[object]) -> str:
    """Return names as a readable list: ``a, b, c``; ``none`` when there are none."""
    return ", ".join(str(name) for name in names) or "none"


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return ``Did you mean 'x'?`` for close names, else the whole list of what is known."""
    folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    if close:
        return "Did you mean " + " or ".join(f"'{folded[match]}'" for match in close) + "?"
    more = [f"... ({len(known)} in all)"] if len(known) > _SHOWN else []
    return f"There are: {listed([*known[:_SHOWN], *more])}."
