"""Overlapping segments of a window: strided views and banded matrices, never copies of frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.errors import DataError


@dataclass(frozen=True)
class Segments:
    """N overlapping segments of T frames in a window of L: segment n is centred on frames ``[n * stride, +stride)``.

    The window's edge is padded with frames that do not exist, so that every stride of the window has its segment:
    128 frames with T = 8 and a stride of 2 are read as 134, three masked ones on either side (our choice).

    Raises:
        DataError: the stride does not divide the window, or leaves frames between two segments.
    """

    window_frames: int
    frames: int
    stride: int

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.frames:
            raise DataError(f"segment_stride is {self.stride}, expected 1 to segment_frames = {self.frames}")
        if self.window_frames % self.stride:
            raise DataError(f"window_frames is {self.window_frames}, expected a multiple of {self.stride}, the stride")

    @property
    def count(self) -> int:
        """N, segments in a window."""
        return self.window_frames // self.stride

    @property
    def padding(self) -> tuple[int, int]:
        """Frames that do not exist, before and after the window."""
        overlap = self.frames - self.stride
        return overlap // 2, overlap - overlap // 2

    @property
    def padded_frames(self) -> int:
        """P, frames of the window with its padding."""
        return self.window_frames + self.frames - self.stride

    def split(self, values: Tensor) -> Tensor:
        """Return ``(B, N, T)`` of ``(B, L)``, one value per frame; zero or False in the padding."""
        return F.pad(values, self.padding).unfold(1, self.frames, self.stride)

    def spread(self, weights: Tensor) -> Tensor:
        """Return ``(..., N, L)``, each segment's weights at its own frames of the window, of ``(..., N, T)``.

        A product with it sums over the frames of every segment at once. What falls on the padding is left out.
        """
        # A row that is `stride` too long starts `stride` further right when the rows are cut anew.
        rows = F.pad(weights, (0, self.window_frames)).flatten(-2)  # (..., N * (P + stride))
        band = torch.unflatten(rows[..., : self.count * self.padded_frames], -1, (self.count, self.padded_frames))
        return band[..., self.padding[0] : self.padding[0] + self.window_frames]

    def products(self, query: Tensor, key: Tensor) -> Tensor:
        """Return the product of every two frames that share a segment, ``(B, H, T, T, N)``: key, query, segment.

        Both are ``(B, H, P, D)``. Two frames meet in several segments but are multiplied once.
        """
        everything = torch.matmul(query, key.transpose(-2, -1))  # (B, H, P, P)
        shared: Tensor = _SharedSegments.apply(everything, self)
        return shared

    def diagonal(self, products: Tensor) -> Tensor:
        """Return the ``(B, H, T, T, N)`` view, last query then segment, of contiguous ``(B, H, P, P)``."""
        batch, head, row, column = products.stride()
        size = (*products.shape[:2], self.frames, self.frames, self.count)
        return products.as_strided(size, (batch, head, column, row, self.stride * (row + column)))


class _SharedSegments(torch.autograd.Function):
    """The blocks on the diagonal. Written out because torch's own gradient of an overlapping view is a slow scatter."""

    @staticmethod
    def forward(ctx: Any, products: Tensor, segments: Segments) -> Tensor:
        ctx.segments, ctx.shape = segments, products.shape
        return segments.diagonal(products).contiguous()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        segments: Segments = ctx.segments
        total = gradient.new_zeros(ctx.shape)
        diagonal = segments.diagonal(total)
        apart = -(-segments.frames // segments.stride)
        for first in range(apart):
            # Segments this far apart share no frame, so the sum in place is safe.
            diagonal[..., first::apart] += gradient[..., first::apart]
        return total, None
