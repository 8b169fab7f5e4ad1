"""Imported features: one NumPy array a video, `<video>.npy`, rows by width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache import files, numpy_files
from cache.errors import InputError


def path_of(folder: Path, video: str) -> Path:
    """Return where a video's array lies."""
    return folder / f"{video}.npy"


def digest_of(folder: Path, video: str) -> str:
    """Return the SHA-256 of a video's file, or an empty text where there is none."""
    path = path_of(folder, video)
    return files.sha256_of(path) if path.is_file() else ""


def read(folder: Path, video: str) -> NDArray[np.float32]:
    """Return the ``(R, C)`` features of a video; no code in the file is run.

    Raises:
        InputError: there is no such file, it is damaged, of another shape or kind, or holds what is not finite.
    """
    path = path_of(folder, video)
    if not path.is_file():
        raise InputError(f"{path} does not exist. extract.imported needs one file a video, named as the video.")
    found = numpy_files.read(path)
    if found.ndim != 2 or 0 in found.shape or found.dtype.kind != "f":
        raise InputError(f"{path} holds {found.shape} of {found.dtype}, expected (rows, width) of floating point.")
    values = found.astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise InputError(f"{path}: row {row} holds NaN or infinity. Make these features again.")
    return values
