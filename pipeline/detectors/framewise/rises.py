"""Hysteresis on a rise over the usual face: from probabilities of every frame to intervals."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# Half a minute; a detector's card comes from anybody, and so much room is made on either side of a video.
MOST_SMOOTHED = 999


@dataclass(frozen=True)
class RiseParameters:
    """When a face's probability of a class is an expression. Of a corpus' videos, at about 25 to 30 frames a second.

    Attributes:
        smoothing_frames: each frame counts as the mean of so many around it; an odd number.
        usual_share: of a video's frames, this share is taken for less expressive than the person's usual face.
        rise_begin: an expression rises above this at its strongest; 0 is the usual face, 1 certainty.
        rise_end: it lasts as long as the rise is above this.
        least_frames, greatest_frames: what lasts shorter or longer is no expression.
    """

    smoothing_frames: int
    usual_share: float
    rise_begin: float
    rise_end: float
    least_frames: int
    greatest_frames: int

    def __post_init__(self) -> None:
        """Raise ValueError for values out of range, or that contradict each other."""
        if not 1 <= self.smoothing_frames <= MOST_SMOOTHED or self.smoothing_frames % 2 == 0:
            raise ValueError(
                f"smoothing_frames is {self.smoothing_frames}, expected an odd number, from 1 to {MOST_SMOOTHED}"
            )
        if not 0 <= self.usual_share < 1:
            raise ValueError(f"usual_share is {self.usual_share}, expected 0 up to below 1")
        if not 0 < self.rise_end <= self.rise_begin < 1:
            raise ValueError(
                f"rise_begin is {self.rise_begin} and rise_end {self.rise_end}, expected rise_end above 0, at most "
                "rise_begin, and that below 1"
            )
        if not 1 <= self.least_frames <= self.greatest_frames:
            raise ValueError(
                f"least_frames is {self.least_frames} and greatest_frames {self.greatest_frames}, expected 1 or more, "
                "and the greatest no less"
            )


def smooth(probabilities: Tensor, mask: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Return the mean over the faces of so many frames around each, and where it stands for the frame.

    It does at a frame with a face, and at one without where most frames around it have one: an aligner that loses a
    face for a moment cuts no expression in two.

    Args:
        probabilities: ``(B, T, K)``.
        mask: ``(B, T)`` bool, True where there is a face; the others may hold anything.
        frames: an odd number.

    Returns:
        ``(B, T, K)``, 0 where it stands for none, and ``(B, T)`` bool.
    """

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool1d(values, frames, stride=1, padding=frames // 2)

    faces = mean(mask.float()[:, None])  # (B, 1, T): a share, of all frames; there are none beyond the video
    sums = mean(probabilities.masked_fill(~mask[..., None], 0.0).transpose(1, 2))  # (B, K, T)
    seen = mask | (faces[:, 0] > 0.5)
    return (sums / faces.clamp(min=0.5 / frames)).transpose(1, 2) * seen[..., None], seen


def usual(smoothed: Tensor, seen: Tensor, share: float) -> Tensor:
    """Return of each class the value that a share of the seen frames lies below, ``(B, 1, K)``; 0 where none is seen.

    Not the median: of a video that shows little but a smile, that would be the smile.
    """
    ordered = smoothed.masked_fill(~seen[..., None], torch.inf).sort(dim=1).values  # (B, T, K)
    count = seen.sum(dim=1)  # (B,)
    place = ((count - 1).clamp(min=0) * share).round().long()
    found = ordered.gather(1, place[:, None, None].expand(-1, 1, smoothed.shape[2]))
    return found.masked_fill((count == 0)[:, None, None], 0.0)


def rise(smoothed: Tensor, seen: Tensor, share: float) -> Tensor:
    """Return how far each frame is from the usual face towards certainty, ``(B, T, K)`` of 0 to 1; 0 where unseen."""
    neutral = usual(smoothed, seen, share)
    risen = (smoothed - neutral) / (1 - neutral).clamp(min=1e-6)
    return risen.clamp(0, 1) * seen[..., None]


def intervals(risen: Tensor, parameters: RiseParameters) -> tuple[Tensor, Tensor]:
    """Return where one class's rise, ``(B, T)``, is an expression, and its mean there.

    Returns:
        ``(B, P, 2)`` float32 half-open frames and ``(B, P)``, both 0 at places that hold none. Runs are `least_frames`
        long at least and apart, so no two begin in the same `least_frames`: those are the P places, whatever is found.
    """
    frames, least = risen.shape[1], parameters.least_frames
    places = -(-frames // least)
    position = torch.arange(frames, device=risen.device).expand_as(risen)  # (B, T)
    above = risen > parameters.rise_end
    begins = above & ~F.pad(above[:, :-1], (1, 0))
    stop = torch.where(above, frames, position).flip(1).cummin(1).values.flip(1)  # the next frame that is not above
    length = stop - position
    kept = begins & (length >= least) & (length <= parameters.greatest_frames)
    first = torch.where(begins, position, 0).cummax(1).values  # of the run a frame is in

    def place(where: Tensor) -> Tensor:
        return torch.where(where, first // least, places)  # the last place is for all that counts for nothing

    def put(values: Tensor) -> Tensor:
        return values.new_zeros(len(values), places + 1).scatter_(1, place(kept), values)[:, :-1]

    in_kept = above & kept.gather(1, first)
    peak = risen.new_zeros(len(risen), places + 1).scatter_reduce_(1, place(in_kept), risen, "amax")[:, :-1]
    is_expression = peak > parameters.rise_begin  # (B, P)
    sums = F.pad(risen.double().cumsum(1), (1, 0))  # (B, T + 1)
    start, end = put(position), put(stop)
    mean = (sums.gather(1, end) - sums.gather(1, start)) / (end - start).clamp(min=1)
    bounds = torch.stack([start, end], dim=-1) * is_expression[..., None]
    return bounds.float(), (mean * is_expression).float()
