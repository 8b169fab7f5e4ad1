"""Labelled face images, in memory or read on demand, and the shuffled batches that an encoder is trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.encoder.augmentation import ImageAugmentParameters, augment
from pipeline.encoder.preparation import IMAGENET_DEVIATION, IMAGENET_MEAN, Preparation, Preprocessing
from pipeline.errors import DataError

GREY_MEAN, GREY_DEVIATION = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


class Images(Protocol):
    """``(N, S, S)`` grey or ``(N, S, S, 3)`` RGB uint8 images that are not all in memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(N, S, S)`` or ``(N, S, S, 3)``."""

    def __len__(self) -> int:
        """Return ``N``."""

    def read(self, runs: Iterable[NDArray[np.intp]]) -> Iterator[NDArray[np.uint8]]:
        """Yield the images of each run of positions, in order."""


class Faces(NamedTuple):
    """Labelled images, ``(N, S, S)`` grey or ``(N, S, S, 3)`` RGB uint8, and ``(N, K)`` shares of classes."""

    images: Tensor | Images
    targets: Tensor


def in_turn(images: Tensor | Images, runs: Sequence[Tensor]) -> Iterator[Tensor]:
    """Yield the images of each run of positions: those of a tensor, or as they are read."""
    if isinstance(images, Tensor):
        yield from (images[rows] for rows in runs)
    else:
        yield from map(torch.from_numpy, images.read(rows.numpy() for rows in runs))


def check(faces: Faces, name: str) -> None:
    """Raise DataError unless there are images, as many labels, and labels that are shares of classes."""
    images, targets = faces
    if len(images) < 2 or len(images) != len(targets):
        raise DataError(f"{name} has {len(images)} images and {len(targets)} labels, expected as many and at least 2")
    shape, dtype = tuple(images.shape), getattr(images, "dtype", torch.uint8)
    if dtype != torch.uint8 or len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] != 3):
        raise ValueError(f"{name} images are {shape} of {dtype}, expected (N, S, S[, 3]) of uint8")
    if not torch.allclose(targets.sum(dim=1), torch.ones(len(targets)), atol=1e-4) or bool((targets < 0).any()):
        raise DataError(f"{name} labels are no shares: expected (N, K) values from 0 that add up to 1")


def preprocessing_of(faces: Faces, image_size: int) -> Preprocessing:
    """Return what the images of these faces go through at an image size."""
    if len(faces.images.shape) == 3:
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
    runs = [order[first : first + size] for first in range(0, len(order) // size * size, size)]
    prepare = Preparation(preprocessing, device)
    for rows, found in zip(runs, in_turn(faces.images, runs), strict=True):
        images = prepare.scale(found.to(device, non_blocking=True))
        images = augment(images, preprocessing.image_size, augmentation, generator)
        yield prepare.normalise(images), faces.targets[rows].to(device, non_blocking=True)
