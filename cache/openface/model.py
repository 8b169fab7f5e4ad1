"""A user's OpenFace installation: the mean shape of a face, and the command that aligns videos.

OpenFace's licence forbids to pass its files on, so nothing of it ships: they are read where the user put them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.files import sha256_of

VARIABLE = "OPENFACE"
COMMAND = "FeatureExtraction"
DEFAULT_MODEL = "model/main_ceclm_general.txt"
MEAN_SHAPE = "model/pdms/In-the-wild_aligned_PDM_68.txt"
POINTS = 68
# Beside the command as built or unpacked, in a build folder, in a source tree; below the prefix of an installed one.
_MODEL_PLACES = ("", "bin", "build/bin", "lib/local/LandmarkDetector", "etc/OpenFace", "../etc/OpenFace")
_COMMAND_PLACES = ("", "bin", "build/bin")
# The header is followed by 204 numbers, and by the much longer ways in which faces differ.
_LARGEST_FILE = 1 << 22


def find_mean_shape(folder: str | None) -> Path:
    """Return the file of the mean shape in a user's OpenFace folder.

    Args:
        folder: `align.openface_folder`; None asks the environment variable `OPENFACE`, then the folder of the command.

    Raises:
        InputError: no folder is known, or it holds no such file.
    """
    searched = _folders(folder)
    for place in searched:
        for inner in _MODEL_PLACES:
            if (place / inner / MEAN_SHAPE).is_file():
                return place / inner / MEAN_SHAPE
    found = f"{', '.join(map(str, searched))} holds no {MEAN_SHAPE}" if searched else "no OpenFace folder is known"
    raise InputError(
        f"The mean shape of a face is missing: {found}. It may not ship with facespan: set align.openface_folder, or "
        f"the environment variable {VARIABLE}, to your OpenFace folder (the one that holds model/)."
    )


def find_command(folder: str | None) -> Path:
    """Return the path of FeatureExtraction; arguments as for `find_mean_shape`.

    Raises:
        InputError: it is not in the folder; where none is known, not on PATH.
    """
    searched = _folders(folder)
    for place in searched:
        for inner in _COMMAND_PLACES:
            found = shutil.which(COMMAND, path=str(place / inner))
            if found is not None:
                return Path(found).absolute()
    raise InputError(
        f"OpenFace's {COMMAND} {_absent_from(searched)}. "
        f"Install OpenFace 2.2, then put it on PATH, or set align.openface_folder or {VARIABLE} to its folder. "
        "Without OpenFace, align.method 'builtin' may do."
    )


def digest_of(command: Path, model: str | None) -> str:
    """Return a digest of what decides what OpenFace finds: the command, and every file beside the model it reads.

    Args:
        model: `align.openface_model`; a model that is found nowhere has no part in the digest.
    """
    wanted = model or DEFAULT_MODEL
    places = [Path(wanted), *(command.parent / place / wanted for place in _MODEL_PLACES)]
    folders = [place.parent for place in places if place.is_file()][:1]
    inside = [(path.relative_to(folder), path) for folder in folders for path in folder.rglob("*") if path.is_file()]
    told = [f"{name.as_posix()} {sha256_of(path)}" for name, path in sorted(inside)]
    return hashlib.sha256("\n".join([sha256_of(command), *told]).encode()).hexdigest()


def read_mean_shape(path: Path) -> NDArray[np.float64]:
    """Return the ``(68, 3)`` mean face in millimetres: x to the right, y down, z.

    Raises:
        InputError: the file is not OpenFace's point distribution model of 68 points.
    """
    if path.stat().st_size > _LARGEST_FILE:
        raise InputError(f"{path} is larger than any model of 68 points. {_REPAIR}")
    words = [
        word
        for line in path.read_text(encoding="ascii", errors="replace").splitlines()
        if not line.lstrip().startswith("#")
        for word in line.split()
    ]
    rows, columns, _, *numbers = words[: 3 + 3 * POINTS] if len(words) >= 3 else ("none", "none", "none")
    if (rows, columns) != (str(3 * POINTS), "1"):
        raise InputError(f"{path} begins with a matrix of {rows} x {columns}, expected {3 * POINTS} x 1. {_REPAIR}")
    try:
        values = np.array(numbers, dtype=np.float64)
    except ValueError as problem:
        raise InputError(f"{path} holds something else than numbers ({problem}). {_REPAIR}") from problem
    if len(values) != 3 * POINTS or not np.isfinite(values).all():
        raise InputError(f"{path} holds {len(values)} numbers of its mean shape, expected {3 * POINTS}. {_REPAIR}")
    return values.reshape(3, POINTS).T


_REPAIR = "Take the file from your copy of OpenFace 2.x again."


def _absent_from(searched: Sequence[Path]) -> str:
    if not searched:
        return f"is not on PATH, and neither align.openface_folder nor {VARIABLE} names a folder"
    return f"is not in {', '.join(map(str, searched))}, nor in bin or build/bin there"


def _folders(folder: str | None) -> list[Path]:
    """Return where to look: the folder given, and nothing else then."""
    if folder is not None:
        return [Path(folder).expanduser()]
    of_variable = os.environ.get(VARIABLE)
    if of_variable:
        return [Path(of_variable).expanduser()]
    on_path = shutil.which(COMMAND)
    return [Path(on_path).resolve().parent] if on_path else []
