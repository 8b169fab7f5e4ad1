"""Detectors that the tests build: the paper's sizes, and one small enough to train in a test."""

from __future__ import annotations

from dataclasses import replace

from pipeline.detectors.fedn.fedn import FednParameters
from pipeline.detectors.fedn.losses import LossParameters
from pipeline.detectors.fedn.network import DetectorParameters
from pipeline.detectors.fedn.targets import MatchParameters

PAPER = DetectorParameters(
    segment_attention="attention",
    segment_scores="softmax",
    window_attention="attention",
    head="decoupled",
    classification="joint",
    window_frames=128,
    window_rates=(1,),
    segment_frames=8,
    segment_stride=2,
    width=512,
    attention_heads=8,
    window_attention_width=256,
    kernel=3,
    block_widths=(512, 512),
    neck_widths=(512, 512, 1024, 1024),
    head_width=256,
    head_layers=2,
    anchor_ratios=(0.5, 0.75, 1.0, 1.5, 2.0),
    largest_log_size=4.0,
    initial_score=0.01,
)
SMALL = replace(
    PAPER,
    width=16,
    attention_heads=2,
    window_attention_width=8,
    block_widths=(16, 16),
    neck_widths=(16, 16, 32, 32),
    head_width=16,
)
LOSS = LossParameters(
    classification="joint",
    interval_loss="diou",
    interval_weight=1.0,
    classification_weight=1.0,
    focal_alpha=0.25,
    focal_gamma=2.0,
)
MATCH = MatchParameters(0.5, 0.4, 0.9, 0.0, ((0.0, 10.0), (8.0, 32.0), (16.0, 64.0), (64.0, 128.0)))


def fedn(detector: DetectorParameters, **changes: object) -> FednParameters:
    """Return FEDN's parameters around those of the detector; `changes` are of its own."""
    detector = replace(detector, **changes)  # type: ignore[arg-type]
    return FednParameters(detector, replace(LOSS, classification=detector.classification), MATCH)
