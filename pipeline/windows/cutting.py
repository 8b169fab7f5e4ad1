"""How a network wants a video cut: overlapping windows, or the whole video; in rows of one frame, or means of a few.

A row is one of the T in a network's ``(B, T, C)``. Which windows a video has is told in frames, what is in one in rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.intervals import Intervals
from pipeline.windows import sampling, sliding
from pipeline.windows.membership import Reach, reach_of
from pipeline.windows.recordings import Cuts, Stack, cut, truths_of
from pipeline.windows.sampling import Candidates
from pipeline.windows.sliding import Slid

# Of a window: beyond these a batch takes more memory than machines have, or a rate more frames than videos.
MOST_FRAMES, MOST_RATE = 1 << 14, 1 << 20


@dataclass(frozen=True)
class Windows:
    """Overlapping windows of one length, at one rate or several.

    Attributes:
        frames: of a window at rate 1.
        rates: frames of the video that pass in one frame of a window, the finest first; each video is seen at every
            rate, and an expression is found where it fits into a window.
        whole_share: an expression belongs to a window when more than this share of it lies inside; a window with one
            is positive, the others are background.
        row_frames: frames of a window whose mean is one row.
    """

    frames: int
    rates: tuple[int, ...]
    whole_share: float
    row_frames: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError for values that contradict each other."""
        if not 1 <= self.frames <= MOST_FRAMES:
            raise ValueError(f"window_frames is {self.frames}, expected 1 to {MOST_FRAMES}")
        rates = self.rates
        if not rates or rates[0] < 1 or any(coarse < 2 * fine for fine, coarse in pairwise(rates)):
            raise ValueError(
                f"window_rates is {list(rates)}, expected whole numbers, each at least twice the one before"
            )
        if rates[-1] > MOST_RATE:
            raise ValueError(f"window_rates ends with {rates[-1]}, expected at most {MOST_RATE}")
        if self.row_frames < 1 or self.frames % self.row_frames:
            raise ValueError(f"window_frames is {self.frames}, expected a multiple of the {self.row_frames} of a row")

    def __str__(self) -> str:
        """Return what errors call one."""
        return f"window of {self.frames} frames"

    def rows(self, frame_count: float) -> int:
        """Return T, which does not depend on the video's frames."""
        return self.frames // self.row_frames

    def rows_of(self, videos: Tensor, frame_counts: Sequence[float]) -> int:
        """Return T of a batch, whichever videos its windows are of."""
        return self.rows(0)

    def new_frames(self, frame_count: int, stride: int) -> int:
        """Return how many frames a window shows that the one before it did not."""
        return min(stride, self.frames)

    def slide(self, frame_count: int, stride: int) -> Slid:
        """Return where a video is searched; `stride` is in frames of a window. DataError as in `sliding.slide`."""
        return sliding.slide_at_rates(frame_count, self.frames, stride, self.rates)

    def spans(self, frame_count: int, stride: int) -> Intervals:
        """Return what each window of `slide` holds, ``(W, 2)`` half-open frames; the last may end after the video."""
        starts, rates = self.slide(frame_count, stride)
        return np.stack([starts, starts + self.frames * rates], axis=1)

    def candidates(self, stacked: Stack, stride: int) -> Candidates:
        """Return the windows that training draws from; reads back from a GPU."""
        return sampling.candidates(stacked, self.frames, stride, self.rates, self.whole_share)

    def reach(self, cuts: Cuts) -> Reach:
        """Return which expressions are for each window to find, `least` in frames of the window."""
        return reach_of(cuts, self.frames, self.rates)

    def most_seen(self, stacked: Stack, stretch: float) -> int:
        """Return the most expressions that any window, stretched by up to this share, can meet; at least 1."""
        return sampling.most_seen(stacked, self.frames * self.rates[-1] * (1 + stretch))


