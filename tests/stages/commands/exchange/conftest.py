"""A tiny corpus laid out as `dvc.yaml` does, with detections that are known, and a coder who edits files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cache.tables import searches
from cache.tables.intervals import Detection

Run = Callable[..., Any]
# Expressions are annotated at frames 20 to 49 (happiness) and 90 to 125 (anger) of every video, 30 frames a second.
# Ben's threshold is chosen on the others: 0.7, which his second detection does not reach.
DETECTIONS = (
    ("ann_1", 21, 52, "happiness", 0.75),
    ("ann_1", 60, 70, "surprise", 0.7),
    ("ann_1", 130, 140, "anger", 0.1),
    ("ben_1", 20, 50, "happiness", 0.8),
    ("ben_1", 90, 126, "anger", 0.65),
    ("cem_1", 20, 50, "happiness", 0.7),
)


def put(*rows: tuple[str, int, int, str, float]) -> None:
    """Replace the detections: video, start, stop, emotion, confidence."""
    path = Path("results/detections.parquet")
    made = [
        Detection(video, start=start, stop=stop, subject=video[:3], emotion=emotion, confidence=confidence,
                  detector=f"without-{video[:3]}")
        for video, start, stop, emotion, confidence in rows
    ]  # fmt: skip
    searches.write(path, made, searches.read(path))


@pytest.fixture
def coded(begin: Callable[..., Path], stage: Run) -> Path:
    """Return a folder with an evaluated corpus of three videos in it, the current one."""
    here = begin("detect")
    put(*DETECTIONS)
    told = stage("evaluate")
    assert told.code == 0, told.err
    shutil.copy("results/detections.parquet", "results/tiny/detections.parquet")
    Path("moved").mkdir()
    for name in ("videos.parquet", "expressions.parquet"):
        shutil.move(f"data/{name}", f"moved/{name}")
    Path("moved/features").mkdir()
    shutil.move("data/features", "moved/features/ferplus")
    shutil.rmtree("data")
    Path("data").mkdir()
    shutil.move("moved", "data/tiny")
    (here / "configs/places.yaml").write_text("tiny: corpus\n", encoding="utf-8")
    return here
