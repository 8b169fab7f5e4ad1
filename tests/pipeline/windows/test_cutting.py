"""A network sees windows or whole videos, in rows of one frame or more, and is told in rows what there is to find."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pipeline.windows.augmentation import AugmentParameters, move
from pipeline.windows.cutting import Whole, Windows, average, see, tell
from pipeline.windows.recordings import Cuts, Recording, Stack, stack

CPU = torch.device("cpu")
STILL = AugmentParameters(0, 0.0, 0.0, 0.0)


def video(frame_count: int, *expressions: tuple[int, int]) -> Recording:
    """Return a video whose one channel counts its frames."""
    features = np.arange(frame_count, dtype=np.float16)[:, None]
    bounds = np.array(expressions, np.int64).reshape(-1, 2)
    return Recording("v", "s", features, np.ones(frame_count, bool), bounds, np.zeros(len(bounds), np.int64))


def stacked(*recordings: Recording) -> Stack:
    return stack(recordings, "none", CPU)


def one(start: float = 0.0, rate: float = 1.0) -> Cuts:
    return Cuts(torch.tensor([0]), torch.tensor([start]), torch.tensor([rate]))


def test_a_row_is_the_mean_of_its_frames_with_a_face() -> None:
    features, mask = torch.tensor([[[1.0], [3.0], [5.0], [9.0]]]), torch.tensor([[True, True, False, True]])
    rows, real = average(features, mask, 2)
    assert rows.flatten().tolist() == [2.0, 9.0]
    assert real.tolist() == [[True, True]]


def test_a_row_without_any_face_is_masked_whatever_its_frames_hold() -> None:
    rows, real = average(torch.full((1, 2, 1), torch.nan), torch.zeros(1, 2, dtype=torch.bool), 2)
    assert rows.flatten().tolist() == [0.0]
    assert real.tolist() == [[False]]


def test_windows_in_rows_of_two_frames_are_told_expressions_in_rows() -> None:
    # As LGSNet sees them: 8 frames are 4 rows, and an expression of frames 6 to 10 is rows 1 to 3 of a window from 4.
    cutting, corpus = Windows(8, (1, 2), 0.9, row_frames=2), stacked(video(40, (6, 10)))
    features, mask = see(corpus, one(4.0), cutting, cutting.rows(40))
    assert features.flatten().tolist() == [4.5, 6.5, 8.5, 10.5]
    assert mask.all()
    truths = tell(corpus, one(4.0), cutting, 1)
    assert truths.intervals.tolist() == [[[1.0, 3.0]]]
    # At rate 2 a row is 4 frames; what lasts less than half a window of rate 1, 4 frames, is left to that: 1 row.
    coarse = tell(corpus, one(0.0, 2.0), cutting, 1)
    assert coarse.intervals.tolist() == [[[1.5, 2.5]]]
    assert coarse.reach.least.tolist() == [1.0]


def test_videos_seen_whole_are_padded_to_the_longest_of_their_batch_alone() -> None:
    cutting, corpus = Whole(row_frames=4, multiple=2), stacked(video(9), video(30), video(17))
    counts = corpus.frame_counts.tolist()
    # 9 frames are 3 rows, 30 are 8, 17 are 5.
    assert [cutting.rows_of(torch.tensor(batch), counts) for batch in ([0], [0, 2], [2, 1])] == [4, 6, 8]
    features, mask = see(corpus, cutting.candidates(corpus, 32).positive, cutting, 8)
    assert features.shape == (3, 8, 1)
    assert mask.sum(1).tolist() == [3, 8, 5]
    assert features[0, 2].tolist() == [8.0]  # the mean of the one frame that is left


def test_a_video_seen_whole_begins_at_its_beginning_and_stays_whole_when_it_is_stretched() -> None:
    cutting, corpus = Whole(), stacked(video(100, (90, 100)))
    moved = dataclasses.replace(STILL, jitter_frames=8, stretch=0.2)
    rows = cutting.rows(100 / 0.8)
    for seed in range(20):
        cuts = move(cutting.candidates(corpus, 32).positive, corpus, rows, moved, torch.Generator().manual_seed(seed))
        assert cuts.starts.tolist() == [0.0]
        assert tell(corpus, cuts, cutting, 1).intervals.max() <= rows


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 1 << 40}, "window_frames is 1099511627776, expected 1 to 16384"),
        ({"frames": 0}, "window_frames is 0"),
        ({"rates": ()}, "window_rates is \\[\\], expected whole numbers, each at least twice"),
        ({"rates": (2, 3)}, "window_rates is \\[2, 3\\]"),
        ({"rates": (1, 1 << 70)}, "expected at most 1048576"),
        ({"row_frames": 3}, "window_frames is 128, expected a multiple of the 3 of a row"),
    ],
)
def test_windows_that_cannot_be_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(Windows(128, (1,), 0.9), **changes)  # type: ignore[arg-type]


def test_rows_of_no_frame_are_refused() -> None:
    with pytest.raises(ValueError, match="row_frames is 0"):
        Whole(row_frames=0)


def test_what_each_window_of_a_video_holds_is_told_in_frames() -> None:
    # Windows of 8 steps every 4, then of 16 frames every 8; the last ends with the video.
    spans = Windows(8, (1, 2), 0.9).spans(18, 4)
    assert spans.tolist() == [[0, 8], [4, 12], [8, 16], [10, 18], [0, 16], [2, 18]]
    assert Windows(8, (1, 2), 0.9).spans(5, 4).tolist() == [[0, 8]]
    assert Whole().spans(18, 4).tolist() == [[0, 18]]
