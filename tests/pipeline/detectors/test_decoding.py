"""What is said of windows becomes detections in frames of the video."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.detectors.contract import Losses, Network, Predictions
from pipeline.detectors.decoding import RANKINGS, Detections, DetectParameters, detect, search, to_frames
from pipeline.windows.cutting import Truths, Whole, Windows
from pipeline.windows.recordings import Recording

CPU = torch.device("cpu")
PARAMETERS = DetectParameters(
    window_stride=10,
    batch_size=2,
    ranking="highest",
    score_floor=0.2,
    suppression_overlap=0.2,
    suppression_per_class=False,
    keep=200,
)


def windows(*rates: int) -> Windows:
    return Windows(20, rates, 0.9)


class Pointer(Network):
    """Two predictions a window of 20 frames: one 4 frames around its brightest frame, one of little confidence.

    Channel 0 is confidence. The emotion is 1 of 3; where a frame's channel 1 is set, 2.
    """

    cutting: Windows | Whole = windows(1)

    @classmethod
    def build(cls, parameters: object, input_width: int, class_count: int) -> Pointer:
        return cls()

    def loss(self, outputs: Predictions, truths: Truths, mask: Tensor) -> Losses:
        raise NotImplementedError

    def decode(self, outputs: Predictions, mask: Tensor) -> Predictions:
        return outputs

    def forward(self, features: Tensor, mask: Tensor) -> Predictions:
        bright, place = (features[..., 0] * mask).max(dim=1)  # (B,)
        kind = features[torch.arange(len(place)), place, 1].long() + 1
        scores = torch.zeros(len(place), 2, 3)
        scores[torch.arange(len(place)), 0, kind] = bright
        scores[:, 1, 0] = 0.1
        near = torch.stack([place - 1.6, place + 2.4], dim=-1)
        return Predictions(torch.stack([near, torch.tensor([[0.0, 20.0]]).expand_as(near)], dim=1), scores)


def look(bright: dict[int, float], frame_count: int = 50, missing: tuple[int, ...] = (), kind: int = 0) -> Detections:
    """Return the detections in a video with these frames bright and these without a face."""
    features = np.zeros((frame_count, 2), np.float16)
    features[list(bright), 0] = list(bright.values())
    features[:, 1] = kind
    face_found = np.ones(frame_count, bool)
    face_found[list(missing)] = False
    nothing = np.empty((0, 2), np.int64), np.empty(0, np.int64)
    return detect(Pointer(), [Recording("a", "s", features, face_found, *nothing)], "none", PARAMETERS, CPU)[0]


def test_an_expression_seen_in_two_windows_is_found_once_in_frames_of_the_video() -> None:
    found = look({25: 0.5})  # windows 10-30 and 20-40 both say 23.4 to 27.4
    assert found.intervals.tolist() == [[23, 27]]
    assert found.emotions.tolist() == [1]
    assert found.confidence.tolist() == [0.5]
    assert (found.intervals.dtype, found.emotions.dtype, found.confidence.dtype) == (np.int64, np.int64, np.float32)


def test_the_label_is_the_class_with_the_highest_score() -> None:
    assert look({25: 0.5}, kind=1).emotions.tolist() == [2]


def test_a_window_of_a_coarser_rate_is_found_in_frames_of_the_video() -> None:
    class Slow(Pointer):
        cutting = windows(2)

    bright = np.zeros((50, 2), np.float16)
    bright[24:26, 0] = 0.5
    recording = Recording("a", "s", bright, np.ones(50, bool), np.empty((0, 2), np.int64), np.empty(0, np.int64))
    found = detect(Slow(), [recording], "none", PARAMETERS, CPU)[0]
    # Step 12 of the window from 0, from 12 - 1.6 to 12 + 2.4.
    assert found.intervals.tolist() == [[21, 29]]


def test_what_is_short_at_a_coarse_rate_is_left_to_the_finer_one() -> None:
    class Both(Pointer):
        cutting = windows(1, 4)

    # The pointer says 4 steps. Half a window of rate 1 is 2.5 steps at rate 4, so it stays; 5 at rate 2, so it goes.
    class Near(Pointer):
        cutting = windows(1, 2)

    bright = np.zeros((50, 2), np.float16)
    bright[22:26, 0] = 0.5
    recording = Recording("a", "s", bright, np.ones(50, bool), np.empty((0, 2), np.int64), np.empty(0, np.int64))
    both, near = (detect(kind(), [recording], "none", PARAMETERS, CPU)[0] for kind in (Both, Near))
    assert {stop - start for start, stop in both.intervals} == {16}  # of two that overlap the earlier one stays
    assert {stop - start for start, stop in near.intervals} == {4}


def test_a_video_seen_whole_in_rows_of_two_frames_is_found_in_frames() -> None:
    class Once(Pointer):
        cutting = Whole(row_frames=2, multiple=8)

        def forward(self, features: Tensor, mask: Tensor) -> Predictions:
            # 51 frames are 26 rows, padded to 32; the last of them is the mean of one frame.
            assert features.shape == (1, 32, 2)
            assert mask.sum() == 26
            assert features[0, 25, 0] == 0.5
            return super().forward(features, mask)

    bright = np.zeros((51, 2), np.float16)
    bright[50, 0] = 0.5
    recording = Recording("a", "s", bright, np.ones(51, bool), np.empty((0, 2), np.int64), np.empty(0, np.int64))
    found = detect(Once(), [recording], "none", PARAMETERS, CPU)[0]
    # Row 25, from 25 - 1.6 to 25 + 2.4, is from frame 46.8 to beyond the end.
    assert found.intervals.tolist() == [[47, 51]]


def test_an_interval_that_does_not_last_is_no_candidate() -> None:
    class Nothing(Pointer):
        def decode(self, outputs: Predictions, mask: Tensor) -> Predictions:
            return Predictions(outputs.intervals[..., :1].expand_as(outputs.intervals), outputs.scores)

    bright = np.full((30, 2), 0.5, np.float16)
    recording = Recording("a", "s", bright, np.ones(30, bool), np.empty((0, 2), np.int64), np.empty(0, np.int64))
    floorless = dataclasses.replace(PARAMETERS, score_floor=0.0)
    assert detect(Nothing(), [recording], "none", floorless, CPU)[0].intervals.shape == (0, 2)


def test_an_endless_interval_is_the_whole_video() -> None:
    assert to_frames(np.array([[-np.inf, np.inf]], np.float32), 10).tolist() == [[0, 10]]


def test_ranked_by_any_class_a_detection_is_as_likely_as_not_to_be_none() -> None:
    scores = torch.tensor([[[0.5, 0.5, 0.0], [0.6, 0.0, 0.0]]])
    assert RANKINGS["highest"](scores).flatten().tolist() == pytest.approx([0.5, 0.6])
    # 1 - 0.5 * 0.5
    assert RANKINGS["any"](scores).flatten().tolist() == pytest.approx([0.75, 0.6])


def test_the_most_confident_comes_first() -> None:
    assert look({5: 0.5, 25: 0.75, 45: 0.25}).intervals.tolist() == [[23, 27], [3, 7], [43, 47]]


def test_an_interval_is_clipped_to_the_video() -> None:
    assert look({0: 0.5, 49: 0.5}).intervals.tolist() == [[0, 2], [47, 50]]


def test_a_video_of_one_frame_can_hold_a_detection() -> None:
    assert look({0: 0.5}, frame_count=1).intervals.tolist() == [[0, 1]]


def test_an_interval_in_the_padding_is_no_detection() -> None:
    # A video of 10 frames in a window of 20; a detector that points behind its end is not believed.
    class Beyond(Pointer):
        def forward(self, features: Tensor, mask: Tensor) -> Predictions:
            intervals, scores = super().forward(features, mask)
            return Predictions(intervals + 12, scores)

    bright = np.array([[0.5, 0]] * 10, np.float16)
    recording = Recording("a", "s", bright, np.ones(10, bool), np.empty((0, 2), np.int64), np.empty(0, np.int64))
    found = detect(Beyond(), [recording], "none", PARAMETERS, CPU)[0]
    assert found.intervals.shape == (0, 2)


def test_a_video_without_a_face_has_no_detections() -> None:
    found = look({25: 0.5}, missing=tuple(range(50)))
    assert [values.shape for values in found] == [(0, 2), (0,), (0,)]


def test_a_frame_without_a_face_says_nothing() -> None:
    assert look({25: 0.5, 5: 0.5}, missing=(25,)).intervals.tolist() == [[3, 7]]


def test_bounds_are_rounded_and_every_interval_lasts() -> None:
    intervals = np.array([[1.6, 3.4], [4.2, 4.3], [-5, 0.2], [9.9, 30], [2, 2]], np.float32)
    assert to_frames(intervals, 10).tolist() == [[2, 3], [4, 5], [0, 1], [9, 10], [2, 3]]


@pytest.mark.parametrize(
    "change", [{"keep": 0}, {"window_stride": 0}, {"score_floor": -0.1}, {"suppression_overlap": 2}]
)
def test_parameters_out_of_range_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        dataclasses.replace(PARAMETERS, **change)


def test_the_curve_knows_what_the_floor_and_suppression_dropped() -> None:
    bright = np.zeros((50, 2), np.float16)
    bright[[5, 25], 0] = 0.125, 0.5
    recording = Recording("a", "s", bright, np.ones(50, bool), np.empty((0, 2), np.int64), np.empty(0, np.int64))
    found = search(Pointer(), [recording], "none", PARAMETERS, CPU)[0]
    assert found.detections.intervals.tolist() == [[23, 27]]
    assert (found.curve.shape, found.curve.dtype) == ((50, 3), np.float16)
    # Of class 1, 4 frames around the brightest of each window.
    assert np.flatnonzero(found.curve[:, 1]).tolist() == [3, 4, 5, 6, 23, 24, 25, 26]
    assert found.curve[[5, 25], 1].tolist() == [0.125, 0.5]
    # Of class 0 every whole window, far below the floor.
    assert set(found.curve[:, 0].tolist()) == {float(np.float16(0.1))}
    assert not found.curve[:, 2].any()


def test_the_curve_of_a_video_without_a_face_is_nothing() -> None:
    nothing = np.empty((0, 2), np.int64), np.empty(0, np.int64)
    recording = Recording("a", "s", np.ones((50, 2), np.float16), np.zeros(50, bool), *nothing)
    assert not search(Pointer(), [recording], "none", PARAMETERS, CPU)[0].curve.any()
