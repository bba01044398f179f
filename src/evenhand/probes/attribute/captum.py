"""What Captum needs of a model and of examples; it is asked a batch after the other."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from evenhand.errors import MissingExtraError, ModelError, Problem, did_you_mean
from evenhand.models.answer import at_once, batches
from evenhand.models.model import Codes, Floats, Layered, Model, need
from evenhand.models.whole import whole
from evenhand.probes.attribute.attribution import Maps

EXTRA = "explain"
"""The optional packages with Captum in them."""


def attr() -> ModuleType:
    """Return Captum's attributions.

    Raises:
        MissingExtraError: It is not installed.

    """
    try:
        return importlib.import_module("captum.attr")
    except ImportError as error:
        raise MissingExtraError(EXTRA, where="an attribution by Captum") from error


def layered(model: Model, who: str) -> Layered:
    """Return a model whose layers can be looked at.

    Raises:
        ModelError: They cannot.

    """
    need(model, "layers", who)
    opened: Any = model
    found: Layered = opened
    return found


def layer_of(module: Any, name: str, who: str) -> Any:  # noqa: ANN401 - modules of torch
    """Return a layer by its name in the user's module; without one the last convolution.

    Args:
        module: The open model.
        name: Such as ``features.12``; empty for the last convolution.
        who: What asks.

    Raises:
        ModelError: There is none.

    """
    import torch

    inner = users_module(module)
    layers = {key: one for key, one in inner.named_modules() if key}
    if name:
        if name in layers:
            return layers[name]
        what = f"the module has no layer '{name}'."
        raise ModelError(Problem(who, what, did_you_mean(name, [*layers])))
    kinds = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
    convolutions = [one for one in (inner, *layers.values()) if isinstance(one, kinds)]
    if not convolutions:
        what = "the module has no convolution to look at."
        raise ModelError(Problem(who, what, "Say which layer: layer='features.12'."))
    return convolutions[-1]


def users_module(module: Any) -> Any:  # noqa: ANN401 - modules of torch
    """Return the module that a model was made of: the innermost part of what is ours."""
    import torch

    inner = module
    while isinstance(getattr(inner, "part", None), torch.nn.Module) and _ours(inner):
        inner = inner.part
    return inner


def _apart(scores: Any) -> Any:  # noqa: ANN401 - tensors
    return scores - scores.flip(1)


def _ours(module: object) -> bool:
    return type(module).__module__ == "evenhand.models.whole"


def explained(
    model: Layered,
    x: Floats,
    codes: Codes,
    ask: Callable[[Any, Any, slice, Any], Any],
) -> Maps:
    """Return what Captum says of examples, a batch after the other.

    Args:
        model: A model whose scores are logits.
        x: Examples, shape (n, *spec.shape).
        codes: The class whose score is explained, shape (n,).
        ask: Is given the open module, a batch as a tensor, which part of the examples it is and
            the classes as a tensor; gives a tensor of numbers, one row an example.

    """
    import torch

    found = []
    with model.open() as opened, warnings.catch_warnings():
        module = opened
        if model.spec.classes == 2:  # noqa: PLR2004 - each class above the other, as in `scores_of`
            module = whole(opened, lambda x: _apart(opened(x)))
        # Of hooks that Captum sets and removes, and of gradients that it asks for.
        warnings.simplefilter("ignore", UserWarning)
        for some in batches(len(x), at_once()):
            inputs = model.array(x[some]).requires_grad_()
            classes = torch.as_tensor(codes[some], device=inputs.device)
            answer = ask(module, inputs, some, classes)
            found.append(np.asarray(model.numpy(answer), np.float64))
    return np.concatenate(found) if found else np.empty((0, *model.spec.shape))
