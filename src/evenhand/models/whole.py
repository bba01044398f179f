"""A function of tensors as a module of PyTorch, for what looks at layers by hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def whole(part: torch.nn.Module, asked: Callable[[Any], Any]) -> torch.nn.Module:
    """Return a module that answers as a function does, and that has what it asks as its part.

    Args:
        part: What the function asks.
        asked: Gives scores of a batch of inputs.

    """
    import torch

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = part
            # Not self.eval(), which would reach into what is not ours.
            self.training = False

        def forward(self, x: torch.Tensor) -> Any:  # noqa: ANN401 - tensors
            return asked(x)

    return Whole()
