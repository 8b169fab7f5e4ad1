"""Rows of a coarser clock become one feature a frame."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.encoder.rows import to_frames


def test_a_row_a_frame_stays_as_it_is() -> None:
    rows = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    assert np.array_equal(to_frames(rows, 9, 0.0, 1), rows)


def test_frames_between_two_rows_lie_between_them() -> None:
    rows = np.array([[0.0], [4.0], [8.0]], np.float32)
    # 3 rows of 4 frames each, every 4: their middles are 1.5, 5.5 and 9.5.
    spread = to_frames(rows, 12, 1.5, 4)[:, 0]
    assert spread.tolist() == [0, 0, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8, 8]


def test_windows_of_sixteen_frames_every_four_fit_a_video() -> None:
    # (130 - 16) // 4 + 1 = 29 whole windows; 30 when the last one is padded.
    for count in (29, 30):
        assert to_frames(np.ones((count, 2), np.float32), 130, 7.5, 4).shape == (130, 2)
    with pytest.raises(ValueError, match="28 rows for 130 frames, expected 29 to 30"):
        to_frames(np.ones((28, 2), np.float32), 130, 7.5, 4)


def test_one_row_too_few_is_refused_where_every_frame_has_its_own() -> None:
    with pytest.raises(ValueError, match="8 rows for 9 frames, expected 9 to 9"):
        to_frames(np.ones((8, 2), np.float32), 9, 0.0, 1)
