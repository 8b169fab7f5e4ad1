"""Losses on cases worked by hand, and gradients that stay finite where there is nothing to learn from."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.detectors.fedn.classification import CLASSIFICATIONS, IGNORED, NEGATIVE
from pipeline.detectors.fedn.losses import INTERVAL_LOSSES, detection_loss
from pipeline.detectors.fedn.network import Outputs
from pipeline.detectors.fedn.targets import Targets
from tests.pipeline.networks import LOSS

# predicted, truth, IoU, uncovered share of the hull, squared share of the distance of centres
WORKED = [
    # 5 shared of 15, hull 15 without a gap, centres 5 and 10: (5 / 15) ** 2.
    ((0, 10), (5, 15), 1 / 3, 0.0, 1 / 9),
    # Nothing shared, hull 30 with a gap of 10, centres 5 and 25: (20 / 30) ** 2.
    ((0, 10), (20, 30), 0.0, 1 / 3, 4 / 9),
    # One inside the other, 4 of 20, centres 4 and 10: (6 / 20) ** 2.
    ((2, 6), (0, 20), 0.2, 0.0, 0.09),
    # Touching: nothing shared and no gap, centres 2 and 6: (4 / 8) ** 2.
    ((0, 4), (4, 8), 0.0, 0.0, 0.25),
    ((3, 7), (3, 7), 1.0, 0.0, 0.0),
]


@pytest.mark.parametrize(("predicted", "truth", "iou", "gap", "distance"), WORKED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_interval_losses_on_worked_cases(
    predicted: tuple[int, int], truth: tuple[int, int], iou: float, gap: float, distance: float, dtype: torch.dtype
) -> None:
    pair = torch.tensor([predicted], dtype=dtype), torch.tensor([truth], dtype=dtype)
    found = [INTERVAL_LOSSES[name](*pair).item() for name in ("iou", "giou", "diou")]
    assert found == pytest.approx([1 - iou, 1 - iou + gap, 1 - iou + distance], abs=1e-6)


@pytest.mark.parametrize(("name", "moves"), [("iou", False), ("giou", True), ("diou", True)])
def test_only_iou_does_not_pull_intervals_that_are_apart(name: str, moves: bool) -> None:
    predicted = torch.tensor([[0.0, 10.0]], requires_grad=True)
    INTERVAL_LOSSES[name](predicted, torch.tensor([[20.0, 30.0]])).sum().backward()
    assert predicted.grad.isfinite().all()
    assert (predicted.grad.abs().sum() > 0) == moves


def outputs_and_targets(classes: list[list[int]], name: str = "joint") -> tuple[Outputs, Targets]:
    """Every prediction says [0, 10) with logits of zero; every truth is [5, 15)."""
    wanted = torch.tensor(classes, dtype=torch.int64).reshape(-1, 4)
    width = sum(CLASSIFICATIONS[name].outputs(2))
    logits = torch.zeros(*wanted.shape, width, requires_grad=True)
    intervals = torch.tensor([0.0, 10.0]).repeat(*wanted.shape, 1).requires_grad_()
    truths = torch.tensor([5.0, 15.0]) * (wanted >= 0)[..., None]  # zeros elsewhere, an interval that does not last
    return Outputs(logits, intervals), Targets(wanted, truths)


def test_the_loss_is_the_weighted_sum_over_positives() -> None:
    outputs, targets = outputs_and_targets([[0, NEGATIVE, IGNORED, 1]])
    parameters = replace(LOSS, interval_weight=3.0, classification_weight=0.5, focal_alpha=0.5, focal_gamma=0.0)
    losses = detection_loss(outputs, targets, parameters)
    # Each of two positives is off by 1 - 1/3 + 1/9 = 7/9. Three of four count, with two classes of ln 2 / 2 each.
    assert losses.interval.item() == pytest.approx(7 / 9)
    assert losses.classification.item() == pytest.approx(3 * 0.6931472 / 2)
    assert losses.total.item() == pytest.approx(3 * 7 / 9 + 0.5 * 3 * 0.6931472 / 2)


def test_without_alpha_the_papers_two_weights_are_on_whole_losses() -> None:
    outputs, targets = outputs_and_targets([[0, NEGATIVE, IGNORED, 1]])
    losses = detection_loss(outputs, targets, replace(LOSS, focal_alpha=None, focal_gamma=0.0))
    # Three predictions count, with two classes of ln 2 each, over two positives.
    assert losses.classification.item() == pytest.approx(3 * 2 * 0.6931472 / 2)
    assert losses.total.item() == pytest.approx(7 / 9 + 3 * 0.6931472)


@pytest.mark.parametrize("interval_loss", sorted(INTERVAL_LOSSES))
@pytest.mark.parametrize("classification", sorted(CLASSIFICATIONS))
@pytest.mark.parametrize(
    "classes",
    [[[NEGATIVE] * 4], [[IGNORED] * 4], [], [[0, 1, NEGATIVE, IGNORED]]],
    ids=["none", "ignored", "empty", "some"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_are_finite(
    interval_loss: str, classification: str, classes: list[list[int]], dtype: torch.dtype
) -> None:
    outputs, targets = outputs_and_targets(classes, classification)
    parameters = replace(LOSS, interval_loss=interval_loss, classification=classification)
    losses = detection_loss(Outputs(outputs.logits.to(dtype), outputs.intervals.to(dtype)), targets, parameters)
    losses.total.backward()
    assert all(loss.isfinite() and loss.dtype == torch.float32 for loss in losses)
    assert outputs.logits.grad.isfinite().all()
    assert outputs.intervals.grad.isfinite().all()


@pytest.mark.parametrize("name", sorted(INTERVAL_LOSSES))
@settings(deadline=None)
@given(st.integers(0, 1000))
def test_the_interval_loss_is_that_of_the_positive_predictions_picked_out(name: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randint(IGNORED, 2, (3, 7), generator=generator)
    positive = classes >= 0
    bounds = torch.rand(2, 3, 7, 2, generator=generator, dtype=torch.float64).cumsum(-1) * 40
    truths = bounds[1] * positive[..., None]  # zeros elsewhere, as `assign` leaves them
    dense_in, picked = (bounds[0].clone().requires_grad_() for _ in range(2))
    parameters = replace(LOSS, interval_loss=name)
    dense = detection_loss(Outputs(torch.zeros(3, 7, 2), dense_in), Targets(classes, truths), parameters).interval
    plain = INTERVAL_LOSSES[name](picked[positive], truths[positive]).sum() / max(1, int(positive.sum()))
    dense.backward()
    plain.backward()
    torch.testing.assert_close(dense, plain, rtol=1e-12, atol=0)
    torch.testing.assert_close(dense_in.grad, picked.grad, rtol=1e-12, atol=0)
    assert (dense_in.grad[~positive] == 0).all()


@pytest.mark.parametrize("name", sorted(INTERVAL_LOSSES))
@pytest.mark.parametrize("hostile", [0.0, float("inf"), float("nan")])
def test_whatever_stands_where_nothing_is_taught_costs_nothing_and_has_no_slope(name: str, hostile: float) -> None:
    outputs, targets = outputs_and_targets([[0, NEGATIVE, IGNORED, NEGATIVE]])
    untaught = torch.tensor([False, True, True, True])[:, None]
    predicted = torch.where(untaught, hostile, outputs.intervals.detach()).requires_grad_()
    losses = detection_loss(Outputs(outputs.logits, predicted), targets, replace(LOSS, interval_loss=name))
    losses.interval.backward()
    assert losses.interval == INTERVAL_LOSSES[name](predicted[0, :1].detach(), targets.intervals[0, :1]).item()
    assert (predicted.grad[0, 1:] == 0).all()


@pytest.mark.parametrize(("name", "value"), [("focal_alpha", 1.0), ("focal_gamma", -1.0), ("interval_weight", -0.1)])
def test_parameters_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        replace(LOSS, **{name: value})
