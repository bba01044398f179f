"""Agreement of two explanations of the same examples, as means over examples.

None is better higher or lower. Agreement is no faithfulness: two maps may agree on what is wrong,
and of two that do not agree one may be right. What an explanation is worth its card says.
"""

from __future__ import annotations

from typing import ClassVar

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure

_EMPTY = "no example of which both maps put parts in an order"
_KRISHNA = "Krishna et al. 2024"


class _Agreement(Sums):
    """The mean of a column, above that by chance where there is one."""

    within: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        found, *chance = (getattr(log, name) for name in self.needs)
        return {self._named: found - chance[0] if chance else found}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean(self._named, among="rows", empty=_EMPTY, within=self.within)

    @property
    def _named(self) -> str:
        return " above ".join(self.needs)


@measure(
    needs=("feature_agreement",),
    better=None,
    tags=("explainability", "fairness"),
    cites=_KRISHNA,
    name="feature_agreement",
)
class FeatureAgreement(_Agreement):
    """Mean share of the largest parts that both explanations have among theirs; in [0, 1].

    Of the k largest by size, whatever their order and sign; of equal ones in the mean over random
    orders. Random orders share k of all parts: read it beside `feature_agreement_excess`.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient and occlusion",
    ...                      "feature_agreement": [0.5, 1.0]})
    >>> eh.estimate("feature_agreement", eh.log(rows, kind="attributions")).value
    0.75
    """


@measure(
    needs=("feature_agreement", "feature_agreement_random"),
    better=None,
    tags=("explainability", "fairness"),
    cites=_KRISHNA,
)
class FeatureAgreementExcess(_Agreement):
    """Mean share of the largest parts that both explanations have, above chance; in [-1, 1].

    Chance is k of all parts: what two orders share in the mean of which one is shuffled. 0: the two
    explanations agree as if one of them were drawn. See `feature_agreement`.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient and occlusion",
    ...     "feature_agreement": [0.5, 1.0], "feature_agreement_random": 0.25})
    >>> eh.estimate("feature_agreement_excess", eh.log(rows, kind="attributions")).value
    0.5
    """

    within = (-1.0, 1.0)


@measure(
    needs=("sign_agreement",),
    better=None,
    tags=("explainability", "fairness"),
    cites=_KRISHNA,
    name="sign_agreement",
)
class SignAgreement(_Agreement):
    """Mean share of the largest parts that both explanations have, with one sign; in [0, 1].

    So at most `feature_agreement`. What speaks for the class in one explanation and against it in
    the other counts as no agreement; 0 is a sign of its own.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient and occlusion",
    ...                      "sign_agreement": [0.5, 1.0]})
    >>> eh.estimate("sign_agreement", eh.log(rows, kind="attributions")).value
    0.75
    """


@measure(
    needs=("sign_agreement", "sign_agreement_random"),
    better=None,
    tags=("explainability", "fairness"),
    cites=_KRISHNA,
)
class SignAgreementExcess(_Agreement):
    """Mean share of the largest parts that both have with one sign, above chance; in [-1, 1].

    Chance is what is shared in the mean where the parts of one explanation are shuffled, with their
    signs. See `sign_agreement`.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient and occlusion",
    ...     "sign_agreement": [0.5, 1.0], "sign_agreement_random": 0.25})
    >>> eh.estimate("sign_agreement_excess", eh.log(rows, kind="attributions")).value
    0.5
    """

    within = (-1.0, 1.0)


@measure(
    needs=("rank_agreement",),
    better=None,
    tags=("explainability", "fairness"),
    cites=_KRISHNA,
    name="rank_agreement",
)
class RankAgreement(_Agreement):
    """Mean share of the largest parts that stand at the very same place in both; in [0, 1].

    By chance it is 1 of all parts, so that of many parts it is small for any two explanations.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient and occlusion",
    ...                      "rank_agreement": [0.0, 0.5]})
    >>> eh.estimate("rank_agreement", eh.log(rows, kind="attributions")).value
    0.25
    """


@measure(
    needs=("signed_rank_agreement",),
    better=None,
    tags=("explainability", "fairness"),
    cites=_KRISHNA,
    name="signed_rank_agreement",
)
class SignedRankAgreement(_Agreement):
    """Mean share of the largest parts at the very same place in both, with one sign; in [0, 1].

    The strictest of the four that look at the largest parts. See `rank_agreement`.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient and occlusion",
    ...                      "signed_rank_agreement": [0.0, 0.5]})
    >>> eh.estimate("signed_rank_agreement", eh.log(rows, kind="attributions")).value
    0.25
    """


@measure(
    needs=("rank_correlation",),
    better=None,
    tags=("explainability", "fairness"),
    cites=_KRISHNA,
    name="rank_correlation",
)
class RankCorrelation(_Agreement):
    """Mean of Spearman's correlation of the sizes of all parts; in [-1, 1].

    0 by chance. Many small parts weigh as much in it as the few that people look at, and signs are
    not looked at.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient and occlusion",
    ...                      "rank_correlation": [-0.5, 1.0]})
    >>> eh.estimate("rank_correlation", eh.log(rows, kind="attributions")).value
    0.25
    """

    within = (-1.0, 1.0)


@measure(
    needs=("pairwise_rank_agreement",),
    better=None,
    tags=("explainability", "fairness"),
    cites=_KRISHNA,
    name="pairwise_rank_agreement",
)
class PairwiseRankAgreement(_Agreement):
    """Mean share of pairs of parts of which both explanations say which is larger; in [0, 1].

    Of all pairs, those that are equal in one of them as a half: (1 + Kendall's tau-a) / 2. A half
    by chance.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "gradient and occlusion",
    ...                      "pairwise_rank_agreement": [0.5, 1.0]})
    >>> eh.estimate("pairwise_rank_agreement", eh.log(rows, kind="attributions")).value
    0.75
    """
