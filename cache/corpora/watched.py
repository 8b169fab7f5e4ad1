"""Paths outside the corpus folder are refused: nobody would see a change there. Links inside it are followed."""

from __future__ import annotations

import os
from pathlib import Path

from cache.errors import InputError


def check_inside(root: Path, relative: str, told: str) -> None:
    """Raise InputError when a path leaves the corpus folder by its words; links in it are followed.

    Args:
        relative: the path as it was given, relative to the corpus folder.
        told: where it was given, `facts.labels` for instance.
    """
    if not Path(os.path.normpath(root / relative)).is_relative_to(os.path.normpath(root)):
        raise InputError(
            f"{told} is {relative}, which lies outside the corpus folder {root}: nobody would see it change. "
            "Copy it into that folder, or put a link to it there."
        )
