"""Windows cover every frame and none is skipped at the end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.windows import sliding


def test_the_last_window_ends_with_the_video() -> None:
    # 0-128, 32-160 fit whole strides into 170 frames; the last is pulled back from 64-192 to 42-170.
    assert sliding.slide(170, 128, 32).tolist() == [[0, 128], [32, 160], [42, 170]]


def test_a_video_of_whole_strides_needs_no_extra_window() -> None:
    assert sliding.slide(160, 128, 32).tolist() == [[0, 128], [32, 160]]


@pytest.mark.parametrize("frame_count", [1, 127, 128])
def test_a_short_video_is_one_window_with_padding(frame_count: int) -> None:
    assert sliding.slide(frame_count, 128, 32).tolist() == [[0, 128]]


@given(st.integers(1, 500), st.integers(1, 150), st.integers(1, 150))
def test_every_frame_lies_in_a_window_and_no_window_repeats(frame_count: int, length: int, stride: int) -> None:
    found = sliding.slide(frame_count, length, min(stride, length))
    seen = np.zeros(max(frame_count, length), bool)
    for start, stop in found:
        seen[start:stop] = True
    assert seen.all()
    assert (np.diff(found[:, 0]) > 0).all()
    assert (found[:, 1] - found[:, 0] == length).all()
    assert found.dtype == np.int64


def test_at_every_rate_windows_cover_the_video_until_one_holds_it_all() -> None:
    # 300 frames: windows of 128 at rate 1, of 512 at rate 4; at rate 16 nothing could be new.
    starts, rates = sliding.slide_at_rates(300, 128, 64, [1, 4, 16])
    assert starts.tolist() == [0, 64, 128, 172, 0]
    assert rates.tolist() == [1, 1, 1, 1, 4]
    assert sliding.slide_at_rates(128, 128, 64, [1, 4]).rates.tolist() == [1]
    # Half a window of 128 at rate 1 is 16 steps at rate 4.
    assert sliding.least_lengths(128, [1, 4, 8]) == [0, 16, 32]
    assert sliding.slide_at_rates(600, 128, 64, [2]).starts.tolist() == [0, 128, 256, 344]


@pytest.mark.parametrize(("frame_count", "length", "stride"), [(0, 128, 32), (10, 0, 1), (10, 128, 0), (500, 128, 129)])
def test_windows_that_would_miss_frames_are_refused(frame_count: int, length: int, stride: int) -> None:
    with pytest.raises(ValueError, match="expected at"):
        sliding.slide(frame_count, length, stride)
