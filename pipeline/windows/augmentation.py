"""Training augmentation: temporal jitter and stretch, channel shift and dropout, because subjects are few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.windows.recordings import Cuts, Stack


@dataclass(frozen=True)
class AugmentParameters:
    """Strength of each augmentation; 0 everywhere trains on what the corpus holds.

    Attributes:
        jitter_frames: a window starts up to so many frames earlier or later, so that an expression does not stand at
            the same few places in every epoch.
        stretch: time passes faster or slower by up to this share (0.2: 0.8 to 1.2 times), because people differ in
            how long an expression lasts more than a few subjects can show.
        feature_shift: standard deviation of a shift of every normalised channel over a whole window, because a neutral
            face is only measured roughly: what counts is how features move, not where they stand.
        feature_dropout: share of channels silenced over a whole window, so that no emotion hangs on one channel that
            happens to move in the few subjects trained on.
    """

    jitter_frames: int
    stretch: float
    feature_shift: float
    feature_dropout: float

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        if self.jitter_frames < 0 or self.feature_shift < 0:
            found = f"{self.jitter_frames} and {self.feature_shift}"
            raise ValueError(f"jitter_frames and feature_shift are {found}, expected at least 0")
        if not (0 <= self.stretch < 1 and 0 <= self.feature_dropout < 1):
            found = f"{self.stretch} and {self.feature_dropout}"
            raise ValueError(f"stretch and feature_dropout are {found}, expected 0 up to below 1")


def move(cuts: Cuts, stacked: Stack, length: int, parameters: AugmentParameters, generator: torch.Generator) -> Cuts:
    """Return the windows shifted and stretched about their middle, still within their videos where those are longer.

    A window that steps faster is shifted by as many of its steps.
    The generator is on the CPU, so that every device trains on the same windows.
    """
    count = len(cuts.starts)
    shift = torch.randint(-parameters.jitter_frames, parameters.jitter_frames + 1, (count,), generator=generator)
    stretches = 1 + parameters.stretch * (2 * torch.rand(count, generator=generator) - 1)
    shift, stretches = shift.to(cuts.starts.device), stretches.to(cuts.starts.device)
    rates = cuts.rates * stretches
    latest = (stacked.frame_counts[cuts.videos] - length * rates).clamp(min=0)
    starts = cuts.starts + shift * cuts.rates + length * (cuts.rates - rates) / 2
    return Cuts(cuts.videos, starts.clamp(min=0).minimum(latest), rates)


class Noise(NamedTuple):
    """Channel shift and dropout of B windows, each ``(B, 1, C)`` float32: added, then multiplied."""

    shift: Tensor
    gain: Tensor


def draw_noise(windows: int, channels: int, parameters: AugmentParameters, generator: torch.Generator) -> Noise:
    """Return random channel shifts and dropout masks, on the generator's device.

    It is drawn once for a window and a channel: noise on every frame would take longer than the detector's own first
    layer, and segments average it away.
    """
    size, device = (windows, 1, channels), generator.device
    shift = torch.randn(size, generator=generator, device=device) * parameters.feature_shift
    kept = torch.rand(size, generator=generator, device=device) >= parameters.feature_dropout
    return Noise(shift, kept / (1 - parameters.feature_dropout))


def disturb(features: Tensor, noise: Noise) -> Tensor:
    """Return ``(B, L, C)`` features with channels shifted and silenced, written over those given."""
    return features.add_(noise.shift).mul_(noise.gain)
