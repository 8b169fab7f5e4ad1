"""Raw frames of a video before alignment, from a video file or a folder of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.media import image_files, image_folders, video_files
from cache.tables.videos import Video


class RawFrame(NamedTuple):
    """One decoded frame: its position in the source, ``(H, W, 3)`` RGB, and the corpus' number of it."""

    position: int
    rgb: NDArray[np.uint8]
    label: int


@dataclass(frozen=True)
class RawVideo:
    """The ``T`` frames of a source that are taken, every `frame_step`-th of them, each decoded once.

    Attributes:
        play: yields them, one at a time; to be called once.
        seconds: gives their ``(T,)`` times, once all were played: a video file tells at its end whether its are any.
        digests: once they were played, SHA-256 by file name of the images that were read; empty of a video file.
    """

    play: Callable[[], Iterator[RawFrame]]
    seconds: Callable[[], NDArray[np.float64]]
    digests: Mapping[str, str] = field(default_factory=dict)


def open(root: Path, video: Video) -> RawVideo:
    """Return the frames of a video of source `video` or `images`.

    Raises:
        InputError: the source is missing; or, while it plays or at its end, damaged.
    """
    return (_open_images if video.source == "images" else _open_file)(root / video.path, video)


def count(root: Path, video: Video) -> int:
    """Return how many frames a source decodes to, whatever the `frame_step`.

    A video file is decoded for it only where frames are skipped: the table counts those that are taken.
    """
    if video.source == "images":
        return len(image_folders.by_number(root / video.path)[0])
    if video.frame_step == 1:
        return video.frame_count
    return video_files.count_frames(root / video.path, allow_truncated=True).frame_count


def sample(root: Path, video: Video, positions: list[int]) -> Iterator[RawFrame]:
    """Yield some of the images of a folder, by position; a position beyond the last is left out."""
    files = list(image_folders.by_number(root / video.path)[0].items())
    for position in positions:
        if position < len(files):
            label, path = files[position]
            yield RawFrame(position, image_files.decode(path), label)


def _open_images(folder: Path, video: Video) -> RawVideo:
    files = image_folders.by_number(folder)[0]
    labels = np.array(list(files), dtype=np.int64)
    seconds = (labels - labels[0]) / (video.frame_rate * video.frame_step)
    digests: dict[str, str] = {}

    def play() -> Iterator[RawFrame]:
        size: tuple[int, ...] = ()
        for position, (label, path) in enumerate(files.items()):
            if position % video.frame_step == 0:
                rgb, digests[path.name] = image_files.decode_with_digest(path)
                size = size or rgb.shape
                if rgb.shape != size:
                    raise InputError(
                        f"{path} is {rgb.shape[1]} x {rgb.shape[0]}, the first image is {size[1]} x {size[0]}. The "
                        "images of one video have one size: align them again."
                    )
                yield RawFrame(position, rgb, label)

    return RawVideo(play, lambda: seconds[:: video.frame_step], digests)


def _open_file(path: Path, video: Video) -> RawVideo:
    # What decoded when the corpus was indexed is what must decode now; `allow_truncated` was decided there.
    playback = video_files.Playback(path, allow_truncated=True)

    def play() -> Iterator[RawFrame]:
        for count, rgb in enumerate(playback.frames(video.frame_step)):
            position = count * video.frame_step
            yield RawFrame(position, rgb, video.first_label + position)

    return RawVideo(play, lambda: playback.seconds()[:: video.frame_step])
