"""`failures.csv`: the videos that a stage could not finish, and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cache.tables import schema

NAME = "failures.csv"
COLUMNS = ("video", "error")


def write(folder: Path, failures: Mapping[str, str]) -> None:
    """Write the list, by video; none at all removes it."""
    path = folder / NAME
    if failures:
        schema.write_csv(path, COLUMNS, sorted(failures.items()))
    else:
        path.unlink(missing_ok=True)


def read(folder: Path) -> dict[str, str]:
    """Return video -> why; nothing where no list lies, and InputError where one is damaged."""
    path = folder / NAME
    if not path.is_file():
        return {}
    return {cells["video"]: cells["error"] for _, cells in schema.read_csv(path, COLUMNS)}
