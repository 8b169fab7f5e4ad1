"""The probe: a linear classifier finds what is linear, and says how well on images that it has not seen."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pipeline.encoder import probing


def clusters(count: int, seed: int, distance: float = 8.0) -> tuple[Tensor, Tensor]:
    """Return points around three corners of a triangle."""
    generator = torch.Generator().manual_seed(seed)
    classes = torch.arange(count) % 3
    centers = distance * torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    return centers[classes] + torch.randn((count, 2), generator=generator), classes


def test_separate_classes_are_told_apart() -> None:
    found, _ = probing.score(clusters(60, 0), clusters(30, 1), clusters(30, 2), 3)
    assert found.accuracy == 1
    assert found.recalls == (1, 1, 1)


def test_features_without_any_information_give_chance() -> None:
    noise, classes = clusters(300, 0, distance=0.0)
    found, _ = probing.score((noise, classes), clusters(90, 1, 0.0), clusters(900, 2, 0.0), 3)
    assert found.accuracy == pytest.approx(1 / 3, abs=0.08)


def test_the_scale_of_features_is_of_no_consequence() -> None:
    features, classes = clusters(60, 0, distance=1.0)
    plain = probing.fit(features, classes, 3, 0.01).predict(features)
    scaled = probing.fit(1000 * features + 5, classes, 3, 0.01).predict(1000 * features + 5)
    assert torch.equal(plain, scaled)


def test_a_feature_that_never_changes_does_no_harm() -> None:
    features, classes = clusters(60, 0)
    constant = torch.cat([features, torch.full((60, 1), 3.0)], dim=1)
    assert torch.isfinite(probing.fit(constant, classes, 3, 0.01).weight).all()


def test_the_recall_of_a_class_without_images_is_unknown() -> None:
    features, classes = clusters(30, 2)
    found, _ = probing.score(clusters(60, 0), clusters(30, 1), (features[classes < 2], classes[classes < 2]), 3)
    assert math.isnan(found.recalls[2])
    assert found.accuracy == found.balanced_accuracy == 1


def test_a_part_without_images_is_refused() -> None:
    empty = torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64)
    with pytest.raises(ValueError, match="validation part has no images"):
        probing.score(clusters(9, 0), empty, clusters(9, 2), 3)
