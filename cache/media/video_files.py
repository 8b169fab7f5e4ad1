"""Video files, decoded: their true number of frames, and every frame with the time at which it was recorded."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cache import foreign_lines
from cache.errors import InputError
from cache.media import suffixes

# Read once, at the first video of a process. Whoever sets one gets FFmpeg's lines as they come.
LEVEL_VARIABLES = ("OPENCV_FFMPEG_LOGLEVEL", "OPENCV_LOG_LEVEL")
QUIET = "-8"
MOST_COMPLAINTS = 5
_IS_LEVEL_ASKED_FOR = any(name in os.environ for name in LEVEL_VARIABLES)

SUFFIXES = suffixes.VIDEOS


@dataclass(frozen=True)
class VideoFacts:
    """What decoding a whole video file showed.

    Attributes:
        frame_count: frames that decode.
        header_count: frames that the container promises; 0 where it promises nothing.
        frame_rate: mean frames a second.
        width: of a frame as shown, after the rotation a phone asks for.
        height: likewise.
        has_timestamps: the container's times strictly increase; else times are position / frame_rate.
        complaints: what FFmpeg said of damage that it hid, each kind once; empty unless it was listened to.
    """

    frame_count: int
    header_count: int
    frame_rate: float
    width: int
    height: int
    has_timestamps: bool
    complaints: tuple[str, ...] = ()

    @property
    def is_truncated(self) -> bool:
        """Whether more frames are missing than headers get wrong: 1 %, and 2 in a short video."""
        return self.header_count - self.frame_count > max(2.0, 0.01 * self.header_count)


def inspect(path: Path, allow_truncated: bool = False) -> VideoFacts:
    """Return the facts of a video file as `count_frames`, with FFmpeg's complaints; nothing else may print meanwhile.

    A damaged frame still decodes, with what FFmpeg guessed in place of what is lost; only its complaint tells.
    """
    if _IS_LEVEL_ASKED_FOR:
        return count_frames(path, allow_truncated)
    said: list[str] = []
    try:
        with foreign_lines.collect() as said:
            facts = _count(path, allow_truncated)
    except InputError as problem:
        heard = f" FFmpeg said: {' | '.join(_kinds(said)[:MOST_COMPLAINTS])}." if said else ""
        raise InputError(f"{problem}{heard}") from problem
    return replace(facts, complaints=_kinds(said))


def _kinds(said: Sequence[str]) -> tuple[str, ...]:
    """Return each kind of line once, sorted, without its numbers: FFmpeg's threads come to others at each run."""
    lines = (re.sub(r" @ 0x[0-9a-f]+", "", line.strip()) for line in said)
    return tuple(sorted({re.sub(r"(?<!\w)-?\d+\b", "#", line) for line in lines if line}))


def count_frames(path: Path, allow_truncated: bool = False) -> VideoFacts:
    """Return the facts of a video file, by decoding all of it once.

    Args:
        allow_truncated: accept a file of which only the beginning decodes; the caller says so in its audit.

    Raises:
        InputError: no such file, not a video, no frame decodes, no frame rate, truncated, or damaged in the middle.
    """
    _quieten()
    return _count(path, allow_truncated)


def _quieten() -> None:
    """Keep FFmpeg's lines off stderr: what it says of a file was collected when the corpus was indexed."""
    if not _IS_LEVEL_ASKED_FOR:
        os.environ[LEVEL_VARIABLES[0]] = QUIET


def _count(path: Path, allow_truncated: bool) -> VideoFacts:
    with _opened(path) as capture:
        header_count = _header_count(capture)
        seconds = []
        shape: tuple[int, ...] = ()
        while capture.grab():
            seconds.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            if not shape:
                shape = _retrieve(capture, path, 0).shape
        nominal_rate = capture.get(cv2.CAP_PROP_FPS)
    if not shape:
        raise InputError(f"{path} opens as a video but no frame decodes. Copy it again or convert it (ffmpeg -i).")
    has_timestamps = _are_increasing(np.array(seconds))
    frame_rate = _frame_rate(path, nominal_rate, seconds if has_timestamps else [])
    facts = VideoFacts(len(seconds), header_count, frame_rate, shape[1], shape[0], has_timestamps)
    if facts.is_truncated and not allow_truncated:
        raise InputError(
            f"{path} is truncated: its header promises {header_count} frames, {len(seconds)} decode. "
            "Copy it again, or set allow_truncated to use the part that decodes."
        )
    if has_timestamps and header_count - len(seconds) > 2 and _has_hole(seconds):
        raise InputError(
            f"{path} is damaged in its middle: its header promises {header_count} frames, {len(seconds)} decode, and "
            "time jumps between two of them, so that all later frames would be misplaced. Copy it again."
        )
    return facts


