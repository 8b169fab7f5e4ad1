"""Frames before alignment: of a video or of images, every one or every few, with the corpus' own numbers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cache.errors import InputError
from cache.media import raw_frames
from cache.tables.videos import Video


def describe(path: str, source: str, frame_step: int, first_label: int) -> Video:
    # The rate is that of the frames taken.
    return Video("v", "s", path, source, 4, 30.0 / frame_step, first_label, 32, 32, "0" * 64, frame_step)


def test_a_video_plays_twice_and_numbers_its_frames_from_the_first_label(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (32, 32))
    for position in range(10):
        writer.write(np.full((32, 32, 3), 20 * position, np.uint8))
    writer.release()
    recording = raw_frames.open(tmp_path, describe("v.avi", "video", 3, 1))
    assert recording.frame_count == 10
    for _ in range(2):
        played = list(recording.play())
        assert [frame.position for frame in played] == [0, 3, 6, 9]
        assert [frame.label for frame in played] == [1, 4, 7, 10]
        assert [frame.seconds for frame in played] == pytest.approx([0.0, 0.1, 0.2, 0.3])
        assert [float(frame.rgb.mean()) for frame in played] == pytest.approx([0, 60, 120, 180], abs=3)


def test_images_keep_their_own_numbers_and_a_gap_takes_time(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    for number in (5, 6, 7, 8, 20):
        cv2.imwrite(str(tmp_path / "v" / f"img_{number}.png"), np.full((32, 32, 3), number, np.uint8))
    recording = raw_frames.open(tmp_path, describe("v", "images", 2, 5))
    assert recording.frame_count == 5
    played = list(recording.play())
    assert [frame.position for frame in played] == [0, 2, 4]
    assert [frame.label for frame in played] == [5, 7, 20]
    assert [frame.seconds for frame in played] == pytest.approx([0, 2 / 30, 15 / 30])
    assert [int(frame.rgb[0, 0, 0]) for frame in played] == [5, 7, 20]


def test_a_source_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        raw_frames.open(tmp_path, describe("v.avi", "video", 1, 0))


@pytest.mark.parametrize("source", ["video", "images"])
def test_a_sample_comes_from_all_over_a_source_without_what_is_black(tmp_path: Path, source: str) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (32, 32))
    (tmp_path / "v").mkdir()
    for position in range(40):
        image = np.full((32, 32, 3), 0 if position < 10 else 5 * position, np.uint8)
        writer.write(image)
        cv2.imwrite(str(tmp_path / "v" / f"img_{position}.png"), image)
    writer.release()
    video = Video("v", "s", "v.avi" if source == "video" else "v", source, 40, 30.0, 0, 32, 32, "0" * 64)
    # The middles of four quarters: positions 5 (black), 15, 25 and 35.
    assert [float(frame.mean()) for frame in raw_frames.sample(tmp_path, video, 4)] == pytest.approx(
        [75, 125, 175], abs=3
    )
    assert len(raw_frames.sample(tmp_path, video, 100)) == 30


@pytest.mark.parametrize("source", ["video", "images"])
def test_no_sample_of_a_source_that_is_gone(tmp_path: Path, source: str) -> None:
    with pytest.raises(InputError, match="missing"):
        raw_frames.sample(tmp_path, describe("gone", source, 1, 0), 4)
