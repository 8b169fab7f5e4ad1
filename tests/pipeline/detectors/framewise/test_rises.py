"""Rises over the usual face: what is smoothed over, what is usual, where an expression begins and ends."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pipeline.detectors.framewise import rises
from pipeline.detectors.framewise.rises import RiseParameters

PARAMETERS = RiseParameters(
    smoothing_frames=3, usual_share=0.1, rise_begin=0.5, rise_end=0.25, least_frames=2, greatest_frames=50
)


def of(*values: float) -> Tensor:
    """Return a curve of one class, ``(1, T, 1)``."""
    return torch.tensor(values)[None, :, None]


def found(curve: Tensor, parameters: RiseParameters = PARAMETERS) -> list[tuple[int, int, float]]:
    """Return start, stop and mean of each interval of a rise ``(1, T)``."""
    bounds, means = rises.intervals(curve, parameters)
    rows = zip(bounds[0].tolist(), means[0].tolist(), strict=True)
    return [(int(start), int(stop), round(mean, 4)) for (start, stop), mean in rows if stop > start]


def test_a_frame_counts_as_the_mean_of_the_faces_around_it() -> None:
    smoothed, seen = rises.smooth(of(0.0, 0.3, 0.6, 0.9), torch.tensor([[True, True, True, True]]), 3)
    torch.testing.assert_close(smoothed[0, :, 0], torch.tensor([0.15, 0.3, 0.6, 0.75]))
    assert seen.all()


def test_a_face_lost_for_a_moment_is_bridged_and_one_that_left_is_not() -> None:
    mask = torch.tensor([[True, True, False, True, True, False, False, False]])
    smoothed, seen = rises.smooth(of(0.8, 0.8, 99.0, 0.8, 0.8, 99.0, float("nan"), 99.0), mask, 3)
    assert seen.tolist() == [[True, True, True, True, True, False, False, False]]
    torch.testing.assert_close(smoothed[0, :, 0], torch.tensor([0.8] * 5 + [0.0] * 3))


def test_the_usual_face_is_what_a_tenth_of_the_frames_lies_below() -> None:
    # 21 frames from 0 to 1: a tenth of the way from the lowest to the highest is the third of them.
    curve = torch.linspace(0, 1, 21)[torch.randperm(21, generator=torch.Generator().manual_seed(0))][None, :, None]
    everything = torch.ones(1, 21, dtype=torch.bool)
    assert rises.usual(curve, everything, 0.1).item() == pytest.approx(0.1)
    assert rises.usual(curve, everything, 0.0).item() == 0
    assert rises.usual(curve, ~everything, 0.1).item() == 0  # nobody is there


def test_a_resting_face_that_is_taken_for_a_sad_one_rises_only_beyond_itself() -> None:
    curve, seen = of(*[0.6] * 9, 0.8), torch.ones(1, 10, dtype=torch.bool)
    risen = rises.rise(curve, seen, 0.1)[0, :, 0]
    torch.testing.assert_close(risen, torch.tensor([0.0] * 9 + [0.5]))  # half of the way from 0.6 to 1


def test_an_expression_lasts_as_long_as_it_is_above_the_lower_level_when_it_reached_the_higher() -> None:
    curve = torch.tensor([[0.1, 0.3, 0.6, 0.4, 0.2, 0.3, 0.4, 0.3, 0.0, 0.9, 0.9]])
    # Frames 5 to 7 never reach 0.5; the last run ends with the video. (0.3 + 0.6 + 0.4) / 3 = 0.4333
    assert found(curve) == [(1, 4, 0.4333), (9, 11, 0.9)]


def test_what_lasts_too_short_or_too_long_is_none() -> None:
    curve = torch.tensor([[0.9, 0.0, 0.9, 0.9, 0.0, 0.9, 0.9, 0.9, 0.9]])
    assert found(curve, dataclasses.replace(PARAMETERS, greatest_frames=3)) == [(2, 4, 0.9)]


@given(
    curve=st.lists(st.sampled_from([0.0, 0.2, 0.3, 0.6, 0.9]), min_size=1, max_size=60),
    least=st.integers(1, 9),
    greatest=st.integers(9, 40),
)
def test_the_same_as_going_through_frame_by_frame(curve: list[float], least: int, greatest: int) -> None:
    parameters = dataclasses.replace(PARAMETERS, least_frames=least, greatest_frames=greatest)
    expected, run = [], list[float]()
    for position, value in enumerate([*curve, 0.0]):
        if value > parameters.rise_end:
            run.append(value)
        else:
            if least <= len(run) <= greatest and max(run) > parameters.rise_begin:
                expected.append((position - len(run), position, round(sum(run) / len(run), 4)))
            run = []
    both = torch.tensor([curve, curve[::-1]])
    assert found(both[:1], parameters) == expected
    bounds, means = rises.intervals(both, parameters)
    assert bounds.shape[:2] == means.shape == (2, -(-len(curve) // least))  # whatever is found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"smoothing_frames": 8}, "smoothing_frames is 8, expected an odd number"),
        ({"smoothing_frames": 10**9 + 1}, "smoothing_frames is 1000000001, expected an odd number, from 1 to 999"),
        ({"usual_share": 1.0}, r"usual_share is 1.0, expected 0 up to below 1"),
        ({"rise_end": 0.6}, "rise_begin is 0.5 and rise_end 0.6, expected rise_end above 0, at most rise_begin"),
        ({"rise_end": 0.0}, "expected rise_end above 0"),
        ({"least_frames": 60}, "least_frames is 60 and greatest_frames 50, expected"),
    ],
    ids=str,
)
def test_parameters_that_contradict_each_other_are_named(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PARAMETERS, **change)  # type: ignore[arg-type]
