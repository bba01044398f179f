"""Features of a table, alone or as groups that go together; what makes an importance misread."""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import ModelError, Problem, did_you_mean, listed
from evenhand.models.model import Floats

Groups = tuple[object, ...] | str
"""Groups as notation gives them: lists of names, or text with ``*`` in it, such as ``race_*``."""


@dataclass(frozen=True)
class Features:
    """What is explained by: each feature, or group of features, once.

    Attributes:
        names: Of a group its names joined by ``+``, or the text that stands for them.
        members: The places of its columns, of each.

    """

    names: tuple[str, ...]
    members: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.names)


def named_features(features: Sequence[str], count: int) -> tuple[str, ...]:
    """Return the names of columns; without any they are called ``x0``, ``x1`` and so on."""
    return tuple(features) or tuple(f"x{place}" for place in range(count))


def grouped(features: Sequence[str], groups: Groups = ()) -> Features:
    """Return features with some of them put together; a group stands where its first member did.

    >>> grouped(["age", "race_a", "race_b", "sex"], ("race_*",)).names
    ('age', 'race_*', 'sex')

    Args:
        features: Their names, in the model's order.
        groups: Each a list of names, or text with ``*`` in it that stands for several; one such
            text may stand alone.

    Raises:
        ModelError: A group names what is none, less than two features, or one that another has; or
            two features, or a feature and a group, are called alike.

    """
    _check_apart(features, "features", "Name it once, or rename one of them.")
    known = {name: place for place, name in enumerate(features)}
    problems: list[Problem] = []
    taken: dict[int, str] = {}
    names: dict[int, str] = {}
    members: dict[int, tuple[int, ...]] = {}
    for group in (groups,) if isinstance(groups, str) else groups:
        name, wanted, wrong = _group(group, features)
        strange = [one for one in wanted if one not in known]
        where = f"groups, '{name}'"
        problems += [Problem(where, *why) for why in wrong]
        problems += [
            Problem(where, f"there is no feature '{one}'.", did_you_mean(one, features))
            for one in strange
        ]
        places = tuple(sorted({known[one] for one in wanted if one in known}))
        problems += [
            Problem(where, f"'{features[place]}' is in '{taken[place]}' too.", "Name it once.")
            for place in places
            if place in taken
        ]
        taken |= dict.fromkeys(places, name)
        if places:
            names[places[0]], members[places[0]] = name, places
    if problems:
        raise ModelError(problems)
    first = [place for place in range(len(features)) if place in members or place not in taken]
    called = tuple(names.get(place, features[place]) for place in first)
    _check_apart(called, "groups", "Rename the feature, or say the group otherwise.")
    return Features(
        called,
        tuple(members.get(place, (place,)) for place in first),
    )


def _check_apart(names: Sequence[str], where: str, hint: str) -> None:
    """Refuse names that are given twice: rows are told apart by them.

    Raises:
        ModelError: With each that is.

    """
    twice = dict.fromkeys(name for name in names if names.count(name) > 1)
    if twice:
        what = "two of what is explained by are called '{}', so that nobody could tell them apart."
        raise ModelError([Problem(where, what.format(name), hint) for name in twice])


def _group(group: object, features: Sequence[str]) -> tuple[str, list[str], list[tuple[str, str]]]:
    """Return a group's name, the names of its members, and what is wrong with it."""
    if isinstance(group, str):
        wanted = [one for one in features if fnmatch.fnmatchcase(one, group)]
        if len(wanted) < 2:  # noqa: PLR2004 - a group
            what = f"{len(wanted)} feature{'s are' * (not wanted)}{' is' * bool(wanted)} called so."
            hint = f"Write groups=[[a, b]] or groups=['race_*']. Features: {listed(features[:40])}."
            return group, wanted, [(what, hint)]
        return group, wanted, []
    wanted = [str(one) for one in group] if isinstance(group, tuple) else [str(group)]
    name = "+".join(wanted)
    few = len({*wanted}) < 2  # noqa: PLR2004 - a group
    return name, wanted, [("a group has two features or more.", "groups=[[a, b]]")] if few else []


_ALIKE = 0.95
"""From which correlation on two features are told of as nearly the same."""

_SHOWN = 6


def remarks(
    x: Floats, features: Features, names: Sequence[str], text: Collection[str] = ()
) -> tuple[str, ...]:
    """Return what makes the importance of features misread, unless they are put together.

    Constant features, features that tell the same (a line of each other, or where one is text,
    whose values come in fixed pairs, again and again), sets of 0 and 1 of which one is set in every
    example (one-hot), and pairs of numbers whose correlation is .95 or more.

    Args:
        x: All examples, shape (n, columns).
        features: Groups that were declared; inside of them nothing is remarked.
        names: Of the columns.
        text: Columns whose numbers are places of values, which have no order.

    """
    values = np.asarray(x, np.float64)
    apart = {place: at for at, places in enumerate(features.members) for place in places}
    still = [place for place in range(len(names)) if np.ptp(values[:, place]) == 0]
    places = [place for place, name in enumerate(names) if name in text and place not in still]
    found = []
    if still:
        what = f"constant: {_few(names[place] for place in still)}"
        found.append(f"{what}; what never changes can have no importance in these examples")
    hot = [
        [names[place] for place in some]
        for some in _one_hot(values, names, [*still, *places])
        if len({apart[place] for place in some}) > 1
    ]
    for some in hot:
        what = f"one-hot: of {_few(some)} one is set in every example"
        found.append(f"{what}; put them together, groups=[[{', '.join(some[:3])}, ...]]")
    known = {name for some in hot for name in some}
    pairs = [
        (one, other, size)
        for one, other, size in (*_related(values, [*still, *places]), *_paired(values, places))
        if apart[one] != apart[other] and not {names[one], names[other]} <= known
    ]
    same = [(one, other) for one, other, size in pairs if size > 1 - 1e-9]
    near = [(one, other, size) for one, other, size in pairs if size <= 1 - 1e-9]
    for one, other in same[:_SHOWN]:
        what = f"duplicated: {names[one]} and {names[other]} tell the same of every example, so an "
        what += "importance of 0 of one does not say that it is not used"
        found.append(f"{what}; put them together, groups=[[{names[one]}, {names[other]}]]")
    if near:
        told = (f"{names[one]} and {names[other]} ({size:.2f})" for one, other, size in near)
        what = f"strongly related: {_few(told)}"
        found.append(f"{what}; what one has of importance may be the other's")
    return tuple(found)


