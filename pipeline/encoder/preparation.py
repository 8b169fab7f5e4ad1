"""Image preparation for the encoder: pixels -> 0 to 1, grey, resized, normalised; one way for training and extraction.

Weights know images only as they were prepared in training, so whatever else extraction did would cost accuracy unseen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.precision import exact_float32

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# The side of an image in pixels, after which the network halves it five times.
IMAGE_SIZES = 32, 1024
# ITU-R BT.601, as OpenCV and Pillow turn colour into grey.
LUMINANCE = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Preprocessing:
    """What happens to a frame before the first layer; it belongs to the weights, which were trained with it.

    Attributes:
        image_size: side in pixels.
        channels: `grey` repeats the luminance three times.
        mean: of the three channels, where 1 is white.
        deviation: likewise.
    """

    image_size: int
    channels: Literal["colour", "grey"]
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        smallest, largest = IMAGE_SIZES
        if not smallest <= self.image_size <= largest:
            raise ValueError(f"image_size is {self.image_size}, expected {smallest} to {largest}: five halvings")
        if not all(map(math.isfinite, (*self.mean, *self.deviation))) or min(self.deviation) <= 0:
            found = f"mean is {self.mean} and deviation {self.deviation}"
            raise ValueError(f"{found}, expected finite numbers, and a deviation above 0")

    def __str__(self) -> str:
        """Return all that changes features, for the key of a shard."""
        return f"{self.channels} mean {self.mean} deviation {self.deviation}"


class Preparation(nn.Module):
    """Images, uint8, ``(B, H, W, 3)`` RGB or ``(B, H, W)`` grey -> ``(B, 3, S, S)`` as the first layer sees them.

    Training takes the three steps one by one, for it disturbs images between them.
    """

    mean: Tensor
    deviation: Tensor
    luminance: Tensor

    def __init__(self, preprocessing: Preprocessing, device: torch.device) -> None:
        """Put the constants where the images will be."""
        super().__init__()
        self.preprocessing = preprocessing
        self.register_buffer("mean", torch.tensor(preprocessing.mean, device=device).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(preprocessing.deviation, device=device).view(1, 3, 1, 1))
        self.register_buffer("luminance", torch.tensor(LUMINANCE, device=device).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return float32, channels last in memory."""
        return self.normalise(resize(self.scale(images), self.preprocessing.image_size))

    def scale(self, images: Tensor) -> Tensor:
        """Return ``(B, 3, H, W)`` colours or ``(B, 1, H, W)`` luminance, 0 to 1."""
        if images.dtype != torch.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
            raise ValueError(f"images are {tuple(images.shape)} of {images.dtype}, expected (B, H, W[, 3]) of uint8")
        colours = images if images.ndim == 4 else images.unsqueeze(-1).expand(-1, -1, -1, 3)
        # One layout in memory, or sums of the same numbers would be rounded in another order.
        values = colours.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last).float().div_(255)
        return CHANNELS[self.preprocessing.channels](values, self.luminance)

    def normalise(self, images: Tensor) -> Tensor:
        """Return ``(B, 3, S, S)`` of images with values 0 to 1 and one channel or three."""
        return ((images - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)


def resize(images: Tensor, image_size: int) -> Tensor:
    """Return ``(B, C, S, S)`` images of ``(B, C, H, W)``: bilinear, over all pixels that make one where it shrinks."""
    size = (image_size, image_size)
    if images.shape[-2:] == size:
        return images
    return F.interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)


def _colour(images: Tensor, luminance: Tensor) -> Tensor:
    return images


def _grey(images: Tensor, luminance: Tensor) -> Tensor:
    """Return ``(B, 1, H, W)``; three equal channels would only be resized three times."""
    with exact_float32():
        return F.conv2d(images, luminance)


CHANNELS = {"colour": _colour, "grey": _grey}
