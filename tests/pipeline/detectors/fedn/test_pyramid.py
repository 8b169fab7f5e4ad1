"""Levels halve from one to the next, and know which of their positions saw a face."""

from __future__ import annotations

import torch

from pipeline.detectors.fedn.pyramid import Pyramid


def test_levels_have_16_8_4_and_2_positions() -> None:
    pyramid = Pyramid(8, block_widths=(8, 8), neck_widths=(8, 8, 12, 12), kernel=3)
    levels = pyramid(torch.randn(3, 64, 8), torch.ones(3, 64, dtype=torch.bool))
    assert [tuple(level.features.shape) for level in levels] == [(3, 16, 8), (3, 8, 8), (3, 4, 12), (3, 2, 12)]


def test_a_position_is_usable_when_any_segment_below_it_is() -> None:
    pyramid = Pyramid(4, block_widths=(4, 4), neck_widths=(4, 4, 4, 4), kernel=3)
    usable = torch.zeros(1, 64, dtype=torch.bool)
    usable[0, 21] = True  # the fifth position of four segments, the third of eight, the second of 16, the first of 32
    levels = pyramid(torch.randn(1, 64, 4) * usable[..., None], usable)
    assert [level.usable[0].nonzero().flatten().tolist() for level in levels] == [[5], [2], [1], [0]]
    assert all(level.features[~level.usable].abs().sum() == 0 for level in levels)
