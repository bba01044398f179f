"""Where a module of torch is asked, and in what arithmetic."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evenhand.errors import ModelError, Problem, first_line

if TYPE_CHECKING:
    import torch

VARIABLE = "EVENHAND_DEVICE"


def device_of(said: str | None) -> torch.device:
    """Return where a module is asked: as was said, else as `VARIABLE` says, else a GPU if any.

    Args:
        said: As torch names devices: cpu, cuda, cuda:1, mps.

    Raises:
        ModelError: Torch knows no such device, or there is none here.

    """
    import torch

    name = said or os.environ.get(VARIABLE) or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        # Torch without CUDA asserts that it has it.
        what = f"torch cannot use it: {first_line(error).rstrip('.')}."
        hint = f"Say cpu, cuda, cuda:1 or mps in {VARIABLE}, or leave it unset."
        raise ModelError(Problem(f"device '{name}'", what, hint)) from error
    return found


@contextmanager
def in_full_precision(device: torch.device) -> Iterator[None]:
    """Let a GPU calculate as the numbers are declared, and the same each time.

    By default convolutions round what they multiply to 10 bits (TF32), so that an answer hangs on
    the other examples of its batch by a thousandth, and may take a way of adding up that differs
    from run to run. What was set before is put back.

    Args:
        device: Where a module is asked; elsewhere than on a GPU nothing changes.

    """
    if device.type != "cuda":
        yield
        return
    import torch

    # Their parts are not in torch's annotations.
    convolutions: Any = torch.backends.cudnn
    rounded: tuple[Any, ...] = (convolutions.conv, convolutions.rnn, torch.backends.cuda.matmul)
    before = [part.fp32_precision for part in rounded]
    ways = convolutions.benchmark, convolutions.deterministic
    # Their older name too, since torch refuses to read it where it says otherwise; so it does where
    # a user has set both.
    older = _read(lambda: convolutions.allow_tf32)
    try:
        if older is not None:
            convolutions.allow_tf32 = False
        for part in rounded:
            part.fp32_precision = "ieee"
        convolutions.benchmark, convolutions.deterministic = False, True
        yield
    finally:
        convolutions.benchmark, convolutions.deterministic = ways
        if older is not None:
            convolutions.allow_tf32 = older
        for part, precision in zip(rounded, before, strict=True):
            part.fp32_precision = precision


def _read(setting: Callable[[], bool]) -> bool | None:
    try:
        return setting()
    except RuntimeError:
        return None
