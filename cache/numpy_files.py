"""NumPy files (`.npy`) from anybody: a header of text says how large the array is, and is not believed."""

from __future__ import annotations

import tokenize
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError

# What NumPy lets through where a header, which it parses as Python, is nested, cut or of another kind.
REFUSALS = (
    OSError, ValueError, EOFError, TypeError, SyntaxError, tokenize.TokenError, MemoryError, RecursionError,
    OverflowError, ArithmeticError,
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
