"""Whether a face lies where an aligned one has it: shifts in pixels of 224, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.alignment import plausibility
from pipeline.alignment.mesh import LANDMARKS
from pipeline.alignment.networks import MESH_POINTS, Image, Mesh, Region
from pipeline.alignment.plausibility import EYES


class Face:
    """A face with its eyes at the given shift from where an aligned one has them, seen in every region."""

    def __init__(self, shift: tuple[float, float] = (0, 0), presence: float = 1.0) -> None:
        self.shift, self.presence = shift, presence
        self.regions: list[Region] = []

    def locate(self, frame: Image, region: Region) -> Mesh:
        self.regions.append(region)
        landmarks = np.full((68, 2), 112.0)
        landmarks[36:42], landmarks[42:48] = EYES + self.shift
        points = np.full((MESH_POINTS, 2), 112.0)
        points[LANDMARKS] = landmarks
        return Mesh(points * frame.shape[1] / 224, self.presence)


def frame(size: int = 224) -> Image:
    return np.full((size, size, 3), 99, np.uint8)


@pytest.mark.parametrize("size", [112, 224, 448])
def test_a_face_in_its_place_is_aligned_at_any_size(size: int) -> None:
    assert plausibility.is_aligned(frame(size), Face())


@pytest.mark.parametrize(("shift", "expected"), [((9, 9), True), ((0, -13), True), ((10, 10), False), ((15, 0), False)])
def test_eyes_may_lie_14_pixels_aside(shift: tuple[float, float], expected: bool) -> None:
    # hypot(9, 9) = 12.7, hypot(10, 10) = 14.1
    assert plausibility.is_aligned(frame(), Face(shift)) is expected


def test_where_no_face_is_seen_none_is_aligned() -> None:
    assert not plausibility.is_aligned(frame(), Face(presence=0.49))


def test_it_looks_where_the_mean_face_lies_in_an_image_of_that_size() -> None:
    whole, half = Face(), Face()
    plausibility.is_aligned(frame(224), whole)
    plausibility.is_aligned(frame(112), half)
    first, smaller = whole.regions[0], half.regions[0]
    assert (first.x, first.y) == pytest.approx((112, 120), abs=1)  # a face of 198 x 201 pixels
    assert first.side == pytest.approx(1.5 * 201, abs=1)
    assert (smaller.x, smaller.y, smaller.side) == pytest.approx((first.x / 2, first.y / 2, first.side / 2))


def test_three_quarters_of_the_frames_are_enough() -> None:
    assert plausibility.are_enough(12, 16)
    assert not plausibility.are_enough(11, 16)
