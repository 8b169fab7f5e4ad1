"""Logits cost what the paper says, and scores are probabilities."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from pipeline.detectors.fedn.classification import CLASSIFICATIONS, IGNORED, NEGATIVE, focal_loss

NAMES = sorted(CLASSIFICATIONS)


def logits_for(name: str, classes: int = 3, predictions: int = 5) -> torch.Tensor:
    return torch.randn(2, predictions, sum(CLASSIFICATIONS[name].outputs(classes)))


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.5, 0.0), (0.9, 1.5)])
def test_focal_loss_is_the_one_of_torchvision(alpha: float, gamma: float) -> None:
    logits, targets = torch.randn(50), (torch.rand(50) > 0.7).float()
    torch.testing.assert_close(
        focal_loss(logits, targets, alpha, gamma), sigmoid_focal_loss(logits, targets, alpha, gamma)
    )


def test_gamma_0_without_alpha_is_binary_cross_entropy() -> None:
    logits, targets = torch.randn(50), (torch.rand(50) > 0.7).float()
    plain = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    torch.testing.assert_close(focal_loss(logits, targets, None, 0.0), plain)


def test_gamma_0_and_alpha_one_half_is_half_of_binary_cross_entropy() -> None:
    logits, targets = torch.randn(50), (torch.rand(50) > 0.7).float()
    plain = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    torch.testing.assert_close(focal_loss(logits, targets, 0.5, 0.0), plain / 2)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss_of_certain_answers_has_finite_slopes(gamma: float) -> None:
    logits = torch.tensor([200.0, -200.0, 200.0, -200.0], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([1, 1, 0, 0]), 0.25, gamma)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert logits.grad.isfinite().all()


def test_joint_classes_of_a_negative_are_all_zero() -> None:
    # Scores of one half everywhere: each class costs alpha or 1 - alpha times ln 2, here one half either way.
    loss = CLASSIFICATIONS["joint"].loss(torch.zeros(1, 3, 4), torch.tensor([[NEGATIVE, 2, IGNORED]]), 0.5, 0.0)
    torch.testing.assert_close(loss, torch.tensor([[2 * math.log(2), 2 * math.log(2), 0.0]]))
    certain = torch.full((1, 1, 4), -50.0)
    assert CLASSIFICATIONS["joint"].loss(certain, torch.tensor([[NEGATIVE]]), 0.5, 0.0).item() < 1e-9


def test_confidence_is_asked_of_all_and_the_class_of_the_positive_only() -> None:
    # Zeros: confidence costs ln 2 / 2; which of four equally likely classes costs ln 4.
    classes = torch.tensor([[NEGATIVE, 2, IGNORED]])
    loss = CLASSIFICATIONS["confidence"].loss(torch.zeros(1, 3, 5), classes, 0.5, 0.0)
    torch.testing.assert_close(loss, torch.tensor([[math.log(2) / 2, math.log(2) / 2 + math.log(4), 0.0]]))


def test_confidence_and_class_of_a_positive_weigh_alike_without_alpha() -> None:
    # Zeros: confidence costs ln 2, which of two classes ln 2.
    loss = CLASSIFICATIONS["confidence"].loss(torch.zeros(1, 2, 3), torch.tensor([[NEGATIVE, 1]]), None, 0.0)
    torch.testing.assert_close(loss, torch.tensor([[math.log(2), 2 * math.log(2)]]))


def test_an_objectness_is_added_to_the_logit_of_every_class() -> None:
    logits = torch.tensor([[[1.0, -3.0, 0.5]]])  # o = 1, c = (-3, 0.5)
    scores = CLASSIFICATIONS["objectness"].scores(logits)
    torch.testing.assert_close(scores, torch.tensor([[[-2.0, 1.5]]]).sigmoid())
    loss = CLASSIFICATIONS["objectness"].loss(logits, torch.tensor([[1]]), None, 0.0)
    # Class 0 is to be 0: ln(1 + e^-2); class 1 is to be 1: ln(1 + e^-1.5).
    torch.testing.assert_close(loss, torch.tensor([[math.log1p(math.exp(-2)) + math.log1p(math.exp(-1.5))]]))


def test_spotting_asks_only_whether_there_is_an_expression() -> None:
    loss = CLASSIFICATIONS["spotting"].loss(torch.full((1, 3, 1), 9.0), torch.tensor([[0, 3, NEGATIVE]]), 0.5, 0.0)
    assert loss[0, 0] == loss[0, 1] < 1e-3
    assert loss[0, 2] > 4


def test_scores_of_a_confidence_branch_sum_to_the_confidence() -> None:
    logits = torch.tensor([[[0.0, 1.0, 1.0, 1.0]]])  # confidence one half, three equal classes
    torch.testing.assert_close(CLASSIFICATIONS["confidence"].scores(logits), torch.full((1, 1, 3), 0.5 / 3))


@pytest.mark.parametrize(("name", "width"), [("joint", 3), ("objectness", 3), ("confidence", 3), ("spotting", 1)])
def test_scores_are_probabilities_of_each_class(name: str, width: int) -> None:
    scores = CLASSIFICATIONS[name].scores(logits_for(name))
    assert scores.shape == (2, 5, width)
    assert ((scores > 0) & (scores < 1)).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_ignored_teaches_nothing(name: str, dtype: torch.dtype) -> None:
    logits = logits_for(name).to(dtype).requires_grad_()
    classes = torch.tensor([[0, IGNORED, NEGATIVE, 2, IGNORED]] * 2)
    loss = CLASSIFICATIONS[name].loss(logits, classes, 0.25, 2.0)
    loss.sum().backward()
    assert loss.dtype == torch.float32
    assert (logits.grad[classes == IGNORED] == 0).all()
    assert (logits.grad[classes != IGNORED].abs().sum(-1) > 0).all()
