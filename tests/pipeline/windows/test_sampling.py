"""Every expression is trained on, and no more background than asked for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.windows.augmentation import AugmentParameters, disturb, draw_noise, move
from pipeline.windows.membership import reach_of, visible_share
from pipeline.windows.recordings import NO_EMOTION, Cuts, Recording, Stack, stack, truths_of
from pipeline.windows.sampling import candidates, draw, most_seen

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
    found = candidates(stack_blank(60, (12, 22)), length=20, stride=10, rates=(1,), whole_share=0.9)
    assert found.positive.starts.tolist() == [10]
    assert found.background.starts.tolist() == [0, 20, 30, 40]


def test_an_expression_longer_than_a_window_belongs_to_one_of_a_coarser_rate() -> None:
    # 50 frames do not fit into 20, at rate 4 into 80; a rate of 16 is not used: 80 frames hold the whole video.
    found = candidates(stack_blank(60, (5, 55)), length=20, stride=10, rates=(1, 4, 16), whole_share=0.9)
    assert found.positive.rates.tolist() == [4]
    assert found.background.rates.unique().tolist() == [1]
    # 9 frames are under half a window at rate 1, so they belong to no window of rate 4.
    found = candidates(stack_blank(60, (12, 21)), length=20, stride=10, rates=(1, 4, 16), whole_share=0.9)
    assert found.positive.rates.unique().tolist() == [1]


@pytest.mark.parametrize("stretch", [0.7, 0.999, 1.0, 1.3])
def test_a_stretched_window_of_the_only_rate_is_its_coarsest(stretch: float) -> None:
    cuts = Cuts(torch.tensor([0]), torch.tensor([0.0]), torch.tensor([stretch]))
    assert reach_of(cuts, 20, (1,)).coarsest.tolist() == [True]
    assert reach_of(cuts, 20, (1,)).least.tolist() == [0]


@pytest.mark.parametrize("stretch", [0.76, 1.0, 1.24])
def test_a_stretched_window_counts_as_one_of_its_own_rate(stretch: float) -> None:
    # Half a window of 20 is 5 steps of a rate twice as fast, and 2.5 of one four times as fast.
    cuts = Cuts(torch.tensor([0] * 3), torch.zeros(3), torch.tensor([1.0, 2.0, 8.0]) * stretch)
    reach = reach_of(cuts, 20, (1, 2, 8))
    assert reach.least.tolist() == [0, 5, 2.5]
    assert reach.coarsest.tolist() == [False, False, True]


def test_moved_windows_keep_their_rate_and_are_shifted_in_steps() -> None:
    stacked = stack_blank(400, (100, 200))
    cuts = Cuts(torch.tensor([0, 0]), torch.tensor([160.0, 160.0]), torch.tensor([1.0, 4.0]))
    moved = move(cuts, stacked, 20, dataclasses.replace(STILL, jitter_frames=3), torch.Generator().manual_seed(3))
    assert moved.rates.tolist() == [1, 4]
    assert ((moved.starts - 160).abs() <= torch.tensor([3.0, 12.0])).all()
    stretched = move(cuts, stacked, 20, dataclasses.replace(STILL, stretch=0.2), torch.Generator().manual_seed(3))
    assert ((stretched.rates / cuts.rates - 1).abs() <= 0.2).all()
    # About their middle: 160 + 10 steps.
    torch.testing.assert_close(stretched.starts + 10 * stretched.rates, cuts.starts + 10 * cuts.rates)


def test_a_video_of_one_frame_is_one_window() -> None:
    found = candidates(stack_blank(1, (0, 1)), length=20, stride=10, rates=(1,), whole_share=0.9)
    assert found.positive.starts.tolist() == [0]


@pytest.mark.parametrize(
    ("truths", "frames", "most"),
    [
        ([], 20, 1),
        ([(12, 22)], 20, 1),
        # From 21 to 41 a window of 20 meets both; a window of 18 reaches 39, and a frame more is counted.
        ([(12, 22), (40, 50)], 20, 2),
        ([(12, 22), (40, 50)], 18, 2),
        ([(12, 22), (40, 50)], 17, 1),
        # The long one is met wherever the window lies; the short ones are too far from each other.
        ([(0, 60), (5, 10), (50, 55)], 20, 2),
        ([(10, 30), (12, 28), (14, 26), (16, 24)], 1, 4),
    ],
)
def test_the_most_expressions_that_any_window_meets_are_counted_once(
    truths: list[tuple[int, int]], frames: int, most: int
) -> None:
    assert most_seen(stack_blank(60, *truths), frames) == most


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 80), st.integers(1, 30)), max_size=12),
    st.lists(st.tuples(st.integers(0, 90), st.integers(1, 10)), max_size=12),
    st.floats(0.8, 1.2),
)
def test_no_window_meets_more_than_the_most(
    rows: list[tuple[int, int]], others: list[tuple[int, int]], rate: float
) -> None:
    videos = [[(start, start + length) for start, length in table] for table in (rows, others)]
    blank = [
        Recording(
            str(video),
            "s",
            np.zeros((110, 2), np.float16),
            np.ones(110, bool),
            np.array(truths, np.int64).reshape(-1, 2),
            np.zeros(len(truths), np.int64),
        )
        for video, truths in enumerate(videos)
    ]
    stacked = stack(blank, "none", CPU)
    starts = torch.arange(0, 100, 0.25)
    for video in range(2):
        cuts = Cuts(torch.full((len(starts),), video), starts, torch.full((len(starts),), rate))
        truths, emotions = truths_of(stacked, cuts)
        met = ((visible_share(truths, 20) > 0) & (emotions != NO_EMOTION)).sum(dim=1)
        assert met.max() <= most_seen(stacked, 20 * rate)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (3.0, 4), (10.0, 5)])
def test_background_is_drawn_per_positive_window_and_never_twice(share: float, expected: int) -> None:
    found = candidates(stack_blank(60, (12, 22)), length=20, stride=10, rates=(1,), whole_share=0.9)
    drawn = draw(found, share, torch.Generator().manual_seed(0)).starts.tolist()
    assert len(drawn) == len(set(drawn)) == expected
    assert 10 in drawn


def test_the_seed_decides_what_is_drawn() -> None:
    found = candidates(stack_blank(2000, (12, 22)), length=20, stride=10, rates=(1,), whole_share=0.9)
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
    noise = draw_noise(100, 50, parameters, torch.Generator().manual_seed(0))
    features = disturb(torch.zeros(100, 4, 50), noise)
    assert (features == features[:, :1]).all()
    # A quarter of 5000 is silenced; the others are shifted by 0.5 and made larger by 4 / 3.
    assert (features[:, 0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert features[:, 0][features[:, 0] != 0].std().item() == pytest.approx(0.5 * 4 / 3, abs=0.03)


def test_no_augmentation_leaves_features_alone() -> None:
    features = torch.arange(24.0).reshape(2, 3, 4)
    assert disturb(features.clone(), draw_noise(2, 4, STILL, torch.Generator().manual_seed(0))).equal(features)


@pytest.mark.parametrize("change", [{"jitter_frames": -1}, {"stretch": 1.0}, {"feature_dropout": -0.1}])
def test_augmentation_out_of_range_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        dataclasses.replace(STILL, **change)
