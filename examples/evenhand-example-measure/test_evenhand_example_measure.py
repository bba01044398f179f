"""The measure keeps what every measure promises, and equals the definition."""

from __future__ import annotations

from evenhand_example_measure import CohensKappa

from evenhand.conformance import Rows, check_measure


def kappa(rows: Rows) -> float | None:
    """Return kappa from the table of counts, each row as often as its weight says."""
    table = {(label, guess): 0.0 for label in (0, 1) for guess in (0, 1)}
    for row in rows:
        table[int(row.label), int(row.prediction)] += row.weight
    total = sum(table.values())
    if not total:
        return None
    chance = 0.0
    for label in (0, 1):
        labelled = sum(count for (truth, _), count in table.items() if truth == label)
        guessed = sum(count for (_, guess), count in table.items() if guess == label)
        chance += labelled / total * guessed / total
    agreed = (table[0, 0] + table[1, 1]) / total
    return (agreed - chance) / (1 - chance) if chance < 1 else None


def test_measure_conforms() -> None:
    """Every promise at once."""
    check_measure(CohensKappa, reference=kappa, trials=len)
