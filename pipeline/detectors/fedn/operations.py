"""Operations (FLOPs) of FEDN's parts as the paper counts them: in plain form, as if segments did not overlap.

A multiply-add counts as two operations; normalisation, softmax and additions are left out, as in the paper's table.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from pipeline.detectors.fedn.classification import CLASSIFICATIONS
from pipeline.detectors.fedn.network import DetectorParameters


def plain(parameters: DetectorParameters, input_width: int, class_count: int) -> dict[str, int]:
    """Return the operations of each part on one window."""
    p = parameters
    return {
        "segment_attention": SEGMENT_ATTENTION_FLOPS[p.segment_attention](p, input_width),
        "window_attention": WINDOW_ATTENTION_FLOPS[p.window_attention](p),
        "blocks": _blocks(p),
        "neck": _neck(p),
        "heads": _heads(p, class_count),
    }


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
