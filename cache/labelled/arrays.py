"""Labelled images: images, label shares, splits and subjects, the same for every layout of a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.labelled.sets import ImageFiles, Images

TRAIN, VALIDATION, TEST = 0, 1, 2
SPLITS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
# Of images that come without a split: what a tenth is put aside for is decided by their subject's name.
PUT_ASIDE = {0: VALIDATION, 1: TEST}
# The box of a face that fills its image.
WHOLE = (0, 0, -1, -1)


@dataclass(frozen=True)
class LabelledImages:
    """``N`` images of one size.

    Attributes:
        images: grey or RGB, in memory or still files.
        targets: ``(N, K)`` float32, the share of each class; a row adds up to 1.
        split: ``(N,)`` uint8 of `TRAIN`, `VALIDATION`, `TEST`.
        is_clear: ``(N,)`` bool, more than half of all who looked chose one class.
        subjects: of each image; where a data set names none, the image's own name.
        classes: names of the ``K`` classes.
    """

    images: Images
    targets: NDArray[np.float32]
    split: NDArray[np.uint8]
    is_clear: NDArray[np.bool_]
    subjects: tuple[str, ...]
    classes: tuple[str, ...]

    def take(self, rows: NDArray[np.intp]) -> LabelledImages:
        """Return some of the images, by position."""
        return replace(
            self,
            images=self.images.take(rows),
            targets=self.targets[rows],
            split=self.split[rows],
            is_clear=self.is_clear[rows],
            subjects=tuple(self.subjects[row] for row in rows),
        )

    def first(self, count: int) -> LabelledImages:
        """Return at most so many images of each part, the first of them."""
        rows = [np.flatnonzero(self.split == part)[:count] for part in SPLITS.values()]
        return self.take(np.sort(np.concatenate(rows)))

    def counts(self) -> dict[str, int]:
        """Return the number of images of each part."""
        return {name: int((self.split == part).sum()) for name, part in SPLITS.items()}


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image that is still a file: ``split`` None leaves it to the subject's name, ``box`` cuts out the face."""

    path: str
    label: str
    split: int | None
    subject: str
    box: tuple[int, int, int, int] | None = None  # left, top, width, height


def load(root: Path, entries: Sequence[ImageFile], classes: Sequence[str], image_size: int) -> LabelledImages:
    """Return the images of all entries; each is decoded, and reduced or enlarged to one size, when it is read.

    When no entry says which part it belongs to, a tenth of the subjects validates and a tenth tests.

    Raises:
        InputError: fewer than two classes, or an image is missing.
    """
    if not entries or len(classes) < 2:
        raise InputError(f"{root} has {len(entries)} images of {len(classes)} classes, expected at least 2 classes.")
    for entry in entries:
        if not Path(entry.path).is_file():
            raise InputError(f"{entry.path} is missing, though it is listed. Are all images there?")
    boxes = np.array([entry.box or WHOLE for entry in entries], np.int32)
    numbers = np.array([classes.index(entry.label) for entry in entries])
    told = np.array([TRAIN if entry.split is None else entry.split for entry in entries], np.uint8)
    found = LabelledImages(
        ImageFiles(tuple(entry.path for entry in entries), boxes, image_size),
        np.eye(len(classes), dtype=np.float32)[numbers],
        told,
        np.ones(len(entries), dtype=bool),
        tuple(entry.subject for entry in entries),
        tuple(classes),
    )
    return found if any(entry.split is not None for entry in entries) else put_aside(found, PUT_ASIDE)


def put_aside(found: LabelledImages, tenths: Mapping[int, int]) -> LabelledImages:
    """Return the images with a tenth of the subjects trained on moved to each of the parts named."""
    split = found.split.copy()
    for row, subject in enumerate(found.subjects):
        tenth = int.from_bytes(hashlib.sha256(subject.encode()).digest()[:4], "big") % 10
        if split[row] == TRAIN and tenth in tenths:
            split[row] = tenths[tenth]
    return replace(found, split=split)
