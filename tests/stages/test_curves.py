"""`detect` keeps, of every video, what the detector that never saw its subject said at each frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cache.tables import curves, intervals, searches
from cache.tables.intervals import Detection
from stages import detect
from stages.shell.command import ExitCode
from tests.stages.conftest import FRAMES

Run = Callable[..., Any]
Begin = Callable[..., Path]
CURVES, DETECTIONS = Path("results/curves.parquet"), Path("results/detections.parquet")


def test_every_frame_of_every_video_has_the_scores_of_the_emotions(begin: Begin) -> None:
    begin("detect")
    table = curves.read(CURVES)
    assert table.classes == ("happiness", "surprise", "disgust", "anger", "fear", "sadness")
    assert set(table.groups) == {"ann_1", "ben_1", "cem_1"}
    assert table.search == searches.read(DETECTIONS)
    for row in intervals.read(DETECTIONS, Detection):
        curve = table.curve(row.video)
        assert curve.shape == (FRAMES, 6)
        assert (curve[row.start : row.stop, table.classes.index(row.emotion)] >= np.float16(row.confidence)).all()


def test_the_same_detectors_give_the_same_curves_wherever_they_go(
    begin: Begin, facespan: Run, words: Callable[[str], list[str]]
) -> None:
    begin("detect")
    assert facespan("detect", *words("detect"), "--curves", "elsewhere/curves.parquet").code == ExitCode.DONE
    assert Path("elsewhere/curves.parquet").read_bytes() == CURVES.read_bytes()


def test_a_search_that_stops_leaves_the_curves_there_were(
    begin: Begin, stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("detect")
    before, original = CURVES.read_bytes(), detect.search

    def interrupted(path: Path, *arguments: Any) -> Any:
        if path.stem == "without-cem":
            raise KeyboardInterrupt
        return original(path, *arguments)

    monkeypatch.setattr(detect, "search", interrupted)
    assert stage("detect").code == ExitCode.INTERRUPTED
    assert CURVES.read_bytes() == before
    assert not list(Path("results").glob(".*"))


def test_a_detector_that_tells_fewer_emotions_says_nothing_of_the_others() -> None:
    class Card:
        emotions = ("fear", "anger")

    curve = np.array([[0.5, 0.25]], np.float16)
    assert detect.in_columns(curve, Card(), ("anger", "joy", "fear")).tolist() == [[0.25, 0, 0.5]]  # type: ignore[arg-type]
