"""Faces with emotions as data sets of images publish them: every layout becomes the same arrays in memory."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.image_files import SUFFIXES
from cache.labelled_arrays import PARTS, TEST, VALIDATION, Entry, LabelledImages, load, put_aside

SPLITS = PARTS | {"valid": VALIDATION, "val": VALIDATION}
FERPLUS_INDEX = "ferplus48_index.npz"
# `unknown` and `not a face`, as the file names them.
FERPLUS_NO_EMOTION = ("unknown", "NF")
RAFDB_CLASSES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
AFFECTNET_CLASSES = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")


def read(root: Path, layout: str, image_size: int) -> LabelledImages:
    """Return all labelled images of a data set.

    Args:
        layout: a name in `LAYOUTS`.
        image_size: side to which image files are reduced or enlarged; mosaics keep theirs.

    Raises:
        InputError: the layout is unknown, or a file is missing, damaged or not as the layout says.
    """
    if layout not in LAYOUTS:
        raise InputError(f"layout is {layout!r}, expected one of {', '.join(LAYOUTS)}")
    if not root.exists():
        raise InputError(f"{root} does not exist. Give the place of the images.")
    return LAYOUTS[layout](root, image_size)


def read_ferplus(root: Path, image_size: int) -> LabelledImages:
    """Return FER2013's faces with the votes of FER+; those that most voters found no emotion in are left out."""
    index = _read_index(root / FERPLUS_INDEX)
    votes, names = index["y"].astype(np.float32), [str(name) for name in index["vote_names"]]
    emotions = [i for i, name in enumerate(names) if name not in FERPLUS_NO_EMOTION]
    kept = np.flatnonzero(votes[:, emotions].sum(axis=1) > 0.5 * votes.sum(axis=1))
    shares = votes[kept][:, emotions]
    mosaics = [_read_mosaic(root / str(name), int(index["tile"])) for name in index["files"]]
    images = np.concatenate(mosaics) if mosaics else np.zeros((0, 1, 1), np.uint8)
    if len(images) < len(votes):
        raise InputError(f"{root} has {len(images)} tiles in its mosaics, its index has {len(votes)} rows.")
    return LabelledImages(
        images[kept],
        shares / shares.sum(axis=1, keepdims=True),
        index["usage"][kept].astype(np.uint8),
        shares.max(axis=1) > 0.5 * votes[kept].sum(axis=1),
        tuple(str(row) for row in kept),
        tuple(names[i] for i in emotions),
    )


def read_folder(root: Path, image_size: int) -> LabelledImages:
    """Return images in a folder per class; `train`, `validation` and `test` may stand above them."""
    parts = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}
    split = bool(parts) and set(parts) <= set(SPLITS)
    places = [(SPLITS[name], path) for name, path in parts.items()] if split else [(None, root)]
    entries = [
        Entry(image, folder.name, part, str(image.relative_to(root)))
        for part, place in places
        for folder in sorted(place.iterdir())
        if folder.is_dir()
        for image in sorted(folder.iterdir())
        if image.suffix.lower() in SUFFIXES
    ]
    return load(root, entries, sorted({entry.label for entry in entries}), image_size)


def read_csv(root: Path, image_size: int) -> LabelledImages:
    """Return the images that a CSV names: columns path (beside the file), label, and maybe split and subject."""
    entries = []
    for line, row in _rows(root, ("path", "label")):
        part = (row.get("split") or "").strip().lower()
        if part and part not in SPLITS:
            raise InputError(f"{root}:{line}: split is {part!r}, expected one of {', '.join(SPLITS)}")
        subject = (row.get("subject") or "").strip() or row["path"]
        entries.append(Entry(_inside(root, row["path"], line), row["label"].strip(), SPLITS.get(part), subject))
    return load(root, entries, sorted({entry.label for entry in entries}), image_size)


