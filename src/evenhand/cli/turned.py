"""What ``evenhand probe explain.counterfactual`` says of changes: what they change, examples."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from evenhand.errors import ModelError, Problem

if TYPE_CHECKING:
    from evenhand.probes.method import Method

COLUMN = "changes"
"""The column that says what was changed; there only where changes were looked for."""

_MOST_NAMED = 20
"""Features that are shown; of more the log tells."""


def check_examples(method: Method, count: int, what: str) -> None:
    """Check that a probe looks for changes, of which examples can be shown.

    Raises:
        ModelError: It does not.

    """
    if count and COLUMN not in method.columns(pl.String()):
        hint = "They are changes that turn a decision: explain.counterfactual."
        raise ModelError(Problem("--examples", f"{what} has none.", hint))


def as_json(rows: pl.DataFrame, count: int) -> dict[str, Any]:
    """Return how many decisions were turned, what was changed of how many, and some examples.

    Args:
        rows: The log.
        count: How many examples; evenly from the cheapest to the dearest.

    """
    asked = rows.filter(pl.col("recourse").is_not_null())
    found = asked.filter(pl.col("recourse") == 1).sort("recourse_cost", "source")
    changes = [json.loads(one) for one in found[COLUMN]]
    features: dict[str, int] = {}
    for one in changes:
        for name in one:
            features[name] = features.get(name, 0) + 1
    places = np.unique(np.linspace(0, max(len(found) - 1, 0), count).round().astype(int))
    return {
        "unfavourable": len(asked),
        "without": len(asked) - len(found),
        "changed": dict(sorted(features.items(), key=lambda pair: (-pair[1], pair[0]))),
        "examples": [
            {
                "source": found["source"][place],
                "cost": found["recourse_cost"][place],
                "changes": [
                    {"feature": name, "before": before, "after": after}
                    for name, (before, after) in changes[place].items()
                ],
            }
            for place in (places.tolist() if len(found) else [])
        ],
    }


def told(rows: pl.DataFrame, count: int) -> str:
    """Return the same in lines."""
    found = as_json(rows, count)
    asked, without = found["unfavourable"], found["without"]
    lines = [f"of {asked:,} unfavourable decisions {without:,} have no change that was found"]
    named = [*found["changed"].items()]
    if named:
        few = ", ".join(f"{name} in {times:,}" for name, times in named[:_MOST_NAMED])
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        lines.append(f"the {asked - without:,} that were found change {few}{more}")
    if found["examples"]:
        lines.append("examples from the cheapest to the dearest, rounded; all stand in the log:")
    for one in found["examples"]:
        changes = ", ".join(
            f"{part['feature']} {_value(part['before'])} -> {_value(part['after'])}"
            for part in one["changes"]
        )
        lines.append(f"  {one['source']}, cost {one['cost']:.3g}: {changes}")
    return "\n".join(lines)


def _value(one: object) -> str:
    return f"{one:.6g}" if isinstance(one, float) else str(one)
