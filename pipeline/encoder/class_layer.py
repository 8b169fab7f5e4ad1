"""The class layer of an encoder: names of emotions, and the linear layer that tells them apart by a feature."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.encoder.resnet import CLASSIFIER, WIDTH
from pipeline.errors import DataError

WEIGHT, BIAS = f"{CLASSIFIER}weight", f"{CLASSIFIER}bias"


class ClassLayer(NamedTuple):
    """What turns features into emotions; it has no part in the features, nor in the digest of their encoder."""

    names: tuple[str, ...]  # of the K classes
    weight: Tensor  # (K, 512) float32
    bias: Tensor  # (K,) float32

    def logits(self, features: Tensor) -> Tensor:
        """Return ``(N, K)`` logits of ``(N, 512)`` features; their softmax is the probabilities of the classes."""
        return features.float() @ self.weight.T + self.bias

    def probabilities_of(self, features: Tensor, names: Collection[str]) -> Tensor:
        """Return ``(N, len(names))`` probabilities of features that are known to be of one of some of the classes.

        Raises:
            ValueError: a name is none of the layer's.
        """
        return self.logits(features)[:, [self.names.index(name) for name in names]].softmax(dim=1)

    def tensors(self) -> dict[str, Tensor]:
        """Return the layer by torchvision's names."""
        return {WEIGHT: self.weight, BIAS: self.bias}


def split(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the encoder's part of the weights of a network, and its class layer's."""
    layer = {name: value for name, value in tensors.items() if name.startswith(CLASSIFIER)}
    return {name: value for name, value in tensors.items() if name not in layer}, layer


def build(names: Sequence[str], tensors: Mapping[str, Tensor]) -> ClassLayer:
    """Return the class layer of tensors by torchvision's names.

    Raises:
        DataError: names that are no texts or stand twice, other tensors, shapes that do not fit, or a value that is not
            finite.
    """
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) and name for name in names):
        raise DataError(f"the classes of its class layer are {str(names)[:60]}, expected a list of names")
    if len(set(names)) < len(names) or len(names) < 2:
        raise DataError(f"the classes of its class layer are {str(names)[:60]}, expected at least 2, each once")
    expected = {WEIGHT: (len(names), WIDTH), BIAS: (len(names),)}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    if found != expected:
        raise DataError(f"its class layer is {found}, expected {expected} for its {len(names)} classes")
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise DataError("its class layer holds values that are not finite")
    return ClassLayer(tuple(names), tensors[WEIGHT].float(), tensors[BIAS].float())
