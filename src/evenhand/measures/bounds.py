"""Bounds: what a share can be when labels are missing, or groups unknown.

A rejected applicant's repayment was not seen, so a true positive rate is not known; but it lies in
a set. Each missing label is 1 with some chance a, apart for each prediction. The share is monotone
in every a, so its ends are at the corners of what the a may be (Manski 2003).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import narwhals as nw
import numpy as np

from evenhand.measures.figure import Figure, Share, SmoothFunction
from evenhand.measures.measure import Measure, RoleColumns, Sums, TermSums
from evenhand.measures.ranking import Ranking
from evenhand.notation import Term, Value
from evenhand.stats.bucket import Dependence
from evenhand.stats.delta import Influences
from evenhand.stats.figure import Figures
from evenhand.stats.interval import Floats
from evenhand.stats.partial import Identified

MOST_ODDS = 1e4
"""An odds ratio that leaves next to nothing excluded."""


@dataclass(frozen=True)
class Missing:
    """What is assumed of labels that are missing.

    Attributes:
        odds: The odds that a missing label is 1 are at most this many times higher or lower than
            those of the labels seen: of rows with the same prediction, or where none of these was
            seen, of all rows of the group. Infinite assumes nothing; 1 that they are alike.

    """

    odds: float = np.inf

    def __str__(self) -> str:
        return "worst" if np.isinf(self.odds) else f"odds({self.odds:g})"

    @property
    def convention(self) -> str:
        """What is assumed, for the reader."""
        if np.isinf(self.odds):
            return "nothing is assumed of missing labels"
        return (
            f"the odds of a missing label being 1 are within a factor of {self.odds:g} of those of "
            "the labels seen with the same prediction, or where none is seen, in the group"
        )


@dataclass(frozen=True, repr=False)
class Bounds(Sums):
    """The set of values that a share can have, given what is assumed of missing labels."""

    measure: Measure
    missing: Missing

    name: ClassVar[str] = "bounds"
    tolerates: ClassVar[tuple[str, ...]] = ("label",)

    def __post_init__(self) -> None:
        for what in ("needs", "better", "tags", "cites", "limits", "reads"):
            # A frozen value takes what it is about from the measure it bounds.
            object.__setattr__(self, what, getattr(self.measure, what))

    @property
    def positive(self) -> object:
        """The class that counts as positive, as the measure has it."""
        return getattr(self.measure, "positive", None)

    @staticmethod
    def written(missing: Missing) -> tuple[tuple[str, Value], ...]:
        """Return the parameters of notation that say what is assumed."""
        if np.isinf(missing.odds):
            return (("missing", "worst"),)
        odds = int(missing.odds) if missing.odds % 1 == 0 else missing.odds
        return (("missing", Term("odds", (odds,))),)

    def term(self) -> Term:
        return Term(self.name, (self.measure.term(),), self.written(self.missing))

    def problem(self) -> str:
        if not isinstance(self.measure, Sums) or isinstance(self.measure, Ranking):
            return f"bounds need a share of two counts, and {self.measure} is none."
        terms = self.measure.terms(RoleColumns(self.measure.needs))
        if not isinstance(self.measure.finalise(TermSums.of_nothing(terms, ())), Share):
            return f"bounds need a share of two counts, and {self.measure} is none."
        return "" if self.missing.odds >= 1 else "odds(gamma) needs gamma >= 1."

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        if not isinstance(self.measure, Sums):
            raise TypeError(self.problem())
        if "label" not in self.needs:
            # No label can be missing; only members of unknown groups widen such a share.
            seen = {f"{name} seen": term for name, term in self.measure.terms(log).items()}
            return {"rows": 1, **seen}
        label = log.label
        cells: dict[str, nw.Expr | None] = {"all": None}
        if "prediction" in self.needs:
            cells = {f"{p}": log.prediction == p for p in (0, 1)}
        found: dict[str, nw.Expr | int] = {"rows": 1}
        for name, term in self.measure.terms(log).items():
            found[f"{name} seen"] = _both(term, ~label.is_null())
        for cell, inside in cells.items():
            labels = {"missing": label.is_null(), "ones": label == 1, "zeros": label == 0}
            for what, rows in labels.items():
                found[f"{what} at {cell}"] = rows if inside is None else rows & inside
        return found

    def finalise(self, s: TermSums) -> Figure:
        if not isinstance(self.measure, Sums):
            raise TypeError(self.problem())
        inner = self.measure.terms(RoleColumns(self.needs))
        share = self.measure.finalise(TermSums.of_nothing(inner, ()))
        if not isinstance(share, Share):
            raise TypeError(self.problem())
        cells: tuple[str, ...] = ("0", "1") if "prediction" in self.needs else ("all",)
        if "label" not in self.needs:
            cells = ()
        of = next(name for name in inner if name != share.among)
        corner = s.function(
            _nothing, among="rows", empty="no rows", within=(0.0, 1.0), otherwise=share.empty
        )
        holds = _holding(self.measure, cells)
        return Bounded("rows", "no rows", corner, share, of, cells, holds, self.missing)


def _both(term: nw.Expr | int, inside: nw.Expr) -> nw.Expr:
    return inside if isinstance(term, int) else term & inside


@functools.cache
def _holding(measure: Sums, cells: tuple[str, ...]) -> Mapping[tuple[str, str, int], bool]:
    """Return whether each term holds for a row of a cell if its label is 0, or 1."""
    expressions: dict[tuple[str, str, int], nw.Expr | int] = {}
    for cell, label in itertools.product(cells, (0, 1)):
        given = {} if cell == "all" else {"prediction": int(cell)}
        terms = measure.terms(RoleColumns(measure.needs).filled(label=label, **given))
        expressions |= {(name, cell, label): term for name, term in terms.items()}
    row = nw.from_dict({"row": [1]}, backend="polars")
    columns = [
        (nw.lit(term) == 1 if isinstance(term, int) else term).alias(f"{place}")
        for place, term in enumerate(expressions.values())
    ]
    values = row.with_columns(*columns).rows()[0][1:]
    return dict(zip(expressions, map(bool, values), strict=True))


def _nothing(sums: Mapping[str, Floats]) -> Floats:
    return np.zeros_like(sums["rows"])


@dataclass(frozen=True)
class Bounded(Figure):
    """A share by group, of which a set of values is known.

    Attributes:
        sums: The sums of all terms, seen and if.
        share: The form of the share.
        of: The term in its numerator.
        cells: The predictions among which missing labels are taken apart; none where the share
            reads no label.
        holds: Whether a term holds for a row of a cell if its label is 0, or 1.
        missing: What is assumed of missing labels.
        unknown: Place of the group of unknown members, who may belong to any; None to leave them
            out.

    """

    among: str
    empty: str
    sums: SmoothFunction
    share: Share
    of: str
    cells: tuple[str, ...]
    holds: Mapping[tuple[str, str, int], bool]
    missing: Missing
    unknown: int | None = None
    needs_products: ClassVar[bool] = True

    @property
    def rows(self) -> Floats:
        return self.sums.rows

    def notes(self) -> Mapping[str, str]:
        notes = {"missing labels": self.missing.convention} if self.cells else {}
        if self.unknown is not None:
            notes["unknown groups"] = "rows of unknown group may belong to any group"
        return notes

    @property
    def some_missing(self) -> bool:
        """Whether any label is missing."""
        return bool(self._labels("missing").sum() > 0)

    def with_unknown(self, index: int) -> Bounded:
        """Return the bounds if the rows of this group may belong to any other."""
        return replace(self, unknown=index)

    def assuming(self, missing: Missing) -> Bounded:
        """Return the bounds under another assumption, from the same sums."""
        return replace(self, missing=missing)

    def undefined(self) -> list[str | None]:
        reasons = self.sums.undefined()
        if any(reasons):
            return reasons
        ends = self._ends(np.eye(len(reasons)), dependent=None)
        known = np.isfinite(ends[0].value) & np.isfinite(ends[1].value)
        unseen = "no label is seen, so odds of those seen say nothing"
        blind = ~np.isinf(self.missing.odds) & (self._labels("missing") > 0)
        blind &= self._labels("ones", "zeros") == 0
        return [
            None if defined else unseen if without else self.share.empty
            for defined, without in zip(known, blind, strict=True)
        ]

    def _labels(self, *kinds: str) -> Floats:
        """Return the sum of rows whose label is of these kinds, by group."""
        names = [f"{kind} at {cell}" for kind in kinds for cell in self.cells]
        places = [self.sums.names.index(name) for name in names]
        total: Floats = self.sums.sums[places].sum(axis=(0, 1))
        return total

    def figures(self, members: Floats, *, dependent: Dependence | None) -> Figures:
        low, high = (end.figures() for end in self._ends(members, dependent=dependent))
        return Identified(low, high)

    def _ends(
        self, members: Floats, *, dependent: Dependence | None
    ) -> tuple[Influences, Influences]:
        """Return the smallest and the largest share over all corners, set by set."""
        lows = [self._corner(f, members, dependent=dependent) for f in self._corners(up=False)]
        highs = [self._corner(f, members, dependent=dependent) for f in self._corners(up=True)]
        return _choose(lows, np.nanargmin), _choose(highs, np.nanargmax)

    def _corner(
        self, function: Corner, members: Floats, *, dependent: Dependence | None
    ) -> Influences:
        figure = self.sums
        if self.unknown is not None:
            figure = _beside(figure, self.unknown)
        return replace(figure, function=function).influences(members, dependent=dependent)

    def _corners(self, *, up: bool) -> Iterator[Corner]:
        """Return the share at every corner; with unknown members, as they would push it."""
        signs = [*itertools.product((-1, 1), repeat=len(self.cells))]
        others = signs if self.unknown is not None else [None]
        for own, other in itertools.product(signs, others):
            yield _Share(self, own, other, up=up)

    def chance(self, sums: Mapping[str, Floats], cell: str, sign: int, prefix: str) -> Floats:
        """Return the largest (sign 1) or smallest chance that a missing label is 1."""
        if np.isinf(self.missing.odds):
            return np.full_like(sums[f"{prefix}rows"], float(sign > 0))
        ones, zeros = (
            sum((sums[f"{prefix}{kind} at {other}"] for other in self.cells), np.zeros(()))
            for kind in ("ones", "zeros")
        )
        here = [sums[f"{prefix}{kind} at {cell}"] for kind in ("ones", "zeros")]
        seen = np.real(here[0] + here[1]) > 0
        ones, zeros = np.where(seen, here[0], ones), np.where(seen, here[1], zeros)
        factor = self.missing.odds**sign
        value: Floats = factor * ones / (factor * ones + zeros)
        return value


Corner = Callable[[Mapping[str, Floats]], Floats]


@dataclass(frozen=True)
class _Share:
    """The share at one corner: a function of sums."""

    bounded: Bounded
    own: tuple[int, ...]
    other: tuple[int, ...] | None
    up: bool

    def __call__(self, sums: Mapping[str, Floats]) -> Floats:
        of, among = self._counts(sums, self.own, "")
        if self.other is not None:
            # A member who may belong anywhere is put where the share moves most.
            hits, trials = self._counts(sums, self.other, _UNKNOWN)
            of = of + hits if self.up else of
            among = among + (hits if self.up else trials - hits)
        share = of / among
        curve = self.bounded.share.curve
        return share if curve is None else curve.value(share)

    def _counts(
        self, sums: Mapping[str, Floats], signs: tuple[int, ...], prefix: str
    ) -> tuple[Floats, Floats]:
        counts = []
        for name in (self.bounded.of, self.bounded.share.among):
            total = sums[f"{prefix}{name} seen"]
            for cell, sign in zip(self.bounded.cells, signs, strict=True):
                missing = sums[f"{prefix}missing at {cell}"]
                chance = self.bounded.chance(sums, cell, sign, prefix)
                # Where no label is missing nothing depends on a chance, known or not.
                chance = np.where(np.real(missing) > 0, chance, 0.0)
                zero, one = (self.bounded.holds[name, cell, label] for label in (0, 1))
                total = total + missing * (chance * one + (1 - chance) * zero)
            counts.append(total)
        return counts[0], counts[1]


_UNKNOWN = "unknown: "


def _beside(figure: SmoothFunction, unknown: int) -> SmoothFunction:
    """Return the figure with the sums of the unknown group beside those of every group."""
    n, _, groups = figure.sums.shape
    beside = np.broadcast_to(figure.sums[:, :, [unknown]], figure.sums.shape)
    products = np.zeros((2 * n, 2 * n, groups))
    products[:n, :n] = figure.products
    products[n:, n:] = figure.products[:, :, [unknown]]
    return replace(
        figure,
        names=(*figure.names, *(f"{_UNKNOWN}{name}" for name in figure.names)),
        sums=np.concatenate([figure.sums, beside]),
        products=products,
    )


def _choose(corners: list[Influences], best: Callable[..., np.intp]) -> Influences:
    """Return for each set the corner where its share is smallest, or largest."""
    values = np.array([corner.value for corner in corners])
    worst = np.inf if best is np.nanargmin else -np.inf
    chosen = np.asarray(best(np.where(np.isfinite(values), values, worst), axis=0))
    place = np.arange(values.shape[1])

    def pick(name: str) -> Floats:
        return np.array([getattr(corner, name) for corner in corners])[chosen, place]

    buckets = occupied = None
    if corners[0].buckets is not None:
        every = np.array([corner.buckets for corner in corners])
        buckets = every[chosen, :, place].T
        occupied = corners[0].occupied
    return replace(
        corners[0],
        value=pick("value"),
        variance=pick("variance"),
        df=pick("df"),
        correlation=np.eye(len(place)),
        buckets=buckets,
        occupied=occupied,
    )
