"""Detection heads: per position of a level, an interval and class scores for the point and for every anchor on it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pipeline.detectors.fedn.attention import masked_softmax
from pipeline.detectors.fedn.convolution import Convolution, ConvolutionBlock
from pipeline.detectors.fedn.pyramid import Level


class BranchSizes(NamedTuple):
    """What the branches of all levels have in common; see DetectorParameters."""

    attention_width: int
    attention_heads: int
    head_width: int
    hidden_layers: int
    kernel: int


class LastLayer(NamedTuple):
    """What a last layer answers for each prediction: how many numbers, and what they are before any training."""

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


class Tower(nn.Module):
    """Hidden convolutions of a branch, ``(B, L, C)`` to ``(B, L, head_width)``."""

    def __init__(self, width: int, sizes: BranchSizes) -> None:
        super().__init__()
        widths = [width] + [sizes.head_width] * sizes.hidden_layers
        self.hidden = nn.ModuleList(ConvolutionBlock(before, after, sizes.kernel) for before, after in pairwise(widths))

    def forward(self, features: Tensor, usable: Tensor) -> Tensor:
        for hidden in self.hidden:
            features = hidden(features, usable)
        return features


class DecoupledBranch(nn.Module):
    """One attention, then for every output a tower of its own."""

    def __init__(self, width: int, sizes: BranchSizes, outputs: Sequence[LastLayer], predictions: int) -> None:
        super().__init__()
        self.attend = LevelAttention(width, sizes.attention_width, sizes.attention_heads)
        self.towers = nn.ModuleList(Tower(width, sizes) for _ in outputs)
        self.last = nn.ModuleList(last_layer(sizes, output, predictions) for output in outputs)

    def forward(self, level: Level) -> list[Tensor]:
        """Return ``(B, L, predictions * size)`` for every one of `outputs`."""
        attended = self.attend(level.features, level.usable)
        return [last(tower(attended, level.usable)) for tower, last in zip(self.towers, self.last, strict=True)]


class CoupledBranch(nn.Module):
    """One attention and one tower; all outputs share every layer but the last."""

    def __init__(self, width: int, sizes: BranchSizes, outputs: Sequence[LastLayer], predictions: int) -> None:
        super().__init__()
        self.attend = LevelAttention(width, sizes.attention_width, sizes.attention_heads)
        self.tower = Tower(width, sizes)
        self.last = nn.ModuleList(last_layer(sizes, output, predictions) for output in outputs)

    def forward(self, level: Level) -> list[Tensor]:
        """Return ``(B, L, predictions * size)`` for every one of `outputs`."""
        shared = self.tower(self.attend(level.features, level.usable), level.usable)
        return [last(shared) for last in self.last]


BRANCHES = {"decoupled": DecoupledBranch, "coupled": CoupledBranch}


class Head(nn.Module):
    """The detection head of one level: an anchor-free and an anchor-based branch, which share no layer.

    The paper's (section 3.4): each branch has one multi-head attention, then separate towers for intervals and for
    recognition (`decoupled`), or one tower for both (`coupled`, a row of its Table 4). What the outputs are is said by
    `CLASSIFICATIONS`: `confidence` adds a third tower to each branch, which answers the confidence; `spotting` keeps
    the two, and the recognition tower answers one number, whether there is an expression at all.

    Args:
        branch: a name in `BRANCHES`.
        width: C, of the level.
        sizes: see BranchSizes.
        outputs: what is answered for every prediction.
        predictions: per position, of each branch: one of the anchor-free, one for each ratio of the anchor-based.
    """

    def __init__(
        self, branch: str, width: int, sizes: BranchSizes, outputs: Sequence[LastLayer], predictions: Sequence[int]
    ) -> None:
        super().__init__()
        self.predictions = tuple(predictions)
        self.branches = nn.ModuleList(BRANCHES[branch](width, sizes, outputs, count) for count in predictions)

    def forward(self, level: Level) -> list[Tensor]:
        """Return ``(B, L, sum(predictions), size)`` for every one of `outputs`, in the order of the branches."""
        answers = [
            [torch.unflatten(output, -1, (count, -1)) for output in branch(level)]
            for branch, count in zip(self.branches, self.predictions, strict=True)
        ]
        return [torch.cat(parts, dim=2) for parts in zip(*answers, strict=True)]


def last_layer(sizes: BranchSizes, output: LastLayer, predictions: int) -> Convolution:
    """Return a last layer that answers nearly `output.initially` to anything until it is trained.

    With thousands of negatives for a positive, scores that begin at one half would drown the first epochs (the prior of
    focal loss); interval numbers that begin at zero are an anchor itself, or one stride to either side of a point.
    """
    layer = Convolution(sizes.head_width, predictions * output.size, sizes.kernel)
    nn.init.normal_(layer.taps.weight, std=0.01)
    nn.init.constant_(layer.taps.bias, output.initially)
    return layer
