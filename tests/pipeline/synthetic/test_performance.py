"""Invented recordings: expressions where the plan says, distractors elsewhere, all from the seed."""

from __future__ import annotations

import collections
import dataclasses

import numpy as np
import pytest

from pipeline.synthetic import action_units, performance
from pipeline.synthetic.action_units import COLUMN
from pipeline.synthetic.performance import PerformanceParameters

PARAMETERS = PerformanceParameters(
    seed=3,
    frame_rate=30,
    duration_seconds=31.0,
    fewest_expressions=5,
    most_expressions=7,
    median_length=40.0,
    length_spread=0.42,
    shortest=16,
    longest=117,
    smallest_gap=12,
    weakest=0.5,
)


@pytest.fixture(scope="module")
def acted() -> list[performance.Performance]:
    return [performance.perform(PARAMETERS, subject, video) for subject in range(8) for video in range(2)]


def test_expressions_lie_apart_and_away_from_the_ends(acted: list[performance.Performance]) -> None:
    for recording in acted:
        onsets = [played.onset for played in recording.expressions]
        offsets = [played.offset for played in recording.expressions]
        assert onsets[0] >= 12
        assert offsets[-1] < 930 - 12
        assert all(onset - offset > 12 for onset, offset in zip(onsets[1:], offsets[:-1], strict=True))


def test_expressions_are_as_long_as_asked(acted: list[performance.Performance]) -> None:
    lengths = [p.offset - p.onset + 1 for recording in acted for p in recording.expressions]
    assert min(lengths) >= 16
    assert max(lengths) <= 117
    assert 32 <= np.median(lengths) <= 48
    assert all(p.onset < p.apex < p.offset for recording in acted for p in recording.expressions)


def test_classes_are_balanced_over_the_corpus(acted: list[performance.Performance]) -> None:
    counts = collections.Counter(p.emotion for recording in acted for p in recording.expressions)
    assert set(counts) == set(performance.EMOTIONS)
    assert min(counts.values()) >= 12
    assert max(counts.values()) <= 20


def test_an_expression_begins_with_its_onset_and_ends_with_its_offset(acted: list[performance.Performance]) -> None:
    frowns = [COLUMN[unit] for unit in (1, 2, 4, 6, 9, 10, 12, 15, 17, 20)]  # units that no distractor uses
    for recording in acted[:4]:
        active = np.stack([look.units[frowns] for look in recording.looks]).max(axis=1) > 0
        labelled = np.zeros(930, bool)
        for played in recording.expressions:
            labelled[played.onset : played.offset + 1] = True
            assert active[played.onset + 4 : played.offset + 1].all()
        assert not (active & ~labelled).any()


def test_the_apex_is_the_strongest_moment(acted: list[performance.Performance]) -> None:
    for played in acted[0].expressions:
        strength = [acted[0].looks[t].units.sum() for t in range(played.onset, played.offset + 1)]
        assert strength[played.apex - played.onset] > 0.8 * max(strength)


def test_there_are_distractors_outside_expressions(acted: list[performance.Performance]) -> None:
    looks = [look for recording in acted for look in recording.looks]
    assert sum(look.units[COLUMN[45]] > 0.8 for look in looks) > 100  # blinks
    assert sum(look.units[COLUMN[26]] > 0.1 for look in looks) > 100  # speech, among jaws dropped in surprise
    assert sum(look.hand is not None for look in looks) > 100
    assert np.std([look.gaze[0] for look in looks]) > 0.5
    assert np.std([look.pose[0] for look in looks]) > 1
    assert np.std([look.light for look in looks]) > 0.01


def test_intensities_stay_between_nothing_and_full(acted: list[performance.Performance]) -> None:
    units = np.stack([look.units for recording in acted for look in recording.looks])
    assert units.min() >= 0
    assert units.max() <= 1
    assert units.shape[1] == len(action_units.UNITS)


def test_a_recording_depends_on_nothing_but_seed_subject_and_number() -> None:
    first = performance.perform(PARAMETERS, 1, 0)
    second = performance.perform(PARAMETERS, 1, 0)
    assert first.expressions == second.expressions
    np.testing.assert_array_equal(first.looks[100].units, second.looks[100].units)
    assert performance.perform(PARAMETERS, 1, 1).expressions != first.expressions
    reseeded = dataclasses.replace(PARAMETERS, seed=4)
    assert performance.perform(reseeded, 1, 0).expressions != first.expressions


def test_more_than_fits_into_a_recording_is_refused() -> None:
    with pytest.raises(ValueError, match="7 expressions of up to 117 frames need 915 frames, but a recording has 900"):
        dataclasses.replace(PARAMETERS, duration_seconds=30.0)


def test_frames_are_rendered_one_by_one() -> None:
    frames = performance.render(PARAMETERS, 0, 0, performance.perform(PARAMETERS, 0, 0))
    assert next(frames).shape == (224, 224, 3)
