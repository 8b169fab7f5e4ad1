"""Nested runs: a subject's threshold is chosen where nothing has met the subject, and plain runs stay as they are."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from cache.tables import intervals, searches
from cache.tables.intervals import Detection, Expression
from cache.tables.searches import Search
from cache.weights import detector_card
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
DETECTORS, NESTED = Path("results/detectors"), Path("results/nested.parquet")
PAIRS = {"without-ann+ben", "without-ann+cem", "without-ben+cem"}


def nest() -> None:
    """Set `nested` of the tiny corpus."""
    path = Path("configs/corpora/tiny.yaml")
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["overrides"]["train"] |= {"nested": True}
    path.write_text(yaml.safe_dump(described), encoding="utf-8")


def figures() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(Path("results/tiny/figures.json").read_text(encoding="utf-8"))
    return told


def test_a_nested_run_trains_a_detector_without_each_two_subjects_and_says_first_what_it_costs(
    begin: Begin, stage: Run, facespan: Run
) -> None:
    begin("detect")
    plain = {path.name: path.read_bytes() for path in DETECTORS.iterdir()}
    before = Path("results/detections.parquet").read_bytes()
    nest()
    told = stage("train")
    assert told.code == 0, told.err
    cost = (
        "train: nested: 3 detectors that leave two subjects out besides 4; 3 of the 7 are to be trained. All take 1.8"
    )
    assert 0 < told.err.index(cost) < told.err.index("frames of 3 videos are in memory")
    assert told.err.count("instead of 30 (configs/params.yaml)") == 1  # what a corpus overrides is said once
    assert "7 detectors (3 new, 4 kept)" in told.out
    now = {path.name: path.read_bytes() for path in DETECTORS.iterdir()}
    assert now.items() >= plain.items()
    assert now.keys() - plain.keys() == {f"{name}.safetensors" for name in PAIRS}
    assert "by 3 detectors that left two subjects out" in stage("detect").out
    assert Path("results/detections.parquet").read_bytes() == before  # what is scored stays what it was
    found = intervals.read(NESTED, Detection)
    assert {row.detector for row in found} == PAIRS
    assert all(row.subject in row.detector for row in found)
    told = stage("evaluate")
    assert told.code == 0, told.err
    assert "nested thresholds" in told.out
    assert json.loads(Path("results/tiny/metrics.json").read_text("utf-8"))["nested"] is True
    assert "that no detector behind it saw (nested)" in facespan("scores", "tiny").out


def test_a_run_that_is_not_nested_says_nothing_of_it_and_goes_back_to_its_own_detectors(
    begin: Begin, stage: Run
) -> None:
    begin("evaluate")
    metrics = Path("results/tiny/metrics.json").read_bytes()
    assert b"nested" not in metrics
    assert figures()["nested"] is False
    assert intervals.read(NESTED, Detection) == []
    plain = Path("configs/corpora/tiny.yaml").read_text("utf-8")
    nest()
    assert stage("train", "detect", "evaluate").code == 0
    Path("configs/corpora/tiny.yaml").write_text(plain, "utf-8")
    told = stage("train")
    assert "4 detectors (0 new, 4 kept)" in told.out
    assert "without-ann+ben.safetensors belongs to no fold of this corpus and is removed" in told.err
    assert stage("detect", "evaluate").code == 0
    assert Path("results/tiny/metrics.json").read_bytes() == metrics


def test_nothing_of_a_subject_changes_its_nested_threshold(begin: Begin, stage: Run) -> None:
    begin("extract")
    nest()
    assert stage("train", "detect", "evaluate").code == 0
    before = {name: row["threshold"] for name, row in figures()["per_subject"].items()}
    path = Path("data/expressions.parquet")
    # Ann's expressions were annotated elsewhere: every detector that learned from her is another one now.
    moved = [
        dataclasses.replace(row, start=row.start + 40, stop=row.stop + 17, apex=intervals.NO_APEX)
        if row.subject == "ann" and row.stop < 130
        else row
        for row in intervals.read(path, Expression)
    ]
    keys = {card.fold: card.key for card in detector_card.read_folder(DETECTORS).values()}
    intervals.write(path, Expression, moved)
    assert "(4 new, 3 kept)" in stage("train").out
    assert stage("detect", "evaluate").code == 0
    now = {card.fold: card.key for card in detector_card.read_folder(DETECTORS).values()}
    assert {name for name in keys if keys[name] == now[name]} == {"without-ann", "without-ann+ben", "without-ann+cem"}
    after = {name: row["threshold"] for name, row in figures()["per_subject"].items()}
    assert after["ann"] == before["ann"]
    assert after != before


def test_nested_detections_of_other_detectors_choose_nothing(begin: Begin, stage: Run) -> None:
    begin("extract")
    nest()
    assert stage("train", "detect").code == 0
    rows, search = intervals.read(NESTED, Detection), searches.read(NESTED)
    searches.write(NESTED, rows, Search(search.encoder, {**search.searched, "without-ann+ben": "0" * 64}))
    told = stage("evaluate")
    assert told.code == ExitCode.INPUT
    assert "the nested detections are not of the 3 detectors there that leave two subjects out" in told.err
    odd = [dataclasses.replace(rows[0], video="cem_1", subject="cem", detector="without-ann+ben"), *rows[1:]]
    searches.write(NESTED, odd, search)
    told = stage("evaluate")
    assert told.code == ExitCode.INPUT
    assert "in cem_1 is of without-ann+ben, which may not search it" in told.err
    (DETECTORS / "without-ann+ben.safetensors").unlink()
    told = stage("detect")
    assert told.code == ExitCode.INPUT
    assert "of 3 detectors that leave two subjects out, 1 are missing, the one without ann and ben" in told.err
