"""Segment and window attention: self-attention over a segment's frames, and a weight for each segment of a window."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.detectors.fedn.convolution import Convolution, ConvolutionBlock
from pipeline.detectors.fedn.segments import Segments


def masked_softmax(scores: Tensor, usable: Tensor, dim: int) -> Tensor:
    """Return weights that sum to 1 over the usable ones and are 0 elsewhere; 0 everywhere where none is usable."""
    # The least finite number instead of minus infinity: a softmax over infinities alone is not a number.
    return scores.masked_fill(~usable, torch.finfo(scores.dtype).min).softmax(dim) * usable


def equal_shares(usable: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    """Return the weights of a mean over the usable ones; 0 everywhere where none is usable."""
    counted = usable.to(dtype)
    return counted / counted.sum(dim, keepdim=True).clamp(min=1)


class SoftmaxScores(nn.Module):
    """Weights of a segment's frames that sum to 1: a softmax over the scores of its usable frames.

    The score sees the frame alone: the segment's half of the paper's 1024-wide layer adds the same number to all frames
    of a segment, and a softmax over them is blind to it.
    """

    def __init__(self, input_width: int, width: int, segments: Segments) -> None:
        super().__init__()
        self.segments = segments
        self.score = nn.Linear(input_width, 1, bias=False)

    def forward(self, features: Tensor, overview: Tensor, together: Tensor) -> Tensor:
        """Return ``(B, N, T)`` of ``(B, L, C)`` frames, ``(B, N, width)`` segments and their usable ``(B, N, T)``."""
        return masked_softmax(self.segments.split(self.score(features).squeeze(-1)), together, dim=-1)


class SigmoidScores(nn.Module):
    """Weights of a segment's frames, each between 0 and 1 by itself, so that the segment's half of the score counts.

    The other reading of the paper, which names no function: then a segment may count less as a whole.
    """

    def __init__(self, input_width: int, width: int, segments: Segments) -> None:
        super().__init__()
        self.segments = segments
        self.score = nn.Linear(input_width, 1)
        self.score_segment = nn.Linear(width, 1, bias=False)

    def forward(self, features: Tensor, overview: Tensor, together: Tensor) -> Tensor:
        """Return ``(B, N, T)``, as `SoftmaxScores` does."""
        scores = self.segments.split(self.score(features).squeeze(-1)) + self.score_segment(overview)
        weights: Tensor = scores.sigmoid() * together
        return weights


SEGMENT_SCORES = {"softmax": SoftmaxScores, "sigmoid": SigmoidScores}


class SegmentAttention(nn.Module):
    """A vector per segment: self-attention over its frames, then their sum weighted by a learned score.

    The result is the paper's (multi-head self-attention over the T frames, its mean repeated beside each frame, two
    parallel linear layers, a weighted sum), reached with fewer operations; `plain_attention.py` of the tests spells
    the long way out. What is linear in a frame is done once per frame, though a frame stands in T / stride segments;
    means and sums over frames are taken before the linear layers they commute with. The mean over queries is taken of
    the attention's weights, before they meet the values.

    `scores` is a name in `SEGMENT_SCORES`. There is no dropout inside, so the algebra stays exact.
    """

    def __init__(self, input_width: int, width: int, heads: int, segments: Segments, scores: str) -> None:
        super().__init__()
        self.heads, self.segments = heads, segments
        self.project = nn.Linear(input_width, 3 * width)  # query, key, value
        self.merge = nn.Linear(width, width)
        self.weigh = SEGMENT_SCORES[scores](input_width, width, segments)
        self.reduce = nn.Linear(input_width + width, width)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Return ``(B, N, width)`` of ``(B, L, C)`` and ``(B, L)``; a segment without a usable frame gives zeros."""
        overview, weights = self.look(features, mask)
        total = weights.sum(-1, keepdim=True)
        frame = torch.matmul(self.segments.spread(weights), features)  # (B, N, C)
        # The reduction of every frame, summed with the weights: its bias counts as often as the weights say.
        reduced = F.linear(torch.cat([frame, overview * total], dim=-1), self.reduce.weight)
        summed: Tensor = reduced + self.reduce.bias * total
        return summed

    def look(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the overview of each segment, ``(B, N, width)``, and the weights of its frames, ``(B, N, T)``."""
        together = self.segments.split(mask)  # (B, N, T)
        overview = self.merge(self.attend(features, together))  # (B, N, width)
        return overview, self.weigh(features, overview, together)

    def attend(self, features: Tensor, together: Tensor) -> Tensor:
        """Return the mean of self-attention over each segment's frames, before its output layer, ``(B, N, width)``."""
        parts = torch.unflatten(self.project(features), -1, (3, self.heads, -1))  # (B, L, 3, H, D)
        padded = F.pad(parts.permute(2, 0, 3, 1, 4), (0, 0, *self.segments.padding))
        query, key, value = padded.unbind(0)  # (B, H, P, D)
        products = self.segments.products(query, key) * query.shape[-1] ** -0.5  # (B, H, T, T, N)
        usable = together.transpose(1, 2)  # (B, T, N)
        attention = masked_softmax(products, usable[:, None, :, None], dim=2)
        share = equal_shares(usable, dim=1, dtype=features.dtype)  # (B, T, N)
        weights = (attention * share[:, None, None]).sum(3).transpose(-2, -1)  # (B, H, N, T)
        first = self.segments.padding[0]
        inside = value[:, :, first : first + features.shape[1]]  # (B, H, L, D)
        return torch.matmul(self.segments.spread(weights), inside).transpose(1, 2).flatten(2)


class SegmentMean(nn.Module):
    """Without segment attention: the usable frames of a segment are averaged, then brought to the width."""

    def __init__(self, input_width: int, width: int, heads: int, segments: Segments, scores: str) -> None:
        super().__init__()
        self.segments = segments
        self.reduce = nn.Linear(input_width, width)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Return ``(B, N, width)``, as `SegmentAttention` does."""
        together = self.segments.split(mask)  # (B, N, T)
        share = equal_shares(together, dim=-1, dtype=features.dtype)
        frame = torch.matmul(self.segments.spread(share), features)  # (B, N, C)
        reduced: Tensor = self.reduce(frame)
        return reduced * together.any(-1, keepdim=True)


class WindowAttention(nn.Module):
    """Each segment times its weight: a 1D CNN scores the segments of a window, softmax, product.

    The weights are multiplied by the number of usable segments, so they average 1 and the features keep their scale
    (our choice; the paper's softmax over 64 segments would shrink them 64 times). Unusable segments take no weight.
    """

    def __init__(self, width: int, hidden_width: int, kernel: int) -> None:
        super().__init__()
        self.hidden = ConvolutionBlock(width, hidden_width, kernel)
        self.score = Convolution(hidden_width, 1, kernel)

    def forward(self, segments: Tensor, usable: Tensor) -> Tensor:
        """Return ``(B, N, width)`` of the same, with `usable` ``(B, N)`` bool."""
        return segments * self.weights(segments, usable)[..., None]

    def weights(self, segments: Tensor, usable: Tensor) -> Tensor:
        """Return the weight of each segment, ``(B, N)``, 1 on average over the usable ones."""
        scores = self.score(self.hidden(segments, usable)).squeeze(-1)  # (B, N)
        return masked_softmax(scores, usable, dim=-1) * usable.sum(-1, keepdim=True)


class NoWindowAttention(nn.Module):
    """Without window attention: no scores are multiplied."""

    def __init__(self, width: int, hidden_width: int, kernel: int) -> None:
        super().__init__()

    def forward(self, segments: Tensor, usable: Tensor) -> Tensor:
        """Return the segments as they are."""
        return segments


def weight_of_frames(weights: Tensor, together: Tensor, segments: Segments) -> Tensor:
    """Return how much the segments that hold a frame look at it, ``(B, L)``: 1 where they weigh all frames alike.

    Of each segment the weight is compared with the mean over its usable frames; then it is the mean over the segments
    that hold the frame, for neighbours overlap. 0 where a frame is not usable.

    Args:
        weights: ``(B, N, T)``, 0 where not usable.
        together: ``(B, N, T)`` bool, the usable frames of each segment.
    """
    mean = weights.sum(-1, keepdim=True) * equal_shares(together, -1, weights.dtype)  # 0 where not usable
    times = weights / mean.clamp(min=torch.finfo(weights.dtype).tiny)
    holding = segments.spread(together.to(weights.dtype)).sum(1)  # (B, L) segments that hold a frame
    return segments.spread(times).sum(1) / holding.clamp(min=1)


SEGMENT_ATTENTIONS = {"attention": SegmentAttention, "mean": SegmentMean}
WINDOW_ATTENTIONS = {"attention": WindowAttention, "none": NoWindowAttention}
