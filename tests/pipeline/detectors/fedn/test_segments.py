"""Segments are placed evenly and read without copies."""

from __future__ import annotations

import pytest
import torch

from pipeline.detectors.fedn.segments import Segments

# Four frames, segments of 4 with a stride of 2, so one frame of padding on either side:
# segment 0 is frames -1 0 1 2, segment 1 is frames 1 2 3 4, of which -1 and 4 do not exist.
TINY = Segments(window_frames=4, frames=4, stride=2)


def test_the_default_window_is_read_as_134_frames() -> None:
    segments = Segments(window_frames=128, frames=8, stride=2)
    assert (segments.count, segments.padded_frames, segments.padding) == (64, 134, (3, 3))


def test_segments_of_twelve_frames_with_a_stride_of_six_are_possible() -> None:
    segments = Segments(window_frames=126, frames=12, stride=6)
    assert (segments.count, segments.padded_frames, segments.padding) == (21, 132, (3, 3))


def test_a_frame_stands_in_every_segment_that_covers_it() -> None:
    values = torch.tensor([[10.0, 11.0, 12.0, 13.0]])
    assert TINY.split(values).tolist() == [[[0.0, 10.0, 11.0, 12.0], [11.0, 12.0, 13.0, 0.0]]]
    assert TINY.split(torch.ones(1, 4, dtype=torch.bool)).sum().item() == 6


def test_weights_are_laid_where_their_segment_is() -> None:
    weights = torch.tensor([[[9.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 9.0]]])  # the nines fall on the padding
    assert TINY.spread(weights).tolist() == [[[1.0, 2.0, 3.0, 0.0], [0.0, 4.0, 5.0, 6.0]]]


def test_a_product_with_the_band_is_the_weighted_sum_of_each_segment() -> None:
    segments = Segments(window_frames=24, frames=7, stride=3)
    weights, values = torch.randn(2, 8, 7), torch.randn(2, 24)
    torch.testing.assert_close(
        (segments.spread(weights) @ values[..., None]).squeeze(-1), (weights * segments.split(values)).sum(-1)
    )


def test_products_are_those_of_frames_that_share_a_segment() -> None:
    segments = Segments(window_frames=6, frames=4, stride=2)
    query, key = torch.randn(2, 3, 8, 5), torch.randn(2, 3, 8, 5)
    products = segments.products(query, key)
    assert products.shape == (2, 3, 4, 4, 3)  # key, query, segment
    torch.testing.assert_close(products[1, 2, 3, 0, 2], query[1, 2, 4] @ key[1, 2, 7])


@pytest.mark.parametrize(("frames", "stride"), [(4, 2), (3, 3), (5, 2), (5, 3)])
def test_the_gradient_of_products_is_that_of_small_changes(frames: int, stride: int) -> None:
    segments = Segments(window_frames=6, frames=frames, stride=stride)
    query, key = torch.randn(2, 1, 2, segments.padded_frames, 2, dtype=torch.float64, requires_grad=True).unbind(0)
    torch.autograd.gradcheck(segments.products, (query, key))


@pytest.mark.parametrize(("window", "frames", "stride"), [(128, 8, 3), (128, 8, 9), (128, 8, 0)])
def test_segments_that_do_not_fit_are_refused(window: int, frames: int, stride: int) -> None:
    with pytest.raises(ValueError, match=str(stride) if stride != 3 else "multiple of 3"):
        Segments(window, frames, stride)
