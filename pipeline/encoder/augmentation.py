"""Image augmentation of labelled faces: geometry, tone, blur, mask and cutout, a whole batch at once on any device."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.encoder.preparation import resize


@dataclass(frozen=True)
class ImageAugmentParameters:
    """How far a training image may differ from the one on disk.

    Attributes:
        rotation_degrees: to either side.
        zoom: smallest and largest; above 1 shows less of the image.
        shift: to any side, as a share of the image's.
        rise: by which the face moves up at most, besides, as a share of the image's side.
        tone: of brightness, contrast and the logarithm of gamma, as a share of their range.
        sharpness: how much of the difference to a blurred image is taken away, or added at most.
        mask_share: share of images that are black outside an ellipse around the face.
        cutout_share: share of images that lose a square.
    """

    rotation_degrees: float
    zoom: tuple[float, float]
    shift: float
    rise: float
    tone: float
    sharpness: float
    mask_share: float
    cutout_share: float

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        for name in ("rotation_degrees", "shift", "rise", "tone", "sharpness", "mask_share", "cutout_share"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 0")
        if not 0 < self.zoom[0] <= self.zoom[1]:
            raise ValueError(f"zoom is {self.zoom}, expected a smallest above 0 and a largest not below it")
        for name in ("mask_share", "cutout_share"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at most 1")


def augment(images: Tensor, image_size: int, parameters: ImageAugmentParameters, generator: torch.Generator) -> Tensor:
    """Return ``(B, C, image_size, image_size)`` images with values 0 to 1, each disturbed in its own way.

    Args:
        images: ``(B, C, H, W)`` with values 0 to 1.
        generator: of the CPU; it alone decides.
    """
    images = mask(images, parameters.mask_share, generator)
    images = warp(images, image_size, parameters, generator)
    images = tone(images, parameters.tone, generator)
    images = sharpen(images, parameters.sharpness, generator)
    return cut_out(images.clamp(0, 1), parameters.cutout_share, generator)


def mask(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Return the images, a share of them black outside an ellipse, as OpenFace masks what is no face."""
    chosen = _uniform(images, generator, 0, 1) < share
    # The hull of brows, jaw and chin in a loosely cropped face.
    center_y, radius_y = _uniform(images, generator, 0.48, 0.58), _uniform(images, generator, 0.38, 0.5)
    center_x, radius_x = _uniform(images, generator, 0.46, 0.54), _uniform(images, generator, 0.34, 0.46)
    y, x = _positions(images)
    outside = ((x - center_x) / radius_x) ** 2 + ((y - center_y) / radius_y) ** 2 > 1  # (B, 1, H, W)
    return images.masked_fill(outside & chosen, 0.0)


def warp(images: Tensor, image_size: int, parameters: ImageAugmentParameters, generator: torch.Generator) -> Tensor:
    """Return the images mirrored, turned, zoomed and moved, at ``image_size``; borders are continued."""
    if images.shape[-1] > image_size:
        # Sampling a grid skips pixels where it shrinks.
        images = resize(images, image_size)
    angle = _uniform(images, generator, -1, 1).flatten() * math.radians(parameters.rotation_degrees)
    scale = 1 / _uniform(images, generator, *parameters.zoom).flatten()
    mirror = torch.where(_uniform(images, generator, -1, 1).flatten() < 0, -1.0, 1.0)
    # The grid runs from -1 to 1, so a side is 2; what a pixel shows lies where the face came from.
    right = 2 * parameters.shift * _uniform(images, generator, -1, 1).flatten()
    down = 2 * parameters.shift * _uniform(images, generator, -1, 1).flatten()
    down = down + 2 * parameters.rise * _uniform(images, generator, 0, 1).flatten()
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    rows = torch.stack([mirror * cosine, -sine, right, mirror * sine, cosine, down], dim=1)
    grid = F.affine_grid(rows.view(-1, 2, 3), [*images.shape[:2], image_size, image_size], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def tone(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Return the images lighter or darker, flatter or harder, with another gamma."""
    brightness = strength * _uniform(images, generator, -1, 1) / 2
    contrast = 1 + strength * _uniform(images, generator, -1, 1)
    gamma = torch.exp(strength * _uniform(images, generator, -1, 1))
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return ((images - mean) * contrast + mean + brightness).clamp(0.001, 1).pow(gamma)


def sharpen(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Return the images blurred or sharpened: small faces that were enlarged are softer than large ones reduced."""
    width = max(3, images.shape[-1] // 32 * 2 + 1)
    blurred = F.avg_pool2d(images, width, stride=1, padding=width // 2, count_include_pad=False)
    return images + strength * _uniform(images, generator, -1, 1) * (images - blurred)


def cut_out(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Return the images, a share of them with a grey square of a fifth to two fifths of the side."""
    chosen = _uniform(images, generator, 0, 1) < share
    half = _uniform(images, generator, 0.1, 0.2)
    y, x = _positions(images)
    inside_x = (x - _uniform(images, generator, 0, 1)).abs() < half
    inside_y = (y - _uniform(images, generator, 0, 1)).abs() < half
    return images.masked_fill(inside_x & inside_y & chosen, 0.5)


def _uniform(images: Tensor, generator: torch.Generator, low: float, high: float) -> Tensor:
    values = torch.rand((images.shape[0], 1, 1, 1), generator=generator)
    return (low + (high - low) * values).to(images.device, non_blocking=True)


def _positions(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the heights ``(1, 1, H, 1)`` and the widths ``(1, 1, 1, W)`` of pixel centres, 0 to 1."""
    height, width = images.shape[-2:]
    y = (torch.arange(height, device=images.device) + 0.5) / height
    x = (torch.arange(width, device=images.device) + 0.5) / width
    return y.view(1, 1, -1, 1), x.view(1, 1, 1, -1)