def _few(names: Sequence[str] | Iterator[str]) -> str:
    every = [*names]
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return f"{', '.join(every[:_SHOWN])}{more}"


def related(
    x: Floats, names: Sequence[str], text: Collection[str], least: float
) -> list[tuple[str, str, float]]:
    """Return each number beside the feature with which it is most strongly related, and how.

    Of two numbers the size of Pearson's correlation. Of a number and text the correlation ratio,
    the root of the share of the number's variance that lies between the values of the text, less
    what as many values leave by chance (Kelley 1935). Pairs once, the strongest first.

    Args:
        x: All examples, shape (n, columns).
        names: Of the columns.
        text: Columns whose numbers are places of values, which have no order.
        least: The least size that is told.

    """
    values = np.asarray(x, np.float64).reshape(len(x), -1)
    words = [place for place, name in enumerate(names) if name in text]
    still = [place for place in range(len(names)) if not np.ptp(values[:, place])]
    pairs = [*_related(values, [*still, *words], least)]
    for other in (place for place in words if place not in still):
        for one in (place for place in range(len(names)) if place not in {*still, *words}):
            size = _between(values[:, one], values[:, other])
            pairs += [(one, other, size)] if size >= least else []
    strongest: dict[int, tuple[int, int, float]] = {}
    for pair in pairs:
        for place in pair[:2]:
            if place not in words:
                strongest[place] = max(strongest.get(place, pair), pair, key=lambda one: one[2])
    found = sorted({*strongest.values()}, key=lambda one: -one[2])
    return [(names[one], names[other], size) for one, other, size in found]


def _between(number: NDArray[np.float64], text: NDArray[np.float64]) -> float:
    """Return the correlation ratio of a number and text, shape (n,) each, corrected for chance."""
    codes = np.unique(text, return_inverse=True)[1]
    count, size = int(codes.max()) + 1, len(number)
    if size <= count:
        return 0.0
    means = np.bincount(codes, number) / np.bincount(codes)
    within = float(np.square(number - means[codes]).sum() / (size - count))
    share = 1 - within / float(number.var(ddof=1))
    return float(max(share, 0.0) ** 0.5)


def _related(
    values: NDArray[np.float64], out: Sequence[int], least: float = _ALIKE
) -> Iterator[tuple[int, int, float]]:
    """Yield pairs of columns with the size of their correlation, where it is large."""
    moving = [place for place in range(values.shape[1]) if place not in {*out}]
    if len(moving) < 2:  # noqa: PLR2004 - a pair
        return
    size = np.abs(np.corrcoef(values[:, moving], rowvar=False))
    for one, other in itertools.combinations(range(len(moving)), 2):
        if size[one, other] >= least:
            yield moving[one], moving[other], float(size[one, other])


def _paired(values: NDArray[np.float64], text: Sequence[int]) -> Iterator[tuple[int, int, float]]:
    """Yield columns of text beside others, where each value of one has one value of the other.

    Values that hardly ever come twice are in fixed pairs whatever they are: names, addresses, exact
    amounts. So there are to be fewer of them than half of the examples, which leaves out too that
    every example is there twice.
    """
    codes = [np.unique(column, return_inverse=True)[1] for column in values.T]
    for one, other in itertools.combinations(range(values.shape[1]), 2):
        count = int(codes[one].max()) + 1
        if not {one, other} & {*text} or count != codes[other].max() + 1:
            continue
        if 2 * count >= len(values):
            continue
        if len(np.unique(codes[one] * count + codes[other])) == count > 1:
            yield one, other, 1.0


def _one_hot(
    values: NDArray[np.float64], names: Sequence[str], out: Sequence[int]
) -> Iterator[tuple[int, ...]]:
    """Yield columns of 0 and 1 whose names begin alike and of which one is set in each example."""
    binary = [
        place
        for place in range(values.shape[1])
        if place not in {*out} and bool(np.isin(values[:, place], (0.0, 1.0)).all())
    ]
    by_start: dict[str, list[int]] = {}
    for place in binary:
        for mark in ("=", "_", "."):
            start, _, rest = names[place].partition(mark)
            if rest:
                by_start.setdefault(start, []).append(place)
                break
    for some in by_start.values():
        if len(some) > 1 and bool((values[:, some].sum(axis=1) == 1).all()):
            yield tuple(some)
