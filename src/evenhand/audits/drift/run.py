"""From two files to drift: each feature, all together, by group, and accuracy without labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import polars as pl

from evenhand.audits.drift.column import (
    Column,
    choose,
    column_of,
    matrix,
    named,
    problems_of,
    read,
    unit_codes,
)
from evenhand.audits.drift.feature import Rows, feature_drifts
from evenhand.audits.drift.found import (
    Drift,
    FeatureDrift,
    JointDrift,
    Performance,
    Size,
)
from evenhand.audits.drift.joint import forest, joint_drift, size_of
from evenhand.audits.drift.performance import performance_of, score_problems
from evenhand.errors import Problem, RoleError, listed
from evenhand.stats.multiplicity import Flags, benjamini_hochberg_adjusted
from evenhand.stats.two_sample import Codes

_MOST_GROUPS = 50
_FEWEST_DRAWS, _MOST_DRAWS = 999, 9_999

_Tested = TypeVar("_Tested", FeatureDrift, JointDrift)


def find_drift(
    reference: object,
    current: object,
    *,
    features: Sequence[str] = (),
    group: str | None = None,
    unit: str | None = None,
    score: str | None = None,
    label: str | None = None,
    level: float = 0.95,
    seed: int = 1,
) -> Drift:
    """Return where current rows differ from those of a reference, and how sure that is.

    Args:
        reference: The rows that were before, a path or table.
        current: The rows that are now.
        features: Columns that are compared; by default all that both have but ids, unit, group and
            label.
        group: A column; all is then done for the rows of each of its values too.
        unit: The column of what is independent; each row by default.
        score: A column of chances that the label is 1, for accuracy without labels.
        label: A column of labels of the reference, by which the score's calibration is tested.
        level: Coverage of the intervals; 1 minus it is the false discovery rate.
        seed: Seed of all that is drawn.

    Raises:
        EvenhandError: The files cannot be read, or do not fit what is asked.
        MissingExtraError: Scikit-learn is not installed.

    """
    if not 0 < level < 1:
        raise RoleError(Problem("--level", f"{level} is not between 0 and 1.", "Write 0.95."))
    one, other = read(reference, "reference"), read(current, "current data")
    problems = [p for name in features for p in problems_of(name, one, other, "--feature")]
    for role, flag in ((group, "--group"), (unit, "--unit")):
        if role is not None:
            problems += problems_of(role, one, other, flag)
    problems += score_problems(one, other, score, label)
    if problems:
        raise RoleError(problems)
    roles = [name for name in (group, unit, label) if name is not None]
    chosen, notes = ([*dict.fromkeys(features)], []) if features else choose(one, other, roles)
    if not chosen:
        what = "there is no feature to compare."
        raise RoleError(Problem("--feature", what, f"Columns: {listed(one.columns)}."))
    forest(seed)
    columns = [column_of(name, one, other) for name in chosen]
    second = np.arange(len(one) + len(other)) >= len(one)
    units = unit_codes(unit, one, other)
    parts = _parts(group, one, other)
    tests = len(parts) * (2 * len(columns) + 1)
    rows = Rows(
        second,
        units,
        unit is not None,
        level,
        # So many that the smallest p-value is a discovery even alone.
        int(np.clip(2 * tests / (1 - level), _FEWEST_DRAWS, _MOST_DRAWS)),
    )
    found: list[FeatureDrift] = []
    joint: list[JointDrift] = []
    performance: list[Performance] = []
    sizes: dict[str, Size] = {}
    for place, (name, within) in enumerate(parts):
        size = size_of(second[within], units[within])
        if name is not None:
            sizes[name] = size
        for column_place, column in enumerate(columns):
            rng = np.random.default_rng([seed, place, column_place])
            found += feature_drifts(column, name, within, rows, rng)
        rng = np.random.default_rng([seed, place, len(columns)])
        joint.append(_joint(columns, name, within, rows, rng))
        if score is not None:
            performance.append(
                performance_of(
                    one, other, within, units, group=name, score=score, label=label, level=level
                )
            )
    features_found, joint_found = _adjusted(found, joint)
    if unit is not None:
        notes += _shared(second, units)
    return Drift(
        size=size_of(second, units),
        features=tuple(features_found),
        joint=tuple(joint_found),
        performance=tuple(performance),
        sizes=sizes,
        level=level,
        unit=unit,
        group=group,
        family=_family(features_found, joint_found, sizes, level),
        notes=tuple(notes),
        seed=seed,
    )


def _parts(
    group: str | None, one: pl.DataFrame, other: pl.DataFrame
) -> list[tuple[str | None, Flags]]:
    """Return all rows, and those of each group."""
    every: list[tuple[str | None, Flags]] = [(None, np.ones(len(one) + len(other), dtype=bool))]
    if group is None:
        return every
    names = named(group, one, other).fill_null("unknown")
    values = sorted(names.unique().to_list())
    if len(values) > _MOST_GROUPS:
        what = f"'{group}' has {len(values)} values; up to {_MOST_GROUPS} groups are compared."
        raise RoleError(Problem("--group", what, "Group by a column of fewer."))
    return [*every, *((value, (names == value).to_numpy()) for value in values)]


def _joint(
    columns: Sequence[Column],
    group: str | None,
    within: Flags,
    rows: Rows,
    rng: np.random.Generator,
) -> JointDrift:
    own = np.unique(rows.unit[within], return_inverse=True)[1]
    return joint_drift(
        matrix(columns, within),
        rows.second[within],
        own,
        group=group,
        level=rows.level,
        replicates=rows.replicates,
        rng=rng,
        repeated=rows.repeated,
    )


def _adjusted(
    found: Sequence[FeatureDrift], joint: Sequence[JointDrift]
) -> tuple[list[FeatureDrift], list[JointDrift]]:
    """Return all tests with p-values that are adjusted together."""
    every: list[FeatureDrift | JointDrift] = [*found, *joint]
    p = np.array([one.test.p_value for one in every])
    adjusted = benjamini_hochberg_adjusted(p)

    def told(one: _Tested, value: float) -> _Tested:
        return replace(one, test=replace(one.test, adjusted=value))

    count = len(found)
    return (
        [told(one, float(value)) for one, value in zip(found, adjusted[:count], strict=True)],
        [told(one, float(value)) for one, value in zip(joint, adjusted[count:], strict=True)],
    )


def _family(
    found: Sequence[FeatureDrift],
    joint: Sequence[JointDrift],
    sizes: dict[str, Size],
    level: float,
) -> str:
    every: list[FeatureDrift | JointDrift] = [*found, *joint]
    tests = sum(not math.isnan(one.test.p_value) for one in every)
    rate = f"{1 - level:.4g}"
    among = f", in all rows and in each of {len(sizes)} groups" if sizes else ""
    return (
        f"{tests} p-values are adjusted together (Benjamini-Hochberg, false discovery rate {rate}):"
        f" each feature, where numbers are missing that too, and all features jointly{among}. "
        f"Without any drift a run like this has an alarm with a chance of {rate} at most, if tests "
        "are independent or positively dependent."
    )


def _shared(second: Flags, units: Codes) -> list[str]:
    both = len(np.intersect1d(units[second], units[~second]))
    if not both:
        return []
    return [f"{both:,} units are in both files: under permutation their two sides are swapped"]