def read_frames(
    path: Path, facts: VideoFacts | None = None, allow_truncated: bool = False
) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """Yield each frame ``(H, W, 3)`` uint8 RGB with its time in seconds, one at a time.

    Times strictly increase. They are the container's where those do, else position / frame_rate.

    Args:
        facts: what `count_frames` said of this file; without it the file is decoded once more to find out.

    Raises:
        InputError: as `count_frames`; or the decoder stopped before ``facts.frame_count`` frames, went beyond, or
            changed the size of the frames.
    """
    _quieten()
    facts = count_frames(path, allow_truncated) if facts is None else facts
    position = 0
    with _opened(path) as capture:
        while capture.grab():
            seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 if facts.has_timestamps else position / facts.frame_rate
            bgr = _retrieve(capture, path, position)
            if bgr.shape[:2] != (facts.height, facts.width):
                raise InputError(
                    f"{path}: frame {position} is {bgr.shape[1]} x {bgr.shape[0]}, the first was "
                    f"{facts.width} x {facts.height}. Convert the video to one size (ffmpeg -vf scale)."
                )
            rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
            position += 1
            yield rgb, seconds
    if position != facts.frame_count:
        raise InputError(
            f"{path}: {position} frames decode now, {facts.frame_count} when it was counted. "
            "The file changed or the disk fails: index the corpus again."
        )


def sample_frames(path: Path, positions: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Return ``(H, W, 3)`` RGB frames at or near increasing positions, without decoding all that lies between.

    Raises:
        InputError: no such file, or not a video. A position where nothing decodes is left out.
    """
    _quieten()
    return _sought(path, positions) or _walked_to(path, positions)


def _sought(path: Path, positions: Sequence[int]) -> list[NDArray[np.uint8]]:
    frames = []
    with _opened(path) as capture:
        for position in positions:
            if capture.set(cv2.CAP_PROP_POS_FRAMES, position) and capture.grab():
                frames.append(_retrieve_rgb(capture, path, position))
    return frames


def _walked_to(path: Path, positions: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Return the frames by decoding everything: some containers cannot be sought in."""
    frames: list[NDArray[np.uint8]] = []
    position = 0
    with _opened(path) as capture:
        while len(frames) < len(positions) and capture.grab():
            if position == positions[len(frames)]:
                frames.append(_retrieve_rgb(capture, path, position))
            position += 1
    return frames


def _retrieve_rgb(capture: cv2.VideoCapture, path: Path, position: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(_retrieve(capture, path, position), cv2.COLOR_BGR2RGB), dtype=np.uint8)


@contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    if not path.is_file():
        raise InputError(f"{path} is missing or is no file. Correct the path.")
    if not _IS_LEVEL_ASKED_FOR:
        # That a file does not open, we say ourselves.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    # Absolute, and FFmpeg only: other readers take a name such as `img%03d.avi` or `concat:a` for something else.
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise InputError(f"{path} does not open as a video: it is cut short, damaged or of an unknown format.")
        yield capture
    finally:
        capture.release()


def _retrieve(capture: cv2.VideoCapture, path: Path, position: int) -> NDArray[np.uint8]:
    decoded, bgr = capture.retrieve()
    if not decoded:
        raise InputError(f"{path}: frame {position} does not decode. Copy the file again or convert it (ffmpeg -i).")
    return np.asarray(bgr, dtype=np.uint8)


def _header_count(capture: cv2.VideoCapture) -> int:
    promised = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    # Streams without an index make OpenCV answer with huge negative numbers.
    return int(promised) if math.isfinite(promised) and promised > 0 else 0


def _are_increasing(seconds: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(seconds).all() and seconds[0] >= 0 and (np.diff(seconds) > 0).all())


def _has_hole(seconds: list[float]) -> bool:
    steps = np.diff(seconds)
    # Phones vary their rate threefold; a lost packet loses frames up to the next whole one.
    return len(steps) > 0 and bool(steps.max() > 4 * np.median(steps))


def _frame_rate(path: Path, nominal_rate: float, seconds: list[float]) -> float:
    is_nominal = math.isfinite(nominal_rate) and nominal_rate > 0
    if len(seconds) > 1:
        mean_rate = (len(seconds) - 1) / (seconds[-1] - seconds[0])
        # The header's 24 is kept where the timestamps' mean is 24.000000000000004.
        return nominal_rate if is_nominal and abs(mean_rate / nominal_rate - 1) < 0.001 else mean_rate
    if is_nominal:
        return nominal_rate
    raise InputError(f"{path} has neither timestamps nor a frame rate. Convert it with a known rate (ffmpeg -r).")
