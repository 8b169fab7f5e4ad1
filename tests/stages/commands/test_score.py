"""`facespan score` counts what anybody detected, says how it counted, and names what it cannot count."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from pipeline.scoring.protocols import PROTOCOLS
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[3]

EXPRESSIONS = """video,onset,offset,emotion,subject,kind
a,1,8,happy,s1,macro
a,20,40,sad,s1,micro
b,,,,s2,
c,5,9,sad,s3,macro
"""
# Half of eight frames; 19 of 21, of the wrong emotion; something in a video without expressions; exactly right.
DETECTIONS = """video,onset,offset,confidence,emotion
a,1,4,0.9,happy
a,20,38,0.8,happy
b,3,9,0.4,sad
c,5,9,0.2,sad
"""


@pytest.fixture
def score(facespan: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that types the command at two small files, of which either may be another."""
    monkeypatch.chdir(tmp_path)

    def type_at(*words: str, detections: str = DETECTIONS, expressions: str = EXPRESSIONS) -> Any:
        Path("found.csv").write_text(detections, encoding="utf-8")
        Path("known.csv").write_text(expressions, encoding="utf-8")
        return facespan("score", "--detections", "found.csv", "--expressions", "known.csv", *words)

    return type_at


def figures(score: Run, *words: str, **files: str) -> Any:
    told = score("--json", *words, **files)
    assert told.code == 0, told.err
    return json.loads(told.out)


def counts(score: Run, *words: str, **files: str) -> list[int]:
    (row,) = figures(score, *words, **files)["protocols"].values()
    return [row["tp"], row["n"], row["m"]]


def test_every_row_counts_without_a_threshold(score: Run) -> None:
    assert counts(score, "--protocol", "one_to_one") == [3, 4, 3]


def test_a_threshold_keeps_what_is_at_least_as_confident(score: Run) -> None:
    assert counts(score, "--threshold", "0.8") == [2, 2, 3]
    assert counts(score, "--threshold", "0.81") == [1, 1, 3]


def test_a_threshold_that_nothing_reaches_is_told_with_the_most_confident(score: Run) -> None:
    [note] = [line for line in score("--threshold", "1").err.splitlines() if line.startswith("note: no detection")]
    assert note == "note: no detection reaches --threshold 1: the most confident has 0.9"
    assert "no detection reaches" not in score("--threshold", "0.8").err


def test_protocols_disagree_about_half_of_eight_frames(score: Run) -> None:
    told = figures(score, "--all-protocols")["protocols"]
    assert {name: row["tp"] for name, row in told.items()} == {
        "one_to_one": 3, "megc_2020": 3, "softnet_mean_me_tst": 3, "lgsnet": 3,
        "auw_gcn": 2, "auw_gcn_2025": 2, "spotformer": 2,
    }  # fmt: skip
    assert {(row["n"], row["m"]) for row in told.values()} == {(4, 3)}


def test_a_find_in_a_declared_video_without_expressions_is_false(score: Run) -> None:
    without = EXPRESSIONS.replace("b,,,,s2,\n", "")
    told = score(expressions=without)
    assert told.code == ExitCode.INPUT
    assert "found.csv cannot be scored:\n  row 4, column video: found 'b', expected one of a, c" in told.err
    Path("videos.csv").write_text("video\na\nb\nc\n", encoding="utf-8")
    assert counts(score, "--videos", "videos.csv", expressions=without) == [3, 4, 3]


def test_half_open_and_inclusive_columns_count_the_same(score: Run) -> None:
    half_open = "video,start,stop,confidence\na,1,5,0.9\na,20,39,0.8\nb,3,10,0.4\nc,5,10,0.2\n"
    told = figures(score, "--protocol", "auw_gcn", detections=half_open)
    assert told["protocols"]["auw_gcn"]["tp"] == 2
    assert any("start and stop" in note and "onset and offset" in note for note in told["notes"])


def test_one_kind_can_be_counted_alone(score: Run) -> None:
    assert counts(score, "--kind", "macro") == [2, 4, 2]
    with_kinds = "video,onset,offset,confidence,kind\na,1,8,0.9,macro\na,20,38,0.8,micro\nc,5,9,0.2,macro\n"
    assert counts(score, "--kind", "macro", detections=with_kinds) == [2, 2, 2]
    assert counts(score, "--kind", "micro", detections=with_kinds) == [1, 1, 1]


def test_recognition_says_what_was_missed_and_what_was_false(score: Run) -> None:
    told = figures(score, "--threshold", "0.3")["recognition"]
    # Found: happy as happy, sad as happy. Missed: one sad. False: one sad.
    assert told["outcomes"] == {
        "detected": {"happy": {"happy": 1, "sad": 1}, "sad": {"happy": 0, "sad": 0}},
        "missed": {"happy": 0, "sad": 1},
        "false": {"happy": 0, "sad": 1},
    }
    assert (told["accuracy"], told["uar"]) == (1 / 2, 1 / 2)


def test_average_precision_is_told_by_class_and_over_classes(score: Run) -> None:
    told = figures(score)["detection"]
    # Happy at 0.50: right, then wrong; at 0.55 the first is half of its truth only. Sad: wrong, right, of two truths.
    assert told["ap_by_class"]["happy"]["map"] == pytest.approx(1 / 10)
    assert told["ap_by_class"]["sad"]["map"] == pytest.approx(1 / 2 * 1 / 2)
    assert told["map"] == pytest.approx((1 / 10 + 1 / 4) / 2)


def test_without_emotions_only_spotting_is_scored_and_that_is_said(score: Run) -> None:
    told = figures(score, detections="video,onset,offset,confidence\na,1,4,0.9\n")
    assert "recognition" not in told
    assert told["spotting"]["ap"]["iou50"] == pytest.approx(1 / 3)
    assert any("emotions are not scored" in note for note in told["notes"])


