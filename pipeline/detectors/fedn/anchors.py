"""Anchors: the predefined interval that each prediction starts from, and how offsets to it are encoded and decoded."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.errors import DataError

POINT = 0


class Anchors(nn.Module):
    """The P predefined intervals of a window, as buffers that move with the detector: level by level, position by
    position, the anchor-free point first and then one anchor per width ratio. Default: 30 positions of 6, P = 180.

    Buffers ``(P,)``: `level` int64, 0 the finest; `kind` int64, `POINT` or 1 + the place of an anchor's ratio; `center`
    float32, in frames from the start of the window, ``position * stride + stride // 2``; `width` float32, in frames:
    the ratio times the level's stride, for a point the stride itself.

    Encoding: an anchor's two numbers are the centre's shift in widths and the logarithm of the ratio of
    widths. A point's are the distances to start and stop in strides, as logarithms too (our choice: so they are
    positive whatever the network says). Logarithms are bounded by `largest_log_size`, so every interval is finite and
    start < stop.

    Raises:
        DataError: a stride does not divide the window, or a ratio or the bound is not positive.
    """

    level: Tensor
    kind: Tensor
    center: Tensor
    width: Tensor

    def __init__(
        self, window_frames: int, level_strides: Sequence[int], ratios: Sequence[float], largest_log_size: float
    ) -> None:
        super().__init__()
        if min([*ratios, largest_log_size]) <= 0:
            raise DataError(f"anchor_ratios {list(ratios)} and largest_log_size {largest_log_size} must be above 0")
        self.largest_log_size, self.level_count = largest_log_size, len(level_strides)
        sizes = torch.tensor([1.0, *ratios])
        rows = []
        for level, stride in enumerate(level_strides):
            if window_frames % stride:
                raise DataError(f"window_frames is {window_frames}, expected a multiple of a level's stride {stride}")
            center = torch.arange(window_frames // stride) * stride + stride // 2
            rows.append(torch.cartesian_prod(torch.tensor([float(level)]), center.float(), sizes * stride))
        table = torch.cat(rows)  # (P, 3)
        buffers = {
            "level": table[:, 0].long(),
            "kind": torch.arange(len(table)) % len(sizes),
            "center": table[:, 1].contiguous(),
            "width": table[:, 2].contiguous(),
        }
        for name, values in buffers.items():
            # Not saved with the weights: they follow from the parameters.
            self.register_buffer(name, values, persistent=False)

    @property
    def intervals(self) -> Tensor:
        """The anchors themselves, ``(P, 2)`` float32 in frames; a point's is one stride wide."""
        return torch.stack([self.center - self.width / 2, self.center + self.width / 2], dim=-1)

    def decode(self, raw: Tensor) -> Tensor:
        """Return half-open intervals ``(B, P, 2)`` in frames of the window, finite, of the network's two numbers.

        They may begin before the window or end after it. Low precisions are raised to float32.
        """
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32))
        sizes = self.width[:, None] * raw.clamp(-self.largest_log_size, self.largest_log_size).exp()  # (B, P, 2)
        middle = self.center + raw[..., 0] * self.width  # (B, P)
        anchored = torch.stack([middle - sizes[..., 1] / 2, middle + sizes[..., 1] / 2], dim=-1)
        around = torch.stack([self.center - sizes[..., 0], self.center + sizes[..., 1]], dim=-1)
        return torch.where((self.kind == POINT)[:, None], around, anchored)

    def encode(self, intervals: Tensor) -> Tensor:
        """Return the numbers ``(B, P, 2)`` that `decode` turns into these intervals, ``(B, P, 2)``, one per anchor.

        Sizes out of bounds are brought to the nearest bound; so is a point's distance to an interval it is not in.
        """
        start, stop = intervals.unbind(-1)
        shift = ((start + stop) / 2 - self.center) / self.width
        distances = torch.stack([self.center - start, stop - self.center], dim=-1)
        around = self._log_size(distances / self.width[:, None])
        anchored = torch.stack([shift, self._log_size((stop - start) / self.width)], dim=-1)
        return torch.where((self.kind == POINT)[:, None], around, anchored)

    def _log_size(self, size: Tensor) -> Tensor:
        least = torch.finfo(size.dtype).tiny
        return size.clamp(min=least).log().clamp(-self.largest_log_size, self.largest_log_size)
