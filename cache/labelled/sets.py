"""Image loading of a labelled set in runs: from memory, or from files, decoded ahead in threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.files import sha256_of
from cache.media.image_files import decode

T = TypeVar("T")
Rows = NDArray[np.intp]
RUNS_AHEAD = 2
# Images that are looked at together where nobody says how many.
RUN_LENGTH = 256


class Images(Protocol):
    """``N`` images of one size, ``(S, S)`` grey or ``(S, S, 3)`` RGB uint8."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(N, S, S)`` or ``(N, S, S, 3)``."""

    def __len__(self) -> int:
        """Return ``N``."""

    def take(self, rows: Rows) -> Images:
        """Return some of the images, by position; none is read or copied."""

    def read(self, runs: Iterable[Rows]) -> Iterator[NDArray[np.uint8]]:
        """Yield ``(B, S, S[, 3])`` images for each run of ``B`` positions."""

    def contents(self) -> Iterator[tuple[int, bytes]]:
        """Yield numbers of images and, in order, bytes that stand for what they show; every image is looked at."""


@dataclass(frozen=True)
class StoredImages:
    """Images in memory.

    Attributes:
        pixels: ``(M, S, S[, 3])``.
        rows: ``(N,)``, which of them.
    """

    pixels: NDArray[np.uint8]
    rows: Rows

    @property
    def shape(self) -> tuple[int, ...]:
        """``(N, S, S)`` or ``(N, S, S, 3)``."""
        return (len(self.rows), *self.pixels.shape[1:])

    def __len__(self) -> int:
        """Return ``N``."""
        return len(self.rows)

    def take(self, rows: Rows) -> StoredImages:
        """Return some of the images, by position; none is copied."""
        return StoredImages(self.pixels, self.rows[rows])

    def read(self, runs: Iterable[Rows]) -> Iterator[NDArray[np.uint8]]:
        """Yield a copy of the images of each run of positions."""
        for run in runs:
            yield self.pixels[self.rows[run]]

    def contents(self) -> Iterator[tuple[int, bytes]]:
        """Yield the pixels."""
        for images in self.read(runs_of(len(self))):
            yield len(images), images.tobytes()


@dataclass(frozen=True)
class ImageFiles:
    """Images that stay files: as few are in memory as whoever reads them is ahead of.

    Attributes:
        paths: ``N``, as texts: a hundred thousand of them are a few megabytes.
        boxes: ``(N, 4)`` left, top, width, height of the face in each image; a width below 0 takes all of it.
        image_size: ``S``, to which faces are reduced or enlarged.
    """

    paths: tuple[str, ...]
    boxes: NDArray[np.int32]
    image_size: int

    @property
    def shape(self) -> tuple[int, ...]:
        """``(N, S, S, 3)``."""
        return (len(self.paths), self.image_size, self.image_size, 3)

    def __len__(self) -> int:
        """Return ``N``."""
        return len(self.paths)

    def take(self, rows: Rows) -> ImageFiles:
        """Return some of the images, by position; none is read."""
        return ImageFiles(tuple(self.paths[row] for row in rows), self.boxes[rows], self.image_size)

    def read(self, runs: Iterable[Rows]) -> Iterator[NDArray[np.uint8]]:
        """Yield the images of each run of positions, decoded in threads while earlier runs are looked at.

        Raises:
            InputError: an image is missing or damaged, or has no pixel in its box.
        """
        for faces in in_threads(self._face, runs):
            yield np.stack(faces)

    def contents(self) -> Iterator[tuple[int, bytes]]:
        """Yield the digests of the files, each of which was decoded; errors as in `read`."""
        for told in in_threads(self._content, runs_of(len(self))):
            yield len(told), "\n".join(told).encode()

    def _content(self, row: int) -> str:
        self._face(row)
        return f"{sha256_of(Path(self.paths[row]))} {self.boxes[row].tolist()} {self.image_size}"

    def _face(self, row: int) -> NDArray[np.uint8]:
        image = decode(Path(self.paths[row]))
        left, top, width, height = self.boxes[row].tolist()
        if width >= 0:
            image = image[max(top, 0) : top + height, max(left, 0) : left + width]
            if 0 in image.shape:
                box = (left, top, width, height)
                raise InputError(f"{self.paths[row]}: the face's box {box} lies outside the image.")
        reducing = cv2.INTER_AREA if min(image.shape[:2]) > self.image_size else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(image, (self.image_size, self.image_size), interpolation=reducing), np.uint8)


def runs_of(count: int) -> list[Rows]:
    """Return all positions in order, in runs of at most `RUN_LENGTH`."""
    return [np.arange(first, min(first + RUN_LENGTH, count)) for first in range(0, count, RUN_LENGTH)]


def in_threads(function: Callable[[int], T], runs: Iterable[Rows]) -> Iterator[Sequence[T]]:
    """Yield what a function returns for every position of each run; `RUNS_AHEAD` more runs are begun, no others."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="images") as threads:
        begun: deque[list[Future[T]]] = deque()
        try:
            for run in runs:
                begun.append([threads.submit(function, int(row)) for row in run])
                if len(begun) > RUNS_AHEAD:
                    yield [future.result() for future in begun.popleft()]
            while begun:
                yield [future.result() for future in begun.popleft()]
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
