"""Score curves: at every frame of a video, the highest score of each class among the intervals that cover the frame.

An interval is the union of two runs whose length is a power of 2. So each is written at two places, and at the end
every run hands its score on to its halves: no step depends on how long an interval is, and none waits for a GPU.
"""

from __future__ import annotations

import torch
from torch import Tensor


def blank(frame_count: int, class_count: int, device: torch.device) -> Tensor:
    """Return the curves of a video of which nothing was said yet, to be raised and then spread.

    Returns:
        ``(levels, T, K)`` float32 zeros: of the run of ``2 ** level`` frames that begins at a frame, its score.
    """
    return torch.zeros(frame_count.bit_length(), frame_count, class_count, device=device)


def raise_to(curves: Tensor, intervals: Tensor, scores: Tensor, counted: Tensor) -> None:
    """Raise curves, in place, to the scores of candidates at the frames that these cover.

    Args:
        curves: see `blank`.
        intervals: ``(..., 2)`` whole numbers of frames, half-open, inside the video, at least 1 frame long. Those that
            are not counted may hold anything.
        scores: ``(..., K)``, 0 or more.
        counted: ``(...)`` bool.
    """
    levels, frames, classes = curves.shape
    starts, stops = torch.where(counted[..., None], intervals, 0).flatten(0, -2).unbind(-1)
    powers = 2 ** torch.arange(levels, device=curves.device)
    level = (torch.bucketize(stops - starts, powers, right=True) - 1).clamp(min=0)  # (N,) of the longest run inside
    # Only what is more than 0 raises anything; what is no number is not.
    told = torch.where(counted[..., None] & (scores > 0), scores, 0.0).flatten(0, -2).to(curves.dtype)
    flat = curves.view(-1, classes)
    for begin in (starts, stops - powers[level]):
        places = (level * frames + begin.clamp(min=0))[:, None].expand_as(told)
        flat.scatter_reduce_(0, places, told, "amax")


def spread(curves: Tensor) -> Tensor:
    """Return ``(T, K)`` float16, the curves of a video of which everything was said; what is given is used up."""
    for level in range(len(curves) - 1, 0, -1):
        half, run = 2 ** (level - 1), curves[level]
        below = curves[level - 1]
        torch.maximum(below, run, out=below)
        torch.maximum(below[half:], run[:-half], out=below[half:])
    return curves[0].half()
