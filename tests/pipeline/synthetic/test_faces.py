"""Invented faces: each action unit moves what it is named after, and the same person is drawn the same twice."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.synthetic import action_units, complexion, faces
from pipeline.synthetic.action_units import COLUMN, UNITS

BROWS = (slice(20, 50), slice(30, 194))
MOUTH = (slice(140, 190), slice(64, 160))


@pytest.fixture(scope="module")
def face() -> faces.Face:
    who = complexion.invent(np.random.default_rng(5), 0)
    return faces.build(who, np.random.default_rng(6))


def shown(face: faces.Face, units: dict[int, float], **more: float) -> np.ndarray:
    return faces.render(face, faces.Look(action_units.intensities(units), **more)).astype(float)  # type: ignore[arg-type]


def change(face: faces.Face, units: dict[int, float], place: tuple[slice, slice]) -> float:
    return float(np.abs(shown(face, units)[place] - shown(face, {})[place]).mean())


def test_a_frame_is_an_rgb_picture_of_224_pixels(face: faces.Face) -> None:
    frame = faces.render(face, faces.Look(action_units.intensities({})))
    assert frame.shape == (224, 224, 3)
    assert frame.dtype == np.uint8


def test_the_same_person_is_drawn_the_same_twice(face: faces.Face) -> None:
    again = faces.build(face.who, np.random.default_rng(6))
    look = faces.Look(action_units.intensities({4: 0.7, 12: 0.4, 26: 0.5}), pose=(2.0, 1.0), roll=0.01, noise=3)
    np.testing.assert_array_equal(faces.render(face, look), faces.render(again, look))


def test_subjects_look_different() -> None:
    skins = [complexion.invent(np.random.default_rng([0, subject]), subject).skin for subject in range(8)]
    distances = [np.abs(np.subtract(a, b)).max() for i, a in enumerate(skins) for b in skins[:i]]
    assert min(distances) > 5


@pytest.mark.parametrize(
    ("units", "moved", "still"),
    [({1: 1, 2: 1}, BROWS, MOUTH), ({4: 1}, BROWS, MOUTH), ({12: 1}, MOUTH, BROWS), ({26: 1, 25: 1}, MOUTH, BROWS)],
    ids=["raised brows", "lowered brows", "smile", "dropped jaw"],
)
def test_a_unit_changes_its_own_part_of_the_face(
    face: faces.Face, units: dict[int, float], moved: tuple[slice, slice], still: tuple[slice, slice]
) -> None:
    assert change(face, units, moved) > 10 * change(face, units, still)


def test_a_blink_hides_the_iris_behind_skin(face: faces.Face) -> None:
    iris = (slice(53, 58), slice(62, 70))
    assert shown(face, {45: 1})[iris].mean() > shown(face, {})[iris].mean() + 40


def test_a_stronger_unit_moves_the_skin_further() -> None:
    x, y = complexion.grid(40)
    fields = action_units.displacements(x, y, complexion.MIDDLE)
    assert fields.shape == (len(UNITS), 40, 40, 2)
    raised, lowered = fields[COLUMN[2], ..., 1], fields[COLUMN[4], ..., 1]
    assert raised.min() < -5  # upwards
    assert lowered.max() > 3  # downwards
    assert not fields[COLUMN[45]].any()  # the lids are drawn, not moved


def test_displacements_are_mirror_images() -> None:
    x, y = complexion.grid(64)
    middle = float(x.mean())
    fields = action_units.displacements(x, y, middle)
    np.testing.assert_allclose(fields[..., 0], -fields[:, :, ::-1, 0], atol=1e-4)
    np.testing.assert_allclose(fields[..., 1], fields[:, :, ::-1, 1], atol=1e-4)


def test_light_makes_the_picture_brighter(face: faces.Face) -> None:
    assert shown(face, {}, light=1.1).mean() > shown(face, {}).mean() > shown(face, {}, light=0.9).mean()


def test_a_hand_covers_only_where_it_is_and_may_hang_over_the_edge(face: faces.Face) -> None:
    at_rest = faces.render(face, faces.Look(action_units.intensities({})))
    covered = faces.render(face, faces.Look(action_units.intensities({}), hand=(150.0, 160.0)))
    outside = faces.render(face, faces.Look(action_units.intensities({}), hand=(300.0, 10.0)))
    np.testing.assert_array_equal(covered[:, :140], at_rest[:, :140])
    assert (covered[170:, 180:] != at_rest[170:, 180:]).any()
    np.testing.assert_array_equal(outside, at_rest)


def test_every_emotion_is_told_from_every_other_by_its_units() -> None:
    rows = np.stack([action_units.intensities(units) for units in action_units.PROTOTYPES.values()])
    gaps = np.linalg.norm(rows[:, None] - rows[None], axis=-1)[np.triu_indices(len(rows), 1)]
    assert len(rows) == 6
    assert gaps.min() > 1
