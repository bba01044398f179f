"""Interventional Shapley values of trees, through the shap library."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from evenhand.errors import ModelError, Problem, first_line
from evenhand.models.framed import Framed
from evenhand.models.function import FunctionModel
from evenhand.models.model import Floats, Model
from evenhand.probes.explain.score import Score
from evenhand.probes.explain.shapley import Parts

_TREES = {
    *("DecisionTreeClassifier", "ExtraTreeClassifier"),
    *("RandomForestClassifier", "ExtraTreesClassifier"),
    *("GradientBoostingClassifier", "HistGradientBoostingClassifier"),
}


def trees_of(model: Model) -> Any:  # noqa: ANN401 - an estimator, or None
    """Return the trees that a model is, None where it is something else."""
    found = model.estimator if isinstance(model, FunctionModel) else None
    if isinstance(found, Framed) and not found.values:
        found = found.estimator
    return found if type(found).__name__ in _TREES else None


def missing(model: Model) -> bool:
    """Return whether a model is of trees and the library that explains them is not installed."""
    if trees_of(model) is None:
        return False
    try:
        with warnings.catch_warnings():
            # Of libraries that it imports, which are none of the user's business.
            warnings.simplefilter("ignore")
            import shap
    except ImportError:
        return True
    return not hasattr(shap, "TreeExplainer")


def explainable(model: Model, score: Score) -> str:
    """Return why a score has no values of trees; empty where it has.

    Args:
        model: The model.
        score: Its logit or its chance.

    """
    trees = trees_of(model)
    if trees is None:
        return f"{model.name} is not of trees that the shap library knows here."
    if model.spec.classes != 2:  # noqa: PLR2004
        return f"{model.name} has {model.spec.classes} classes, where two are known here."
    adds = "logit" if "Boosting" in type(trees).__name__ else "probability"
    if score.link != adds:
        return f"{model.name} adds up its trees to a {adds}, and asked is a {score.link}."
    odd = _odd(trees)
    return (
        f"{model.name} is fitted with {odd}, which the shap library does not read." if odd else ""
    )


def _odd(trees: Any) -> str:  # noqa: ANN401 - an estimator
    """Return what boosted trees have that the library does not read; empty without."""
    if type(trees).__name__ == "GradientBoostingClassifier":
        if trees.loss != "log_loss":
            return f"loss={trees.loss}"
        # The first guess has to be one number for everybody.
        return "" if trees.init is None else f"init={trees.init}"
    if type(trees).__name__ == "HistGradientBoostingClassifier":
        categorical = getattr(trees, "is_categorical_", None)
        found = categorical is not None and bool(np.any(categorical))
        return "categorical_features" if found else ""
    return ""


def of_trees(model: Model, background: Floats, x: Floats, score: Score) -> Parts:
    """Return the values of examples, shape (n, columns).

    Args:
        model: Of two classes, `explainable`.
        background: Shape (b, columns); all of it is used.
        x: Examples, shape (n, columns).
        score: What is explained.

    Raises:
        ModelError: The library fails.

    """
    import shap

    trees = trees_of(model)
    # Left to itself the library keeps 100 examples of a background, and says nothing.
    flat = _read_by(trees, background)
    try:
        explains = shap.TreeExplainer(
            trees,
            shap.maskers.Independent(flat, max_samples=len(flat)),
            feature_perturbation="interventional",
            model_output="raw",
        )
        found = np.asarray(explains.shap_values(_read_by(trees, x), check_additivity=False))
    except Exception as error:
        what = f"the shap library fails: {first_line(error)}"
        raise ModelError(Problem("explain.shap", what, "Say way=sample.")) from error
    if found.ndim == 3:  # noqa: PLR2004 - a value for each class
        return np.asarray(found[:, :, score.target], np.float64)
    # Of one output it is that of the second class.
    return np.asarray(found if score.target == 1 else -found, np.float64)


def _read_by(trees: Any, x: Floats) -> Floats:  # noqa: ANN401 - an estimator
    """Return numbers as trees read them: most as float32, which can pass a split otherwise."""
    coarse = x if type(trees).__name__.startswith("Hist") else np.asarray(x, np.float32)
    return np.asarray(coarse, np.float64)
