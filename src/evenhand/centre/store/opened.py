"""Bundles that were opened, kept for a while: the same evidence is read by many pages.

They are known by the SHA-256 of their file, so that what is kept can never be out of date.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from evenhand.audits.evidence.archive import bundle_again, findings_again
from evenhand.audits.evidence.block import may_share
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.finding import Finding
from evenhand.centre.store.centre import Centre

Kept = TypeVar("Kept")


class Shelf(Generic[Kept]):
    """The last things that were asked for, as far as there is room.

    Two who ask for one thing at once may both make it; they get the same.
    """

    def __init__(self, room: int) -> None:
        """Make an empty shelf with room for so much, in the unit that `get` is told."""
        self._room, self._used = room, 0
        self._kept: OrderedDict[object, tuple[Kept, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: object, make: Callable[[], tuple[Kept, int]]) -> Kept:
        """Return what is known by a key.

        Args:
            key: What it is known by.
            make: Makes it where it is not here, and says how much room it takes.

        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        made, size = make()
        with self._lock:
            if key in self._kept:
                return self._kept[key][0]
            if size <= self._room:
                self._kept[key] = made, size
                self._used += size
                while self._used > self._room:
                    self._used -= self._kept.popitem(last=False)[1][1]
        return made


_SHELF: Shelf[Bundle] = Shelf(200_000)
"""Room for so many figures of groups, of about 1 kB each."""

_AT_LEAST = 100
"""What a bundle takes beside its figures, counted in figures."""


def opened(centre: Centre, bundle: str) -> Bundle:
    """Return a bundle that was accepted, without its replicates and its charts.

    Args:
        centre: The centre.
        bundle: SHA-256 of its file.

    Raises:
        CentreError: Its file cannot be read.

    """

    def make() -> tuple[Bundle, int]:
        # It was verified when it was accepted; that these are the same bytes is checked here.
        made = bundle_again(centre.storage.read(bundle), bundle[:19])
        return made, _AT_LEAST + sum(1 + len(one.groups) for one in made.findings)

    return _SHELF.get(bundle, make)


_HEADS: Shelf[Bundle] = Shelf(20_000)
"""Room for so many rules, of about 1 kB each."""


def head_of(centre: Centre, bundle: str) -> Bundle:
    """Return a bundle that was accepted, without its findings, which take most of the time to read.

    Args:
        centre: The centre.
        bundle: SHA-256 of its file.

    Raises:
        CentreError: Its file cannot be read.

    """

    def make() -> tuple[Bundle, int]:
        made = bundle_again(centre.storage.read(bundle), bundle[:19], findings=False)
        return made, 3 + len(made.rules)

    return _HEADS.get(bundle, make)


def part_of(centre: Centre, bundle: str, measure: str) -> dict[int, Finding]:
    """Return the findings of a bundle that may be shown with one of a measure, by their position.

    Args:
        centre: The centre.
        bundle: SHA-256 of its file.
        measure: The measure.

    Raises:
        CentreError: Its file cannot be read.

    """
    level = head_of(centre, bundle).plan.level
    return findings_again(
        centre.storage.read(bundle),
        bundle[:19],
        lambda record: may_share(record["measure"], measure),
        level,
    )
