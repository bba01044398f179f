"""What attacks and certificates know together: a share between what is proved and what was broken.

An attack that fails proves nothing, and a certificate that is missing breaks nothing. So the robust
accuracy lies between the share that is certified and the share that attacks left (Gowal et al.
2019), and no number of rows narrows that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import narwhals as nw

from evenhand.measures.figure import Figure, Share
from evenhand.measures.measure import Measure, RoleColumns, Sums, TermSums
from evenhand.measures.ranking import Ranking
from evenhand.notation import Term
from evenhand.stats.bucket import Dependence
from evenhand.stats.interval import Floats
from evenhand.stats.partial import Identified

CERTIFICATE = "certificate"
"""How notation says that a certificate bounds what an attack leaves open."""


@dataclass(frozen=True, repr=False)
class CertificateBounds(Sums):
    """The set of values that a share of robust examples can have, from attacks and certificates.

    At one end only what is certified is robust, at the other whatever was not broken. A row whose
    certificate is missing is not certified.

    Attributes:
        measure: The share, which reads the role ``robust``.

    """

    measure: Measure

    name: ClassVar[str] = "bounds"
    tolerates: ClassVar[tuple[str, ...]] = ("certified",)

    def __post_init__(self) -> None:
        for what in ("better", "tags", "cites", "limits", "reads"):
            # A frozen value takes what it is about from the measure it bounds.
            object.__setattr__(self, what, getattr(self.measure, what))
        object.__setattr__(self, "needs", (*self.measure.needs, "certified"))

    def term(self) -> Term:
        return Term(self.name, (self.measure.term(),), (("missing", CERTIFICATE),))

    def problem(self) -> str:
        what = (
            f"a certificate bounds shares of examples that are robust, and {self.measure} is none."
        )
        if "robust" not in self.measure.needs or not isinstance(self.measure, Sums):
            return what
        if isinstance(self.measure, Ranking):
            return what
        terms = self.measure.terms(RoleColumns(self.measure.needs))
        nothing = TermSums.of_nothing(terms, ())
        return "" if isinstance(self.measure.finalise(nothing), Share) else what

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        proved = nw.when(log.certified == 1).then(nw.lit(1)).otherwise(nw.lit(0))
        ends = {"": log, _PROVED: log.filled(robust=proved)}
        return {
            f"{name}{end}": term
            for end, columns in ends.items()
            for name, term in self.measure.terms(columns).items()
        }

    def finalise(self, s: TermSums) -> Figure:
        attacked, proved = (self._share(s, end) for end in ("", _PROVED))
        low, high = (proved, attacked) if self.better == "higher" else (attacked, proved)
        return Between(attacked.among, attacked.empty, low, high)

    def _share(self, s: TermSums, end: str) -> Share:
        """Return the share at one end."""
        if not isinstance(self.measure, Sums):
            raise TypeError(self.problem())
        names = self.measure.terms(RoleColumns(self.measure.needs))

        def of_end(sums: Mapping[str, Floats]) -> dict[str, Floats]:
            return {name: sums[f"{name}{end}"] for name in names}

        rows, weights, squares = map(of_end, (s.rows, s.weights, s.square_weights))
        sums = replace(s, rows=rows, weights=weights, square_weights=squares)
        share = self.measure.finalise(sums)
        if not isinstance(share, Share):
            raise TypeError(self.problem())
        return share


_PROVED = ", if only what is certified is robust"


@dataclass(frozen=True)
class Between(Figure):
    """A share by group that is known to lie between two others of the same rows.

    Attributes:
        low: The smaller share.
        high: The larger share.

    """

    among: str
    empty: str
    low: Share
    high: Share

    @property
    def rows(self) -> Floats:
        return self.low.rows

    def notes(self) -> Mapping[str, str]:
        return {
            CERTIFICATE: "from what is proved to what attacks left; without a certificate nothing "
            "is proved"
        }

    def undefined(self) -> list[str | None]:
        return self.low.undefined()

    def figures(self, members: Floats, *, dependent: Dependence | None) -> Identified:
        ends = (self.low, self.high)
        return Identified(*(end.figures(members, dependent=dependent) for end in ends))
