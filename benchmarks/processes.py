"""What processes use of the machine: CPU, memory and threads, with all that they started."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Use:
    """What processes used, from their first sample to their last.

    Attributes:
        cpu: Seconds of CPU so far, by process.
        started: The same at the first sample.
        memory: The most megabytes that they held together, shared ones counted each time.
        threads: The most threads.
        processes: The most processes.

    """

    cpu: dict[int, float] = field(default_factory=dict)
    started: dict[int, float] = field(default_factory=dict)
    memory: float = 0.0
    threads: int = 0
    processes: int = 0

    @property
    def seconds(self) -> float:
        """Seconds of CPU since the first sample."""
        return sum(now - self.started.get(pid, 0.0) for pid, now in self.cpu.items())


@contextmanager
def watched(pids: Mapping[str, int]) -> Iterator[dict[str, Use]]:
    """Sample processes and their children twice a second."""
    found = {name: Use() for name in pids}
    ended = threading.Event()

    def sample() -> None:
        first = True
        while True:
            children = _children()
            for name, pid in pids.items():
                _note(found[name], _family(pid, children), first=first)
            first = False
            if ended.wait(0.5):
                return

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _note(use: Use, pids: Sequence[int], *, first: bool) -> None:
    memory = threads = 0
    for pid in pids:
        fields = _stat(pid)
        if fields is None:
            continue
        use.cpu[pid] = (int(fields[11]) + int(fields[12])) / TICKS
        if first:
            use.started[pid] = use.cpu[pid]
        memory += int(fields[21]) * PAGE
        threads += int(fields[17])
    use.memory = max(use.memory, memory / 1e6)
    use.threads = max(use.threads, threads)
    use.processes = max(use.processes, len(pids))


def _stat(pid: int) -> list[str] | None:
    """Return what Linux says of a process, from its state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(path.name))
        if fields is not None:
            found.setdefault(int(fields[1]), []).append(int(path.name))
    return found


def _family(pid: int, children: Mapping[int, Sequence[int]]) -> list[int]:
    return [pid, *(one for child in children.get(pid, ()) for one in _family(child, children))]
