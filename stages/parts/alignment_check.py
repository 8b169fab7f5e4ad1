"""Check of `align.method: none`: a video without aligned faces is refused, unless the corpus file says why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cache.errors import InputError
from cache.media import raw_frames
from cache.shards.aligned import AlignParameters
from cache.tables.videos import Video
from cache.weights.face_networks import INSTALL
from pipeline.alignment import plausibility
from pipeline.alignment.networks import FaceNetworks

SAMPLE = 16
REMEDY = (
    "Have it aligned: set align.method to builtin, openface or openface-landmarks (overrides.align.method in the "
    "corpus file, docs/alignment.md). To take the frames as they are, write the reason there: accept_unaligned: '...'."
)


@dataclass(frozen=True)
class Guard:
    """How frames are looked at before they are taken as aligned faces.

    Attributes:
        check: raises InputError for a video that is none of aligned faces; returns what the user should know.
        facts: by what it looks, for the manifest.
    """

    check: Callable[[Path, Video], tuple[str, ...]]
    facts: Mapping[str, str]


def prepare(parameters: AlignParameters, networks: Callable[[], FaceNetworks], say: Callable[[str], None]) -> Guard:
    """Return the guard that the parameters ask for; what it cannot look at, it says aloud."""
    if parameters.accept_unaligned:
        say(f"frames are taken as they are, aligned or not (accept_unaligned: {parameters.accept_unaligned})")
        return Guard(lambda _root, _video: (), {"accepted": str(parameters.accept_unaligned)})
    try:
        finder = networks()
    except InputError as problem:
        say(
            "WARNING: align.method is none, and nobody looks whether the frames are aligned faces, only whether they "
            f"are square: the built-in networks are not there. A room is then taken for a face. {INSTALL} ({problem})"
        )
        return Guard(_refuse_oblong, {"looked_at": "shape"})

    def check(root: Path, video: Video) -> tuple[str, ...]:
        return _refuse_oblong(root, video) or _look(root, video, finder)

    return Guard(check, {"looked_at": "shape and faces"})


def ingredients(_root: Path, _video: Video, parameters: AlignParameters) -> dict[str, str]:
    """Return what belongs to the key: frames that were accepted once are looked at when they no longer are."""
    return {"unaligned": "accepted" if parameters.accept_unaligned else "refused"}


def _refuse_oblong(_root: Path, video: Video) -> tuple[str, ...]:
    if video.width != video.height:
        raise InputError(
            f"{video.path} has frames of {video.width} x {video.height} pixels, and an aligned face is square. {REMEDY}"
        )
    return ()


def _look(root: Path, video: Video, finder: FaceNetworks) -> tuple[str, ...]:
    frames = raw_frames.sample(root, video, SAMPLE)
    if not frames:
        return (
            f"{video.path}: all of {SAMPLE} frames looked at are black; whether the others are aligned is not known",
        )
    found = plausibility.count_aligned(frames, finder)
    if not plausibility.are_enough(found, len(frames)):
        right, left = plausibility.EYES
        raise InputError(
            f"{video.path} does not show aligned faces: {found} of {len(frames)} frames looked at have a face whose "
            f"eyes lie near ({right[0]:.0f}, {right[1]:.0f}) and ({left[0]:.0f}, {left[1]:.0f}) of 224 pixels. {REMEDY}"
        )
    return ()
