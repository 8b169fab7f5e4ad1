"""Paths that DVC does not watch: outside the corpus folder, or behind a link to a folder, files change unseen."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from cache.errors import InputError


def check_inside(root: Path, relative: str, told: str) -> None:
    """Raise InputError when a path leaves the corpus folder by its words; a link inside to a file is followed by DVC.

    Args:
        relative: the path as it was given, relative to the corpus folder.
        told: where it was given, `facts.labels` for instance.
    """
    if not Path(os.path.normpath(root / relative)).is_relative_to(os.path.normpath(root)):
        raise InputError(
            f"{told} is {relative}, which lies outside the corpus folder {root}: DVC would not see it change. "
            "Copy it into that folder, or put a link to the file there."
        )


def linked_folders(root: Path, paths: Iterable[Path]) -> list[Path]:
    """Return the links to folders below the corpus folder through which any of these paths in it leads, sorted."""
    parts = {part for path in paths for part in (path, *path.parents) if part != root and part.is_relative_to(root)}
    return sorted(part for part in parts if part.is_symlink() and part.is_dir())
