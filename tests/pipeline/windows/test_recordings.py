"""Windows cut from memory are the frames of the video, and a recording that contradicts itself is refused by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.windows.recordings import Cuts, Recording, cut, gather, stack, take, truths_of

CPU = torch.device("cpu")


def count_up(video: str, subject: str, frame_count: int, first: int = 0) -> Recording:
    """Return a recording whose features are the frame's number, plus `first`, and its negative."""
    numbers = np.arange(first, first + frame_count)
    return Recording(
        video,
        subject,
        np.stack([numbers, -numbers], axis=1).astype(np.float16),
        np.ones(frame_count, bool),
        np.empty((0, 2), np.int64),
        np.empty(0, np.int64),
    )


def cuts_at(*rows: tuple[int, float, float]) -> Cuts:
    """Return cuts of rows (video, start, rate)."""
    videos, starts, rates = zip(*rows, strict=True)
    return Cuts(torch.tensor(videos), torch.tensor(starts), torch.tensor(rates))


def test_a_window_holds_its_frames_of_its_video() -> None:
    stacked = stack([count_up("a", "s", 10), count_up("b", "s", 10, first=100)], "none", CPU)
    features, mask = cut(stacked, cuts_at((1, 2.0, 1.0), (0, 6.0, 1.0)), 4)
    assert features[..., 0].tolist() == [[102, 103, 104, 105], [6, 7, 8, 9]]
    assert features[..., 1].tolist() == [[-102, -103, -104, -105], [-6, -7, -8, -9]]
    assert mask.all()


def test_a_window_longer_than_the_video_has_a_masked_tail_and_no_frame_of_the_next_video() -> None:
    stacked = stack([count_up("a", "s", 1, first=7), count_up("b", "s", 10)], "none", CPU)
    features, mask = cut(stacked, cuts_at((0, 0.0, 1.0)), 4)
    assert features[0, :, 0].tolist() == [7, 7, 7, 7]
    assert mask.tolist() == [[True, False, False, False]]


def test_a_stretched_window_repeats_or_skips_frames() -> None:
    stacked = stack([count_up("a", "s", 10)], "none", CPU)
    # Middles of the window's frames, 0.5 1.5 2.5 3.5, times the rate, from frame 2.
    features, _ = cut(stacked, cuts_at((0, 2.0, 0.5), (0, 2.0, 2.0)), 4)
    assert features[..., 0].tolist() == [[2, 2, 3, 3], [3, 5, 7, 9]]


def test_expressions_move_and_stretch_with_the_window() -> None:
    recording = dataclasses.replace(
        count_up("a", "s", 40), intervals=np.array([[10, 20], [30, 36]]), emotions=np.array([2, 0])
    )
    truths, emotions = truths_of(stack([recording], "none", CPU), cuts_at((0, 8.0, 1.0), (0, 8.0, 2.0)))
    assert truths.tolist() == [[[2, 12], [22, 28]], [[1, 6], [11, 14]]]
    assert emotions.tolist() == [[2, 0], [2, 0]]


def test_a_frame_without_a_face_is_masked_and_does_not_count_in_the_mean() -> None:
    recording = count_up("a", "s", 4)
    recording = dataclasses.replace(recording, face_found=np.array([True, True, True, False]))
    stacked = stack([recording], "video", CPU)
    features, mask = cut(stacked, cuts_at((0, 0.0, 1.0)), 4)
    # Frames 0, 1, 2: mean 1, variance 2 / 3.
    assert features[0, :3, 0].tolist() == pytest.approx([-(1.5**0.5), 0, 1.5**0.5], abs=1e-6)
    assert mask.tolist() == [[True, True, True, False]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.full((5, 2), np.nan, np.float16)}, "'bad'.*frame 0 are not finite"),
        ({"features": np.zeros((5, 3), np.float16)}, "'bad'.*3 wide, others 2"),
        ({"features": np.zeros((0, 2), np.float16)}, "'bad'.*at least one frame"),
        ({"face_found": np.ones(4, bool)}, "'bad'.*face_found"),
        ({"intervals": np.array([[3, 6]]), "emotions": np.array([0])}, r"'bad'.*\[3, 6\] lies outside its 5 frames"),
        ({"intervals": np.array([[3, 3]]), "emotions": np.array([0])}, r"'bad'.*start < stop"),
        ({"intervals": np.array([[3, 4]])}, "'bad'.*1 intervals but 0 emotions"),
    ],
)
def test_a_recording_that_contradicts_itself_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    bad = dataclasses.replace(count_up("bad", "s", 5), **change)
    with pytest.raises(ValueError, match=message):
        stack([count_up("good", "s", 5), bad], "none", CPU)


def test_an_unknown_normalisation_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of none, video, subject"):
        stack([count_up("a", "s", 5)], "zscore", CPU)


def test_no_recordings_are_refused() -> None:
    with pytest.raises(ValueError, match="No recordings"):
        stack([], "none", CPU)


def test_some_videos_are_taken_without_a_copy_of_any_frame_and_as_if_the_others_had_never_been_there() -> None:
    crowded = dataclasses.replace(
        count_up("b", "t", 12), intervals=np.array([[0, 2], [3, 4], [5, 9]]), emotions=np.array([0, 1, 0])
    )
    videos = [count_up("a", "s", 10), crowded, count_up("c", "s", 8, first=50)]
    everyone = stack(videos, "video", CPU)
    taken, alone = take(everyone, [2, 0]), stack([videos[2], videos[0]], "video", CPU)
    assert taken.features.data_ptr() == everyone.features.data_ptr()
    cuts = cuts_at((0, 1.0, 1.0), (1, 7.0, 2.0))
    for here, there in zip(cut(taken, cuts, 4), cut(alone, cuts, 4), strict=True):
        assert here.equal(there)
    for here, there in zip(truths_of(taken, cuts), truths_of(alone, cuts), strict=True):
        assert here.equal(there)


def test_recordings_are_gathered_one_by_one_into_the_memory_that_is_given() -> None:
    room = np.zeros((15, 2), np.float16)
    seen = []

    def read() -> Iterator[Recording]:
        for name, first in (("a", 0), ("b", 100), ("c", 200)):
            seen.append(room[:, 0].tolist())
            yield count_up(name, "s", 5, first)

    corpus = gather(read(), room, "none")
    assert corpus.stacked.features.data_ptr() == room.ctypes.data
    assert corpus.videos == ("a", "b", "c")
    # Each was copied before the next one was asked for, so no two are in memory beside the room.
    assert seen[1] == [0, 1, 2, 3, 4] + [0] * 10
    assert seen[2] == [0, 1, 2, 3, 4, 100, 101, 102, 103, 104] + [0] * 5


@pytest.mark.parametrize(("frames", "message"), [(14, "'c' ends at frame 15 of all.*at most 14"), (16, "expected 16")])
def test_recordings_of_other_frames_than_the_memory_are_refused(frames: int, message: str) -> None:
    videos = [count_up(name, "s", 5) for name in "abc"]
    with pytest.raises(ValueError, match=message):
        gather(videos, np.zeros((frames, 2), np.float16), "none")
