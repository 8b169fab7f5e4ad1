"""What each level answers: per position, an interval and class scores for every anchor on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pipeline.attention import masked_softmax
from pipeline.convolution import Convolution, ConvolutionBlock
from pipeline.pyramid import Level


class TrunkSizes(NamedTuple):
    """What the branches of all levels have in common; see DetectorParameters."""

    attention_width: int
    attention_heads: int
    head_width: int
    kernel: int


class Output(NamedTuple):
    """What a last layer answers at each position: how many numbers, and what they are before any training."""

    size: int
    initially: float


class LevelAttention(nn.Module):
    """Multi-head self-attention over the positions of one level, added to its input (the sum is our choice).

    Without it a position would forget which of the level's positions it is: nothing else encodes where it stands.
    """

    def __init__(self, width: int, attention_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * attention_width)  # query, key, value
        self.merge = nn.Linear(attention_width, width)

    def forward(self, features: Tensor, usable: Tensor) -> Tensor:
        """Return ``(B, L, width)`` of the same; unusable positions take no attention and come out as zeros."""
        parts = torch.unflatten(self.project(features), -1, (3, self.heads, -1))  # (B, L, 3, H, D)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (B, H, L, D)
        products = torch.matmul(query, key.transpose(-2, -1)) * query.shape[-1] ** -0.5  # (B, H, L, L)
        attended = torch.matmul(masked_softmax(products, usable[:, None, None], dim=-1), value)  # (B, H, L, D)
        merged: Tensor = self.merge(attended.transpose(1, 2).flatten(2))
        return (features + merged) * usable[..., None]


class Trunk(nn.Module):
    """All layers of a branch but the last: attention, then a 1D CNN, ``(B, L, C)`` to ``(B, L, head_width)``."""

    def __init__(self, width: int, sizes: TrunkSizes) -> None:
        super().__init__()
        self.attend = LevelAttention(width, sizes.attention_width, sizes.attention_heads)
        self.hidden = ConvolutionBlock(width, sizes.head_width, sizes.kernel)

    def forward(self, level: Level) -> Tensor:
        hidden: Tensor = self.hidden(self.attend(level.features, level.usable), level.usable)
        return hidden


class DecoupledHead(nn.Module):
    """A branch of its own for every output of one level."""

    def __init__(self, width: int, sizes: TrunkSizes, outputs: Sequence[Output]) -> None:
        super().__init__()
        self.trunks = nn.ModuleList(Trunk(width, sizes) for _ in outputs)
        self.last = nn.ModuleList(last_layer(sizes, output) for output in outputs)

    def forward(self, level: Level) -> list[Tensor]:
        """Return ``(B, L, size)`` for every one of `outputs`."""
        return [last(trunk(level)) for trunk, last in zip(self.trunks, self.last, strict=True)]


class CoupledHead(nn.Module):
    """All outputs of one level share every layer but the last."""

    def __init__(self, width: int, sizes: TrunkSizes, outputs: Sequence[Output]) -> None:
        super().__init__()
        self.trunk = Trunk(width, sizes)
        self.last = nn.ModuleList(last_layer(sizes, output) for output in outputs)

    def forward(self, level: Level) -> list[Tensor]:
        """Return ``(B, L, size)`` for every one of `outputs`."""
        shared = self.trunk(level)
        return [last(shared) for last in self.last]


HEADS = {"decoupled": DecoupledHead, "coupled": CoupledHead}


def last_layer(sizes: TrunkSizes, output: Output) -> Convolution:
    """Return a last layer that answers nearly `output.initially` to anything until it is trained.

    With thousands of negatives for a positive, scores that begin at one half would drown the first epochs (the prior of
    focal loss); intervals that begin at zero are the anchors themselves.
    """
    layer = Convolution(sizes.head_width, output.size, sizes.kernel)
    nn.init.normal_(layer.taps.weight, std=0.01)
    nn.init.constant_(layer.taps.bias, output.initially)
    return layer
