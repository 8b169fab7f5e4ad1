"""What a fold is said to take in memory grows with the network and the batch, and is of the size that was measured."""

from __future__ import annotations

import dataclasses

from pipeline.training.memory import training_bytes
from tests.pipeline.invented_features import fold_parameters
from tests.pipeline.networks import PAPER, fedn

SMALL = fold_parameters(32)


def test_a_larger_network_and_a_larger_batch_take_more() -> None:
    wide, many = fold_parameters(64), fold_parameters(32, batch_size=64)
    assert training_bytes(SMALL, 512, 6, 3000) < training_bytes(wide, 512, 6, 3000)
    assert training_bytes(SMALL, 512, 6, 3000) < training_bytes(many, 512, 6, 3000)


def test_the_papers_network_takes_about_two_gigabytes() -> None:
    # 1.72 GB at the peak, as the process's own accounting has it (resource.getrusage), with batches of 32 windows.
    paper = dataclasses.replace(fold_parameters(batch_size=32), own=fedn(PAPER))
    assert 1.72e9 < training_bytes(paper, 512, 6, 3000) < 2.5e9
