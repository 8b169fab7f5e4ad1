"""The whole line, from videos to scores, on a corpus of a second; and what each stage keeps, makes and removes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from cache import detections, features, manifest
from tests_support import Run, write_video

ALL = ("index", "align", "extract", "train", "detect", "evaluate")


def test_the_line_runs_from_videos_to_scores(here: Path, stage: Run) -> None:
    told = stage(*ALL)
    assert told.code == 0, told.err
    assert told.out.startswith("evaluate: 3 videos, spotting F1 ")
    metrics = json.loads((here / "results/tiny/metrics.json").read_text(encoding="utf-8"))
    assert set(metrics["spotting"]) >= {"tp", "n", "m", "precision", "recall", "f1", "map"}
    assert set(metrics["recognition"]) >= {"uf1", "accuracy"}
    assert "map" in metrics["detection"]
    assert metrics["spotting"]["m"] == 6
    found = detections.read(here / "results/detections.parquet")
    assert {row.detector for row in found} <= {"without-ann", "without-ben", "without-cem"}
    assert all(row.detector == f"without-{row.subject}" for row in found)
