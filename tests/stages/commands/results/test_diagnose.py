"""The diagnosis in `figures.json` and `facespan diagnose`: kinds of errors, misses, and what mending each gives."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from cache.columns import FrameColumns
from cache.shards import features, manifest
from cache.tables import intervals, searches
from cache.tables.intervals import UNRECOGNISED, Detection, Expression
from cache.weights import detector_card
from cache.weights import tensors as weights
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
DETECTIONS, EXPRESSIONS, FEATURES = (
    Path("results/detections.parquet"),
    Path("data/expressions.parquet"),
    Path("data/features"),
)
FIGURES = Path("results/tiny/figures.json")
# Expressions are annotated at frames 20 to 49 (happiness) and 90 to 125 (anger) of every video. All detections are as
# confident, so that all are accepted.
RIGHT = ((20, 50, "happiness", 0.8), (90, 126, "anger", 0.8))


def put(rows: dict[str, tuple[tuple[int, int, str, float], ...]]) -> None:
    """Replace the detections of each video: start, stop, emotion, confidence."""
    made = [
        Detection(video, start=start, stop=stop, subject=video[:3], emotion=emotion, confidence=confidence,
                  detector=f"without-{video[:3]}")
        for video, found in rows.items()
        for start, stop, emotion, confidence in found
    ]  # fmt: skip
    searches.write(DETECTIONS, made, searches.read(DETECTIONS))


def lose_faces(video: str, start: int, stop: int) -> None:
    """Take the face out of frames of a video's features."""
    held = manifest.read(FEATURES)
    path = FEATURES / held.shards[video].file
    shard = features.read(path)
    found = shard.columns.face_found.copy()
    found[start:stop] = False
    seconds, labels, _, confidence = dataclasses.astuple(shard.columns)
    features.write(path, shard.features, FrameColumns(seconds, labels, found, confidence), shard.key, shard.layer)
    entry = manifest.describe(FEATURES, path, len(found), shard.key)
    manifest.write(FEATURES, manifest.Manifest("features", {**held.shards, video: entry}, held.run))


def diagnosis() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))["diagnosis"]
    return told


def test_every_kind_of_error_is_counted_and_weighed(begin: Begin, stage: Run, facespan: Run) -> None:
    begin("detect")
    # Of 6 expressions 5 are found, 4 of them with their emotion.
    put(
        {
            "ann_1": RIGHT,
            "ben_1": (RIGHT[0], (90, 126, "happiness", 0.8)),
            "cem_1": (RIGHT[0], (110, 150, "anger", 0.8), (52, 82, "anger", 0.8)),
        }
    )
    lose_faces("cem_1", 60, 82)
    assert stage("evaluate").code == 0
    told, figures = diagnosis(), json.loads(FIGURES.read_text(encoding="utf-8"))
    # [110, 150) and [90, 126) share 16 of 60 frames; 22 of the 30 frames of [52, 82) are without a face.
    assert told["detections"] == {
        "correct": 4, "wrong_emotion": 1, "double": 0, "face_lost": 1, "wrong_place": 1, "background": 0,
        "wrong_place_by_iou": {"0.1-0.2": 0, "0.2-0.3": 1, "0.3-0.4": 0, "0.4-0.5": 0},
    }  # fmt: skip
    assert told["misses"]["by_emotion"] == {
        "anger": {"missed": 1, "annotated": 3},
        "happiness": {"missed": 0, "annotated": 3},
    }
    assert told["misses"]["by_length"]["30-60"] == {"missed": 1, "annotated": 6}
    assert "by_intensity" not in told["misses"]  # all are of one kind
    gains = told["gains"]
    for part in ("spotting", "detection"):
        assert gains["now"][f"{part}_f1"] == figures[part]["f1"]
        assert gains["now"][f"{part}_map"] == pytest.approx(figures[part]["map"])
    # Without the one face-lost detection 5 of 6 are found with 6 detections, where it were 7.
    assert gains["now"]["spotting_f1"] == pytest.approx(2 * 5 / (7 + 6))
    assert gains["face_lost"]["spotting_f1"] == pytest.approx(2 * 5 / (6 + 6))
    assert gains["wrong_emotion"]["detection_f1"] == pytest.approx(2 * 5 / (7 + 6))
    assert gains["wrong_place"]["spotting_f1"] == pytest.approx(2 * 6 / (7 + 6))
    out = facespan("diagnose", "tiny").out
    assert out.splitlines()[0] == (
        "tiny: 7 detections accepted, 4 of them right (IoU 0.5, emotion too); 1 of 6 expressions missed"
    )
    [line] = [line.split() for line in out.splitlines() if line.startswith("  face lost")]
    assert line[2:4] == ["1", f"{2 * 5 / 12 - 2 * 5 / 13:+.3f}"]
    assert "wrong places overlap an expression: 1 by 0.2-0.3" in out
    assert json.loads(facespan("diagnose", "tiny", "--json").out) == told


