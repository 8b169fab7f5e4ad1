"""Aligning without OpenFace (`align.method: builtin`): faces are found, followed and cut while a video decodes, once.

Which face is taken shows only at the end, so those of all are cut, and wait on disk until then.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
from numpy.typing import NDArray

from cache import foreign_lines
from cache.errors import InputError
from cache.media import raw_frames
from cache.media.raw_frames import RawFrame
from cache.prefetch import ahead
from cache.shards.aligned import Alignment
from cache.shards.frames import UNTOLD, Frame, encode_image
from cache.shards.spool import Spool
from cache.tables.videos import Video
from cache.weights import face_networks
from pipeline.alignment import similarity
from pipeline.alignment import tracks as face_tracks
from pipeline.alignment.networks import FaceNetworks, Image
from pipeline.alignment.tracks import FaceTrack
from stages.aligning.align_job import AlignJob, Prepared

FRAMES_AHEAD = 8


@contextmanager
def prepare(job: AlignJob) -> Iterator[Prepared]:
    """Load the networks; InputError when they are not installed."""
    networks = load_networks(job.say)

    def read(video: Video) -> AbstractContextManager[Alignment]:
        recording = raw_frames.open(job.root, video)
        warnings: list[str] = []

        def frames() -> Iterator[Frame]:
            with Spool(job.output) as spool:
                cuts = _Cuts(spool, job.parameters.quality)
                tracks = face_tracks.follow(cuts.watch(recording.play()), networks, cuts.add)
                face = face_tracks.choose(tracks, job.parameters.face_number)
                warnings.extend(_about(tracks, face))
                yield from cuts.of(face)

        return nullcontext(Alignment(frames(), warnings, recording.seconds, recording.digests))

    runner = f"{face_networks.RUNNER} {importlib.metadata.version(face_networks.RUNNER)}"
    yield Prepared(read, {"builtin": {"library": runner, "weights_sha256": dict(face_networks.DIGESTS)}})


def load_networks(say: Callable[[str], None]) -> FaceNetworks:
    """Return the built-in networks; InputError when they are not installed."""
    weights = face_networks.read()
    said: list[str] = []
    try:
        with foreign_lines.collect() as said:
            return FaceNetworks(*weights)
    except ModuleNotFoundError as problem:
        raise InputError(
            f"align.method 'builtin' cannot run its networks: {problem}. {face_networks.INSTALL}"
        ) from None
    finally:
        # TensorFlow Lite tells at each start which delegate it made.
        for line in said:
            if not line.startswith("INFO:"):
                say(f"align: {line}")


def cut(rgb: Image, placement: NDArray[np.float64] | None, label: int, confidence: float, quality: int) -> Frame:
    """Return the aligned face in a frame as it is stored; black and marked when there is none."""
    if placement is None:
        face = np.zeros((similarity.SIZE, similarity.SIZE, 3), np.uint8)
    else:
        face = similarity.warp(rgb, placement)
    # A face beyond the edge of the frame is not seen, whatever its landmarks claim.
    return Frame(encode_image(face, quality), UNTOLD, label, bool(face.any()), confidence)


class _Cuts:
    """The faces of all tracks through a video, cut and encoded, in a spool."""

    def __init__(self, spool: Spool, quality: int) -> None:
        self._spool, self._quality = spool, quality
        self._labels: dict[int, int] = {}
        # By track and position: its number in the spool, and whether it shows anything.
        self._cuts: dict[tuple[int, int], tuple[int, bool]] = {}

    def watch(self, played: Iterator[RawFrame]) -> Iterator[tuple[int, Image]]:
        """Yield position and pixels of each frame, and note its number."""
        for raw in ahead(played, FRAMES_AHEAD):
            self._labels[raw.position] = raw.label
            yield raw.position, raw.rgb

    def add(self, position: int, rgb: Image, tracks: Sequence[FaceTrack]) -> None:
        """Cut every face that is seen in a frame."""
        for track in tracks:
            if position in track.placements:
                frame = cut(rgb, track.placements[position], 0, 0.0, self._quality)
                self._cuts[id(track), position] = self._spool.put(frame.image), frame.face_found

    def of(self, track: FaceTrack | None) -> Iterator[Frame]:
        """Yield one frame after the other as the track has it; black and marked where it has none."""
        black = cut(np.zeros((1, 1, 3), np.uint8), None, 0, 0.0, self._quality)
        for position, label in self._labels.items():
            if track is None or position not in track.placements:
                yield black._replace(label=label)
            else:
                number, is_found = self._cuts[id(track), position]
                yield Frame(self._spool.get(number), UNTOLD, label, is_found, track.presences[position])


def _about(tracks: Sequence[FaceTrack], face: FaceTrack | None) -> tuple[str, ...]:
    if face is None:
        return ("no frame shows a face: all are black and marked",)
    if len(tracks) == 1:
        return ()
    counts = ", ".join(f"face {number} in {len(track.placements)} frames" for number, track in enumerate(tracks))
    taken = next(number for number, track in enumerate(tracks) if track is face)
    return (f"{len(tracks)} faces at once ({counts}): took face {taken}",)
