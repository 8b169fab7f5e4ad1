"""Assignment of expressions to windows: positives lie whole inside and last long enough for the window's rate."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.windows import sliding
from pipeline.windows.recordings import NO_EMOTION, Cuts

# Half the way from a rate to one twice as fast, seen from the faster one.
MOST_STRETCH = 0.25


class Reach(NamedTuple):
    """Length limits of the expressions that B windows are to find, where windows of several rates share them.

    `least` ``(B,)``: frames of the window that an expression has to last. `coarsest` ``(B,)`` bool: there is no coarser
    window for an expression that is longer than this one.
    """

    least: Tensor
    coarsest: Tensor


def visible_share(intervals: Tensor, length: int) -> Tensor:
    """Return which share of each of ``(B, G, 2)`` intervals lies in ``[0, length)``, ``(B, G)``; of an empty one, 0."""
    seen = (intervals[..., 1].clamp(max=length) - intervals[..., 0].clamp(min=0)).clamp(min=0)
    # A stretched expression of 1 frame lasts a little less than 1.
    return seen / (intervals[..., 1] - intervals[..., 0]).clamp(min=1e-6)


def belongs(intervals: Tensor, emotions: Tensor, least: Tensor, length: int, whole_share: float) -> Tensor:
    """Return which of ``(B, G, 2)`` expressions the windows teach, ``(B, G)`` bool: long enough, and not cut.

    Args:
        intervals: ``(B, G, 2)`` float32 frames in the window, with bounds outside it where expressions are.
        emotions: ``(B, G)`` int64, NO_EMOTION where a window has fewer than G.
        least: ``(B,)``, see Reach.
        length: frames of a window.
        whole_share: more than this share of such an expression lies inside.
    """
    lasts = intervals[..., 1] - intervals[..., 0] >= least[:, None]
    return (visible_share(intervals, length) > whole_share) & lasts & (emotions != NO_EMOTION)


def reach_of(cuts: Cuts, length: int, rates: Sequence[int]) -> Reach:
    """Return which expressions are for each window to find, by its rate.

    A stretched window counts as one of the nearest rate. Each is at least twice the one before, so that is its own for
    a stretch below `MOST_STRETCH`.
    """
    least, coarsest = torch.zeros_like(cuts.rates), torch.ones_like(cuts.rates, dtype=torch.bool)
    for (fine, coarse), steps in zip(pairwise(rates), sliding.least_lengths(length, rates)[1:], strict=True):
        coarsest = cuts.rates > (fine + coarse) / 2  # of the last pair
        least = torch.where(coarsest, steps, least)
    return Reach(least, coarsest)
