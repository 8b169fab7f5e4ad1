"""What `train` reads, and what it may remove: the corpus once, and of the folder nothing that it did not make."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cache.shards import features
from cache.weights import tensors
from stages.shell import memory
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
DETECTORS = Path("results/detectors")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_wrong_output_costs_nobody_a_file(begin: Begin, stage: Run) -> None:
    begin("extract")
    folder = Path("configs/weights")
    folder.mkdir(exist_ok=True)
    tensors.write(folder / "affectnet.safetensors", {"x": np.zeros(1, np.float32)}, {"name": "affectnet"})
    tensors.write(folder / "all.safetensors", {"x": np.ones(1, np.float32)}, {"name": "an encoder named as a fold"})
    before = contents(folder)
    told = stage("train", extra=("--output", str(folder)))
    assert told.code == ExitCode.INPUT
    assert "configs/weights/affectnet.safetensors has no card of a detector" in told.err
    assert "expected only detectors of 'tiny'" in told.err
    assert "(2 files are none)" in told.err
    assert contents(folder) == before


def test_detectors_of_another_corpus_are_left_alone(
    begin: Begin, facespan: Run, words: Callable[[str], list[str]]
) -> None:
    begin("train")
    shutil.copy("configs/corpora/tiny.yaml", "configs/corpora/other.yaml")
    before = contents(DETECTORS)
    told = facespan("train", "other", *words("train")[1:])
    assert told.code == ExitCode.INPUT
    assert "all.safetensors is of 'tiny', expected only detectors of 'other'" in told.err
    assert contents(DETECTORS) == before


def test_a_file_that_says_nothing_of_itself_is_not_replaced(begin: Begin, stage: Run) -> None:
    begin("train")
    (DETECTORS / "all.safetensors").write_bytes(b"perhaps somebody's")
    told = stage("train")
    assert told.code == ExitCode.INPUT
    assert "all.safetensors has no card of a detector" in told.err
    assert (DETECTORS / "all.safetensors").read_bytes() == b"perhaps somebody's"


def test_a_detector_of_a_subject_that_left_is_removed_and_other_files_stay(begin: Begin, stage: Run) -> None:
    here = begin("train")
    (DETECTORS / "notes.txt").write_text("mine", encoding="utf-8")
    labels = here / "corpus/expressions.csv"
    labels.write_text("".join(x for x in labels.open(encoding="utf-8") if "cem" not in x), encoding="utf-8")
    (here / "corpus/videos/cem_1.avi").unlink()
    told = stage("index", "align", "extract", "train")
    assert told.code == ExitCode.DONE, told.err
    assert "without-cem.safetensors belongs to no fold of this corpus and is removed" in told.err
    assert sorted(path.name for path in DETECTORS.iterdir()) == [
        "all.safetensors",
        "notes.txt",
        "without-ann.safetensors",
        "without-ben.safetensors",
    ]


def test_every_shard_is_read_once_for_all_folds(begin: Begin, stage: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    begin("extract")
    read: list[str] = []
    original = features.read

    def note(path: Path, *rest: Any, **named: Any) -> features.FeatureShard:
        read.append(path.name)
        return original(path, *rest, **named)

    monkeypatch.setattr(features, "read", note)
    assert "(4 new, 0 kept)" in stage("train").out
    assert sorted(read) == ["ann_1.h5", "ben_1.h5", "cem_1.h5"]


def test_whether_anything_is_to_be_trained_is_known_without_opening_a_shard(begin: Begin, stage: Run) -> None:
    here = begin("train")
    for path in (here / "data/features").glob("*.h5"):
        path.write_bytes(b"")
    assert "(0 new, 4 kept)" in stage("train").out


def test_features_larger_than_the_memory_are_refused_before_they_are_read(
    begin: Begin, stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("extract")
    monkeypatch.setattr(memory, "available_bytes", lambda: 1000)
    told = stage("train")
    assert told.code == ExitCode.INPUT
    assert "the features in data/features take 0.0 GB of memory, 0.0 GB are available" in told.err


def test_no_more_folds_are_trained_at_once_than_memory_has_room_for(
    begin: Begin, stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("extract")
    monkeypatch.setattr(memory, "available_bytes", lambda: 1_100_000_000)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    told = stage("train", extra=("--processes", "0"))
    assert told.code == ExitCode.DONE, told.err
    assert "train: 1 folds at once: memory has no room for 4 processes of about 1.0 GB each, 1.1 GB are" in told.err


@pytest.mark.whole_line
def test_processes_that_were_asked_for_are_started_with_a_warning(
    begin: Begin, stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("extract")
    monkeypatch.setattr(memory, "available_bytes", lambda: 1_100_000_000)
    told = stage("train", extra=("--processes", "2"))
    assert told.code == ExitCode.DONE, told.err
    assert "train: memory may run out: 2 processes of about 1.0 GB each" in told.err
    assert "--processes 0 takes 1" in told.err
