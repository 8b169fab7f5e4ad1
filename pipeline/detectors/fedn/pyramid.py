"""The feature pyramid: from segments to four levels, each at half the temporal resolution of the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pipeline.detectors.fedn.convolution import ConvolutionBlock


class Level(NamedTuple):
    """One level of the pyramid: ``(B, L, C)`` features and ``(B, L)`` bool, False where no frame below was usable."""

    features: Tensor
    usable: Tensor


class Pyramid(nn.Module):
    """Blocks that halve the segments, then a neck that gives a level, halves it, gives the next.

    With two blocks and 64 segments of stride 2 the levels have 16, 8, 4 and 2 positions (8, 16, 32, 64 frames apart).
    """

    def __init__(self, width: int, block_widths: Sequence[int], neck_widths: Sequence[int], kernel: int) -> None:
        super().__init__()
        widths = [width, *block_widths, *neck_widths]
        # The neck's first convolution keeps the positions: they are the finest level's already.
        strides = [2] * len(block_widths) + [1] + [2] * (len(neck_widths) - 1)
        self.steps = nn.ModuleList(
            ConvolutionBlock(before, after, kernel, stride)
            for before, after, stride in zip(widths[:-1], widths[1:], strides, strict=True)
        )
        self.strides = strides
        self.block_count = len(block_widths)

    def forward(self, segments: Tensor, usable: Tensor) -> list[Level]:
        """Return the levels, finest first, of ``(B, N, width)`` and ``(B, N)``."""
        level, levels = Level(segments, usable), []
        for step, stride in zip(self.steps, self.strides, strict=True):
            covered = torch.unflatten(level.usable, 1, (-1, stride)).any(2)
            level = Level(step(level.features, covered), covered)
            levels.append(level)
        return levels[self.block_count :]
