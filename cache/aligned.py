"""Aligned faces as they come: of a video file, of a folder of images, of OpenFace; each becomes frames for a shard."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from cache import image_folders, openface, video_files
from cache.errors import InputError
from cache.frames import Frame, encode_image, join
from cache.videos import Video


@dataclass(frozen=True)
class AlignParameters:
    """How aligned faces are taken over.

    Attributes:
        method: a name in `METHODS`.
        face: of several that OpenFace followed, `largest` or a face_id.
        quality: of the JPEG that a decoded frame becomes, 1 to 100. Images that lie on disk are stored as they came.
    """

    method: Literal["none", "openface-output"]
    face: Literal["largest"] | int
    quality: int

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality is {self.quality}, expected 1 to 100")


@dataclass(frozen=True)
class Alignment:
    """The aligned frames of a video, to be read once, and what the user should know of them."""

    frames: Iterator[Frame]
    warnings: tuple[str, ...]


def of_file(root: Path, video: Video, parameters: AlignParameters) -> Alignment:
    """Return every `frame_step`-th frame of a video file or image folder whose faces are aligned already."""
    path = root / video.path
    if video.source == "images":
        folder = image_folders.read_folder(path)
        every = join(folder.images(), folder.columns(video.frame_rate * video.frame_step))
    else:
        every = _decoded(path, video, parameters.quality)
    return Alignment(itertools.islice(every, None, None, video.frame_step), ())


def of_openface(root: Path, video: Video, parameters: AlignParameters) -> Alignment:
    """Return the frames that OpenFace aligned, byte for byte."""
    face = None if parameters.face == "largest" else int(parameters.face)
    output = openface.read_folder(root / video.path, face, video.frame_rate, video.frame_count)
    # OpenFace counts from 1 whatever the corpus does.
    labels = video.first_label + np.arange(len(output), dtype=np.int64)
    return Alignment(join(output.images(), replace(output.columns, frame_label=labels)), output.warnings)


METHODS: dict[str, tuple[tuple[str, ...], Callable[[Path, Video, AlignParameters], Alignment]]] = {
    "none": (("video", "images"), of_file),
    "openface-output": (("openface",), of_openface),
}


def read(root: Path, video: Video, parameters: AlignParameters) -> Alignment:
    """Return the aligned frames of a video by the method asked for.

    Raises:
        InputError: the method cannot read what the corpus holds of this video.
    """
    sources, method = METHODS[parameters.method]
    if video.source not in sources:
        raise InputError(
            f"{video.video} is of source {video.source!r}, which align.method {parameters.method!r} cannot read "
            f"(it reads {', '.join(sources)}). Set align.method in configs/params.yaml or in the corpus file."
        )
    return method(root, video, parameters)


def _decoded(path: Path, video: Video, quality: int) -> Iterator[Frame]:
    # What decoded when the corpus was indexed is what must decode now; `allow_truncated` was decided there.
    for position, (rgb, seconds) in enumerate(video_files.read_frames(path, allow_truncated=True)):
        yield Frame(encode_image(rgb, quality), seconds, video.first_label + position, True, 1.0)
