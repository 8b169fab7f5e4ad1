"""Estimates grow with the corpus and with what is trained, and say what they rest on or that they rest on nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.training.fold import FoldParameters
from stages.parts import train_parameters
from stages.project import corpus_file, estimates
from stages.project.survey import Sight, Survey
from stages.shell import params, workers

CPU = torch.device("cpu")


def survey_of(*counts: int) -> Survey:
    sights = [
        Sight(f"v{number}", Path(f"v{number}.mp4"), count, 30.0, 64, 48, 0) for number, count in enumerate(counts)
    ]
    return Survey("video", tuple(sights), {})


def training(**changed: Any) -> FoldParameters:
    values = params.load_section(Path("configs/params.yaml"), "train")
    return train_parameters.build({**values, **corpus_file.preset("small")[1]["train"], **changed}, "train")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "about 1 s"),
        (42.4, "about 42 s"),
        (300, "about 5 minutes"),
        (9000, "about 2.5 hours"),
        (8e5, "about 9 days"),
    ],
)
def test_a_length_of_time_is_said_as_people_say_it(seconds: float, told: str) -> None:
    assert estimates.duration(seconds) == told


def test_training_counts_detectors_epochs_and_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    # 3200 frames are 100 windows of stride 32, in 7 batches of 16; 5 people are 6 detectors, in 3 rounds of 2.
    monkeypatch.setattr(estimates, "try_step", lambda *_: 0.5)
    monkeypatch.setattr(workers, "count", lambda asked, tasks: 2)
    found = estimates.of_training(survey_of(3200), 5, 3, training(epochs=10), CPU)
    assert found.seconds == 3 * 7 * 10 * 0.5
    assert found.why.startswith("at most: 6 detectors, 2 at once, 70 steps each; one of 16 windows took 0.50 s on cpu")


def test_one_long_video_is_aligned_by_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "try_alignment", lambda *_: estimates.Tried(2.0, 20, 400_000))
    monkeypatch.setattr(workers, "count", lambda asked, tasks: 2)
    assert estimates.of_alignment(survey_of(100, 100), "builtin", 95).seconds == 10.0
    assert estimates.of_alignment(survey_of(180, 20), "builtin", 95).seconds == 18.0
    assert estimates.of_alignment(survey_of(180, 20), "builtin", 95).why.endswith("4 MB of frames")


def test_a_step_is_tried_on_one_thread_and_leaves_threads_as_they_were() -> None:
    before = torch.get_num_threads()
    assert estimates.try_step(training(batch_size=2), 3, CPU) > 0
    assert torch.get_num_threads() == before


def test_what_is_not_tried_out_is_said_not_to_be_known() -> None:
    assert estimates.of_alignment(survey_of(100), "openface", 95).seconds is None
    assert str(estimates.of_alignment(survey_of(100), "openface", 95)).startswith("align    not known ")
