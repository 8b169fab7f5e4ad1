"""Folders of numbered aligned images, one folder a video: the number in a name is the frame's label."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache.columns import FrameColumns
from cache.errors import InputError
from cache.media import image_files


@dataclass(frozen=True)
class ImageFolder:
    """A folder of ``T`` images in the order of their numbers, as `read_folder` found it.

    Attributes:
        files: ``T`` paths.
        labels: ``(T,)`` strictly increasing numbers from the names; a missing number is a gap.
        digests: ``T``, SHA-256 of each file.
        face_found: ``(T,)``, false where an image is black.
        ignored: names of the other files in the folder, for the audit.
    """

    files: tuple[Path, ...]
    digests: tuple[str, ...]
    labels: NDArray[np.int64]
    face_found: NDArray[np.bool_]
    width: int
    height: int
    source_digest: str
    ignored: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.files)

    def digest_by_name(self) -> dict[str, str]:
        """Return the SHA-256 of each image by the name of its file."""
        return {path.name: digest for path, digest in zip(self.files, self.digests, strict=True)}

    def images(self) -> Iterator[bytes]:
        """Yield each image's bytes as they lie on disk."""
        for path in self.files:
            yield path.read_bytes()

    def columns(self, frame_rate: float) -> FrameColumns:
        """Return the per-frame columns; time is counted from the first image by labels, so a gap takes time."""
        return FrameColumns(
            pts_seconds=(self.labels - self.labels[0]) / frame_rate,
            frame_label=self.labels,
            face_found=self.face_found,
            face_confidence=self.face_found.astype(np.float32),
        )


def read_folder(folder: Path) -> ImageFolder:
    """Return the numbered images of a folder (not of the folders in it).

    The number is the last run of digits in the name: `img_1.jpg`, `img001.jpg`, `006_1_0001.jpg`, `0001.png`.

    Raises:
        InputError: no such folder, no images, an image without a number or with another beginning than the others, two
            with one number, a damaged one, or images of different sizes.
    """
    numbered, others = by_number(folder)
    ordered = tuple(numbered.values())
    found = image_files.inspect(ordered)
    return ImageFolder(
        files=ordered,
        digests=found.digests,
        labels=np.array(list(numbered), dtype=np.int64),
        face_found=~found.is_black,
        width=found.width,
        height=found.height,
        source_digest=image_files.digest_of(zip((path.name for path in ordered), found.digests, strict=True)),
        ignored=tuple(name for name in others if not (folder / name).is_dir()),
    )


def by_number(folder: Path) -> tuple[dict[int, Path], list[str]]:
    """Return number -> image in the order of numbers, and the names of all else in the folder; opens no image.

    Raises:
        InputError: as for `read_folder`, as far as names tell.
    """
    files, others = _split(folder)
    by_label = _by_label(folder, files)
    return {label: by_label[label] for label in sorted(by_label)}, others


def _split(folder: Path) -> tuple[list[Path], list[str]]:
    if not folder.is_dir():
        raise InputError(f"{folder} is missing or is no folder. Correct the path.")
    files: list[Path] = []
    others: list[str] = []
    for path in sorted(folder.iterdir()):
        # macOS leaves `._img1.jpg` beside `img1.jpg` on foreign disks: no image. A link to nothing is one that is lost.
        if path.suffix.lower() in image_files.SUFFIXES and not path.name.startswith(".") and not path.is_dir():
            files.append(path)
        else:
            others.append(path.name)
    if not files:
        suffixes = ", ".join(image_files.SUFFIXES)
        raise InputError(f"{folder} holds no images ({suffixes}). Copy them there again, or correct the path.")
    return files, others


def _by_label(folder: Path, files: list[Path]) -> dict[int, Path]:
    by_label: dict[int, Path] = {}
    first_prefix = None
    for path in files:
        prefix, label = _prefix_and_number(path)
        first_prefix = prefix if first_prefix is None else first_prefix
        if prefix != first_prefix:
            raise InputError(
                f"{folder} mixes images of different names: {files[0].name} and {path.name}. "
                "One folder holds the numbered images of one video."
            )
        if label in by_label:
            raise InputError(f"{folder} has frame {label} twice: {by_label[label].name} and {path.name}. Remove one.")
        by_label[label] = path
    return by_label


def _prefix_and_number(path: Path) -> tuple[str, int]:
    found = re.fullmatch(r"(.*?)([0-9]{1,15})([^0-9]*)", path.stem, re.DOTALL)
    if found is None:
        raise InputError(f"{path} has no frame number in its name. Rename it (img_1.jpg) or remove it.")
    return found.group(1), int(found.group(2))
