"""Run records: who made what lies there, known on the machine that made it, and nowhere in what was made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stages.shell import runs
from stages.shell.runs import Record

Run = Callable[..., Any]
Begin = Callable[..., Path]
MADE = {
    "index": ["data/videos.parquet", "data/expressions.parquet"],
    "align": ["data/frames"],
    "extract": ["data/features"],
    "train": ["results/detectors"],
    "detect": ["results/detections.parquet"],
    "evaluate": ["results/tiny/metrics.json", "results/tiny/figures.json"],
}
RECORDS = Path(".dvc/facespan/runs")


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository of code that stands for ours."""
    folder = tmp_path / "code"
    for name in ("stages", "configs/fingerprints"):
        (folder / name).mkdir(parents=True)
    (folder / "stages/detect.py").write_text("print()\n", encoding="utf-8")
    (folder / "configs/fingerprints/demo.json").write_text("1", encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    monkeypatch.setattr(runs, "CODE", folder)
    return folder


def record_of(path: Path, stage: str = "detect") -> Record:
    record = runs.of(stage, path)
    assert record is not None
    return record


def test_every_stage_leaves_a_record_of_what_it_made(begin: Begin, stage: Run, code: Path) -> None:
    here = begin()
    (here / ".dvc").mkdir()
    for name, paths in MADE.items():
        assert stage(name).code == 0
        for path in paths:
            record = record_of(Path(path), name)
            assert (record.commit, record.changed) == (git(code, "rev-parse", "HEAD"), False)
            assert record.made.endswith("+00:00")
            assert record.device == ("cpu" if name in ("extract", "train", "detect") else "")
            assert record.versions.items() >= {"numpy": np.__version__, "torch": str(torch.__version__)}.items()
            assert record.seconds >= 0


def test_what_is_made_does_not_tell_of_the_run(begin: Begin, stage: Run, code: Path) -> None:
    here = begin("evaluate")
    whole = {path: path.read_bytes() for path in here.rglob("*") if path.is_file() and path.parts[-2] != "detectors"}
    (here / ".dvc").mkdir()
    assert stage(*MADE).code == 0
    assert {path: path.read_bytes() for path in whole} == whole


def test_what_is_kept_keeps_its_record(begin: Begin, stage: Run, code: Path) -> None:
    here = begin("index")
    (here / ".dvc").mkdir()
    assert stage("align", "extract", "train").code == 0
    before = {name: record_of(Path(MADE[name][0]), name) for name in ("align", "extract", "train")}
    git(code, "commit", "--quiet", "--allow-empty", "--message", "second")
    assert stage("align", "extract", "train").code == 0
    assert {name: runs.of(name, Path(MADE[name][0])) for name in before} == before
    assert "(3 new, 0 kept)" in stage("extract", extra=("--force",)).out
    assert record_of(Path("data/features"), "extract").commit == git(code, "rev-parse", "HEAD")


def test_what_a_killed_process_left_goes_also_when_nothing_is_made(begin: Begin, stage: Run, code: Path) -> None:
    begin("extract")
    Path(".dvc").mkdir()
    assert stage("train").code == 0
    left = RECORDS / "train" / f".{'a' * 64}.json.{'b' * 16}.tmp"
    left.write_text("{", encoding="utf-8")
    assert stage("train").code == 0
    assert not left.exists()


def test_what_somebody_else_made_has_no_record_though_a_stage_found_it_current(begin: Begin, stage: Run) -> None:
    here = begin("train")
    (here / ".dvc").mkdir()
    assert "(0 new, 3 kept)" in stage("align", "extract").out
    assert "(0 new, 4 kept)" in stage("train").out
    assert [runs.of(name, Path(MADE[name][0])) for name in ("align", "extract", "train")] == [None] * 3
    assert stage("detect").code == 0
    assert runs.of("detect", Path("results/detections.parquet"))


def test_a_video_that_leaves_takes_no_record_along(begin: Begin, stage: Run, code: Path) -> None:
    here = begin()
    (here / ".dvc").mkdir()
    assert stage("index", "align").code == 0
    before = record_of(Path("data/frames"), "align")
    labels = here / "corpus/expressions.csv"
    labels.write_text("".join(x for x in labels.open(encoding="utf-8") if "cem" not in x), encoding="utf-8")
    (here / "corpus/videos/cem_1.avi").unlink()
    assert "(0 new, 2 kept)" in stage("index", "align").out
    assert runs.of("align", Path("data/frames")) == before


def test_detectors_that_come_back_from_the_store_have_the_record_they_had(begin: Begin, stage: Run, code: Path) -> None:
    here = begin("extract")
    (here / ".dvc").mkdir()
    assert stage("train").code == 0
    before = record_of(Path("results/detectors"), "train")
    shutil.rmtree("results")
    git(code, "commit", "--quiet", "--allow-empty", "--message", "second")
    assert "(0 new, 0 kept, 4 from the store)" in stage("train").out
    assert runs.of("train", Path("results/detectors")) == before


def test_outside_of_a_repository_nothing_is_kept_and_nothing_stops(begin: Begin, stage: Run) -> None:
    here = begin("train")
    assert stage("detect").code == 0
    assert runs.of("detect", Path("results/detections.parquet")) is None
    assert not (here / ".dvc").exists()


def test_an_experiment_in_a_copy_leaves_its_record_in_the_checkout(
    begin: Begin, stage: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, checkout = begin("train"), tmp_path / "checkout"
    for folder in (here, checkout):
        (folder / ".dvc").mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(checkout))
    assert stage("detect").code == 0
    assert len(list((checkout / RECORDS / "detect").iterdir())) == 1
    assert not (here / RECORDS).exists()
    monkeypatch.delenv("DVC_ROOT")
    monkeypatch.chdir(checkout)
    assert runs.of("detect", here / "results/detections.parquet")


def test_a_commit_is_told_with_whether_code_or_parameters_differ_from_it(code: Path) -> None:
    commit = git(code, "rev-parse", "HEAD")
    assert runs.commit_of(code) == (commit, False)
    (code / "results").mkdir()
    for path in ("results/x.csv", "dvc.lock", "configs/fingerprints/demo.json"):  # what stages and DVC write
        (code / path).write_text("2", encoding="utf-8")
    assert runs.commit_of(code) == (commit, False)
    (code / "stages/new.py").touch()
    assert runs.commit_of(code) == (commit, True)
    (code / "stages/new.py").unlink()
    (code / "configs/params.yaml").write_text("seed: 2", encoding="utf-8")
    assert runs.commit_of(code) == (commit, True)


def test_code_that_git_does_not_know_has_no_commit(code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert runs.commit_of(code / "stages") == (None, False)  # as installed into the folder of another project
    (tmp_path / "plain").mkdir()
    assert runs.commit_of(tmp_path / "plain") == (None, False)
    git(tmp_path / "plain", "init", "--quiet")
    assert runs.commit_of(tmp_path / "plain") == (None, False)  # nothing was ever committed
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "plain/.git"))  # as in a hook
    assert runs.commit_of(code)[0] is not None
    monkeypatch.setenv("PATH", "")
    assert runs.commit_of(code) == (None, False)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: Path) -> Path:
    """Return a file of which there is a record."""
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    path = Path("table.csv")
    path.write_text("a", encoding="utf-8")
    runs.begin("detect", path).note()
    return path


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"format": 2}', '{"format": 1, "commit": 3}', "[" * 100_000, "a" * 100_000, "wrong kinds"],
    ids=lambda content: content[:12],
)
def test_a_damaged_record_is_none(table: Path, content: str) -> None:
    (place,) = (RECORDS / "detect").iterdir()
    told = json.loads(place.read_text(encoding="utf-8"))
    text = json.dumps(told | {"commit": 3, "seconds": "1"}) if content == "wrong kinds" else content
    place.write_text(text, encoding="utf-8")
    assert runs.of("detect", table) is None
    runs.begin("detect", table).note()
    assert runs.of("detect", table)


def test_a_record_is_of_one_content_and_of_one_stage(table: Path) -> None:
    assert runs.of("detect", table)
    assert runs.of("evaluate", table) is None
    table.write_text("b", encoding="utf-8")
    assert runs.of("detect", table) is None
    assert runs.of("detect", Path("nothing")) is None


def test_of_many_records_the_oldest_go_and_what_is_no_record_stays(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MOST", 3)
    (RECORDS / "detect/notes.txt").touch()
    for number in range(5):
        table.write_text(str(number), encoding="utf-8")
        runs.begin("detect", table).note()
        for path in (RECORDS / "detect").iterdir():  # each a second older than before, whatever the clock says
            os.utime(path, (path.stat().st_mtime - 1,) * 2)
    held = {path.name for path in (RECORDS / "detect").iterdir()}
    assert len(held) == 4
    assert "notes.txt" in held
    assert record_of(table)


def test_a_disk_that_takes_no_record_stops_nothing(table: Path) -> None:
    shutil.rmtree(RECORDS)
    RECORDS.write_text("a file stands there", encoding="utf-8")
    runs.begin("detect", table).note()
    assert runs.of("detect", table) is None
