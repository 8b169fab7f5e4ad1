"""Raw frames of a video before alignment, from a video file or a folder of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cache.media import image_files, image_folders, video_files
from cache.tables.videos import Video


class RawFrame(NamedTuple):
    """One decoded frame: its position in the source, ``(H, W, 3)`` RGB, its time, and the corpus' number of it."""

    position: int
    rgb: NDArray[np.uint8]
    seconds: float
    label: int


@dataclass(frozen=True)
class Recording:
    """The frames of a source.

    Attributes:
        frame_count: of the source, by decoding, whatever the video's `frame_step`.
        play: yields every `frame_step`-th frame, one at a time; may be called again.
    """

    frame_count: int
    play: Callable[[], Iterator[RawFrame]]


def sample(root: Path, video: Video, count: int) -> list[NDArray[np.uint8]]:
    """Return up to ``count`` frames ``(H, W, 3)`` RGB from all over a video; black ones are left out.

    Raises:
        InputError: as for `open`.
    """
    path = root / video.path
    if video.source == "images":
        files = image_folders.list_files(path)
        frames = [image_files.decode(files[position]) for position in _spread(len(files), count)]
    else:
        frames = video_files.sample_frames(path, _spread(video.frame_count * video.frame_step, count))
    return [frame for frame in frames if frame.max() > image_files.BLACK]


def _spread(total: int, count: int) -> list[int]:
    """Return the middles of equal parts of a video, as positions; each one once."""
    return sorted({int((part + 0.5) * total / count) for part in range(count)})


def open(root: Path, video: Video) -> Recording:
    """Return the frames of a video of source `video` or `images`.

    Raises:
        InputError: the source is missing or damaged; also while it plays.
    """
    path = root / video.path
    if video.source == "images":
        folder = image_folders.read_folder(path)
        seconds = folder.columns(video.frame_rate * video.frame_step).pts_seconds

        def show() -> Iterator[RawFrame]:
            for position in range(0, len(folder), video.frame_step):
                rgb = image_files.decode(folder.files[position])
                yield RawFrame(position, rgb, float(seconds[position]), int(folder.labels[position]))

        return Recording(len(folder), show)
    # What decoded when the corpus was indexed is what must decode now; `allow_truncated` was decided there.
    facts = video_files.count_frames(path, allow_truncated=True)

    def play() -> Iterator[RawFrame]:
        for position, (rgb, seconds) in enumerate(video_files.read_frames(path, facts)):
            if position % video.frame_step == 0:
                yield RawFrame(position, rgb, seconds, video.first_label + position)

    return Recording(facts.frame_count, play)
