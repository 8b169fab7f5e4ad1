"""The paper's segment attention spelled out, every frame of every segment by itself: what the fast one must equal."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.detectors.fedn.attention import SegmentAttention, SegmentMean, SigmoidScores
from pipeline.detectors.fedn.segments import Segments


def copies(features: Tensor, mask: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
    """Return the frames of every segment, ``(B, N, T, C)``, and which are usable, ``(B, N, T)``."""
    before, after = segments.padding
    padded = F.pad(features, (0, 0, before, after)).unfold(1, segments.frames, segments.stride)  # (B, N, C, T)
    usable = F.pad(mask, (before, after)).unfold(1, segments.frames, segments.stride)
    return padded.transpose(2, 3).contiguous(), usable


class PlainSegmentAttention(nn.Module):
    """With the weights of a fast one, so that both move the same weights.

    `segment_score` ``(width,)`` is the half of the softmax's score that sees the segment; the fast one has none.
    """

    def __init__(self, fast: SegmentAttention, segment_score: Tensor) -> None:
        super().__init__()
        self.fast, self.segment_score = fast, segment_score

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        fast = self.fast
        frames, usable = copies(features, mask, fast.segments)
        overview = self.attend(frames, usable)  # (B, N, width)
        repeated = overview.unsqueeze(2).expand(-1, -1, frames.shape[2], -1)
        both = torch.cat([frames, repeated], dim=-1)  # (B, N, T, C + width)
        weights = self.weigh(both, usable)  # (B, N, T)
        reduced = fast.reduce(both)  # (B, N, T, width)
        return torch.einsum("bnt,bntc->bnc", weights, reduced)

    def weigh(self, both: Tensor, usable: Tensor) -> Tensor:
        """Return the weights of a segment's frames, ``(B, N, T)``, by one linear layer over frame and segment."""
        weigh = self.fast.weigh
        if isinstance(weigh, SigmoidScores):
            whole = torch.cat([weigh.score.weight, weigh.score_segment.weight], dim=1)
            return F.linear(both, whole, weigh.score.bias).squeeze(-1).sigmoid() * usable
        whole = torch.cat([weigh.score.weight, self.segment_score[None]], dim=1)
        return F.linear(both, whole).squeeze(-1).masked_fill(~usable, -torch.inf).softmax(-1).nan_to_num(0.0)

    def attend(self, frames: Tensor, usable: Tensor) -> Tensor:
        """Return multi-head self-attention over the usable frames of each segment, averaged over them."""
        query, key, value = self.fast.project(frames).chunk(3, dim=-1)  # (B, N, T, width)
        query, key, value = (part.unflatten(-1, (self.fast.heads, -1)) for part in (query, key, value))
        products = torch.einsum("bnihd,bnjhd->bnhij", query, key) / query.shape[-1] ** 0.5
        weights = products.masked_fill(~usable[:, :, None, None], -torch.inf).softmax(-1).nan_to_num(0.0)
        attended = torch.einsum("bnhij,bnjhd->bnihd", weights, value).flatten(-2)
        answers = self.fast.merge(attended) * usable[..., None]  # (B, N, T, width)
        return answers.sum(2) / usable.sum(2, keepdim=True).clamp(min=1)


class PlainSegmentMean(nn.Module):
    """Every frame of every segment brought to the width, then averaged."""

    def __init__(self, fast: SegmentMean) -> None:
        super().__init__()
        self.fast = fast

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        frames, usable = copies(features, mask, self.fast.segments)
        reduced = self.fast.reduce(frames) * usable[..., None]
        return reduced.sum(2) / usable.sum(2, keepdim=True).clamp(min=1)
