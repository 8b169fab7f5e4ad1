"""Linear probing: multinomial logistic regression on frozen features, to compare encoders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.encoder.class_layer import BIAS, WEIGHT, ClassLayer, build
from pipeline.errors import DataError

# Of the squared weights, beside the mean cross-entropy; the validation part chooses one.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
ITERATIONS = 200


class Probe(NamedTuple):
    """Multinomial logistic regression on standardised features."""

    mean: Tensor  # (C,)
    deviation: Tensor  # (C,)
    weight: Tensor  # (C, K)
    bias: Tensor  # (K,)

    def predict(self, features: Tensor) -> Tensor:
        """Return the ``(N,)`` most probable classes of ``(N, C)`` features."""
        return (((features - self.mean) / self.deviation) @ self.weight + self.bias).argmax(dim=1)

    def class_layer(self, names: Sequence[str]) -> ClassLayer:
        """Return the same as a layer on features as they are, where there are 512."""
        weight = (self.weight / self.deviation.unsqueeze(1)).T.contiguous()  # (K, C)
        return build(names, {WEIGHT: weight, BIAS: self.bias - weight @ self.mean})


class Score(NamedTuple):
    """Accuracy and recalls of a probe on images that it has not seen."""

    accuracy: float
    balanced_accuracy: float  # the mean of recalls: what is common and what is rare count alike
    recalls: tuple[float, ...]  # per class; nan for one without images
    penalty: float


def score(
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    class_count: int,
    penalties: Sequence[float] = PENALTIES,
) -> tuple[Score, Probe]:
    """Return the test score of the probe whose penalty was best on the validation part, and the probe.

    Args:
        train: ``(N, C)`` features and ``(N,)`` classes, likewise the others.

    Raises:
        DataError: a part is empty.
    """
    for name, (features, _) in (("train", train), ("validation", validation), ("test", test)):
        if not len(features):
            raise DataError(f"the {name} part has no images for a probe")
    probes = {penalty: fit(*train, class_count, penalty) for penalty in penalties}
    best = max(penalties, key=lambda penalty: _accuracy(probes[penalty].predict(validation[0]), validation[1]))
    predicted = probes[best].predict(test[0])
    recalls = tuple(_accuracy(predicted[test[1] == k], test[1][test[1] == k]) for k in range(class_count))
    known = [recall for recall in recalls if not math.isnan(recall)]
    return Score(_accuracy(predicted, test[1]), sum(known) / len(known), recalls, best), probes[best]


def fit(features: Tensor, classes: Tensor, class_count: int, penalty: float) -> Probe:
    """Return the probe that a penalty gives; the problem is convex, so nothing is random."""
    mean, deviation = features.mean(dim=0), features.std(dim=0, correction=0).clamp(min=1e-6)
    inputs = (features - mean) / deviation
    weight = torch.zeros(features.shape[1], class_count, requires_grad=True)
    bias = torch.zeros(class_count, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(inputs @ weight + bias, classes) + penalty * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return Probe(mean, deviation, weight.detach(), bias.detach())


def _accuracy(predicted: Tensor, classes: Tensor) -> float:
    return float((predicted == classes).double().mean())
