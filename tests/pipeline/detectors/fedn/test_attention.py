"""The fast attention is the plain one, and frames without a face take no part in either."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pipeline.detectors.fedn.attention import (
    SEGMENT_ATTENTIONS,
    SEGMENT_SCORES,
    NoWindowAttention,
    SegmentAttention,
    SegmentMean,
    WindowAttention,
    masked_softmax,
)
from pipeline.detectors.fedn.segments import Segments
from tests.pipeline.detectors.fedn.plain_attention import PlainSegmentAttention, PlainSegmentMean, copies

SEGMENTS = Segments(window_frames=32, frames=8, stride=2)


def windows(input_width: int = 24) -> tuple[Tensor, Tensor]:
    """Return three float64 windows: all faces, some faces, and none in the first half."""
    mask = torch.ones(3, 32, dtype=torch.bool)
    mask[1] = torch.rand(32, generator=torch.Generator().manual_seed(1)) > 0.4
    mask[2, :16] = False
    return torch.randn(3, 32, input_width, dtype=torch.float64), mask


def assert_equal_with_gradients(fast: nn.Module, plain: nn.Module, features: Tensor, mask: Tensor) -> None:
    """Outputs, and gradients of features and of every weight, agree."""
    features.requires_grad_()
    weights = [features, *fast.parameters()]
    ours, theirs = fast(features, mask), plain(features, mask)
    direction = torch.randn_like(ours)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    torch.testing.assert_close(
        torch.autograd.grad(ours, weights, direction),
        torch.autograd.grad(theirs, weights, direction),
        rtol=0,
        atol=1e-9,
    )


@pytest.mark.parametrize("scores", SEGMENT_SCORES)
@pytest.mark.parametrize("segments", [SEGMENTS, Segments(32, 4, 4), Segments(32, 7, 2), Segments(30, 12, 6)], ids=str)
def test_fast_segment_attention_equals_the_plain_one(segments: Segments, scores: str) -> None:
    fast = SegmentAttention(24, 16, heads=4, segments=segments, scores=scores).double()
    plain = PlainSegmentAttention(fast, torch.zeros(16, dtype=torch.float64))
    features, mask = windows()
    length = segments.window_frames
    assert_equal_with_gradients(fast, plain, features[:, :length].clone(), mask[:, :length])


def test_fast_segment_mean_equals_the_plain_one() -> None:
    fast = SegmentMean(24, 16, heads=4, segments=SEGMENTS, scores="softmax").double()
    assert_equal_with_gradients(fast, PlainSegmentMean(fast), *windows())


def test_a_sigmoid_of_the_score_heeds_the_segments_half() -> None:
    part = SegmentAttention(24, 16, heads=4, segments=SEGMENTS, scores="sigmoid").double()
    before = part(*windows())
    with torch.no_grad():
        part.weigh.score_segment.weight += 1
    assert not torch.allclose(part(*windows()), before)


def test_the_segments_half_of_the_score_changes_nothing_under_a_softmax() -> None:
    fast = SegmentAttention(24, 16, heads=4, segments=SEGMENTS, scores="softmax").double()
    features, mask = windows()
    plain = PlainSegmentAttention(fast, 10 * torch.randn(16, dtype=torch.float64))
    torch.testing.assert_close(fast(features, mask), plain(features, mask), rtol=0, atol=1e-10)


def test_the_plain_attention_is_the_one_of_torch() -> None:
    fast = SegmentAttention(16, 16, heads=4, segments=SEGMENTS, scores="softmax").double()
    theirs = nn.MultiheadAttention(16, 4, batch_first=True, dtype=torch.float64)
    theirs.load_state_dict(
        {
            "in_proj_weight": fast.project.weight,
            "in_proj_bias": fast.project.bias,
            "out_proj.weight": fast.merge.weight,
            "out_proj.bias": fast.merge.bias,
        }
    )
    features, _ = windows(16)
    frames, usable = copies(features, torch.ones(3, 32, dtype=torch.bool), SEGMENTS)
    frames, usable = frames.flatten(0, 1), usable.flatten(0, 1)
    answers = theirs(frames, frames, frames, key_padding_mask=~usable, need_weights=False)[0] * usable[..., None]
    expected = answers.sum(1) / usable.sum(1, keepdim=True)
    ours = fast.merge(fast.attend(features, usable.unflatten(0, (3, -1)))).flatten(0, 1)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("scores", SEGMENT_SCORES)
@pytest.mark.parametrize("name", SEGMENT_ATTENTIONS)
def test_a_segment_without_a_face_gives_zeros_and_finite_gradients(name: str, scores: str) -> None:
    part = SEGMENT_ATTENTIONS[name](24, 16, 4, SEGMENTS, scores).double()
    features, mask = windows()
    features.requires_grad_()
    summaries = part(features, mask)
    # Frames 0 to 15 are masked: segment 5 ends with frame 14 (10 - 3 + 8 - 1), segment 6 with frame 16.
    assert summaries[2, :6].abs().sum() == 0
    assert summaries[2, 6].abs().sum() > 0
    summaries.sum().backward()
    assert all(weight.grad.isfinite().all() for weight in [features, *part.parameters()])
    assert features.grad[~mask].abs().sum() == 0


@pytest.mark.parametrize("scores", SEGMENT_SCORES)
@pytest.mark.parametrize("name", SEGMENT_ATTENTIONS)
def test_a_masked_frame_may_hold_anything(name: str, scores: str) -> None:
    part = SEGMENT_ATTENTIONS[name](24, 16, 4, SEGMENTS, scores).double()
    features, mask = windows()
    other = torch.where(mask[..., None], features, 1000 * torch.randn_like(features))
    torch.testing.assert_close(part(features, mask), part(other, mask), rtol=0, atol=1e-9)


def test_a_softmax_over_nothing_is_nothing() -> None:
    usable = torch.tensor([[True, False, True], [False, False, False]])
    weights = masked_softmax(torch.tensor([[1.0, 50.0, 1.0], [1.0, 2.0, 3.0]]), usable, dim=-1)
    assert weights.tolist() == [[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]


def test_equal_scores_leave_the_usable_segments_as_they_are() -> None:
    part = WindowAttention(16, 8, kernel=3)
    nn.init.zeros_(part.score.taps.weight)
    usable = torch.tensor([[True] * 5 + [False] * 3])
    segments = torch.randn(1, 8, 16) * usable[..., None]
    torch.testing.assert_close(part(segments, usable), segments)


def test_window_weights_average_one_over_the_usable_segments() -> None:
    part = WindowAttention(1, 8, kernel=3)
    usable = torch.rand(4, 64, generator=torch.Generator().manual_seed(0)) > 0.5
    usable[3] = False
    weights = part(torch.ones(4, 64, 1) * usable[..., None], usable)[..., 0]
    torch.testing.assert_close(weights.sum(1), usable.sum(1).float())
    assert weights[~usable].abs().sum() == 0


def test_without_window_attention_nothing_is_multiplied() -> None:
    segments = torch.randn(2, 8, 16)
    assert NoWindowAttention(16, 8, 3)(segments, torch.ones(2, 8, dtype=torch.bool)) is segments
