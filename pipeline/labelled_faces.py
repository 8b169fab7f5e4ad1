"""Labelled faces as tensors, and the batches that an encoder learns from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.encoder import IMAGENET_DEVIATION, IMAGENET_MEAN, Preprocessing
from pipeline.errors import DataError
from pipeline.image_augmentation import ImageAugmentParameters, augment

GREY_MEAN, GREY_DEVIATION = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


class Faces(NamedTuple):
    """Labelled images in memory: ``(N, S, S)`` grey or ``(N, S, S, 3)`` RGB uint8, and ``(N, K)`` shares of classes."""

    images: Tensor
    targets: Tensor


def check(faces: Faces, name: str) -> None:
    """Raise DataError unless there are images, as many labels, and labels that are shares of classes."""
    images, targets = faces
    if len(images) < 2 or len(images) != len(targets):
        raise DataError(f"{name} has {len(images)} images and {len(targets)} labels, expected as many and at least 2")
    if images.dtype != torch.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise ValueError(f"{name} images are {tuple(images.shape)} of {images.dtype}, expected (N, S, S[, 3]) of uint8")
    if not torch.allclose(targets.sum(dim=1), torch.ones(len(targets)), atol=1e-4) or bool((targets < 0).any()):
        raise DataError(f"{name} labels are no shares: expected (N, K) values from 0 that add up to 1")


def preprocessing_of(faces: Faces, image_size: int) -> Preprocessing:
    """Return what the images of these faces go through at an image size."""
    if faces.images.ndim == 3:
        return Preprocessing(image_size, "grey", GREY_MEAN, GREY_DEVIATION)
    return Preprocessing(image_size, "colour", IMAGENET_MEAN, IMAGENET_DEVIATION)


def class_weights(targets: Tensor, balance: float) -> Tensor:
    """Return ``(K,)`` weights of the classes, whose mean over the targets is 1; a class never seen weighs 0."""
    shares = targets.mean(dim=0)
    weights = torch.where(shares > 0, shares.clamp(min=1e-12) ** -balance, 0.0)
    return weights / (weights * shares).sum()


def batches(
    faces: Faces,
    batch_size: int,
    augmentation: ImageAugmentParameters,
    preprocessing: Preprocessing,
    generator: torch.Generator,
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the images once, in any order; the last ones that fill no batch are left for another epoch."""
    order = torch.randperm(len(faces.images), generator=generator)
    size = min(batch_size, len(order))
    for first in range(0, len(order) // size * size, size):
        rows = order[first : first + size]
        images = channels_first(faces.images[rows].to(device, non_blocking=True))
        images = augment(images, preprocessing.image_size, augmentation, generator)
        yield normalise(images, preprocessing), faces.targets[rows].to(device, non_blocking=True)


def channels_first(images: Tensor) -> Tensor:
    """Return ``(B, 1 or 3, S, S)`` images with values 0 to 1."""
    return (images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)).float() / 255


def normalise(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Return ``(B, 3, S, S)`` images as the network sees them, of images with values 0 to 1."""
    mean = torch.tensor(preprocessing.mean, device=images.device).view(1, 3, 1, 1)
    deviation = torch.tensor(preprocessing.deviation, device=images.device).view(1, 3, 1, 1)
    images = images.expand(-1, 3, -1, -1)  # (B, 3, S, S)
    return ((images - mean) / deviation).contiguous(memory_format=torch.channels_last)
