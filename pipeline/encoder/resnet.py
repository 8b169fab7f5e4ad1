"""The encoder: ResNet18 without its classifier, frozen, from aligned frames to one feature of 512 values each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import resnet18
from torchvision.models.resnet import BasicBlock, ResNet

from pipeline.encoder.preparation import IMAGE_SIZES, Preparation, Preprocessing
from pipeline.errors import DataError
from pipeline.precision import exact_float32

WIDTH = 512
CLASSIFIER = "fc."
# What does not shape the features: the classifier, and how often batch-norm was updated.
IGNORED_SUFFIX = "num_batches_tracked"

Precision = Literal["float32"]


@dataclass(frozen=True)
class ExtractParameters:
    """How features are made.

    Attributes:
        weights: `random`, or the name of an encoder.
        random_seed: of the random encoder.
        random_image_size: side in pixels that the random encoder sees; other encoders say theirs in their card.
        batch_size: frames at once.
        imported: a folder with features made elsewhere, which `weights` then only names; None encodes the frames.
        imported_first: the middle of what the first row of such features saw, in frames from 0.
        imported_stride: frames between two of their rows.
    """

    weights: str
    random_seed: int
    random_image_size: int
    batch_size: int
    imported: str | None
    imported_first: float
    imported_stride: int

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        if self.batch_size < 1 or self.random_seed < 0:
            raise ValueError(
                f"batch_size is {self.batch_size} and random_seed {self.random_seed}, expected >= 1 and >= 0"
            )
        if not IMAGE_SIZES[0] <= self.random_image_size <= IMAGE_SIZES[1]:
            expected = f"{IMAGE_SIZES[0]} to {IMAGE_SIZES[1]}: five halvings"
            raise ValueError(f"random_image_size is {self.random_image_size}, expected {expected}")
        if self.imported_first < 0 or self.imported_stride < 1:
            found = f"{self.imported_first} and {self.imported_stride}"
            raise ValueError(f"imported_first and imported_stride are {found}, expected >= 0 and >= 1")


class Encoder(nn.Module):
    """Frames ``(B, H, W, 3)`` uint8 RGB on any device -> features ``(B, 512)`` float32, none negative."""

    def __init__(self, network: ResNet, preprocessing: Preprocessing, device: torch.device, precision: Precision):
        """Freeze a network; see `build`."""
        super().__init__()
        self.preprocessing, self.device, self.precision = preprocessing, device, precision
        self.network = network.to(device=device, memory_format=torch.channels_last)
        self.prepare = Preparation(preprocessing, device)
        self.requires_grad_(False).eval()

    @torch.inference_mode()
    def forward(self, frames: Tensor) -> Tensor:
        """Return one feature per frame; a frame's feature depends on that frame alone."""
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != torch.uint8:
            raise ValueError(f"frames are {tuple(frames.shape)} of {frames.dtype}, expected (B, H, W, 3) of uint8")
        with exact_float32():
            features: Tensor = self.network(self.prepare(frames.to(self.device, non_blocking=True)))  # (B, 512)
        return features.float()


def choose_precision(device: torch.device) -> Precision:
    """Return the precision in which features are made on a device; it is part of their key.

    float32 everywhere, exact on a GPU too (`pipeline.precision`). TF32 keeps as many bits as the float16 that features
    are stored in, so its error comes on top at about twice the size (1.0 to 1.4 % of the mean step from frame to frame
    against 0.5 to 0.7 %, emulated on a CPU).
    """
    return "float32"


def random_weights(seed: int) -> dict[str, Tensor]:
    """Return the weights of a ResNet18 that has learned nothing: a check of the pipeline, meaningless on faces."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _own_part(resnet18(weights=None).state_dict())


def build(
    weights: Mapping[str, Tensor],
    preprocessing: Preprocessing,
    device: torch.device,
    precision: Precision | None = None,
) -> Encoder:
    """Return the frozen encoder, batch-norm folded into the convolutions.

    Args:
        weights: by torchvision's names of ResNet18, without the classifier.
        precision: None takes `choose_precision`.

    Raises:
        DataError: names are missing or unknown, a shape is another, or a value is not finite.
    """
    network = resnet18(weights=None)
    network.fc = nn.Identity()
    check(weights)
    network.load_state_dict({name: value.float() for name, value in weights.items()}, strict=False)
    return Encoder(_fold(network.eval()), preprocessing, device, precision or choose_precision(device))


def check(weights: Mapping[str, Tensor]) -> None:
    """Raise DataError, listing every fault, unless these are the weights of a ResNet18 without its classifier."""
    with torch.device("meta"):  # shapes alone: nothing is drawn at random
        expected = {name: tuple(value.shape) for name, value in _own_part(resnet18(weights=None).state_dict()).items()}
    faults = [f"{name} is missing" for name in expected if name not in weights]
    for name, value in weights.items():
        if name not in expected:
            faults.append(f"{name} is unknown")
        elif tuple(value.shape) != expected[name]:
            faults.append(f"{name} has shape {tuple(value.shape)}, expected {expected[name]}")
        elif not torch.isfinite(value).all():
            faults.append(f"{name} holds values that are not finite")
    if faults:
        shown = "; ".join(faults[:8]) + (f"; and {len(faults) - 8} more" if len(faults) > 8 else "")
        raise DataError(f"these are not the weights of a ResNet18: {shown}. Run: facespan weights import FILE")


def digest_of(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, shapes and float32 values, in hexadecimal; the file they lie in is no part."""
    total = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].float().contiguous()
        total.update(f"{name}\0{tuple(value.shape)}\0".encode())
        total.update(value.numpy().tobytes())
    return total.hexdigest()


def _own_part(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {n: v for n, v in state.items() if not n.startswith(CLASSIFIER) and not n.endswith(IGNORED_SUFFIX)}


def _fold(network: ResNet) -> ResNet:
    """Fold every batch-norm into the convolution before it: same numbers up to rounding, one pass less."""
    network.conv1, network.bn1 = fuse_conv_bn_eval(network.conv1, network.bn1), nn.Identity()
    for block in network.modules():
        if isinstance(block, BasicBlock):
            block.conv1, block.bn1 = fuse_conv_bn_eval(block.conv1, block.bn1), nn.Identity()
            block.conv2, block.bn2 = fuse_conv_bn_eval(block.conv2, block.bn2), nn.Identity()
            if block.downsample is not None:
                convolution, normalisation = block.downsample
                block.downsample = nn.Sequential(fuse_conv_bn_eval(convolution, normalisation))
    return network
