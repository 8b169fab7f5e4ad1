"""`found.csv` and `facespan show`: accepted detections in the corpus' own frame numbers and in seconds."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cache.columns import FrameColumns
from cache.shards import features, manifest
from cache.tables import found as found_table
from cache.tables import searches, videos
from cache.tables.intervals import Detection
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
DETECTIONS, FEATURES = Path("results/detections.parquet"), Path("data/features")


def renumber(video: str, labels: list[int] | np.ndarray[Any, Any], seconds: np.ndarray[Any, Any]) -> None:
    """Give the frames of a video other numbers and times, as a corpus with gaps has them."""
    held = manifest.read(FEATURES)
    path = FEATURES / held.shards[video].file
    shard = features.read(path)
    columns = FrameColumns(seconds, np.asarray(labels, np.int64), *dataclasses.astuple(shard.columns)[2:])
    features.write(path, shard.features, columns, shard.key, shard.layer)
    entry = manifest.describe(FEATURES, path, len(labels), shard.key)
    manifest.write(FEATURES, manifest.Manifest("features", {**held.shards, video: entry}, held.run))


def put(*rows: tuple[str, int, int, str, float]) -> None:
    """Replace the detections: video, start, stop, emotion, confidence."""
    made = [
        Detection(video, start=start, stop=stop, subject=video[:3], emotion=emotion, confidence=confidence,
                  detector=f"without-{video[:3]}")
        for video, start, stop, emotion, confidence in rows
    ]  # fmt: skip
    searches.write(DETECTIONS, made, searches.read(DETECTIONS))


PATHS = ("--results", "shown", "--data", "shown-data")
# Expressions are annotated at frames 20 to 49 (happiness) and 90 to 125 (anger) of every video.
ROWS = (
    ("ann_1", 20, 50, "happiness", 0.7),
    ("ann_1", 100, 130, "happiness", 0.6),
    ("ann_1", 60, 70, "anger", 0.1),
    ("ben_1", 20, 50, "happiness", 0.8),
    ("ben_1", 90, 126, "anger", 0.65),
    ("cem_1", 20, 50, "happiness", 0.7),
)


@pytest.fixture
def shown(begin: Begin, stage: Run) -> Path:
    """Return a folder where the first video's frames are numbered by 7s from 100, with a gap, 0.25 s each."""
    here = begin("detect")
    labels = 100 + 7 * np.arange(150)
    labels[120:] += 1000
    renumber("ann_1", labels, np.arange(150) * 0.25)
    put(*ROWS)
    told = stage("evaluate")
    assert told.code == 0, told.err
    # As `dvc.yaml` lays out what is read together: a folder a corpus.
    for link, target in (("shown", "results/tiny"), ("shown-data", "data"), ("data", "data")):
        (here / link).mkdir(exist_ok=True)
        (here / link / "tiny").symlink_to(here / target)
    (here / "results/tiny/detections.parquet").symlink_to(here / DETECTIONS)
    (here / "data/features/ferplus").symlink_to(here / "data/features")
    return here


