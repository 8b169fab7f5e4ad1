"""Frames <-> times: an interval ends when the next frame begins, and no two frames of a video share a number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cache.columns import FrameColumns
from cache.corpora import positions
from cache.errors import InputError
from cache.exchange.tiers import TieredVideo, TierInterval
from cache.tables.intervals import NO_LABEL

MILLISECONDS = 1000.0
# A rate in frames a second that gives each frame of a video of variable rate a number of its own stops here.
HIGHEST_RATE = 1000.0


@dataclass(frozen=True, eq=False)
class Clock:
    """When each of the T frames begins and ends, in the numbers of a format.

    Attributes:
        begins: ``(T,)`` whole numbers, strictly increasing.
        ends: ``(T,)`` likewise; a frame ends where the next one begins, unless a format counts its last frame in.
        per_second: how many numbers a second has; None for numbers of frames, which are no times.
        step: of numbers of frames, every how many of the recorded ones is one of the T.
    """

    begins: NDArray[np.float64]
    ends: NDArray[np.float64]
    per_second: float | None
    step: int = 1

    def say(self, start: int, stop: int) -> tuple[int, int]:
        """Return begin and end of ``[start, stop)``."""
        return int(self.begins[start]), int(self.ends[stop - 1])

    def hear(self, begin: float, end: float) -> tuple[int, int]:
        """Return ``[start, stop)``: of each side the nearest frame, and one frame at least. `say` comes back exactly.

        Where numbers name frames that were not taken, it is the taken ones between them, as where a corpus is read.

        Raises:
            InputError: it ends before it begins, or lies outside the video by more than a second.
        """
        if not begin <= end:
            raise InputError("it ends before it begins")
        slack = self.per_second or 0.0
        over = self.ends[-1] + self.step - 1
        if begin < self.begins[0] - slack or end > over + slack or begin > over:
            raise InputError(f"the video goes from {self.told(self.begins[0])} to {self.told(over)}")
        if self.step > 1:
            return positions.of_numbers(self.begins.astype(np.int64), begin, end - 1, self.step)
        start, last = _nearest(self.begins, begin), _nearest(self.ends, end)
        return start, max(start, last) + 1

    def told(self, number: float) -> str:
        """Return one of the numbers for people."""
        return f"frame {number:g}" if self.per_second is None else f"{number / self.per_second:.3f} s"


def edges(columns: FrameColumns) -> NDArray[np.float64]:
    """Return when the T frames begin and, at the end, when the last one ends, ``(T + 1,)`` in seconds.

    The last frame lasts as long as the median one.
    """
    seconds = columns.pts_seconds
    last = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1 / MILLISECONDS
    return np.append(seconds, seconds[-1] + max(last, 1 / MILLISECONDS))


def in_milliseconds(columns: FrameColumns) -> Clock:
    """Return whole milliseconds; frames closer than one are pushed apart, so that each keeps its own."""
    return at_rate(columns, MILLISECONDS)


def at_rate(columns: FrameColumns, rate: float) -> Clock:
    """Return the numbers, from 0, that a tool gives frames which it believes to come `rate` times a second."""
    numbers = _pushed_apart(np.floor(edges(columns) * rate + 0.5))
    return Clock(numbers[:-1], numbers[1:], rate)


def in_labels(video: TieredVideo) -> Clock:
    """Return the corpus' own numbers of frames, as `[onset, offset + 1)`."""
    labels = video.columns.frame_label.astype(np.float64)
    return Clock(labels, labels + 1, None, video.frame_step)


def numbers_of(video: TieredVideo, one: TierInterval) -> tuple[int, int]:
    """Return the corpus' numbers of onset and offset, inclusive: those of the first and of the last frame.

    Where not every frame is taken, they are those that were annotated, if these lead back to the same frames.
    """
    labels, step = video.columns.frame_label, video.frame_step
    first, last = int(labels[one.start]), int(labels[one.stop - 1])
    onset = first if one.onset == NO_LABEL else one.onset
    offset = last if one.offset == NO_LABEL else one.offset
    if step == 1 or not labels[0] <= onset <= offset < labels[-1] + step:
        return first, last
    leads_back = positions.of_numbers(labels, onset, offset, step) == (one.start, one.stop)
    return (onset, offset) if leads_back else (first, last)


def rate_for(columns: FrameColumns, frame_rate: float) -> float:
    """Return the frame rate by which a tool tells every frame from the next: the file's own, or a higher one."""
    times = edges(columns)
    if (np.diff(np.floor(times * frame_rate + 0.5)) >= 1).all():
        return frame_rate
    shortest = float(np.diff(times)[np.diff(times) > 0].min())
    return float(min(np.ceil(1 / shortest), HIGHEST_RATE))


def _pushed_apart(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return strictly increasing numbers, each the least that is no less than its own and than all before allow."""
    steps = np.arange(len(numbers), dtype=np.float64)
    return np.maximum.accumulate(numbers - steps) + steps


def _nearest(sorted_numbers: NDArray[np.float64], number: float) -> int:
    after = int(np.searchsorted(sorted_numbers, number))
    if after == 0:
        return 0
    if after == len(sorted_numbers):
        return after - 1
    return after if sorted_numbers[after] - number < number - sorted_numbers[after - 1] else after - 1
