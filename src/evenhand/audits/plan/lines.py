"""YAML with the line of every value, so that an error names the line that is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from evenhand.errors import PlanError, Problem

Place: TypeAlias = tuple[str | int, ...]
"""Keys and indices from the top of a document: ``("gate", 0, "rule")``."""

MOST_CHARACTERS = 1_000_000
DEEPEST = 20


@dataclass(frozen=True)
class Located:
    """A document and where its values stand.

    Attributes:
        name: The name of the file, for messages; empty for a document that is no file.
        content: The document, of mappings, lists and plain values.
        lines: The line of every key and value, the first being 1.

    """

    name: str
    content: Any
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int | None:
        """Return the line of a value, or of what should hold it."""
        for length in range(len(place), -1, -1):
            if place[:length] in self.lines:
                return self.lines[place[:length]]
        return None

    def where(self, place: Place) -> str:
        """Return how a place is named in a message: ``audit.yaml:14 measures[2]``."""
        line = self.line(place)
        file = self.name if line is None else f"{self.name}:{line}"
        return " ".join(filter(None, (file if self.name else "", written(place))))


def written(place: Place) -> str:
    """Return a place as people write it.

    >>> written(("gate", 0, "rule"))
    'gate[0].rule'
    """
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def ordered(problems: Iterable[Problem], name: str) -> list[Problem]:
    """Return problems of a file in the order of their lines, each once."""

    def line(problem: Problem) -> int:
        found = re.match(r":(\d+)", problem.where.removeprefix(name))
        return int(found[1]) if found else 0

    return sorted(dict.fromkeys(problems), key=line)


def read_yaml(text: str, name: str, *, again: bool = False) -> Located:
    """Return a YAML document with its lines.

    Args:
        text: The document.
        name: The name of its file, for messages.
        again: Whether it was read before: then a faster parser may read it, whose errors say less.

    Raises:
        PlanError: The text is no YAML, repeats a key, or uses anchors, which a plan does not need
            and which can make a small file enormous.

    """
    if len(text) > MOST_CHARACTERS:
        what = f"it has {len(text):,} characters; a plan has at most {MOST_CHARACTERS:,}."
        raise PlanError(Problem(name, what))
    try:
        return _read(_scanned_in_c(text) if again else _Loader(text, name), name)
    except PlanError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = name if mark is None else f"{name}:{mark.line + 1}"
        said = " ".join(filter(None, (error.context, error.problem)))
        raise PlanError(Problem(where, f"this is not YAML: {said}.")) from error
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PlanError(Problem(name, f"this is not YAML: {said}.")) from error


class _Loader(yaml.SafeLoader):
    """Reads plain documents: no aliases, and not nested without end."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self._file, self._depth = name, 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            where = f"{self._file}:{_line(event)}"
            raise PlanError(Problem(where, "aliases (*name) are not read.", "Write it out."))
        inner = isinstance(event, yaml.CollectionStartEvent)
        self._depth += inner
        if self._depth > DEEPEST:
            what = f"it is nested deeper than {DEEPEST} levels."
            raise PlanError(Problem(self._file, what))
        node = super().compose_node(parent, index)
        self._depth -= inner
        return node


def _scanned_in_c(text: str) -> yaml.SafeLoader | yaml.CSafeLoader:
    """Return a loader of a text that was read before; a slower one where PyYAML has no C."""
    return yaml.CSafeLoader(text) if yaml.__with_libyaml__ else yaml.SafeLoader(text)


def _read(loader: yaml.SafeLoader | yaml.CSafeLoader, name: str) -> Located:
    node = loader.get_single_node()
    if node is None:
        hint = "Draft a plan from a log: evenhand init LOG."
        raise PlanError(Problem(name, "the file is empty.", hint))
    lines: dict[Place, int] = {}
    problems: list[Problem] = []
    for place, line, repeated in _walk(node, ()):
        if repeated:
            where = f"{name}:{line} {written(place)}"
            problems.append(Problem(where, "this key is here twice.", "Keep one of them."))
        lines.setdefault(place, line)
    if problems:
        raise PlanError(problems)
    return Located(name, loader.construct_document(node), lines)


def _line(at: yaml.Event | yaml.Node) -> int:
    return 0 if at.start_mark is None else at.start_mark.line + 1


def _walk(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int, bool]]:
    """Yield every place with its line, and whether its key stands there for a second time."""
    yield place, _line(node), False
    if isinstance(node, yaml.MappingNode):
        seen = set[str]()
        for key, value in node.value:
            name = str(key.value)
            yield (*place, name), _line(key), name in seen
            seen.add(name)
            yield from _walk(value, (*place, name))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _walk(value, (*place, index))
