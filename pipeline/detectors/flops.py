"""Operations (FLOPs) and weights of a network, part by part, on one window: as papers count them and as run here.

A multiply-add counts as two operations; normalisation, softmax and additions are left out, as in the paper's table.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline.detectors import registry
from pipeline.detectors.contract import Network
from pipeline.errors import DataError

GIGA = 1e9
Counts = dict[str, dict[str, float]]


def count(
    name: str, parameters: Any, input_width: int, class_count: int, image_size: int, window_stride: int, frames: int
) -> dict[str, dict[str, float] | Counts]:
    """Return what one window costs, in G operations (1e9), and how many weights each part has.

    Two ways of counting: `paper` takes every part in its plain form, and the encoder on every frame of the window; it
    is left out where the network knows no paper's count. `as_run` counts what this code executes for one window,
    forward, and the encoder on the frames that are new since the window before: features are made once per frame, ever.

    Args:
        name: of the network, in `registry.NETWORKS`.
        parameters: its own; `paper` and `as_run` compare its variants, `parts` takes it as it is.
        input_width: C, of a frame's feature.
        class_count: K, emotions.
        image_size: side of the encoder's input, in pixels.
        window_stride: frames between two windows.
        frames: of the video, for a network that sees it whole.

    Returns:
        ``{"paper": {variant: G}, "as_run": {variant: G}, "parts": {part: {"paper": G, "as_run": G, "weights": n}}}``
        with the network's own variants.
    """

    def in_parts(given: Any) -> Counts:
        with torch.device("meta"):  # tensors without storage, so in no time
            network = registry.build(name, given, input_width, class_count)
        return _in_parts(network, image_size, window_stride, frames)

    variants = {label: in_parts(given) for label, given in registry.NETWORKS[name].variants(parameters).items()}
    parts = in_parts(parameters)
    totals: Counts = {
        way: {label: sum(part[way] for part in counted.values()) for label, counted in variants.items()}
        for way in ("paper", "as_run")
        if all(way in part for part in parts.values())
    }
    return {**totals, "parts": parts}


class Layer(NamedTuple):
    """A convolution of ResNet18: its kernel, channels in and out, and the side of what comes out in pixels."""

    kernel: int
    inputs: int
    outputs: int
    side: int


def resnet18(image_size: int) -> list[Layer]:
    """Return the convolutions of ResNet18 for square images; the last linear layer is not run."""
    side = -(-image_size // 2)
    layers = [Layer(7, 3, 64, side)]
    side, inputs = -(-side // 2), 64  # max pooling
    for outputs in (64, 128, 256, 512):
        if outputs != inputs:
            side = -(-side // 2)
            layers.append(Layer(1, inputs, outputs, side))  # the shortcut
        layers.append(Layer(3, inputs, outputs, side))
        layers += [Layer(3, outputs, outputs, side)] * 3
        inputs = outputs
    return layers


def encoder_flops(image_size: int) -> int:
    """Return operations of the encoder on one frame: 3.627 G at 224 pixels."""
    return sum(2 * layer.side**2 * layer.kernel**2 * layer.inputs * layer.outputs for layer in resnet18(image_size))


def encoder_weights(image_size: int) -> int:
    """Return weights of the encoder, with scale and shift of each channel's normalisation."""
    return sum(layer.kernel**2 * layer.inputs * layer.outputs + 2 * layer.outputs for layer in resnet18(image_size))


def _in_parts(network: Network, image_size: int, window_stride: int, frames: int) -> Counts:
    """Return G operations in both ways, and weights, of every part."""
    cutting = network.cutting
    as_run, weights = _measure(network, cutting.rows(frames))
    plain = dict(network.plain_operations())
    each = encoder_flops(image_size)
    if plain:
        plain["encoder"] = cutting.rows(frames) * cutting.row_frames * each
    as_run = {"encoder": cutting.new_frames(frames, window_stride) * each} | as_run
    weights["encoder"] = encoder_weights(image_size)
    return {
        part: ({"paper": plain[part] / GIGA} if plain else {})
        | {"as_run": as_run[part] / GIGA, "weights": weights[part]}
        for part in as_run
    }


def _measure(network: Network, rows: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return operations of a real forward pass, and weights, by part."""
    features = torch.zeros(1, rows, network.input_width, device="meta")
    mask = torch.ones(1, rows, dtype=torch.bool, device="meta")
    with FlopCounterMode(display=False) as counter:
        network(features, mask)
    found, whole = counter.get_flop_counts(), type(network).__name__
    operations = {
        part: sum(sum(found.get(f"{whole}.{name}", {}).values()) for name in names)
        for part, names in network.parts().items()
    }
    weights = {
        part: sum(weight.numel() for name in names for weight in network.get_submodule(name).parameters())
        for part, names in network.parts().items()
    }
    total = sum(weight.numel() for weight in network.parameters())
    if sum(weights.values()) != total or sum(operations.values()) != counter.get_total_flops():
        raise DataError(f"the parts of {whole} hold {sum(weights.values())} weights, expected all {total}: see `parts`")
    return operations, weights
