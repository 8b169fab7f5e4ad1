"""Check of `align.method: none`: a video without aligned faces is refused, unless the corpus file says why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cache.errors import InputError
from cache.media import image_files
from cache.media.raw_frames import RawFrame
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
        begin: returns what looks at the frames of one video; raises InputError where its shape says enough.
        facts: by what it looks, for the manifest.
    """

    begin: Callable[[Video], FaceCheck]
    facts: Mapping[str, str]


class FaceCheck:
    """Looks at a few frames from all over a video while they are decoded, and refuses it once it can no longer pass."""

    def __init__(self, video: Video, finder: FaceNetworks | None) -> None:
        """Look for faces with the networks given; None takes every frame unseen."""
        self._video, self._finder = video, finder
        # The middles of equal parts of the video, each one once.
        middles = sorted({int((part + 0.5) * video.frame_count / SAMPLE) for part in range(SAMPLE)})
        self.positions = [] if finder is None else [position * video.frame_step for position in middles]
        self._awaited = set(self.positions)
        self._seen = self._aligned = 0

    def see(self, frame: RawFrame) -> None:
        """Look at a frame, if it is one of those that are looked at; one that is black tells nothing.

        Raises:
            InputError: too many of them show no aligned face, whatever the others may show.
        """
        if self._finder is None or frame.position not in self._awaited:
            return
        self._awaited.remove(frame.position)
        if frame.rgb.max() > image_files.BLACK:
            self._seen += 1
            self._aligned += plausibility.is_aligned(frame.rgb, self._finder)
        self._judge(len(self._awaited))

    def conclude(self) -> tuple[str, ...]:
        """Return what the user should know, once all frames were seen; InputError as for `see`."""
        if self._finder is None:
            return ()
        self._judge(0)
        told = f"all of {SAMPLE} frames looked at are black; whether the others are aligned is not known"
        return () if self._seen else (f"{self._video.path}: {told}",)

    def _judge(self, awaited: int) -> None:
        if plausibility.are_enough(self._aligned + awaited, self._seen + awaited):
            return
        right, left = plausibility.EYES
        raise InputError(
            f"{self._video.path} does not show aligned faces: {self._aligned} of {self._seen} frames looked at have a "
            f"face whose eyes lie near ({right[0]:.0f}, {right[1]:.0f}) and ({left[0]:.0f}, {left[1]:.0f}) of 224 "
            f"pixels. {REMEDY}"
        )


def prepare(parameters: AlignParameters, networks: Callable[[], FaceNetworks], say: Callable[[str], None]) -> Guard:
    """Return the guard that the parameters ask for; what it cannot look at, it says aloud."""
    if parameters.accept_unaligned:
        say(f"frames are taken as they are, aligned or not (accept_unaligned: {parameters.accept_unaligned})")
        return Guard(lambda video: FaceCheck(video, None), {"accepted": str(parameters.accept_unaligned)})
    try:
        finder = networks()
    except InputError as problem:
        say(
            "WARNING: align.method is none, and nobody looks whether the frames are aligned faces, only whether they "
            f"are square: the built-in networks are not there. A room is then taken for a face. {INSTALL} ({problem})"
        )
        return Guard(lambda video: _begin(video, None), {"looked_at": "shape"})
    return Guard(lambda video: _begin(video, finder), {"looked_at": "shape and faces"})


def ingredients(_root: Path, _video: Video, parameters: AlignParameters) -> dict[str, str]:
    """Return what belongs to the key: frames that were accepted once are looked at when they no longer are."""
    return {"unaligned": "accepted" if parameters.accept_unaligned else "refused"}


def _begin(video: Video, finder: FaceNetworks | None) -> FaceCheck:
    if video.width != video.height:
        raise InputError(
            f"{video.path} has frames of {video.width} x {video.height} pixels, and an aligned face is square. {REMEDY}"
        )
    return FaceCheck(video, finder)