def read_affectnet(root: Path, image_size: int) -> LabelledImages:
    """Return AffectNet's faces from its `training.csv` and `validation.csv`; images without an emotion are left out.

    AffectNet publishes no test part: its validation part is the test, and a tenth of its training part validates.
    """
    tables = [(root / "training.csv", None), (root / "validation.csv", TEST)]
    entries = []
    for table, part in tables:
        for line, row in _rows(table, ("subDirectory_filePath", "expression")):
            number = _number(row["expression"], f"{table}:{line}: expression")
            if number >= len(AFFECTNET_CLASSES):
                continue
            path = _inside(table, row["subDirectory_filePath"], line)
            entries.append(Entry(path, AFFECTNET_CLASSES[number], part, path.name, _box(row, table, line)))
    return put_aside(load(root, entries, AFFECTNET_CLASSES, image_size), {0: VALIDATION})


def read_rafdb(root: Path, image_size: int) -> LabelledImages:
    """Return RAF-DB's basic part from `list_partition_label.txt` and its aligned images."""
    table = next((p for p in sorted(root.rglob("list_part*ition_label.txt"))), root / "list_partition_label.txt")
    folder = next((p for p in sorted(root.rglob("aligned")) if p.is_dir()), root / "aligned")
    entries = []
    for line, text in enumerate(_text(table).splitlines(), start=1):
        name, _, label = text.strip().partition(" ")
        if not name:
            continue
        number = _number(label, f"{table}:{line}: label")
        if not 1 <= number <= len(RAFDB_CLASSES) or not name.startswith(("train", "test")):
            raise InputError(f"{table}:{line}: found {text!r}, expected `train_00001.jpg 5`: a label from 1 to 7")
        path = folder / f"{Path(name).stem}_aligned.jpg"
        entries.append(Entry(path, RAFDB_CLASSES[number - 1], TEST if name.startswith("test") else None, name))
    return put_aside(load(root, entries, RAFDB_CLASSES, image_size), {0: VALIDATION})


def _read_index(path: Path) -> dict[str, NDArray[np.generic]]:
    expected = ("y", "vote_names", "usage", "tile", "files")
    try:
        with np.load(path, allow_pickle=False) as file:
            index = {name: np.asarray(file[name]) for name in expected}
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(f"{path} is no index of FER+ mosaics ({error}), expected {', '.join(expected)}.") from error
    rows = len(index["usage"])
    if index["y"].shape != (rows, len(index["vote_names"])) or not np.isin(index["usage"], (0, 1, 2)).all():
        raise InputError(f"{path}: votes are {index['y'].shape} for {rows} faces, or usage is not 0, 1 or 2.")
    if index["tile"].shape != () or int(index["tile"]) < 1:
        raise InputError(f"{path}: tile is {index['tile']}, expected the side of a face in pixels.")
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


def _rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(_text(path).splitlines())
    missing = [name for name in needed if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"{path} has no column {', '.join(missing)}; it has {', '.join(reader.fieldnames or ())}.")
    for row in reader:
        empty = [name for name in needed if not (row[name] or "").strip()]
        if empty:
            raise InputError(f"{path}:{reader.line_num}: {', '.join(empty)} is empty.")
        yield reader.line_num, row


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} does not open as a text ({error}).") from error


def _inside(table: Path, name: str, line: int) -> Path:
    path = (table.parent / name.strip()).resolve()
    if not path.is_relative_to(table.parent.resolve()):
        raise InputError(f"{table}:{line}: {name!r} lies outside {table.parent}.")
    return path


def _number(text: str, where: str) -> int:
    if not text.strip().isdecimal():
        raise InputError(f"{where} is {text!r}, expected a whole number.")
    return int(text)


def _box(row: Mapping[str, str], table: Path, line: int) -> tuple[int, int, int, int] | None:
    names = ("face_x", "face_y", "face_width", "face_height")
    if not all((row.get(name) or "").strip() for name in names):
        return None
    left, top, width, height = (_number(row[name], f"{table}:{line}: {name}") for name in names)
    return left, top, width, height


LAYOUTS: dict[str, Callable[[Path, int], LabelledImages]] = {
    "ferplus": read_ferplus,
    "folder": read_folder,
    "csv": read_csv,
    "affectnet": read_affectnet,
    "rafdb": read_rafdb,
}
