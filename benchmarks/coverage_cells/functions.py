"""Coverage of functions of sums: variation explained, correlation, average shares, inequality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from coverage_cells.cell import REPLICATES, Cell, Draw, Floats
from coverage_cells.simulated import LOGS, PAIRS, beside, cell_sums, held, pairs_held, term_sums
from numpy.typing import NDArray

from evenhand.measures.decisions.balanced_accuracy import BalancedAccuracy
from evenhand.measures.decisions.confusion import (
    FalsePositiveRate,
    PositivePredictiveValue,
    TruePositiveRate,
    of_class,
)
from evenhand.measures.decisions.f1 import F1
from evenhand.measures.decisions.matthews_correlation import MatthewsCorrelation
from evenhand.measures.inequality.index import (
    GeneralizedEntropy,
    GiniIndex,
    Inequality,
    TheilIndex,
)
from evenhand.measures.measure import Sums, TermSums
from evenhand.measures.regression.error import CoefficientOfDetermination

_MANY = 100
"""Cells of a table that takes long."""

Terms = Mapping[str, Sequence[float]]


def classes_table(shares: Sequence[float], right: Sequence[float]) -> Floats:
    """Return the chances of (label, prediction) over classes, errors going to all others alike."""
    count = len(shares)
    spread = np.outer(np.array(shares) * (1 - np.array(right)) / (count - 1), np.ones(count))
    np.fill_diagonal(spread, np.array(shares) * np.array(right))
    return spread.ravel()


def terms_of(classes: int) -> Terms:
    """Return the cells of each term of the measures of decisions, over (label, prediction)."""
    label, prediction = np.divmod(np.arange(classes**2), classes)
    terms = {"rows": np.ones(classes**2), "correct": label == prediction}
    for k in range(classes):
        actual, predicted = label == k, prediction == k
        terms |= {
            of_class("found", k): actual & predicted,
            of_class("members", k): actual,
            of_class("labelled", k): actual,
            of_class("predicted", k): predicted,
            of_class("true_positives", k): actual & predicted,
            of_class("false_positives", k): ~actual & predicted,
            of_class("positives", k): actual,
            of_class("negatives", k): ~actual,
            of_class("selected", k): predicted,
            of_class("relevant", k): actual | predicted,
        }
    return {name: np.asarray(cells, float) for name, cells in terms.items()}


BENEFITS = {
    "rows": (1, 1, 1, 1),
    "benefit 0": (0, 1, 0, 0),
    "benefit 1": (1, 0, 0, 1),
    "benefit 2": (0, 0, 1, 0),
}
READS: Mapping[type[Sums], tuple[str, ...]] = {
    BalancedAccuracy: ("found", "members"),
    MatthewsCorrelation: ("correct", "labelled", "predicted"),
    F1: ("true_positives", "relevant"),
}


def _terms(measure: Sums, cells: int) -> Terms:
    if isinstance(measure, Inequality):
        return BENEFITS
    reads = READS.get(type(measure)) or (measure.of, measure.among)
    return {
        name: chosen
        for name, chosen in terms_of(round(cells**0.5)).items()
        if name == "rows" or name.split(" of class ")[0] in reads
    }


def of_cells(measure: Sums, counts: Floats) -> TermSums:
    """Return what a measure of decisions sums, for counts of shape (logs, cells)."""
    return cell_sums(counts, _terms(measure, counts.shape[1]))


def truth(measure: Sums, chances: Floats) -> float:
    """Return the figure of a table of chances."""
    figure = measure.finalise(of_cells(measure, 1e6 * chances[None]))
    return float(figure.figures(np.eye(1), dependent=None).value[0])


def _of_cells(measure: Sums, chances: Floats, n: int) -> Draw:
    true = truth(measure, chances)

    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        counts = rng.multinomial(n, chances, PAIRS).astype(float)
        return held(measure.finalise(of_cells(measure, counts)), true)

    return covers


def _pairs_of_cells(measure: Sums, tables: Sequence[Floats], sizes: Sequence[int]) -> Draw:
    truths = np.array([truth(measure, chances) for chances in tables])

    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        groups = [
            of_cells(measure, rng.multinomial(n, chances, PAIRS).astype(float))
            for n, chances in zip(sizes, tables, strict=True)
        ]
        return pairs_held(measure.finalise(beside(groups)), truths, rng)

    return covers


def explained(labels: Floats, predictions: Floats) -> TermSums:
    """Return what the share of explained variation sums."""
    amounts = {
        "squared error": (labels - predictions) ** 2,
        "label": labels,
        "squared label": labels**2,
    }
    return term_sums({"rows": np.ones_like(labels)}, amounts)


def _explained(share: float, n: int, *, heavy: bool = False) -> Draw:
    def covers(rng: np.random.Generator) -> NDArray[np.bool_]:
        noise = rng.laplace(size=(LOGS, n)) / 2**0.5 if heavy else rng.standard_normal((LOGS, n))
        known = share**0.5 * rng.standard_normal((LOGS, n))
        labels = 3 + known + (1 - share) ** 0.5 * noise
        return held(CoefficientOfDetermination().finalise(explained(labels, 3 + known)), share)

    return covers


def yes_no(base: float, hit: float, alarm: float) -> Floats:
    """Return the table of yes and no with a base rate, a true and a false positive rate."""
    return classes_table([1 - base, base], [1 - alarm, hit])


def uneven(missed: float, favoured: float) -> Floats:
    """Return the table in which these shares of rows get a benefit of 0 and of 2."""
    return np.array([0.5, missed, favoured, 0.5 - missed - favoured])


def cells() -> list[Cell]:
    """Return functions of sums in every situation, those beyond the stated range too."""
    return [*_variation(), *_decisions(), *_classes(), *_inequality(), *_pairs()]


def _variation() -> list[Cell]:
    least = {(0.3, True): 200, (0.6, True): 50, (0.9, True): 50}
    return [
        Cell(
            "r2, t on the log scale below 1",
            f"{n:,} rows, {share:.0%} explained, {'Laplace' if heavy else 'normal'} noise",
            _explained(share, n, heavy=heavy),
            logs=LOGS,
            outside=n < least.get((share, heavy), 20),
        )
        for heavy in (False, True)
        for share in (0.3, 0.6, 0.9)
        for n in (20, 50, 200)
    ]


def _decisions() -> list[Cell]:
    balanced, matthews = BalancedAccuracy(), MatthewsCorrelation()
    found = []
    for measure, method, situations in [
        (
            balanced,
            "MOVER",
            [
                (50, 0.5, 0.8, 0.2, False),
                (50, 0.1, 0.7, 0.1, False),
                (200, 0.02, 0.7, 0.1, False),
                (1_000, 0.02, 0.7, 0.1, False),
                (50, 0.3, 0.97, 0.02, True),
                (200, 0.3, 0.97, 0.02, False),
            ],
        ),
        (
            matthews,
            "Wilson",
            [
                (50, 0.5, 0.8, 0.2, False),
                (200, 0.1, 0.7, 0.1, False),
                (1_000, 0.02, 0.7, 0.1, False),
                (20, 0.5, 0.5, 0.5, False),
                (50, 0.1, 0.7, 0.1, True),
                (200, 0.02, 0.7, 0.1, True),
                (50, 0.1, 0.1, 0.1, True),
                (200, 0.1, 0.1, 0.1, True),
                (1_000, 0.1, 0.1, 0.1, True),
            ],
        ),
    ]:
        for n, base, hit, alarm, outside in situations:
            situation = f"{n:,} rows, {base:.0%} positive, rates {hit:.0%} and {alarm:.0%}"
            covers = _of_cells(measure, yes_no(base, hit, alarm), n)
            method_name = f"{measure.name}, {method}"
            found.append(Cell(method_name, situation, covers, logs=PAIRS, outside=outside))
    return found


def _classes() -> list[Cell]:
    three = "3 classes of 50%, 30%, 20%", classes_table((0.5, 0.3, 0.2), (0.8, 0.7, 0.6))
    four = (
        "4 classes of 70%, 20%, 5%, 5%",
        classes_table((0.7, 0.2, 0.05, 0.05), (0.9, 0.6, 0.5, 0.5)),
    )
    ten = "10 classes of 10%", classes_table((0.1,) * 10, (0.7,) * 10)
    found = []
    for measure, method in [
        (TruePositiveRate, "MOVER"),
        (PositivePredictiveValue, "MOVER"),
        (FalsePositiveRate, "Wilson"),
        (F1, "Wilson"),
    ]:
        for n, (classes, chances), few in [
            (100, three, False),
            (200, four, measure is F1),
            (200, ten, method == "MOVER"),
            (1_000, ten, False),
        ]:
            found.append(
                Cell(
                    f"{measure.name}(average=macro), {method}",
                    f"{n:,} rows, {classes}",
                    _of_cells(measure(average="macro"), chances, n),
                    logs=PAIRS,
                    most=REPLICATES if len(chances) < _MANY else 1_000,
                    outside=few,
                )
            )
    covers = _of_cells(MatthewsCorrelation(), three[1], 100)
    return [
        *found,
        Cell("matthews_correlation, Wilson", f"100 rows, {three[0]}", covers, logs=PAIRS),
    ]


def _inequality() -> list[Cell]:
    methods = {
        GeneralizedEntropy(): "t on the log scale",
        TheilIndex(): "t on the log scale",
        GiniIndex(): "Wilson",
    }
    return [
        Cell(
            f"{measure.name}, {method}",
            f"{n:,} rows, {missed:.0%} with benefit 0, {favoured:.0%} with 2",
            _of_cells(measure, uneven(missed, favoured), n),
            conservative=True,
            logs=PAIRS,
            outside=outside and not isinstance(measure, GiniIndex),
        )
        for measure, method in methods.items()
        for n, missed, favoured, outside in [
            (50, 0.1, 0.1, False),
            (50, 0.3, 0.2, False),
            (200, 0.02, 0.03, False),
            (50, 0.01, 0.3, True),
            (200, 0.01, 0.3, True),
            (1_000, 0.03, 0.3, False),
        ]
    ]


def _pairs() -> list[Cell]:
    decisions = [yes_no(base, 0.7, 0.1) for base in (0.5, 0.1)]
    benefits = [uneven(0.1, 0.1), uneven(0.2, 0.1)]
    found = []
    for measure, tables, about in [
        (BalancedAccuracy(), decisions, "50% and 10% positive"),
        (MatthewsCorrelation(), decisions, "50% and 10% positive"),
        (GeneralizedEntropy(), benefits, "10% and 20% with benefit 0"),
        (GiniIndex(), benefits, "10% and 20% with benefit 0"),
    ]:
        covers = _pairs_of_cells(measure, tables, [100, 500])
        situation = f"100 and 500 rows, {about}"
        name = f"{measure.name}, difference"
        found.append(Cell(name, situation, covers, conservative=True, logs=PAIRS))
    for measure, tables in [(MatthewsCorrelation(), decisions), (GeneralizedEntropy(), benefits)]:
        covers = _pairs_of_cells(measure, tables * 2, [200] * 4)
        name = f"{measure.name}, 4 groups, max-T"
        found.append(Cell(name, "200 rows each", covers, conservative=True, logs=PAIRS, most=1_000))
    return found
