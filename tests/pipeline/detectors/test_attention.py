"""What a network looks at, in frames of the video: of the window behind a detection, as `forward` weighs it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.detectors import attention, decoding, registry
from pipeline.detectors.contract import Network
from pipeline.detectors.fedn.attention import weight_of_frames
from pipeline.detectors.fedn.segments import Segments
from pipeline.windows.recordings import Recording
from pipeline.windows.sliding import Slid, slide_at_rates
from tests.pipeline.invented_features import CLASS_COUNT, DETECT, fold_parameters, record
from tests.pipeline.tiny_networks import Linear, LinearParameters, RowParameters

CPU, WIDTH, STRIDE = torch.device("cpu"), 16, 16


def build(**changes: object) -> Any:
    own: Any = fold_parameters(8).own
    torch.manual_seed(0)
    return registry.build(
        "fedn", dataclasses.replace(own, detector=dataclasses.replace(own.detector, **changes)), WIDTH, CLASS_COUNT
    )


def attend(detector: Network, recordings: list[Recording], *intervals: list[list[int]]) -> Any:
    given = [np.array(rows, np.int64).reshape(-1, 2) for rows in intervals]
    return attention.attend(detector, recordings, given, "video", STRIDE, CPU)


def video(frame_count: int = 300, faceless: tuple[int, ...] = ()) -> list[Recording]:
    found = np.ones(frame_count, bool)
    found[list(faceless)] = False
    return [dataclasses.replace(one, face_found=found) for one in record(2, 1, 1, frame_count=frame_count, width=WIDTH)]


def test_the_weight_of_a_frame_is_the_mean_over_the_segments_that_hold_it_1_where_all_are_alike() -> None:
    # Frames 0-1, 1-2, 2-3 and 3 with one that does not exist.
    segments = Segments(window_frames=4, frames=2, stride=1)
    together = segments.split(torch.ones(1, 4, dtype=torch.bool))
    weights = torch.tensor([[[0.75, 0.25], [0.5, 0.5], [0.5, 0.5], [1.0, 0.0]]])
    assert weight_of_frames(weights, together, segments).tolist() == [[1.5, (0.5 + 1) / 2, 1, 1]]


def test_a_frame_that_cannot_be_seen_has_no_weight_and_changes_that_of_no_other() -> None:
    segments = Segments(window_frames=4, frames=2, stride=1)
    together = segments.split(torch.tensor([[True, False, False, True]]))
    weights = torch.tensor([[[1.0, 0], [0, 0], [0, 1], [1, 0]]])
    assert weight_of_frames(weights, together, segments).tolist() == [[1, 0, 0, 1]]


def test_segments_are_weighed_as_forward_does() -> None:
    network = build().eval()
    features, mask = torch.randn(2, 128, WIDTH), torch.ones(2, 128, dtype=torch.bool)
    mask[1, 40:60] = False
    given: list[Tensor] = []
    network.pyramid.register_forward_pre_hook(lambda _, arguments: given.append(arguments[0]))
    with torch.no_grad():
        network(features, mask)
        frames, windows = network.attention(features, mask)
        segments = network.segment_attention(features.masked_fill(~mask[..., None], 0.0), mask)
    assert (frames.name, windows.name) == ("segment attention", "window attention")
    assert torch.equal(given[0], segments * windows.weight[..., None])
    assert windows.weight.mean(1)[0].item() == pytest.approx(1)
    assert not frames.weight[1, 40:60].any()
    assert (frames.weight[0] > 0).all()
    assert frames.weight.std() > 0.01


def test_without_an_attention_there_is_none_to_show() -> None:
    features, mask = torch.randn(1, 128, WIDTH), torch.ones(1, 128, dtype=torch.bool)
    names = {
        tuple(changes.values()): [each.name for each in build(**changes).attention(features, mask)]
        for changes in ({"segment_attention": "mean"}, {"window_attention": "none"})
    }
    assert names == {("mean",): ["window attention"], ("none",): ["segment attention"]}


def test_the_window_behind_a_detection_is_the_nearest_of_the_finest_rate_that_holds_it() -> None:
    slid = slide_at_rates(100, 20, 10, (1, 2))
    assert slid.starts.tolist() == [0, 10, 20, 30, 40, 50, 60, 70, 80, 0, 20, 40, 60]
    chosen = [attention.nearest(slid, 20, np.array(each)) for each in ([38, 44], [0, 3], [30, 50], [30, 51], [0, 100])]
    # Windows of rate 1 have 20 frames, those of rate 2 have 40; 100 fit into neither. Centre 41 is nearest to 30-50.
    assert [(int(slid.starts[each]), int(slid.rates[each])) for each in chosen] == [
        (30, 1),
        (0, 1),
        (30, 1),
        (20, 2),
        (20, 2),
    ]


def test_of_two_windows_as_near_it_is_the_earlier() -> None:
    slid = Slid(np.array([0, 10]), np.array([1, 1]))
    assert attention.nearest(slid, 20, np.array([14, 16])) == 0


def test_weights_lie_in_frames_of_the_video() -> None:
    frames, windows = attend(build(), video(), [[140, 150]])[0][0]
    # Centre 145 is nearest to the window from 80.
    assert (frames.start.tolist(), frames.stop.tolist()) == (list(range(80, 208)), list(range(81, 209)))
    assert (windows.start.tolist(), windows.stop.tolist()) == (list(range(80, 208, 2)), list(range(82, 210, 2)))
    assert (frames.even, windows.even) == (1, 1)
    assert windows.weight.mean() == pytest.approx(1)


def test_at_a_coarser_rate_a_weight_stands_for_several_frames_and_for_none_behind_the_end() -> None:
    frames, _ = attend(build(window_rates=(1, 4)), video(), [[0, 290]])[0][0]
    assert (frames.start.tolist(), frames.stop.tolist()) == (list(range(0, 300, 4)), list(range(4, 301, 4)))


def test_detections_of_one_window_have_its_attention_and_every_recording_its_own() -> None:
    recordings = record(2, subjects=1, videos=2, frame_count=300, width=WIDTH)
    first, second = attend(build(), recordings, [[140, 150], [141, 149]], [])
    assert first[0] is first[1]
    assert second == []
    other = attend(build(), recordings, [], [[140, 150]])[1][0]
    assert not np.array_equal(other[0].weight, first[0][0].weight)


def test_a_frame_without_a_face_is_not_looked_at() -> None:
    frames, _ = attend(build(), video(faceless=(100, 101)), [[140, 150]])[0][0]
    assert np.flatnonzero(frames.weight == 0).tolist() == [20, 21]


def test_a_network_may_have_none() -> None:
    linear = Linear(LinearParameters(RowParameters(8, 4, 3.0)), WIDTH, CLASS_COUNT)
    assert attend(linear, video(), [[140, 150]]) == [[[]]]


def test_detection_asks_for_no_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = build()
    monkeypatch.setattr(detector, "attention", None)
    monkeypatch.setattr("pipeline.detectors.fedn.network.weight_of_frames", None)
    assert decoding.detect(detector, video(), "video", DETECT, CPU)
