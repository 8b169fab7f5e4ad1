"""Two networks beside FEDN for tests to register: one trained on whole videos, frame by frame, and one untrained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.detectors.contract import Losses, Network, Predictions
from pipeline.windows.cutting import Truths, Whole
from pipeline.windows.recordings import NO_EMOTION


@dataclass(frozen=True)
class RowParameters:
    """`width` hidden channels over means of `row_frames` frames; `positive_weight` of rows with an expression."""

    width: int
    row_frames: int
    positive_weight: float


@dataclass(frozen=True)
class LinearParameters:
    rows: RowParameters

    @property
    def cutting(self) -> Whole:
        return Whole(row_frames=self.rows.row_frames, multiple=4)

    @property
    def recognises(self) -> bool:
        return True


def runs(active: Tensor) -> Tensor:
    """Return an interval ``(B, T, 2)`` for every row of ``(B, T)``: the run of active rows it begins, or an empty one.

    No shape depends on what is active.
    """
    rows = torch.arange(active.shape[1], device=active.device).expand_as(active)
    begins = active & ~F.pad(active[:, :-1], (1, 0))
    idle = torch.where(active, active.shape[1], rows).flip(1).cummin(1).values.flip(1)  # the next row that is not
    return torch.stack([rows, torch.where(begins, idle, rows)], dim=-1).float()


class Linear(Network):
    """Two layers a row, binary cross-entropy on each row's emotion; a run of rows sure of a class is a candidate."""

    kind: ClassVar[type[LinearParameters]] = LinearParameters
    loss_names: ClassVar[tuple[str, ...]] = ("rows",)

    def __init__(self, parameters: LinearParameters, input_width: int, class_count: int) -> None:
        super().__init__()
        self.cutting, self.recognises, self.input_width = parameters.cutting, True, input_width
        self.hidden = nn.Linear(input_width, parameters.rows.width)
        self.last = nn.Linear(parameters.rows.width, class_count)
        self.positive_weight = parameters.rows.positive_weight

    @classmethod
    def build(cls, parameters: LinearParameters, input_width: int, class_count: int) -> Self:
        return cls(parameters, input_width, class_count)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.last(self.hidden(features).relu())  # type: ignore[no-any-return]

    def loss(self, outputs: Tensor, truths: Truths, mask: Tensor) -> Losses:
        rows = torch.arange(outputs.shape[1], device=outputs.device) + 0.5
        start, stop = truths.intervals[..., :1], truths.intervals[..., 1:]
        inside = (rows >= start) & (rows < stop) & (truths.emotions != NO_EMOTION)[..., None]  # (B, G, T)
        emotions = truths.emotions[..., None] == torch.arange(outputs.shape[2], device=outputs.device)  # (B, G, K)
        wanted = (inside[..., None] & emotions[:, :, None]).any(1).float()  # (B, T, K)
        costs = F.binary_cross_entropy_with_logits(outputs, wanted, reduction="none")
        weights = (1 + self.positive_weight * wanted) * mask[..., None]
        total = (costs * weights).sum() / mask.sum().clamp(min=1)
        return Losses(total, (total,))

    def decode(self, outputs: Tensor, mask: Tensor) -> Predictions:
        scores = outputs.sigmoid() * mask[..., None]  # (B, T, K)
        candidates = [runs(scores[..., emotion] > 0.5) for emotion in range(scores.shape[-1])]
        own = torch.eye(scores.shape[-1], device=scores.device)[:, None]  # (K, 1, K): of a class's runs, its score
        return Predictions(torch.cat(candidates, 1), (scores[:, None] * own).flatten(1, 2))  # (B, K * T, ...)


@dataclass(frozen=True)
class LevelParameters:
    """`level`: mean size of a row's normalised channels from which it counts as an expression."""

    level: float


@dataclass(frozen=True)
class UntrainedParameters:
    level: LevelParameters

    @property
    def cutting(self) -> Whole:
        return Whole()

    @property
    def recognises(self) -> bool:
        return False


class Untrained(Network):
    """A face that is far from its own mean shows an expression: nothing is learned, nothing is recognised."""

    kind: ClassVar[type[UntrainedParameters]] = UntrainedParameters
    learns: ClassVar[bool] = False
    level: Tensor

    def __init__(self, parameters: UntrainedParameters, input_width: int) -> None:
        super().__init__()
        self.cutting, self.recognises, self.input_width = parameters.cutting, False, input_width
        self.register_buffer("level", torch.tensor(parameters.level.level))

    @classmethod
    def build(cls, parameters: UntrainedParameters, input_width: int, class_count: int) -> Self:
        return cls(parameters, input_width)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return features.abs().mean(-1) * mask

    def loss(self, outputs: Tensor, truths: Truths, mask: Tensor) -> Losses:
        return Losses(outputs.sum() * 0, ())

    def decode(self, outputs: Tensor, mask: Tensor) -> Predictions:
        return Predictions(runs(outputs > self.level), (outputs / (outputs + self.level))[..., None])


NETWORKS: dict[str, type[Network]] = {"linear": Linear, "untrained": Untrained}
SETTINGS: dict[str, dict[str, Any]] = {
    "linear": {"width": 16, "row_frames": 4, "positive_weight": 3.0, "epochs": 20, "batch_size": 2},
    "untrained": {"level": 1.0},
}
