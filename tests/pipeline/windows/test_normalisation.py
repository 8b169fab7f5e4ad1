"""Normalised features tell what a face does, not whose it is."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.windows.normalisation import NORMALISATIONS, SMALLEST_SHARE_OF_MEAN_DEVIATION

FACES = [np.array([[0.0, 4.0], [2.0, 8.0]]), np.array([[10.0, 0.0]]), np.array([[4.0, 0.0]])]
SUBJECTS = ["a", "b", "a"]


def test_none_leaves_features_alone() -> None:
    measured = NORMALISATIONS["none"](FACES, SUBJECTS)
    assert measured.mean.tolist() == [[0, 0]] * 3
    assert measured.deviation.tolist() == [[1, 1]] * 3


def test_each_video_is_measured_by_itself() -> None:
    measured = NORMALISATIONS["video"](FACES, SUBJECTS)
    assert measured.mean.tolist() == [[1, 6], [10, 0], [4, 0]]
    assert measured.deviation[0].tolist() == [1, 2]


def test_a_subject_is_measured_over_all_its_videos() -> None:
    measured = NORMALISATIONS["subject"](FACES, SUBJECTS)
    # Subject a: channel 0 is 0, 2, 4: mean 2, variance 8 / 3; channel 1 is 4, 8, 0: mean 4, variance 32 / 3.
    assert measured.mean.tolist() == [[2, 4], [10, 0], [2, 4]]
    assert measured.deviation[0] == pytest.approx([(8 / 3) ** 0.5, (32 / 3) ** 0.5])


def test_what_never_moves_is_not_blown_up() -> None:
    assert NORMALISATIONS["video"](FACES, SUBJECTS).deviation[1].tolist() == [1, 1]
    nearly_still = NORMALISATIONS["video"]([np.array([[0.0, 0.0], [8.0, 0.002]])], ["a"])
    # The deviations are 4 and 0.001, their mean 2.0005.
    assert nearly_still.deviation[0] == pytest.approx([4, SMALLEST_SHARE_OF_MEAN_DEVIATION * 2.0005])


def test_a_video_without_a_face_has_nothing_to_measure() -> None:
    measured = NORMALISATIONS["video"]([np.empty((0, 2))], ["a"])
    assert measured.mean.tolist() == [[0, 0]]
    assert measured.deviation.tolist() == [[1, 1]]
