"""Aligned faces as they come: of a video file, of a folder of images, of OpenFace; each becomes frames for a shard."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from cache.errors import InputError
from cache.media import image_folders, raw_frames
from cache.media.raw_frames import RawFrame
from cache.openface import output as openface
from cache.shards.frames import UNTOLD, Frame, Seconds, encode_image, join
from cache.tables.videos import Video


@dataclass(frozen=True)
class AlignParameters:
    """How faces are aligned, or taken over when they are.

    Attributes:
        method: a name in `stages.aligning.aligners.METHODS`.
        face: of several that were followed, `largest` or a number: OpenFace's face_id, or the tracks of `builtin` from
            0 in the order in which they begin.
        quality: of the JPEG that a decoded frame becomes, 1 to 100. Images that lie on disk are stored as they came.
        landmarks: for `openface-landmarks`, the folder in the corpus folder that holds OpenFace's CSV files.
        openface_folder: where OpenFace lies; None asks the environment variable OPENFACE, then PATH.
        openface_model: for `openface`, what its option -mloc names; None for its default.
        openface_format: for `openface`, of the images that it writes.
        processes: how many videos at once; 0 for one a core, where that is worth their start.
        accept_unaligned: for `none`, the reason why frames without an aligned face are taken; None refuses them.
    """

    method: Literal["none", "openface-output", "openface-landmarks", "openface", "builtin"]
    face: Literal["largest"] | int
    quality: int
    landmarks: str | None
    openface_folder: str | None
    openface_model: str | None
    openface_format: Literal["png", "jpg"]
    processes: int
    accept_unaligned: str | bool | None

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality is {self.quality}, expected 1 to 100")
        if isinstance(self.face, int) and self.face < 0:
            raise ValueError(f"face is {self.face}, expected 'largest' or a number from 0")
        if self.accept_unaligned is not None and not _is_reason(self.accept_unaligned):
            raise ValueError(
                f"accept_unaligned is {self.accept_unaligned!r}, expected the reason in words, as in "
                'accept_unaligned: "cropped and turned by our own tracker", or null, which refuses what is not aligned'
            )
        if self.processes < 0:
            raise ValueError(f"processes is {self.processes}, expected 0 (one a core) or more")

    @property
    def face_number(self) -> int | None:
        """The face asked for; None for the largest."""
        return None if self.face == "largest" else int(self.face)


@dataclass(frozen=True)
class Alignment:
    """The aligned frames of a video.

    Attributes:
        frames: to be read once; the video is decoded meanwhile.
        warnings: what the user should know of them, once they were read.
        seconds: as `frames.write` takes them.
        digests: once the frames were read, SHA-256 by file name of the images of the source that were read for them.
    """

    frames: Iterator[Frame]
    warnings: Sequence[str] = ()
    seconds: Seconds | None = None
    digests: Mapping[str, str] = field(default_factory=dict)


def _is_reason(told: str | bool) -> bool:
    return isinstance(told, str) and told.strip().lower() not in {"", "true", "yes", "on", "false", "no", "off"}


def of_images(root: Path, video: Video) -> Alignment:
    """Return every `frame_step`-th image of a folder of faces that are aligned already, byte for byte."""
    folder = image_folders.read_folder(root / video.path)
    every = join(folder.images(), folder.columns(video.frame_rate * video.frame_step))
    return Alignment(itertools.islice(every, None, None, video.frame_step), digests=folder.digest_by_name())


def of_file(root: Path, video: Video, parameters: AlignParameters, see: Callable[[RawFrame], None]) -> Alignment:
    """Return every `frame_step`-th frame of a video file whose faces are aligned already.

    Args:
        see: is shown each of them before it is taken.
    """
    recording = raw_frames.open(root, video)

    def frames() -> Iterator[Frame]:
        for raw in recording.play():
            see(raw)
            yield Frame(encode_image(raw.rgb, parameters.quality), UNTOLD, raw.label, True, 1.0)

    return Alignment(frames(), seconds=recording.seconds)


def of_openface(root: Path, video: Video, parameters: AlignParameters) -> Alignment:
    """Return the frames that OpenFace aligned, byte for byte."""
    output = openface.read_folder(root / video.path, parameters.face_number, video.frame_rate, video.frame_count)
    # OpenFace counts from 1 whatever the corpus does.
    labels = video.first_label + np.arange(len(output), dtype=np.int64)
    return Alignment(join(output.images(), replace(output.columns, frame_label=labels)), output.warnings)


def of_openface_run(folder: Path, said: str, root: Path, video: Video) -> Alignment:
    """Return the frames of a run of OpenFace just made, byte for byte, with the times and labels of what it ran over.

    Args:
        folder: what it wrote of this video alone. Of a folder of images it ran over every `frame_step`-th, a video file
            it reads whole.
        said: what to add to an error, which OpenFace itself tells only on its standard output.

    Raises:
        InputError: OpenFace wrote nothing, or not a row and an image for every frame that decodes.
    """
    skipping = video.frame_step if video.source == "video" else 1
    count = video.frame_count if skipping == 1 else raw_frames.count(root, video)
    try:
        output = openface.read_folder(folder, None, video.frame_rate * skipping, count)
    except InputError as problem:
        raise InputError(f"{problem}{said}") from problem
    seconds, warnings = output.columns.pts_seconds, output.warnings
    digests: Mapping[str, str] = {}
    labels = video.first_label + np.arange(len(output), dtype=np.int64)
    if video.source == "images":
        # -fdir writes time 0 and counts from 1, which the warnings would be about.
        images = image_folders.read_folder(root / video.path)
        known = images.columns(video.frame_rate * video.frame_step)
        taken = slice(None, None, video.frame_step)
        seconds, labels, warnings = known.pts_seconds[taken], known.frame_label[taken], ()
        digests = images.digest_by_name()
    columns = replace(output.columns, pts_seconds=seconds, frame_label=labels)
    frames = itertools.islice(join(output.images(), columns), None, None, skipping)
    return Alignment(frames, warnings, digests=digests)