def test_found_csv_holds_the_accepted_in_the_numbers_of_the_corpus_and_what_they_found(shown: Path) -> None:
    with (shown / "results/tiny/found.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    thresholds = json.loads((shown / "results/tiny/figures.json").read_text("utf-8"))["per_subject"]
    # Ann's threshold is chosen on ben and cem: 0.65, where all three of them are found (0.7 finds two).
    assert {name: row["threshold"] for name, row in thresholds.items()} == pytest.approx(
        {"ann": 0.65, "ben": 0.6, "cem": 0.6}, abs=1e-6
    )
    assert [(row["video"], row["confidence"], row["threshold"]) for row in rows] == [
        ("ann_1", "0.7", "0.65"),
        ("ben_1", "0.8", "0.6"),
        ("ben_1", "0.65", "0.6"),
        ("cem_1", "0.7", "0.6"),
    ]
    # 20 and 49, the last inclusive: 100 + 7 * 20 and 100 + 7 * 49; 0.25 s a frame. The annotators wrote 20 and 49.
    assert {**rows[0], "subject": "ann", "emotion": "happiness"} == rows[0]
    assert (rows[0]["onset"], rows[0]["offset"]) == ("240", "443")
    assert (rows[0]["onset_seconds"], rows[0]["offset_seconds"]) == ("5.000", "12.250")
    assert (rows[0]["truth_onset"], rows[0]["truth_offset"], rows[0]["truth_emotion"]) == ("20", "49", "happiness")
    assert rows[0]["iou"] == "1.0000"


def test_frames_are_counted_as_in_the_users_own_csv(shown: Path) -> None:
    # Nothing was renumbered in ben's video: a find is named as the annotators name the expression.
    [first, second] = [row for row in found_table.read(shown / "results/tiny/found.csv") if row.video == "ben_1"]
    assert (first.onset, first.offset) == (first.truth_onset, first.truth_offset) == (20, 49)
    assert (second.onset, second.offset) == (second.truth_onset, second.truth_offset) == (90, 125)
    assert (second.onset_seconds, second.offset_seconds) == pytest.approx((90 / 30, 125 / 30), abs=1e-3)


def test_show_prints_a_table_of_a_corpus_or_of_a_video(shown: Path, facespan: Run) -> None:
    told = facespan("show", "tiny")
    assert told.code == 0, told.err
    lines = told.out.splitlines()
    assert lines[0].split() == [
        "subject", "video", "frames", "seconds", "emotion", "confidence", "threshold", "expression", "found", "IoU",
        "error",
    ]  # fmt: skip
    expected = ["ann", "ann_1", "240-443", "5.00-12.25", "happiness", "0.700", "0.650", "20-49", "happiness", "1.00"]
    assert lines[1].split() == expected
    assert lines[-1] == "4 accepted, 4 of them found an expression (IoU 0.5)"
    assert facespan("show", "tiny", "cem_1").out.splitlines()[-1].startswith("1 accepted")


def test_show_all_adds_what_lies_below_the_threshold_across_gaps(shown: Path, facespan: Run) -> None:
    rows = json.loads(facespan("show", "tiny", "ann_1", "--all", "--json", *PATHS).out)
    assert [(row["onset"], row["offset"]) for row in rows] == [(240, 443), (520, 583), (800, 100 + 7 * 129 + 1000)]
    assert [row["confidence"] >= row["threshold"] for row in rows] == [True, False, False]
    # [100, 130) and [90, 126) share 26 of 40 frames.
    assert rows[2]["iou"] == pytest.approx(26 / 40)
    assert (rows[2]["truth_onset"], rows[2]["truth_offset"], rows[2]["truth_emotion"]) == (90, 125, "anger")
    assert rows[1]["truth_onset"] is rows[1]["iou"] is None
    text = facespan("show", "tiny", "--all", *PATHS).out
    assert [line[0] for line in text.splitlines()[1:4]] == [" ", "-", "-"]
    assert "2 below the threshold, marked by -" in text


def test_show_as_csv_is_the_file_and_as_json_the_same_rows(shown: Path, facespan: Run) -> None:
    path = shown / "results/tiny/found.csv"
    assert facespan("show", "tiny", "--csv").out == path.read_text(encoding="utf-8")
    told = json.loads(facespan("show", "tiny", "--json").out)
    assert told == [dataclasses.asdict(row) for row in found_table.read(path)]
    assert facespan("show", "tiny", "--csv", "--json").code == ExitCode.USAGE


def test_the_kind_of_error_of_each_detection_is_told_the_accepted_in_the_file_and_the_others_by_all(
    shown: Path, facespan: Run
) -> None:
    assert [row.error for row in found_table.read(shown / "results/tiny/found.csv")] == [None] * 4
    # [60, 70) overlaps nothing; [100, 130) fits anger and says happiness.
    rows = json.loads(facespan("show", "tiny", "ann_1", "--all", "--json", *PATHS).out)
    assert [row["error"] for row in rows] == [None, "background", "wrong_emotion"]
    lines = facespan("show", "tiny", "ann_1", "--all", *PATHS).out.splitlines()
    assert lines[2].endswith("  background")
    assert lines[3].endswith("  wrong emotion")


def test_a_table_of_before_kinds_of_errors_is_made_again_not_taken_for_one_without(shown: Path, facespan: Run) -> None:
    path = shown / "results/tiny/found.csv"
    lines = path.read_text("utf-8").splitlines()
    path.write_text("".join(f"{line.rpartition(',')[0]}\n" for line in lines), encoding="utf-8")
    told = facespan("show", "tiny")
    assert told.code == ExitCode.INPUT
    assert "has no column 'error'" in told.err
    assert "Tables of an older facespan lack columns: dvc repro evaluate" in told.err


def test_a_video_that_there_is_not_is_named_with_the_nearest(shown: Path, facespan: Run) -> None:
    told = facespan("show", "tiny", "ann_l")
    assert told.code == ExitCode.INPUT
    assert "there is no video 'ann_l' in data/tiny/videos.parquet (did you mean 'ann_1'?)" in told.err


def test_a_table_that_is_not_there_or_not_whole_is_named(shown: Path, facespan: Run) -> None:
    path = shown / "results/tiny/found.csv"
    path.write_text(path.read_text("utf-8").replace("0.65", "high"), encoding="utf-8")
    told = facespan("show", "tiny")
    assert told.code == ExitCode.INPUT
    assert "found.csv: row 2, column threshold: found 'high', expected a number" in told.err
    path.unlink()
    assert "found.csv is missing" in facespan("show", "tiny").err


def test_features_of_another_length_name_no_frame(shown: Path, stage: Run) -> None:
    table = [dataclasses.replace(row, frame_count=140) if row.video == "cem_1" else row
             for row in videos.read(shown / "data/videos.parquet")]  # fmt: skip
    videos.write(shown / "data/videos.parquet", table)
    told = stage("evaluate")
    assert told.code == ExitCode.SHARD
    assert "cem_1.h5 has 150 frames, its video 140" in told.err
