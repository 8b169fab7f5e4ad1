"""FLOPs and weights of every part of the detector, for one window, as the paper counts them and as we run them.

A multiply-add counts as two operations; normalisation, softmax and additions are left out, as in the paper's table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline.detectors.fedn.classification import CLASSIFICATIONS
from pipeline.detectors.fedn.network import Detector, DetectorParameters

GIGA = 1e9
ABLATIONS = {
    "full": {"segment_attention": "attention", "window_attention": "attention"},
    "without_segment_attention": {"segment_attention": "mean", "window_attention": "attention"},
    "without_window_attention": {"segment_attention": "attention", "window_attention": "none"},
    "without_both": {"segment_attention": "mean", "window_attention": "none"},
}


def count(
    parameters: DetectorParameters, input_width: int, class_count: int, image_size: int, window_stride: int
) -> dict[str, dict[str, float] | dict[str, dict[str, float]]]:
    """Return the operations of one window, in G (1e9), and the number of weights, part by part.

    Two ways of counting: `paper` takes every part in its plain form, segments as if they did not overlap, and the
    encoder on every frame of the window. `as_run` counts what this code executes for one window, forward, and the
    encoder on the frames that are new since the window before: features are made once per frame, ever.

    Args:
        parameters: of the detector; `paper` and `as_run` replace its two attentions, `parts` takes it as it is.
        input_width: C, of a frame's feature.
        class_count: K, emotions.
        image_size: side of the encoder's input, in pixels.
        window_stride: frames between two windows.

    Returns:
        ``{"paper": {ablation: G}, "as_run": {ablation: G}, "parts": {part: {"paper": G, "as_run": G, "weights": n}}}``
        with the ablations of `ABLATIONS`.
    """

    def in_parts(given: DetectorParameters) -> dict[str, dict[str, float]]:
        return _in_parts(given, input_width, class_count, image_size, window_stride)

    variants = {name: in_parts(replace(parameters, **names)) for name, names in ABLATIONS.items()}  # type: ignore[arg-type]
    totals: dict[str, dict[str, float]] = {
        way: {name: sum(part[way] for part in parts.values()) for name, parts in variants.items()}
        for way in ("paper", "as_run")
    }
    return {**totals, "parts": in_parts(parameters)}


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


def _linear(vectors: int, inputs: int, outputs: int) -> int:
    return 2 * vectors * inputs * outputs


def _segment_attention(p: DetectorParameters, input_width: int) -> int:
    """The paper's way: projections, attention, output layer, score and reduction for every frame of every segment."""
    vectors = p.segments.count * p.segment_frames
    projections = _linear(vectors, input_width, 3 * p.width) + _linear(vectors, p.width, p.width)
    attention = 2 * _linear(vectors, p.width, p.segment_frames)  # query by key, weights by value
    reduction = _linear(vectors, input_width + p.width, p.width + 1) + _linear(vectors, 1, p.width)
    return projections + attention + reduction


def _segment_mean(p: DetectorParameters, input_width: int) -> int:
    """The reduction is linear in every frame of every segment; the average after it is only additions."""
    return _linear(p.segments.count * p.segment_frames, input_width, p.width)


def _window_attention(p: DetectorParameters) -> int:
    hidden = _linear(p.segments.count, p.kernel * p.width, p.window_attention_width)
    return hidden + _linear(p.segments.count, p.kernel * p.window_attention_width, 1)


SEGMENT_ATTENTION_FLOPS: dict[str, Callable[[DetectorParameters, int], int]] = {
    "attention": _segment_attention,
    "mean": _segment_mean,
}
WINDOW_ATTENTION_FLOPS: dict[str, Callable[[DetectorParameters], int]] = {
    "attention": _window_attention,
    "none": lambda parameters: 0,
}


def _blocks(p: DetectorParameters) -> int:
    widths = (p.width, *p.block_widths)
    return sum(
        _linear(p.segments.count // 2 ** (place + 1), p.kernel * widths[place], widths[place + 1])
        for place in range(len(p.block_widths))
    )


def _neck(p: DetectorParameters) -> int:
    widths = ((p.width, *p.block_widths)[-1], *p.neck_widths)
    return sum(
        _linear(p.window_frames // stride, p.kernel * widths[place], widths[place + 1])
        for place, stride in enumerate(p.level_strides)
    )


def _level_attention(p: DetectorParameters, positions: int, width: int) -> int:
    projections = _linear(positions, width, 3 * p.width) + _linear(positions, p.width, width)
    return projections + 2 * _linear(positions, p.width, positions)


def _tower(p: DetectorParameters, positions: int, width: int) -> int:
    widths = [width] + [p.head_width] * p.head_layers
    return sum(_linear(positions, p.kernel * before, after) for before, after in pairwise(widths))


def _heads(p: DetectorParameters, class_count: int) -> int:
    """Two branches a level, the point's and the anchors', each of one attention, towers and last layers."""
    outputs = (2, *CLASSIFICATIONS[p.classification].outputs(class_count))
    towers = {"decoupled": len(outputs), "coupled": 1}[p.head]
    total = 0
    for stride, width in zip(p.level_strides, p.neck_widths, strict=True):
        positions = p.window_frames // stride
        branch = _level_attention(p, positions, width) + towers * _tower(p, positions, width)
        last = _linear(positions, p.kernel * p.head_width, sum(outputs) * (1 + len(p.anchor_ratios)))
        total += 2 * branch + last
    return total


def _in_parts(
    p: DetectorParameters, input_width: int, class_count: int, image_size: int, window_stride: int
) -> dict[str, dict[str, float]]:
    """Return G operations in both ways, and weights, of every part."""
    as_run, weights = _measure(p, input_width, class_count)
    paper = {
        "encoder": p.window_frames * encoder_flops(image_size),
        "segment_attention": SEGMENT_ATTENTION_FLOPS[p.segment_attention](p, input_width),
        "window_attention": WINDOW_ATTENTION_FLOPS[p.window_attention](p),
        "blocks": _blocks(p),
        "neck": _neck(p),
        "heads": _heads(p, class_count),
    }
    as_run["encoder"] = min(window_stride, p.window_frames) * encoder_flops(image_size)
    weights["encoder"] = encoder_weights(image_size)
    return {
        part: {"paper": paper[part] / GIGA, "as_run": as_run[part] / GIGA, "weights": weights[part]} for part in paper
    }


def _measure(p: DetectorParameters, input_width: int, class_count: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return operations of a real forward pass, and weights, by part; on tensors without storage, so in no time."""
    with torch.device("meta"):
        detector = Detector(p, input_width, class_count)
        features, mask = torch.zeros(1, p.window_frames, input_width), torch.ones(1, p.window_frames, dtype=torch.bool)
    steps, blocks = [f"pyramid.steps.{place}" for place in range(len(detector.pyramid.steps))], len(p.block_widths)
    members = {
        "segment_attention": ["segment_attention"],
        "window_attention": ["window_attention"],
        "blocks": steps[:blocks],
        "neck": steps[blocks:],
        "heads": [f"heads.{level}" for level in range(len(detector.heads))],
    }
    with FlopCounterMode(display=False) as counter:
        detector(features, mask)
    found = counter.get_flop_counts()
    operations = {
        part: sum(sum(found.get(f"Detector.{name}", {}).values()) for name in names) for part, names in members.items()
    }
    weights = {
        part: sum(weight.numel() for name in names for weight in detector.get_submodule(name).parameters())
        for part, names in members.items()
    }
    return operations, weights
