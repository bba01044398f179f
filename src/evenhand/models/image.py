"""Examples in files of their own: images, and arrays in ``.npy``. Nothing is resized."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import MissingExtraError, ModelError, Problem, reason

_NAMES = ("file", "file_name", "filename", "path")

_MOST = 10
"""Files that an error names."""

_WIDE = ("I", "F")
"""What modes of Pillow begin with whose pixels are no bytes."""


def file_columns(columns: Iterable[str]) -> list[str]:
    """Return the columns that are named as one of files is."""
    return [name for name in columns if name.lower() in _NAMES]


def read_files(folder: Path, names: Sequence[str], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the examples in files of a folder.

    Args:
        folder: Where they are.
        names: Their paths in it; none leads out of it.
        shape: Of each: HxW is read as grey, HxWx3 and 3xHxW as colours.

    Returns:
        Shape (n, *shape): bytes of images, the numbers of ``.npy`` files.

    Raises:
        MissingExtraError: There are images, and Pillow is not installed.
        ModelError: All files that cannot be read, or are of another shape.

    """
    root = folder.resolve()

    def one(name: str) -> NDArray[Any]:
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise ModelError(Problem(name, f"it leads out of the folder {folder}."))
        try:
            if path.suffix.lower() == ".npy":
                return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]
            return _image(path.read_bytes(), shape, name)
        except OSError as error:
            raise ModelError(Problem(name, f"it cannot be read: {reason(error)}.")) from error
        except ValueError as error:
            if isinstance(error, ModelError | MissingExtraError):
                raise
            raise ModelError(Problem(name, "it holds no array of numbers.")) from error

    return _all((name, lambda name=name: one(name)) for name in names)


def decoded(values: Sequence[bytes], shape: tuple[int, ...], where: str) -> NDArray[Any]:
    """Return the examples in a column of encoded images, as `read_files`."""
    named = ((f"{where} of row {place}", one) for place, one in enumerate(values))
    return _all((name, lambda name=name, one=one: _image(one, shape, name)) for name, one in named)


def _all(files: Iterator[tuple[str, Any]]) -> NDArray[Any]:
    found: list[NDArray[Any]] = []
    problems: list[Problem] = []
    for name, read in files:
        try:
            one = read()
        except ModelError as error:
            problems += error.problems
        else:
            if found and one.shape != found[0].shape:
                what = f"it has the shape {one.shape}, the first {found[0].shape}."
                problems.append(Problem(name, what, "Give all examples the same size."))
            found.append(one)
        if len(problems) >= _MOST:
            break
    if problems:
        raise ModelError(problems)
    return np.stack(found)


def _image(data: bytes, shape: tuple[int, ...], name: str) -> NDArray[Any]:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise MissingExtraError("images", where=name) from error
    colours = len(shape) == 3 and 1 not in {shape[0], shape[-1]}  # noqa: PLR2004 - axes
    first = colours and shape[0] == 3  # noqa: PLR2004 - colours
    if colours and 3 not in {shape[0], shape[-1]}:  # noqa: PLR2004 - colours
        what = f"images are read as grey or in three colours, and the shape {shape} has neither."
        raise ModelError(Problem(name, what, "Store such examples in .npy files."))
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode.startswith(_WIDE):
                # Pillow would cut what is above 255, so that nearly all of it is white.
                what = f"its pixels have more than 8 bits (mode {image.mode})."
                raise ModelError(Problem(name, what, "Store them in .npy files, or as 8 bits."))
            pixels = np.asarray(image.convert("RGB" if colours else "L"))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        hint = "A column of bytes has as many as the shape has numbers, or an encoded image."
        raise ModelError(Problem(name, "it is no image that can be read.", hint)) from error
    found = np.moveaxis(pixels, -1, 0) if first else pixels
    if found.size != np.prod(shape) or (colours and found.shape != shape):
        what = f"the image is {pixels.shape[1]} wide and {pixels.shape[0]} high, "
        hint = "Resize it as the model's own preparation does."
        raise ModelError(Problem(name, f"{what}which the shape {shape} is not.", hint))
    return found.reshape(shape)