@dataclass(frozen=True)
class Whole:
    """The video from its first frame to its last, masked behind it; videos of a batch are as long as its longest.

    Attributes:
        row_frames: frames whose mean is one row.
        multiple: T is a multiple of this, for levels that halve the rows.
    """

    row_frames: int = 1
    multiple: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        for name in ("row_frames", "multiple"):
            if not 1 <= getattr(self, name) <= MOST_FRAMES:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 1 to {MOST_FRAMES}")

    def __str__(self) -> str:
        """Return what errors call one."""
        return "video"

    @property
    def rates(self) -> tuple[int, ...]:
        """The one rate."""
        return (1,)

    def rows(self, frame_count: float) -> int:
        """Return T of a batch whose longest video has so many frames."""
        step = self.row_frames * self.multiple
        return self.multiple * -(-int(np.ceil(frame_count)) // step)

    def rows_of(self, videos: Tensor, frame_counts: Sequence[float]) -> int:
        """Return T of a batch of videos, ``(B,)`` on the CPU, of which there are so many frames each."""
        return self.rows(max(frame_counts[video] for video in videos.tolist()))

    def new_frames(self, frame_count: int, stride: int) -> int:
        """Return all frames of the video."""
        return frame_count

    def slide(self, frame_count: int, stride: int) -> Slid:
        """Return the one place, whatever the stride."""
        return Slid(np.zeros(1, np.int64), np.ones(1, np.int64))

    def spans(self, frame_count: int, stride: int) -> Intervals:
        """Return the whole video, ``(1, 2)``."""
        return np.array([[0, frame_count]], np.int64)

    def candidates(self, stacked: Stack, stride: int) -> Candidates:
        """Return every video, all of which an epoch trains on, with expressions or without."""
        videos = torch.arange(len(stacked.first), device=stacked.first.device)
        everything = Cuts(videos, torch.zeros_like(videos).float(), torch.ones_like(videos).float())
        return Candidates(everything, Cuts(*(values[:0] for values in everything)))

    def reach(self, cuts: Cuts) -> Reach:
        """Return that every expression is for the one video to find."""
        return Reach(torch.zeros_like(cuts.rates), torch.ones_like(cuts.rates, dtype=torch.bool))

    def most_seen(self, stacked: Stack, stretch: float) -> int:
        """Return the most expressions of any video, at least 1."""
        return stacked.intervals.shape[1]


Cutting = Windows | Whole


class Truths(NamedTuple):
    """What there is to find in B windows or videos, in rows, of at most G expressions each.

    `intervals` ``(B, G, 2)`` float32: half-open, of every expression of the video, with bounds outside the rows where
    it is. `emotions` ``(B, G)`` int64, NO_EMOTION where there are fewer than G. `reach`: which of them are for each
    window. `most`: no window meets more than so many, known before the first step.
    """

    intervals: Tensor
    emotions: Tensor
    reach: Reach
    most: int


def see(stacked: Stack, cuts: Cuts, cutting: Cutting, rows: int) -> tuple[Tensor, Tensor]:
    """Return what a network sees, ``(B, rows, C)`` float32 normalised, and where it is real, ``(B, rows)`` bool."""
    features, mask = cut(stacked, cuts, rows * cutting.row_frames)
    return (features, mask) if cutting.row_frames == 1 else average(features, mask, cutting.row_frames)


def average(features: Tensor, mask: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Return the mean of the real ones of every `frames` frames, 0 where none is, and whether one is.

    ``(B, T * frames, C)`` and ``(B, T * frames)`` become ``(B, T, C)`` and ``(B, T)``.
    """
    real = torch.unflatten(mask, 1, (-1, frames))  # (B, T, frames)
    sums = torch.unflatten(features.masked_fill(~mask[..., None], 0.0), 1, (-1, frames)).sum(2)  # (B, T, C)
    return sums / real.sum(2).clamp(min=1)[..., None], real.any(2)


def tell(stacked: Stack, cuts: Cuts, cutting: Cutting, most: int) -> Truths:
    """Return what there is to find; nothing is read back from a GPU."""
    intervals, emotions = truths_of(stacked, cuts)
    least, coarsest = cutting.reach(cuts)
    return Truths(intervals / cutting.row_frames, emotions, Reach(least / cutting.row_frames, coarsest), most)
