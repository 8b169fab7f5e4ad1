"""Memory estimate of training one fold, without the features, so that only as many are trained at once as fit."""

from __future__ import annotations

import math

import torch

from pipeline.detectors import registry
from pipeline.training.fold import FoldParameters

# Measured on the paper's network and the demo's, at batches of 16 to 64 (PyTorch 2.15 on a CPU), and rounded up: for
# the paper's 1.72 GB were measured and 2.12 GB are said, for the demo's 0.81 and 0.99 GB.
PROCESS_BYTES = 800_000_000  # Python, PyTorch and what its kernels set aside
# Themselves, gradients, two moments of Adam, their average, and the state that is written, twice.
COPIES_OF_WEIGHTS = 7
VALUES_PER_INPUT = 40  # kept of every frame and channel of a batch for the way back


def training_bytes(parameters: FoldParameters, input_width: int, class_count: int, longest: int) -> int:
    """Return about how many bytes a process that trains one fold on a CPU takes, without the features.

    Args:
        longest: frames of the longest video, for a network that sees it whole.
    """
    with torch.device("meta"):
        network = registry.build(parameters.network, parameters.own, input_width, class_count)
    weights = sum(value.numel() for value in network.parameters())
    rows = network.cutting.rows(math.ceil(longest / (1 - parameters.augment.stretch)))  # of the most stretched video
    inputs = parameters.train.batch_size * rows * max(network.widest, network.cutting.row_frames * input_width)
    return PROCESS_BYTES + 4 * (COPIES_OF_WEIGHTS * weights + VALUES_PER_INPUT * inputs)
