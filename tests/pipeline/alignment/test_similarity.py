"""A face is aligned as OpenFace does it: turned and scaled by the rigid points, placed by the middle of all 68."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cache.media import raw_frames, video_files
from cache.openface import landmarks as openface_landmarks
from cache.openface import model as openface_model
from cache.tables.videos import Video
from pipeline.alignment import similarity

Points = NDArray[np.float64]
GENERATOR = np.random.default_rng(0)
# Any 68 points do for the geometry; in millimetres, about a face.
MEAN_SHAPE = GENERATOR.uniform(-70, 70, (68, 3))
MEAN_SHAPE -= MEAN_SHAPE.mean(axis=0)


def turned(points: Points, degrees: float, scale: float, shift: tuple[float, float]) -> Points:
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points[:, :2] @ rotation.T + shift


def moved(points: Points, placement: Points) -> Points:
    return cv2.transform(points[None], placement)[0]


@pytest.mark.parametrize("degrees", [0.0, 30.0, -100.0, 180.0])
def test_a_mean_face_wherever_it_is_lands_on_the_mean_face(degrees: float) -> None:
    landmarks = turned(MEAN_SHAPE, degrees, 2.5, (400.0, 30.0))
    placement = similarity.place(landmarks, MEAN_SHAPE, 224)
    # 1.4 pixels a millimetre at 224; the middle of all points in the middle of the image.
    assert moved(landmarks, placement) == pytest.approx(1.4 * MEAN_SHAPE[:, :2] + 112)


def test_a_mean_shape_whose_middle_lies_elsewhere_takes_the_face_there() -> None:
    placement = similarity.place(MEAN_SHAPE[:, :2], MEAN_SHAPE + 10)
    assert moved(np.zeros((1, 2)), placement)[0] == pytest.approx((126, 126))  # 112 + 1.4 * 10


def test_at_112_pixels_a_millimetre_is_seven_tenths_of_a_pixel() -> None:
    placement = similarity.place(MEAN_SHAPE[:, :2], MEAN_SHAPE, 112)
    assert placement[:, :2] == pytest.approx(0.7 * np.eye(2))


def test_a_mouth_that_opens_moves_the_face_but_neither_turns_nor_scales_it() -> None:
    at_rest = turned(MEAN_SHAPE, 10, 2, (300.0, 200.0))
    speaking = at_rest.copy()
    speaking[48:68, 1] += 17.0  # the 20 points of the mouth: the middle of all 68 sinks by 17 * 20 / 68 = 5 pixels
    first, second = (similarity.place(landmarks, MEAN_SHAPE) for landmarks in (at_rest, speaking))
    assert second[:, :2] == pytest.approx(first[:, :2])
    assert second[:, 2] - first[:, 2] == pytest.approx(-first[:, :2] @ (0, 5))


def test_a_mirrored_face_is_turned_and_not_mirrored_back() -> None:
    landmarks = MEAN_SHAPE[:, :2] * (-1, 1)
    assert np.linalg.det(similarity.place(landmarks, MEAN_SHAPE)[:, :2]) > 0


def test_the_depth_of_the_mean_shape_does_not_matter() -> None:
    landmarks = turned(MEAN_SHAPE, 5, 3, (0.0, 0.0))
    with_depth, without = (similarity.place(landmarks, shape) for shape in (MEAN_SHAPE, MEAN_SHAPE[:, :2]))
    assert with_depth.tolist() == without.tolist()


def test_pixels_move_as_points_do_and_beyond_the_frame_it_is_black() -> None:
    frame = np.zeros((100, 160, 3), np.uint8)
    frame[40:43, 60:63] = 255, 128, 0  # centred on (61, 41)
    placement = np.array([[2.0, 0.0, -20.0], [0.0, 2.0, 10.0]])
    face = similarity.warp(frame, placement, 200)
    assert face.shape == (200, 200, 3)
    assert face[92, 102].tolist() == [255, 128, 0]  # 2 * (61, 41) + (-20, 10)
    bright = similarity.warp(np.full((100, 160, 3), 200, np.uint8), placement, 200)
    assert bright[5].max() == 0  # above y = 10 lies what the frame does not show
    assert bright[15].min() == 200


@pytest.mark.parametrize(
    ("landmarks", "told"),
    [
        (np.zeros((5, 2)), r"landmarks has shape \(5, 2\)"),
        (np.full((68, 2), np.nan), "not finite"),
        (np.full((68, 2), 7.0), "all lie on one point"),
    ],
)
def test_landmarks_that_make_no_face_are_refused(landmarks: Points, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        similarity.place(landmarks, MEAN_SHAPE)


@pytest.mark.parametrize(
    ("video", "output", "suffix", "fewest_decibels"),
    [
        # As it comes: 59.7 dB in the mean, 56.7 in the worst frame.
        ("default_10s.wmv", "default_10s_224_nomask_png", "png", 55.0),
        # These images of OpenFace's are JPEG: 44.8 dB.
        ("gap.mp4", "gap_224_nomask_jpg", "jpg", 43.0),
    ],
)
def test_real_frames_are_openfaces_own(
    shared: Path, video: str, output: str, suffix: str, fewest_decibels: float
) -> None:
    folder, stem = shared / "openface", Path(video).stem
    facts = Video(stem, "s", f"inputs/{video}", "video", 1, 15.0, 0, 1, 1, "0" * 64)
    recording = raw_frames.open(folder, facts)
    count = video_files.count_frames(folder / facts.path).frame_count
    found = openface_landmarks.read(folder / output / f"{stem}.csv", None, 15.0, count)
    mean_shape = openface_model.read_mean_shape(folder / openface_model.MEAN_SHAPE)
    decibels = []
    for frame in recording.play():
        if found.columns.face_found[frame.position]:
            face = similarity.warp(frame.rgb, similarity.place(found.points[frame.position], mean_shape))
            path = folder / output / f"{stem}_aligned" / f"frame_det_00_{frame.position + 1:06d}.{suffix}"
            theirs = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            decibels.append(cv2.PSNR(face, theirs))
    assert len(decibels) == found.columns.face_found.sum() > 70
    assert np.mean(decibels) >= fewest_decibels
