"""Disks that refuse, full or read-only: each stage says so, leaves what was there, and completes when it can."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cache.media.video_files import VideoFacts
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
NOBODY = 65534
# Of the videos of the tiny corpus: OpenCV opens a file by its absolute path, which nobody may not walk.
FACTS = VideoFacts(150, 150, 30.0, 48, 48, True)
BEFORE = {
    "index": "",
    "align": "index",
    "extract": "align",
    "train": "extract",
    "detect": "train",
    "evaluate": "detect",
}


def files_below(folder: Path) -> dict[str, bytes]:
    """Return every file but the tables of failures, which a later run removes."""
    return {
        str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "failures.csv"
    }


@pytest.mark.parametrize("name", BEFORE)
def test_a_full_disk_is_said_and_the_rerun_completes(
    begin: Begin, stage: Run, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = begin(BEFORE[name])
    before = files_below(here)

    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        told = stage(name)
    assert told.code == ExitCode.INPUT
    assert "could not be written (No space left on device): the disk is full: free some space and run" in told.err
    assert files_below(here) == before
    assert stage(name).code == ExitCode.DONE


@pytest.fixture
def powerless() -> Iterator[Callable[[Path], None]]:
    """Return a function that makes a folder read-only, for root as well, who is nobody until the test ends."""
    changed = []

    def protect(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o555)
        changed.append(folder)
        Path.cwd().chmod(0o755)
        if os.geteuid() == 0:
            os.seteuid(NOBODY)

    yield protect
    if os.getuid() == 0:
        os.seteuid(0)
    for folder in changed:
        folder.chmod(0o755)


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("align", "data/frames"),
        ("extract", "data/features"),
        ("train", "results/detectors"),
        ("detect", "results"),
        ("evaluate", "results/plots"),
    ],
)
def test_a_read_only_folder_is_named(
    begin: Begin, stage: Run, name: str, output: str, powerless: Callable[[Path], None]
) -> None:
    begin(BEFORE[name])
    powerless(Path(output))
    told = stage(name)
    assert told.code == ExitCode.INPUT
    assert f"error: {output}" in told.err
    assert "could not be written (Permission denied): writing is not permitted: change the permissions" in told.err


def test_a_folder_that_cannot_be_made_is_named(
    begin: Begin, stage: Run, powerless: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("index")
    shutil.move("data/videos.parquet", "videos.parquet")
    powerless(Path("data"))
    told = stage("align", extra=("--videos", "videos.parquet"))
    assert told.code == ExitCode.INPUT
    assert "error: data/frames could not be written (Permission denied)" in told.err
    with monkeypatch.context() as patched:
        patched.setattr("cache.media.video_files.inspect", lambda *_: FACTS)
        told = stage("index")
    assert told.code == ExitCode.INPUT
    assert "error: data/videos.parquet could not be written (Permission denied)" in told.err
