"""The FEDN network: from the features of a window to intervals and class scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from pipeline.detectors.contract import Weights
from pipeline.detectors.fedn.anchors import Anchors
from pipeline.detectors.fedn.attention import (
    SEGMENT_ATTENTIONS,
    WINDOW_ATTENTIONS,
    SegmentAttention,
    WindowAttention,
    weight_of_frames,
)
from pipeline.detectors.fedn.classification import CLASSIFICATIONS
from pipeline.detectors.fedn.heads import BranchSizes, Head, LastLayer
from pipeline.detectors.fedn.pyramid import Pyramid
from pipeline.detectors.fedn.segments import Segments
from pipeline.errors import DataError

# Layers, levels and anchors beyond these are none that anybody trains, and would be built before anything is noticed.
MOST_IN_A_ROW = 32
# An interval 5e8 times as long as its anchor; float32 holds no e^89.
MOST_LOG_SIZE = 20
SIZES = (
    "window_frames",
    "segment_frames",
    "segment_stride",
    "width",
    "attention_heads",
    "window_attention_width",
    "kernel",
    "head_width",
    "head_layers",
)


@dataclass(frozen=True)
class DetectorParameters:
    """Sizes and variants of the network; `configs/params.yaml` says where each number comes from.

    Attributes:
        segment_attention, window_attention, head, classification: names of parts, one for each row of the paper's
            ablations.
        segment_scores: how the segment attention weighs a segment's frames, a name in `SEGMENT_SCORES`.
        window_frames: L, frames the detector sees at once.
        window_rates: frames of the video that pass in one frame of a window, the finest first; each video is seen at
            every rate, and an expression is found where it fits into a window.
        segment_frames: T, frames of a segment.
        segment_stride: frames between the starts of two segments.
        width: d, of a segment's vector, and of the queries, keys and values of every self-attention.
        attention_heads: of every self-attention; divides `width`.
        window_attention_width: hidden channels of the window attention's CNN.
        kernel: positions that a 1D convolution sees, odd.
        block_widths: of the blocks that halve the segments before the first level.
        neck_widths: of the levels, finest first.
        head_width: hidden channels of a head's towers.
        head_layers: hidden convolutions of a head's tower.
        anchor_ratios: widths of a level's anchors, in the level's stride.
        largest_log_size: bound of the logarithm by which a size differs from its anchor's.
        initial_score: what a fresh detector answers everywhere, between 0 and 1.
    """

    segment_attention: Literal["attention", "mean"]
    segment_scores: Literal["softmax", "sigmoid"]
    window_attention: Literal["attention", "none"]
    head: Literal["decoupled", "coupled"]
    classification: Literal["joint", "objectness", "confidence", "spotting"]
    window_frames: int
    window_rates: tuple[int, ...]
    segment_frames: int
    segment_stride: int
    width: int
    attention_heads: int
    window_attention_width: int
    kernel: int
    block_widths: tuple[int, ...]
    neck_widths: tuple[int, ...]
    head_width: int
    head_layers: int
    anchor_ratios: tuple[float, ...]
    largest_log_size: float
    initial_score: float

    def __post_init__(self) -> None:
        """Raise ValueError for values that contradict each other."""
        if not self.neck_widths:
            raise ValueError("neck_widths is empty, expected the width of at least one level")
        for name in ("block_widths", "neck_widths", "anchor_ratios"):
            if len(getattr(self, name)) > MOST_IN_A_ROW:
                raise ValueError(f"{name} has {len(getattr(self, name))} values, expected at most {MOST_IN_A_ROW}")
        for name in (*SIZES, "block_widths", "neck_widths"):
            value = getattr(self, name)
            if min(value if isinstance(value, tuple) else [value], default=1) < 1:
                raise ValueError(f"{name} is {value}, expected at least 1")
        if self.head_layers > MOST_IN_A_ROW:
            raise ValueError(f"head_layers is {self.head_layers}, expected at most {MOST_IN_A_ROW}")
        if self.segment_frames > self.window_frames:
            raise ValueError(
                f"segment_frames is {self.segment_frames}, expected at most the window's {self.window_frames}"
            )
        if not 0 < self.largest_log_size <= MOST_LOG_SIZE:
            raise ValueError(
                f"largest_log_size is {self.largest_log_size}, expected more than 0, up to {MOST_LOG_SIZE}"
            )
        if self.width % self.attention_heads:
            raise ValueError(f"width is {self.width}, expected a multiple of attention_heads, {self.attention_heads}")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}, expected an odd number: an even one has no middle")
        if not 0 < self.initial_score < 1:
            raise ValueError(f"initial_score is {self.initial_score}, expected more than 0 and less than 1")
        if self.window_frames % self.level_strides[-1]:
            raise ValueError(
                f"window_frames is {self.window_frames}, expected a multiple of the last level's stride, "
                f"{self.level_strides[-1]} (segment_stride, doubled by each block and by each level after the first)"
            )

    @property
    def segments(self) -> Segments:
        """Where segments lie in the window."""
        return Segments(self.window_frames, self.segment_frames, self.segment_stride)

    @property
    def level_strides(self) -> tuple[int, ...]:
        """Frames between two positions of each level, finest first: 8, 16, 32 and 64 by default."""
        finest = self.segment_stride * 2 ** len(self.block_widths)
        return tuple(finest * 2**level for level in range(len(self.neck_widths)))


class Outputs(NamedTuple):
    """Intervals and logits of B windows, for each of P predictions.

    `logits` ``(B, P, K')`` mean what `CLASSIFICATIONS` says. `intervals` ``(B, P, 2)`` float32 or better: half-open
    frames of the window, finite, start < stop; they may begin before the window or end after it.
    """

    logits: Tensor
    intervals: Tensor


class Detector(nn.Module):
    """FEDN on the features of a window.

    Nothing is normalised over a batch, so what is said of a window does not depend on the windows beside it.

    Args:
        parameters: see DetectorParameters.
        input_width: C, of a frame's feature.
        class_count: K, emotions; spotting has one class whatever is given.
    """

    def __init__(self, parameters: DetectorParameters, input_width: int, class_count: int) -> None:
        super().__init__()
        p, segments = parameters, parameters.segments
        self.input_width, self.window_frames, self.segments = input_width, p.window_frames, segments
        self.window_rates = p.window_rates
        self.scores = CLASSIFICATIONS[p.classification].scores  # (B, P, K') logits to (B, P, K) probabilities
        self.anchors = Anchors(p.window_frames, p.level_strides, p.anchor_ratios, p.largest_log_size)
        self.segment_attention = SEGMENT_ATTENTIONS[p.segment_attention](
            input_width, p.width, p.attention_heads, segments, p.segment_scores
        )
        self.window_attention = WINDOW_ATTENTIONS[p.window_attention](p.width, p.window_attention_width, p.kernel)
        self.pyramid = Pyramid(p.width, p.block_widths, p.neck_widths, p.kernel)
        sizes = BranchSizes(p.width, p.attention_heads, p.head_width, p.head_layers, p.kernel)
        classification, initially = CLASSIFICATIONS[p.classification], math.log(p.initial_score / (1 - p.initial_score))
        outputs = [LastLayer(2, 0.0)]  # the intervals
        for size, rare in zip(classification.outputs(class_count), classification.rare, strict=True):
            outputs.append(LastLayer(size, initially if rare else 0.0))
        predictions = (1, len(p.anchor_ratios))  # the point, and the anchors
        self.heads = nn.ModuleList(Head(p.head, width, sizes, outputs, predictions) for width in p.neck_widths)

    def forward(self, features: Tensor, mask: Tensor) -> Outputs:
        """Return the predictions for each window.

        Args:
            features: ``(B, L, C)`` floating point, L the parameters' window_frames; B may be 0.
            mask: ``(B, L)`` bool, True where a frame is usable. The others may hold anything: they take no attention
                and contribute nothing.

        Raises:
            ValueError: a shape is not what the detector was built for.
        """
        features = self._usable(features, mask)
        usable = self.segments.split(mask).any(-1)  # (B, N)
        segments = self.segment_attention(features, mask)  # (B, N, width)
        levels = self.pyramid(self.window_attention(segments, usable), usable)
        answers = [head(level) for head, level in zip(self.heads, levels, strict=True)]
        # Of every output, the levels' (B, L, A, size) with A predictions a position -> (B, P, size).
        raw, *logits = [torch.cat([part.flatten(1, 2) for part in parts], 1) for parts in zip(*answers, strict=True)]
        return Outputs(torch.cat(logits, dim=-1), self.anchors.decode(raw))

    def attention(self, features: Tensor, mask: Tensor) -> list[Weights]:
        """Return the segment attention of every frame and the window attention of every segment; 1 where all are alike.

        Segment attention is the learned score by which the frames of a segment are summed, not the self-attention
        beneath it, of which a segment keeps the mean alone. A segment stands for the frames that it is centred on.
        """
        features = self._usable(features, mask)
        together, found = self.segments.split(mask), []
        if isinstance(self.segment_attention, SegmentAttention):
            _, weights = self.segment_attention.look(features, mask)
            frames = torch.arange(self.window_frames, device=features.device, dtype=torch.float32)
            times = weight_of_frames(weights, together, self.segments)
            found.append(Weights("segment attention", frames, frames + 1, times, 1.0))
        if isinstance(self.window_attention, WindowAttention):
            weights = self.window_attention.weights(self.segment_attention(features, mask), together.any(-1))
            starts = self.segments.stride * torch.arange(self.segments.count, device=features.device).float()
            found.append(Weights("window attention", starts, starts + self.segments.stride, weights, 1.0))
        return found

    def _usable(self, features: Tensor, mask: Tensor) -> Tensor:
        """Return features with zeros where a frame is not usable; errors as in `forward`."""
        self._check(features, mask)
        return features.masked_fill(~mask[..., None], 0.0)

    def _check(self, features: Tensor, mask: Tensor) -> None:
        if features.ndim != 3 or features.shape[2] != self.input_width:
            raise DataError(
                f"Features have shape {tuple(features.shape)}, but the detector was built for a width of "
                f"{self.input_width}: (B, L, {self.input_width}). Train a detector on these features, or extract with "
                "the encoder it was trained on"
            )
        if features.shape[1] != self.window_frames or mask.shape != features.shape[:2]:
            raise ValueError(
                f"Features have shape {tuple(features.shape)} and the mask {tuple(mask.shape)}, expected windows of "
                f"{self.window_frames} frames. Cut or pad them to this length, masked where padded"
            )
