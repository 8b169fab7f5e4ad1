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


def read_figures(folder: Path, corpus: str) -> dict[str, Any]:
    """Return the figures in a folder of results.

    Raises:
        InputError: there are none, or it is no whole JSON.
    """
    path = folder / "figures.json"
    if not path.is_file():
        raise InputError(f"{path} does not exist: {corpus} was not evaluated yet. Run: dvc repro evaluate@{corpus}")
    try:
        figures: dict[str, Any] = strict_json.parse(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path} is no whole JSON ({error}). Run: dvc repro evaluate@{corpus}") from error
    return figures
