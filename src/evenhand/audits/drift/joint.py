"""The classifier two-sample test: can a classifier tell current rows from reference rows?

It is learnt on half of the units and judged on the other half. Without drift its scores there say
nothing, so that the area under the ROC curve is about .5, whatever was learnt; and it sees what no
feature shows alone, such as a correlation that was not there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from evenhand.audits.drift.found import JointDrift, Size, Test
from evenhand.errors import MissingExtraError
from evenhand.stats.estimate import Estimate, Outcome, Undefined
from evenhand.stats.interval import Floats, critical
from evenhand.stats.multiplicity import Flags
from evenhand.stats.roc import auc, delong_variance
from evenhand.stats.two_sample import Codes, area_of, unit_p_value

LEAST = 20
"""Units that each sample needs in each half."""

_TREES = 100
_LEAF = 20
"""Rows of a leaf where there are enough: fewer would learn rows by heart."""

_PARTS = 4
"""Leaves that all rows together could fill at least. A bootstrap has about .63 of them as distinct
rows, which two leaves then fit: a tree of one leaf could tell nothing apart."""

_MOST = 10_000
"""Rows of a sample that the classifier is learnt on: more change little, and take long."""


def forest(seed: int, rows: int = _PARTS * _LEAF) -> Any:  # noqa: ANN401 - it is optional
    """Return the classifier, not learnt yet.

    Args:
        seed: Of its bootstrap.
        rows: Number of rows that it will be learnt on.

    Raises:
        MissingExtraError: Scikit-learn is not installed.

    """
    try:
        from sklearn.ensemble import RandomForestClassifier
    except ImportError as error:
        raise MissingExtraError("drift", where="joint test") from error
    return RandomForestClassifier(
        _TREES,
        min_samples_leaf=max(1, min(_LEAF, rows // _PARTS)),
        class_weight="balanced",
        random_state=seed,
    )


def size_of(second: Flags, unit: Codes) -> Size:
    """Return how many rows and units each sample has."""
    current, reference = unit[second], unit[~second]
    return Size(len(reference), len(current), len(np.unique(reference)), len(np.unique(current)))


def joint_drift(
    features: Floats,
    second: Flags,
    unit: Codes,
    *,
    group: str | None,
    level: float,
    replicates: int,
    rng: np.random.Generator,
    repeated: bool,
) -> JointDrift:
    """Return the classifier two-sample test of some rows.

    Args:
        features: Shape (rows, m).
        second: Whether a row is current, shape (rows,).
        unit: The unit of each row, as a code, shape (rows,).
        group: The group that the rows are of.
        level: Coverage of the interval of the area.
        replicates: Most permutations of the units held out.
        rng: Source of the split, the classifier and the permutations.
        repeated: Whether units have several rows.

    Source: Lopez-Paz and Oquab 2017; DeLong, DeLong and Clarke-Pearson 1988; Obuchowski 1997
    (units).

    """
    learnt = _half(second, unit, rng)
    held = ~learnt
    trained, judged = size_of(second[learnt], unit[learnt]), size_of(second[held], unit[held])
    name = "AUC on the half held out, units permuted"

    def without(reason: str) -> JointDrift:
        untested = Test(name, math.nan, reason=reason)
        return JointDrift(group, trained, judged, untested, Undefined(reason))

    fewest = min(
        trained.units_reference,
        trained.units_current,
        judged.units_reference,
        judged.units_current,
    )
    if fewest < LEAST:
        return without(f"{LEAST} units of each sample are needed in each half, {fewest} are there")
    if features.shape[1] == 0:
        return without("no feature varies")
    used = _at_most(np.flatnonzero(learnt), second, rng)
    trained = size_of(second[used], unit[used])
    model = forest(int(rng.integers(2**31)), len(used))
    model.fit(features[used], second[used])
    # Trees are added up in rounded numbers: what differs by rounding alone is tied.
    score = np.round(model.predict_proba(features[held])[:, 1], 12)
    dense = np.unique(unit[held], return_inverse=True)[1]
    p = unit_p_value(area_of(score), dense, second[held], rng, replicates=replicates)
    area = _area(score, second[held], dense if repeated else None, level)
    return JointDrift(group, trained, judged, Test(name, p), area)


def _half(second: Flags, unit: Codes, rng: np.random.Generator) -> Flags:
    """Return the rows of half of the units, half of those of each sample and of both."""
    units = int(unit.max()) + 1
    side = (np.bincount(unit, second, units) > 0) + 2 * (np.bincount(unit, ~second, units) > 0)
    chosen = np.zeros(units, dtype=bool)
    for one in (1, 2, 3):
        members = rng.permutation(np.flatnonzero(side == one))
        chosen[members[: len(members) // 2]] = True
    rows: Flags = chosen[unit]
    return rows


def _at_most(rows: Codes, second: Flags, rng: np.random.Generator) -> Codes:
    parts = [rows[second[rows] == one] for one in (False, True)]
    return np.concatenate([rng.permutation(part)[:_MOST] for part in parts])


def _area(score: Floats, second: Flags, unit: Codes | None, level: float) -> Outcome:
    """Return the area with DeLong's interval; with sums of its influences by unit, if any."""
    scores, code = np.unique(score, return_inverse=True)
    positives = np.bincount(code, second, len(scores)).astype(float)
    negatives = np.bincount(code, ~second, len(scores)).astype(float)
    area = auc(positives, negatives)
    value = float(area.value)
    number = min(int(second.sum()), int((~second).sum()))
    if unit is None:
        error = math.sqrt(float(delong_variance(area, positives, negatives)))
        reach, method = critical(level) * error, "DeLong"
    else:
        influence = np.where(second, area.positives[code], area.negatives[code])
        sums = np.bincount(unit, influence)
        number = min(len(np.unique(unit[second])), len(np.unique(unit[~second])))
        error = math.sqrt(float(np.square(sums).sum() * len(sums) / (len(sums) - 1)))
        df = max(number - 1.0, 1.0)
        reach, method = float(special.stdtrit(df, (1 + level) / 2)) * error, "DeLong over units"
    if reach == 0:
        # Nothing varied: that is what as many trials may miss.
        reach = 1 - (1 - level) ** (1 / number)
    return Estimate(value, max(value - reach, 0.0), min(value + reach, 1.0), level, method)
