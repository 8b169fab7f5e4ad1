"""Faces followed through a video: one track a face, also after it was lost; what is not seen is not invented."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from pipeline.alignment import tracks as face_tracks
from pipeline.alignment.mesh import LANDMARKS, MEAN_SHAPE
from pipeline.alignment.networks import MESH_POINTS, Image, Mesh, Region, overlap

Face = tuple[float, float, float]  # x and y of its middle, and its scale, 1 being a pixel a millimetre


def mesh_of(face: Face) -> Mesh:
    """Return the average face somewhere in the frame; the points of the mesh that nobody uses lie in its middle."""
    x, y, scale = face
    points = np.full((MESH_POINTS, 2), (x, y))
    points[LANDMARKS] = MEAN_SHAPE * scale + (x, y)
    return Mesh(points, 0.99)


@dataclass
class Scene:
    """A finder that knows which faces each frame shows; a frame is an image of its number."""

    faces: list[list[Face]]
    detections: list[int] = field(default_factory=list)

    def detect(self, frame: Image) -> list[Region]:
        self.detections.append(int(frame[0, 0, 0]))
        return [mesh_of(face).region for face in self.faces[frame[0, 0, 0]]]

    def locate(self, frame: Image, region: Region) -> Mesh:
        near = [f for f in self.faces[frame[0, 0, 0]] if np.hypot(f[0] - region.x, f[1] - region.y) < region.side / 2]
        if not near:
            return Mesh(np.zeros((MESH_POINTS, 2)), 0.01)
        return mesh_of(min(near, key=lambda face: np.hypot(face[0] - region.x, face[1] - region.y)))

    def frames(self) -> Iterator[tuple[int, Image]]:
        for position in range(len(self.faces)):
            yield position, np.full((1, 1, 3), position, np.uint8)


def follow(faces: list[list[Face]]) -> list[face_tracks.FaceTrack]:
    scene = Scene(faces)
    return face_tracks.follow(scene.frames(), scene)


LEFT, RIGHT = (200.0, 200.0, 1.0), (500.0, 200.0, 1.5)


def test_a_face_that_moves_is_one_track_placed_in_every_frame() -> None:
    (track,) = follow([[(200.0 + 3 * position, 200.0, 1.0)] for position in range(30)])
    assert sorted(track.placements) == list(range(30))
    # 1.4 pixels a millimetre: the middle of the face, and so of the aligned image, was at (200 + 3 * 10, 200).
    assert track.placements[10] @ (230.0, 200.0, 1.0) == pytest.approx((112, 112))
    assert track.presences[10] == 0.99


def test_frames_without_a_face_have_no_placement() -> None:
    assert follow([[], [], []]) == []
    (track,) = follow([[]] * 3 + [[LEFT]] * 4 + [[]] * 5)
    assert sorted(track.placements) == [3, 4, 5, 6]
    assert not track.is_seen


def test_a_face_that_comes_back_elsewhere_is_the_same_face() -> None:
    (track,) = follow([[LEFT]] * 5 + [[]] * 8 + [[RIGHT]] * 5)
    assert sorted(track.placements) == [*range(5), *range(13, 18)]


def test_two_faces_at_once_are_two_tracks_and_the_larger_over_time_is_taken() -> None:
    tracks = follow([[LEFT, RIGHT]] * 10)
    assert len(tracks) == 2
    assert face_tracks.choose(tracks, None) is tracks[1]
    # A passer-by is larger and soon gone.
    tracks = follow([[LEFT, RIGHT]] * 4 + [[LEFT]] * 10)
    assert face_tracks.choose(tracks, None) is tracks[0]
    assert sorted(tracks[1].placements) == [0, 1, 2, 3]


def test_a_face_can_be_asked_for_by_number() -> None:
    tracks = follow([[LEFT, RIGHT]] * 3)
    assert face_tracks.choose(tracks, 0) is tracks[0]
    with pytest.raises(ValueError, match="no face 2: 2 were seen"):
        face_tracks.choose(tracks, 2)


def test_a_second_face_is_noticed_within_ten_frames() -> None:
    tracks = follow([[LEFT]] * 12 + [[LEFT, RIGHT]] * 12)
    assert sorted(tracks[0].placements) == list(range(24))
    assert sorted(tracks[1].placements) == [20, 21, 22, 23]  # frames 0, 10 and 20 are searched


def test_a_face_that_is_followed_is_searched_for_every_tenth_frame_only() -> None:
    scene = Scene([[LEFT]] * 25)
    face_tracks.follow(scene.frames(), scene)
    assert scene.detections == [0, 10, 20]


def test_two_tracks_that_run_onto_one_face_become_one() -> None:
    meeting: list[list[Face]] = [[LEFT, (200.0 + 300 - 60 * step, 200.0, 1.0)] for step in range(5)]
    tracks = follow([*meeting, *[[LEFT]] * 10])
    assert sorted(tracks[0].placements) == list(range(15))
    assert not tracks[1].is_seen


def test_no_later_frame_is_looked_at() -> None:
    faces = [[(200.0 + 2 * position, 200.0, 1.0)] for position in range(20)]
    (whole,), (begun,) = follow(faces), follow(faces[:8])
    for position in range(8):
        assert whole.placements[position].tolist() == begun.placements[position].tolist()


def test_regions_overlap_by_intersection_over_union() -> None:
    first = Region(10, 10, 10, 0.3)
    assert overlap(first, first) == 1
    assert overlap(first, Region(15, 10, 10, 0)) == pytest.approx(50 / 150)
    assert overlap(first, Region(10, 10, 5, 0)) == pytest.approx(25 / 100)
    assert overlap(first, Region(30, 10, 10, 0)) == 0


def test_tracks_go_on_where_others_left_them_and_need_nothing_of_what_was_seen() -> None:
    moving = [[(200.0 + 3 * position, 200.0, 1.0)] for position in range(25)]
    faces = moving + [[]] * 8 + [[LEFT, RIGHT]] * 27
    whole = Scene(faces)
    expected = face_tracks.follow(whole.frames(), whole)
    seen: list[dict[int, tuple[float, ...]]] = [{}, {}]

    def take(position: int, frame: Image, tracks: Sequence[face_tracks.FaceTrack]) -> None:
        for number, track in enumerate(tracks):
            if position in track.placements:
                seen[number][position] = tuple(track.placements.pop(position).ravel())

    parts = Scene(faces)
    played = list(parts.frames())
    first = face_tracks.follow(played[:30], parts, take)
    known = [face_tracks.FaceTrack(track.region, size=track.size, is_seen=track.is_seen) for track in first]
    tracks = face_tracks.follow(played[30:], parts, take, known)
    assert [track.placements for track in tracks] == [{}, {}]
    assert [track.size for track in tracks] == pytest.approx([track.size for track in expected])
    assert parts.detections == whole.detections
    for found, track in zip(seen, expected, strict=True):
        assert found == {position: tuple(placed.ravel()) for position, placed in track.placements.items()}
