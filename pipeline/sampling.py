"""Which windows one epoch trains on: expressions are rare, and a detector must also learn what is none."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pipeline import windows
from pipeline.recordings import NO_EMOTION, Cuts, Stack, truths_of
from pipeline.targets import visible_share


class Candidates(NamedTuple):
    """Windows to draw from: `positive` ones hold an expression whole, `background` ones hold none or a cut one."""

    positive: Cuts
    background: Cuts


def candidates(stacked: Stack, length: int, stride: int, whole_share: float) -> Candidates:
    """Return all windows of all videos, sorted by whether one expression lies inside by more than `whole_share`."""
    slid = [torch.from_numpy(windows.slide(count, length, stride)[:, 0]) for count in stacked.frame_counts.tolist()]
    starts = torch.cat(slid).float()
    videos = torch.repeat_interleave(torch.tensor([len(rows) for rows in slid]))
    cuts = Cuts(videos, starts, torch.ones_like(starts))
    cuts = Cuts(*(values.to(stacked.features.device) for values in cuts))
    truths, emotions = truths_of(stacked, cuts)
    positive = ((visible_share(truths, length) > whole_share) & (emotions != NO_EMOTION)).any(dim=1)
    return Candidates(_pick(cuts, positive.nonzero()[:, 0]), _pick(cuts, (~positive).nonzero()[:, 0]))


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
