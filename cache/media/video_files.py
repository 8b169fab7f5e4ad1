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
# Frames a second; beyond it is a header's count of ticks (a phone's 90 000).
MOST_RATE = 1000
# Of the frames that a header promises: one that is missing here makes a file a truncated one.
LATE = 0.98
_IS_LEVEL_ASKED_FOR = any(name in os.environ for name in LEVEL_VARIABLES)

# How OpenCV is told what FFmpeg may do; read whenever a file is opened.
OPTIONS_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_ASKED_FOR = os.environ.get(OPTIONS_VARIABLE)
# Whatever a file is called, FFmpeg goes by what it holds: playlists (ffconcat, m3u8, sdp) play other files and the
# network. These containers hold all that they show.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,asf,mpeg,mpegts,mpegvideo,m4v,h264,hevc,mjpeg,flv,ogg,mxf,dv"
RESTRICTIONS = f"format_whitelist;{CONTAINERS}|protocol_whitelist;file"

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


@dataclass(frozen=True)
class Glance:
    """What the header of a video file promises, and the size of its first frame as shown.

    Attributes:
        frame_count: 0 where the header does not say.
        frame_rate: likewise.
    """

    frame_count: int
    frame_rate: float
    width: int
    height: int


def glance(path: Path) -> Glance:
    """Return what a video file says of itself; of its frames the first is decoded, and those around a late one.

    Where the late one is not reached all are, for not every file can be searched.

    Raises:
        InputError: no such file, not a video, its first frame does not decode, or it is truncated.
    """
    _quieten()
    seen, reaches_end = _glance(path)
    if not reaches_end:
        _count(path, allow_truncated=False)
    return seen


def _glance(path: Path) -> tuple[Glance, bool]:
    """Return what a file says of itself, and whether a frame near the end that it promises can be reached."""
    with _opened(path) as capture:
        if not capture.grab():
            raise InputError(f"{path} opens as a video but no frame decodes. Copy it again or convert it (ffmpeg -i).")
        height, width = _retrieve(capture, path, 0).shape[:2]
        rate = capture.get(cv2.CAP_PROP_FPS)
        is_rate = math.isfinite(rate) and 0 < rate <= MOST_RATE
        count = _header_count(capture)
        late = min(count - 3, int(LATE * count))
        reaches_end = late < 1 or (capture.set(cv2.CAP_PROP_POS_FRAMES, late) and capture.grab())
        return Glance(count, rate if is_rate else 0.0, width, height), reaches_end


def _quieten() -> None:
    """Keep FFmpeg's lines off stderr: what it says of a file was collected when the corpus was indexed."""
    if not _IS_LEVEL_ASKED_FOR:
        os.environ[LEVEL_VARIABLES[0]] = QUIET


def _count(path: Path, allow_truncated: bool) -> VideoFacts:
    playback = Playback(path, allow_truncated)
    for _ in playback.grab(None):
        pass
    return playback.facts


class Playback:
    """One pass over a video file, the only one there has to be: what all of its frames tell is known at their end."""

    def __init__(self, path: Path, allow_truncated: bool = False) -> None:
        """Take note of a file; arguments as for `count_frames`."""
        self._path, self._allow_truncated = path, allow_truncated
        self._told_seconds: list[float] = []
        self._facts: VideoFacts | None = None

    def frames(self, step: int = 1, start: int = 0) -> Iterator[NDArray[np.uint8]]:
        """Yield every ``step``-th frame ``(H, W, 3)`` uint8 RGB, beginning with the first, one at a time.

        Args:
            start: the frames before it are decoded, for later ones build on them, and not shown.

        Raises:
            InputError: as `count_frames`, but not before all frames were seen; or the size of the frames changes.
        """
        _quieten()
        for bgr in self.grab(step, start):
            yield np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)

    @property
    def facts(self) -> VideoFacts:
        """What decoding the whole file showed; a ValueError before it was decoded."""
        if self._facts is None:
            raise ValueError(f"{self._path} has not been decoded to its end")
        return self._facts

    def told(self, position: int) -> float:
        """Return the time that the container tells of a decoded frame, in seconds, whether it makes sense or not."""
        return self._told_seconds[position]

    def seconds(self) -> NDArray[np.float64]:
        """Return the times of all frames, whatever the step; a ValueError before the file was decoded.

        They strictly increase: they are the container's where those do, else position / frame_rate.
        """
        if self.facts.has_timestamps:
            return np.array(self._told_seconds)
        return np.arange(self.facts.frame_count) / self.facts.frame_rate

    def grab(self, step: int | None, start: int = 0) -> Iterator[NDArray[np.uint8]]:
        """Decode the file; yield every ``step``-th frame from ``start`` on as BGR, of None the first alone."""
        shape: tuple[int, ...] = ()
        with _opened(self._path) as capture:
            header_count = _header_count(capture)
            while capture.grab():
                position = len(self._told_seconds)
                self._told_seconds.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
                if position == 0 or (step is not None and position >= start and position % step == 0):
                    bgr = _retrieve(capture, self._path, position)
                    shape = shape or bgr.shape
                    self._check_size(position, bgr.shape, shape)
                    if position >= start:
                        yield bgr
            nominal_rate = capture.get(cv2.CAP_PROP_FPS)
        self._facts = self._conclude(header_count, shape, nominal_rate)

    def _check_size(self, position: int, found: tuple[int, ...], first: tuple[int, ...]) -> None:
        if found != first:
            raise InputError(
                f"{self._path}: frame {position} is {found[1]} x {found[0]}, the first was {first[1]} x {first[0]}. "
                "Convert the video to one size (ffmpeg -vf scale)."
            )

    def _conclude(self, header_count: int, shape: tuple[int, ...], nominal_rate: float) -> VideoFacts:
        path, seconds = self._path, self._told_seconds
        if not shape:
            raise InputError(f"{path} opens as a video but no frame decodes. Copy it again or convert it (ffmpeg -i).")
        has_timestamps = _are_increasing(np.array(seconds))
        frame_rate = _frame_rate(path, nominal_rate, seconds if has_timestamps else [])
        facts = VideoFacts(len(seconds), header_count, frame_rate, shape[1], shape[0], has_timestamps)
        if facts.is_truncated and not self._allow_truncated:
            raise InputError(
                f"{path} is truncated: its header promises {header_count} frames, {len(seconds)} decode. "
                "Copy it again, or set allow_truncated to use the part that decodes."
            )
        if has_timestamps and header_count - len(seconds) > 2 and _has_hole(seconds):
            raise InputError(
                f"{path} is damaged in its middle: its header promises {header_count} frames, {len(seconds)} decode, "
                "and time jumps between two of them, so that all later frames would be misplaced. Copy it again."
            )
        return facts


@contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    if not path.is_file():
        raise InputError(f"{path} is missing or is no file. Correct the path.")
    if not _IS_LEVEL_ASKED_FOR:
        # That a file does not open, we say ourselves.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    os.environ[OPTIONS_VARIABLE] = f"{_ASKED_FOR}|{RESTRICTIONS}" if _ASKED_FOR else RESTRICTIONS
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


def promised_frames(path: Path) -> int:
    """Return how many frames a container promises, 0 where it promises nothing; InputError where it does not open."""
    _quieten()
    with _opened(path) as capture:
        return _header_count(capture)


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
