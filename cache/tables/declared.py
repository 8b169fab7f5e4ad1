"""Declared videos: which there are, and the frames of each, so that detections in one without expressions count."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.tables import streams
from cache.tables.events import HALF_OPEN

NUMBERS = ("first_frame", "first_label", "frame_count")


@dataclass(frozen=True, eq=False)
class Declared:
    """V videos.

    Attributes:
        names: of the videos, each once.
        numbers: those of `NUMBERS` that the file has, ``(V,)`` each; NaN where a cell is empty.
    """

    names: tuple[str, ...]
    numbers: dict[str, NDArray[np.float64]]

    def bounds(self, frames: tuple[str, str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the first frame and the frame after the last of each video, ``(V,)``; infinite where not declared.

        A file with ``first_label`` is our own table: positions count from 0, and labels may leave numbers out, so the
        last is not known. A length alone bounds frames that count from 0 or from 1.
        """
        unknown = np.full(len(self.names), np.inf)
        count = self.numbers.get("frame_count", unknown)
        if "first_frame" in self.numbers:
            first = self.numbers["first_frame"]
            stop = first + count
        elif "first_label" in self.numbers:
            first = np.zeros(len(count)) if frames == HALF_OPEN else self.numbers["first_label"]
            stop = count if frames == HALF_OPEN else unknown
        else:
            first, stop = np.where(np.isfinite(count), 0, -np.inf), count + 1
        return np.nan_to_num(first, nan=-np.inf, posinf=-np.inf), np.nan_to_num(stop, nan=np.inf, posinf=np.inf)


def read(path: Path) -> Declared:
    """Return the videos of a CSV or parquet with the column video and perhaps first_frame and frame_count.

    Raises:
        InputError: a video is empty or there twice, a number is negative, or the file cannot be read.
    """
    header = streams.header(path)
    streams.require(path, header, ("video",))
    present = [name for name in NUMBERS if name in header]
    names: list[str | None] = []
    parts: dict[str, list[NDArray[Any]]] = {name: [np.empty(0)] for name in present}
    for batch in streams.batches(path, {"video": streams.TEXT} | dict.fromkeys(present, streams.NUMBER)):
        told, codes = streams.texts(batch.column("video"))
        names += [told[code] for code in codes.tolist()]
        for name in present:
            parts[name].append(batch.column(name).to_numpy(zero_copy_only=False))
    numbers = {name: np.concatenate(values) for name, values in parts.items()}
    return Declared(_checked(path, names), _not_negative(path, numbers))


def _checked(path: Path, names: list[str | None]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if name is None or name in seen:
            found = "nothing" if name is None else repr(name)
            expected = "a video's name" if name is None else "each video once"
            row = streams.row_number(path, index)
            raise InputError(f"{path}, row {row}, column video: found {found}, expected {expected}. Correct the row.")
        seen[name] = index
    return tuple(seen)


def _not_negative(path: Path, numbers: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    for name, values in numbers.items():
        least = 1 if name == "frame_count" else 0
        broken = values < least  # NaN, an empty cell, is not
        if broken.any():
            index = int(broken.argmax())
            raise InputError(
                f"{path}, row {streams.row_number(path, index)}, column {name}: found {values[index]:g}, "
                f"expected at least {least}. Correct it."
            )
    return numbers
