"""A module of PyTorch again, with parameters as if it had never been trained."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from evenhand.errors import ModelError, Problem, first_line

if TYPE_CHECKING:
    import torch


def drawn_anew(
    module: torch.nn.Module, seed: int, name: str, layers: Collection[str] | None = None
) -> torch.nn.Module:
    """Return a copy on the CPU whose parameters are drawn anew; other buffers are copied.

    A layer draws its own as it did when it was made (``reset_parameters``), and norms forget the
    statistics that they kept. Parameters that no layer draws keep their entries in another order,
    so that a single number, or one that all entries have, stays. Neither the module nor the state
    of torch's generators changes.

    A layer is drawn alike whichever others are, so that copies of more and more layers are a row.

    Source: Adebayo et al. 2018, section 3.

    Args:
        module: Is copied.
        seed: Where every number comes from.
        name: What errors call the module.
        layers: Names of those modules whose own parameters are drawn; None for all of them.

    Raises:
        ModelError: It cannot be copied.

    """
    import torch

    try:
        found = copy.deepcopy(module).cpu()
    except Exception as error:
        what = f"it cannot be copied, to draw its parameters anew: {first_line(error)}"
        hint = "Leave the randomisation out of the card: randomisations=0."
        raise ModelError(Problem(name, what, hint)) from error
    learned = {key: value.detach().clone() for key, value in found.named_parameters()}
    kept = {key: value.clone() for key, value in found.named_buffers()}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        # Not torch.manual_seed, which would seed accelerators too.
        torch.default_generator.manual_seed(seed)
        for part in found.modules():
            reset: Any = getattr(part, "reset_parameters", None)
            if callable(reset):
                # A method of that name with parameters of its own is something else.
                with contextlib.suppress(TypeError):
                    reset()
        for key, value in found.named_parameters():
            if torch.equal(value, learned[key]):
                value.copy_(value.flatten()[torch.randperm(value.numel())].view_as(value))
        for prefix, part in found.named_modules():
            if isinstance(part, torch.nn.modules.batchnorm._NormBase):  # noqa: SLF001 - all norms
                continue
            for key, buffer in part.named_buffers(prefix=prefix, recurse=False):
                buffer.copy_(kept[key])
        for prefix, part in found.named_modules():
            if layers is None or prefix in layers:
                continue
            for key, value in part.named_parameters(prefix=prefix, recurse=False):
                value.copy_(learned[key])
            for key, buffer in part.named_buffers(prefix=prefix, recurse=False):
                buffer.copy_(kept[key])
    return found


def layers_of(module: torch.nn.Module, ask: Callable[[], object]) -> tuple[str, ...]:
    """Return the names of modules that have parameters of their own, the last that is used first.

    A norm is one, too. A module that is used several times stands where it is used first; one that
    is never called, whose parameters are used otherwise or not at all, is none.

    Args:
        module: The whole.
        ask: Asks it about an input.

    """
    used: dict[str, None] = {}
    named = {
        name: part
        for name, part in module.named_modules()
        if any(True for _ in part.parameters(recurse=False))
    }
    handles = [
        part.register_forward_pre_hook(lambda *_, name=name: used.setdefault(name))
        for name, part in named.items()
    ]
    try:
        ask()
    finally:
        for handle in handles:
            handle.remove()
    return (*reversed(used),)
