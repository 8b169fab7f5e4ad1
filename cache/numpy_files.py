"""NumPy files (`.npy`, `.npz`) from anybody: a header of text says how large the array is, and is not believed."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError

# What NumPy lets through where a header, which it parses as Python, is nested, cut or of another kind.
REFUSALS = (
    OSError, ValueError, EOFError, TypeError, SyntaxError, tokenize.TokenError, MemoryError, RecursionError,
    OverflowError, ArithmeticError, zipfile.BadZipFile, KeyError, NotImplementedError, zlib.error,
)  # fmt: skip


def read(path: Path) -> NDArray[Any]:
    """Return the array in a file, whose data are all there; no code in it is run.

    Raises:
        InputError: it is no such file, or says more than it holds.
    """
    try:
        # A file is only mapped as far as it goes; read, its header would be asked for memory.
        with np.errstate(over="raise"):
            found = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(found, np.ndarray):
            found.close()
            raise ValueError("it holds several")
        return np.array(found)
    except REFUSALS as problem:
        told = " ".join(str(problem).split())[:200] or type(problem).__name__
        raise InputError(f"{path} is no array of numbers ({told}). Save one with numpy.save(path, array).") from problem


def read_named(path: Path, names: Sequence[str], maximum_bytes: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive (`.npz`) that have these names; no code in it is run, and no other is looked at.

    Args:
        maximum_bytes: of what is read, unpacked.

    Raises:
        InputError: it is no such archive, lacks one, or holds more than that, packed to less.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            # Nothing unpacks to more than is stated here: the reader stops there.
            unpacked = sum(archive.getinfo(f"{name}.npy").file_size for name in names)
        if unpacked > maximum_bytes:
            raise ValueError(f"they unpack to {unpacked:,} bytes, expected at most {maximum_bytes:,}")
        with np.errstate(over="raise"), np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in names}
    except REFUSALS as problem:
        told = " ".join(str(problem).split())[:200] or type(problem).__name__
        raise InputError(f"{path} is no archive of the arrays {', '.join(names)} ({told}).") from problem