def test_what_no_window_of_the_detector_holds_whole_is_cut(begin: Begin, stage: Run) -> None:
    here = begin("detect")
    put({"ann_1": RIGHT, "ben_1": RIGHT, "cem_1": RIGHT})
    assert stage("evaluate").code == 0
    assert diagnosis()["misses"]["by_window"] == {"whole": {"missed": 0, "annotated": 6}}
    # Windows of 128 frames, every 128 and the last with the video: [0, 128) and [22, 150). Neither holds [10, 140).
    rows = intervals.read(EXPRESSIONS, Expression)
    longer = [dataclasses.replace(row, start=10, stop=140) if row.video == "ann_1" and row.start == 20 else row
              for row in rows]  # fmt: skip
    intervals.write(EXPRESSIONS, Expression, longer)
    path = here / "configs/params.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values["detect"]["window_stride"] = 128
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    told = stage("evaluate")
    assert told.code == 0, told.err
    assert diagnosis()["misses"]["by_window"] == {
        "cut": {"missed": 1, "annotated": 1},
        "whole": {"missed": 0, "annotated": 5},
    }


def test_misses_are_told_by_intensity_where_there_are_macro_and_micro(begin: Begin, stage: Run) -> None:
    begin("detect")
    put({"ann_1": RIGHT, "ben_1": RIGHT[:1], "cem_1": RIGHT})
    rows = intervals.read(EXPRESSIONS, Expression)
    both = [dataclasses.replace(row, kind="micro") if row.emotion == "anger" else row for row in rows]
    intervals.write(EXPRESSIONS, Expression, both)
    assert stage("evaluate").code == 0
    assert diagnosis()["misses"]["by_intensity"] == {
        "macro": {"missed": 0, "annotated": 3},
        "micro": {"missed": 1, "annotated": 3},
    }


def test_a_detector_that_only_spots_is_told_no_wrong_emotion(begin: Begin, stage: Run) -> None:
    begin("detect")
    spotted = tuple((start, stop, UNRECOGNISED, confidence) for start, stop, _, confidence in RIGHT)
    put({"ann_1": spotted, "ben_1": spotted, "cem_1": spotted[:1]})
    told = stage("evaluate")
    assert told.code == 0, told.err
    assert diagnosis()["detections"]["correct"] == 5
    assert diagnosis()["detections"]["wrong_emotion"] == 0
    assert diagnosis()["misses"]["by_emotion"]["anger"] == {"missed": 1, "annotated": 3}
    assert {row["detection_f1"] for row in diagnosis()["gains"].values()} == {0.0}
    assert diagnosis()["gains"]["now"]["spotting_f1"] == pytest.approx(2 * 5 / (5 + 6))


def test_a_detector_that_nobody_can_build_is_named(begin: Begin, stage: Run) -> None:
    begin("detect")
    path = Path("results/detectors/without-ann.safetensors")
    card = detector_card.read(path)
    tensors, _ = weights.read(path)
    detector_card.write(path, tensors, dataclasses.replace(card, network="gone"))
    told = stage("evaluate")
    assert told.code == ExitCode.SHARD
    assert f"{path} is a detector of network 'gone'" in told.err


def test_figures_of_before_the_diagnosis_are_made_again_not_misread(begin: Begin, facespan: Run) -> None:
    begin("evaluate")
    older = json.loads(FIGURES.read_text(encoding="utf-8"))
    del older["diagnosis"]
    FIGURES.write_text(json.dumps(older), encoding="utf-8")
    told = facespan("diagnose", "tiny")
    assert told.code == ExitCode.INPUT
    assert "figures.json is of an older facespan. Run: dvc repro evaluate@tiny" in told.err


def test_metrics_hold_no_diagnosis(begin: Begin) -> None:
    begin("evaluate")
    metrics = json.loads(Path("results/tiny/metrics.json").read_text(encoding="utf-8"))
    assert metrics.keys() == {"spotting", "recognition", "detection", "guessing", "oracle"}
    assert np.all(["diagnosis" not in part for part in metrics.values()])
