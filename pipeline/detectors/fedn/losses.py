"""Detection losses: focal classification loss and IoU, GIoU or DIoU interval loss, weighted and summed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from pipeline.detectors.fedn.classification import CLASSIFICATIONS
from pipeline.detectors.fedn.network import Outputs
from pipeline.detectors.fedn.targets import Targets


@dataclass(frozen=True)
class LossParameters:
    """Which classification and interval losses, and their weights.

    Attributes:
        classification: a name in `CLASSIFICATIONS`, the detector's own.
        interval_loss: a name in `INTERVAL_LOSSES`.
        interval_weight: the paper's w_i.
        classification_weight: the paper's w_r.
        focal_alpha: weight of the positive answers against ``1 - focal_alpha`` for the negative ones; None: 1 for both.
        focal_gamma: how strongly well-answered predictions are discounted; with None and 0 it is binary cross-entropy.
    """

    classification: Literal["joint", "objectness", "confidence", "spotting"]
    interval_loss: Literal["iou", "giou", "diou"]
    interval_weight: float
    classification_weight: float
    focal_alpha: float | None
    focal_gamma: float

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        for name in ("interval_weight", "classification_weight", "focal_gamma"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        if self.focal_alpha is not None and not 0 < self.focal_alpha < 1:
            raise ValueError(f"focal_alpha is {self.focal_alpha}, expected null, or more than 0 and less than 1")


class FednLosses(NamedTuple):
    """Three numbers; `total` is the weighted sum of the two others."""

    total: Tensor
    interval: Tensor
    classification: Tensor


def detection_loss(outputs: Outputs, targets: Targets, parameters: LossParameters) -> FednLosses:
    """Return the losses of a batch of predictions, in float32 or better; nothing is read back from a GPU.

    Both parts are summed over predictions and divided by the number of positive ones (our choice: then a window full
    of background weighs as little as it teaches). A batch without positives is divided by 1, an empty one costs 0.

    Args:
        outputs: of the detector.
        targets: for the same predictions; only positive ones have an interval that counts.
        parameters: see LossParameters.
    """
    positive = targets.classes >= 0  # (B, P)
    count = positive.sum().clamp(min=1)
    apart = _interval_costs(outputs.intervals, targets.intervals, positive, parameters.interval_loss)
    costs = CLASSIFICATIONS[parameters.classification].loss(
        outputs.logits, targets.classes, parameters.focal_alpha, parameters.focal_gamma
    )
    interval, classification = apart.sum() / count, costs.sum() / count
    total = parameters.interval_weight * interval + parameters.classification_weight * classification
    return FednLosses(total, interval, classification)


def _interval_costs(predicted: Tensor, truth: Tensor, positive: Tensor, name: str) -> Tensor:
    """Return ``(B, P)``, 0 and without slope where a prediction is not positive, whatever stands there.

    All predictions are measured: how many are positive is known on the GPU alone, and asking would halt every step.
    Those that do not count are replaced before the arithmetic: masking its result alone would leave 0 * infinity in the
    gradient where an interval does not last.
    """
    lasting = torch.arange(2, dtype=truth.dtype, device=truth.device)  # [0, 1)
    chosen = [
        torch.where(positive[..., None], intervals, lasting.to(intervals.dtype)) for intervals in (predicted, truth)
    ]
    return torch.where(positive, INTERVAL_LOSSES[name](*chosen), 0.0)


class Overlap(NamedTuple):
    """Overlap of pairs of intervals, each ``(...)``: their `iou`, their `union`, and the `hull` that holds both."""

    iou: Tensor
    union: Tensor
    hull: Tensor


def measure(predicted: Tensor, truth: Tensor) -> Overlap:
    """Return the overlap of each of ``(..., 2)`` predicted intervals with its own truth, ``(..., 2)``; both must last.

    Low precisions are raised to float32.
    """
    precision = torch.promote_types(predicted.dtype, torch.float32)
    predicted, truth = predicted.to(precision), truth.to(precision)
    (start, stop), (true_start, true_stop) = predicted.unbind(-1), truth.unbind(-1)
    shared = (torch.minimum(stop, true_stop) - torch.maximum(start, true_start)).clamp(min=0)
    union = (stop - start) + (true_stop - true_start) - shared
    hull = torch.maximum(stop, true_stop) - torch.minimum(start, true_start)
    return Overlap(shared / union, union, hull)


def iou_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Return 1 - IoU of each pair, ``(...)``: 1 and without slope as soon as they do not overlap."""
    return 1 - measure(predicted, truth).iou


def giou_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Return 1 - IoU + the share of the hull that neither covers, ``(...)``: in one dimension, the gap between them."""
    overlap = measure(predicted, truth)
    return 1 - overlap.iou + (overlap.hull - overlap.union).clamp(min=0) / overlap.hull


def diou_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Return 1 - IoU + the squared distance of the centres as a share of the hull's squared length, ``(...)``."""
    overlap = measure(predicted, truth)
    distance = (predicted.to(overlap.hull.dtype).sum(-1) - truth.to(overlap.hull.dtype).sum(-1)) / 2
    return 1 - overlap.iou + (distance / overlap.hull) ** 2


INTERVAL_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "iou": iou_loss,
    "giou": giou_loss,
    "diou": diou_loss,
}
