"""FER2013's faces with the ten votes a face that FER+ published: https://github.com/microsoft/FERPlus."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cache import numpy_files
from cache.errors import InputError
from cache.labelled import labels as label_tables
from cache.labelled.arrays import TEST, TRAIN, VALIDATION, LabelledImages
from cache.labelled.sets import StoredImages

INDEX = "ferplus48_index.npz"
PIXELS, VOTES = ("fer2013.csv", "icml_face_data.csv"), "fer2013new.csv"
VOTE_COLUMNS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF"
)  # fmt: skip
USAGES = {"Training": TRAIN, "PublicTest": VALIDATION, "PrivateTest": TEST}
# `unknown` and `not a face`, as the files name them.
NO_EMOTION = ("unknown", "NF")
SIDE = 48  # pixels
# What an index holds: kinds of NumPy's types, dimensions, and both in words.
INDEXED = {
    "y": ("uif", 2, "votes, a row a face"),
    "vote_names": ("U", 1, "names of what is voted for"),
    "usage": ("ui", 1, "0, 1 or 2 a face"),
    "tile": ("ui", 0, "the side of a face in pixels"),
    "files": ("U", 1, "names of mosaics"),
}
MOST_INDEX_BYTES = 1 << 24  # forty times the one of all faces of FER+


def read(root: Path, image_size: int) -> LabelledImages:
    """Return FER2013's faces with the votes of FER+; those that most voters found no emotion in are left out.

    A folder holds either the two tables as they are published, `fer2013.csv` (or `icml_face_data.csv`) and
    `fer2013new.csv`, or mosaics of the faces with one index.
    """
    if (root / VOTES).is_file():
        return _read_tables(root)
    return _read_mosaics(root)


def _read_mosaics(root: Path) -> LabelledImages:
    index = _read_index(root / INDEX)
    votes, names = index["y"].astype(np.float32), [str(name) for name in index["vote_names"]]
    mosaics = [_read_mosaic(root / str(name), int(index["tile"])) for name in index["files"]]
    images = np.concatenate(mosaics) if mosaics else np.zeros((0, 1, 1), np.uint8)
    if len(images) < len(votes):
        raise InputError(f"{root} has {len(images)} tiles in its mosaics, its index has {len(votes)} rows.")
    return _with_emotion(images, votes, names, index["usage"])


def _read_tables(root: Path) -> LabelledImages:
    pixels = next((root / name for name in PIXELS if (root / name).is_file()), root / PIXELS[0])
    usages, images, votes = [], [], []
    faces = label_tables.rows(pixels, ("emotion", "pixels"))
    votes_of = label_tables.rows(root / VOTES, ("Usage", *VOTE_COLUMNS))
    for (line, face), (vote_line, told) in zip_longest(faces, votes_of, fillvalue=(0, {})):
        if not face or not told:
            short = pixels if not face else root / VOTES
            raise InputError(f"{short} has fewer rows than the other table. Both must be those published together.")
        if told["Usage"].strip() not in USAGES:
            raise InputError(f"{root / VOTES}:{vote_line}: Usage is {told['Usage']!r}, expected {', '.join(USAGES)}")
        usages.append(USAGES[told["Usage"].strip()])
        images.append(_face(face["pixels"], f"{pixels}:{line}"))
        votes.append([label_tables.whole_number(told[name], f"{root / VOTES}:{vote_line}") for name in VOTE_COLUMNS])
    if not images:
        raise InputError(f"{pixels} and {root / VOTES} have no rows. Fetch them again.")
    return _with_emotion(np.stack(images), np.array(votes, np.float32), list(VOTE_COLUMNS), np.array(usages))


def _face(text: str, where: str) -> NDArray[np.uint8]:
    values = text.split()
    if len(values) != SIDE * SIDE or not all(value.isdecimal() and int(value) < 256 for value in values):
        raise InputError(f"{where}: pixels are {len(values)} values, expected {SIDE * SIDE} from 0 to 255.")
    return np.array(values, np.uint8).reshape(SIDE, SIDE)


def _with_emotion(
    images: NDArray[np.uint8], votes: NDArray[np.float32], names: Sequence[str], usage: NDArray[Any]
) -> LabelledImages:
    emotions = [i for i, name in enumerate(names) if name not in NO_EMOTION]
    # A face without any vote is nobody's emotion.
    kept = np.flatnonzero(votes[:, emotions].sum(axis=1) > 0.5 * votes.sum(axis=1))
    shares = votes[kept][:, emotions]
    return LabelledImages(
        StoredImages(images, kept),
        shares / shares.sum(axis=1, keepdims=True),
        usage[kept].astype(np.uint8),
        shares.max(axis=1) > 0.5 * votes[kept].sum(axis=1),
        tuple(str(row) for row in kept),
        tuple(names[i] for i in emotions),
    )


def _read_index(path: Path) -> dict[str, NDArray[np.generic]]:
    index = numpy_files.read_named(path, tuple(INDEXED), MOST_INDEX_BYTES)
    for name, (kinds, dimensions, expected) in INDEXED.items():
        if index[name].dtype.kind not in kinds or index[name].ndim != dimensions:
            found = f"{index[name].shape} of {index[name].dtype}"
            raise InputError(f"{path}: {name} is {found}, expected {expected}. Fetch it again.")
    rows = len(index["usage"])
    if index["y"].shape != (rows, len(index["vote_names"])) or not np.isin(index["usage"], (0, 1, 2)).all():
        raise InputError(f"{path}: votes are {index['y'].shape} for {rows} faces, or usage is not 0, 1 or 2.")
    if int(index["tile"]) < 1:
        raise InputError(f"{path}: tile is {index['tile']}, expected the side of a face in pixels.")
    names = [str(name) for name in index["files"]]
    if len(set(names)) < len(names) or any(Path(name).name != name for name in names):
        raise InputError(f"{path}: files are not the names of mosaics beside it, each once.")
    return index


def _read_mosaic(path: Path, tile: int) -> NDArray[np.uint8]:
    """Return the ``(tiles, tile, tile)`` grey faces of a mosaic, row by row."""
    try:
        mosaic = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    except (OSError, cv2.error) as error:
        raise InputError(f"{path} does not open as an image ({error}). Fetch it again.") from error
    if mosaic is None or mosaic.shape[0] % tile or mosaic.shape[1] % tile:
        found = "damaged" if mosaic is None else f"{mosaic.shape[1]} x {mosaic.shape[0]} pixels"
        raise InputError(f"{path} is {found}, expected whole tiles of {tile} x {tile}. Fetch it again.")
    rows, columns = mosaic.shape[0] // tile, mosaic.shape[1] // tile
    tiles = mosaic.reshape(rows, tile, columns, tile).transpose(0, 2, 1, 3)
    return np.asarray(tiles.reshape(-1, tile, tile), np.uint8)
