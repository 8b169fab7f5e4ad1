"""Sampling of positive and background windows for one epoch, because expressions are rare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.windows import sliding
from pipeline.windows.membership import belongs, reach_of
from pipeline.windows.recordings import NO_EMOTION, Cuts, Stack, truths_of


class Candidates(NamedTuple):
    """Windows to draw from: `positive` ones hold an expression whole, `background` ones hold none or a cut one."""

    positive: Cuts
    background: Cuts


def candidates(stacked: Stack, length: int, stride: int, rates: Sequence[int], whole_share: float) -> Candidates:
    """Return all windows of all videos at all rates, sorted by whether an expression belongs to one.

    Args:
        stacked: the videos.
        length, stride: in steps of a window.
        rates: see `sliding.slide_at_rates`.
        whole_share: see `membership.belongs`.
    """
    slid = [sliding.slide_at_rates(count, length, stride, rates) for count in stacked.frame_counts.tolist()]
    videos = torch.repeat_interleave(torch.tensor([len(found.starts) for found in slid]))
    starts, steps = (torch.from_numpy(np.concatenate(parts)).float() for parts in zip(*slid, strict=True))
    cuts = Cuts(*(values.to(stacked.features.device) for values in (videos, starts, steps)))
    truths, emotions = truths_of(stacked, cuts)
    positive = belongs(truths, emotions, reach_of(cuts, length, rates).least, length, whole_share).any(dim=1)
    return Candidates(_pick(cuts, positive.nonzero()[:, 0]), _pick(cuts, (~positive).nonzero()[:, 0]))


def most_seen(stacked: Stack, frames: float) -> int:
    """Return the most expressions that a window of so many frames can meet in any of the videos, at least 1.

    Windows may begin anywhere, also between two frames. Known before the first step, it bounds what each step compares.
    """
    reach = frames + 1  # a frame more than the window, which no rounding of its bounds exceeds
    real = stacked.emotions != NO_EMOTION
    # A window meets an expression when it begins less than its own length before the start, and before the stop.
    first = (stacked.intervals[..., 0] - reach).masked_fill(~real, torch.inf).sort(dim=1).values  # (V, G)
    last = stacked.intervals[..., 1].masked_fill(~real, torch.inf).sort(dim=1).values
    met = torch.searchsorted(first, first, right=True) - torch.searchsorted(last, first, right=True)
    return max(1, int(met.max()))


def draw(among: Candidates, background_per_positive: float, generator: torch.Generator) -> Cuts:
    """Return one epoch's windows in random order: every positive one, and background ones drawn without repetition.

    Args:
        among: what `candidates` found.
        background_per_positive: so many background windows for each positive one, or all when there are fewer.
        generator: on the CPU, so that every device draws the same windows.
    """
    positive, background = len(among.positive.starts), len(among.background.starts)
    wanted = min(background, round(background_per_positive * positive))
    drawn = torch.randperm(background, generator=generator)[:wanted]
    together = Cuts(*(torch.cat([a, b[drawn.to(b.device)]]) for a, b in zip(*among, strict=True)))
    order = torch.randperm(positive + wanted, generator=generator)
    return _pick(together, order.to(together.starts.device))


def _pick(cuts: Cuts, rows: Tensor) -> Cuts:
    return Cuts(*(values[rows] for values in cuts))
