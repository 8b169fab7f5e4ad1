"""Predictions lie where the paper puts them, and decoding undoes encoding."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detectors.fedn.anchors import POINT, Anchors

RATIOS = (0.5, 0.75, 1.0, 1.5, 2.0)
ANCHORS = Anchors(128, (8, 16, 32, 64), RATIOS, largest_log_size=4.0)


def test_a_window_has_180_predictions_on_30_positions() -> None:
    assert len(ANCHORS.center) == 180
    assert [int((ANCHORS.level == level).sum()) for level in range(4)] == [96, 48, 24, 12]
    assert int((ANCHORS.kind == POINT).sum()) == 30


def test_points_lie_half_a_stride_into_their_stride() -> None:
    points = ANCHORS.kind == POINT
    assert ANCHORS.center[points & (ANCHORS.level == 2)].tolist() == [16, 48, 80, 112]
    assert ANCHORS.center[points & (ANCHORS.level == 3)].tolist() == [32, 96]


def test_anchors_last_4_to_128_frames() -> None:
    widths = ANCHORS.width[ANCHORS.kind != POINT]
    assert (widths.min().item(), widths.max().item()) == (4, 128)
    # The last position of the coarsest level, centre 96, width 0.5 * 64 and 2 * 64.
    assert ANCHORS.intervals[[-5, -1]].tolist() == [[80, 112], [32, 160]]


def test_predictions_are_ordered_by_level_then_position_then_kind() -> None:
    assert ANCHORS.kind[:7].tolist() == [POINT, 1, 2, 3, 4, 5, POINT]
    assert ANCHORS.center[:7].tolist() == [4, 4, 4, 4, 4, 4, 12]
    assert ANCHORS.width[:6].tolist() == [8, 4, 6, 8, 12, 16]


def test_an_untrained_network_says_the_anchors_themselves() -> None:
    decoded = ANCHORS.decode(torch.zeros(1, 180, 2))[0]
    anchored = ANCHORS.kind != POINT
    assert torch.equal(decoded[anchored], ANCHORS.intervals[anchored])
    assert decoded[0].tolist() == [4 - 8, 4 + 8]  # a point reaches one stride to either side


def test_numbers_mean_what_the_paper_says() -> None:
    raw = torch.zeros(1, 180, 2)
    raw[0, 3] = torch.tensor([0.25, math.log(2)])
    raw[0, 0] = torch.tensor([math.log(0.5), math.log(3)])
    decoded = ANCHORS.decode(raw)[0]
    # Anchor 3 has centre 4 and width 8: the centre moves 0.25 * 8 = 2 to 6, the width doubles to 16.
    torch.testing.assert_close(decoded[3], torch.tensor([-2.0, 14.0]))
    # Point 0 has centre 4 and stride 8: it starts 0.5 * 8 before and stops 3 * 8 after.
    torch.testing.assert_close(decoded[0], torch.tensor([0.0, 28.0]))


@given(st.floats(-20, 140), st.floats(2, 300))
def test_decoding_an_encoded_interval_gives_it_back(start: float, length: float) -> None:
    truth = torch.tensor([start, start + length], dtype=torch.float64).expand(1, 180, 2)
    decoded = ANCHORS.decode(ANCHORS.encode(truth))
    farthest = torch.stack([ANCHORS.center - start, start + length - ANCHORS.center]) / ANCHORS.width
    # A point inside the interval, at least exp(-4) strides from its ends and at most exp(4), can say it; and so can
    # an anchor whose width is within a factor of exp(4), which is 54.6.
    points = (farthest.amin(0) > 0.0184) & (farthest.amax(0) < 54.5)
    anchored = (length / ANCHORS.width).log().abs() < 4
    sayable = torch.where(ANCHORS.kind == POINT, points, anchored)
    assert sayable.any()
    torch.testing.assert_close(decoded[0, sayable], truth[0, sayable], rtol=0, atol=1e-3)


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.sampled_from([torch.float32, torch.bfloat16]))
def test_whatever_the_network_says_is_an_interval(first: float, second: float, dtype: torch.dtype) -> None:
    raw = torch.tensor([first, second], dtype=dtype).expand(1, 180, 2)
    raw = raw.clamp(-10, 10) if abs(first) > 10 else raw  # a float32 far away cannot resolve a narrow anchor
    decoded = ANCHORS.decode(raw)
    assert decoded.dtype == torch.float32
    assert decoded.isfinite().all()
    assert (decoded[..., 0] < decoded[..., 1]).all()


def test_an_interval_far_from_a_point_is_brought_to_the_bound() -> None:
    assert ANCHORS.encode(torch.tensor([100.0, 120.0]).expand(1, 180, 2)).isfinite().all()


def test_anchors_move_with_their_module_but_are_not_saved() -> None:
    assert not ANCHORS.state_dict()
    assert Anchors(128, (8,), RATIOS, 4.0).to("meta").center.device.type == "meta"


@pytest.mark.parametrize(
    ("strides", "ratios", "message"), [((8, 48), RATIOS, "multiple of a level's stride 48"), ((8,), (0.0,), "above 0")]
)
def test_anchors_that_do_not_fit_are_refused(strides: tuple[int, ...], ratios: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Anchors(128, strides, ratios, 4.0)
