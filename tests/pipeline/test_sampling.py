"""Every expression is trained on, and no more background than asked for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pipeline.augmentation import AugmentParameters, disturb, move
from pipeline.recordings import Cuts, Recording, Stack, stack
from pipeline.sampling import candidates, draw

CPU = torch.device("cpu")
STILL = AugmentParameters(jitter_frames=0, stretch=0, feature_shift=0, feature_dropout=0)


def stack_blank(frame_count: int, *truths: tuple[int, int]) -> Stack:
    """Return one video of zeros with these expressions."""
    recording = Recording(
        "a",
        "s",
        np.zeros((frame_count, 2), np.float16),
        np.ones(frame_count, bool),
        np.array(truths, np.int64).reshape(-1, 2),
        np.zeros(len(truths), np.int64),
    )
    return stack([recording], "none", CPU)


def test_a_window_is_positive_when_an_expression_lies_inside_whole() -> None:
    # Windows of 20 every 10 frames of 60. [12, 22] lies in 10-30 whole; in 0-20 8 of 10 frames, not more than 0.9.
    found = candidates(stack_blank(60, (12, 22)), length=20, stride=10, whole_share=0.9)
    assert found.positive.starts.tolist() == [10]
    assert found.background.starts.tolist() == [0, 20, 30, 40]


def test_a_video_of_one_frame_is_one_window() -> None:
    found = candidates(stack_blank(1, (0, 1)), length=20, stride=10, whole_share=0.9)
    assert found.positive.starts.tolist() == [0]


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (3.0, 4), (10.0, 5)])
def test_background_is_drawn_per_positive_window_and_never_twice(share: float, expected: int) -> None:
    found = candidates(stack_blank(60, (12, 22)), length=20, stride=10, whole_share=0.9)
    drawn = draw(found, share, torch.Generator().manual_seed(0)).starts.tolist()
    assert len(drawn) == len(set(drawn)) == expected
    assert 10 in drawn


def test_the_seed_decides_what_is_drawn() -> None:
    found = candidates(stack_blank(2000, (12, 22)), length=20, stride=10, whole_share=0.9)
    first, again, other = (draw(found, 3.0, torch.Generator().manual_seed(s)).starts.tolist() for s in (1, 1, 2))
    assert first == again != other


def test_windows_stay_where_they_are_without_augmentation() -> None:
    cuts = Cuts(torch.zeros(2, dtype=torch.long), torch.tensor([0.0, 40.0]), torch.ones(2))
    moved = move(cuts, stack_blank(60), 20, STILL, torch.Generator().manual_seed(0))
    assert [values.tolist() for values in moved] == [values.tolist() for values in cuts]


def test_moved_windows_stay_in_their_video() -> None:
    starts = torch.tensor([0.0, 20.0, 40.0]).repeat(200)
    cuts = Cuts(torch.zeros(600, dtype=torch.long), starts, torch.ones(600))
    parameters = dataclasses.replace(STILL, jitter_frames=8, stretch=0.2)
    moved = move(cuts, stack_blank(60), 20, parameters, torch.Generator().manual_seed(0))
    assert moved.starts.min() >= 0
    assert (moved.starts + 20 * moved.rates).max() <= 60 + 1e-4
    assert moved.rates.min() >= 0.8
    assert moved.rates.max() <= 1.2
    # The middle of a window that is far from both ends strays by the jitter and no further.
    middle = (moved.starts + 10 * moved.rates)[1::3]
    assert (middle - 30).abs().max() <= 8 + 1e-4
    assert (middle - 30).abs().max() > 6


def test_a_window_longer_than_its_video_starts_with_it() -> None:
    cuts = Cuts(torch.zeros(50, dtype=torch.long), torch.zeros(50), torch.ones(50))
    parameters = dataclasses.replace(STILL, jitter_frames=8)
    assert (move(cuts, stack_blank(1), 20, parameters, torch.Generator().manual_seed(0)).starts == 0).all()


def test_channels_are_shifted_and_silenced_for_a_whole_window() -> None:
    parameters = dataclasses.replace(STILL, feature_shift=0.5, feature_dropout=0.25)
    features = disturb(torch.zeros(100, 4, 50), parameters, torch.Generator().manual_seed(0))
    assert (features == features[:, :1]).all()
    # A quarter of 5000 is silenced; the others are shifted by 0.5 and made larger by 4 / 3.
    assert (features[:, 0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert features[:, 0][features[:, 0] != 0].std().item() == pytest.approx(0.5 * 4 / 3, abs=0.03)


def test_no_augmentation_leaves_features_alone() -> None:
    features = torch.arange(24.0).reshape(2, 3, 4)
    assert disturb(features.clone(), STILL, torch.Generator().manual_seed(0)).equal(features)


@pytest.mark.parametrize("change", [{"jitter_frames": -1}, {"stretch": 1.0}, {"feature_dropout": -0.1}])
def test_augmentation_out_of_range_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        dataclasses.replace(STILL, **change)
