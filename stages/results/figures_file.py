"""`figures.json`, every figure of the last evaluation of a corpus: what it was made of, and reading it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cache import files, strict_json
from cache.errors import InputError

# Under this name it states the SHA-256 of the files that were evaluated, and of `found.csv`.
MADE_OF = "made_of"


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of files by their names."""
    return {path.name: files.sha256_of(path) for path in paths}


def read_figures(folder: Path, corpus: str, *parts: str) -> dict[str, Any]:
    """Return the figures in a folder of results; arguments and errors as in `read`."""
    return read(folder / "figures.json", corpus, *parts)


def read(path: Path, corpus: str, *parts: str) -> dict[str, Any]:
    """Return the figures of a file.

    Args:
        parts: which are needed.

    Raises:
        InputError: there is no such file, it is no whole JSON, or is of a facespan that did not write these parts yet.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist: {corpus} was not evaluated yet. Run: dvc repro evaluate@{corpus}")
    try:
        figures: dict[str, Any] = strict_json.parse(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path} is no whole JSON ({error}). Run: dvc repro evaluate@{corpus}") from error
    if any(part not in figures for part in parts):
        raise InputError(f"{path} is of an older facespan. Run: dvc repro evaluate@{corpus}")
    return figures
