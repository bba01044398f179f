"""Exact Shapley values of columns of tables: in closed form, of trees, or by all coalitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import ModelError, Problem
from evenhand.models.logits import LogModel
from evenhand.models.model import Codes, Floats, Model, Offer
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import Attribution, Maps, Streams, scores_of
from evenhand.probes.attribute.baseline import Reference, baseline_of, refused
from evenhand.probes.explain.score import Score
from evenhand.probes.explain.shap import slope_of
from evenhand.probes.explain.shapley import enumerated, linear
from evenhand.probes.explain.trees import explainable, missing, of_trees
from evenhand.probes.parameter import count_of, refuse

Way = Literal["closed_form", "trees", "enumerate"]

_MOST = 14
"""Columns of which all coalitions are looked at when that is asked for."""

_TOLERANCE = 1e-6
"""How far parts of trees may be from adding up, relative to the score."""


@dataclass(frozen=True)
class Shapley(Attribution):
    """A column's mean rise of the score over all orders in which columns come in, exactly.

    Of linear logits w (x - x'), of boosted trees of two classes through the shap library, else by
    all coalitions. Parts add up to F(x) - F(x'). Beside a background they are the interventional
    Shapley values of Lundberg and Lee 2017 that ``explain.shap(link=logit)`` tells, of the class
    that the model predicts.

    Source: Shapley 1953; against one input Sundararajan and Najmi 2020.

    Attributes:
        exact: Up to how many columns all coalitions are looked at, from 1 to 14.
        baseline: x': ``low`` or ``mean``, the middle of the range.

    """

    name: ClassVar[str] = "shap"
    needs: ClassVar[Offer | None] = "scores"
    common: ClassVar[bool] = False
    complete: ClassVar[bool] = True

    exact: int = 8
    baseline: Reference = "mean"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        few = count_of(self.exact) and self.exact <= _MOST
        refuse(
            self.name,
            [
                (not few, f"exact={self.exact} is no number of columns from 1 to {_MOST}."),
                (bool(refused(self.baseline)), refused(self.baseline)),
            ],
        )

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops it on a model."""
        found, spec = super().problems(model), model.spec
        if spec.layout != "features":
            hint = "Name attribute.kernel_shap, of squares of pixels."
            return [*found, Problem(str(self), "it is of columns of tables.", hint)]
        wrong = refused(self.baseline, spec)
        found += [Problem(str(self), wrong)] if wrong else []
        if not found and _way(model, 0) == "enumerate" and spec.size > self.exact:
            what = f"{spec.size} columns have 2^{spec.size} coalitions, and exact={self.exact}."
            hint = f"Name attribute.kernel_shap, which draws some; exact goes to {_MOST}."
            if missing(_bare(model)):
                hint = f"Its trees are read with pip install 'evenhand[explain]'. {hint}"
            found.append(Problem(str(self), what, hint))
        return found

    def reference(self, x: Floats, spec: Spec) -> Floats | None:
        """Return the baseline."""
        return baseline_of(self.baseline, x, spec)

    def most(self, model: Model) -> int:
        """Return what the parts against one input cost."""
        return self.most_beside(model, 1)

    def most_beside(self, model: Model, count: int) -> int:
        """Return the coalitions of each row; of trees a look at the example and at the rows."""
        looks = 1 + count
        way = _way(model, 0)
        if way == "enumerate":
            return looks + ((1 << model.spec.size) - 2) * count
        return looks if way == "trees" else 0

    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return the parts against the baseline, which of tables is one for all examples."""
        if not len(x):
            return np.empty(x.shape)
        return self.beside(model, x, codes, streams, baseline_of(self.baseline, x[:1], model.spec))

    def beside(
        self, model: Model, x: Floats, codes: Codes, streams: Streams, background: Floats
    ) -> Maps:
        """Return the parts, of all rows of a background at once."""
        del streams
        found = np.empty(x.shape)
        for code in np.unique(codes).tolist():
            some = codes == code
            found[some] = self._of_class(model, x[some], int(code), background)
        return found

    def _of_class(self, model: Model, x: Floats, code: int, background: Floats) -> Maps:
        bare, score = _bare(model), Score(code, "logit")
        alone = [(place,) for place in range(x.shape[1])]
        way = _way(model, code)
        if way == "closed_form":
            slope = slope_of(bare, score)
            # What is linear for one class is so for all.
            return linear(np.asarray(slope), x, background, alone)

        def scored(flat: Floats) -> NDArray[np.float64]:
            return scores_of(model, flat, np.full(len(flat), code))

        if way == "enumerate":
            return enumerated(scored, x, background, alone, tell=lambda _share: None)
        hint = "Name attribute.kernel_shap, which is exact too where it draws no coalitions."
        try:
            parts = of_trees(bare, background, x, score)
        except ModelError as error:
            wrong = [Problem(str(self), one.what, hint) for one in error.problems]
            raise ModelError(wrong) from error
        whole, base = scored(x), float(scored(background).mean())
        off = np.abs(parts.sum(axis=1) - (whole - base))
        if bool((off > _TOLERANCE * np.maximum(1.0, np.abs(whole) + abs(base))).any()):
            what = f"parts of trees miss their score by up to {off.max():.3g}."
            raise ModelError(Problem(str(self), what, hint))
        return parts


def _bare(model: Model) -> Model:
    return model.model if isinstance(model, LogModel) else model


def _way(model: Model, code: int) -> Way:
    """Return how the values of a class's logit are worked out."""
    bare, score = _bare(model), Score(code, "logit")
    if slope_of(bare, score) is not None:
        return "closed_form"
    return "enumerate" if explainable(bare, score) or missing(bare) else "trees"
