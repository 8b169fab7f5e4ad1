"""Sliding windows: overlapping fixed runs of frames that cover a long video, at one or several frame rates."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError


class Slid(NamedTuple):
    """W windows of a video: where each starts, ``(W,)`` int64 frames, and its rate, ``(W,)`` int64."""

    starts: npt.NDArray[np.int64]
    rates: npt.NDArray[np.int64]


def slide_at_rates(frame_count: int, length: int, stride: int, rates: Sequence[int]) -> Slid:
    """Return windows that cover a video once at every rate: at rate r a window of `length` steps spans r times as long.

    So expressions longer than a window are found by the same network in one that steps faster through the video.

    Args:
        frame_count: frames of the video, at least 1.
        length: steps of a window.
        stride: steps from one window's start to the next one's.
        rates: frames of the video in one step, the finest first. A rate is left out where a window of the one before
            holds the whole video already.

    Raises:
        DataError: see `slide`.
    """
    used = [rate for place, rate in enumerate(rates) if not place or rates[place - 1] * length < frame_count]
    slid = [slide(frame_count, length * rate, stride * rate)[:, 0] for rate in used]
    counts = [len(starts) for starts in slid]
    return Slid(np.concatenate(slid), np.repeat(np.array(used, np.int64), counts))


def least_lengths(length: int, rates: Sequence[int]) -> list[float]:
    """Return for each rate how many steps of a window an expression has to last to be found there.

    Half a window of the rate before: a shorter one is found there, where it is more steps long. At the finest rate 0.
    """
    return [0.0] + [length / 2 * fine / coarse for fine, coarse in pairwise(rates)]


def slide(frame_count: int, length: int, stride: int) -> npt.NDArray[np.int64]:
    """Return windows that together cover every frame of a video.

    Args:
        frame_count: frames of the video, at least 1.
        length: frames of a window.
        stride: frames from one window's start to the next one's.

    Returns:
        ``(W, 2)`` half-open windows in frames, by start. The last one ends with the video, so it may start less than
        a stride after the one before. A video shorter than a window gives ``[0, length)``, whose tail is padding.

    Raises:
        DataError: the stride is longer than a window and would skip frames.
        ValueError: one of the three is less than 1.
    """
    for name, value in (("frame_count", frame_count), ("length", length), ("stride", stride)):
        if value < 1:
            raise ValueError(f"{name} is {value}, expected at least 1")
    if stride > length:
        raise DataError(f"stride is {stride}, expected at most the window's {length} frames: it would skip frames")
    last = max(frame_count - length, 0)
    starts = np.append(np.arange(0, last, stride, dtype=np.int64), np.int64(last))
    return np.stack([starts, starts + length], axis=1)
