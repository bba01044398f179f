"""Heads of chains in a file that somebody keeps elsewhere: a line for each product.

```
sha256:9f86d0...  12  lending
```
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evenhand.centre.store.chain import Head
from evenhand.errors import EvenhandError, Problem, reason

_LINE = re.compile(r"(sha256:[0-9a-f]{64}) +(\d{1,18}) +(\S.*)")


def written(heads: Iterable[Head]) -> str:
    r"""Return the text of heads, the same for the same heads.

    >>> written([Head("lending", 12, "sha256:9f86d0")])
    'sha256:9f86d0  12  lending\n'
    """
    ordered = sorted(heads, key=lambda one: one.product)
    return "".join(f"{one.digest}  {one.sequence}  {one.product}\n" for one in ordered)


def read(path: Path) -> list[Head]:
    """Return the heads of a file, as `written` or as JSON.

    Raises:
        EvenhandError: With every line that is no head.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise EvenhandError(Problem(str(path), f"{reason(error)}.")) from error
    except UnicodeDecodeError as error:
        raise EvenhandError(Problem(str(path), "it is no text.")) from error
    if text.lstrip().startswith("{"):
        return _of_json(path, text)
    found, problems = [], []
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line.strip())
        if match is not None:
            found.append(Head(match[3], int(match[2]), match[1]))
        elif line.strip():
            what = f"'{line[:80]}' is no head of a chain."
            problems.append(Problem(f"{path}:{number}", what, _HINT))
    if problems:
        raise EvenhandError(problems)
    if not found:
        raise EvenhandError(Problem(str(path), "there are no heads in it.", _HINT))
    return found


_HINT = "Keep what this prints: evenhand centre heads."


def _of_json(path: Path, text: str) -> list[Head]:
    try:
        heads: list[Any] = json.loads(text)["heads"]
        return [Head(str(one["product"]), int(one["sequence"]), one["digest"]) for one in heads]
    except (ValueError, KeyError, TypeError) as error:
        what = f"it has no heads: {error}."
        raise EvenhandError(Problem(str(path), what, _HINT)) from error
