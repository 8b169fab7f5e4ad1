"""Our convolution is torch's, and unusable positions give nothing."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from pipeline.detectors.fedn.convolution import Convolution, ConvolutionBlock


@pytest.mark.parametrize(
    ("length", "kernel", "stride"), [(64, 3, 1), (64, 3, 2), (2, 3, 2), (7, 3, 2), (9, 5, 2), (4, 1, 1)]
)
def test_it_is_the_convolution_of_torch(length: int, kernel: int, stride: int) -> None:
    ours = Convolution(3, 5, kernel, stride)
    weight = ours.taps.weight.unflatten(1, (kernel, 3)).transpose(1, 2)  # (5, 3, kernel)
    inputs = torch.randn(2, length, 3)
    theirs = F.conv1d(inputs.transpose(1, 2), weight, ours.taps.bias, stride=stride, padding=kernel // 2)
    torch.testing.assert_close(ours(inputs), theirs.transpose(1, 2))


def test_unusable_positions_come_out_as_zeros() -> None:
    usable = torch.tensor([[True, False, True]])
    outputs = ConvolutionBlock(4, 6, kernel=3)(torch.randn(1, 3, 4), usable)
    assert outputs[0, 1].abs().sum() == 0
    assert outputs[0, [0, 2]].abs().sum() > 0
