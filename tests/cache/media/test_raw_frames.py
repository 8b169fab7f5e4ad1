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


def test_a_video_numbers_its_frames_from_the_first_label(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (32, 32))
    for position in range(10):
        writer.write(np.full((32, 32, 3), 20 * position, np.uint8))
    writer.release()
    recording = raw_frames.open(tmp_path, describe("v.avi", "video", 3, 1))
    played = list(recording.play())
    assert [frame.position for frame in played] == [0, 3, 6, 9]
    assert [frame.label for frame in played] == [1, 4, 7, 10]
    assert recording.seconds().tolist() == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert [float(frame.rgb.mean()) for frame in played] == pytest.approx([0, 60, 120, 180], abs=3)
    # Four are taken of ten, which only decoding tells.
    assert raw_frames.count(tmp_path, describe("v.avi", "video", 3, 1)) == 10


def test_images_keep_their_own_numbers_and_a_gap_takes_time(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    for number in (5, 6, 7, 8, 20):
        cv2.imwrite(str(tmp_path / "v" / f"img_{number}.png"), np.full((32, 32, 3), number, np.uint8))
    recording = raw_frames.open(tmp_path, describe("v", "images", 2, 5))
    assert raw_frames.count(tmp_path, describe("v", "images", 2, 5)) == 5
    played = list(recording.play())
    assert [frame.position for frame in played] == [0, 2, 4]
    assert [frame.label for frame in played] == [5, 7, 20]
    assert recording.seconds().tolist() == pytest.approx([0, 2 / 30, 15 / 30])
    assert [int(frame.rgb[0, 0, 0]) for frame in played] == [5, 7, 20]


@pytest.mark.parametrize("source", ["video", "images"])
def test_a_source_that_is_gone_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(InputError, match="missing"):
        list(raw_frames.open(tmp_path, describe("gone", source, 1, 0)).play())


def test_images_of_two_sizes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    for number, side in ((1, 32), (2, 32), (3, 48)):
        cv2.imwrite(str(tmp_path / "v" / f"img_{number}.png"), np.zeros((side, side, 3), np.uint8))
    with pytest.raises(InputError, match=r"img_3\.png is 48 x 48, the first image is 32 x 32"):
        list(raw_frames.open(tmp_path, describe("v", "images", 1, 1)).play())


def test_a_sample_of_images_is_taken_by_position(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    for number in range(5, 15):
        cv2.imwrite(str(tmp_path / "v" / f"img_{number}.png"), np.full((32, 32, 3), number, np.uint8))
    found = list(raw_frames.sample(tmp_path, describe("v", "images", 1, 5), [0, 4, 9, 10]))
    assert [(frame.position, frame.label, int(frame.rgb[0, 0, 0])) for frame in found] == [
        (0, 5, 5),
        (4, 9, 9),
        (9, 14, 14),
    ]
