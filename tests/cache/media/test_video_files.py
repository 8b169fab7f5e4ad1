"""Video files: what decodes counts, whatever the header says, and times are those of the recording."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest

from cache.errors import InputError
from cache.media import video_files
from cache.media.video_files import Playback

SIZE = (64, 48)


def write_video(path: Path, frame_count: int, codec: str = "MJPG", rate: float = 25.0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, SIZE)
    for position in range(frame_count):
        frame = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
        frame[:] = (255 - position, 10, position)  # BGR
        writer.write(frame)
    writer.release()
    return path


def cut(path: Path, part: float) -> Path:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    return path


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mp4", "mp4v")])
def test_frames_are_counted_by_decoding(tmp_path: Path, name: str, codec: str) -> None:
    facts = video_files.count_frames(write_video(tmp_path / name, 30, codec))
    assert facts == video_files.VideoFacts(30, 30, 25.0, 64, 48, True)
    assert not facts.is_truncated


def test_frames_come_as_rgb_with_their_times(tmp_path: Path) -> None:
    playback = Playback(write_video(tmp_path / "a.avi", 30))
    frames = list(playback.frames())
    assert playback.seconds().tolist() == pytest.approx([position / 25 for position in range(30)])
    for position, rgb in enumerate(frames):
        assert rgb.shape == (48, 64, 3)
        assert rgb.dtype == np.uint8
        assert np.abs(rgb[24, 32].astype(int) - [position, 10, 255 - position]).max() <= 4


def test_a_video_cut_in_the_middle_is_refused_with_both_counts(tmp_path: Path) -> None:
    path = cut(write_video(tmp_path / "a.avi", 100), 0.5)
    with pytest.raises(InputError, match=r"header promises 100 frames, [45]\d decode.*allow_truncated"):
        video_files.count_frames(path)
    with pytest.raises(InputError, match="truncated"):
        list(Playback(path).frames())


def test_a_cut_video_can_be_accepted(tmp_path: Path) -> None:
    path = cut(write_video(tmp_path / "a.avi", 100), 0.5)
    facts = video_files.count_frames(path, allow_truncated=True)
    assert facts.is_truncated
    assert 40 <= facts.frame_count < 60
    assert len(list(Playback(path, allow_truncated=True).frames())) == facts.frame_count


@pytest.mark.parametrize(("header", "found", "truncated"), [(100, 98, False), (100, 97, True), (1000, 990, False)])
def test_two_frames_or_one_percent_may_be_missing(header: int, found: int, truncated: bool) -> None:
    assert video_files.VideoFacts(found, header, 25.0, 64, 48, True).is_truncated is truncated


def test_a_cut_mp4_has_lost_its_index_and_does_not_open(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not open as a video"):
        video_files.count_frames(cut(write_video(tmp_path / "a.mp4", 60, "mp4v"), 0.6))


def test_a_video_with_a_hole_is_refused_even_where_a_cut_one_is_accepted(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 100)
    content = bytearray(path.read_bytes())
    middle = slice(int(len(content) * 0.4), int(len(content) * 0.6))
    content[middle] = bytes(middle.stop - middle.start)
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged in its middle: its header promises 100 frames"):
        video_files.count_frames(path, allow_truncated=True)


@pytest.mark.parametrize("content", [b"", b"junk" * 1000, bytes(5000)])
def test_junk_does_not_open(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(InputError, match="does not open as a video"):
        video_files.count_frames(tmp_path / "a.mp4")


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 3)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"movi") + 4])
    with pytest.raises(InputError, match=r"no frame decodes|does not open"):
        video_files.count_frames(path)


def test_a_missing_video_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.mp4 is missing"):
        video_files.count_frames(tmp_path / "absent.mp4")


def test_a_name_is_not_taken_for_a_pattern(tmp_path: Path) -> None:
    assert video_files.count_frames(write_video(tmp_path / "a%03d.avi", 5)).frame_count == 5


def test_one_pass_tells_what_counting_tells_and_takes_every_few_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 20)
    playback, every = Playback(path), list(Playback(path).frames())
    taken = list(playback.frames(step=3))
    assert len(taken) == 7
    assert all(np.array_equal(frame, every[3 * number]) for number, frame in enumerate(taken))
    assert playback.facts == video_files.count_frames(path)
    assert len(playback.seconds()) == 20


def test_before_its_end_a_video_tells_neither_facts_nor_times(tmp_path: Path) -> None:
    playback = Playback(write_video(tmp_path / "a.avi", 3))
    next(playback.frames())
    for ask in (lambda: playback.facts, playback.seconds):
        with pytest.raises(ValueError, match="not been decoded to its end"):
            ask()


@pytest.mark.parametrize(
    ("milliseconds", "used"),
    [
        ([0.0, 0.0, 0.0], [0.0, 0.04, 0.08]),
        ([0.0, 40.0, 40.0], [0.0, 0.04, 0.08]),
        ([0.0, 10.0, 80.0], [0.0, 0.01, 0.08]),
    ],
)
def test_times_that_do_not_increase_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, milliseconds: list[float], used: list[float]
) -> None:
    """A container with bad times, played by a capture that answers with them."""
    path = write_video(tmp_path / "a.avi", 3)
    capture_of_opencv = cv2.VideoCapture

    class Capture:
        def __init__(self, *arguments: object) -> None:
            self.inner = capture_of_opencv(*arguments)  # type: ignore[arg-type]
            self.position = -1

        def grab(self) -> bool:
            self.position += 1
            return bool(self.inner.grab())

        def get(self, name: int) -> float:
            return milliseconds[self.position] if name == cv2.CAP_PROP_POS_MSEC else self.inner.get(name)

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    facts = video_files.count_frames(path)
    assert facts.has_timestamps is (milliseconds == [0.0, 10.0, 80.0])
    assert facts.frame_rate == pytest.approx(25)
    playback = Playback(path)
    assert len(list(playback.frames())) == 3
    assert playback.seconds().tolist() == pytest.approx(used)


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    peaks = []
    for frame_count in (20, 200):
        path = write_video(tmp_path / f"{frame_count}.avi", frame_count)
        tracemalloc.start()
        for _ in Playback(path).frames():
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 10 * SIZE[0] * SIZE[1] * 3


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mp4", "mp4v")])
def test_a_glance_tells_what_the_header_says_and_decodes_few_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, codec: str
) -> None:
    path = write_video(tmp_path / name, 200, codec)
    monkeypatch.setattr(video_files, "_count", lambda *_: pytest.fail("all of it was decoded"))
    assert video_files.glance(path) == video_files.Glance(200, 25.0, 64, 48)


@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_glance_refuses_what_is_truncated_as_a_whole_look_does(tmp_path: Path, part: float) -> None:
    path = cut(write_video(tmp_path / "a.avi", 100), part)
    with pytest.raises(InputError, match="header promises 100 frames"):
        video_files.glance(path)


@pytest.mark.parametrize("name", ["pyfeat_face_noface.mov", "pyfeat_noface_face.mov"])
def test_a_phone_video_keeps_its_uneven_times(shared: Path, name: str) -> None:
    """Frames come 14 to 42 ms apart: position / mean rate would be wrong by 9 frames."""
    path = shared / "faces" / "videos" / name
    facts = video_files.count_frames(path)
    assert (facts.frame_count, facts.width, facts.height, facts.has_timestamps) == (169, 960, 540, True)
    playback = Playback(path)
    assert len(list(playback.frames())) == 169
    seconds = playback.seconds()
    steps = np.diff(seconds)
    assert steps.min() > 0
    assert steps.max() / steps.min() > 2
    assert 26 < facts.frame_rate < 27
    assert np.abs(seconds * facts.frame_rate - np.arange(169)).max() > 9


def test_real_videos_have_the_frames_that_they_are_known_to_have(shared: Path) -> None:
    folder = shared / "faces" / "videos"
    assert video_files.count_frames(folder / "pyfeat_single_face.mp4").frame_count == 72
    assert video_files.count_frames(shared / "openface" / "inputs" / "default_10s.wmv").frame_count == 151


def test_a_glance_at_real_videos_finds_the_frames_that_decode(shared: Path) -> None:
    for path in sorted((shared / "faces" / "videos").iterdir()):
        if path.suffix in video_files.SUFFIXES:
            assert video_files.glance(path).frame_count == video_files.count_frames(path).frame_count, path.name
