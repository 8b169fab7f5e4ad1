"""Readers of published layouts of face images with emotions: folders, CSV, FER+, AffectNet, RAF-DB."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cache import numpy_files
from cache.errors import InputError
from cache.labelled import ferplus
from cache.labelled import labels as label_tables
from cache.labelled.arrays import SPLITS, TEST, VALIDATION, ImageFile, LabelledImages, load, put_aside
from cache.media.image_files import SUFFIXES

SPELLINGS = SPLITS | {"valid": VALIDATION, "val": VALIDATION}
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


def read_folder(root: Path, image_size: int) -> LabelledImages:
    """Return images in a folder per class; `train`, `validation` and `test` may stand above them."""
    parts = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}
    split = bool(parts) and set(parts) <= set(SPELLINGS)
    places = [(SPELLINGS[name], path) for name, path in parts.items()] if split else [(None, root)]
    entries = [
        ImageFile(str(image), folder.name, part, str(image.relative_to(root)))
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
    for line, row in label_tables.rows(root, ("path", "label")):
        part = (row.get("split") or "").strip().lower()
        if part and part not in SPELLINGS:
            raise InputError(f"{root}:{line}: split is {part!r}, expected one of {', '.join(SPELLINGS)}")
        subject = (row.get("subject") or "").strip() or row["path"]
        entries.append(
            ImageFile(
                str(label_tables.inside(root, row["path"], line)), row["label"].strip(), SPELLINGS.get(part), subject
            )
        )
    return load(root, entries, sorted({entry.label for entry in entries}), image_size)


def read_affectnet(root: Path, image_size: int) -> LabelledImages:
    """Return AffectNet's faces from its `training.csv` and `validation.csv`; images without an emotion are left out.

    AffectNet publishes no test part: its validation part is the test, and a tenth of its training part validates. Of
    its two editions the later one has no tables but `train_set` and `val_set`, with a file of NumPy for each label.
    """
    if (root / "train_set").is_dir():
        return _read_affectnet_folders(root, image_size)
    tables = [(root / "training.csv", None), (root / "validation.csv", TEST)]
    entries = []
    for table, part in tables:
        for line, row in label_tables.rows(table, ("subDirectory_filePath", "expression")):
            number = label_tables.whole_number(row["expression"], f"{table}:{line}: expression")
            if number >= len(AFFECTNET_CLASSES):
                continue
            path = label_tables.inside(table, row["subDirectory_filePath"], line)
            entries.append(ImageFile(str(path), AFFECTNET_CLASSES[number], part, path.name, _box(row, table, line)))
    return put_aside(load(root, entries, AFFECTNET_CLASSES, image_size), {0: VALIDATION})


def _read_affectnet_folders(root: Path, image_size: int) -> LabelledImages:
    entries = []
    for folder, part in ((root / "train_set", None), (root / "val_set", TEST)):
        labels = sorted((folder / "annotations").glob("*_exp.npy"))
        if not labels:
            raise InputError(f"{folder / 'annotations'} holds no labels (*_exp.npy). Is the whole data set there?")
        for label in labels:
            number = label_tables.whole_number(_scalar(label), str(label))
            if number < len(AFFECTNET_CLASSES):
                image = folder / "images" / f"{label.stem.removesuffix('_exp')}.jpg"
                entries.append(ImageFile(str(image), AFFECTNET_CLASSES[number], part, image.name))
    return put_aside(load(root, entries, AFFECTNET_CLASSES, image_size), {0: VALIDATION})


def _scalar(path: Path) -> str:
    value = numpy_files.read(path)
    if value.shape != ():
        raise InputError(f"{path} holds an array of shape {value.shape}, expected one label.")
    return str(value)


def read_rafdb(root: Path, image_size: int) -> LabelledImages:
    """Return RAF-DB's basic part from `list_partition_label.txt` and its aligned images."""
    table = next((p for p in sorted(root.rglob("list_part*ition_label.txt"))), root / "list_partition_label.txt")
    folder = next((p for p in sorted(root.rglob("aligned")) if p.is_dir()), root / "aligned")
    entries = []
    for line, text in enumerate(label_tables.text_of(table).splitlines(), start=1):
        name, _, label = text.strip().partition(" ")
        if not name:
            continue
        number = label_tables.whole_number(label, f"{table}:{line}: label")
        if not 1 <= number <= len(RAFDB_CLASSES) or not name.startswith(("train", "test")):
            raise InputError(f"{table}:{line}: found {text!r}, expected `train_00001.jpg 5`: a label from 1 to 7")
        path = folder / f"{Path(name).stem}_aligned.jpg"
        entries.append(ImageFile(str(path), RAFDB_CLASSES[number - 1], TEST if name.startswith("test") else None, name))
    return put_aside(load(root, entries, RAFDB_CLASSES, image_size), {0: VALIDATION})


def _box(row: Mapping[str, str], table: Path, line: int) -> tuple[int, int, int, int] | None:
    names = ("face_x", "face_y", "face_width", "face_height")
    if not all((row.get(name) or "").strip() for name in names):
        return None
    left, top, width, height = (label_tables.whole_number(row[name], f"{table}:{line}: {name}") for name in names)
    return left, top, width, height


LAYOUTS: dict[str, Callable[[Path, int], LabelledImages]] = {
    "ferplus": ferplus.read,
    "folder": read_folder,
    "csv": read_csv,
    "affectnet": read_affectnet,
    "rafdb": read_rafdb,
}
