"""The curve of a class is, at every frame, the highest score of what covers it; checked against saying just that."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.detectors import curves, decoding, registry
from pipeline.detectors.decoding import _nearest, to_frames
from tests.pipeline import tiny_networks
from tests.pipeline.invented_features import CLASS_COUNT, DETECT, fold_parameters, record
from tests.pipeline.tiny_networks import LinearParameters, RowParameters

CPU = torch.device("cpu")
FLOORLESS = dataclasses.replace(DETECT, score_floor=0.0)


def curve_of(frame_count: int, intervals: list[list[int]], scores: list[list[float]], counted: list[bool]) -> Tensor:
    told = torch.tensor(scores).reshape(len(intervals), -1)
    blank = curves.blank(frame_count, told.shape[1], CPU)
    curves.raise_to(blank, torch.tensor(intervals).reshape(-1, 2), told, torch.tensor(counted))
    return curves.spread(blank)


def test_a_frame_has_the_highest_score_of_what_covers_it_class_by_class() -> None:
    curve = curve_of(6, [[0, 3], [2, 5]], [[0.5, 0.25], [0.75, 0.125]], [True, True])
    assert curve.dtype == torch.float16
    assert curve.T.tolist() == [[0.5, 0.5, 0.75, 0.75, 0.75, 0], [0.25, 0.25, 0.25, 0.125, 0.125, 0]]


def test_what_is_no_candidate_raises_nothing_whatever_it_holds() -> None:
    curve = curve_of(4, [[1, 2], [-99, 99], [0, 4]], [[0.5], [1.0], [math.nan]], [True, False, True])
    assert curve.flatten().tolist() == [0, 0.5, 0, 0]


@pytest.mark.parametrize("frame_count", [1, 2, 3, 63, 64, 65, 200])
def test_curves_are_those_that_painting_every_interval_gives(frame_count: int) -> None:
    random = np.random.default_rng(frame_count)
    starts = random.integers(0, frame_count, 50)
    stops = np.array([random.integers(start + 1, frame_count + 1) for start in starts])
    scores, counted = random.random((50, 3)).astype(np.float16).astype(np.float32), random.random(50) > 0.3
    painted = np.zeros((frame_count, 3), np.float32)
    for start, stop, score, is_counted in zip(starts, stops, scores, counted, strict=True):
        if is_counted:
            painted[start:stop] = np.maximum(painted[start:stop], score)
    intervals = np.stack([starts, stops], axis=1).tolist()
    assert curve_of(frame_count, intervals, scores.tolist(), counted.tolist()).tolist() == painted.tolist()


def test_what_is_said_in_several_batches_is_what_is_said_at_once() -> None:
    intervals, scores = torch.tensor([[[0, 2], [1, 4]]]), torch.tensor([[[0.5], [0.25]]])
    blank = curves.blank(4, 1, CPU)
    for each in range(2):
        curves.raise_to(blank, intervals[:, each], scores[:, each], torch.tensor([True]))
    assert curves.spread(blank).flatten().tolist() == [0.5, 0.5, 0.25, 0.25]


def test_intervals_become_the_frames_that_detections_have() -> None:
    bounds = torch.tensor([[1.6, 3.4], [4.2, 4.3], [-5, 0.2], [9.9, 30], [2, 2], [0.5, 1.5], [-math.inf, math.inf]])
    assert _nearest(bounds, 10).tolist() == to_frames(bounds.numpy(), 10).tolist()


@pytest.mark.parametrize("network", ["fedn", "linear"])
def test_a_detection_is_as_confident_as_the_curve_of_its_class_at_most(
    network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.NETWORKS, "linear", tiny_networks.NETWORKS["linear"])
    own = fold_parameters(8).own if network == "fedn" else LinearParameters(RowParameters(8, 4, 3.0))
    torch.manual_seed(0)
    detector = registry.build(network, own, 16, CLASS_COUNT)
    recordings = record(seed=3, subjects=1, videos=2, frame_count=300, width=16)
    found = decoding.search(detector, recordings, "video", FLOORLESS, CPU)
    plain = decoding.detect(detector, recordings, "video", FLOORLESS, CPU)
    assert [len(each.curve) for each in found] == [300, 300]
    for (detections, curve), again in zip(found, plain, strict=True):
        assert all((one == other).all() for one, other in zip(detections, again, strict=True))
        for (start, stop), emotion, confidence in zip(*detections, strict=True):
            assert (curve[start:stop, emotion] >= np.float16(confidence)).all()
    assert any(len(each.detections.intervals) for each in found)
