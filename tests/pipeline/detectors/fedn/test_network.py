"""The detector as a whole: its promises about shapes, masks, batches, and that it can learn."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor

from pipeline.detectors.fedn.classification import CLASSIFICATIONS
from pipeline.detectors.fedn.losses import detection_loss
from pipeline.detectors.fedn.network import Detector, DetectorParameters
from pipeline.detectors.fedn.targets import Targets
from tests.pipeline.networks import LOSS, PAPER, SMALL

VARIANTS = [
    replace(SMALL, segment_attention=segment, window_attention=window, head=head, classification=classification)
    for segment, window, head, classification in product(
        ("attention", "mean"),
        ("attention", "none"),
        ("decoupled", "coupled"),
        ("joint", "objectness", "confidence", "spotting"),
    )
]


def name_of(variant: DetectorParameters) -> str:
    return f"{variant.segment_attention}-{variant.window_attention}-{variant.head}-{variant.classification}"


def windows(count: int = 3, width: int = 12) -> tuple[Tensor, Tensor]:
    """Return windows of which the second lacks some faces and the third all of them."""
    generator = torch.Generator().manual_seed(4)
    mask = torch.ones(count, 128, dtype=torch.bool)
    mask[1:2] = torch.rand(128, generator=generator) > 0.3
    mask[2:3] = False
    return torch.randn(count, 128, width, generator=generator), mask


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
def test_every_variant_says_180_intervals_and_finite_gradients(variant: DetectorParameters) -> None:
    detector = Detector(variant, input_width=12, class_count=4)
    outputs = detector(*windows())
    assert outputs.intervals.shape == (3, 180, 2)
    assert outputs.logits.shape == (3, 180, sum(CLASSIFICATIONS[variant.classification].outputs(4)))
    assert (outputs.intervals[..., 0] < outputs.intervals[..., 1]).all()
    (outputs.logits.sum() + outputs.intervals.sum()).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in detector.parameters())


@pytest.mark.parametrize("variant", VARIANTS[::5], ids=name_of)
def test_a_fresh_detector_says_its_anchors_with_a_score_near_the_initial_one(variant: DetectorParameters) -> None:
    detector = Detector(variant, input_width=12, class_count=4)
    outputs = detector(*windows())
    anchored = detector.anchors.kind > 0
    torch.testing.assert_close(
        outputs.intervals[:, anchored], detector.anchors.intervals[anchored].expand(3, -1, 2), rtol=0.1, atol=16
    )
    points = detector.anchors.kind == 0
    center, stride = detector.anchors.center[points], detector.anchors.width[points]
    around = torch.stack([center - stride, center + stride], dim=-1)  # one stride to either side
    torch.testing.assert_close(outputs.intervals[:, points], around.expand(3, -1, 2), rtol=0.1, atol=16)
    confidence = detector.scores(outputs.logits).sum(-1) / detector.scores(outputs.logits).shape[-1]
    assert 0.0015 < confidence.min() < confidence.max() < 0.015


@pytest.mark.parametrize("parameters", [SMALL, *VARIANTS[5::9]], ids=name_of)
def test_a_window_does_not_depend_on_the_rest_of_the_batch(parameters: DetectorParameters) -> None:
    detector = Detector(parameters, input_width=12, class_count=4)
    features, mask = windows(7)
    together = detector(features, mask)
    for window in range(7):
        alone = detector(features[window : window + 1], mask[window : window + 1])
        torch.testing.assert_close(alone.logits[0], together.logits[window], rtol=1e-6, atol=1e-6)
        # An interval is up to 128 frames: 1e-6 of the window.
        torch.testing.assert_close(alone.intervals[0], together.intervals[window], rtol=0, atol=128e-6)


@pytest.mark.parametrize("variant", VARIANTS[::3], ids=name_of)
def test_bfloat16_says_nearly_the_same_and_its_gradients_are_finite(variant: DetectorParameters) -> None:
    detector = Detector(variant, input_width=12, class_count=4)
    exact = detector(*windows())
    with torch.autocast("cpu", torch.bfloat16):
        rough = detector(*windows())
    # Eight bits of mantissa, through some ten layers.
    torch.testing.assert_close(rough.logits.float(), exact.logits, rtol=0.02, atol=0.02)
    assert rough.intervals.dtype == torch.float32
    torch.testing.assert_close(rough.intervals, exact.intervals, rtol=0.02, atol=2)
    classes = torch.full((3, 180), -1)
    classes[0, 7] = 2
    targets = Targets(classes, torch.tensor([10.0, 40.0]).expand(3, 180, 2))
    detection_loss(rough, targets, replace(LOSS, classification=variant.classification)).total.backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in detector.parameters())


def test_frames_without_a_face_may_hold_anything() -> None:
    detector = Detector(SMALL, input_width=12, class_count=4)
    features, mask = windows()
    outputs = detector(features, mask)
    spoiled = detector(torch.where(mask[..., None], features, torch.nan), mask)
    assert torch.equal(outputs.logits, spoiled.logits)
    assert torch.equal(outputs.intervals, spoiled.intervals)


def test_a_window_without_a_face_says_finite_things() -> None:
    outputs = Detector(SMALL, input_width=12, class_count=4)(*windows())
    assert outputs.logits[2].isfinite().all()
    assert outputs.intervals[2].isfinite().all()


def test_no_window_at_all_gives_no_predictions() -> None:
    outputs = Detector(SMALL, input_width=12, class_count=4)(torch.zeros(0, 128, 12), torch.zeros(0, 128).bool())
    assert outputs.logits.shape == (0, 180, 4)
    assert outputs.intervals.shape == (0, 180, 2)


def test_features_of_another_width_are_refused_with_both_widths() -> None:
    detector = Detector(SMALL, input_width=12, class_count=4)
    with pytest.raises(ValueError, match=r"\(3, 128, 10\).*width of 12.*Train a detector on these features"):
        detector(*windows(width=10))


def test_windows_of_another_length_are_refused() -> None:
    features, mask = windows()
    with pytest.raises(ValueError, match="expected windows of 128 frames"):
        Detector(SMALL, input_width=12, class_count=4)(features[:, :64], mask[:, :64])


def test_features_of_another_encoder_need_only_another_width() -> None:
    outputs = Detector(SMALL, input_width=1024, class_count=4)(*windows(width=1024))
    assert outputs.logits.shape == (3, 180, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window_frames": 96}, "multiple of the last level's stride, 64"),
        ({"attention_heads": 3}, "width is 16, expected a multiple of attention_heads, 3"),
        ({"kernel": 4}, "odd"),
        ({"initial_score": 0.0}, "initial_score"),
        ({"neck_widths": ()}, "at least one level"),
    ],
)
def test_sizes_that_contradict_each_other_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **changes)


def test_segments_of_twelve_frames_with_an_overlap_of_six_are_a_parameter_away() -> None:
    other = replace(SMALL, window_frames=192, segment_frames=12, segment_stride=6, neck_widths=(16, 16, 32))
    outputs = Detector(other, 12, 4)(torch.randn(1, 192, 12), torch.ones(1, 192).bool())
    assert other.level_strides == (24, 48, 96)
    assert outputs.intervals.shape == (1, 6 * (8 + 4 + 2), 2)


def test_the_papers_sizes_give_35_million_weights() -> None:
    with torch.device("meta"):
        detector = Detector(PAPER, input_width=512, class_count=4)
    assert sum(weight.numel() for weight in detector.parameters()) == 35_166_865


@pytest.mark.parametrize("variant", [SMALL, VARIANTS[4]], ids=name_of)
def test_the_detector_learns_one_window_by_heart(variant: DetectorParameters) -> None:
    detector = Detector(variant, input_width=12, class_count=3)
    features, mask = torch.randn(1, 128, 12), torch.ones(1, 128, dtype=torch.bool)
    truths = torch.tensor([[20.0, 43.0], [70.0, 117.0]])
    targets = responsible(detector, truths)
    loss = replace(LOSS, classification=variant.classification)
    optimiser = torch.optim.Adam(detector.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.05, total_iters=100)
    for _ in range(100):
        optimiser.zero_grad()
        detection_loss(detector(features, mask), targets, loss).total.backward()
        optimiser.step()
        schedule.step()
    outputs = detector(features, mask)
    scores = detector.scores(outputs.logits)[0]  # (P, K)
    for emotion, truth in enumerate(truths):
        start, stop = outputs.intervals[0, scores[:, emotion].argmax()]
        shared = torch.minimum(stop, truth[1]) - torch.maximum(start, truth[0])
        hull = torch.maximum(stop, truth[1]) - torch.minimum(start, truth[0])
        assert shared / hull > 0.95


def responsible(detector: Detector, truths: Tensor) -> Targets:
    """Return targets where anchors that overlap truth k by more than half answer for it, with class k."""
    bounds = detector.anchors.intervals[None]  # (1, P, 2)
    shared = torch.minimum(bounds[..., 1], truths[:, 1:]) - torch.maximum(bounds[..., 0], truths[:, :1])
    hull = torch.maximum(bounds[..., 1], truths[:, 1:]) - torch.minimum(bounds[..., 0], truths[:, :1])
    best, truth = (shared / hull).max(0)
    classes = torch.where((best > 0.5) & (detector.anchors.kind > 0), truth, -1)
    return Targets(classes[None], truths[truth][None])
