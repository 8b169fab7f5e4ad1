"""What cannot be scored is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.scoring.results import VideoResult, keep_confident

SOUND: dict[str, Any] = {
    "video": "a1",
    "subject": "a",
    "frame_count": 100,
    "truth_intervals": np.array([[0, 10]]),
    "truth_classes": np.array([0]),
    "intervals": np.array([[0, 10], [20, 30]]),
    "classes": np.array([0, 1]),
    "confidence": np.array([0.7, 0.2], np.float32),
}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("frame_count", 0, "a1: frame_count is 0"),
        ("truth_intervals", np.array([[10, 10]]), r"a1: truth_intervals\[0\] is \[10, 10\]"),
        ("intervals", np.zeros((2, 3)), r"a1: intervals has shape \(2, 3\)"),
        ("truth_classes", np.array([0, 1]), r"a1: truth_classes has shape \(2,\)"),
        ("truth_classes", np.array([-1]), "a1: truth_classes holds -1"),
        ("classes", np.array([0.0, 1.0]), "a1: classes has shape .* dtype float64"),
        ("confidence", np.array([0.7]), r"a1: confidence has shape \(1,\)"),
        ("confidence", np.array([0.7, np.nan]), r"a1: confidence\[1\] is nan"),
        ("confidence", np.array([3.0, 0.5]), r"a1: confidence\[0\] is 3.0, expected 0 to 1; raw scores"),
    ],
)
def test_a_broken_video_is_refused_by_its_name_and_field(field: str, value: Any, message: str) -> None:
    VideoResult(**SOUND)
    with pytest.raises(ValueError, match=message):
        VideoResult(**SOUND | {field: value})


def test_a_detection_at_the_threshold_is_kept() -> None:
    assert keep_confident([VideoResult(**SOUND)], {"a": float(np.float32(0.7))})[0].intervals.tolist() == [[0, 10]]


def test_a_threshold_is_compared_in_double_precision() -> None:
    # The float32 nearest to 0.7 is 0.699999988.
    assert keep_confident([VideoResult(**SOUND)], {"a": 0.7})[0].intervals.tolist() == []


def test_a_subject_without_a_threshold_is_refused() -> None:
    with pytest.raises(ValueError, match=r"subject a has no threshold; thresholds are given for \['b'\]"):
        keep_confident([VideoResult(**SOUND)], {"b": 0.5})
