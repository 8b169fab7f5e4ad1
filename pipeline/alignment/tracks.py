"""Face tracking through a video, frame by frame, without filling in frames where a face is not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.alignment import similarity
from pipeline.alignment.mesh import LANDMARKS, MEAN_SHAPE
from pipeline.alignment.networks import Image, Mesh, Region, overlap
from pipeline.errors import DataError

LEAST_PRESENCE = 0.5
# Faces that come into the picture beside one that is followed are looked for this often, in frames.
LOOK_EVERY = 10
# Two tracks whose regions overlap more than this have run onto one face.
SAME_FACE = 0.5


class Finder(Protocol):
    """What finds faces in a frame and landmarks in a region, as `face_networks.FaceNetworks` does."""

    def detect(self, frame: Image) -> list[Region]:
        """Return where faces are."""

    def locate(self, frame: Image, region: Region) -> Mesh:
        """Return the landmarks in a region."""


@dataclass
class FaceTrack:
    """One face through a video.

    Attributes:
        placements: by position, the ``(2, 3)`` similarity to the aligned face; none where it is not seen.
        presences: likewise, how sure the network was.
        size: the sum of the region's side over all frames where it is seen.
        region: where it was last seen.
        is_seen: in the last frame.
    """

    region: Region
    placements: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    presences: dict[int, float] = field(default_factory=dict)
    size: float = 0.0
    is_seen: bool = True


Seen = Callable[[int, Image, Sequence[FaceTrack]], None]


def follow(
    frames: Iterable[tuple[int, Image]],
    finder: Finder,
    seen: Seen | None = None,
    known: Sequence[FaceTrack] = (),
) -> list[FaceTrack]:
    """Return the faces of a video in the order in which they first appear, in one pass, looking at no later frame.

    A face that appears while another is lost is taken for it, the nearest one: so a face that turns away and comes
    back is one track, and there are as many tracks as faces were ever seen at once.

    Args:
        frames: position and ``(H, W, 3)`` RGB of each, in order.
        seen: called after each frame with its position, the frame, and the tracks up to there: what they say of this
            frame stays so. What they say of a frame that was seen may be taken out of them: nobody looks back.
        known: the tracks of the frames before, where the video was left at a multiple of `LOOK_EVERY` frames; then all
            goes on as if it had not been.
    """
    tracks = list(known)
    for count, (position, frame) in enumerate(frames):
        for track in tracks:
            if track.is_seen:
                _see(track, position, finder.locate(frame, track.region))
        _separate(tracks, position)
        if count % LOOK_EVERY == 0 or not any(track.is_seen for track in tracks):
            for region in finder.detect(frame):
                _begin(tracks, position, frame, region, finder)
        if seen is not None:
            seen(position, frame, tracks)
    return tracks


def choose(tracks: list[FaceTrack], face: int | None) -> FaceTrack | None:
    """Return the face of that number, or the largest over time when none is asked for; None where there is no face.

    Raises:
        DataError: there is no face of that number.
    """
    if face is None:
        return max(tracks, key=lambda track: track.size, default=None)
    if face >= len(tracks):
        raise DataError(f"there is no face {face}: {len(tracks)} were seen, counted from 0. Set align.face: largest")
    return tracks[face]


def _begin(tracks: list[FaceTrack], position: int, frame: Image, region: Region, finder: Finder) -> None:
    """Follow a detected face from now on, unless it is followed already or the landmarks find no face there."""
    # The first look straightens the region, so that a face begins as steadily as it goes on.
    mesh = finder.locate(frame, region)
    if mesh.presence >= LEAST_PRESENCE:
        mesh = finder.locate(frame, mesh.region)
    if mesh.presence < LEAST_PRESENCE:
        return
    if any(track.is_seen and overlap(track.region, mesh.region) > SAME_FACE / 2 for track in tracks):
        return
    lost = [track for track in tracks if not track.is_seen and position not in track.placements]
    if lost:
        track = min(lost, key=lambda lost: float(np.hypot(lost.region.x - region.x, lost.region.y - region.y)))
    else:
        track = FaceTrack(region)
        tracks.append(track)
    _see(track, position, mesh)


def _see(track: FaceTrack, position: int, mesh: Mesh) -> None:
    """Note where a face lies in a frame, or that it is lost."""
    track.is_seen = mesh.presence >= LEAST_PRESENCE
    if track.is_seen:
        track.region = mesh.region
        track.placements[position] = similarity.place(mesh.points[LANDMARKS], MEAN_SHAPE)
        track.presences[position] = mesh.presence
        track.size += track.region.side


def _separate(tracks: list[FaceTrack], position: int) -> None:
    """Lose the later of two tracks that have run onto one face."""
    seen = [track for track in tracks if track.is_seen]
    for place, track in enumerate(seen):
        if any(other.is_seen and overlap(other.region, track.region) > SAME_FACE for other in seen[:place]):
            track.is_seen = False
            track.size -= track.region.side
            del track.placements[position], track.presences[position]
