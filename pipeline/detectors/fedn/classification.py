"""Classification formulations (joint, objectness, confidence, spotting): their logits, focal loss and class scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# A target that is no class: nothing is there, or either answer may stand.
NEGATIVE, IGNORED = -1, -2


class Classification(NamedTuple):
    """One way to say which class, and whether there is an expression at all.

    Attributes:
        outputs: of K classes, the number of logits of each tower of a branch; the logits come in this order.
        rare: for each of these, whether a fresh detector answers the initial score, or a logit of 0.
        loss: of ``(B, P, sum(outputs))`` logits, ``(B, P)`` classes, alpha and gamma: ``(B, P)``, 0 where ignored.
        scores: of the logits, probabilities ``(B, P, K)`` whose highest ranks the prediction; K = 1 when spotting.
    """

    outputs: Callable[[int], tuple[int, ...]]
    rare: tuple[bool, ...]
    loss: Callable[[Tensor, Tensor, float | None, float], Tensor]
    scores: Callable[[Tensor], Tensor]


def focal_loss(logits: Tensor, targets: Tensor, alpha: float | None, gamma: float) -> Tensor:
    """Return the focal loss (Lin et al. 2017), of the shape of `logits`, in float32 or better.

    Args:
        logits: any shape.
        targets: 0 or 1, of the same shape.
        alpha: weight of the ones, between 0 and 1; the zeros weigh ``1 - alpha``. None weighs both 1: one half would
            balance nothing either, but halve the whole.
        gamma: how strongly the well-answered is discounted; 0 discounts nothing. With None and 0 this is the plain
            binary cross-entropy.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    targets = targets.to(logits.dtype)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    wrong = (logits.sigmoid() - targets).abs()
    # Raised to gamma only above 0: the slope of x ** gamma at x = 0 is infinite for a gamma below 1.
    discount = wrong.clamp(min=torch.finfo(wrong.dtype).tiny) ** gamma
    balance = 1.0 if alpha is None else alpha * targets + (1 - alpha) * (1 - targets)
    return balance * discount * cross_entropy


def _joint_loss(logits: Tensor, classes: Tensor, alpha: float | None, gamma: float) -> Tensor:
    """A negative's targets are all zero, so its highest class score is also its objectness (the paper's way)."""
    targets = classes[..., None] == torch.arange(logits.shape[-1], device=classes.device)  # (B, P, K)
    return focal_loss(logits, targets, alpha, gamma).sum(-1) * (classes != IGNORED)


def _add_objectness(logits: Tensor) -> Tensor:
    """Return ``(B, P, K)`` class logits, the objectness added to each of them: o + c_k."""
    return logits[..., :1] + logits[..., 1:]


def _objectness_loss(logits: Tensor, classes: Tensor, alpha: float | None, gamma: float) -> Tensor:
    """As `_joint_loss`, with one logit that all classes share: what makes it an expression is learned from all."""
    return _joint_loss(_add_objectness(logits), classes, alpha, gamma)


def _confidence_loss(logits: Tensor, classes: Tensor, alpha: float | None, gamma: float) -> Tensor:
    """Confidence is binary over all predictions; the class is categorical over the positive ones."""
    positive = classes >= 0
    which = F.cross_entropy(
        logits[..., 1:].to(torch.promote_types(logits.dtype, torch.float32)).movedim(-1, 1),
        classes.clamp(min=0),
        reduction="none",
    )
    return _spotting_loss(logits[..., :1], classes, alpha, gamma) + which * positive


def _spotting_loss(logits: Tensor, classes: Tensor, alpha: float | None, gamma: float) -> Tensor:
    """Every class is the one class: there is an expression."""
    return focal_loss(logits[..., 0], classes >= 0, alpha, gamma) * (classes != IGNORED)


CLASSIFICATIONS = {
    "joint": Classification(lambda class_count: (class_count,), (True,), _joint_loss, torch.sigmoid),
    "objectness": Classification(
        lambda class_count: (1, class_count),
        (True, False),
        _objectness_loss,
        lambda logits: _add_objectness(logits).sigmoid(),
    ),
    "confidence": Classification(
        lambda class_count: (1, class_count),
        (True, False),
        _confidence_loss,
        lambda logits: logits[..., :1].sigmoid() * logits[..., 1:].softmax(-1),
    ),
    "spotting": Classification(lambda class_count: (1,), (True,), _spotting_loss, torch.sigmoid),
}