def test_a_detector_that_only_spots_has_a_class_of_its_own(score: Run) -> None:
    told = figures(score, detections=DETECTIONS.replace("happy", "expression").replace("sad", "expression"))
    assert told["spotting"]["tp"] == 3
    assert told["detection"]["tp"] == 0


def test_the_text_says_how_it_was_counted_and_everything_else(score: Run) -> None:
    told = score("--protocol", "spotformer").out
    for text in ("spotformer", PROTOCOLS["spotformer"].pairing, "interpolated at every point", "UAR", "(missed)"):
        assert text in told
    assert "lgsnet" in score("--all-protocols").out


def test_every_protocol_is_described_without_any_file(facespan: Run) -> None:
    told = facespan("score", "--protocols")
    assert told.code == 0
    for name, protocol in PROTOCOLS.items():
        assert f"\n{name}\n" in f"\n{told.out}"
        assert protocol.overlap in told.out


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ("a,1,4,0.9,happyy", "row 2, column emotion: found 'happyy', expected one of happy, sad, expression (did"),
        ("aa,1,4,0.9,happy", "row 2, column video: found 'aa', expected one of a, b, c (did you mean 'a'?)"),
        ("a,1,4,9,happy", "row 2, column confidence: found 9, expected 0 to 1"),
        ("a,4,1,0.9,happy", "row 2, column offset: found 1, expected at least the onset"),
        ("c,5,9,0.2,sad", "row 5, column video: found 'c', expected each row once"),
    ],
)
def test_a_row_that_cannot_be_scored_is_named(score: Run, changed: str, told: str) -> None:
    ended = score(detections=DETECTIONS.replace("a,1,4,0.9,happy", changed))
    assert ended.code == ExitCode.INPUT
    assert f"found.csv cannot be scored:\n  {told}" in ended.err


def test_classes_without_an_expression_can_be_named(score: Run) -> None:
    surprised = DETECTIONS.replace("0.4,sad", "0.4,surprised")
    assert score(detections=surprised).code == ExitCode.INPUT
    told = figures(score, "--classes", "happy, sad, surprised", detections=surprised)
    assert told["recognition"]["outcomes"]["false"] == {"happy": 0, "sad": 0, "surprised": 1}


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("a,1,100\nb,1,100\nc,6,100\n", "row 5, column onset: found 5, expected at least 6, the video's first frame"),
        ("a,1,30\nb,1,100\nc,1,100\n", "row 3, column offset: found 40, expected at most 30, where the video ends"),
    ],
)
def test_a_frame_base_that_contradicts_the_declared_one_is_named(score: Run, declared: str, told: str) -> None:
    Path("videos.csv").write_text("video,first_frame,frame_count\n" + declared, encoding="utf-8")
    ended = score("--videos", "videos.csv")
    assert ended.code == ExitCode.INPUT
    assert f"known.csv cannot be scored:\n  {told}" in ended.err


@pytest.mark.parametrize(
    "words", [("--protocol", "lgs"), ("--threshold", "2"), ("--threshold", "nan"), ("--kind", "mikro")]
)
def test_a_word_that_means_nothing_is_a_fault_of_usage(score: Run, words: tuple[str, ...]) -> None:
    ended = score(*words)
    assert ended.code == ExitCode.USAGE
    assert "expected" in ended.err


def test_our_own_tables_work_as_they_are(begin: Begin, facespan: Run) -> None:
    begin("evaluate")
    evaluated = json.loads(Path("results/tiny/figures.json").read_text(encoding="utf-8"))
    words = ["--detections", "results/detections.parquet", "--expressions", "data/expressions.parquet"]
    # The tiny detector names emotions that nobody showed.
    words += ["--videos", "data/videos.parquet", "--classes", ",".join(evaluated["recognition"]["confusion"])]
    told = facespan("score", *words, "--json")
    assert told.code == 0, told.err
    scored = json.loads(told.out)
    # Average precision asks no threshold, so `evaluate` and `score` have to agree.
    for part in ("spotting", "detection"):
        assert scored[part]["ap"] == pytest.approx(evaluated[part]["ap"])
    assert scored["notes"] == []


# Types the command and says the most memory that it took.
AND_ITS_PEAK = """
import resource, sys
from stages.commands import app
try:
    app.main()
finally:
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=sys.stderr)
"""


def test_a_large_file_takes_no_more_memory_than_its_size(tmp_path: Path) -> None:
    count, videos = 1_500_000, 300
    number = np.arange(count)
    found = pa.table(
        {
            "video": pa.array([f"subject_{n:03d}_video" for n in range(videos)]).take(pa.array(number % videos)),
            "onset": number // videos * 3,
            "offset": number // videos * 3 + 30,
            "confidence": (number % 99_991) / 99_991,
            "emotion": pa.array(["happy", "sad"]).take(pa.array(number % 2)),
        }
    )
    csv.write_csv(found, tmp_path / "large.csv")
    csv.write_csv(found.slice(0, 1000), tmp_path / "small.csv")
    known = "".join(f"subject_{n:03d}_video,30,60,{('happy', 'sad')[n % 2]}\n" for n in range(videos))
    (tmp_path / "known.csv").write_text("video,onset,offset,emotion\n" + known, encoding="utf-8")

    def peak(name: str) -> int:
        words = ["score", "--detections", name, "--expressions", "known.csv", "--all-protocols"]
        ended = subprocess.run(
            [sys.executable, "-c", AND_ITS_PEAK, *words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "spotformer" in ended.stdout
        return int(ended.stderr.split("peak ")[1])

    assert peak("large.csv") - peak("small.csv") <= (tmp_path / "large.csv").stat().st_size
